"""The messages in README.md's troubleshooting are what is really said: each is caused here."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import SIGHUP
from typing import Any

import pytest
import requests
from click.testing import CliRunner
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import create_app
from app.cli import main
from app.config.settings import read_settings
from app.gateway import Gateway as Served
from tests import fakes
from tests.contract.client import ask, body_for
from tests.docs.pages import page
from tests.gateway import Gateway, config, free_port, running
from tests.upstream import Upstream


def providers(upstream: str) -> dict[str, Any]:
    """Aliases of the shipped file, but at the scripted upstream, and a few that are wrong on purpose."""

    def compatible(models: dict[str, Any], base: str = upstream, **options: Any) -> dict[str, Any]:
        return {"options": {"baseURL": base, **options}, "models": models}

    return {
        "provider": {
            "google": compatible({"gemini-flash": {}}, apiKey="{env:GEMINI_API_KEY}"),
            "zai-coding-plan": compatible({"glm-4.7": {}}, apiKey="{env:ZAI_API_KEY}"),
            "opencode": compatible({"big-pickle": {"cost": {"input": 0, "output": 0}}}),
            "llama.cpp": compatible({"llama": {}}, base=f"http://127.0.0.1:{free_port()}/v1"),
            "wrong": compatible({"page": {"id": "html"}, "lost": {"id": "status?status=404&form=html"}}),
            "slow": compatible({"slow": {"id": "mute"}}, headerTimeout=200),
        }
    }


@pytest.fixture(scope="module")
def up() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def troubled(up: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("troubled")
    with running(folder, providers(up.base_url), ZAI_API_KEY="sk-wrong-0123456789") as gateway:
        yield gateway


# ---------------------------------------------------------------- what a client shows


def asking(alias: str, script: str = "", **body: Any) -> Callable[[Gateway, Upstream], str]:
    def said(gateway: Gateway, up: Upstream) -> str:
        error = ask(gateway.url, alias, script, **body).error
        return f"{error['message']} {error['code']}"

    return said


def with_a_wrong_key(gateway: Gateway, up: Upstream) -> str:
    with served(LOCALCODE_API_KEYS="another") as client:
        return message_of(client.get("/v1/models"))


def with_too_much(gateway: Gateway, up: Upstream) -> str:
    reply = requests.post(f"{gateway.url}/v1/chat/completions", data=b" " * 33 * 2**20, timeout=30)
    return str(reply.json()["error"]["message"])


def in_a_circle(gateway: Gateway, up: Upstream) -> str:
    ask(gateway.url, "glm-4.7", "text")
    mark = up.last.header("via") or ""
    return str(ask(gateway.url, "glm-4.7", "text", sending={"via": mark}).error["code"])


def elsewhere(gateway: Gateway, up: Upstream) -> str:
    reply = requests.post(f"{gateway.url}/v1/images/generations", json={}, timeout=30)
    return str(reply.json()["error"]["message"])


def in_anthropics_words(gateway: Gateway, up: Upstream) -> str:
    message = {"role": "user", "content": "Hello [[script:too-long]]"}
    body = {"model": "glm-4.7", "max_tokens": 9, "messages": [message]}
    reply = requests.post(f"{gateway.url}/v1/messages", json=body, timeout=30)
    return str(reply.json()["error"]["message"])


def going_on_from_nothing(gateway: Gateway, up: Upstream) -> str:
    body = {"model": "glm-4.7", "input": "Go on", "previous_response_id": "resp_1"}
    reply = requests.post(f"{gateway.url}/v1/responses", json=body, timeout=30)
    return str(reply.json()["error"]["message"])


def with_a_bug_of_ours(gateway: Gateway, up: Upstream) -> str:
    with served() as client:
        backend = fakes.FakeBackend(ZeroDivisionError("ours"))
        client.application.extensions["gateway"] = Served(fakes.catalog(fakes.target()), {"relay": backend})
        return message_of(client.post("/v1/chat/completions", json=body_for("alias", "")))


def message_of(reply: TestResponse) -> str:
    return str((reply.get_json() or {})["error"]["message"])


@contextmanager
def served(**environment: str) -> Iterator[FlaskClient]:
    with create_app(read_settings(environment), fakes.catalog(fakes.target())).test_client() as client:
        yield client


SHOWN = {
    "'gemini-flash' cannot be used: GEMINI_API_KEY is not set": asking("gemini-flash"),
    "the provider of 'glm-4.7' refused the gateway's key (401): check ZAI_API_KEY": asking(
        "glm-4.7", "canary"
    ),
    "the provider of 'big-pickle' refused the shared key 'public' (401):"
    " set a key of your own in OPENCODE_API_KEY": asking("big-pickle", "canary"),
    "upstream_billing_error": asking("glm-4.7", "status status=429 code=1113 message=Insufficient_balance"),
    "a key of this gateway is needed, as 'Authorization: Bearer <key>'"
    " (LOCALCODE_API_KEYS names them)": with_a_wrong_key,
    "a web page may not use this gateway unless LOCALCODE_CORS_ORIGINS names its origin": asking(
        "glm-4.7", sending={"Origin": "https://a-page.example"}
    ),
    "model 'glm' is not configured; close: glm-4.7": asking("glm"),
    "cannot reach the provider of 'llama': connection refused": asking("llama"),
    "the provider of 'page' answered a web page: check its baseURL": asking("page"),
    "the provider of 'lost' answered 404: check its baseURL, and the model's id": asking("lost"),
    "context_length_exceeded": asking("glm-4.7", "too-long"),
    "rate_limit_exceeded": asking("glm-4.7", "busy"),
    "the provider of 'slow' did not begin to answer in time": asking("slow"),
    "the provider of 'glm-4.7' broke off in the middle of its answer": asking("glm-4.7", "cut", stream=True),
    "the body is larger than 32 MB (LOCALCODE_MAX_BODY_MB sets the limit)": with_too_much,
    "loop_detected": in_a_circle,
    "there is nothing at POST /v1/images/generations: see GET /v1/models, API_SPEC.md": elsewhere,
    "prompt is too long": in_anthropics_words,
    "Previous response with id 'resp_1' not found.": going_on_from_nothing,
    "the gateway failed: see its log for this request id": with_a_bug_of_ours,
}


@pytest.mark.parametrize("message", SHOWN)
def test_a_client_is_told_what_the_readme_says(message: str, troubled: Gateway, up: Upstream) -> None:
    assert message in SHOWN[message](troubled, up)


# ---------------------------------------------------------------- what the start and a reload say


def starting(*options: str, **environment: str) -> Callable[[Path], str]:
    def said(folder: Path) -> str:
        (folder / "my.json").write_text('{\n  "provider": {\n    "x": { "models" {} }\n  }\n}\n')
        found = CliRunner(env={"LOCALCODE_CONFIG": "my.json", **environment}).invoke(
            main, ["serve", *options]
        )
        assert found.exit_code == 1
        return found.output

    return said


def starting_where_somebody_listens(folder: Path) -> str:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        return starting("--port", port, LOCALCODE_CONFIG="good.json")(folder).replace(port, "4242")


def reloading(folder: Path) -> str:
    with running(folder, config("http://127.0.0.1:1/v1", {})) as gateway:
        (folder / "opencode.json").write_text("{")
        gateway.process.send_signal(SIGHUP)
        while "not reloaded" not in gateway.log() and gateway.process.poll() is None:
            pass
        return gateway.log()


SAID = {
    "port 4242 is in use": starting_where_somebody_listens,
    "there is no such file": starting("--config", "nowhere.json"),
    "there is no colon between the key and its value": starting(),
    "'99999' is no whole number from 1 to 65535": starting("--port", "99999"),
    "0.0.0.0 can be reached from other machines, and who reaches it uses your providers' keys": starting(
        "--host", "0.0.0.0", LOCALCODE_CONFIG="good.json"
    ),
    "configuration not reloaded: the old one goes on": reloading,
}


@pytest.mark.parametrize("message", SAID)
def test_the_start_says_what_the_readme_says(
    message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.json").write_text('{"provider": {"x": {"api": "http://h/v1", "models": {"m": {}}}}}')

    assert message in " ".join(SAID[message](tmp_path).split())


@pytest.mark.parametrize(
    ("titles", "caused"),
    [
        (("message or code", "because", "what to do"), SHOWN),
        (("message", "because", "what to do"), SAID),
    ],
    ids=["shown", "said"],
)
def test_the_readme_names_these_messages_and_no_others(
    titles: tuple[str, ...], caused: dict[str, Any]
) -> None:
    assert [row[0].strip("`") for row in page("README.md").rows(*titles)] == list(caused)
