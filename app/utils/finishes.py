"""Why a choice of chat is over: the words that targets have for it, and what they mean. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

Finish: TypeAlias = Literal["stop", "calls", "length", "context", "filtered", "paused"]

_WORDS: Mapping[Finish, str] = {
    "calls": "tool_calls function_call tool_use",
    "length": "length max_tokens max_output_tokens",
    "context": "model_context_window_exceeded model_length",
    "filtered": "content_filter sensitive refusal safety recitation prohibited_content blocklist spii",
    "paused": "paused pause_turn",
}
_MEANT: Mapping[str, Finish] = {word: finish for finish, words in _WORDS.items() for word in words.split()}


def meant_by(word: str) -> Finish:
    """What a finish reason means, in capitals too (Gemini); what nobody knows ("eos") is the ordinary end."""
    return _MEANT.get(word.lower(), "stop")
