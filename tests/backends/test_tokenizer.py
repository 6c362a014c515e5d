"""Texts counted with a vocabulary that is there offline, and each only once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from app.backends import tokenizer as module
from app.backends.tokenizer import Tokenizer, load_o200k

ROOT = Path(__file__).parents[2]


class Words:
    """An encoder that remembers what it was given."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.loaded = 0

    def load(self) -> Words:
        self.loaded += 1
        return self

    def __call__(self, text: str) -> list[str]:
        self.seen.append(text)
        return text.split()


@pytest.fixture(scope="module")
def o200k() -> Tokenizer:
    return Tokenizer()


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        ("hello world", 2),
        ("The quick brown fox jumps over the lazy dog.", 10),
        ("2025", 2),
        ("def f(x):\n    return x\n", 8),
        ("antidisestablishmentarianism", 6),
        ("<|endoftext|>", 7),
        ("人人生而自由", 4),
    ],
)
def test_a_text_has_the_tokens_that_o200k_gives_it(text: str, tokens: int, o200k: Tokenizer) -> None:
    assert o200k.counts([text]) == [tokens]


def test_half_a_character_is_counted_as_well(o200k: Tokenizer) -> None:
    assert o200k.counts(["a\ud83db"])[0] > 0


def test_it_is_loaded_when_the_first_text_is_counted_and_only_once() -> None:
    words = Words()
    tokenizer = Tokenizer(words.load)
    before = (words.loaded, tokenizer.is_loaded)

    tokenizer.counts(["a b"])
    tokenizer.counts(["c"])

    assert before == (0, False)
    assert (words.loaded, tokenizer.is_loaded) == (1, True)


def test_a_text_that_comes_again_is_not_counted_again() -> None:
    words = Words()
    tokenizer = Tokenizer(words.load)
    system, tools = "be brief " * 20, "read a file " * 20

    first = tokenizer.counts([system, tools, system])
    again = tokenizer.counts([tools, "new"])

    assert first == [40, 60, 40]
    assert again == [60, 1]
    assert words.seen == [system, tools, "new"]


def test_of_more_than_any_model_could_read_a_sample_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WHOLE", 10_000)
    words = Words()

    counts = Tokenizer(words.load).counts(["word " * 20_000, "word " * 80_000])

    assert counts == pytest.approx([20_000, 80_000], rel=0.1)
    assert sum(map(len, words.seen)) < 11_000


def test_another_vocabulary_than_expected_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DIGEST", "0" * 64)

    with pytest.raises(ValueError, match="another one than expected"):
        load_o200k()


def test_a_vocabulary_that_is_not_there_is_an_error_of_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "NAME", "no-such-file")

    with pytest.raises(OSError, match="no-such-file"):
        load_o200k()


UNDER_GEVENT = """
from gevent import monkey
monkey.patch_all()
import sys, gevent
from app.backends.tokenizer import Tokenizer

tokenizer, ticks, over = Tokenizer(), 0, False
def tick():
    global ticks
    while not over:
        ticks += 1
        gevent.sleep(0)
other = gevent.spawn(tick)
greenlets = [gevent.spawn(tokenizer.counts, ["hello world", f"number {n} " * 20000]) for n in range(4)]
found = [greenlet.get() for greenlet in greenlets]
over = True
other.join()
assert [counts[0] for counts in found] == [2] * 4, found
assert ticks > 100, ticks
assert "litellm" not in sys.modules
"""


def test_other_greenlets_run_on_meanwhile() -> None:
    subprocess.run([sys.executable, "-c", UNDER_GEVENT], cwd=ROOT, check=True, timeout=60)


def test_nothing_is_loaded_by_importing_it() -> None:
    code = "import sys, app.backends.counting; assert not {'tiktoken', 'litellm'} & sys.modules.keys()"

    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)
