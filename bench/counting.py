"""Anthropic's count_tokens, as asked and as answered. Pure."""

from __future__ import annotations

import re
from typing import Any

from bench import messages
from bench.conversation import Conversation
from bench.script import Pattern, Patterns

PATH = "/v1/messages/count_tokens"
AGAIN: Pattern | None = None
END: Patterns = {}
WHOLE: Patterns = {"count": re.compile(rb'^\{"input_tokens":\s*[1-9]\d*\}\s*$')}


def body(asked: Conversation, model: str, stream: bool) -> dict[str, Any]:
    told = messages.body(asked, model, stream=False)
    del told["max_tokens"]
    return told
