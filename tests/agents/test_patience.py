"""A target that falls silent for longer than 300 s: real agents wait for it, for they see signs of life.

Left alone, each of them would give up after 300 s and ask again, or ask in another way.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.agents.test_together import AGENTS
from tests.agents.ways import hash_of, settings_for
from tests.gateway import Gateway, running
from tests.upstream import Upstream
from tests.upstream.agent import edited

pytestmark = pytest.mark.full

SILENCE = 320
"""Seconds."""


@pytest.fixture
def gateway(upstream: Upstream, tmp_path: Path) -> Iterator[Gateway]:
    """One that waits longer for a target than it usually does."""
    settings = settings_for(upstream)
    for provider in settings["provider"].values():
        provider["options"]["chunkTimeout"] = 2 * SILENCE * 1000
    folder = tmp_path / "gateway"
    folder.mkdir()
    with running(folder, settings) as gateway:
        yield gateway


@pytest.mark.timeout(2 * SILENCE)
def test_each_sits_out_a_long_silence_within_an_answer(
    gateway: Gateway, upstream: Upstream, tmp_path: Path
) -> None:
    runs = {f"{name}-{alias}": (name, alias) for name in AGENTS for alias in ("native", "chat")}
    agents = {nonce: AGENTS[name](tmp_path / nonce, gateway.url) for nonce, (name, _) in runs.items()}
    silent = f"stall=3 stalled={SILENCE * 1000} first=1"
    with ThreadPoolExecutor(len(runs)) as pool:
        done = {
            nonce: pool.submit(
                agents[nonce].ask,
                alias,
                f"Please make the file. [[script:agent nonce={nonce} {silent}]]",
                timeout=SILENCE + 180,
            )
            for nonce, (_, alias) in runs.items()
        }

    for nonce, agent in agents.items():
        run = done[nonce].result()
        assert run.status == 0, run.out + run.err
        assert hash_of(edited(nonce)) in run.said
        assert (agent.project / "hello.txt").read_text() == edited(nonce)
        asked = [it for it in upstream.requests if it.json.get("tools") and nonce in json.dumps(it.json)]
        assert len(asked) == 4, f"{nonce} asked again"
