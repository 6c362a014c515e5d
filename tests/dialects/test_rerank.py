"""Rerank: what is understood, and what is refused and why."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from app.dialects import rerank
from app.errors import BadRequest, UnsupportedEndpoint
from app.types import Dialect
from tests.fakes import SERVED

ASKED: dict[str, Any] = {"model": "alias", "query": "what?", "documents": ["a", "b"]}


def test_the_module_is_a_dialect() -> None:
    dialect: Dialect = rerank

    assert dialect.name == rerank.parse(ASKED).dialect == "rerank"


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"top_n": 1, "return_documents": True}, id="Cohere, Jina"),
        pytest.param({"documents": [{"text": "a"}], "rank_fields": ["text"]}, id="objects with fields"),
        pytest.param({"max_tokens_per_doc": 512}, id="Cohere 2"),
        pytest.param({"query": {"text": "what?"}, "truncate_prompt_tokens": 9}, id="vLLM"),
    ],
)
def test_nothing_of_a_request_is_lost_or_changed(fields: dict[str, Any]) -> None:
    body = ASKED | fields
    before = deepcopy(body)
    asked = rerank.parse(body)

    assert asked.body == before
    assert (asked.model, asked.stream) == ("alias", False)


@pytest.mark.parametrize(
    ("body", "words", "param"),
    [
        pytest.param(None, "the body must be a JSON object, not null", None, id="null"),
        pytest.param({**ASKED, "model": ""}, "'model' must name one of the aliases", "model", id="no model"),
        pytest.param({**ASKED, "query": None}, "'query' is missing", "query", id="no query"),
        pytest.param({**ASKED, "query": ["a"]}, "'query' must be a text, not an array", "query", id="a list"),
        pytest.param({"model": "alias", "query": "q"}, "is missing", "documents", id="no documents"),
        pytest.param({**ASKED, "documents": []}, "'documents' is empty", "documents", id="an empty list"),
        pytest.param({**ASKED, "documents": "a"}, "a list of texts or objects", "documents", id="one text"),
        pytest.param({**ASKED, "documents": ["a", 3]}, "a text or an object", "documents[1]", id="a number"),
        pytest.param({**ASKED, "top_n": "1"}, "'top_n' must be a whole number", "top_n", id="top_n"),
        pytest.param({**ASKED, "return_documents": 1}, "true or false", "return_documents", id="a flag"),
        pytest.param({**ASKED, "stream": True}, "rankings come whole", "stream", id="a stream"),
    ],
)
def test_a_wrong_request_is_refused_with_its_place(body: Any, words: str, param: str | None) -> None:
    with pytest.raises(BadRequest) as raised:
        rerank.parse(body)

    assert words in str(raised.value)
    assert raised.value.param == param


def test_a_ranking_has_no_form_in_chat() -> None:
    with pytest.raises(UnsupportedEndpoint):
        rerank.parse(ASKED).as_chat()


def test_an_answer_stays_as_it_is() -> None:
    answer = {"results": [], "unheard_of": 1}

    assert rerank.render(answer, rerank.parse(ASKED), SERVED) is answer
