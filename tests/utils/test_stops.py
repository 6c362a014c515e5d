"""Stop sequences are found however the text is cut, and nothing behind one is shown."""

from __future__ import annotations

import pytest

from app.utils.stops import Stops, stops_in

CASES = {
    "none in it": ("Hello", ["END"], "Hello", None),
    "one": ("Hello END more", ["END"], "Hello ", "END"),
    "the first of two": ("a two b one", ["one", "two"], "a ", "two"),
    "the beginning of one, and then not": ("EN EN END", ["END"], "EN EN ", "END"),
    "overlapping itself": ("aab", ["ab"], "a", "ab"),
    "half of one at the end": ("Hello EN", ["END"], "Hello EN", None),
    "at once": ("END", ["END"], "", "END"),
    "no sequences": ("Hello", [], "Hello", None),
    "an empty one": ("Hello", [""], "Hello", None),
    "line breaks": ("a\n\nb", ["\n\n"], "a", "\n\n"),
}


@pytest.mark.parametrize(("text", "sequences", "shown", "found"), CASES.values(), ids=CASES)
@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_text_ends_at_a_stop_sequence(
    text: str, sequences: list[str], shown: str, found: str | None, size: int
) -> None:
    stops = Stops(sequences)

    came = "".join(stops.feed(text[place : place + size]) for place in range(0, len(text), size))

    assert (came + stops.close(), stops.found) == (shown, found)


def test_only_what_may_be_a_beginning_is_held_back() -> None:
    stops = Stops(["STOP"])

    assert stops.feed("Hello S") == "Hello "
    assert stops.feed("aid") == "Said"


@pytest.mark.parametrize(
    ("value", "found"), [("END", ["END"]), (["a", "", 3, "b"], ["a", "b"]), (None, []), (7, []), ("", [])]
)
def test_a_request_names_stop_sequences_in_two_ways(value: object, found: list[str]) -> None:
    assert stops_in(value) == found
