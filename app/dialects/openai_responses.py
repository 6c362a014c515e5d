"""OpenAI Responses: what Codex and the openai SDK speak. Pure.

A target that speaks it is relayed; for any other it is translated to chat and back:
`openai_responses_request` asks, `openai_responses_stream` answers.
"""

from __future__ import annotations

from app.dialects.openai_chat import error
from app.dialects.openai_responses_output import Seal, seals_nothing
from app.dialects.openai_responses_relayed import RelayedResponses
from app.dialects.openai_responses_request import parse
from app.dialects.openai_responses_stream import ResponsesEncoder
from app.types import Answer, Completion, DialectName, Request, Served
from app.utils.chat_events import chunks_of

__all__ = ["encoder", "error", "name", "parse", "relayed", "render"]

name: DialectName = "responses"


def render(answer: Completion, request: Request, served: Served, seal: Seal = seals_nothing) -> Answer:
    """Chat's answer as a response: what a stream of it would have come to."""
    encoder = ResponsesEncoder(request, served, seal)
    encoder.feed(chunks_of(answer))
    encoder.close()
    assert encoder.answer is not None
    return encoder.answer


def encoder(request: Request, served: Served, seal: Seal = seals_nothing) -> ResponsesEncoder:
    return ResponsesEncoder(request, served, seal)


def relayed(request: Request, served: Served) -> RelayedResponses:
    return RelayedResponses(request, served)
