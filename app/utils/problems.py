"""What an upstream said when it refused, in our words. Pure.

One table for HTTP statuses, one for the shapes of error bodies. Nothing of the target
leaks, in no field: its wire id becomes the alias, its address and our key never get
through, and neither does a page of HTML.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from app.errors import (
    GatewayError,
    LoopDetected,
    RateLimited,
    UnsupportedEndpoint,
    UpstreamAuthentication,
    UpstreamBilling,
    UpstreamError,
    UpstreamFailed,
    UpstreamGarbage,
    UpstreamRefused,
)
from app.types import DialectName, Target
from app.utils.codec import loads
from app.utils.context_full import context_full

LONGEST_MESSAGE = 2000

DEFAULT_RETRY_AFTER = 5.0
"""Seconds; a 429 without `Retry-After` makes Codex give up at once."""

# How upstreams say that the prompt does not fit: OpenAI, llama.cpp, Gemini, GLM, Anthropic, vLLM.
_TOO_LONG = re.compile(
    r"context[_ ]length|maximum context|context (?:size|window)|prompt is too long|too many (?:input )?tokens"
    r"|exceeds? the (?:available|maximum) (?:context|number of tokens)|input token count",
    re.IGNORECASE,
)
_TOO_LONG_CODES = {"context_length_exceeded", "exceed_context_size_error", "model_context_window_exceeded"}

# z.ai answers 429 for what no waiting mends: arrears, quota, expired plan, model not in plan, fair use.
_SPENT_CODES = {"1113", "1304", "1308", "1309", "1310", "1311", "1313", "insufficient_quota"}
_BUSY_CODES = {"1302", "1303", "1305", "1312"}
"""z.ai's others: too many at once, too fast, too much traffic. In a stream there is no status beside them."""

# Gemini calls a wrong key an invalid request.
_WRONG_KEY = re.compile(
    r"api[ _-]?key (?:is )?(?:not valid|invalid|expired|not found)|invalid api[ _-]?key", re.I
)


_ZEN_ONLY = re.compile(r"only be used (?:from )?(?:with)?in opencode", re.I)


def problem_from(
    status: int, headers: Mapping[str, str], body: bytes, target: Target, wire: DialectName = "chat"
) -> GatewayError:
    """The error for an upstream's answer that is none: any status from 300, header names in lower case."""
    said = error_in(_json(body))
    if said is None and 400 <= status < 500 and status not in (401, 402, 403, 408, 409, 429):
        said = {"message": _plain(body)}
    said = said or {}
    if wire in _SMALL and _says_that_it_cannot(said, status):
        words = tidy(_words(said.get("message")), target)
        return unsupported(wire, target, f"its provider answered {status}{_after_colon(words)}")
    return problem_of(said, status, target, retry_after=retry_after(headers))


_SMALL: Mapping[DialectName, str] = {
    "completions": "text completions",
    "embeddings": "embeddings",
    "rerank": "reranking",
}
"""The APIs that many targets lack, in words."""


def _says_that_it_cannot(said: Mapping[str, Any], status: int) -> bool:
    """Whether an error means that a target has no such API; a 404 may also mean that it has no such model."""
    if status != 404:
        return status in (405, 501)
    words = _words(said.get("message")).lower()
    missing_model = said.get("code") == "model_not_found" or "model" in words
    return not missing_model or "not support" in words or said.get("code") == UnsupportedEndpoint.code


def unsupported(wire: DialectName, target: Target, why: str) -> GatewayError:
    """The error for an API that a target does not have."""
    return UnsupportedEndpoint(f"'{target.alias}' has no {_SMALL[wire]}: {why}", param="model")


