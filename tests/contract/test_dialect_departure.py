"""A client of Messages or Responses that leaves stops the target's work, in every phase."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from tests.contract.client import post_raw
from tests.contract.dialects import MESSAGES, RESPONSES, WAYS, Dialect
from tests.gateway import Gateway
from tests.upstream import Upstream

NOTICED = 3.0
"""Seconds a slow machine may take until we call it a failure; bench/ measures that it is under 1 s."""


EACH = [
    *((RESPONSES, alias) for alias in WAYS.values()),
    (MESSAGES, "native"),
    pytest.param(MESSAGES, "model", marks=pytest.mark.full),
    pytest.param(MESSAGES, "lite", marks=pytest.mark.full),
]
"""Whoever waits for a target knows little of dialects: some of these will do, as a rule."""
BY = pytest.mark.parametrize(
    ("dialect", "alias"), EACH, ids=lambda it: it if isinstance(it, str) else it.name
)


def body_of(dialect: Dialect, alias: str, script: str, **fields: Any) -> bytes:
    return json.dumps(dialect.body(alias, f"[[script:{script}]]") | fields).encode()


@BY
@pytest.mark.parametrize(
    ("script", "stream"),
    [("mute", False), ("mute", True), ("stall-first", True), ("stall", True), ("text wait_body=60000", False),
     ("tokens n=2000 pace=5", True), ("tokens n=2000 pace=5 mode=sse", False)],
    ids=["plain", "before the head", "before the first event", "in mid-stream, silent", "plain, head is here",
         "in mid-stream, flowing", "plain, but streamed by the target"],
)  # fmt: skip
def test_the_target_is_left_soon_after_the_client_has(
    gateway: Gateway, upstream: Upstream, dialect: Dialect, alias: str, script: str, stream: bool
) -> None:
    sock = post_raw(gateway.url, body_of(dialect, alias, script, stream=stream), dialect.path)
    seen = upstream.wait_for(1)
    if script.startswith(("stall", "tokens")) and stream and script != "stall-first":
        assert sock.recv(100)
    sock.close()

    assert seen.closed_early.wait(NOTICED)


@BY
def test_a_client_that_leaves_after_the_last_event_has_been_served(
    gateway: Gateway, upstream: Upstream, dialect: Dialect, alias: str
) -> None:
    """Codex closes its connection the moment it has read `response.completed`."""
    name = f"last-{dialect.name}-{alias}"
    sock = post_raw(
        gateway.url,
        body_of(dialect, alias, "text hold=300", stream=True),
        dialect.path,
        headers=f"x-request-id: {name}\r\n",
    )
    got = b""
    while dialect.last not in got:
        got += sock.recv(65536)
    sock.close()

    line = last_line(gateway, name)
    assert "left" not in line
    assert "← 200" in line
    assert "21→4 tokens" in line


def last_line(gateway: Gateway, name: str, timeout: float = 10) -> str:
    """The line that says how a request ended; it is written after the last byte."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        found = [one for one in gateway.log().splitlines() if f"id={name}" in one and "←" in one]
        if found:
            return found[-1]
        time.sleep(0.01)
    raise TimeoutError(f"the request {name} has not ended")
