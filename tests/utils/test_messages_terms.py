"""One thing, and what two APIs call it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.utils.messages_terms import STOPS, stop_reason, usage_in_chat, usage_in_messages

Json = dict[str, Any]


@pytest.mark.parametrize(
    ("finish", "without", "with_calls"),
    [
        ("stop", "end_turn", "tool_use"),
        ("tool_calls", "end_turn", "tool_use"),
        ("function_call", "end_turn", "tool_use"),
        ("end_turn", "end_turn", "tool_use"),
        ("tool_use", "end_turn", "tool_use"),
        ("eos", "end_turn", "tool_use"),
        ("length", "max_tokens", "max_tokens"),
        ("max_tokens", "max_tokens", "max_tokens"),
        ("content_filter", "refusal", "refusal"),
        ("sensitive", "refusal", "refusal"),
        ("paused", "pause_turn", "pause_turn"),
        ("model_context_window_exceeded", "model_context_window_exceeded", "model_context_window_exceeded"),
    ],
)
def test_a_finish_is_a_stop_reason(finish: str, without: str, with_calls: str) -> None:
    assert (stop_reason(finish, calls=False), stop_reason(finish, calls=True)) == (without, with_calls)


@given(st.text(), st.booleans())
def test_no_other_word_ever_leaves(finish: str, calls: bool) -> None:
    assert stop_reason(finish, calls) in STOPS


CACHED = {"input_tokens": 10, "cache_creation_input_tokens": 30, "cache_read_input_tokens": 60}


@pytest.mark.parametrize(
    ("chat", "messages"),
    [
        pytest.param({}, {}, id="nothing"),
        pytest.param({"prompt_tokens": None, "completion_tokens": "5"}, {}, id="no numbers"),
        pytest.param({"completion_tokens": 5}, {"output_tokens": 5}, id="output only"),
        pytest.param(
            {
                "prompt_tokens": 100,
                "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 30},
            },
            CACHED,
            id="a cache as OpenAI and OpenRouter tell it",
        ),
        pytest.param(
            {
                "prompt_tokens": 100,
                "prompt_tokens_details": {"cached_tokens": 60, "cache_creation_tokens": 30},
                "cache_read_input_tokens": 60,
                "cache_creation_input_tokens": 30,
            },
            CACHED,
            id="a cache as LiteLLM tells it",
        ),
        pytest.param(
            {"prompt_tokens": 100, "prompt_cache_hit_tokens": 60},
            {"input_tokens": 40, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 60},
            id="a cache as DeepSeek tells it",
        ),
        pytest.param(
            {"prompt_tokens": 5, "prompt_tokens_details": {"cached_tokens": 9}},
            {"input_tokens": 0, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 9},
            id="more cached than there was",
        ),
        pytest.param(
            {"completion_tokens": 5, "completion_tokens_details": {"reasoning_tokens": 3}},
            {"output_tokens": 5, "output_tokens_details": {"thinking_tokens": 3}},
            id="thoughts",
        ),
        pytest.param(
            {"prompt_tokens": 5, "prompt_tokens_details": None, "completion_tokens_details": []},
            {"input_tokens": 5, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0},
            id="odd details",
        ),
    ],
)
def test_what_was_cached_stands_apart_in_messages(chat: Json, messages: Json) -> None:
    assert usage_in_messages(chat) == messages


@pytest.mark.parametrize(
    ("messages", "chat"),
    [
        pytest.param({}, {}, id="nothing"),
        pytest.param({"output_tokens": 5}, {"completion_tokens": 5}, id="output only"),
        pytest.param(
            {"input_tokens": 10, "output_tokens": 5},
            {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
            id="no cache",
        ),
        pytest.param(
            CACHED | {"output_tokens": 5, "output_tokens_details": {"thinking_tokens": 3}},
            {
                "prompt_tokens": 100,
                "completion_tokens": 5,
                "total_tokens": 105,
                "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 30},
                "completion_tokens_details": {"reasoning_tokens": 3},
            },
            id="all of it",
        ),
        pytest.param(
            {"input_tokens": 1, "cache_read_input_tokens": None, "output_tokens": True},
            {"prompt_tokens": 1},
            id="no numbers",
        ),
    ],
)
def test_what_was_cached_is_counted_in_in_chat(messages: Json, chat: Json) -> None:
    assert usage_in_chat(messages) == chat


counts = st.integers(0, 1000)


@given(counts, counts, counts, counts)
def test_usage_there_and_back_is_the_same(fresh: int, read: int, written: int, output: int) -> None:
    usage = {
        "input_tokens": fresh,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": read,
        "output_tokens": output,
    }

    assert usage_in_messages(usage_in_chat(usage)) == usage