def problem_of(
    said: Mapping[str, Any], status: int, target: Target, retry_after: float | None = None
) -> GatewayError:
    """The error for an upstream's error object (`message`, `type`, `code`, `param`) and its status."""
    message = tidy(_words(said.get("message")), target)
    code = _word(said.get("code"))
    kind = _word(said.get("type")) or _word(said.get("status"))
    if _ZEN_ONLY.search(message):
        return own_key_needed(target)
    if status in (401, 403) or (status == 400 and _WRONG_KEY.search(message)):
        return refused_key(target, status, message)
    if status == 508 or code == LoopDetected.code:
        return LoopDetected(f"the provider of '{target.alias}' leads back to this gateway")
    if status == 402 or (status == 429 and not _SPENT_CODES.isdisjoint((code, kind))):
        return spent(target, message if status == 429 else "", status)
    if retry_after is None:
        retry_after = delay_in(said)
    if status == 429:
        words = message or f"the provider of '{target.alias}' asks for fewer requests"
        pause = DEFAULT_RETRY_AFTER if retry_after is None else retry_after
        return RateLimited(words, code=_label(code, target) or RateLimited.code, retry_after=pause)
    if status in (400, 413, 422, 500) and is_too_long(message, code, kind):
        return context_full(message or f"the request is longer than the context of '{target.alias}'", said)
    if status >= 500 or status in (408, 409):
        words = message or f"the provider of '{target.alias}' answered {status}"
        status = status if status < 600 else 502
        return UpstreamFailed(words, status=status, code=_label(code, target), retry_after=retry_after)
    if status < 400:
        where = f"the provider of '{target.alias}' answered {status} where an answer was due"
        return UpstreamGarbage(f"{where}: check its baseURL")
    code = code if code and not code.isdigit() else _code_for(status, message)
    if status == 404 and code is None:  # the page of a web server, or an API that has no such path
        message = f"the provider of '{target.alias}' answered 404{_after_colon(message)}: " + LOOK_AT
    known = kind if kind and kind.islower() and kind != UpstreamError.type else None
    return UpstreamRefused(
        message or f"the provider of '{target.alias}' refused the request with {status}",
        status=status,
        type=_label(known, target),
        code=_label(code, target),
        param=_label(said.get("param"), target),
    )


LOOK_AT = "check its baseURL, and the model's id"


def refused_key(target: Target, status: int, said: str = "") -> GatewayError:
    """The target did not accept our key. Says which variable to look at, never what the upstream said."""
    key = "the shared key 'public'" if target.api_key == "public" else "the gateway's key"
    mend = (
        f"set a key of your own in {_key(target)}" if target.api_key == "public" else f"check {_key(target)}"
    )
    return UpstreamAuthentication(
        f"the provider of '{target.alias}' refused {key} ({status}): {mend}", detail=said
    )


def own_key_needed(target: Target) -> GatewayError:
    """OpenCode Zen keeps its shared key `public` for its own client."""
    return UpstreamAuthentication(
        f"the provider of '{target.alias}' serves the shared key 'public' to its own client only: "
        f"set a key of your own in {_key(target)}"
    )


def spent(target: Target, message: str = "", status: int = 402) -> GatewayError:
    return UpstreamBilling(
        f"the provider of '{target.alias}' will not serve this account ({status}){_after_colon(message)}: "
        f"check the balance and plan behind {_key(target)}"
    )


def error_in(answer: Any) -> dict[str, Any] | None:
    """The error object inside an answer, in any of the shapes providers use, or None."""
    if isinstance(answer, list) and len(answer) == 1:  # Gemini
        return error_in(answer[0])
    if not isinstance(answer, dict):
        return None
    said = answer.get("error")
    if isinstance(said, dict) and (said or "choices" not in answer):
        return said
    if isinstance(said, str) and said:
        return {"message": said, "code": answer.get("code")}
    if "choices" in answer or said is not None:
        return None
    if answer.get("type") == "error" or answer.get("object") == "error":
        return answer
    for key in ("message", "detail", "msg"):
        if words := _words(answer.get(key)):
            return {"message": words, "code": answer.get("code"), "type": answer.get("type")}
    return None


