"""Texts completed by way of a chat: what a chat can do for a prompt, and how its answer reads as a text."""

from __future__ import annotations

from typing import Any

import pytest

from app.errors import BadRequest
from app.types import Body
from app.utils.litellm_texts import as_chat, text_of
from tests.fakes import chunk, completion, delta, finish, target, usage_chunk

HELLO = [{"role": "user", "content": "Once"}]


@pytest.mark.parametrize(
    ("body", "chat"),
    [
        pytest.param({"prompt": "Once"}, {}, id="a text"),
        pytest.param({"prompt": ["Once"]}, {}, id="one of a list"),
        pytest.param(
            {"prompt": "Once", "max_tokens": 5, "stop": ["x"], "stream": True, "n": 2, "x_unheard_of": 1},
            {"max_tokens": 5, "stop": ["x"], "stream": True, "n": 2, "x_unheard_of": 1},
            id="what chat has, too",
        ),
        pytest.param(
            {"prompt": "Once", "suffix": "", "echo": False, "best_of": 1, "logprobs": None}, {}, id="habits"
        ),
    ],
)
def test_a_prompt_is_the_one_message_of_a_user(body: Body, chat: Body) -> None:
    assert as_chat({"model": "wire-id", **body}, target()) == {"model": "wire-id", "messages": HELLO, **chat}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        pytest.param({"suffix": "the end"}, "suffix", id="a suffix"),
        pytest.param({"echo": True}, "echo", id="echo"),
        pytest.param({"best_of": 3}, "best_of", id="the best of three"),
        pytest.param({"logprobs": 0}, "logprobs", id="log probabilities"),
        pytest.param({"prompt": ["Once", "Twice"]}, "prompt", id="two texts"),
        pytest.param({"prompt": [1, 2]}, "prompt", id="tokens"),
        pytest.param({"prompt": [[1, 2]]}, "prompt", id="a list of tokens"),
    ],
)
def test_what_a_chat_cannot_do_is_refused_by_name(fields: Body, param: str) -> None:
    with pytest.raises(BadRequest, match="'alias' completes texts by way of a chat") as raised:
        as_chat({"prompt": "Once", **fields}, target())

    assert raised.value.param == param


def test_a_plain_answer_reads_as_a_text() -> None:
    answer = text_of(completion("Hello", "length", usage={"total_tokens": 3}))

    assert answer == completion(
        object="text_completion",
        choices=[{"index": 0, "text": "Hello", "logprobs": None, "finish_reason": "length"}],
        usage={"total_tokens": 3},
    )


@pytest.mark.parametrize(
    ("event", "choice"),
    [
        pytest.param(chunk("a"), {"index": 0, "text": "a", "finish_reason": None}, id="a piece"),
        pytest.param(chunk("b", 1), {"index": 1, "text": "b", "finish_reason": None}, id="another choice"),
        pytest.param(finish("stop"), {"index": 0, "text": "", "finish_reason": "stop"}, id="the finish"),
    ],
)
def test_a_chunk_reads_as_a_piece_of_text(event: dict[str, Any], choice: dict[str, Any]) -> None:
    assert text_of(event) == event | {"object": "text_completion", "choices": [{"logprobs": None, **choice}]}


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(delta(role="assistant"), id="the role"),
        pytest.param(delta(reasoning_content="hm"), id="a thought"),
        pytest.param(delta(content=None), id="null"),
        pytest.param(chunk(""), id="no text"),
    ],
)
def test_a_chunk_without_text_is_left_out(event: dict[str, Any]) -> None:
    assert text_of(event) is None


def test_usage_is_passed_on() -> None:
    assert text_of(usage_chunk(3)) == usage_chunk(3) | {"object": "text_completion"}
