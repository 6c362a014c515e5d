"""Which family a model's id belongs to."""

from __future__ import annotations

import pytest

from app.utils.tokens_families import family_of
from tests.fakes import target


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("gpt-4o", "gpt"),
        ("gpt-4o-mini", "gpt-4o-mini"),
        ("gpt-4.1-mini", "gpt mini"),
        ("gpt-4.1-nano", "gpt nano"),
        ("gpt-5.1-codex", "gpt-5"),
        ("gpt-5-mini", "gpt mini"),
        ("o3", "gpt"),
        ("openai/o4-mini", "gpt mini"),
        ("openai/gpt-oss-120b", "gpt-oss"),
        ("claude-3-7-sonnet-20250219", "claude"),
        ("claude-opus-4-20250514", "claude"),
        ("claude-opus-4-1-20250805", "claude"),
        ("claude-sonnet-4-5", "claude"),
        ("anthropic.claude-opus-4-6-v1:0", "claude"),
        ("claude-opus-4-7", "claude 4.7"),
        ("anthropic/claude-opus-4.8", "claude 4.7"),
        ("claude-sonnet-5", "claude 4.7"),
        ("gemini-2.5-pro", "gemini"),
        ("models/gemini-3-flash-preview", "gemini 3"),
        ("gemini-3.5-flash", "gemini 3"),
        ("google/gemma-3-27b-it", "gemma"),
        ("qwen3-coder", "qwen"),
        ("Qwen/Qwen3.6-35B-A3B", "qwen 3.5"),
        ("deepseek-v3.2", "deepseek"),
        ("devstral-small", "mistral"),
        ("mistral-large", "mistral"),
        ("glm-5.1", "other"),
        ("", "other"),
    ],
)
def test_a_model_belongs_to_the_family_that_its_id_names(model: str, family: str) -> None:
    assert family_of(target(model=model)).name == family


def test_the_provider_counts_where_the_id_does_not_tell() -> None:
    assert family_of(target(model="my-deployment", litellm_provider="gemini")).name == "gemini"
