"""What README.md tells people to write into their files fits.

That OpenCode does real work with it is shown in tests/agents.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.config import read_catalog
from tests.agents.opencode import OpenCode, settings_of_readme
from tests.docs.pages import page
from tests.gateway import ROOT, Gateway, running

SETTINGS = settings_of_readme("http://127.0.0.1:4242")
MODELS = SETTINGS["provider"]["localcode"]["models"]


def test_it_names_aliases_of_the_shipped_file_and_their_limits() -> None:
    targets = read_catalog(ROOT / "opencode.json", {}).targets
    limits = {alias: targets[alias].facts.get("limit", MODELS[alias]["limit"]) for alias in MODELS}

    assert {alias: model["limit"] for alias, model in MODELS.items()} == limits


def test_its_model_is_one_of_them() -> None:
    provider, _, alias = SETTINGS["model"].partition("/")

    assert provider in SETTINGS["provider"]
    assert alias in MODELS


def test_a_model_of_ones_own_is_read_as_it_stands_there(tmp_path: Path) -> None:
    shown = next(block.text for block in page("README.md").blocks if block.text.startswith('"mine"'))
    file = tmp_path / "opencode.json"
    file.write_text(f'{{"provider": {{{shown}}}}}')
    catalog = read_catalog(file, {"MY_KEY": "a-key-of-mine"})

    assert catalog.problems == ()
    assert catalog.targets["coder"].name == "mine/qwen3-coder"
    assert catalog.targets["coder"].unavailable is None


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway as it is after a clone: no key, no network."""
    with running(tmp_path_factory.mktemp("shipped"), ROOT / "opencode.json") as gateway:
        yield gateway


@pytest.mark.full
def test_the_first_command_gets_an_answer_without_any_key(shipped: Gateway, tmp_path: Path) -> None:
    run = OpenCode(tmp_path, settings_of_readme(shipped.url)).ask("echo", "Are you there?")

    assert run.status == 0, run.err
    assert run.said == "LocalCode is up: this answer came from the alias echo."


@pytest.mark.full
def test_a_missing_key_is_told_by_the_name_of_its_variable(shipped: Gateway, tmp_path: Path) -> None:
    run = OpenCode(tmp_path, settings_of_readme(shipped.url)).ask("glm-4.7", "Hello")

    assert run.status == 1
    said = run.events[-1]["error"]["data"]["message"]
    assert said == "'glm-4.7' cannot be used: ZAI_API_KEY is not set (set it in the environment or in .env)"
