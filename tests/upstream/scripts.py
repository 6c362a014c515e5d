"""What the scripted upstream can be told to do: a table of names, each with its options (pure).

A script is chosen in the last user message, `[[script:cut cut=2.5 pace=10]]`, by the model's
wire id, `cut?cut=2.5&pace=10`, or by the test, `upstream.script("cut", cut=2.5, pace=10)`.
The options are the fields of `Shape` and `How` and the arguments of the script's function;
an option that does not exist is an error, so that no test passes for a misspelling.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import shlex
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from email.utils import formatdate
from typing import Any, TypeAlias
from urllib.parse import parse_qsl

from tests.upstream import agent as agents
from tests.upstream import thinking as thinker
from tests.upstream.chat import SIGNATURE, Shape, ToolCall, Turn, cut
from tests.upstream.delivery import FOR_EVER, How
from tests.upstream.dialects import Dialect

Json: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Raw:
    """An answer that is no turn of a model."""

    status: int
    body: bytes = b""
    type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Drop:
    """No answer: the connection ends, by a reset or in order, after these bytes."""

    reset: bool = False
    after: bytes = b""


Content: TypeAlias = Turn | Raw | Drop


@dataclass(frozen=True, slots=True)
class Ask:
    """What a script's function may look at."""

    body: Json
    headers: Mapping[str, str]
    """Names in lower case."""
    nth: int
    """How many requests this very script has had before, since it was chosen."""
    base_url: str
    dialect: Dialect | None = None
    """The API that was asked."""


@dataclass(frozen=True, slots=True)
class Script:
    make: Callable[..., Content]
    options: Mapping[str, Any] = field(default_factory=dict)
    early: bool = False
    """Whether it answers before it has read the body."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A script with its options, all of them checked and typed."""

    name: str
    script: Script
    shape: Mapping[str, Any]
    how: How
    arguments: Mapping[str, Any]


# ------------------------------------------------------------ what is answered


def text(
    ask: Ask, say: str = "Hello from the upstream, with ünïcödé 漢字 😀.", n: int = 4, finish: str = "stop"
) -> Turn:
    return Turn(text=tuple(cut(say, n)), finish=finish)


def tokens(ask: Ask, n: int = 100, size: int = 4, finish: str = "stop") -> Turn:
    """A long text: `n` pieces of `size` characters, each piece another one."""
    return Turn(text=tuple(f"{number:x} ".ljust(size, "x") for number in range(n)), finish=finish)


def tools(
    ask: Ask,
    calls: int = 1,
    name: str = "get_weather",
    arguments: str = '{"city": "Zürich", "days": 3, "note": "a \\"quoted\\" word"}',
    say: str = "Let me look. ",
    finish: str = "tool_calls",
) -> Turn:
    """Calls of one tool; the name stays, the ids count."""
    made = tuple(ToolCall(f"call_{number}", name, arguments) for number in range(calls))
    return Turn(text=tuple(cut(say, 2)), calls=made, finish=finish)


def reasoning(
    ask: Ask,
    think: str = "First I think. Then I think again.",
    say: str = "Done.",
    n: int = 3,
    signature: str = SIGNATURE,
    redacted: str = "",
) -> Turn:
    return Turn(
        reasoning=tuple(cut(think, n)), text=tuple(cut(say, 1)), signature=signature, redacted=redacted
    )


def gemini(ask: Ask, calls: int = 2, signature: str = "c2lnbmF0dXJl") -> Turn:
    """Whole calls as Gemini's OpenAI-compatible endpoint sends them: only the first one is signed."""
    extra = {"extra_content": {"google": {"thought_signature": signature}}}
    made = tuple(
        ToolCall(f"function-call-{number}", "get_weather", '{"city":"Rome"}', {} if number else extra)
        for number in range(calls)
    )
    return Turn(calls=made, finish="tool_calls")


def thinking(ask: Ask, calls: int = 2) -> Turn:
    """Three steps with a thought before each, and a text."""
    return thinker.next_turn(ask.body, calls, sign=False)


def thinking_gemini(ask: Ask, calls: int = 2) -> Content:
    """The same as Gemini 3 takes them: signed, or not at all."""
    if problem := thinker.unsigned(ask.body):
        return failure(ask, 400, "list", problem)
    return thinker.next_turn(ask.body, calls)


def agent(ask: Ask, nonce: str = "n0", file: str = "hello.txt", think: str = "") -> Turn:
    """A coding agent's next step, perhaps with a thought before it."""
    turn = agents.next_turn(ask.body, nonce, file)
    return dataclasses.replace(turn, reasoning=tuple(cut(think, 2)))


