"""The real Claude Code works through the gateway: it writes, edits and runs, and sees only the alias."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.agents.claude import ClaudeCode
from tests.agents.ways import CLAUDE, files_that_name, hash_of, settings_for
from tests.gateway import Gateway, running
from tests.upstream import Upstream
from tests.upstream.agent import edited
from tests.upstream.chat import SIGNATURE

pytestmark = pytest.mark.full

PATHS = {
    "native": "/v1/messages",
    CLAUDE: "/v1/messages",
    "chat": "/v1/chat/completions",
    "lite": "/v1/chat/completions",
}
"""Alias → where its target is asked."""

each = pytest.mark.parametrize("alias", PATHS)


@pytest.fixture(scope="module")
def gateway(upstream_of_the_session: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with running(tmp_path_factory.mktemp("gateway"), settings_for(upstream_of_the_session)) as gateway:
        yield gateway


@pytest.fixture
def agent(gateway: Gateway, upstream: Upstream, tmp_path: Path) -> ClaudeCode:
    return ClaudeCode(tmp_path, gateway.url)


@each
def test_it_writes_edits_and_hashes_a_file(agent: ClaudeCode, upstream: Upstream, alias: str) -> None:
    run = agent.ask(alias, "Please make the file. [[script:agent nonce=n7]]")

    assert run.status == 0, run.out + run.err
    assert (agent.project / "hello.txt").read_text() == edited("n7")
    assert hash_of(edited("n7")) in run.said
    assert {seen.path for seen in upstream.requests} == {PATHS[alias]}
    assert "wire-of" not in run.out + run.err
    assert files_that_name("wire-of", agent.home) == []


@each
def test_the_target_gets_its_own_key(agent: ClaudeCode, upstream: Upstream, alias: str) -> None:
    agent.ask(alias, "Hi")
    sent = str(upstream.last.headers)

    assert "sk-of-the-client" not in sent
    assert "sk-of-the-target" in sent


@pytest.mark.parametrize("alias", ["native", CLAUDE])
def test_what_only_anthropics_api_knows_is_relayed(agent: ClaudeCode, upstream: Upstream, alias: str) -> None:
    agent.ask(alias, "Hi")
    sent = upstream.last.json

    assert "claude-code-20250219" in (upstream.last.header("anthropic-beta") or "")
    assert {"context_management", "metadata", "output_config", "system", "thinking"} <= sent.keys()
    assert [message["role"] for message in sent["messages"]] == ["user", "system"]


@each
def test_an_answer_that_is_cut_within_its_first_block_is_asked_for_again(
    agent: ClaudeCode, upstream: Upstream, alias: str
) -> None:
    run = agent.ask(alias, "Please make the file. [[script:agent nonce=n8 cut=3 first=1]]")

    assert run.status == 0, run.out + run.err
    assert (agent.project / "hello.txt").read_text() == edited("n8")
    assert hash_of(edited("n8")) in run.said
    assert [bool(seen.json.get("stream")) for seen in upstream.requests] == [True, False, True, True, True]


@each
def test_a_tool_call_that_is_cut_off_is_an_error_and_never_run_by_halves(
    agent: ClaudeCode, upstream: Upstream, alias: str
) -> None:
    """Claude Code does not ask again once it has shown a block."""
    run = agent.ask(alias, "Please make the file. [[script:agent nonce=n8 cut=9 pace=100]]")

    assert run.status == 1
    assert run.said == f"API Error: the provider of '{alias}' broke off in the middle of its answer"
    assert list(agent.project.iterdir()) == []
    assert len(upstream.requests) == 1


@each
def test_an_error_of_the_upstream_is_shown_once_and_under_the_alias(
    agent: ClaudeCode, upstream: Upstream, alias: str
) -> None:
    run = agent.ask(alias, "Hi [[script:status status=400 message=The-tools-of-{model}-are-broken.]]")

    assert run.status == 1
    assert run.said == f"API Error: 400 The-tools-of-{alias}-are-broken."
    assert run.result["is_error"]
    assert len(upstream.requests) == 1
    assert files_that_name("wire-of", agent.home) == []


@each
def test_a_full_context_is_recognised(agent: ClaudeCode, alias: str) -> None:
    assert agent.ask(alias, "Hi [[script:too-long]]").result["terminal_reason"] == "prompt_too_long"


@each
def test_what_may_pass_is_waited_out(agent: ClaudeCode, alias: str) -> None:
    run = agent.ask(alias, "Hi [[script:flaky status=529]]")

    assert (run.status, run.said) == (0, "Better now.")


@pytest.mark.parametrize("alias", ["native", CLAUDE])
def test_thoughts_go_back_as_they_were_signed(agent: ClaudeCode, upstream: Upstream, alias: str) -> None:
    run = agent.ask(alias, 'Make it. [[script:agent nonce=n9 think="First a file."]]')
    turns = [turn for turn in upstream.last.json["messages"] if turn["role"] == "assistant"]

    assert run.status == 0, run.out + run.err
    assert [turn["content"][0] for turn in turns] == [
        {"type": "thinking", "thinking": "First a file.", "signature": SIGNATURE}
    ] * 3


@pytest.mark.parametrize("alias", ["native", "chat"])
def test_its_mode_for_gateways_works(
    gateway: Gateway, upstream: Upstream, tmp_path: Path, alias: str
) -> None:
    agent = ClaudeCode(tmp_path, gateway.url, CLAUDE_CODE_USE_GATEWAY="1")
    run = agent.ask(alias, "Please make the file. [[script:agent nonce=n7]]")

    assert run.status == 0, run.out + run.err
    assert (agent.project / "hello.txt").read_text() == edited("n7")


FOUND = [{"type": "tool_reference", "tool_name": "WebFetch"}]


@pytest.mark.parametrize("alias", ["native", "chat"])
def test_a_tool_that_it_finds_later_reaches_the_target(
    gateway: Gateway, upstream: Upstream, tmp_path: Path, alias: str
) -> None:
    """The result of its ToolSearch names a tool, which then is offered; chat is told so in words."""
    agent = ClaudeCode(tmp_path, gateway.url, ENABLE_TOOL_SEARCH="true")
    search = """[[script:tools name=ToolSearch arguments='{"query":"select:WebFetch"}']]"""
    agent.ask(alias, f"Hi {search}", "--max-turns", "2")
    before, after = [seen.json for seen in upstream.requests]

    assert "WebFetch" in names_of(after)
    assert "WebFetch" not in names_of(before)
    if alias == "native":
        assert after["messages"][-1]["content"][0]["content"] == FOUND
    else:
        result = {"role": "tool", "tool_call_id": "call_0", "content": "Tool 'WebFetch' is available now."}
        assert result in after["messages"]


def names_of(body: dict[str, Any]) -> set[str]:
    """The tools that a request offers, in either dialect."""
    return {tool.get("name") or tool["function"]["name"] for tool in body["tools"]}


@pytest.mark.parametrize("alias", ["chat", "lite"])
def test_it_is_told_how_full_its_context_is(agent: ClaudeCode, alias: str) -> None:
    """`/context` asks for a dozen counts at once; here no target can count, so the gateway does."""
    run = agent.ask(alias, "/context")
    shown = re.search(r"\| System tools \| ([\d.]+)k \|", run.said)

    assert shown is not None, run.said
    assert 10 < float(shown[1]) < 25
