"""The real Codex works through the gateway: it writes, edits and runs, and sees nothing but the alias."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agents.codex import Codex
from tests.agents.ways import CLAUDE, NATIVE, files_that_name, hash_of, settings_for
from tests.gateway import Gateway, running
from tests.upstream import Upstream
from tests.upstream.agent import edited
from tests.upstream.chat import SIGNATURE

pytestmark = pytest.mark.full

KNOWN = {
    "gpt-5.5": {"id": "wire-of-patches", "options": {"localcode": NATIVE}},
    "gpt-6-luna": {"id": "wire-of-scripts", "options": {"localcode": NATIVE}},
    "chat/gpt-5.5": "wire-of-patches",
    "chat/gpt-6-luna": "wire-of-scripts",
}
"""Models that Codex knows: to the one it offers `apply_patch`, a custom tool; to the other, within the
conversation, a tool that takes JavaScript."""

PATHS = {
    "native": "/v1/responses",
    "chat": "/v1/chat/completions",
    "lite": "/v1/chat/completions",
    CLAUDE: "/v1/messages",
}
"""Alias → where its target is asked."""

each = pytest.mark.parametrize("alias", PATHS)


@pytest.fixture(scope="module")
def gateway(upstream_of_the_session: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    settings = settings_for(upstream_of_the_session, **KNOWN)
    with running(tmp_path_factory.mktemp("gateway"), settings) as gateway:
        yield gateway


@pytest.fixture
def agent(gateway: Gateway, upstream: Upstream, tmp_path: Path) -> Codex:
    return Codex(tmp_path, gateway.url)


@each
def test_it_writes_edits_and_hashes_a_file(agent: Codex, upstream: Upstream, alias: str) -> None:
    run = agent.ask(alias, "Please make the file. [[script:agent nonce=n7]]")

    assert run.status == 0, run.out + run.err
    assert (agent.project / "hello.txt").read_text() == edited("n7")
    assert hash_of(edited("n7")) in run.said
    assert {seen.path for seen in upstream.requests} == {PATHS[alias]}
    assert "wire-of" not in run.out + run.err
    assert files_that_name("wire-of", agent.home) == []


@pytest.mark.parametrize("alias", KNOWN)
def test_it_works_as_with_the_models_that_it_knows(agent: Codex, upstream: Upstream, alias: str) -> None:
    run = agent.ask(alias, "Please make the file. [[script:agent nonce=n7]]")
    changes = [event["item"]["type"] for event in run.events if event["type"] == "item.completed"]

    assert run.status == 0, run.out + run.err
    assert (agent.project / "hello.txt").read_text() == edited("n7")
    assert hash_of(edited("n7")) in run.said
    assert changes.count("file_change") == (2 if "gpt-5.5" in alias else 0)
    assert files_that_name("wire-of", agent.home) == []


@each
def test_a_cut_answer_is_asked_for_again_and_never_run_by_halves(
    agent: Codex, upstream: Upstream, alias: str
) -> None:
    run = agent.ask(alias, "Please make the file. [[script:agent nonce=n8 cut=8 first=1]]")

    assert run.status == 0, run.out + run.err
    assert (agent.project / "hello.txt").read_text() == edited("n8")
    assert hash_of(edited("n8")) in run.said
    assert len(upstream.requests) == 5


@each
def test_an_error_of_the_upstream_is_shown_once_and_under_the_alias(
    agent: Codex, upstream: Upstream, alias: str
) -> None:
    run = agent.ask(alias, "Hi [[script:status status=400 message=The-tools-of-{model}-are-broken.]]")

    assert run.status == 1
    assert len(run.errors) == 1
    assert f"The-tools-of-{alias}-are-broken." in run.errors[0]
    assert "wire-of" not in run.out + run.err
    assert len(upstream.requests) == 1
    assert files_that_name("wire-of", agent.home) == []


@each
def test_a_full_context_is_recognised(agent: Codex, alias: str) -> None:
    run = agent.ask(alias, "Hi [[script:too-long]]")

    assert "ran out of room in the model's context window" in run.errors[-1]


@each
def test_a_busy_target_is_waited_for(agent: Codex, alias: str) -> None:
    run = agent.ask(alias, "Hi [[script:flaky status=429 retry_after=1]]")

    assert (run.status, run.said) == (0, "Better now.")


def test_thoughts_go_back_as_they_were_sealed(agent: Codex, upstream: Upstream) -> None:
    run = agent.ask("native", 'Make it. [[script:agent nonce=n9 think="First a file."]]')
    thoughts = [item for item in upstream.last.json["input"] if item["type"] == "reasoning"]

    assert run.status == 0, run.out + run.err
    assert [thought["encrypted_content"] for thought in thoughts] == [SIGNATURE] * 3
