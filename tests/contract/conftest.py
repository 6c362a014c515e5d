"""The same promises over both carriers: each test of this folder runs once for either."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.conftest import LITELLM, NATIVE
from tests.contract.client import Asked, ask
from tests.gateway import Gateway, config, running
from tests.upstream import Upstream

Ask = Callable[..., Asked]

CARRIERS = {"relay": "model", "litellm": "lite"}

WAYS = {"relayed": "native", "translated": "model", "litellm": "lite", "anthropic": "claude"}
"""How a request of any dialect may reach its target; the last one speaks nothing but Messages."""


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def model(way: str) -> str:
    """The alias that leads to the scripted upstream by this way."""
    return WAYS[way]


@pytest.fixture(params=CARRIERS)
def carrier(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def alias(carrier: str) -> str:
    """The alias that leads to the scripted upstream by this carrier."""
    return CARRIERS[carrier]


@pytest.fixture
def asking(gateway: Gateway, alias: str) -> Ask:
    """`asking("cut", stream=True)`: asks the gateway for what the upstream's script gives.

    `patient=True` asks by the alias that is set to try again.
    """

    def call(script: str, patient: bool = False, **body: Any) -> Asked:
        return ask(gateway.url, f"{alias}-again" if patient else alias, script, **body)

    return call


EACH = {
    "model": {"id": "wire-of-model"},
    "lite": {"id": "wire-of-lite", "options": {"localcode": LITELLM}},
    "native": {"id": "wire-of-native", "options": {"localcode": NATIVE}},
}
LIMITS = {"idle": {"chunkTimeout": 400}, "late": {"headerTimeout": 400}, "long": {"timeout": 700}}


@pytest.fixture(scope="session")
def impatient(
    upstream_of_the_session: Upstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """A gateway whose aliases `idle/…`, `late/…` and `long/…` have one short limit each."""
    providers = {
        name: config(upstream_of_the_session.base_url, EACH, **options)["provider"]["up"]
        for name, options in LIMITS.items()
    }
    with running(tmp_path_factory.mktemp("impatient"), {"provider": providers}) as gateway:
        yield gateway
