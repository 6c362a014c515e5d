"""What LiteLLM made of an answer is put right by what the upstream said."""

from __future__ import annotations

from typing import Any

import pytest

from app.utils.litellm_answers import (
    ChunkReader,
    broken_finish,
    honest_usage,
    native_finish,
    of_generic,
    plain,
)


def answer(**choice: Any) -> dict[str, Any]:
    made = {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop", **choice}
    return {"id": "made-up", "object": "chat.completion", "choices": [made]}


def chunk(finish: str | None = None, **delta: Any) -> dict[str, Any]:
    return {"id": "made-up", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def test_a_chat_shaped_answer_is_the_upstream_s() -> None:
    raw = {
        "id": "theirs",
        "choices": [{"message": {"content": "Hi", "x": 1}, "finish_reason": "odd"}],
        "y": None,
    }

    assert plain(answer(), raw) == raw


def test_a_content_that_is_no_text_is_translated() -> None:
    raw = {"choices": [{"index": 0, "message": {"content": [{"type": "thinking"}], "x": 1}}]}
    read = answer(message={"content": "Hi", "reasoning_content": "hm", "role": "assistant"})

    assert plain(read, raw)["choices"][0]["message"] == {"content": "Hi", "reasoning_content": "hm", "x": 1}


def test_an_answer_of_another_shape_is_the_translation_without_empty_fields() -> None:
    read = answer(
        message={"role": "assistant", "content": "Hi", "tool_calls": None, "images": []}, logprobs=None
    )

    made = plain(
        {**read, "system_fingerprint": None, "vertex_ai_grounding_metadata": []}, {"responseId": "r"}
    )

    assert made == {
        "id": "r",
        "object": "chat.completion",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
    }


@pytest.mark.parametrize(
    ("raw", "index", "found"),
    [
        ({"candidates": [{"finishReason": "STOP"}]}, 0, "STOP"),
        ({"candidates": [{"index": 1, "finishReason": "SAFETY"}]}, 1, "SAFETY"),
        ({"candidates": [{"index": 1, "finishReason": "SAFETY"}]}, 0, None),
        ({"type": "message_delta", "delta": {"stop_reason": "end_turn"}}, 0, "end_turn"),
        ({"stop_reason": "tool_use"}, 0, "tool_use"),
        ({"messageStop": {"stopReason": "max_tokens"}}, 0, "max_tokens"),
        ({"done_reason": "length"}, 0, "length"),
        ({"delta": None}, 0, None),
        (None, 0, None),
        ([], 0, None),
    ],
)
def test_the_native_finish_is_found(raw: Any, index: int, found: str | None) -> None:
    assert native_finish(raw, index) == found


@pytest.mark.parametrize(
    ("mapped", "native", "kept"),
    [
        ("stop", "STOP", "stop"),
        ("length", "MAX_TOKENS", "length"),
        ("tool_calls", "STOP", "tool_calls"),
        ("stop", "NEVER_HEARD", "NEVER_HEARD"),
        ("stop", "MALFORMED_FUNCTION_CALL", "MALFORMED_FUNCTION_CALL"),
        ("tool_calls", "MALFORMED_FUNCTION_CALL", "MALFORMED_FUNCTION_CALL"),
        ("stop", None, None),
    ],
)
def test_a_finish_of_gemini_s_is_never_a_stop_that_it_did_not_say(
    mapped: str, native: str | None, kept: str | None
) -> None:
    candidate = {"finishReason": native} if native else {}

    made = plain(answer(finish_reason=mapped), {"candidates": [candidate]})

    assert made["choices"][0]["finish_reason"] == kept


@pytest.mark.parametrize(
    ("finish", "found"), [("network_error", "network_error"), ("stop", None), (None, None)]
)
def test_a_finish_that_means_failure_is_found(finish: str | None, found: str | None) -> None:
    assert broken_finish(chunk(finish)) == found


USAGE = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7, "prompt_tokens_details": None}


@pytest.mark.parametrize(
    ("usage", "raw", "told"),
    [
        (USAGE, {"usage": {"n": 1}}, {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}),
        (USAGE, {"text": "token usage"}, None),
        (USAGE, None, None),
        ({"prompt_tokens": 0, "completion_tokens": 0}, {"usage": {}}, None),
        (None, {"usage": {}}, None),
        (USAGE, {"prompt_eval_count": 3}, {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}),
        (
            {"prompt_tokens": 3, "completion_tokens_details": {"reasoning_tokens": 2, "audio_tokens": 1}},
            {"usage": {"output_tokens": 3}, "content": [{"thinking": "hm"}]},
            {"prompt_tokens": 3, "completion_tokens_details": {"audio_tokens": 1}},
        ),
        (
            {"prompt_tokens": 3, "completion_tokens_details": {"reasoning_tokens": 2}},
            {"usageMetadata": {"thoughtsTokenCount": 2}},
            {"prompt_tokens": 3, "completion_tokens_details": {"reasoning_tokens": 2}},
        ),
    ],
)
def test_usage_is_what_the_upstream_told(usage: Any, raw: Any, told: Any) -> None:
    assert honest_usage(usage, raw) == told


def test_a_stream_has_one_id_a_role_and_its_usage_at_the_end() -> None:
    reader = ChunkReader(usage_asked=True)
    raw = {"candidates": [{}], "responseId": "r", "usageMetadata": {"n": 1}}
    first = reader.read({**chunk("stop", content="He", role=None), "usage": USAGE}, raw)
    again = reader.read({**chunk("stop", content="", role=None), "usage": USAGE}, raw)
    last = reader.read(chunk("stop", content="llo"), {"candidates": [{"finishReason": "STOP"}]})

    assert first == {
        "id": "r",
        "choices": [{"index": 0, "delta": {"role": "assistant", "content": "He"}, "finish_reason": None}],
    }
    assert again is None
    assert last == {
        "id": "r",
        "choices": [{"index": 0, "delta": {"content": "llo"}, "finish_reason": "stop"}],
    }
    assert reader.finished
    assert reader.end() == [
        {"id": "r", "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}}
    ]


def test_usage_nobody_asked_for_is_kept_back() -> None:
    reader = ChunkReader(usage_asked=False)
    reader.read(
        {**chunk("stop", content="Hi"), "usage": USAGE}, {"stop_reason": "end_turn", "usage": {"n": 1}}
    )

    assert reader.end() == []


@pytest.mark.parametrize(
    ("piece", "choice"),
    [
        (
            {
                "text": "Hi",
                "is_finished": False,
                "finish_reason": "",
                "usage": None,
                "index": 0,
                "tool_use": None,
            },
            {"index": 0, "delta": {"content": "Hi"}, "finish_reason": None},
        ),
        (
            {
                "text": "",
                "is_finished": True,
                "finish_reason": "length",
                "usage": None,
                "index": 0,
                "tool_use": None,
            },
            {"index": 0, "delta": {"content": ""}, "finish_reason": "length"},
        ),
        (
            {"text": "", "is_finished": False, "tool_use": {"id": "c"}},
            {"index": 0, "delta": {"content": "", "tool_calls": [{"id": "c"}]}, "finish_reason": None},
        ),
    ],
    ids=["text", "finish", "call"],
)
def test_litellm_s_older_pieces_are_chunks(piece: dict[str, Any], choice: dict[str, Any]) -> None:
    assert of_generic(piece)["choices"] == [choice]
