"""What targets call the end of an answer, and what that means to the client."""

from __future__ import annotations

import pytest

from app.dialects.openai_responses_object import why_incomplete
from app.utils.finishes import meant_by
from app.utils.messages_terms import stop_reason

FINISHES = [
    ("stop", "stop", None, "end_turn"),
    ("STOP", "stop", None, "end_turn"),
    ("eos", "stop", None, "end_turn"),
    ("end_turn", "stop", None, "end_turn"),
    ("tool_calls", "calls", None, "end_turn"),
    ("function_call", "calls", None, "end_turn"),
    ("length", "length", "max_output_tokens", "max_tokens"),
    ("max_tokens", "length", "max_output_tokens", "max_tokens"),
    ("MAX_TOKENS", "length", "max_output_tokens", "max_tokens"),
    ("model_length", "context", "max_output_tokens", "model_context_window_exceeded"),
    ("model_context_window_exceeded", "context", "max_output_tokens", "model_context_window_exceeded"),
    ("content_filter", "filtered", "content_filter", "refusal"),
    ("sensitive", "filtered", "content_filter", "refusal"),
    ("refusal", "filtered", "content_filter", "refusal"),
    ("SAFETY", "filtered", "content_filter", "refusal"),
    ("PROHIBITED_CONTENT", "filtered", "content_filter", "refusal"),
    ("paused", "paused", None, "pause_turn"),
]


@pytest.mark.parametrize(("word", "meant", "incomplete", "stopped"), FINISHES)
def test_a_finish_means_the_same_in_every_dialect(
    word: str, meant: str, incomplete: str | None, stopped: str
) -> None:
    assert meant_by(word) == meant
    assert why_incomplete(word) == incomplete
    assert stop_reason(word, calls=False) in (stopped, "tool_use" if meant == "calls" else stopped)
