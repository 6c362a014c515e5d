"""What llama-server writes in a wrong order leaves in the right one when it is relayed."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from tests.dialects import messages_checker
from tests.gateway import Gateway

SCRIPTS = pytest.mark.parametrize(
    "script", ["text llama=1", "reasoning llama=1", "parallel llama=1", "text llama=1 finish=length"]
)


def streamed(gateway: Gateway, path: str, **body: Any) -> bytes:
    reply = requests.post(
        f"{gateway.url}/v1/{path}", json={"model": "native", "stream": True, **body}, timeout=30
    )
    assert reply.status_code == 200, reply.text
    return reply.content


@SCRIPTS
def test_messages_have_one_block_open_at_a_time(gateway: Gateway, script: str) -> None:
    said = [{"role": "user", "content": f"[[script:{script}]]"}]
    raw = streamed(gateway, "messages", max_tokens=99, messages=said)

    # The id is the target's own, which is no matter to clients.
    assert messages_checker.check(raw.replace(b'"id":"chatcmpl-', b'"id":"msg_')).ended
