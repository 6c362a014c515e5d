from __future__ import annotations

import json
from dataclasses import replace

import pytest

from bench.dialects import APIS, ApiName
from bench.load import Client, Load, Outcome, merged, request_of, warm
from bench.script import Script

STREAM = Load(1234, Script("stream", 100), key="secret", model="an-alias")


@pytest.mark.parametrize("api", APIS)
def test_a_request_goes_to_its_path_with_key_and_alias(api: ApiName) -> None:
    head, body = request_of(replace(STREAM, api=api)).split(b"\r\n\r\n", 1)

    assert head.startswith(b"POST %b HTTP/1.1\r\n" % APIS[api].PATH.encode())
    assert b"Authorization: Bearer secret\r\n" in head
    assert b"Content-Length: %d" % len(body) in head
    assert json.loads(body)["model"] == "an-alias"


def test_warming_up_asks_the_same_but_briefly() -> None:
    paced = replace(STREAM, script=Script("paced", 150, 20), api="messages", size=60_000)

    assert warm(paced) == replace(paced, script=Script("stream", 5))
    assert warm(replace(STREAM, script=Script("plain"))).script == Script("plain")


def test_what_all_clients_saw_is_one_outcome() -> None:
    clients = [Client(STREAM, b"") for _ in range(2)]
    for client in clients:
        client.outcome = Outcome(2, 200, first_token=[1.0], whole=[3.0], delays=[0.5])
        client.errors["cut"] += 1

    total = merged(Outcome(), clients)

    assert (total.requests, total.events, total.errors) == (4, 400, {"cut": 2})
    assert (total.first_token, total.whole, total.delays) == ([1.0, 1.0], [3.0, 3.0], [0.5, 0.5])
