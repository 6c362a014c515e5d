"""Failures in the words of Anthropic's Messages, which its clients recognise. Pure."""

from __future__ import annotations

from app.errors import ContextTooLong, GatewayError
from app.types import Body

_TYPES = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def error(problem: GatewayError, request_id: str = "") -> Body:
    """Anthropic's error body."""
    kind = _TYPES.get(problem.status, "api_error" if problem.status >= 500 else "invalid_request_error")
    body: Body = {"type": "error", "error": {"type": kind, "message": _words(problem)}}
    return body | {"request_id": request_id} if request_id else body


def _words(problem: GatewayError) -> str:
    """Claude Code compacts a conversation when it reads "prompt is too long", and at no other words."""
    if not isinstance(problem, ContextTooLong):
        return str(problem)
    if problem.tokens is not None and problem.limit is not None:
        return f"prompt is too long: {problem.tokens} tokens > {problem.limit} maximum"
    words = str(problem)
    return words if words.startswith("prompt is too long") else f"prompt is too long: {words}"
