"""Keys are pushed through every path, and nothing that comes out, answer or log, holds one of them."""

from __future__ import annotations

import json
import socket
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
import requests

from tests.contract.client import Asked, ask, body_for
from tests.gateway import Gateway, config, free_port, running
from tests.upstream import Connection, Seen, Upstream
from tests.upstream.delivery import How, sse
from tests.upstream.wire import Body

# None of them looks like a key of any provider: no shape gives them away.
OF_THE_TARGET = "the-targets-own-canary"
OF_THE_HEADER = "canary/of=a+header"
OF_THE_CLIENT = "canary-of-the-client"
WRONG = "canary-of-a-stranger"
IN_QUERY = "canary-in-a-query"
IN_BODY = "canary-in-a-body"
IN_ADDRESS = "canary-in-an-address"
CANARIES = (OF_THE_TARGET, OF_THE_HEADER, OF_THE_CLIENT, WRONG, IN_QUERY, IN_BODY, IN_ADDRESS)

LITELLM = {"options": {"localcode": {"carrier": "litellm"}}}
MINE = {"Authorization": f"Bearer {OF_THE_CLIENT}"}

# ─── what a target may say about our keys ────────────────────────────────────────────────────────

Behaviour = Callable[[Connection, Seen], bool]
KEYS = f"{OF_THE_TARGET} and {OF_THE_HEADER}"


def answering(status: int, body: str, kind: str = "application/json", *more: tuple[str, str]) -> Behaviour:
    def behave(connection: Connection, seen: Seen) -> bool:
        length = ("Content-Length", str(len(body.encode())))
        connection.send_head(status, [("Content-Type", kind), length, *more])
        connection.send(body.encode())
        return True

    return behave


def streaming(*events: str) -> Behaviour:
    def behave(connection: Connection, seen: Seen) -> bool:
        connection.send_head(200, [("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked")])
        body = Body(connection, seen, "chunked", extensions=False)
        for event in events:
            body.send(sse(event, How()))
        body.end(trailers=False)
        return True

    return behave


def babbling(connection: Connection, seen: Seen) -> bool:
    connection.send(f"{KEYS}\r\n{KEYS}\r\n\r\n".encode())
    return False


def problem(**fields: object) -> str:
    return json.dumps({"error": {"message": f"Your key {KEYS} is not liked.", "type": "bad", **fields}})


HELLO = json.dumps({"model": "wire", "choices": [{"index": 0, "delta": {"content": "Hel"}}]})
HTML = (
    f"<html><body>Request with Authorization: Bearer {OF_THE_TARGET} ({OF_THE_HEADER}) failed</body></html>"
)
BEHAVIOURS: dict[str, Behaviour] = {
    "400": answering(400, problem(code="bad_key", param=OF_THE_TARGET)),
    "400 text": answering(400, f"bad request: {KEYS}", "text/plain"),
    "400 code": answering(400, problem(code=OF_THE_TARGET)),
    "400 type": answering(400, problem(type=OF_THE_TARGET)),
    "401": answering(401, problem(), "application/json", ("WWW-Authenticate", f"Bearer {OF_THE_TARGET}")),
    "402": answering(402, problem()),
    "422 detail": answering(422, json.dumps({"detail": [{"msg": KEYS, "loc": ["body", OF_THE_TARGET]}]})),
    "429": answering(429, problem(), "application/json", ("Retry-After", "1")),
    "500 html": answering(500, HTML, "text/html"),
    "502 text": answering(502, KEYS, "text/plain"),
    "503": answering(503, problem(code=OF_THE_HEADER)),
    "200 html": answering(200, HTML, "text/html"),
    "200 broken": answering(200, f'{{"choices": "{KEYS}'),
    "200 error": answering(200, problem()),
    "redirect": answering(302, "", "text/plain", ("Location", f"http://127.0.0.1:9/?key={OF_THE_TARGET}")),
    "no HTTP": babbling,
    "error event": streaming(HELLO, problem(code=401)),
    "first event": streaming(problem(code=500)),
    "garbage": streaming(HELLO, f'{{"choices": [{{"delta": "{KEYS}'),
    "no event": streaming(HELLO, f'"{KEYS}"'),
    "html stream": streaming(HTML),
}


# ─── everything that came out ────────────────────────────────────────────────────────────────────


def traces(text: str) -> list[str]:
    """The keys that stand in a text, in whatever spelling."""
    return [key for key in CANARIES for spelt in spellings(key) if spelt in text]


def spellings(key: str) -> set[str]:
    coded = [b64encode(f"{before}{key}".encode()).decode().rstrip("=")[4:-2] for before in ("", "u:", ":")]
    return {key, quote(key), quote(key, safe=""), key.upper(), key[::-1], *coded}


