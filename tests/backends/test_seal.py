"""What is sealed can be opened by this gateway, for the same owner, unchanged; nothing else can be opened."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from base64 import urlsafe_b64decode, urlsafe_b64encode
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.backends.seal import Sealer, key_in_file
from app.backends.state import Careful
from app.backends.state_store import Memory
from app.utils.responses_ids import SEALED
from tests.backends.state_lab import Clock, Frail

ROOT = Path(__file__).parents[2]
VALUE = {
    "reasoning_content": "Hm, 日本 \ud83d",
    "thinking_blocks": [{"type": "thinking", "signature": "c2ln"}],
}


@pytest.fixture
def sealer() -> Sealer:
    return Sealer(lambda: b"k" * 32)


def changed(text: str, place: int) -> str:
    raw = bytearray(urlsafe_b64decode(text[len(SEALED) :]))
    raw[place] ^= 1
    return SEALED + urlsafe_b64encode(raw).decode()


def test_what_is_sealed_comes_out_again(sealer: Sealer) -> None:
    text = sealer.seal(VALUE, "ann")

    assert sealer.open(text, "ann") == VALUE
    assert text.startswith("lc1.")
    assert text.isascii()


def test_nothing_of_it_can_be_read(sealer: Sealer) -> None:
    assert b"Hm" not in urlsafe_b64decode(sealer.seal(VALUE)[len(SEALED) :])


def test_the_same_value_never_looks_the_same(sealer: Sealer) -> None:
    assert sealer.seal(VALUE) != sealer.seal(VALUE)


def test_long_thoughts_are_packed(sealer: Sealer) -> None:
    assert len(sealer.seal({"reasoning_content": "the same again, " * 1000})) < 1000


def test_another_owner_cannot_open_it(sealer: Sealer) -> None:
    text = sealer.seal(VALUE, "ann")

    assert sealer.open(text, "bob") is None
    assert sealer.open(text) is None


def test_another_key_cannot_open_it(sealer: Sealer) -> None:
    assert Sealer(lambda: b"o" * 32).open(sealer.seal(VALUE)) is None


@pytest.mark.parametrize("place", [0, 11, 12, 40, -1], ids=["nonce", "nonce's end", "first", "middle", "tag"])
def test_a_changed_bit_is_noticed(sealer: Sealer, place: int) -> None:
    assert sealer.open(changed(sealer.seal(VALUE), place)) is None


@pytest.mark.parametrize(
    "text",
    [
        None,
        7,
        "",
        "lc1.",
        "lc1.x",
        "lc1.????",
        "lc1.日本",
        "lc2.AAAA",
        "gAAAAABm-somebody-else's",
        "lc1." + "A" * 100,
        "lc1.A",
    ],
)
def test_what_is_not_ours_is_none(sealer: Sealer, text: Any) -> None:
    assert sealer.open(text) is None


@given(st.text())
def test_no_text_makes_it_fail(text: str) -> None:
    assert Sealer(lambda: b"k" * 32).open(SEALED + text) is None


def test_a_cut_text_is_none(sealer: Sealer) -> None:
    text = sealer.seal(VALUE)

    assert {sealer.open(text[:end]) for end in range(len(text) - 4)} == {None}


# ------------------------------------------------------------------ the key


def test_the_key_is_made_once_and_nobody_else_can_read_it(tmp_path: Path) -> None:
    path = tmp_path / "home" / "seal.key"
    key = key_in_file(path)

    assert len(key) == 32
    assert key_in_file(path) == path.read_bytes() == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [file.name for file in path.parent.iterdir()] == ["seal.key"]


def test_what_one_process_seals_another_opens_after_a_restart(tmp_path: Path) -> None:
    text = Sealer.of(tmp_path, Memory()).seal(VALUE)

    assert Sealer.of(tmp_path, Memory()).open(text) == VALUE


def test_all_who_make_the_key_at_once_get_the_same(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from app.backends.seal import key_in_file
sys.stdin.readline()
print(key_in_file(Path(sys.argv[1])).hex())
"""
    running = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path / "home" / "seal.key")],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(6)
    ]
    keys = {process.communicate("go\n", timeout=60)[0] for process in running}

    assert len(keys) == 1


def test_a_file_that_holds_no_key_is_replaced(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "seal.key"
    path.write_bytes(b"short")

    assert key_in_file(path) == path.read_bytes()
    assert len(path.read_bytes()) == 32
    assert "holds no key" in caplog.text


def test_without_a_place_for_the_key_this_process_can_still_seal(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("not a directory")
    sealer = Sealer.of(tmp_path / "file" / "home", Memory())

    assert sealer.open(sealer.seal(VALUE)) == VALUE
    assert len(caplog.records) == 1


def test_machines_that_share_their_state_share_the_key(tmp_path: Path) -> None:
    shared = Frail(shared=True)
    here, there = Sealer.of(tmp_path / "here", shared), Sealer.of(tmp_path / "there", shared)

    assert there.open(here.seal(VALUE)) == VALUE
    assert not (tmp_path / "here").exists()


def test_while_the_shared_state_is_away_the_machine_s_own_key_will_do(tmp_path: Path) -> None:
    shared, clock = Frail(shared=True), Clock()
    sealer = Sealer.of(tmp_path, Careful(lambda: shared, "redis", shared=True, clock=clock))
    shared.problem = OSError("gone")
    meanwhile = sealer.seal(VALUE)
    shared.problem = None
    clock.now += 60
    after = sealer.seal(VALUE)

    assert sealer.open(meanwhile) == sealer.open(after) == VALUE
    assert Sealer.of(tmp_path / "other machine", shared).open(after) == VALUE
    assert Sealer.of(tmp_path / "other machine", shared).open(meanwhile) is None


def test_the_cipher_is_not_loaded_before_it_is_needed() -> None:
    code = """
import sys
from pathlib import Path
from app.backends.seal import Sealer
from app.backends.state_store import Memory
from app.utils.responses_ids import SEALED
sealer = Sealer.of(Path("/nonexistent"), Memory())
sealer.open("nothing of ours")
assert not [name for name in sys.modules if name.split(".")[0] in ("cryptography", "sqlite3", "redis")]
"""
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=dict(os.environ), check=False, timeout=60
    )

    assert ran.returncode == 0
