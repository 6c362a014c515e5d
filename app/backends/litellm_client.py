"""The carrier `litellm`: whatever speaks no dialect of a client's is called through LiteLLM.

Each call runs in a thread of its own, for LiteLLM cannot be interrupted: that thread reads;
the one that serves the client takes what has come, looks after client and limits twice a
second, and can end the call at any time (`litellm_scope` says how). `docs/litellm.md` names
the rules by which LiteLLM is called, and what it changes all the same.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import replace
from functools import lru_cache
from typing import Any, TypeAlias

import structlog

from app.backends.litellm_errors import forget, problem
from app.backends.litellm_loading import Library, Loaded
from app.backends.litellm_reading import dumped, pieces, shut
from app.backends.litellm_running import Pipe, Running
from app.backends.litellm_scope import Scope
from app.backends.litellm_texts import text_stream
from app.errors import GatewayError, UpstreamCut, UpstreamGarbage
from app.types import Answer, Call, Chunk, Completion, Stream, Target
from app.utils.answers import json_in
from app.utils.codec import loads
from app.utils.litellm_answers import ChunkReader, broken_finish, is_chat, plain
from app.utils.litellm_request import BESIDES, WISHES, Ask, keywords, sorted_fields
from app.utils.litellm_small import answered, asked
from app.utils.litellm_texts import as_chat, text_of
from app.utils.problems import error_in, problem_of, status_in
from app.utils.stream_problems import broken
from app.utils.wires import WIRES

log = structlog.get_logger("app.litellm")


class LiteLLM:
    """Calls targets through LiteLLM. `via` marks what this gateway sent, so that a loop is found."""

    def __init__(self, via: str, library: Library | None = None) -> None:
        self._via = via
        self._library = library or Library()

    def load_in_background(self) -> None:
        """Begin to import LiteLLM; the first calls wait for it."""
        self._library.load_in_background()

    def complete(self, call: Call) -> Completion:
        with closing(self._begin(call, streaming=False)) as running:
            answers = [answer for batch in running for answer in batch]
        return answers[0]

    def stream(self, call: Call) -> Stream:
        return self._begin(call, streaming=True)

    def _begin(self, call: Call, streaming: bool) -> Running:
        asked, turned = sayable(call)
        loaded = self._library.wait(call.client.alive)
        call.trace.tries += 1
        scope = Scope(
            call.target.timeouts,
            streaming=streaming,
            without=lambda name: unwanted(name, call.target),
        )
        running = Running(call, scope, pipe := Pipe())
        work = Work(loaded, asked, turned, scope, self._via)
        threading.Thread(target=work.run, args=(pipe,), name="litellm-call", daemon=True).start()
        return running


Turn: TypeAlias = Callable[[Answer], Answer | None]


def sayable(call: Call) -> tuple[Call, Turn]:
    """The call in an API that LiteLLM has for its target, and what turns answers back into the client's."""
    target, wire = call.target, call.wire
    if wire == "completions" and target.litellm_provider is not None:
        return replace(call, wire="chat", body=as_chat(call.body, target)), text_of
    return call, lambda answer: answer


def unwanted(header: str, target: Target) -> bool:
    """Whether the OpenAI SDK adds a header that the target has no business to see."""
    if target.litellm_provider is not None or header in {name.lower() for name in target.headers}:
        return False
    if header == "authorization":
        return not target.api_key
    return header.startswith("x-stainless-") or header in ("openai-organization", "openai-project")


