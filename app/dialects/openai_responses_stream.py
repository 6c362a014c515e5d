"""Chat's chunks as the events of a Responses stream. Pure.

Whatever order the chunks come in, the items stand in a queue in the order in which they began.
The first of them is open and streamed; the others gather their pieces until it is their turn.
A text or a thought is over when anything else begins, a call when its arguments are whole.
"""

from __future__ import annotations

from collections import deque
from typing import Any, TypeVar

from app.dialects.openai_responses_frames import DONE, KEEPALIVE, Frames
from app.dialects.openai_responses_object import ended, failed, response_of, why_incomplete
from app.dialects.openai_responses_output import Call, Item, Message, Part, Seal, Thoughts, seals_nothing
from app.dialects.openai_responses_request import tools_in
from app.errors import GatewayError
from app.types import Answer, Batch, Body, Request, Served
from app.utils.call_pieces import arguments_of, calls_in, mixed_up, nameless
from app.utils.content_parts import said_in_parts
from app.utils.first_choice import FirstChoice
from app.utils.shapes import as_dict, as_dicts, as_text

NewItem = TypeVar("NewItem", Message, Thoughts, Call)


class ResponsesEncoder:
    """One per stream. `answer` is the whole response once it is closed."""

    fails_in_order = True  # Codex shows its words only if the body then ends as it should

    def __init__(self, request: Request, served: Served, seal: Seal = seals_nothing) -> None:
        self.answer: Answer | None = None
        self._response = response_of(request, served)
        self._tools = tools_in(request)
        self._alias = request.model
        self._id = served.id
        self._seal = seal if wants_sealed(request.body) else seals_nothing
        self._frames = Frames()
        self._first_choice = FirstChoice()
        self._begun = False
        self._made = 0
        self._voice: Part | None = None
        """The text that goes on, as long as nothing else has begun."""
        self._waiting: deque[Item] = deque()
        self._opened: Item | None = None
        self._calls: dict[int, Call] = {}
        self._output: list[Answer] = []
        self._finish: str | None = None
        self._usage: Any = None

    def feed(self, batch: Batch) -> bytes:
        if not batch:
            return b""
        self._begin()
        for chunk in batch:
            self._take(chunk)
        self._advance()
        return self._frames.taken()

    def alive(self) -> bytes:
        self._begin()  # the SDK takes nothing before response.created
        self._frames.event({**KEEPALIVE})
        return self._frames.taken()

    def close(self) -> bytes:
        self._begin()
        if any(not (call.named or call.is_empty) for call in self._calls.values()):
            raise nameless(self._alias)
        self._advance(last=True)
        self.answer = ended(self._response, self._finish, self._output, self._usage)
        self._frames.event({"type": f"response.{self.answer['status']}", "response": self.answer})
        return self._frames.taken() + DONE

    def fail(self, problem: GatewayError) -> bytes:
        self._begin()
        response = failed(self._response, problem, self._output)
        self._frames.event({"type": "response.failed", "response": response})
        return self._frames.taken()

    def _begin(self) -> None:
        if not self._begun:
            self._begun = True
            names = ("response.created", "response.in_progress")
            self._frames.same([{"type": name, "response": self._response} for name in names], "response")

    def _take(self, chunk: Body) -> None:
        if chunk.get("usage"):
            self._usage = chunk["usage"]
        choice = self._first_choice.of(chunk)  # there is one answer in this API
        if choice is None:
            return
        delta = choice.get("delta")
        if isinstance(delta, dict) and delta:
            text = delta.get("content")
            if self._voice and len(delta) == 1 and isinstance(text, str) and not choice.get("logprobs"):
                self._voice.add(text)  # nearly every chunk of a stream
            else:
                self._take_delta(delta, choice)
        if isinstance(finish := choice.get("finish_reason"), str) and finish:
            self._finish = finish

    def _take_delta(self, delta: Body, choice: Body) -> None:
        self._voice = None
        if thought := thought_in(delta):
            self._thoughts().add(thought)
        if blocks := as_dicts(delta.get("thinking_blocks")):
            self._thoughts().add_blocks(blocks)
        if text := delta.get("content"):
            self._say_content(text, choice)
        if isinstance(refusal := delta.get("refusal"), str) and refusal:
            self._message().part("refusal").add(refusal)
            self._voice = None
        for annotation in as_dicts(delta.get("annotations")):
            self._message().part("output_text").cite(_flat(annotation))
        for piece in calls_in(delta):
            self._call(piece)
            self._voice = None

    def _say_content(self, content: Any, choice: Body) -> None:
        said = said_in_parts(content) if isinstance(content, list) else (("text", as_text(content)),)
        for kind, text in said:
            if kind == "thinking":
                self._voice = None
                self._thoughts().add(text)
            elif text:
                self._say(text, choice)

    def _say(self, text: str, choice: Body) -> None:
        part = self._voice = self._message().part("output_text")
        part.add(text)
        if odds := choice.get("logprobs"):
            part.add_odds(odds_in(odds))

    def _message(self) -> Message:
        last = self._last()
        return last if isinstance(last, Message) else self._wait(Message(self._new_id()))

    def _thoughts(self) -> Thoughts:
        last = self._last()
        return last if isinstance(last, Thoughts) else self._wait(Thoughts(self._new_id(), self._seal))

    def _call(self, piece: Body) -> None:
        index = piece.get("index")
        index = index if isinstance(index, int) else 0
        call = self._calls.get(index)
        if call is None:
            call = self._calls[index] = Call(self._new_id(), self._tools)
        elif call is not self._last() and call.settled:  # something else has begun behind its end
            if arguments_of(as_dict(piece.get("function"))).strip():
                raise mixed_up(self._alias)
            return
        was_named = call.named
        call.add(piece)
        if call.named and not was_named:
            self._wait(call)

    def _last(self) -> Item | None:
        """The item that began last."""
        return self._waiting[-1] if self._waiting else self._opened

    def _wait(self, item: NewItem) -> NewItem:
        self._waiting.append(item)
        return item

    def _new_id(self) -> str:
        self._made += 1
        return f"{self._id}{self._made:02x}"

    def _advance(self, last: bool = False) -> None:
        """Writes what may be written: of the open item, and of each further one whose turn it is by that."""
        while True:
            if self._opened is None:
                if not self._waiting:
                    return
                self._opened = self._waiting.popleft()
                self._opened.open(len(self._output), self._frames)
            self._opened.flush(self._frames)
            if not (last or (self._waiting and self._opened.settled)):
                return
            self._output.append(self._opened.close(self._frames, self._status()))
            self._opened = None

    def _status(self) -> str:
        """How the open item ends: the last one of an answer that was cut off is not whole."""
        return "incomplete" if why_incomplete(self._finish) and not self._waiting else "completed"


