"""Where JSON that comes in pieces ends."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.utils.json_end import JsonEnd

values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.integers() | st.text(st.sampled_from('a{}[]"\\'), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(st.text(st.sampled_from('a{}[]"\\'), max_size=3), values, max_size=3)


def reached_after(pieces: list[str]) -> int | None:
    """How many pieces it took."""
    end = JsonEnd()
    for count, piece in enumerate(pieces, 1):
        end.feed(piece)
        if end.reached:
            return count
    return None


@given(objects | st.lists(values, max_size=3), st.booleans(), st.text(" \n", max_size=2))
def test_an_object_ends_with_its_last_bracket_and_not_before(value: Any, plain: bool, blank: str) -> None:
    written = blank + json.dumps(value, ensure_ascii=plain)

    assert reached_after(list(written)) == len(written)
    assert reached_after([written, "more"]) == 1


@given(objects, st.lists(st.integers(0, 30), max_size=4))
def test_how_it_is_cut_makes_no_difference(value: Any, cuts: list[int]) -> None:
    written = json.dumps(value)
    places = [0, *sorted(cuts), len(written)]
    end = JsonEnd()
    for start, stop in pairwise(places):
        end.feed(written[start:stop])

    assert end.reached


@pytest.mark.parametrize("written", ["", " ", "null", '"{}"', "1", '{"a":"}', '{"a":"\\"}', "[{}", "f() {}"])
def test_what_has_no_bracket_or_lacks_its_last_has_no_end(written: str) -> None:
    assert reached_after(list(written)) is None
    assert reached_after([written, ""]) is None
