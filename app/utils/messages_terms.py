"""What Anthropic's Messages API and Chat Completions call the same thing. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.utils.finishes import Finish, meant_by
from app.utils.shapes import as_dict

UNREADABLE = "INVALID_JSON"
"""The key under which a tool input that is no JSON object is kept as text, by Anthropic's own advice.
Nothing is lost by it, and no tool takes it for what it was to be called with."""

_BILLING = "x-anthropic-billing-header:"


def without_billing(text: str) -> str:
    """A system prompt's text without Claude Code's first line, which is another one with each request.

    It spoils the prompt cache of every target but Anthropic's own.
    """
    return text.partition("\n")[2] if text.startswith(_BILLING) else text


_STOPS: Mapping[Finish, str] = {
    "stop": "end_turn",
    "calls": "tool_use",
    "length": "max_tokens",
    "context": "model_context_window_exceeded",
    "filtered": "refusal",
    "paused": "pause_turn",
}
STOPS = frozenset(
    """end_turn max_tokens stop_sequence tool_use pause_turn refusal
    model_context_window_exceeded""".split()  # noqa: SIM905  # a list of words
)
"""The closed set of stop reasons."""

_NOT_BY_CALLS = STOPS - {"end_turn", "tool_use"}


def stop_reason(finish: str, calls: bool) -> str:
    """Anthropic's word for a finish; a turn that calls tools is a tool turn, whatever the target says of it.

    The set is closed, so a word that nobody knows ("eos") can only be the ordinary end.
    """
    word = finish if finish in STOPS else _STOPS[meant_by(finish)]
    if word in _NOT_BY_CALLS:
        return word
    return "tool_use" if calls else "end_turn"


def usage_in_messages(usage: Mapping[str, Any]) -> dict[str, Any]:
    """Chat's usage in Anthropic's terms: what came from the cache, or went there, stands apart."""
    details = _details(usage, "prompt_tokens_details")
    read = _count(usage, "cache_read_input_tokens") or _count(details, "cached_tokens")
    read = read or _count(usage, "prompt_cache_hit_tokens")
    written = _count(usage, "cache_creation_input_tokens") or _count(details, "cache_creation_tokens")
    written = written or _count(details, "cache_write_tokens")
    counted: dict[str, Any] = {}
    if (prompt := _count(usage, "prompt_tokens")) is not None:
        counted["input_tokens"] = max(0, prompt - (read or 0) - (written or 0))
        counted["cache_creation_input_tokens"] = written or 0
        counted["cache_read_input_tokens"] = read or 0
    if (output := _count(usage, "completion_tokens")) is not None:
        counted["output_tokens"] = output
    thought = _count(_details(usage, "completion_tokens_details"), "reasoning_tokens")
    return counted | ({"output_tokens_details": {"thinking_tokens": thought}} if thought else {})


def usage_in_chat(usage: Mapping[str, Any]) -> dict[str, Any]:
    """Anthropic's usage in chat's terms."""
    read, written = _count(usage, "cache_read_input_tokens"), _count(usage, "cache_creation_input_tokens")
    fresh, output = _count(usage, "input_tokens"), _count(usage, "output_tokens")
    counted: dict[str, Any] = {}
    if fresh is not None:
        counted["prompt_tokens"] = fresh + (read or 0) + (written or 0)
    if output is not None:
        counted["completion_tokens"] = output
    if fresh is not None and output is not None:
        counted["total_tokens"] = counted["prompt_tokens"] + output
    if read is not None or written is not None:
        counted["prompt_tokens_details"] = {"cached_tokens": read or 0, "cache_write_tokens": written or 0}
    thought = _count(_details(usage, "output_tokens_details"), "thinking_tokens")
    return counted | ({"completion_tokens_details": {"reasoning_tokens": thought}} if thought else {})


def _details(usage: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    return as_dict(usage.get(key))


def _count(values: Mapping[str, Any], key: str) -> int | None:
    value = values.get(key)
    return (
        int(value) if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0 else None
    )