def failure(
    ask: Ask,
    status: int = 500,
    form: str = "",
    message: str = "The model {model} is not well.",
    code: str = "",
    kind: str = "",
    retry_after: str = "",
    retry_after_ms: str = "",
    retry_date: int = 0,
) -> Raw:
    """An error, in the dialect's own form or in one that providers use. `retry_date`: in seconds from now."""
    said = message.replace("{model}", str(ask.body.get("model")))
    said = said.replace("{authorization}", ask.headers.get("authorization", ""))
    headers = [("Retry-After", retry_after)] if retry_after else []
    if retry_after_ms:
        headers.append(("retry-after-ms", retry_after_ms))
    if retry_date:
        headers.append(("Retry-After", http_date(retry_date)))
    if not form and ask.dialect and ask.dialect.error:
        own = json.dumps(ask.dialect.error(status, said)).encode()
        return Raw(status, own, headers=tuple(headers))
    kind_of_body, body = _error_body(form or "openai", status, said, code or None, kind or "server_error")
    return Raw(status, body, kind_of_body, tuple(headers))


def http_date(seconds: float) -> str:
    return formatdate(time.time() + seconds, usegmt=True)


def _error_body(form: str, status: int, message: str, code: str | None, kind: str) -> tuple[str, bytes]:
    openai = {"error": {"message": message, "type": kind, "param": None, "code": code}}
    bodies: dict[str, Any] = {
        "openai": openai,
        "anthropic": {"type": "error", "error": {"type": kind, "message": message}},
        "google": {"error": {"code": status, "message": message, "status": "RESOURCE_EXHAUSTED"}},
        "list": [{"error": {"code": status, "message": message, "status": "INVALID_ARGUMENT"}}],
        "llama": {"error": {"code": status, "message": message, "type": "exceed_context_size_error",
                            "n_prompt_tokens": 40000, "n_ctx": 32768}},
        "string": {"error": message},
        "detail": {"detail": message},
    }  # fmt: skip
    if form in bodies:
        return "application/json", json.dumps(bodies[form]).encode()
    page = f"<!DOCTYPE html><html><body><h1>{status}</h1><p>{message}</p></body></html>"
    return {
        "html": ("text/html; charset=utf-8", page.encode()),
        "text": ("text/plain", message.encode()),
        "empty": ("application/json", b""),
        "list-empty": ("application/json", b"[]"),
        "cut-json": ("application/json", json.dumps(openai).encode()[:-9]),
    }[form]


def flaky(
    ask: Ask, fail: int = 1, status: int = 500, retry_after: str = "", say: str = "Better now."
) -> Content:
    """Fails so many times, then answers. Status 0 drops the connection instead."""
    if ask.nth >= fail:
        return text(ask, say)
    return failure(ask, status, retry_after=retry_after) if status else Drop()


def drop(ask: Ask, reset: bool = False, after: str = "") -> Drop:
    return Drop(reset, after.encode().decode("unicode_escape").encode("latin-1"))


def redirect(ask: Ask, status: int = 307, to: str = "") -> Raw:
    return Raw(status, b"", "text/plain", (("Location", to or f"{ask.base_url}/elsewhere"),))


