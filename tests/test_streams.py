"""The streams of tests/streams hold what is said of them, as the slowest and plainest reader finds."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.streams import Recorded, load
from tests.streams.__main__ import STREAMS, body
from tests.upstream.chat import chunks

STREAM = pytest.mark.parametrize("stream", load(), ids=lambda stream: stream.name)


def datas(raw: bytes) -> list[str]:
    """The data of every event, by the letter of the specification."""
    text = re.sub(r"\r\n?", "\n", raw.decode().removeprefix("\ufeff"))
    found = []
    for block in text.split("\n\n"):
        lines = [line[5:].removeprefix(" ") for line in block.split("\n") if line.startswith("data:")]
        if lines:
            found.append("\n".join(lines))
    return found


def added_up(events: list[Any]) -> dict[str, Any]:
    """The answer that the events come to."""
    said: dict[str, Any] = {
        "content": "",
        "reasoning": "",
        "tool_calls": [],
        "finish_reason": None,
        "usage": None,
    }
    for event in events:
        said["usage"] = event.get("usage") or said["usage"]
        for choice in event.get("choices") or ():
            said["finish_reason"] = choice["finish_reason"] or said["finish_reason"]
            delta = choice["delta"] or {}
            said["content"] += delta.get("content") or ""
            said["reasoning"] += delta.get("reasoning_content") or delta.get("reasoning") or ""
            said["reasoning"] += "".join(detail["text"] for detail in delta.get("reasoning_details") or ())
            for piece in delta.get("tool_calls") or ():
                add_call(said["tool_calls"], piece)
    said["content"] = said["content"].encode("utf-16", "surrogatepass").decode("utf-16")
    return said


def add_call(calls: list[dict[str, Any]], piece: dict[str, Any]) -> None:
    """A new id is a new call; a piece without one belongs to the call of its index."""
    function = piece["function"]
    known = [call for call in calls if (piece.get("id") or call["id"]) == call["id"]]
    same = [call for call in known if call["index"] == piece.get("index", call["index"])]
    if same:
        same[-1]["arguments"] += function["arguments"]
    else:
        index = piece.get("index", len(calls))
        calls.append(
            {"index": index, "id": piece["id"], "name": function["name"], "arguments": function["arguments"]}
        )


@STREAM
def test_a_stream_holds_the_events_that_are_said_to_be_in_it(stream: Recorded) -> None:
    found = datas(stream.body)
    events, _, late = ("\0".join(found)).partition("\0[DONE]")

    assert [json.loads(data) for data in events.split("\0")] == stream.events
    assert ("[DONE]" in found) == stream.done
    assert bool(late) == (stream.name == "after-done")


@STREAM
def test_the_events_add_up_to_the_answer(stream: Recorded) -> None:
    assert added_up(stream.events) == stream.answer


@pytest.mark.parametrize("name", STREAMS)
def test_the_files_are_those_that_are_written_now(name: str) -> None:
    made = STREAMS[name]
    written = {stream.name: stream.body for stream in load()}

    assert written.keys() == STREAMS.keys()
    assert written[name] == body(made, made.between(chunks(made.turn, made.shape, made.usage_asked)))
