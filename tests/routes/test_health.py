"""Is the gateway there, and what could it serve? Asking that calls nobody, unless asked to."""

from __future__ import annotations

import pytest
import requests

from app import __version__
from app.types import Target
from tests.fakes import catalog, target
from tests.gateway import Gateway
from tests.routes.conftest import Serve
from tests.upstream import Raw, Upstream


@pytest.mark.parametrize("path", ["/health", "/v1/health", "/health/", "/health?probe=0"])
def test_health_says_who_is_there_and_what_it_could_serve(serve: Serve, path: str) -> None:
    targets: tuple[Target, ...] = (
        target(),
        target(alias="later", unavailable="ZAI_API_KEY is not set"),
    )
    told = serve(serving=catalog(*targets)).get(path).get_json()

    assert told.pop("uptime_seconds") >= 0
    assert told == {
        "status": "ok",
        "provider": "localcode",
        "version": __version__,
        "targets": {
            "alias": {"available": True},
            "later": {"available": False, "reason": "ZAI_API_KEY is not set"},
        },
    }


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/"])
def test_the_root_answers_those_who_only_look_whether_somebody_is_there(serve: Serve, path: str) -> None:
    client = serve()

    assert client.head(path).status_code == 200
    assert client.head(path).data == b""
    assert client.get(path).get_json() == {"name": "LocalCode", "models": "/v1/models", "health": "/health"}


def test_health_calls_nobody(gateway: Gateway, upstream: Upstream) -> None:
    before = upstream.connections

    for path in ("/health", "/v1/health", "/health?probe=0", "/models", "/v1/models/model", "/"):
        assert requests.get(gateway.url + path, timeout=10).status_code == 200

    assert upstream.requests == []
    assert upstream.connections == before


def test_a_probe_asks_each_provider_once_with_its_own_key(gateway: Gateway, upstream: Upstream) -> None:
    told = requests.get(f"{gateway.url}/health?probe=1", headers={"x-api-key": "sk-mine"}, timeout=30).json()

    assert told["targets"]["model"].pop("latency_ms") >= 0
    assert told["targets"]["model"] == {"available": True, "reachable": True}
    assert told["targets"]["lite"]["reachable"] is True
    asked = [seen for seen in upstream.requests if seen.header("authorization")]
    assert [(seen.method, seen.path) for seen in asked] == [("GET", "/v1/models")]
    assert asked[0].header("authorization") == "Bearer sk-of-the-target"
    assert {seen.path for seen in upstream.requests} == {"/v1/models", "/v1beta/models"}
    assert len(upstream.requests) == 3  # Anthropic's and Google's form of it, with keys in their own headers
    assert "sk-mine" not in str([seen.headers for seen in upstream.requests])


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (Raw(401, b'{"error": "wrong key sk-of-the-target"}'), "refuses the key"),
        (Raw(500, b"<html>sk-of-the-target</html>", "text/html"), "gives no model list"),
        (Raw(200, b"<html>hello</html>", "text/html"), "not JSON"),
    ],
)
def test_a_probe_says_what_is_wrong_and_still_answers_200(
    gateway: Gateway, upstream: Upstream, raw: Raw, why: str
) -> None:
    upstream.answer("GET", "/v1/models", raw)

    reply = requests.get(f"{gateway.url}/v1/health?probe=1", timeout=30)

    assert reply.status_code == 200
    assert reply.json()["status"] == "ok"
    assert reply.json()["targets"]["model"]["reachable"] is False
    assert why in reply.json()["targets"]["model"]["why"]
    assert "sk-of-the-target" not in reply.text
