from __future__ import annotations

import pytest

from bench.script import UNMARKED, Script, cut_at_its_mark, http_chunk, script_of, text_of


@pytest.mark.parametrize(
    "script", [Script("plain"), Script("stream", 100), Script("paced", 150, 20)], ids=str
)
def test_a_script_is_read_where_it_stands(script: Script) -> None:
    assert script_of(b'{"content":"Say pong. %b"}' % str(script).encode()) == script


def test_a_request_without_script_has_none() -> None:
    assert script_of(b'{"messages": []}') is None


def test_a_text_has_its_size_and_a_place_for_its_mark() -> None:
    assert len(text_of(100)) == 100
    assert text_of(100).count(UNMARKED) == 1


def test_an_event_is_cut_where_its_mark_belongs() -> None:
    before, after = cut_at_its_mark(f"a{UNMARKED}b".encode())

    assert before + UNMARKED.encode() + after == http_chunk(f"a{UNMARKED}b".encode())
