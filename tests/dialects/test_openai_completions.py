"""Text completions: what is understood, what is refused and why, and what a stream looks like."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.dialects import openai_completions
from app.errors import BadRequest, UnsupportedEndpoint, UpstreamCut
from app.types import Dialect
from app.utils.sse import SSEReader
from tests.fakes import SERVED

ASKED: dict[str, Any] = {"model": "alias", "prompt": "Once"}


def test_the_module_is_a_dialect() -> None:
    dialect: Dialect = openai_completions

    assert dialect.name == openai_completions.parse(ASKED).dialect == "completions"


@pytest.mark.parametrize(
    "prompt",
    [
        pytest.param("Once", id="a text"),
        pytest.param("", id="an empty text"),
        pytest.param(["Once", "Twice"], id="texts"),
        pytest.param([1, 2, 3], id="tokens"),
        pytest.param([[1, 2], [3]], id="lists of tokens"),
        pytest.param([1, "text", 2], id="llama.cpp's mix of both"),
    ],
)
def test_nothing_of_a_request_is_lost_or_changed(prompt: Any) -> None:
    body = {"model": "alias", "prompt": prompt, "suffix": "end", "logprobs": 3, "n": 2, "unheard_of": [None]}
    before = deepcopy(body)

    assert openai_completions.parse(body).body == before
    assert body == before


@pytest.mark.parametrize(
    ("fields", "stream", "include_usage"),
    [
        pytest.param({}, False, False, id="plain"),
        pytest.param({"stream": True}, True, False, id="streamed"),
        pytest.param(
            {"stream": True, "stream_options": {"include_usage": True}}, True, True, id="with usage"
        ),
        pytest.param({"stream": None, "stream_options": None}, False, False, id="null"),
    ],
)
def test_a_request_says_whether_it_wants_a_stream_and_its_usage(
    fields: dict[str, Any], stream: bool, include_usage: bool
) -> None:
    asked = openai_completions.parse(ASKED | fields)

    assert (asked.model, asked.stream, asked.include_usage) == ("alias", stream, include_usage)


PIECE = "must be a text, a token or a list of tokens, not"


@pytest.mark.parametrize(
    ("body", "words", "param"),
    [
        pytest.param([], "the body must be a JSON object, not an array", None, id="an array"),
        pytest.param({"prompt": "x"}, "'model' must name one of the aliases", "model", id="no model"),
        pytest.param({"model": "alias"}, "'prompt' is missing", "prompt", id="no prompt"),
        pytest.param(ASKED | {"prompt": None}, "'prompt' is missing", "prompt", id="null"),
        pytest.param(ASKED | {"prompt": []}, "'prompt' is empty", "prompt", id="an empty list"),
        pytest.param(ASKED | {"prompt": {}}, "'prompt' must be a text, or a list", "prompt", id="an object"),
        pytest.param(ASKED | {"prompt": 3}, "'prompt' must be a text, or a list", "prompt", id="a number"),
        pytest.param(ASKED | {"prompt": ["a", {}]}, f"{PIECE} an object", "prompt[1]", id="an object inside"),
        pytest.param(ASKED | {"prompt": [True]}, f"{PIECE} a boolean", "prompt[0]", id="a boolean inside"),
        pytest.param(ASKED | {"prompt": [[1, "a"]]}, f"{PIECE} an array", "prompt[0]", id="a text too deep"),
        pytest.param(ASKED | {"stream": "yes"}, "'stream' must be true or false", "stream", id="stream"),
        pytest.param(ASKED | {"n": "2"}, "'n' must be a whole number", "n", id="n"),
        pytest.param(ASKED | {"echo": 1}, "'echo' must be true or false", "echo", id="echo"),
        pytest.param(ASKED | {"suffix": 1}, "'suffix' must be a text", "suffix", id="suffix"),
    ],
)
def test_a_wrong_request_is_refused_with_its_place(body: Any, words: str, param: str | None) -> None:
    with pytest.raises(BadRequest) as raised:
        openai_completions.parse(body)

    assert words in str(raised.value)
    assert raised.value.param == param


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["model", "prompt", "stream", "stream_options", "n", "x"]), inner)
    ),
    max_leaves=15,
)


@given(json_values)
def test_no_odd_request_is_our_mistake(body: Any) -> None:
    try:
        understood = openai_completions.parse(body).body
    except BadRequest:
        return

    assert understood is body


def test_a_prompt_has_no_form_in_chat() -> None:
    with pytest.raises(UnsupportedEndpoint, match="cannot be asked for as a chat completion"):
        openai_completions.parse(ASKED).as_chat()


def test_a_stream_is_framed_as_chat_s_and_ends_with_done() -> None:
    events = [{"object": "text_completion", "choices": [{"index": 0, "text": "a\n\n", "unheard_of": 1}]}]
    frames = openai_completions.relayed(openai_completions.parse(ASKED), SERVED)
    (event,) = SSEReader().feed(frames.feed(events))

    assert json.loads(event) == events[0]
    assert SSEReader().feed(frames.alive()) == []
    assert frames.close() == b"data: [DONE]\n\n"


def test_a_failed_stream_ends_with_openai_s_error() -> None:
    frames = openai_completions.relayed(openai_completions.parse(ASKED), SERVED)
    (event,) = SSEReader().feed(frames.fail(UpstreamCut("cut")))

    assert json.loads(event)["error"]["code"] == "upstream_cut"
