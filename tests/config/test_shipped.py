"""The opencode.json that ships: what a user gets from a clone, without and with keys."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.config import read_catalog
from app.config.catalog import Catalog, needs_litellm

SHIPPED = Path(__file__).parents[2] / "opencode.json"
KEYS = {"GEMINI_API_KEY": "gemini-key-1", "ZAI_API_KEY": "zai-key-12", "OPENCODE_API_KEY": "zen-key-12"}


def shipped(**environment: str) -> Catalog:
    return read_catalog(SHIPPED, environment, (("127.0.0.1", 4242),))


def test_it_has_no_problem_and_no_note() -> None:
    assert (shipped().problems, shipped().skipped) == ((), ())


def test_without_any_key_what_needs_none_is_ready() -> None:
    catalog = shipped()

    assert {name: catalog.targets[name].unavailable for name in catalog.aliases} == {
        "gemini-flash": "GEMINI_API_KEY is not set",
        "gemini-pro": "GEMINI_API_KEY is not set",
        "gemini-flash-compatible": "GEMINI_API_KEY is not set",
        "glm-4.7": "ZAI_API_KEY is not set",
        "glm-4.7-free": None,
        "big-pickle": None,
        "grok-code": None,
        "alpha-gd4": None,
        "llama": None,
        "echo": None,
    }
    assert not needs_litellm(catalog)


def test_with_the_keys_everything_is() -> None:
    catalog = shipped(**KEYS)

    assert [name for name in catalog.aliases if catalog.targets[name].unavailable] == []
    assert catalog.secrets == set(KEYS.values())
    assert needs_litellm(catalog)


@pytest.mark.parametrize(
    ("alias", "carrier", "base", "key"),
    [
        ("gemini-flash", "litellm", "https://generativelanguage.googleapis.com/v1beta", "gemini-key-1"),
        (
            "gemini-flash-compatible",
            "relay",
            "https://generativelanguage.googleapis.com/v1beta/openai",
            "gemini-key-1",
        ),
        ("glm-4.7", "relay", "https://api.z.ai/api/coding/paas/v4", "zai-key-12"),
        ("big-pickle", "relay", "https://opencode.ai/zen/v1", "zen-key-12"),
        ("llama", "relay", "http://127.0.0.1:8080/v1", ""),
        ("echo", "fixed", "", ""),
    ],
)
def test_each_alias_leads_where_it_should(alias: str, carrier: str, base: str, key: str) -> None:
    target = shipped(**KEYS).targets[alias]

    assert (target.carrier, target.base_url, target.api_key) == (carrier, base, key)


def test_without_a_key_of_ones_own_zen_is_asked_with_its_public_one() -> None:
    assert shipped().targets["glm-4.7-free"].api_key == "public"


def test_geminis_base_can_be_another() -> None:
    target = shipped(GEMINI_API_BASE="https://proxy.example/v1beta").targets["gemini-flash"]

    assert target.base_url == "https://proxy.example/v1beta"


def test_echo_answers_without_key_and_network() -> None:
    target = shipped().targets["echo"]

    assert target.mock_response
    assert target.carrier == "fixed"
