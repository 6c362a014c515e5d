"""A chat request for /completions keeps what means the same there, and asks for control tokens as text."""

from __future__ import annotations

from typing import Any

import pytest

from app.utils.harmony import TOKENS
from app.utils.harmony_request import completions_body

ALWAYS = {
    "prompt": "P",
    "stop": ["<|return|>", "<|call|>"],
    "preserved_tokens": list(TOKENS),
    "skip_special_tokens": False,
    "spaces_between_special_tokens": False,
}


@pytest.mark.parametrize(
    ("body", "rest"),
    [
        ({"model": "m", "stream": True, "seed": 1}, {"model": "m", "stream": True, "seed": 1}),
        ({"max_tokens": 5, "max_completion_tokens": 9}, {"max_tokens": 5}),
        ({"max_completion_tokens": 9}, {"max_tokens": 9}),
        ({"messages": [], "tools": [], "tool_choice": "auto", "response_format": {}}, {}),
        ({"reasoning_effort": "high", "thinking": {}, "parallel_tool_calls": True}, {}),
        ({"stop": ["END"], "logprobs": True, "top_logprobs": 3, "verbose": True}, {}),
        (
            {"id_slot": 2, "cache_prompt": True, "top_k": 40},
            {"id_slot": 2, "cache_prompt": True, "top_k": 40},
        ),
        ({"stream_options": {"include_usage": True}}, {"stream_options": {"include_usage": True}}),
        ({"skip_special_tokens": True}, {"skip_special_tokens": True}),
    ],
)
def test_a_request_becomes_one_for_text(body: dict[str, Any], rest: dict[str, Any]) -> None:
    assert completions_body(body, "P") == ALWAYS | rest
