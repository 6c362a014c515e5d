"""The scripted upstream and the real gateway in front of it, for every test that wants them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.gateway import Gateway, config, running
from tests.upstream import Upstream

AGAIN = {"maxRetries": 2, "retryAfter": 0.02}
LITELLM = {"carrier": "litellm"}
ALIASES = {
    "model": "wire-of-model",
    "lite": {"id": "wire-of-lite", "options": {"localcode": LITELLM}},
    "model-again": {"id": "wire-of-model", "options": {"localcode": AGAIN}},
    "lite-again": {"id": "wire-of-lite", "options": {"localcode": LITELLM | AGAIN}},
}
"""The aliases of the `gateway` fixture: the same upstream through either carrier, patient or not."""


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
    settings = config(upstream_of_the_session.base_url, ALIASES)
    with running(tmp_path_factory.mktemp("gateway"), settings) as gateway:
        yield gateway


@pytest.fixture
def gateway(gateway_of_the_session: Gateway, upstream: Upstream) -> Gateway:
    """A gateway with the aliases `model` (relay) and `lite` (LiteLLM), as a process of its own."""
    return gateway_of_the_session
