"""The scripted upstream and the real gateway in front of it, for every test that wants them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

from tests.gateway import Gateway, config, running
from tests.upstream import Upstream

settings.register_profile("untimed", deadline=None)  # a busy machine is no failure
settings.load_profile("untimed")

AGAIN = {"maxRetries": 2, "retryAfter": 0.02}
LITELLM = {"carrier": "litellm"}
GEMINI = "gemini-3-pro-preview"
THOUGHTFUL = {"reasoning": True, "interleaved": {"field": "reasoning_content"}}
NATIVE = {"dialects": ["chat", "messages", "responses"]}
ALIASES = {
    "model": "wire-of-model",
    "lite": {"id": "wire-of-lite", "options": {"localcode": LITELLM}},
    "model-again": {"id": "wire-of-model", "options": {"localcode": AGAIN}},
    "lite-again": {"id": "wire-of-lite", "options": {"localcode": LITELLM | AGAIN}},
    "native": {"id": "wire-of-native", "options": {"localcode": NATIVE}},
    "gemini": GEMINI,
    "glm": {"id": "wire-of-glm", **THOUGHTFUL},
    "glm-lite": {"id": "wire-of-glm", "options": {"localcode": LITELLM}, **THOUGHTFUL},
    "native-again": {"id": "wire-of-native", "options": {"localcode": NATIVE | AGAIN}},
}
"""The aliases of the `gateway` fixture: the same upstream through either carrier, patient or not, and
as a target that speaks each dialect. `gemini` and `glm` want something of their own back."""


def settings_for(upstream: Upstream) -> dict[str, Any]:
    """The aliases; `claude` and `google`: the same upstream as OpenCode calls it with Anthropic's and
    Google's packages."""
    settings = config(upstream.base_url, ALIASES)
    claude = config(upstream.base_url, {"claude": "wire-of-claude"})["provider"]["up"]
    settings["provider"]["anthropic-like"] = claude | {"npm": "@ai-sdk/anthropic"}
    google = config(f"{upstream.base_url}beta", {"google": GEMINI})["provider"]["up"]
    settings["provider"]["google-like"] = google | {"npm": "@ai-sdk/google"}
    return settings


@pytest.fixture(scope="session")
def upstream_of_the_session() -> Iterator[Upstream]:
    with Upstream(models=["wire-of-model", "wire-of-lite"]) as upstream:
        yield upstream


@pytest.fixture
def upstream(upstream_of_the_session: Upstream) -> Upstream:
    """The scripted upstream that the `gateway` fixture calls; it remembers this test's requests only."""
    upstream_of_the_session.reset()
    return upstream_of_the_session


@pytest.fixture(scope="session")
def gateway_of_the_session(
    upstream_of_the_session: Upstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    settings = settings_for(upstream_of_the_session)
    with running(tmp_path_factory.mktemp("gateway"), settings) as gateway:
        yield gateway


@pytest.fixture
def gateway(gateway_of_the_session: Gateway, upstream: Upstream) -> Gateway:
    """A gateway as a process of its own, with `model` (relay), `lite` (LiteLLM), `native`, `claude` …"""
    return gateway_of_the_session
