"""Embeddings and rankings on the wire: one answer, under the alias, nothing of it lost."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from app.errors import GatewayError, RateLimited, UpstreamCut, UpstreamFailed, UpstreamGarbage
from app.types import Wire
from app.utils.wire_plain import EMBEDDINGS, RERANK, usage_in
from tests.fakes import target, trace

VECTORS = {
    "object": "list",
    "model": "wire-id",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.5, -1.0], "unheard_of": 1}],
    "usage": {"prompt_tokens": 2, "total_tokens": 2},
    "unheard_of": None,
}
BASE64 = VECTORS | {"data": [{"object": "embedding", "index": 0, "embedding": "AAAAPwAAgL8="}]}
COHERE = {
    "id": "x",
    "results": [{"index": 1, "relevance_score": 0.9}],
    "meta": {"tokens": {"input_tokens": 7, "output_tokens": 0}, "billed_units": {"search_units": 1}},
}
JINA = {
    "model": "wire-id",
    "object": "list",
    "results": [{"index": 1, "relevance_score": -3.5, "document": {"text": "b"}}],
    "usage": {"total_tokens": 7},
}
VOYAGE = {"object": "list", "data": [{"index": 0, "relevance_score": 0.4}], "usage": {"total_tokens": 7}}


@pytest.mark.parametrize(
    ("wire", "path"), [(EMBEDDINGS, "/embeddings"), (RERANK, "/rerank")], ids=["embeddings", "rerank"]
)
def test_it_is_a_wire_with_a_path_and_a_key(wire: Wire, path: str) -> None:
    assert path == wire.PATH
    assert wire.headers(target(api_key="sk-1")) == {"authorization": "Bearer sk-1"}


@pytest.mark.parametrize(
    ("wire", "said", "usage"),
    [
        pytest.param(EMBEDDINGS, VECTORS, VECTORS["usage"], id="embeddings"),
        pytest.param(EMBEDDINGS, BASE64, VECTORS["usage"], id="embeddings in base64"),
        pytest.param(RERANK, COHERE, {"prompt_tokens": 7, "completion_tokens": 0}, id="Cohere"),
        pytest.param(RERANK, JINA, {"total_tokens": 7}, id="Jina"),
        pytest.param(RERANK, VOYAGE, {"total_tokens": 7}, id="Voyage"),
    ],
)
def test_an_answer_is_what_came_under_the_alias(
    wire: Wire, said: dict[str, Any], usage: Mapping[str, Any]
) -> None:
    record = trace()
    answer = wire.finished(wire.answer_in(json.dumps(said).encode(), target()), target(), record)

    assert answer == said | {"model": "alias"}
    assert record.usage == usage


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        pytest.param(b"", UpstreamGarbage, id="nothing"),
        pytest.param(b"<html></html>", UpstreamGarbage, id="a page"),
        pytest.param(b"[[0.5]]", UpstreamGarbage, id="a bare list"),
        pytest.param(b'{"choices": []}', UpstreamGarbage, id="a completion"),
        pytest.param(b'{"data": {}, "results": 3}', UpstreamGarbage, id="no list"),
        pytest.param(b'{"error": {"message": "no", "code": 429}}', RateLimited, id="an error"),
        pytest.param(b'{"message": "no"}', UpstreamFailed, id="an error of Cohere's"),
    ],
)
@pytest.mark.parametrize("wire", [EMBEDDINGS, RERANK], ids=["embeddings", "rerank"])
def test_what_is_no_answer_is_an_error(wire: Wire, body: bytes, problem: type[GatewayError]) -> None:
    with pytest.raises(problem):
        wire.answer_in(body, target())


@pytest.mark.parametrize(
    ("answer", "usage"),
    [
        pytest.param({}, None, id="nothing"),
        pytest.param({"usage": None, "meta": None}, None, id="null"),
        pytest.param({"meta": {"billed_units": {"search_units": 1}}}, None, id="searches are no tokens"),
        pytest.param({"meta": {"tokens": {"input_tokens": 3}}}, {"prompt_tokens": 3}, id="input only"),
        pytest.param({"meta": {"tokens": {}}}, None, id="no tokens"),
    ],
)
def test_usage_that_is_not_told_is_not_made_up(
    answer: dict[str, Any], usage: Mapping[str, Any] | None
) -> None:
    assert usage_in(answer) == usage


# ─── as a stream ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("wire", [EMBEDDINGS, RERANK], ids=["embeddings", "rerank"])
def test_a_stream_of_events_is_no_answer(wire: Wire) -> None:
    batch, done, problem = wire.events_in([b"{}"], target())

    assert (batch, done) == ([], False)
    assert isinstance(problem, UpstreamGarbage)


def test_an_answer_is_a_stream_of_one_event() -> None:
    record = trace()
    follower = EMBEDDINGS.follow(target(), False, record)
    events = EMBEDDINGS.events_of(dict(VECTORS))
    passed = follower.pass_on(events)
    follower.end()

    assert passed == [VECTORS | {"model": "alias"}]
    assert EMBEDDINGS.answer_of([[], passed]) == passed[0]
    assert record.usage == VECTORS["usage"]
    assert follower.failed is None


def test_a_stream_without_that_event_is_cut() -> None:
    follower = EMBEDDINGS.follow(target(), False, trace())
    follower.pass_on([])

    with pytest.raises(UpstreamCut):
        follower.end()

    assert not EMBEDDINGS.is_whole(EMBEDDINGS.answer_of([[]]))
