"""The application as it is wired: cheap to import, silent to make, whole under either prefix."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from app import create_app
from app.config.settings import Settings
from app.logs import release
from tests.fakes import catalog, target
from tests.gateway import bare_environment


def printed(folder: Path, program: str) -> str:
    """What a fresh interpreter prints."""
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        cwd=folder,
        env=bare_environment(folder),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


HEAVY = "{'flask', 'gunicorn', 'gevent', 'litellm', 'openai', 'httpx', 'requests', 'pydantic', 'yaml'}"


def test_importing_app_loads_nothing(tmp_path: Path) -> None:
    assert printed(tmp_path, f"import app, sys; print({HEAVY} & set(sys.modules))") == "set()"


def test_the_command_line_loads_no_server_until_it_serves(tmp_path: Path) -> None:
    heavy = "{'flask', 'gevent', 'litellm', 'openai', 'httpx', 'requests'}"

    assert printed(tmp_path, f"import app.cli, sys; print({heavy} & set(sys.modules))") == "set()"


def test_making_and_asking_it_needs_neither_litellm_nor_the_network(tmp_path: Path) -> None:
    program = """
        import sys
        def alarm(event, details):
            if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto", "subprocess.Popen"):
                raise SystemExit(f"{event} {details}")
        sys.addaudithook(alarm)
        from app import create_app
        from app.config.settings import Settings
        from tests.fakes import catalog, target
        fixed = target(alias="fixed", carrier="fixed", base_url="", mock_response="Hello")
        client = create_app(Settings(), catalog(target(), fixed)).test_client()
        for path in ("/health", "/v1/models", "/v1/models/alias", "/nothing"):
            client.get(path)
        client.post("/v1/chat/completions", json={"model": "nobody", "messages": [{"role": "user"}]})
        asked = {"model": "fixed", "messages": [{"role": "user", "content": "Hi"}]}
        assert b"Hello" in client.post("/v1/chat/completions", json=asked).data
        print({"litellm", "openai", "httpx", "requests", "gevent"} & set(sys.modules))
    """

    assert printed(tmp_path, program) == "set()"


def test_every_endpoint_stands_with_and_without_v1() -> None:
    rules = {rule.rule for rule in create_app(Settings(), catalog(target())).url_map.iter_rules()}
    bare = {rule for rule in rules if not rule.startswith(("/v1", "/v2"))}
    apis = {"/chat/completions", "/messages", "/completions", "/embeddings", "/rerank"}
    apis |= {f"/responses{rest}" for rest in ("", "/<answer_id>", "/<answer_id>/input_items")}
    apis |= {"/messages/count_tokens", "/responses/input_tokens"}

    assert bare == {"/", "/health", "/models", "/models/<path:alias>"} | apis
    assert rules == bare | {f"/v1{rule}" for rule in bare} | {"/v2/rerank"}


def test_a_renewed_catalog_is_served_at_once_and_whole() -> None:
    app = create_app(Settings(), catalog(target()))
    client = app.test_client()
    app.extensions["renew"](catalog(target(alias="newcomer")))

    assert [model["id"] for model in client.get("/v1/models").get_json()["data"]] == ["newcomer"]
    assert client.get("/v1/models/alias").status_code == 404
    assert list(client.get("/health").get_json()["targets"]) == ["newcomer"]


def test_two_applications_share_nothing() -> None:
    first, second = (create_app(Settings(), catalog(target(alias=name))) for name in ("one", "two"))
    first.extensions["renew"](catalog(target(alias="three")))

    assert second.test_client().get("/v1/models/two").status_code == 200
    assert second.test_client().get("/v1/models/three").status_code == 404


def test_two_gateways_are_not_taken_for_one_another() -> None:
    assert Settings().instance != Settings().instance


@pytest.fixture(autouse=True)
def _borrowed_logs() -> object:
    yield
    release()
