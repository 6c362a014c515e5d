"""What was recorded of the clients holds none of their words, and reads back as a request."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.recorded import FOLDER, Recorded, load
from tests.recorded.stripping import Stripping, filled, filler
from tests.upstream.conversation import conversation, marked, tools

THREE_WORDS = re.compile(r"\w+\s+\w+\s+\w+")

each = pytest.mark.parametrize("recorded", load(), ids=lambda recorded: recorded.name)


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from (text for pair in value.items() for one in pair for text in strings(one))
    elif isinstance(value, list):
        yield from (text for one in value for text in strings(one))


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.json")), ids=lambda file: file.stem)
def test_no_sentence_of_a_client_is_kept(file: Path) -> None:
    body = json.loads(file.read_bytes())["body"]

    assert [text for text in strings(body) if THREE_WORDS.search(text) or len(text) > 64] == []


@each
def test_no_key_is_kept(recorded: Recorded) -> None:
    assert not {"authorization", "x-api-key"} & {name.lower() for name in recorded.headers}
    assert "sk-of" not in str(recorded)


@each
def test_it_reads_back_as_the_request_that_it_was(recorded: Recorded) -> None:
    said = conversation(recorded.body)

    assert marked(recorded.body) == "agent nonce=n7"
    assert sum(len(one.text) for one in said if one.by == "system") > 5000 or "gateways" in recorded.name
    assert len(tools(recorded.body)) >= 5
    assert [one.by for one in said].count("tool") == (3 if recorded.name.endswith("-4") else 1)


def test_a_text_becomes_its_length_and_a_word_stays() -> None:
    body = {"type": "text", "text": "Do as you please.", "n": 3, "at": 1_795_797_127_613}
    stripped = Stripping().value(body)

    assert stripped == {"type": "text", "text": {"~": 17}, "n": 3, "at": 100_000_000_000}
    assert filled(stripped)["text"] == filler(17)
    assert len(filler(17)) == 17


def test_a_json_text_stays_one() -> None:
    stripped = Stripping().value({"arguments": '{"cmd": "echo a b c"}'})

    assert stripped == {"arguments": {"~json": {"cmd": {"~": 10}}}}
    assert filled(stripped) == {"arguments": '{"cmd": "lorem ipsu"}'}


def test_the_same_id_is_the_same_number() -> None:
    one, other = "3b1d6b37-1292-4335-a721-57fc9aaddab2", "883740b6-f634-4ff3-b5d9-ada49f3d609c"
    first, second = ("00000000-0000-4000-8000-00000000000" + number for number in "01")

    assert Stripping().value([f"msg_{one}", other, one]) == [f"msg_{first}", second, first]
