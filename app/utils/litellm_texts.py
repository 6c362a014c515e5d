"""Text completions by way of a chat, for providers that have only that; LiteLLM does it the same way. Pure.

The prompt becomes the one message of a user, the answer's content the text. What a chat cannot
do for a prompt is refused by name; LiteLLM would leave it out, and make one talk of several prompts.
"""

from __future__ import annotations

from typing import Any

from app.errors import BadRequest
from app.types import Answer, Body, Target

_HARMLESS: dict[str, tuple[Any, ...]] = {
    "suffix": (None, ""),
    "echo": (None, False),
    "best_of": (None, 1),
    "logprobs": (None,),
}
"""What a chat cannot do, and the values that ask for nothing."""


def as_chat(body: Body, target: Target) -> Body:
    """The chat that stands for a text completion."""
    for field, values in _HARMLESS.items():
        if body.get(field) not in values:
            raise BadRequest(
                f"'{target.alias}' completes texts by way of a chat, which has no '{field}'",
                param=field,
                code="unsupported_parameter",
            )
    kept = {key: value for key, value in body.items() if key not in _HARMLESS and key != "prompt"}
    return {**kept, "messages": [{"role": "user", "content": _one_text(body["prompt"], target)}]}


def _one_text(prompt: Any, target: Target) -> str:
    if isinstance(prompt, list) and len(prompt) == 1:
        prompt = prompt[0]
    if not isinstance(prompt, str):
        raise BadRequest(
            f"'prompt' must be one text: '{target.alias}' completes texts by way of a chat", param="prompt"
        )
    return prompt


def text_of(answer: Answer) -> Answer | None:
    """A chat's answer or chunk as that of a text completion; None when nothing is left in it."""
    choices = [_text(choice) for choice in answer.get("choices") or ()]
    if not answer.get("usage") and not any(one["text"] or one["finish_reason"] for one in choices):
        return None
    return {**answer, "object": "text_completion", "choices": choices}


def _text(choice: dict[str, Any]) -> dict[str, Any]:
    said = choice.get("message") or choice.get("delta") or {}
    return {
        "index": choice.get("index") or 0,
        "text": said.get("content") or "",
        "logprobs": None,
        "finish_reason": choice.get("finish_reason"),
    }
