"""A client that leaves stops the target's work, in every phase."""

from __future__ import annotations

import json

import pytest

from tests.contract.client import body_for, post_raw
from tests.gateway import Gateway
from tests.upstream import Upstream

NOTICED = 3.0
"""Seconds a slow machine may take until we call it a failure; bench/ measures that it is under 1 s."""


@pytest.mark.parametrize(
    ("script", "stream"),
    [("mute", False), ("mute", True), ("stall-first", True), ("stall", True), ("text wait_body=60000", False),
     ("tokens n=20000 pace=5", True), ("tokens n=20000 pace=5 mode=sse", False)],
    ids=["plain", "before the head", "before the first event", "in mid-stream, silent", "plain, head is here",
         "in mid-stream, flowing", "plain, but streamed by the target"],
)  # fmt: skip
def test_the_target_is_left_soon_after_the_client_has(
    gateway: Gateway, upstream: Upstream, alias: str, script: str, stream: bool
) -> None:
    sock = post_raw(gateway.url, json.dumps(body_for(alias, script, stream=stream)).encode())
    seen = upstream.wait_for(1)
    if script.startswith(("stall", "tokens")) and stream and script != "stall-first":
        assert sock.recv(100)
    sock.close()

    assert seen.closed_early.wait(NOTICED)
    assert "client_closed_request" in gateway.log() or "left" in gateway.log()


def test_a_client_that_leaves_after_the_last_event_has_been_served(
    gateway: Gateway, upstream: Upstream, alias: str
) -> None:
    sock = post_raw(
        gateway.url,
        json.dumps(body_for(alias, "text", stream=True)).encode(),
        headers="x-request-id: last-1\r\n",
    )
    got = b""
    while b"[DONE]" not in got:
        got += sock.recv(65536)
    sock.close()

    ended = [line for line in gateway.log().splitlines() if "last-1" in line][-1]
    assert "left" not in ended
