from __future__ import annotations

import json

import pytest

from bench.script import AGENT_BYTES, EVENT_BYTES, MARK, Script, agent_body, script_of, small_body, stamped

STREAM = Script("stream", 100)


@pytest.mark.parametrize("script", [Script("plain"), STREAM, Script("paced", 150, 20)], ids=str)
def test_a_request_carries_its_script(script: Script) -> None:
    assert script_of(small_body(script)) == script
    assert script_of(agent_body(script)) == script


def test_a_request_without_script_has_none() -> None:
    assert script_of(b'{"messages": []}') is None


def test_an_agents_request_has_its_size_and_ten_tools() -> None:
    body = agent_body(STREAM)

    assert len(body) == pytest.approx(AGENT_BYTES, rel=0.01)
    assert len(json.loads(body)["tools"]) == 10


@pytest.mark.parametrize("first", [True, False])
def test_an_event_has_its_size_and_one_mark(first: bool) -> None:
    size, event = stamped(1234, first).split(b"\r\n", 1)

    assert int(size, 16) == EVENT_BYTES == len(event) - 2
    assert [int(mark) for mark in MARK.findall(event)] == [1234]
    assert json.loads(event.removeprefix(b"data: "))["choices"][0]["delta"].get("role") == (
        "assistant" if first else None
    )
