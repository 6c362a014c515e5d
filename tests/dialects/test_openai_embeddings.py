"""Embeddings: what is understood, and what is refused and why."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from app.dialects import openai_embeddings
from app.errors import BadRequest, UnsupportedEndpoint
from app.types import Dialect
from tests.fakes import SERVED

ASKED: dict[str, Any] = {"model": "alias", "input": "Once"}


def test_the_module_is_a_dialect() -> None:
    dialect: Dialect = openai_embeddings

    assert dialect.name == openai_embeddings.parse(ASKED).dialect == "embeddings"


@pytest.mark.parametrize(
    "given",
    [
        pytest.param("Once", id="a text"),
        pytest.param("", id="an empty text"),
        pytest.param(["Once", "Twice"], id="texts"),
        pytest.param([1, 2, 3], id="tokens"),
        pytest.param([[1, 2], [3]], id="lists of tokens"),
    ],
)
def test_nothing_of_a_request_is_lost_or_changed(given: Any) -> None:
    body = {"model": "alias", "input": given, "encoding_format": "base64", "dimensions": 8, "task": "query"}
    before = deepcopy(body)
    asked = openai_embeddings.parse(body)

    assert asked.body == before
    assert (asked.model, asked.stream) == ("alias", False)


@pytest.mark.parametrize(
    ("body", "words", "param"),
    [
        pytest.param("x", "the body must be a JSON object, not a string", None, id="a string"),
        pytest.param({"input": "x"}, "'model' must name one of the aliases", "model", id="no model"),
        pytest.param({"model": "alias"}, "'input' is missing", "input", id="no input"),
        pytest.param(ASKED | {"input": []}, "'input' is empty", "input", id="an empty list"),
        pytest.param(ASKED | {"input": {}}, "'input' must be a text, or a list", "input", id="an object"),
        pytest.param(ASKED | {"input": ["a", None]}, "'input[1]' must be", "input[1]", id="null inside"),
        pytest.param(ASKED | {"dimensions": "8"}, "a whole number", "dimensions", id="dimensions"),
        pytest.param(ASKED | {"encoding_format": 1}, '"float" or "base64"', "encoding_format", id="format"),
        pytest.param(ASKED | {"stream": True}, "embeddings come whole", "stream", id="a stream"),
        pytest.param(ASKED | {"stream": "no"}, "true or false", "stream", id="no boolean"),
    ],
)
def test_a_wrong_request_is_refused_with_its_place(body: Any, words: str, param: str | None) -> None:
    with pytest.raises(BadRequest) as raised:
        openai_embeddings.parse(body)

    assert words in str(raised.value)
    assert raised.value.param == param


def test_embeddings_have_no_form_in_chat() -> None:
    with pytest.raises(UnsupportedEndpoint):
        openai_embeddings.parse(ASKED).as_chat()


def test_an_answer_stays_as_it_is() -> None:
    answer = {"object": "list", "data": [], "unheard_of": 1}

    assert openai_embeddings.render(answer, openai_embeddings.parse(ASKED), SERVED) is answer
