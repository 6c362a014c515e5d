"""The entry that README.md shows is all that the real OpenCode needs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from app.config import read_catalog
from tests.agents.opencode import OpenCode, provider
from tests.agents.test_opencode import files_that_name, hash_of
from tests.docs.pages import ROOT, page
from tests.gateway import Gateway, config, running
from tests.upstream import Upstream
from tests.upstream.agent import edited

SHOWN: dict[str, Any] = next(
    json.loads(block.text)
    for block in page("README.md").blocks
    if block.language == "json" and '"localcode"' in block.text
)
ENTRY: dict[str, Any] = SHOWN["provider"]["localcode"]
PREFIX, _, MODEL = SHOWN["model"].partition("/")


def test_the_entry_names_aliases_of_the_shipped_configuration_with_their_limits() -> None:
    catalog = read_catalog(ROOT / "opencode.json", {})
    limits = {alias: catalog.targets[alias].facts.get("limit") for alias in ENTRY["models"]}

    assert PREFIX == "localcode"
    assert MODEL in ENTRY["models"]
    assert {alias: limit for alias, limit in limits.items() if limit}.items() <= {
        alias: model["limit"] for alias, model in ENTRY["models"].items()
    }.items()


def test_the_tests_use_the_same_entry() -> None:
    url = ENTRY["options"]["baseURL"]

    assert {**provider(url), "models": {}} == {**ENTRY, "models": {}}


@pytest.mark.full
def test_opencode_writes_edits_and_runs_a_file_with_nothing_but_the_entry(tmp_path: Path) -> None:
    wire = "agent?nonce=n9"
    with Upstream() as upstream, running(tmp_path, config(upstream.base_url, {MODEL: wire})) as gateway:
        agent = OpenCode(tmp_path / "agent", _at(gateway), MODEL)
        run = agent.ask("Please make the file.")

    assert run.status == 0, run.err
    assert (agent.project / "hello.txt").read_text() == edited("n9")
    assert hash_of(edited("n9")) in run.said
    assert files_that_name(wire, agent.home) == []


@pytest.mark.full
def test_opencode_names_the_alias_when_the_gateway_has_no_key(tmp_path: Path) -> None:
    with running(tmp_path, ROOT / "opencode.json") as gateway:
        run = OpenCode(tmp_path / "agent", _at(gateway), MODEL).ask("Hello")

    assert run.status == 1
    assert run.events[-1]["error"]["data"]["message"] == f"'{MODEL}' cannot be used: ZAI_API_KEY is not set"


@pytest.mark.full
def test_opencode_talks_to_echo(tmp_path: Path) -> None:
    with running(tmp_path, ROOT / "opencode.json") as gateway:
        run = OpenCode(tmp_path / "agent", _at(gateway), "echo").ask("Are you there?")

    assert run.status == 0, run.err
    assert re.search("LocalCode is up", run.said)


def _at(gateway: Gateway) -> dict[str, Any]:
    """The entry, with the address of this gateway."""
    return {**ENTRY, "options": {**ENTRY["options"], "baseURL": f"{gateway.url}/v1"}}
