"""A Responses stream of the target's own on its way to the client: framed, numbered, filled in. Pure.

llama-server leaves out the numbers and places that the SDKs need to follow a stream; they are put in.
"""

from __future__ import annotations

from app.dialects.openai_responses_frames import DONE, KEEPALIVE, Frames
from app.dialects.openai_responses_history import identified
from app.dialects.openai_responses_object import error_of, failed, previous_of
from app.errors import GatewayError
from app.types import Answer, Batch, Event, Request, Served
from app.utils.wire_responses import with_output

_ENDS = ("response.completed", "response.incomplete", "response.failed")
_WHOLE_PIECE = frozenset({"item_id", "output_index", "content_index", "logprobs"})
"""What OpenAI's own pieces of text hold: nothing has to be put in, and they are nearly all of a stream."""
_PARTS_OF_CONTENT = ("response.content_part.", "response.output_text.", "response.refusal.")


class RelayedResponses:
    """One per stream. `answer` is the response that the last event brought."""

    fails_in_order = True

    def __init__(self, request: Request, served: Served) -> None:
        self.answer: Answer | None = None
        self._frames = Frames()
        self._id = served.id
        self._previous = previous_of(request)
        self._response: Answer | None = None
        self._over = False
        self._items: list[Answer] = []
        self._places: dict[str, int] = {}

    def feed(self, batch: Batch) -> bytes:
        for event in batch:
            if not (event.get("type") == "response.output_text.delta" and event.keys() >= _WHOLE_PIECE):
                self._follow(event)
            self._frames.event(event)
        return self._frames.taken()

    def alive(self) -> bytes:
        if self._over:
            return b""
        self._frames.event({**KEEPALIVE})
        return self._frames.taken()

    def close(self) -> bytes:
        if self._response is not None:
            self.answer = with_output(self._response, self._items)
        return DONE

    def fail(self, problem: GatewayError) -> bytes:
        error = error_of(problem)
        if self._response is None:
            # The SDK raises for the inner object, other readers look at the outer fields
            inner = {**error, "type": problem.type, "param": problem.param}
            self._frames.event({"type": "error", **error, "param": problem.param, "error": inner})
        else:
            response = failed(self._response, problem, self._items)
            self._frames.event({"type": "response.failed", "response": response})
        return self._frames.taken()

    def _follow(self, event: Event) -> None:
        name = event.get("type")
        if not isinstance(name, str):
            name = event["type"] = "unknown"
        if "response" in event:
            self._over = name in _ENDS
            if isinstance(response := event["response"], dict):
                self._response = response
                response.setdefault("output", [])
                identified(response, self._id)
                if self._previous is not None:
                    response["previous_response_id"] = self._previous
        elif "item" in event:
            self._follow_item(name, event)
        elif "item_id" in event:
            self._fill_in(name, event)

    def _follow_item(self, name: str, event: Event) -> None:
        item = event["item"]
        if not isinstance(item, dict):
            return
        id = str(item.get("id"))
        if name == "response.output_item.added":
            self._places[id] = event.setdefault("output_index", len(self._places))
        elif name == "response.output_item.done":
            event.setdefault("output_index", self._places.get(id, len(self._items)))
            self._items.append(item)

    def _fill_in(self, name: str, event: Event) -> None:
        if "output_index" not in event:
            event["output_index"] = self._places.get(str(event["item_id"]), max(len(self._places) - 1, 0))
        if name.startswith(_PARTS_OF_CONTENT):
            event.setdefault("content_index", 0)
            if name in ("response.output_text.delta", "response.output_text.done"):
                event.setdefault("logprobs", [])
        elif name.startswith("response.reasoning_summary"):
            event.setdefault("summary_index", 0)
        elif name.startswith("response.reasoning_text"):
            event.setdefault("content_index", 0)