SCRIPTS: Mapping[str, Script] = {
    "text": Script(text),
    "tokens": Script(tokens),
    "tools": Script(tools),
    "reasoning": Script(reasoning),
    "agent": Script(agent),
    # ways to write tool calls
    "parallel": Script(tools, {"calls": 2}),
    "interleaved": Script(tools, {"calls": 2, "style": "interleaved"}),
    "gaps": Script(tools, {"calls": 3, "style": "gaps"}),
    "whole": Script(tools, {"calls": 2, "style": "whole"}),
    "together": Script(tools, {"calls": 2, "style": "together"}),
    "no-index": Script(tools, {"calls": 2, "style": "no index"}),
    "same-index": Script(tools, {"calls": 2, "style": "same index"}),
    "repeated": Script(tools, {"style": "repeated"}),
    "nulls": Script(tools, {"style": "nulls"}),
    "calls-but-stop": Script(tools, {"finish": "stop"}),
    # whole upstreams
    "gemini": Script(gemini, {"style": "whole"}),
    "thinking": Script(thinking),
    "thinking-gemini": Script(thinking_gemini, {"style": "whole"}),
    "llama": Script(text, {"timings": True, "llama": True}),
    "bare": Script(text, {"bare": True, "done": False, "usage": "never"}),
    "unknown": Script(text, {"unknown": True}),
    # errors before anything is sent
    "status": Script(failure),
    "busy": Script(failure, {"status": 429, "kind": "rate_limit_error", "code": "rate_limit_exceeded"}),
    "flaky": Script(flaky),
    "canary": Script(failure, {"status": 401, "message": "Wrong key: {authorization} for {model}"}),
    "too-long": Script(failure, {"status": 400, "form": "llama", "message": "request exceeds the context"}),
    "html": Script(failure, {"status": 200, "form": "html"}),
    "nothing": Script(failure, {"status": 200, "form": "empty"}),
    "error-200": Script(failure, {"status": 200}),
    "redirect": Script(redirect),
    "drop": Script(drop),
    "early": Script(failure, {"status": 413, "message": "Too large."}, early=True),
    # how a stream breaks
    "cut": Script(text, {"cut": 2}),
    "cut-within": Script(text, {"cut": 2.5}),
    "end": Script(text, {"end": 3}),
    "no-done": Script(text, {"done": False}),
    "after-done": Script(text, {"after_done": True}),
    "hold": Script(text, {"hold": FOR_EVER}),
    "error-event": Script(text, {"error": 2}),
    "garbage": Script(text, {"garbage": 2}),
    # how it dawdles
    "mute": Script(text, {"wait": FOR_EVER}),
    "stall-first": Script(text, {"stall": 0}),
    "stall": Script(text, {"stall": 3}),
    "loris": Script(text, {"split": 5, "drip": 2}),
    "paced": Script(tokens, {"pace": 20}),
    # how it is written
    "split": Script(text, {"split": 1}),
    "crlf": Script(text, {"newline": "crlf"}),
    "cr": Script(text, {"newline": "cr"}),
    "lines": Script(text, {"lines": True}),
    "no-space": Script(text, {"space": False}),
    "comments": Script(text, {"comments": True}),
    "bom": Script(text, {"bom": True}),
    "gzip": Script(text, {"coding": "gzip"}),
    "deflate": Script(text, {"coding": "deflate"}),
    "raw-deflate": Script(text, {"coding": "raw-deflate"}),
    "until-close": Script(text, {"framing": "close"}),
    "length": Script(text, {"framing": "length"}),
    "extensions": Script(text, {"extensions": True}),
    "trailers": Script(text, {"trailers": True}),
    "interim": Script(text, {"interim": 103}),
    "stale": Script(text, {"stale": "now"}),
    "stale-next": Script(text, {"stale": "next"}),
    "json-always": Script(text, {"mode": "json"}),
    "sse-always": Script(text, {"mode": "sse"}),
}  # fmt: skip


# -------------------------------------------------------------- how it is chosen


def from_marker(written: str) -> Chosen:
    """`cut cut=2.5 say="Hello there"`"""
    name, *options = shlex.split(written)
    return choose(name, dict(option.split("=", 1) for option in options))


def from_model(model: str) -> Chosen | None:
    """`cut?cut=2.5&say=Hello`, or None when it is no script's name."""
    name, _, options = model.partition("?")
    return choose(name, dict(parse_qsl(options))) if name in SCRIPTS else None


def choose(name: str, options: Mapping[str, Any]) -> Chosen:
    """The script of that name, its own options overridden by these."""
    script = SCRIPTS[name]
    known = _defaults(script)
    wanted = {key.replace("-", "_"): value for key, value in {**script.options, **options}.items()}
    if strangers := wanted.keys() - known.keys():
        raise ValueError(f"the script {name!r} has no option {', '.join(sorted(strangers))}")
    typed = {key: _as(type(known[key]), value) for key, value in wanted.items()}
    arguments = {key: typed.pop(key) for key in _arguments(script.make) if key in typed}
    shape = {SHAPES[key]: typed.pop(key) for key in SHAPES if key in typed}
    return Chosen(name, script, shape, How(**typed), arguments)


SHAPES: Mapping[str, str] = {one.name: one.name for one in fields(Shape) if one.name != "calls"} | {
    "style": "calls",
    "field": "reasoning",
}
"""Option → field of Shape; `calls` is how many there are, `style` how they are written."""


def _defaults(script: Script) -> Json:
    shape, how = Shape(), How()
    return (
        {option: getattr(shape, name) for option, name in SHAPES.items()}
        | {one.name: getattr(how, one.name) for one in fields(How)}
        | _arguments(script.make)
    )


def _arguments(make: Callable[..., Content]) -> Json:
    return {name: one.default for name, one in inspect.signature(make).parameters.items() if name != "ask"}


def _as(kind: type, value: Any) -> Any:
    if kind is bool and isinstance(value, str):
        return value.lower() in ("1", "true", "yes")
    return kind(value)