def _words(value: Any) -> str:
    """A message as text; FastAPI gives a list of what is wrong with each field."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "; ".join(filter(None, (_words(item.get("msg")) for item in value if isinstance(item, dict))))
    return ""


def _word(value: Any) -> str | None:
    return str(value) if isinstance(value, str | int) and value != "" else None


def _label(value: Any, target: Target) -> str | None:
    """A word for programs, if it looks like one: whatever else a provider writes there could be anything."""
    if not isinstance(value, str) or not _LABEL.fullmatch(value):
        return None
    return tidy(value, target) or None


_LABEL = re.compile(r"[A-Za-z0-9_.\[\]-]{1,64}")


def status_in(said: Mapping[str, Any]) -> int:
    """The HTTP status that an error object in a stream (or under a 200) stands for; 502 if it says none."""
    for key in ("status", "code", "status_code"):
        number = str(said.get(key))
        if re.fullmatch("[45][0-9][0-9]", number):
            return int(number)
        if number in _BUSY_CODES | _SPENT_CODES:
            return 429
    words = f"{said.get('type')} {said.get('code')} {said.get('status')}".lower()
    return next((status for word, status in _STATUS_WORDS if word in words), 502)


_STATUS_WORDS = (
    ("rate_limit", 429),
    ("resource_exhausted", 429),
    ("insufficient_quota", 429),
    ("overloaded", 529),
    ("context", 400),
    ("invalid_request", 400),
    ("not_found", 404),
    ("authentication", 401),
    ("permission", 403),
    ("billing", 402),
    ("timeout", 504),
    ("unavailable", 503),
)


def is_too_long(message: str, code: str | None, kind: str | None) -> bool:
    return code in _TOO_LONG_CODES or kind in _TOO_LONG_CODES or bool(_TOO_LONG.search(message))


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds from `retry-after-ms`, or `Retry-After` as seconds or a date; None when neither makes sense."""
    exact = _seconds(headers.get("retry-after-ms", ""), 1000)
    if exact is not None:
        return exact
    value = headers.get("retry-after", "").strip()
    seconds = _seconds(value)
    return seconds if seconds is not None else _until(value, now or datetime.now(UTC))


def delay_in(said: Mapping[str, Any]) -> float | None:
    """The pause an error object asks for: Gemini puts it there (`retryDelay`) and sends no header."""
    details = said.get("details")
    for detail in details if isinstance(details, list) else ():
        if isinstance(detail, dict) and isinstance(delay := detail.get("retryDelay"), str):
            return _seconds(delay.removesuffix("s"))
    return None


def _seconds(value: str, parts: int = 1) -> float | None:
    if not re.fullmatch(r"[ \t]*[0-9]{1,12}(\.[0-9]*)?[ \t]*", value):
        return None
    return _sane(float(value) / parts)


def _until(date: str, now: datetime) -> float | None:
    try:
        moment = parsedate_to_datetime(date)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return _sane(max(0.0, (moment - now).total_seconds()))


def _sane(seconds: float) -> float | None:
    return seconds if 0 <= seconds < 10 * 86400 else None


def tidy(message: str, target: Target) -> str:
    """The upstream's words without its wire id, its address and our key, not too long."""
    if _HTML.search(message):
        return ""
    if target.api_key and target.api_key not in _PUBLIC:
        message = message.replace(target.api_key, "***")
    place = urlsplit(target.base_url)
    for theirs in filter(None, (target.base_url, place.netloc, place.hostname)):
        message = re.sub(re.escape(theirs), lambda _: target.alias, message, flags=re.I)
    for theirs in (target.model, target.model.rpartition("/")[2]):
        if (
            theirs and theirs != target.alias
        ):  # an alias may hold the wire id: where it stands already, it stays
            name = rf"{re.escape(target.alias)}|(?<![A-Za-z0-9]){re.escape(theirs)}(?![A-Za-z0-9])"
            message = re.sub(name, lambda _: target.alias, message, flags=re.I)
    return message[:LONGEST_MESSAGE]


_HTML = re.compile(r"<\s*(?:!doctype|html|head|body|title|h1|center)\b", re.IGNORECASE)
_PUBLIC = {"public", "none", "dummy"}


def _plain(body: bytes) -> str:
    text = body[:LONGEST_MESSAGE].decode("utf-8", "replace").strip()
    return "" if text[:1] in "<{[" else text


def _json(body: bytes) -> Any:
    try:
        return loads(body)
    except ValueError:
        return None


def _code_for(status: int, message: str) -> str | None:
    return "model_not_found" if status == 404 and "model" in message.lower() else None


def _after_colon(words: str) -> str:
    return f": {words}" if words else ""


def _key(target: Target) -> str:
    return target.key_variable or f"the key of provider '{target.provider}'"
