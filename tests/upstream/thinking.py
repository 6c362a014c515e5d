"""A model that thinks before each of its tool calls, and may want to see that it did (pure).

Its next step follows from the conversation. As Gemini 3 it signs the first call of each step, and refuses
a turn under way whose calls come back without their signatures, or with others: on its OpenAI-compatible
endpoint (`next_turn`, `unsigned`), and in Google's own API (`native_answer`).
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

from tests.upstream.chat import Json, ToolCall, Turn

STEPS = 3
SAID = "Done, after three calls."
MISSING = "Function call is missing a thought_signature in functionCall parts."
DUMMY = "skip_thought_signature_validator"
"""Google's documented stand-in for a signature that cannot be had."""


def thought(step: int) -> str:
    return f"I think about step {step}."


def signature(step: int) -> str:
    """As long and as odd as real ones are."""
    return b64encode(bytes([step, 255, 254, *range(90)])).decode()


def call_id(step: int, number: int) -> str:
    """With characters that some clients replace, and longer than some take."""
    return f"function-call:{step}.{number}/{'7' * 60}"


def arguments(step: int, number: int) -> str:
    return json.dumps({"city": "Zürich", "day": 10 * step + number}, ensure_ascii=False)


def next_turn(body: Json, calls: int = 2, sign: bool = True) -> Turn:
    """The step that is due: a thought and calls, or after three of them a text."""
    step = len(steps_in(body))
    thoughts = (thought(step),)
    if step >= STEPS:
        return Turn(text=(SAID,), reasoning=thoughts)
    made = tuple(
        ToolCall(
            call_id(step, number),
            "get_weather",
            arguments(step, number),
            _signed(signature(step)) if sign and not number else {},
        )
        for number in range(calls)
    )
    return Turn(reasoning=thoughts, calls=made, finish="tool_calls")


def steps_in(body: Json) -> list[Json]:
    """The assistant's messages with calls since the user's last."""
    messages = body["messages"]
    last = max(place for place, message in enumerate(messages) if message["role"] == "user")
    return [message for message in messages[last:] if message.get("tool_calls")]


def unsigned(body: Json) -> str | None:
    """What Gemini says to a turn under way that lacks a signature; None if all is well."""
    found = [
        ((step["tool_calls"][0].get("extra_content") or {}).get("google") or {}).get("thought_signature")
        for step in steps_in(body)
    ]
    return _complaint(found, DUMMY)


def _complaint(found: list[Any], dummy: str) -> str | None:
    for step, sign in enumerate(found):
        if not sign:
            return f"{MISSING} (step {step})"
        if sign not in (signature(step), dummy):
            return f"Corrupted thought signature. (step {step})"
    return None


def _signed(sign: str) -> Json:
    return {"extra_content": {"google": {"thought_signature": sign}}}


# ------------------------------------------------------------------------ Google's own API


def native_answer(body: Json) -> tuple[int, Json]:
    """Status and answer to a request for `generateContent`."""
    steps = list(_native_steps(body["contents"]))
    found = [step.get("thoughtSignature") for step in steps]
    if problem := _complaint(found, b64encode(DUMMY.encode()).decode()):
        return 400, {"error": {"code": 400, "message": problem, "status": "INVALID_ARGUMENT"}}
    return 200, _native(len(steps))


def _native_steps(contents: list[Json]) -> Iterator[Json]:
    """The first call of each of the model's contents since the user's last words."""
    spoken = [place for place, content in enumerate(contents) if _speaks(content)]
    for content in contents[max(spoken) :]:
        calls = [part for part in content["parts"] if "functionCall" in part or "function_call" in part]
        if content.get("role") == "model" and calls:
            yield calls[0]


def _speaks(content: Json) -> bool:
    return content.get("role") == "user" and any("text" in part for part in content["parts"])


def _native(step: int) -> Json:
    parts: list[Json] = [{"text": thought(step), "thought": True}]
    if step >= STEPS:
        parts.append({"text": SAID})
    for number in range(2 if step < STEPS else 0):
        call = {"name": "get_weather", "args": json.loads(arguments(step, number))}
        sign = {} if number else {"thoughtSignature": signature(step)}
        parts.append({"functionCall": call, **sign})
    return {
        "candidates": [{"content": {"role": "model", "parts": parts}, "index": 0, "finishReason": "STOP"}],
        "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 6, "totalTokenCount": 11},
        "modelVersion": "gemini-x-001",
        "responseId": f"resp-{step}",
    }
