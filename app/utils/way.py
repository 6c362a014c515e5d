"""By which carrier and in which API a request reaches its target, and why. The one place that decides. Pure.

A target that speaks the client's dialect is relayed: nothing is lost on that way, and it costs
least. Otherwise the request is translated to chat, which every target can be called in.
"""

from __future__ import annotations

from dataclasses import dataclass

from app.types import CarrierName, DialectName, Request, Target
from app.utils.problems import unsupported

SAYABLE: dict[DialectName, frozenset[str]] = {
    "messages": frozenset(
        {"max_tokens", "temperature", "top_p", "top_k", "thinking", "metadata", "service_tier"}
    ),
    "responses": frozenset(
        {"temperature", "top_p", "max_output_tokens", "parallel_tool_calls", "reasoning", "text"}
        | {"service_tier", "metadata", "store", "prompt_cache_key", "truncation"}
    ),
}
"""The request fields that the configuration may add and a dialect besides chat can say by the same name."""

WITHOUT_CHAT: frozenset[DialectName] = frozenset({"completions", "embeddings", "rerank"})
"""APIs that have no form in chat."""


@dataclass(frozen=True, slots=True)
class Way:
    """How a request goes to its target; the body and what comes back are in `wire`."""

    carrier: CarrierName
    wire: DialectName
    why: str

    def __str__(self) -> str:
        return f"{self.carrier} {self.wire}: {self.why}"


def way_of(request: Request, target: Target) -> Way:
    """The way of a request to the target that was chosen for it; raises UnsupportedEndpoint for none."""
    dialect = request.dialect
    if dialect == "completions" and target.harmony is not None:
        raise unsupported(dialect, target, "what its model writes is raw Harmony, which is read in chat only")
    if dialect in WITHOUT_CHAT:
        return Way(target.carrier, dialect, f"{dialect} has no other form")
    if dialect != "chat" and dialect in target.dialects:
        lost = loss(dialect, target)
        if lost is None:
            return Way("relay", dialect, f"the target speaks {dialect} itself")
        return Way(target.carrier, "chat", f"relayed as {dialect} it would lose {lost}")
    if dialect == "chat":
        return Way(target.carrier, "chat", "the client speaks chat")
    return Way(target.carrier, "chat", f"the target does not speak {dialect}")


def loss(dialect: DialectName, target: Target) -> str | None:
    """What the gateway would add to a request, and a relayed one of this dialect could not carry; or None.

    llama-server's /v1/messages copies known keys only: slots, caches, adapters and samplers that the
    configuration names would be dropped there without a word.
    """
    if target.harmony is not None:
        return "Harmony, which the gateway reads itself"
    if target.mock_response is not None:
        return "the fixed answer"
    strangers = sorted((target.defaults.keys() | target.extra_body.keys()) - SAYABLE[dialect])
    return f"what the configuration adds ({', '.join(strangers)})" if strangers else None
