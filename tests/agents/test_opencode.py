"""The real OpenCode works through the gateway: it writes, edits and runs, and sees nothing but the alias.

It is given what README.md shows, so the gateway has to serve two of the aliases there.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agents.opencode import OpenCode, settings_of_readme
from tests.agents.ways import files_that_name, hash_of
from tests.gateway import Gateway, config, running
from tests.upstream import Upstream
from tests.upstream.agent import edited

pytestmark = pytest.mark.full


ALIASES = {
    "glm-4.7": "wire-of-relay",
    "gemini-flash": {"id": "wire-of-litellm", "options": {"localcode": {"carrier": "litellm"}}},
}

both = pytest.mark.parametrize(
    ("alias", "wire"), [("glm-4.7", "wire-of-relay"), ("gemini-flash", "wire-of-litellm")]
)


@pytest.fixture(scope="module")
def gateway(upstream_of_the_session: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    settings = config(upstream_of_the_session.base_url, ALIASES)
    with running(tmp_path_factory.mktemp("gateway"), settings) as gateway:
        yield gateway


@pytest.fixture
def agent(gateway: Gateway, tmp_path: Path) -> OpenCode:
    return OpenCode(tmp_path, settings_of_readme(gateway.url))


@both
def test_it_writes_edits_and_hashes_a_file(
    agent: OpenCode, upstream: Upstream, alias: str, wire: str
) -> None:
    run = agent.ask(alias, "Please make the file. [[script:agent nonce=n7]]")

    assert run.status == 0, run.err
    assert (agent.project / "hello.txt").read_text() == edited("n7")
    assert hash_of(edited("n7")) in run.said
    assert {seen.json["model"] for seen in upstream.requests if seen.json.get("tools")} == {wire}
    assert {seen.header("authorization") for seen in upstream.requests} == {"Bearer sk-of-the-target"}
    assert "wire-of" not in run.out + run.err
    assert files_that_name("wire-of", agent.home) == []


@both
def test_a_tool_call_that_was_cut_off_is_asked_for_again_and_never_run_by_halves(
    agent: OpenCode, upstream: Upstream, alias: str, wire: str
) -> None:
    run = agent.ask(alias, "Please make the file. [[script:agent nonce=n8 cut=5 first=1]]")

    assert run.status == 0, run.err
    assert (agent.project / "hello.txt").read_text() == edited("n8")
    assert hash_of(edited("n8")) in run.said


def test_an_error_of_the_upstream_is_shown_once_and_under_the_alias(
    agent: OpenCode, upstream: Upstream
) -> None:
    said = "message=The-tools-of-{model}-are-broken. kind=invalid_request_error"
    run = agent.ask("glm-4.7", f"Hi [[script:status status=400 {said}]]")
    shown = run.events[-1]["error"]["data"]

    assert run.status == 1
    assert shown["message"] == "The-tools-of-glm-4.7-are-broken."
    assert "wire-of" not in shown["responseBody"]
    assert [bool(seen.json.get("tools")) for seen in upstream.requests].count(True) == 1
