"""A backend around a backend: for targets that take or give raw Harmony text, chat on this side of it.

`completions`: the prompt is written here and the target completes it. `chat`: the target takes
messages, and only its answers are raw. In both the answer is read here; what the model only thought
is its reasoning, and it is the gateway who drops that, or exposes it where the alias says so.

A turn that cannot be read is asked for once more as long as the client has seen nothing of it:
gpt-oss spoils a few in a hundred, and a llama-server that reads them itself answers 500 then.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from secrets import token_hex

from app.backends.harmony_prompt import Prompt
from app.errors import GatewayError, UpstreamFailed, UpstreamGarbage, UpstreamRefused
from app.types import Answer, Backend, Batch, Call, Stream
from app.utils.chat_events import chunks_of, completion_of
from app.utils.harmony_chat import UNREADABLE, HarmonyChat, offered
from app.utils.harmony_request import completions_body
from app.utils.stops import stops_in
from app.utils.wire_completions import events_of

# llama.cpp's parser by template, its older ones, and openai-harmony's as vLLM passes its words on.
_NOT_READ = re.compile(
    r"does not match the expected|failed to parse input|unexpected tokens? .*(?:header|start token)"
    r"|no channel value found",
    re.IGNORECASE,
)


def today() -> str:
    return datetime.now(UTC).date().isoformat()


class Harmony:
    """Serves targets with Harmony; calls of others go straight through."""

    def __init__(
        self,
        backend: Backend,
        prompt: Prompt,
        today: Callable[[], str] = today,
        seed: Callable[[], str] = lambda: token_hex(8),
    ) -> None:
        self._backend = backend
        self._prompt = prompt
        self._today = today
        self._seed = seed

    def complete(self, call: Call) -> Answer:
        if not is_harmony(call):
            return self._backend.complete(call)
        raw = self._raw(call)
        try:
            return self._answer(call, raw)
        except GatewayError as problem:
            if not is_spoilt(problem):
                raise
        call.client.alive()
        try:
            return self._answer(call, raw)
        except GatewayError as problem:
            raise twice(call, problem) from None

    def stream(self, call: Call) -> Stream:
        if not is_harmony(call):
            return self._backend.stream(call)
        raw = self._raw(call)
        return HarmonyStream(call, lambda: self._backend.stream(raw), lambda: self._reading(call))

    def _answer(self, call: Call, raw: Call) -> Answer:
        answer = self._backend.complete(raw)
        reading = self._reading(call)
        events = (events_of if raw.wire == "completions" else chunks_of)(answer)
        try:
            return completion_of([reading.pass_on(events), reading.end()])
        finally:
            tell(call, reading)

    def _raw(self, call: Call) -> Call:
        """What the target is asked."""
        if _form(call) == "chat":
            return call
        prompt = self._prompt(call.body, self._today())
        return replace(call, body=completions_body(call.body, prompt), wire="completions")

    def _reading(self, call: Call) -> HarmonyChat:
        ours = _form(call) == "completions"
        stops = stops_in(call.body.get("stop")) if ours else []
        return HarmonyChat(call.target, offered(call.body), self._seed(), stops)


def is_harmony(call: Call) -> bool:
    return call.target.harmony is not None and call.wire == "chat"


def _form(call: Call) -> str:
    return call.target.harmony.form if call.target.harmony else ""


class HarmonyStream:
    """Chat's chunks out of raw ones. Ends when the turn does, whatever the target still has to say."""

    def __init__(self, call: Call, ask: Callable[[], Stream], reading: Callable[[], HarmonyChat]) -> None:
        self._call = call
        self._ask = ask
        self._new_reading = reading
        self._reading = reading()
        self._stream: Stream | None = None
        self._shown = False
        self._second = False
        self._ended = False

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        try:
            batch = self._next()
        except GatewayError as problem:
            if self._shown or not is_spoilt(problem):
                raise
            if self._second:
                raise twice(self._call, problem) from None
            self._second = True
            self.close()
            self._reading = self._new_reading()
            self._call.client.alive()
            return []
        self._shown = self._shown or bool(batch)
        return batch

    def _next(self) -> Batch:
        if self._stream is None:
            self._stream = self._ask()
        if self._ended or self._reading.goes_on:
            raise StopIteration
        batch = next(self._stream, None)
        if batch is None:
            self._ended = True
            return self._reading.end()
        return self._reading.pass_on(batch)

    def close(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()
            tell(self._call, self._reading)


def is_spoilt(problem: GatewayError) -> bool:
    """Whether a turn failed for how the model wrote it, so that the next one may well be better."""
    if problem.code == UNREADABLE:
        return True
    return isinstance(problem, UpstreamFailed | UpstreamRefused) and bool(_NOT_READ.search(str(problem)))


def twice(call: Call, problem: GatewayError) -> GatewayError:
    """The error for a turn that could not be read the second time either; others stay what they are."""
    if not is_spoilt(problem) or problem.code == UNREADABLE:
        return problem
    words = f"the provider of '{call.target.alias}' could not read what its model wrote, twice: {problem}"
    return UpstreamGarbage(words, code=UNREADABLE)


def tell(call: Call, reading: HarmonyChat) -> None:
    """Notes for the log what was hidden: how much and why, never what."""
    for why, size in reading.hidden.items():
        call.trace.notes.append(f"harmony: {size} characters hidden, {why}")
