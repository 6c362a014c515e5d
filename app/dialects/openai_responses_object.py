"""The response object: what the answer repeats of the request, how it ended, what it used. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.dialects.openai_responses_request import ResponsesRequest
from app.errors import BadRequest, ContextTooLong, GatewayError, RateLimited, UpstreamBilling, UpstreamRefused
from app.types import Answer, Body, Request, Served
from app.utils.finishes import Finish, meant_by
from app.utils.shapes import as_dict

_ECHOED: Mapping[str, Any] = {
    "background": False,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "parallel_tool_calls": True,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "prompt_cache_key": None,
    "safety_identifier": None,
    "service_tier": "default",
    "store": False,
    "temperature": 1.0,
    "tool_choice": "auto",
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}
"""What the answer repeats as it came, and what it says where nothing came: the API's own defaults."""


def response_of(request: Request, served: Served) -> Answer:
    """The object of a response that has only begun."""
    body = request.body
    echoed = {key: default if body.get(key) is None else body[key] for key, default in _ECHOED.items()}
    return {
        "id": f"resp_{served.id}",
        "object": "response",
        "created_at": served.created,
        "status": "in_progress",
        "completed_at": None,
        "error": None,
        "incomplete_details": None,
        "model": request.model,
        "output": [],
        "usage": None,
        **echoed,
        "metadata": body.get("metadata") or {},
        "previous_response_id": previous_of(request),
        "reasoning": {"effort": None, "summary": None, **(body.get("reasoning") or {})},
        "text": _text(body.get("text") or {}),
        "tools": [_tool(tool) for tool in body.get("tools") or ()],
    }


def previous_of(request: Request) -> str | None:
    return request.previous if isinstance(request, ResponsesRequest) else None


def _text(given: Body) -> Body:
    form = given.get("format") or {"type": "text"}
    if isinstance(form, dict) and form.get("type") == "json_schema":
        form = {"description": None, "strict": False, **form}
    return {**given, "format": form}


def _tool(given: Body) -> Body:
    if given.get("type") != "function":
        return given
    return {"description": None, "parameters": None, "strict": None, **given}


def ended(response: Answer, finish: str | None, output: list[Answer], usage: Any) -> Answer:
    """The same object at the end, which chat's finish reason tells."""
    reason = why_incomplete(finish)
    return {
        **response,
        "status": "incomplete" if reason else "completed",
        "incomplete_details": {"reason": reason} if reason else None,
        "output": output,
        "usage": usage_of(usage),
    }


def why_incomplete(finish: str | None) -> str | None:
    """What this API calls a finish of chat that stands for an answer that is not whole."""
    return _INCOMPLETE.get(meant_by(finish)) if finish else None


_INCOMPLETE: Mapping[Finish, str] = {
    "length": "max_output_tokens",
    "context": "max_output_tokens",
    "filtered": "content_filter",
}


def usage_of(usage: Any) -> Body | None:
    """Chat's usage as the Responses API tells it, all of it whole numbers; None if the target told none."""
    usage = as_dict(usage)
    asked, answered = _count(usage, "prompt_tokens"), _count(usage, "completion_tokens")
    if asked is None and answered is None:
        return None
    total = _count(usage, "total_tokens") or 0
    asked = max(0, total - (answered or 0)) if asked is None else asked
    answered = max(0, total - asked) if answered is None else answered
    prompt, completion = _details(usage, "prompt"), _details(usage, "completion")
    return {
        "input_tokens": asked,
        "input_tokens_details": {
            "cached_tokens": _count(prompt, "cached_tokens") or 0,
            "cache_write_tokens": _count(prompt, "cache_write_tokens", "cache_creation_tokens") or 0,
        },
        "output_tokens": answered,
        "output_tokens_details": {"reasoning_tokens": _count(completion, "reasoning_tokens") or 0},
        "total_tokens": max(total, asked + answered),  # some count thoughts in the whole only
    }


def _details(usage: Body, side: str) -> Body:
    return as_dict(usage.get(f"{side}_tokens_details"))


def _count(counts: Body, *names: str) -> int | None:
    """The first of some numbers that is one: whole, and not below nothing."""
    for value in map(counts.get, names):
        if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0 and value % 1 == 0:
            return int(value)
    return None


def failed(response: Answer, problem: GatewayError, output: list[Answer]) -> Answer:
    """The object of a response that broke, as far as it came."""
    return {**response, "status": "failed", "error": error_of(problem), "output": output}


def error_of(problem: GatewayError) -> Body:
    """`code` and `message` in the words by which Codex decides whether to ask again."""
    code = next((code for kind, code in _CODES if isinstance(problem, kind)), "server_error")
    message = str(problem)
    if isinstance(problem, RateLimited) and problem.retry_after is not None and "try again in" not in message:
        message = f"{message.rstrip('.')}. Please try again in {problem.retry_after:g}s."
    return {"code": code, "message": message}


_CODES: tuple[tuple[type[GatewayError], str], ...] = (
    (ContextTooLong, "context_length_exceeded"),
    (UpstreamBilling, "insufficient_quota"),
    (RateLimited, "rate_limit_exceeded"),
    (BadRequest, "invalid_prompt"),
    (UpstreamRefused, "invalid_prompt"),
)
"""The first that fits. What cannot get better by asking again is an `invalid_prompt`."""
