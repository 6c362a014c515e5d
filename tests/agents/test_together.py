"""OpenCode, Claude Code and Codex at work at the same time, through one gateway and one alias."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.agents.claude import ClaudeCode
from tests.agents.codex import Codex
from tests.agents.opencode import OpenCode
from tests.agents.ways import ALIASES, Agent, files_that_name, hash_of, settings_for
from tests.gateway import Gateway, config, running
from tests.upstream import Upstream
from tests.upstream.agent import edited

pytestmark = pytest.mark.full


@pytest.fixture(scope="module")
def gateway(upstream_of_the_session: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with running(tmp_path_factory.mktemp("gateway"), settings_for(upstream_of_the_session)) as gateway:
        yield gateway


def opencode(folder: Path, url: str) -> OpenCode:
    provider = config(f"{url}/v1", {alias: alias for alias in ALIASES})["provider"]["up"]
    return OpenCode(folder, {"provider": {"localcode": provider}})


AGENTS: dict[str, Callable[[Path, str], Agent]] = {
    "opencode": opencode,
    "claude": ClaudeCode,
    "codex": Codex,
}


@pytest.mark.parametrize("alias", ALIASES)
def test_each_writes_edits_and_hashes_a_file_of_its_own(
    gateway: Gateway, upstream: Upstream, tmp_path: Path, alias: str
) -> None:
    agents = {name: start(tmp_path / name, gateway.url) for name, start in AGENTS.items()}
    with ThreadPoolExecutor() as pool:
        runs = {
            name: pool.submit(agent.ask, alias, f"Please make the file. [[script:agent nonce={name}]]")
            for name, agent in agents.items()
        }

    for name, agent in agents.items():
        run = runs[name].result()
        assert run.status == 0, run.out + run.err
        assert (agent.project / "hello.txt").read_text() == edited(name)
        assert hash_of(edited(name)) in run.said
        assert "wire-of" not in run.out + run.err
        assert files_that_name("wire-of", agent.home) == []
