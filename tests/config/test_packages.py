from __future__ import annotations

import ast
from importlib.util import find_spec
from pathlib import Path

import pytest

from app.config.litellm_yaml import COMPATIBLE
from app.config.packages import KNOWN, PACKAGES, base_for_litellm


def names_of_litellm() -> set[str]:
    """LiteLLM's providers, read from its source: importing it takes seconds."""
    spec = find_spec("litellm")
    assert spec
    assert spec.origin
    source = Path(spec.origin).with_name("types") / "utils.py"
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.ClassDef) and node.name == "LlmProviders":
            return {
                line.value.value
                for line in node.body
                if isinstance(line, ast.Assign)
                and isinstance(line.value, ast.Constant)
                and isinstance(line.value.value, str)
            }
    raise AssertionError("LiteLLM has no LlmProviders any more")


def test_every_provider_that_litellm_is_asked_for_is_one_of_its() -> None:
    wanted = {package.litellm for package in PACKAGES.values() if package.litellm}

    assert wanted - names_of_litellm() == set()
    assert names_of_litellm() >= COMPATIBLE


def test_every_known_provider_has_a_known_package() -> None:
    assert {known.npm for known in KNOWN.values()} <= set(PACKAGES)


def test_every_relayed_known_provider_has_an_address() -> None:
    homeless = [
        name
        for name, known in KNOWN.items()
        if not known.api and PACKAGES[known.npm].carrier == "relay" and not PACKAGES[known.npm].base
    ]

    assert homeless == []


@pytest.mark.parametrize(
    ("provider", "base", "expected"),
    [
        ("gemini", "https://h", "https://h/v1beta"),
        ("gemini", "https://h/v1", "https://h/v1"),
        ("anthropic", "https://h/v1", "https://h"),
        ("anthropic", "https://h", "https://h"),
        ("cohere_chat", "https://h/v2", "https://h/v2/chat"),
        ("cohere_chat", "", ""),
        ("azure", "https://h/openai", "https://h"),
        ("ollama_chat", "http://h:11434/api", "http://h:11434"),
        ("groq", "https://h/openai/v1", "https://h/openai/v1"),
        (None, "https://h/v1", "https://h/v1"),
    ],
)
def test_a_base_has_the_form_that_litellm_wants(provider: str | None, base: str, expected: str) -> None:
    assert base_for_litellm(provider, base) == expected
