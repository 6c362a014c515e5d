"""Every API that a target can be called in, by its name. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from app.types import DialectName, Wire
from app.utils import wire_chat, wire_completions, wire_messages, wire_responses
from app.utils.wire_plain import EMBEDDINGS, RERANK

WIRES: Mapping[DialectName, Wire] = {
    "chat": wire_chat,
    "messages": wire_messages,
    "responses": wire_responses,
    "completions": wire_completions,
    "embeddings": EMBEDDINGS,
    "rerank": RERANK,
}
