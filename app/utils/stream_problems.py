"""What may be wrong with an answer of status 200, or with its stream, besides an error in it. Pure."""

from __future__ import annotations

from app.errors import GatewayError, UpstreamCut, UpstreamFailed, UpstreamGarbage
from app.types import Target

FAILED_FINISHES = frozenset({"network_error", "error", "insufficient_system_resource"})
"""What GLM, OpenRouter and DeepSeek call an answer that broke; to end it as if it had finished is a lie."""


def broken(target: Target, finish: str) -> GatewayError:
    message = f"the provider of '{target.alias}' broke off: {finish}"
    return UpstreamFailed(message, status=502, code="upstream_cut")


def cut(target: Target) -> GatewayError:
    return UpstreamCut(f"the stream of '{target.alias}' ended before the answer was finished")


def garbage(target: Target, what: str, status: int | None = None) -> GatewayError:
    return UpstreamGarbage(f"the provider of '{target.alias}' answered {what}", status=status)


def no_event(target: Target) -> GatewayError:
    """The error for something in a stream that is none of its events."""
    return garbage(target, "a stream with what is no event")


def no_events(target: Target) -> GatewayError:
    """The error for a stream that holds nothing at all."""
    return garbage(target, "a stream without any event")
