"""Keys are pushed through Messages and Responses too, by every way, and none of them comes out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import NATIVE
from tests.contract.dialects import DIALECTS, Dialect, asking
from tests.gateway import Gateway, config, running
from tests.test_canary import (
    BEHAVIOURS,
    IN_BODY,
    KEYS,
    LITELLM,
    MINE,
    OF_THE_CLIENT,
    OF_THE_HEADER,
    OF_THE_TARGET,
    WRONG,
    Behaviour,
    all_of,
    answering,
    streaming,
    traces,
)
from tests.upstream import Upstream
from tests.upstream import messages as messages_upstream
from tests.upstream import responses as responses_upstream
from tests.upstream.chat import Shape, Turn

TURN = Turn(text=("Hel", "lo"))
SAID = {
    "messages": [json.dumps(event) for event in messages_upstream.events(TURN, Shape(id="msg_1"), {})],
    "responses": [json.dumps(event) for event in responses_upstream.events(TURN, Shape(id="resp_1"), {})],
}


def failing(**fields: Any) -> str:
    """A whole response that failed, or the event that says so."""
    response = json.loads(SAID["responses"][0])["response"]
    error = {"code": OF_THE_TARGET, "message": f"Your key {KEYS} is not liked."}
    return json.dumps({**response, "status": "failed", "error": error, **fields})


WORDS = {"type": "error", "error": {"type": OF_THE_TARGET, "message": f"Your key {KEYS} is not liked."}}
OWN: dict[str, dict[str, Behaviour]] = {
    "messages": {
        "400": answering(400, json.dumps(WORDS)),
        "401": answering(401, json.dumps(WORDS)),
        "529": answering(529, json.dumps(WORDS)),
        "200 error": answering(200, json.dumps(WORDS)),
        "error event": streaming(*SAID["messages"][:4], json.dumps(WORDS)),
        "first event": streaming(json.dumps(WORDS)),
        "garbage": streaming(*SAID["messages"][:4], f'{{"type": "{KEYS}'),
        "no event": streaming(f'"{KEYS}"'),
    },
    "responses": {
        "200 failed": answering(200, failing()),
        "failed event": streaming(
            *SAID["responses"][:5], f'{{"type":"response.failed","response":{failing()}}}'
        ),
        "error event": streaming(
            *SAID["responses"][:5], json.dumps({"type": "error", "message": KEYS, "code": OF_THE_TARGET})
        ),
        "first event": streaming(json.dumps({"type": "error", "message": KEYS, "code": "401"})),
        "garbage": streaming(*SAID["responses"][:5], f'{{"type": "{KEYS}'),
    },
}
"""What a target may say of our keys in its own dialect."""


@pytest.fixture(params=["DEBUG console", pytest.param("DEBUG json", marks=pytest.mark.full)])
def watched(request: pytest.FixtureRequest, upstream: Upstream, tmp_path: Path) -> Iterator[Gateway]:
    level, form = str(request.param).split()
    aliases = {"model": "wire", "native": {"id": "wire", "options": {"localcode": NATIVE}}}
    if form == "json":  # LiteLLM takes its time to load, so once must do
        aliases["lite"] = {"id": "wire", **LITELLM}
    settings = config(
        upstream.base_url, aliases, apiKey="{env:TARGET_KEY}", headers={"X-Gate-Token": OF_THE_HEADER}
    )
    environment = {
        "TARGET_KEY": OF_THE_TARGET,
        "LOCALCODE_API_KEYS": OF_THE_CLIENT,
        "LOCALCODE_LOG_LEVEL": level,
        "LOCALCODE_LOG_FORMAT": form,
    }
    with running(tmp_path, settings, **environment) as gateway:
        yield gateway


def test_no_key_ever_comes_out(watched: Gateway, upstream: Upstream) -> None:
    answers: dict[str, str] = {}
    for dialect in DIALECTS.values():
        answers |= said_by_targets(watched, upstream, dialect) | said_by_us(watched, dialect)

    assert {name: traces(text) for name, text in answers.items() if traces(text)} == {}
    assert [line for line in watched.log().splitlines() if traces(line)] == []
    assert watched.log().count("is not liked") + watched.log().count("***") > 5  # it saw them


def said_by_targets(gateway: Gateway, upstream: Upstream, dialect: Dialect) -> dict[str, str]:
    """What clients get when a target behaves in each of those ways."""
    behaviours = [
        *((name, alias, one) for name, one in BEHAVIOURS.items() for alias in aliases(gateway)),
        *((name, "native", one) for name, one in OWN[dialect.name].items()),
    ]
    answers = {}
    for name, alias, behaviour in behaviours:
        upstream.play(behaviour)
        for stream in (False, True):
            body = dialect.body(alias, "Hi") | {"stream": stream}
            asked = asking(gateway.url, dialect, body, MINE)
            answers[f"{dialect.name} {name} {alias} {stream}"] = all_of(asked)
            ended = any(kind in asked.raw for kind in (b'"response.failed"', b'"type":"error"'))
            failed = asked.status >= 400 or asked.broken or ended
            assert failed or "200 broken" in name, (name, alias, stream)
    assert OF_THE_TARGET in str(upstream.last.headers)
    upstream.reset()
    return answers


def aliases(gateway: Gateway) -> tuple[str, ...]:
    return ("model", "native", "lite") if '"time"' in gateway.log() else ("model", "native")


def said_by_us(gateway: Gateway, dialect: Dialect) -> dict[str, str]:
    """What clients get that bring keys to places where they do and do not belong."""
    hello = dialect.body("model", "[[script:text]]")
    cases: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
        "in the body": (hello | {"api_key": IN_BODY, "extra_headers": {"x-api-key": IN_BODY}}, MINE),
        "by the other header": (hello, {"x-api-key": OF_THE_CLIENT}),
        "wrong": (hello, {"x-api-key": WRONG}),
        "wrong bearer": (hello, {"Authorization": f"Bearer {WRONG}"}),
        "nobody": (hello | {"model": "nobody"}, MINE),
        "wrong type": (hello | {"tools": {"api_key": IN_BODY}}, MINE),
    }
    return {
        f"{dialect.name} {name}": all_of(asking(gateway.url, dialect, body, headers))
        for name, (body, headers) in cases.items()
    }
