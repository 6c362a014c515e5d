"""What cannot be taken is refused in the words of the dialect whose path it came to."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest

from tests.fakes import FakeBackend, catalog, target
from tests.routes.conftest import Serve

BODIES: dict[str, dict[str, Any]] = {
    "/v1/messages": {"model": "alias", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]},
    "/v1/responses": {"model": "alias", "input": "Hi"},
}
PATHS = pytest.mark.parametrize("path", BODIES)


def kind_of(path: str, reply: Any, type: str, code: str) -> bool:
    """Whether it is that error: by its type for Messages, by its code for Responses."""
    error = reply.get_json()["error"]
    return bool(error["type"] == type if "messages" in path else error["code"] == code)


@PATHS
def test_a_body_beyond_the_limit_is_a_413(serve: Serve, path: str) -> None:
    backend = FakeBackend("Hello")
    reply = serve(backend=backend, max_body=1000).post(path, json=BODIES[path] | {"x": "x" * 1000})

    assert reply.status_code == 413
    assert kind_of(path, reply, "request_too_large", "request_too_large")
    assert backend.calls == []


@PATHS
def test_a_compressed_body_is_a_415(serve: Serve, path: str) -> None:
    reply = serve().post(path, data=b"\x1f\x8b", headers={"Content-Encoding": "gzip"})

    assert reply.status_code == 415
    assert kind_of(path, reply, "invalid_request_error", "unsupported_media_type")


@PATHS
def test_a_target_without_its_key_is_a_400_that_names_the_variable(serve: Serve, path: str) -> None:
    keyless = replace(target(), unavailable="PROVIDER_API_KEY is not set")
    reply = serve(serving=catalog(keyless)).post(path, json=BODIES[path])

    assert reply.status_code == 400
    assert "PROVIDER_API_KEY" in reply.get_json()["error"]["message"]
    assert kind_of(path, reply, "invalid_request_error", "upstream_key_missing")


def nested(inner: Any, levels: int = 900) -> Any:
    for _ in range(levels):
        inner = [inner]
    return inner


def closed(schema: Any, levels: int = 450) -> Any:
    """A schema of objects in objects, which is walked to see whether it is a strict one."""
    for _ in range(levels):
        schema = {"type": "object", "properties": {"a": schema}, "required": ["a"]}
        schema["additionalProperties"] = False
    return schema


def documents(block: Any, levels: int = 300) -> Any:
    for _ in range(levels):
        block = {"type": "document", "source": {"type": "content", "content": [block]}}
    return block


@pytest.mark.parametrize(
    "fields",
    [
        {"messages": [{"role": "user", "content": [documents({"type": "text", "text": "x"})]}]},
        {"messages": [{"role": "assistant", "content": [{"type": "x_tool_result", "content": nested([])}]}]},
        {"output_config": {"format": {"type": "json_schema", "schema": closed({"type": "string"})}}},
    ],
    ids=["documents", "results", "schema"],
)
def test_a_body_that_nobody_can_walk_is_a_400(serve: Serve, fields: Any) -> None:
    reply = serve().post("/v1/messages", json=BODIES["/v1/messages"] | fields)

    assert reply.status_code == 400
    assert reply.get_json()["error"]["message"] == "the body is nested too deeply"


def test_an_answer_that_nobody_can_walk_is_no_mistake_of_the_clients(serve: Serve) -> None:
    answer = {"choices": [{"index": 0, "message": {"content": nested([], 100_000)}, "finish_reason": "stop"}]}
    reply = serve(answer).post(
        "/v1/chat/completions", json={"model": "alias", "messages": [{"role": "user"}]}
    )

    assert reply.status_code == 500


@PATHS
def test_our_own_mistake_is_a_500_that_says_nothing_of_it(serve: Serve, path: str) -> None:
    reply = serve(RuntimeError("a secret detail")).post(path, json=BODIES[path])

    assert reply.status_code == 500
    assert "secret" not in reply.text
    assert kind_of(path, reply, "api_error", "internal_error")


@PATHS
def test_our_own_mistake_in_mid_stream_is_an_error_event(serve: Serve, path: str) -> None:
    reply = serve("Hel", RuntimeError("a secret detail")).post(path, json=BODIES[path] | {"stream": True})
    pieces: list[bytes] = []
    with pytest.raises(BrokenPipeError) if "messages" in path else nullcontext():
        pieces.extend(reply.iter_encoded())
    last = pieces[-1]

    assert last.startswith(b"event: error" if "messages" in path else b"event: response.failed")
    assert b"secret" not in last


@PATHS
@pytest.mark.parametrize("spelling", ["{}", "{}/", "/{}", "{}?beta=true", "short"])
def test_a_path_may_be_spelt_as_clients_do(serve: Serve, path: str, spelling: str) -> None:
    spelt = path.removeprefix("/v1") if spelling == "short" else spelling.format(path)

    assert serve().post(spelt, json=BODIES[path]).status_code == 200


@PATHS
def test_a_page_of_elsewhere_is_refused_in_the_dialect(serve: Serve, path: str) -> None:
    reply = serve().post(path, json=BODIES[path], headers={"Origin": "https://evil.example"})

    assert reply.status_code == 403
    assert kind_of(path, reply, "permission_error", "origin_not_allowed")
