"""The real OpenCode works through the gateway: it writes, edits and runs, and sees nothing but the alias."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.agents.opencode import OpenCode, provider
from tests.gateway import Gateway
from tests.upstream import Upstream
from tests.upstream.agent import edited

pytestmark = pytest.mark.full


def hash_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def files_that_name(word: str, folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and word.encode() in path.read_bytes()]


@pytest.mark.parametrize(("alias", "wire"), [("model", "wire-of-model"), ("lite", "wire-of-lite")])
def test_it_writes_edits_and_hashes_a_file(
    gateway: Gateway, upstream: Upstream, tmp_path: Path, alias: str, wire: str
) -> None:
    agent = OpenCode(tmp_path, provider(f"{gateway.url}/v1", alias), alias)
    run = agent.ask("Please make the file. [[script:agent nonce=n7]]")

    assert run.status == 0, run.err
    assert (agent.project / "hello.txt").read_text() == edited("n7")
    assert hash_of(edited("n7")) in run.said
    assert {seen.json["model"] for seen in upstream.requests} == {wire}
    assert {seen.header("authorization") for seen in upstream.requests} == {"Bearer sk-of-the-target"}
    assert wire not in run.out + run.err
    assert files_that_name(wire, agent.home) == []


@pytest.mark.parametrize("alias", ["model", "lite"])
def test_a_tool_call_that_was_cut_off_is_asked_for_again_and_never_run_by_halves(
    gateway: Gateway, upstream: Upstream, tmp_path: Path, alias: str
) -> None:
    agent = OpenCode(tmp_path, provider(f"{gateway.url}/v1", alias), alias)
    run = agent.ask("Please make the file. [[script:agent nonce=n8 cut=5 first=1]]")

    assert run.status == 0, run.err
    assert (agent.project / "hello.txt").read_text() == edited("n8")
    assert hash_of(edited("n8")) in run.said


def test_an_error_of_the_upstream_is_shown_once_and_under_the_alias(
    gateway: Gateway, upstream: Upstream, tmp_path: Path
) -> None:
    agent = OpenCode(tmp_path, provider(f"{gateway.url}/v1", "model"), "model")
    said = "message=The-tools-of-{model}-are-broken. kind=invalid_request_error"
    run = agent.ask(f"Hi [[script:status status=400 {said}]]")
    shown = run.events[-1]["error"]["data"]

    assert run.status == 1
    assert shown["message"] == "The-tools-of-model-are-broken."
    assert "wire-of-model" not in shown["responseBody"]
    assert [bool(seen.json.get("tools")) for seen in upstream.requests].count(True) == 1
