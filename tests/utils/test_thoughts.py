"""Thoughts go back to those who want them."""

from __future__ import annotations

from typing import Any

import pytest

from app.utils.thoughts import with_thoughts_as_wanted
from tests.fakes import target


@pytest.mark.parametrize(
    ("where", "kept"),
    [
        pytest.param({}, {}, id="a target that wants none"),
        pytest.param({"reasoning_field": "reasoning_content"}, {"reasoning_content": "Hm"}, id="as text"),
        pytest.param({"reasoning_field": "reasoning"}, {"reasoning": "Hm"}, id="by another name"),
        pytest.param({"reads_thoughts": True}, {"reasoning_content": "Hm"}, id="a server of one's own"),
        pytest.param({"litellm_provider": "bedrock"}, {"thinking_blocks": ["signed"]}, id="as signed blocks"),
    ],
)
def test_thoughts_go_back_as_the_target_wants_them(where: dict[str, Any], kept: dict[str, Any]) -> None:
    said = {"role": "assistant", "content": "Yes"}
    message = {**said, "reasoning_content": "Hm", "thinking_blocks": ["signed"]}
    body = with_thoughts_as_wanted({"messages": [message, {"role": "user"}]}, target(**where))

    assert body["messages"] == [said | kept, {"role": "user"}]
    assert message.keys() == {"role", "content", "reasoning_content", "thinking_blocks"}