def wants_sealed(body: Body) -> bool:
    """Whether the client is to carry what the provider wants back: it asked to, or nobody else keeps it."""
    return "reasoning.encrypted_content" in (body.get("include") or ()) or body.get("store") is not True


def thought_in(delta: Body) -> str:
    """A piece of the model's thoughts, under any of the names that it goes by."""
    for name in ("reasoning_content", "reasoning"):
        if isinstance(thought := delta.get(name), str) and thought:
            return thought
    if delta.keys().isdisjoint(("reasoning_details", "thinking_blocks")):
        return ""
    details = [*as_dicts(delta.get("reasoning_details")), *as_dicts(delta.get("thinking_blocks"))]
    texts = (next(filter(None, map(detail.get, ("text", "summary", "thinking"))), "") for detail in details)
    return "".join(text for text in texts if isinstance(text, str))


def odds_in(logprobs: Any) -> list[Body]:
    """Chat's log probabilities, whose bytes this API does not take as null."""
    content = as_dicts(logprobs.get("content")) if isinstance(logprobs, dict) else []
    return [
        {**_odds(entry), "top_logprobs": [_odds(top) for top in as_dicts(entry.get("top_logprobs"))]}
        for entry in content
    ]


def _odds(entry: Body) -> Body:
    token = str(entry.get("token") or "")
    given = entry.get("bytes")
    known = given if isinstance(given, list) else list(token.encode("utf-8", "replace"))
    return {"token": token, "bytes": known, "logprob": entry.get("logprob") or 0.0}


def _flat(annotation: Body) -> Body:
    """Chat puts a citation's fields one level down."""
    inner = annotation.get(str(annotation.get("type")))
    return {"type": annotation.get("type"), **inner} if isinstance(inner, dict) else annotation
