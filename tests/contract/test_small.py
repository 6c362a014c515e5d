"""Text completions, embeddings and rankings: the alias contract, errors and ends, over both carriers."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from tests.contract.client import Asked, read_events
from tests.gateway import Gateway
from tests.upstream import Upstream
from tests.upstream.embeddings import vector

TEXT = "Hello from the upstream, with ünïcödé 漢字 😀."
BODIES: dict[str, dict[str, Any]] = {
    "/v1/completions": {"prompt": "Once"},
    "/v1/embeddings": {"input": ["a", "b"]},
    "/v1/rerank": {"query": "fast car", "documents": ["a slow train", "a fast car"]},
}

each = pytest.mark.parametrize("path", BODIES)


def post(gateway: Gateway, path: str, alias: str, **body: Any) -> Asked:
    """What comes back; a body that breaks off is a result, not an exception."""
    given = {"model": alias, **(body or BODIES[path])}
    with requests.post(gateway.url + path, json=given, stream=True, timeout=30) as reply:
        raw, broken = b"", False
        try:
            for data in reply.iter_content(None):
                raw += data
        except requests.exceptions.ChunkedEncodingError:
            broken = True
        asked = Asked(reply.status_code, reply.headers, raw, broken)
    if "text/event-stream" in asked.headers["content-type"]:
        read_events(asked)
    return asked


def texts(asked: Asked) -> str:
    return "".join(choice["text"] for event in asked.chunks for choice in event["choices"])


# ─── what is promised of each ────────────────────────────────────────────────────────────────────


@each
@pytest.mark.parametrize("unknown", [False, True], ids=["usual", "with unknown fields"])
def test_only_the_alias_is_seen_and_nothing_is_lost(
    gateway: Gateway, upstream: Upstream, alias: str, path: str, unknown: bool
) -> None:
    upstream.script("unknown" if unknown else "text")
    asked = post(gateway, path, alias)

    assert (asked.status, asked.body["model"]) == (200, alias)
    assert asked.headers["x-localcode-target"] == f"up/wire-of-{alias}"
    assert asked.headers["x-localcode-attempts"] == "1"
    assert f"wire-of-{alias}".encode() not in asked.raw
    assert ("x_unheard_of" in asked.body) == unknown
    assert (upstream.last.path, upstream.last.json["model"]) == (path, f"wire-of-{alias}")


@each
def test_the_path_may_stand_without_v1(gateway: Gateway, alias: str, path: str) -> None:
    assert post(gateway, path, alias).status == 200
    assert requests.post(
        gateway.url + path.removeprefix("/v1"), json={"model": alias, **BODIES[path]}, timeout=30
    ).ok


@each
@pytest.mark.parametrize(
    ("script", "options", "status", "code"),
    [
        pytest.param("status", {"status": 501}, 404, "endpoint_not_supported", id="501"),
        pytest.param("status", {"status": 405}, 404, "endpoint_not_supported", id="405"),
        pytest.param(
            "status", {"status": 404, "message": "Not Found"}, 404, "endpoint_not_supported", id="no path"
        ),
        pytest.param("status", {"status": 404}, 404, "model_not_found", id="no such model"),
        pytest.param("busy", {}, 429, "rate_limit_exceeded", id="429"),
        pytest.param("status", {"status": 500}, 500, None, id="500"),
        pytest.param("html", {}, 400, "upstream_bad_answer", id="a page"),
        pytest.param("too-long", {}, 400, "context_length_exceeded", id="too long"),
        pytest.param("canary", {}, 400, "upstream_authentication_error", id="a wrong key"),
    ],
)
def test_an_error_is_a_status_and_openai_s_error_body(
    gateway: Gateway,
    upstream: Upstream,
    alias: str,
    path: str,
    script: str,
    options: dict[str, Any],
    status: int,
    code: str | None,
) -> None:
    upstream.script(script, **options)
    asked = post(gateway, path, alias)

    assert (asked.status, asked.error["code"]) == (status, code)
    assert asked.error.keys() == {"message", "type", "param", "code"}
    assert f"wire-of-{alias}" not in asked.error["message"]
    assert b"sk-of-the-target" not in asked.raw


@each
def test_a_target_that_lacks_the_api_says_so_in_the_alias_s_name_and_is_asked_once(
    gateway: Gateway, upstream: Upstream, alias: str, path: str
) -> None:
    upstream.script("status", status=501, message="This server does not support that.")
    asked = post(gateway, path, f"{alias}-again")

    assert asked.status == 404
    assert asked.error["message"].startswith(f"'{alias}-again' has no ")
    assert asked.error["message"].endswith("its provider answered 501: This server does not support that.")
    assert len(upstream.requests) == 1


@each
def test_it_is_asked_again_where_that_may_help(
    gateway: Gateway, upstream: Upstream, alias: str, path: str
) -> None:
    upstream.script("flaky", fail=2)
    asked = post(gateway, path, f"{alias}-again")

    assert (asked.status, asked.headers["x-localcode-attempts"]) == (200, "3")


@each
def test_a_wrong_request_is_refused_before_anything_is_asked(
    gateway: Gateway, upstream: Upstream, alias: str, path: str
) -> None:
    asked = post(gateway, path, alias, unheard_of=1)

    assert (asked.status, asked.error["code"]) == (400, "missing_required_parameter")
    assert upstream.requests == []


@each
def test_an_unknown_alias_is_404(gateway: Gateway, path: str) -> None:
    asked = post(gateway, path, "nobody")

    assert (asked.status, asked.error["code"]) == (404, "model_not_found")


# ─── text completions ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "script", ["text", "split", "crlf", "lines", "gzip", "until-close", "json-always", "sse-always", "bare"]
)
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
def test_a_text_arrives_whole_however_it_travels(
    gateway: Gateway, upstream: Upstream, alias: str, script: str, stream: bool
) -> None:
    upstream.script(script)
    asked = post(gateway, "/v1/completions", alias, prompt="Once", stream=stream)

    assert asked.status == 200, asked.raw
    assert (texts(asked) if stream else asked.body["choices"][0]["text"]) == TEXT
    assert {event["model"] for event in asked.chunks or [asked.body]} == {alias}
    assert (asked.finish, asked.done, asked.broken) == ("stop", stream, False)


def test_several_choices_stay_apart(gateway: Gateway, alias: str) -> None:
    asked = post(gateway, "/v1/completions", alias, prompt=["Once", "Twice"], n=2, stream=True)
    said = ["", "", "", ""]
    for event in asked.chunks:
        for choice in event["choices"]:
            said[choice["index"]] += choice["text"]

    assert said == [TEXT] * 4


@pytest.mark.parametrize("wanted", [False, True], ids=["not asked for", "asked for"])
def test_usage_of_a_stream_comes_only_when_it_was_asked_for(
    gateway: Gateway, alias: str, wanted: bool
) -> None:
    options = {"stream_options": {"include_usage": True}} if wanted else {}
    asked = post(gateway, "/v1/completions", alias, prompt="Once", stream=True, **options)

    assert (asked.usage is not None) == wanted
    assert all(event["choices"] for event in asked.chunks if not event.get("usage"))


@pytest.mark.parametrize(
    ("script", "options"),
    [
        pytest.param("cut", {"cut": 2}, id="cut"),
        pytest.param("cut-within", {}, id="cut within an event"),
        pytest.param("end", {"end": 3}, id="ended without a finish"),
        pytest.param("error-event", {}, id="an error"),
        pytest.param("garbage", {}, id="garbage"),
    ],
)
def test_a_stream_that_breaks_is_never_ended_as_if_it_had_finished(
    gateway: Gateway, upstream: Upstream, alias: str, script: str, options: dict[str, Any]
) -> None:
    upstream.script(script, **options, pace=5)
    asked = post(gateway, "/v1/completions", alias, prompt="Once", stream=True)

    assert (asked.status, asked.broken, asked.done) == (200, True, False)
    assert asked.error["type"] == "server_error"
    assert asked.finish is None
    assert TEXT.startswith(texts(asked))


def test_a_client_that_leaves_ends_the_target_s_work(
    gateway: Gateway, upstream: Upstream, alias: str
) -> None:
    upstream.script("stall", stall=2)
    body = {"model": alias, "prompt": "Once", "stream": True}
    with requests.post(f"{gateway.url}/v1/completions", json=body, stream=True, timeout=30) as reply:
        next(reply.iter_content(None))

    assert upstream.last.closed_early.wait(10)


# ─── embeddings, rankings ────────────────────────────────────────────────────────────────────────


def test_vectors_come_in_the_order_of_the_texts(gateway: Gateway, alias: str) -> None:
    asked = post(gateway, "/v1/embeddings", alias, input=["a", "b"], dimensions=2)

    assert [one["embedding"] for one in asked.body["data"]] == [vector("a", 2), vector("b", 2)]
    assert asked.body["usage"] == {"prompt_tokens": 2, "total_tokens": 2}


def test_documents_come_by_relevance_with_their_texts_if_asked_for(gateway: Gateway, alias: str) -> None:
    body = BODIES["/v1/rerank"] | {"top_n": 1, "return_documents": True}
    asked = post(gateway, "/v1/rerank", alias, **body)

    assert asked.body["results"] == [{"index": 1, "relevance_score": 1.0, "document": {"text": "a fast car"}}]


def test_cohere_s_sdk_finds_its_path(gateway: Gateway, alias: str) -> None:
    body = {"model": alias, **BODIES["/v1/rerank"]}
    reply = requests.post(f"{gateway.url}/v2/rerank", json=body, timeout=30)

    assert [one["index"] for one in reply.json()["results"]] == [1, 0]


@each
def test_the_log_names_the_api_and_never_the_target_s_model(gateway: Gateway, alias: str, path: str) -> None:
    before = len(gateway.log())
    post(gateway, path, alias)
    log = gateway.log()[before:]

    assert f"→ {alias} {path.removeprefix('/v1/')} " in log
    assert f"wire-of-{alias}" not in log
