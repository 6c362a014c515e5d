"""What a model thought, on its way: back to the target as that wants it, or kept from the client. Pure."""

from __future__ import annotations

from typing import Any

from app.types import Body, Chunk, Target
from app.utils.chat_events import USUAL, choices_of

_READERS_OF_BLOCKS = frozenset({"anthropic", "bedrock", "vertex_ai", "azure_ai", "databricks"})
"""LiteLLM's providers that may lead to Claude, whose thoughts come back as signed blocks."""


def with_thoughts_as_wanted(body: Body, target: Target) -> Body:
    """A translated body with its assistant messages' thoughts as the target wants them back, or without.

    Thoughts stand in `reasoning_content` and, where they are signed, in `thinking_blocks`.
    """
    field = target.reasoning_field or ("reasoning_content" if target.reads_thoughts else None)
    blocks = target.litellm_provider in _READERS_OF_BLOCKS
    return {**body, "messages": [_thoughts_for(message, field, blocks) for message in body["messages"]]}


def _thoughts_for(message: Any, field: str | None, blocks: bool) -> Any:
    if not isinstance(message, dict) or message.keys().isdisjoint(("reasoning_content", "thinking_blocks")):
        return message
    kept = {**message}
    thought = kept.pop("reasoning_content", None)
    if not blocks:
        kept.pop("thinking_blocks", None)
    if field and thought:
        kept[field] = thought
    return kept


_THOUGHTS = frozenset(
    {"reasoning_content", "reasoning", "reasoning_details", "thinking_blocks", "provider_specific_fields"}
)


def without_thoughts(chunk: Chunk) -> Chunk | None:
    """A chunk (or a whole answer) without the model's thoughts; None when nothing is left of it."""
    choices = []
    for choice in choices_of(chunk):
        kept = {**choice}
        for place in ("delta", "message"):
            if isinstance(said := choice.get(place), dict):
                kept[place] = {key: value for key, value in said.items() if key not in _THOUGHTS}
        if kept.get("delta") != {} or kept.get("finish_reason") or choice.get("delta") == {}:
            choices.append(kept)
    if choices or not chunk.get("choices") or not USUAL.issuperset(chunk):
        return {**chunk, "choices": choices}
    return None
