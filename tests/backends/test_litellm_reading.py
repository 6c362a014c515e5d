"""LiteLLM's streams are read below the wrapper that invents things, or through it until it does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from app.backends.litellm_reading import harmless, pieces


class Model:
    """A chunk as LiteLLM's classes have it."""

    def __init__(self, content: str | None = None, finish: str | None = None) -> None:
        self.choices = [content]
        self._dump = {"choices": [{"index": 0, "delta": {"content": content}, "finish_reason": finish}]}

    def model_dump(self, **options: Any) -> dict[str, Any]:
        return self._dump


class Wrapper:
    """LiteLLM's wrapper: turns lines into chunks, and adds a finish when there was none."""

    def __init__(self, source: Any, finish: str | None = None, lazy: bool = False) -> None:
        self.completion_stream: Any = None if lazy else source
        self.received_finish_reason: str | None = None
        self._finish = finish
        self._later = source

    def fetch_sync_stream(self) -> Any:
        return self._later

    def __iter__(self) -> Iterator[Model]:
        for line in self.completion_stream:
            yield Model(line)
        self.received_finish_reason = self._finish
        yield Model(None, "stop")


class Parsing:
    """An iterator of LiteLLM's: parses each event, and makes something of [DONE] on its own."""

    def __init__(self, *events: Any) -> None:
        self._events = iter(events)

    def __iter__(self) -> Parsing:
        return self

    def __next__(self) -> Any:
        event = next(self._events)
        return (
            {"text": "", "is_finished": True, "finish_reason": "stop"}
            if event == "[DONE]"
            else self.chunk_parser(event)
        )

    def chunk_parser(self, chunk: dict[str, Any]) -> Any:
        if "id" not in chunk:
            raise KeyError("id")
        chunk["edited"] = True
        return Model("read")


CHAT = {"id": "a", "choices": []}


def test_a_chunk_comes_with_what_it_was_made_of_unedited() -> None:
    assert [raw for _, raw in pieces(Wrapper(Parsing(dict(CHAT))))] == [CHAT]


def test_a_stream_that_is_fetched_late_is_fetched() -> None:
    assert len(list(pieces(Wrapper(Parsing(dict(CHAT)), lazy=True)))) == 1


def test_what_was_made_of_nothing_is_left_out() -> None:
    assert len(list(pieces(Wrapper(Parsing(dict(CHAT), "[DONE]"))))) == 1


def test_a_chunk_that_litellm_cannot_parse_is_what_the_upstream_said() -> None:
    assert list(pieces(Wrapper(Parsing({"choices": [1]})))) == [({"choices": []}, {"choices": [1]})]


@pytest.mark.parametrize("odd", [{"type": "strange"}, {"choices": [], "error": {"message": "no"}}])
def test_what_is_no_chunk_at_all_stays_litellm_s_error(odd: dict[str, Any]) -> None:
    with pytest.raises(KeyError):
        list(pieces(Wrapper(Parsing(odd))))


def test_older_pieces_are_chunks() -> None:
    found = list(pieces(Wrapper(iter([None, {"text": "Hi", "is_finished": False}]))))

    assert [chunk["choices"][0]["delta"] for chunk, _ in found] == [{"content": "Hi"}]


def test_lines_of_text_go_through_the_wrapper() -> None:
    found = [chunk["choices"][0] for chunk, _ in pieces(Wrapper(iter(["a", "b"]), finish="stop"))]

    assert [choice["delta"]["content"] for choice in found] == ["a", "b", None]
    assert found[-1]["finish_reason"] == "stop"


def test_a_finish_that_the_wrapper_invents_is_left_out() -> None:
    found = [chunk["choices"][0] for chunk, _ in pieces(Wrapper(iter(["a", "b"]), finish=None))]

    assert [choice["finish_reason"] for choice in found] == [None, None]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("data: [DONE]", "data: [DONE]"),
        ("data:[DONE]\n", "data:[DONE]\n"),
        ('data: {"a": "[DONE]"}', 'data: {"a": "[DONE\\u005d"}'),
        ('data: {"a": 1}', 'data: {"a": 1}'),
    ],
)
def test_only_the_marker_itself_is_the_end(line: str, expected: str) -> None:
    assert harmless(line) == expected
