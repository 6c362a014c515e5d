"""The error for a request that does not fit, with both lengths where the upstream told them. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from app.errors import ContextTooLong

_LENGTHS = tuple(
    re.compile(pattern, re.IGNORECASE | re.DOTALL)
    for pattern in (
        r"(?P<tokens>\d+) tokens > (?P<limit>\d+)",  # Anthropic
        r"token count \(?(?P<tokens>\d+)\)? exceeds .*?(?P<limit>\d+)",  # Gemini
        r"maximum context length is (?P<limit>\d+) .*?(?P<tokens>\d+) (?:input )?tokens",  # OpenAI, vLLM
        r"\((?P<tokens>\d+) tokens\).*?\((?P<limit>\d+) tokens\)",  # llama.cpp
    )
)


def context_full(message: str, said: Mapping[str, Any]) -> ContextTooLong:
    """`said` is the upstream's error object, where llama.cpp tells both lengths."""
    problem = ContextTooLong(message)
    told = said.get("n_prompt_tokens"), said.get("n_ctx")
    found = next((match for one in _LENGTHS if (match := one.search(message))), None)
    if all(isinstance(length, int) for length in told):
        problem.tokens, problem.limit = told
    elif found:
        problem.tokens, problem.limit = int(found["tokens"]), int(found["limit"])
    return problem