def all_of(asked: Asked) -> str:
    return f"{asked.headers}\n{asked.raw.decode(errors='replace')}"


def raw(gateway: Gateway, request: str) -> str:
    with socket.create_connection(("127.0.0.1", urlsplit(gateway.url).port or 0), timeout=20) as sock:
        sock.sendall(request.encode())
        answer = b""
        while data := sock.recv(65536):
            answer += data
        return answer.decode(errors="replace")


KINDS: dict[str, dict[str, Any]] = {
    "INFO console": {"model": {"id": "wire"}},
    "INFO json": {"model": {"id": "wire"}},
    "DEBUG console": {"model": {"id": "wire"}},
    "DEBUG json": {"model": {"id": "wire"}, "lite": {"id": "wire", **LITELLM}},
}
"""Level and format, and what is served; LiteLLM takes its time to load, so once must do."""


@pytest.fixture(params=KINDS)
def watched(request: pytest.FixtureRequest, upstream: Upstream, tmp_path: Path) -> Iterator[Gateway]:
    level, form = str(request.param).split()
    settings = config(
        upstream.base_url,
        KINDS[request.param],
        apiKey="{env:TARGET_KEY}",
        headers={"X-Api-Key": OF_THE_HEADER},
    )
    settings["provider"]["walled"] = config(
        f"http://user:{IN_ADDRESS}@127.0.0.1:{free_port()}/v1", {"walled": "wire"}
    )["provider"]["up"]
    environment = {
        "TARGET_KEY": OF_THE_TARGET,
        "LOCALCODE_API_KEYS": OF_THE_CLIENT,
        "LOCALCODE_LOG_LEVEL": level,
        "LOCALCODE_LOG_FORMAT": form,
    }
    with running(tmp_path, settings, **environment) as gateway:
        yield gateway


def test_no_key_ever_comes_out(watched: Gateway, upstream: Upstream) -> None:
    answers = {**said_by_targets(watched, upstream), **said_by_us(watched)}

    assert {name: traces(text) for name, text in answers.items() if traces(text)} == {}
    assert [line for line in watched.log().splitlines() if traces(line)] == []
    assert len(watched.log().splitlines()) > len(BEHAVIOURS)


def said_by_targets(gateway: Gateway, upstream: Upstream) -> dict[str, str]:
    """What clients get when a target behaves in each of those ways."""
    answers = {}
    listed = requests.get(f"{gateway.url}/v1/models", headers=MINE, timeout=10).json()["data"]
    for name, behaviour in BEHAVIOURS.items():
        upstream.play(behaviour)
        for alias in {model["id"] for model in listed} & {"model", "lite"}:
            for stream in (False, True):
                answers[f"{name} {alias} {stream}"] = all_of(
                    ask(gateway.url, alias, sending=MINE, stream=stream)
                )
    assert upstream.last.header("authorization") == f"Bearer {OF_THE_TARGET}"
    upstream.reset()
    return answers


def said_by_us(gateway: Gateway) -> dict[str, str]:
    """What clients get that bring keys to places where they do and do not belong."""
    in_body: dict[str, Any] = {
        "api_key": IN_BODY,
        "headers": {"Authorization": f"Bearer {IN_BODY}"},
        "extra_headers": {"x-api-key": IN_BODY},
    }
    strange = MINE | {"x-api-key": WRONG, "Cookie": f"k={WRONG}"}
    answers = {
        "in the body": all_of(ask(gateway.url, "model", "text", sending=MINE, **in_body)),
        "in the address": all_of(ask(gateway.url, "walled", sending=MINE)),
        "a second one": all_of(ask(gateway.url, "model", "text", sending=strange)),
    }
    for path in ("/v1/models", "/nothing", "/v1/models/nothing", "/health", "/health?probe=1"):
        for headers in (MINE, {"x-api-key": WRONG}, {"Authorization": f"Bearer {WRONG}"}, {}):
            query = f"{'&' if '?' in path else '?'}key={IN_QUERY}&api_key={IN_QUERY}"
            reply = requests.get(gateway.url + path + query, headers=headers, timeout=30)
            answers[f"{path} {headers}"] = f"{reply.headers}\n{reply.text}"
    for line in (
        f"GET /v1/x?key={IN_QUERY} HTTP/9.9",
        f"GET /x?key={IN_QUERY} HTTP/1.1\r\nA B: c",
        "\x01" * 9,
    ):
        answers[line] = raw(gateway, f"{line}\r\nAuthorization: Bearer {WRONG}\r\n\r\n")
    body = json.dumps(body_for("model", ""))
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {OF_THE_CLIENT}\r\n"
    chunks = f"Transfer-Encoding: chunked\r\n\r\n{len(body):x}\r\n{body}\r\nxyz\r\n"
    answers["broken chunks"] = raw(gateway, head + chunks)
    return answers
