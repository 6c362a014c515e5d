"""How long a request is and how long it may be, as upstreams tell it."""

from __future__ import annotations

from typing import Any

import pytest

from app.utils.context_full import context_full

OPENAI = "This model's maximum context length is 8192 tokens. However, "


@pytest.mark.parametrize(
    ("message", "said", "lengths"),
    [
        ("prompt is too long: 9000 tokens > 8192 maximum", {}, (9000, 8192)),
        (
            "The input token count (9000) exceeds the maximum number of tokens allowed (8192).",
            {},
            (9000, 8192),
        ),
        (OPENAI + "your messages resulted in 9000 tokens.", {}, (9000, 8192)),
        (OPENAI + "your request has 9000 input tokens. Reduce it.", {}, (9000, 8192)),
        ("request (9000 tokens) exceeds the available context size (8192 tokens)", {}, (9000, 8192)),
        ("it does not fit", {"n_prompt_tokens": 9000, "n_ctx": 8192}, (9000, 8192)),
        ("it does not fit", {"n_prompt_tokens": "many", "n_ctx": 8192}, (None, None)),
        ("This model's maximum context length is 8192 tokens", {}, (None, None)),
    ],
    ids=["Anthropic", "Gemini", "OpenAI", "vLLM", "llama.cpp", "its numbers", "no numbers", "one of them"],
)
def test_both_lengths_are_found_or_neither(
    message: str, said: dict[str, Any], lengths: tuple[int | None, int | None]
) -> None:
    problem = context_full(message, said)

    assert (problem.tokens, problem.limit) == lengths
    assert str(problem) == message
