"""What the real clients send is understood by every way, and answered as their dialect allows."""

from __future__ import annotations

import pytest
import requests

from tests.contract.client import Asked, read_events
from tests.contract.dialects import DIALECTS, asking, said_in
from tests.gateway import Gateway
from tests.recorded import Recorded, load
from tests.upstream import Upstream

each = pytest.mark.parametrize("recorded", load(), ids=lambda recorded: recorded.name)
DIALECT_AT = {dialect.path: dialect for dialect in DIALECTS.values()}


def ask(gateway: Gateway, recorded: Recorded, model: str, stream: bool) -> Asked:
    body = recorded.body | {"model": model, "stream": stream}
    if dialect := DIALECT_AT.get(recorded.path):
        return asking(gateway.url, dialect, body, recorded.headers)
    if not stream:
        body.pop("stream_options", None)
    reply = requests.post(gateway.url + recorded.path, json=body, headers=recorded.headers, timeout=30)
    asked = Asked(reply.status_code, reply.headers, reply.content)
    if stream:
        read_events(asked)
    return asked


def text_and_calls(asked: Asked, recorded: Recorded) -> tuple[str, list[str]]:
    dialect = DIALECT_AT.get(recorded.path)
    if dialect is None:
        return asked.text, [name for _, name, _ in asked.calls]
    said = said_in(asked, dialect)
    return said.text, [name for _, name, _ in said.calls] + custom_calls(asked)


def custom_calls(asked: Asked) -> list[str]:
    """The names of Responses' calls that take no JSON."""
    response = asked.events[-1].get("response", {}) if asked.events else asked.body
    return [item["name"] for item in response.get("output", ()) if item["type"] == "custom_tool_call"]


NEXT = {
    "claude": "Edit",
    "claude-for-gateways": "Edit",
    "codex": "exec_command",
    "codex-patches": "apply_patch",
    "codex-scripts": "exec",
    "opencode": "edit",
}
"""What the scripted agent calls after the first result, by what was recorded."""


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
@each
def test_a_recorded_request_is_answered_by_every_way(
    gateway: Gateway, upstream: Upstream, model: str, recorded: Recorded, stream: bool
) -> None:
    asked = ask(gateway, recorded, model, stream)
    assert asked.status == 200, asked.raw
    text, calls = text_and_calls(asked, recorded)
    scene, _, number = recorded.name.rpartition("-")

    if number == "4":
        assert (text, calls) == ("The file is there, its hash is unknown.", [])
    else:
        assert (text, calls) == ("Step 2 of 3. ", [NEXT[scene]])
    assert b"wire-of" not in asked.raw
    if stream and recorded.path in DIALECT_AT:
        assert DIALECT_AT[recorded.path].check(asked.raw, True)
