"""A request's two lines: one when it has been understood, one when all is over."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any

from app.errors import (
    ClientLeft,
    GatewayError,
    RateLimited,
    TargetUnavailable,
    UpstreamAuthentication,
    UpstreamBilling,
    UpstreamError,
    UpstreamRefused,
)
from app.logs.lines import get
from app.logs.outlet import is_debug, out
from app.types import Client, Request, Trace
from app.utils.preview import ERROR, preview, size, size_of_talk, usage_numbers

_log = get("app.requests")


def request_started(client: Client, dialect: str, asked: Request, octets: int) -> None:
    """The line when a request has been understood."""
    if out.level > logging.INFO:
        return
    numbers = size_of_talk(asked.body)
    alias = _alias_of(asked)
    if out.json:
        _log.info(
            "request started",
            **_who(client),
            dialect=dialect,
            alias=alias,
            stream=asked.stream,
            bytes=octets,
            messages=numbers[0],
            tools=numbers[1],
        )
        return
    kind = f"{dialect} stream" if asked.stream else dialect
    text = f"→ {alias} {kind} {size(octets)}, {numbers[0]} messages, {numbers[1]} tools"
    _log.info(text, **_who(client))


def request_ended(
    client: Client,
    dialect: str,
    asked: Request | None,
    trace: Trace,
    status: int,
    problem: Exception | None = None,
) -> None:
    """The line when all is over: a warning if it is the gateway's or the target's fault."""
    fault = problem is not None and _is_fault(problem)
    if out.level > (logging.WARNING if fault else logging.INFO):
        return
    say = _log.warning if fault else _log.info
    fields = _ended(dialect, asked, trace, status, problem)
    if out.json:
        say(
            "request ended",
            **_who(client),
            **{key: value for key, value in fields.items() if value is not None},
        )
    else:
        say(_sentence(fields), **_who(client))


def _who(client: Client) -> dict[str, str]:
    if client.session:
        return {"id": client.request_id, "session": client.session}
    return {"id": client.request_id}


def _alias_of(asked: Request | None) -> str:
    """What the client asked for: its own words, so not too many of them."""
    return "-" if asked is None else preview(str(asked.model), 100, 60)


def _is_fault(problem: Exception) -> bool:
    """Whether the target or the gateway failed, or its key, and no client did."""
    if isinstance(problem, ClientLeft | UpstreamRefused):
        return False
    return isinstance(problem, _FAULTS) or _status_of(problem) >= 500


_FAULTS = (UpstreamError, RateLimited, TargetUnavailable, UpstreamAuthentication, UpstreamBilling)


def _status_of(problem: Exception) -> int:
    return problem.status if isinstance(problem, GatewayError) else 500


def _ended(
    dialect: str, asked: Request | None, trace: Trace, status: int, problem: Exception | None
) -> dict[str, Any]:
    now = time.monotonic()
    target, tokens = trace.target, usage_numbers(trace.usage)
    left = isinstance(problem, ClientLeft)
    failed = problem is not None and not left
    return {
        "dialect": dialect,
        "alias": _alias_of(asked),
        # at INFO the log shows the alias; what it means at the provider is for those who debug
        "target": None if target is None else target.name if is_debug() else target.provider,
        "status": status,
        "tokens_in": tokens.tokens_in,
        "tokens_out": tokens.tokens_out,
        "counted": None if trace.count is None else trace.count.tokens,
        "counted_by": None if trace.count is None else "target" if trace.count.by_target else "gateway",
        "cached": tokens.cached,
        "reasoning": tokens.reasoning,
        "first_ms": None if trace.first is None else round((trace.first - trace.started) * 1000),
        "duration_ms": round((now - trace.started) * 1000),
        "tries": trace.tries,
        "finish": trace.finish,
        "reasoning_level": trace.reasoning or None,
        "notes": "; ".join(trace.notes) or None,
        "client_left": True if left else None,
        "error": kind_of(problem) if failed else None,
        "message": preview(str(problem), 300, 200) if failed else None,
    }


def kind_of(problem: Exception | None) -> str:
    """`upstream_cut`, `invalid_request_error`; a mistake of our own has its class's name."""
    return (problem.code or problem.type) if isinstance(problem, GatewayError) else type(problem).__name__


def _sentence(ended: Mapping[str, Any]) -> str:
    """`← 200 glm via zai 1.24s (first 0.31s) 1203→88 tokens (cached 1100) tries 1 finish stop`"""
    words = [f"← {ended['status']} {ended['alias']}"]
    unasked = ended["counted"] is not None and not ended["tries"]
    if ended["target"] and not unasked:
        words.append(f"via {ended['target']}")
    words.append(_duration(ended["duration_ms"]))
    if ended["first_ms"] is not None:
        words.append(f"(first {_duration(ended['first_ms'])})")
    if ended["tokens_in"] is not None or ended["tokens_out"] is not None:
        words.append(_tokens(ended))
    if not unasked:
        words.append(f"tries {ended['tries']}")
    if ended["counted"] is not None:
        words.append(f"{_COUNTED[ended['counted_by']]}: {ended['counted']} tokens")
    if ended["finish"]:
        words.append(f"finish {ended['finish']}")
    if ended["reasoning_level"]:
        words.append(_thinks(ended["reasoning_level"]))
    if ended["notes"]:
        words.append(f"({ended['notes']})")
    if ended["client_left"]:
        words.append("client left")
    if ended["error"]:
        words.append(f"{ended['error']}: {ended['message']}")
    return " ".join(words)


_COUNTED = {"gateway": "counted here", "target": "counted by the target"}


def _thinks(decision: str) -> str:
    """`thinks low (from reasoning.effort, clamped minimal->low)`"""
    level, *why = decision.split("; ")
    return f"thinks {level} ({', '.join(reason.replace('=', ' ', 1) for reason in why)})"


def _duration(milliseconds: int) -> str:
    return f"{milliseconds}ms" if milliseconds < 100 else f"{milliseconds / 1000:.2f}s"


def _tokens(ended: Mapping[str, Any]) -> str:
    numbers = (ended["tokens_in"], ended["tokens_out"])
    came, went = ("?" if number is None else str(number) for number in numbers)
    details = ", ".join(f"{name} {ended[name]}" for name in ("cached", "reasoning") if ended[name])
    return f"{came}→{went} tokens ({details})" if details else f"{came}→{went} tokens"


def failure(request_id: str, problem: BaseException) -> None:
    """Our own mistake, with its stack, at every level."""
    _log.error(f"{ERROR} {type(problem).__name__}: {preview(str(problem))}", id=request_id, exc_info=problem)