class Work:
    """The side of a call that runs in its own thread."""

    def __init__(self, loaded: Loaded, call: Call, turned: Turn, scope: Scope, via: str) -> None:
        self._loaded = loaded
        self._call = call
        self._wire = WIRES[call.wire]
        self._turned = turned
        self._target = call.target
        self._scope = scope
        self._via = via
        self._begun = False

    def run(self, pipe: Pipe) -> None:
        found: GatewayError | None = None
        self._loaded.internal.set(True)
        try:
            with self._scope, closing(self._stream() if self._scope.streaming else self._plain()) as answers:
                for answer in answers:
                    self._begun = True
                    turned = self._turned(answer)
                    if turned is not None and not pipe.put(turned):
                        break
        except BaseException as failure:  # it must reach whoever waits
            found = self._problem(failure)
        finally:
            pipe.finish(found)

    # ------------------------------------------------------------------ plain

    def _plain(self) -> Generator[Completion]:
        """One answer: of an OpenAI-compatible target the one on the wire, whatever LiteLLM makes of it."""
        translated: Completion = {}
        failure: Exception | None = None
        try:
            translated = dumped(self._ask())
        except Exception as caught:
            failure = caught
        body = self._answered()
        raw = _json(body)
        compatible = self._target.litellm_provider is None
        if body is not None and (compatible or (failure and not self._is_foreign(raw))):
            answer = self._wire.answer_in(body, self._target)
        elif failure is None:
            answer = self._read(translated, raw)
        elif body is None:
            raise failure
        else:
            raise UpstreamGarbage(f"the provider of '{self._target.alias}' answered what LiteLLM cannot read")
        self._check(answer)
        yield answer

    def _read(self, translated: Answer, raw: Any) -> Answer:
        if self._call.wire == "chat":
            return plain(translated, raw)
        return answered(self._call.wire, translated, raw, self._call.body)

    def _is_foreign(self, raw: Any) -> bool:
        """Whether an answer is in a shape that only LiteLLM can read, and no error either."""
        own = (
            is_chat(raw) if self._call.wire == "chat" else isinstance(raw, dict) and self._wire.is_whole(raw)
        )
        return isinstance(raw, dict | list) and not own and error_in(raw) is None

    def _answered(self) -> bytes | None:
        """The whole body of an answer that was none of an error."""
        heard = self._scope.heard
        if heard is None or heard.status >= 300 or not heard.whole or not heard.kept:
            return None
        return self._loaded.body_of(heard)

    # ----------------------------------------------------------------- stream

    def _stream(self) -> Generator[Chunk]:
        options = self._call.body.get("stream_options") or {}
        reader = ChunkReader(usage_asked=options.get("include_usage") is True)
        stream = self._ask()
        try:
            for translated, raw in pieces(stream):
                chunk = reader.read(translated, raw)
                if chunk is not None:
                    self._check(chunk)
                    yield chunk
        finally:
            shut(stream)
        yield from self._end(reader)

    def _end(self, reader: ChunkReader) -> Iterator[Chunk]:
        if not self._begun:
            yield from self._instead()
        elif not reader.finished:
            raise UpstreamCut(f"the stream of '{self._target.alias}' ended before the answer was finished")
        else:
            yield from reader.end()

    def _instead(self) -> Iterator[Chunk]:
        """What came in place of events: a plain answer, an error, a page, or nothing."""
        body = self._answered()
        if self._target.litellm_provider is None:
            yield from self._wire.events_of(self._wire.answer_in(body or b"", self._target))
        else:
            json_in(body or b"", self._target)  # raises what it is, if it is an error or a page
            raise UpstreamGarbage(f"the provider of '{self._target.alias}' answered no event of a stream")

    def _check(self, chunk: Chunk) -> None:
        """Raises the error that an answer says it is."""
        if "choices" not in chunk and (said := error_in(chunk)):
            raise problem_of(said, status_in(said), self._target)
        if finish := broken_finish(chunk):
            raise broken(self._target, finish)

    # ------------------------------------------------------------------- both

    def _ask(self) -> Any:
        target, litellm = self._target, self._loaded.litellm
        ask = self._put()
        if ask.ignored:
            log.debug("litellm_fields_ignored", alias=target.alias, fields=ask.ignored)
        self._scope.requests = ask.requests
        limits = self._loaded.limits(target.timeouts)
        if ask.keywords.get("stream") and self._call.wire == "completions":
            return text_stream(litellm, ask.keywords, limits)
        return getattr(litellm, ask.function)(**ask.keywords, timeout=limits)

    def _put(self) -> Ask:
        """How the request is put to LiteLLM."""
        call, target = self._call, self._target
        if call.wire != "chat":
            return asked(call.wire, call.body, target, self._via)
        supported = supported_by(self._loaded, target.litellm_provider, target.model)
        wishes = WISHES | BESIDES if call.translated else WISHES
        fields = sorted_fields(call.body, target.litellm_provider, supported, wishes)
        return Ask("completion", keywords(target, fields, self._via), fields.ignored)

    def _problem(self, failure: BaseException) -> GatewayError:
        heard = self._scope.heard
        answer = None
        if heard is not None:
            headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in heard.headers}
            answer = heard.status, headers, self._loaded.body_of(heard)
        found = problem(failure, self._target, answer, self._begun, self._call.wire)
        if not isinstance(failure, GatewayError):
            log.debug(
                "litellm_failed",
                alias=self._target.alias,
                raised=type(failure).__name__,
                became=type(found).__name__,
            )
        forget(failure)
        return found


@lru_cache(maxsize=256)
def supported_by(loaded: Loaded, provider: str | None, model: str) -> frozenset[str]:
    """The parameters of chat that LiteLLM knows how to put to a provider."""
    if provider is None:
        return frozenset()
    return frozenset(
        loaded.litellm.get_supported_openai_params(model=model, custom_llm_provider=provider) or ()
    )


def _json(body: bytes | None) -> Any:
    try:
        return None if body is None else loads(body)
    except ValueError:
        return None
