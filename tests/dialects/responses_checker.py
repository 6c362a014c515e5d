"""Reads a Responses stream as strictly as its grammar allows: whatever is out of order fails a test.

    stream   = created in_progress *( item ) ( completed / incomplete ) [DONE]  |  any prefix, then failed
    item     = output_item.added *( part / call ) output_item.done               ; one open at a time
    part     = added *delta .done part.done                                      ; one open at a time
    call     = *delta .done

It knows nothing of how the gateway writes one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

# what an event of a part is called → the kind of part, the field of its text, its index
PARTS = {
    "response.output_text": ("output_text", "text", "content_index"),
    "response.refusal": ("refusal", "refusal", "content_index"),
    "response.reasoning_text": ("reasoning_text", "text", "content_index"),
    "response.reasoning_summary_text": ("summary_text", "text", "summary_index"),
}
CALLS = {
    "response.function_call_arguments": ("function_call", "arguments"),
    "response.custom_tool_call_input": ("custom_tool_call", "input"),
}
HOLDERS = {
    "response.content_part": ("message", "reasoning"),
    "response.reasoning_summary_part": ("reasoning",),
}
PREFIXES = {"message": "msg_", "reasoning": "rs_", "function_call": "fc_", "custom_tool_call": "ctc_"}
ENDS = ("response.completed", "response.incomplete", "response.failed")


@dataclass
class Checker:
    """Takes the events one by one; `end` says whether they may stop here."""

    number: int = 0
    response: Json | None = None
    running: bool = False
    ended: str = ""
    item: Json | None = None
    part: Json | None = None
    text: str | None = None
    """Of the open part or call: what its pieces came to."""
    call_done: str | None = None
    parts: list[Json] = field(default_factory=list)
    output: list[Json] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)

    def take(self, event: Json) -> None:
        name = event["type"]
        assert event["sequence_number"] == self.number, (event, self.number)
        self.number += 1
        assert not self.ended, f"{name} after {self.ended}"
        if name in ("response.created", "response.in_progress"):
            return self._begin(name, event)
        assert self.response is not None, f"{name} before response.created"
        if name == "keepalive":
            return None
        assert self.running, f"{name} before response.in_progress"
        if name in ENDS:
            return self._end(name, event)
        stem, _, step = name.rpartition(".")
        if stem == "response.output_item":
            return self._added(event) if step == "added" else self._done(event)
        assert self.item is not None, f"{name} outside an item"
        assert event["output_index"] == len(self.output), event
        assert event["item_id"] == self.item["id"], event
        if stem in HOLDERS:
            return self._part_added(stem, event) if step == "added" else self._part_done(event)
        if name == "response.output_text.annotation.added":
            assert self.part is not None
            assert self.part["type"] == "output_text"
            assert event["annotation_index"] == len(self.part.setdefault("cited", []))
            self.part["cited"].append(event["annotation"])
            return None
        if stem in PARTS:
            return self._text(stem, step, event)
        return self._call(stem, step, event)

    def _begin(self, name: str, event: Json) -> None:
        assert (name == "response.created") == (self.response is None), name
        assert not self.running, "a second response.in_progress"
        self.running = name == "response.in_progress"
        self.response = event["response"]
        assert self.response["status"] == "in_progress"
        assert self.response["output"] == []

    def _added(self, event: Json) -> None:
        assert self.item is None, "two items open"
        assert event["output_index"] == len(self.output)
        item = self.item = event["item"]
        assert item["id"].startswith(PREFIXES.get(item["type"], ""))
        assert item["id"] not in self.ids
        self.ids.add(item["id"])
        assert item.get("status", "in_progress") == "in_progress"
        if item["type"] == "message":
            assert (item["content"], item["role"]) == ([], "assistant")
        if item["type"] == "reasoning":
            assert item["summary"] == []
            assert "role" not in item
        self.parts = []
        streamed = item["type"] in ("function_call", "custom_tool_call")
        self.text, self.call_done = ("" if streamed else None), None
        if streamed:
            assert item["arguments" if item["type"] == "function_call" else "input"] == ""

    def _done(self, event: Json) -> None:
        assert self.item is not None, "no item open"
        assert self.part is None, "an item closed over an open part"
        assert event["output_index"] == len(self.output)
        item = event["item"]
        assert (item["id"], item["type"]) == (self.item["id"], self.item["type"])
        assert item.get("status", "completed") in ("completed", "incomplete")
        if item["type"] == "message":
            assert item["content"] == self.parts
        if item["type"] == "reasoning":
            assert item["summary"] + (item.get("content") or []) == self.parts
        if item["type"] in ("function_call", "custom_tool_call"):
            assert self.call_done is not None, "a call closed before its arguments were"
            assert item["arguments" if item["type"] == "function_call" else "input"] == self.call_done
            assert item["call_id"] == self.item["call_id"]
            assert item["call_id"]
            assert item["name"] == self.item["name"]
        self.output.append(item)
        self.item = None

    def _part_added(self, stem: str, event: Json) -> None:
        assert self.item is not None
        assert self.part is None, "two parts open"
        assert self.item["type"] in HOLDERS[stem]
        index = "summary_index" if "summary" in stem else "content_index"
        assert event[index] == len(self.parts)
        self.part, self.text = dict(event["part"]), ""
        assert self.part.get("text", self.part.get("refusal")) == ""

    def _part_done(self, event: Json) -> None:
        assert self.part is not None
        assert self.part.get("finished"), "a part closed before its text was"
        part = event["part"]
        assert part["type"] == self.part["type"]
        assert part.get("text", part.get("refusal")) == self.text
        if part["type"] == "output_text":
            assert part["annotations"] == self.part.get("cited", [])
            assert isinstance(part["logprobs"], list)
        self.parts.append(part)
        self.part = self.text = None

    def _text(self, stem: str, step: str, event: Json) -> None:
        kind, text, index = PARTS[stem]
        assert self.part is not None, "text outside a part"
        assert not self.part.get("finished"), "text after its end"
        assert self.part["type"] == kind
        assert event[index] == len(self.parts)
        if kind == "output_text":
            assert isinstance(event["logprobs"], list)
        if step == "delta":
            assert event["delta"]
            assert self.text is not None
            self.text += event["delta"]
        else:
            assert event[text] == self.text
            self.part["finished"] = True

    def _call(self, stem: str, step: str, event: Json) -> None:
        kind, text = CALLS[stem]
        assert self.item is not None
        assert self.item["type"] == kind
        assert self.call_done is None, "a piece of a call after its end"
        if step == "delta":
            assert event["delta"]
            assert self.text is not None
            self.text += event["delta"]
        else:
            assert event[text] == self.text
            assert kind != "function_call" or event["name"] == self.item["name"]
            self.call_done = event[text]

    def _end(self, name: str, event: Json) -> None:
        response = self.response = event["response"]
        assert response["status"] == name.rpartition(".")[2]
        assert response["output"] == self.output
        if name == "response.failed":
            assert response["error"].keys() == {"code", "message"}
        else:
            assert self.item is None, "an answer ended over an open item"
            assert response["error"] is None
        assert (response["incomplete_details"] is not None) == (name == "response.incomplete")
        _check_usage(response["usage"])
        self.ended = name


def _check_usage(usage: Json | None) -> None:
    if usage is None:
        return
    numbers = [
        *(usage[key] for key in ("input_tokens", "output_tokens", "total_tokens")),
        usage["input_tokens_details"]["cached_tokens"],
        usage["input_tokens_details"]["cache_write_tokens"],
        usage["output_tokens_details"]["reasoning_tokens"],
    ]
    assert all(type(number) is int for number in numbers), usage


def events_in(data: bytes) -> list[Json]:
    """The events in some bytes, [DONE] left out; each frame is an event line and a data line that agree."""
    events = []
    text = data.decode()
    assert text == "" or text.endswith("\n\n")
    for frame in text.split("\n\n")[:-1]:
        if frame == "data: [DONE]":
            continue
        first, second = frame.split("\n")
        event = json.loads(second.removeprefix("data: "))
        assert first == f"event: {event['type']}"
        events.append(event)
    return events


def checked(data: bytes, whole: bool = True) -> Json:
    """The response that a stream came to, after it has been found right; `whole`: and complete."""
    checker = Checker()
    for event in events_in(data):
        checker.take(event)
    assert data.count(b"data: [DONE]\n\n") == whole
    assert data.endswith(b"data: [DONE]\n\n") == whole
    assert (checker.ended in ("response.completed", "response.incomplete")) == whole
    assert checker.response is not None
    return checker.response
