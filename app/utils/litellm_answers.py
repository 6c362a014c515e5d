"""What LiteLLM made of an answer, put right by what the upstream really said. Pure.

`raw` is the upstream's own JSON. Where that is OpenAI-shaped it is the answer, and
LiteLLM's reading only adds what it translated (reasoning, a content that was no text).
Where it is the provider's own shape, LiteLLM's translation counts, without what it made
up: a finish that nobody sent, tokens that it counted itself, empty fields.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app.types import Batch, Chunk, Completion

# Finishes that stand for a failed answer although LiteLLM calls them "stop".
BROKEN = frozenset(
    {
        "network_error",
        "error",
        "ERROR",
        "MALFORMED_FUNCTION_CALL",
        "MALFORMED_RESPONSE",
        "UNEXPECTED_TOOL_CALL",
        "TOO_MANY_TOOL_CALLS",
        "MISSING_THOUGHT_SIGNATURE",
    }
)

# Native words that really mean "stop"; any other that LiteLLM turns into "stop" is one it does not know.
_STOPS = frozenset(
    {"stop", "end_turn", "stop_sequence", "complete", "eos", "eos_token", "finish_reason_stop"}
)

_FINISH_KEYS = ("finishReason", "stop_reason", "stopReason", "finish_reason", "done_reason")

_OWN_KEYS = frozenset({"images", "provider_specific_fields", "thinking_blocks", "annotations"})
"""LiteLLM puts these into every message, mostly empty."""

Json = dict[str, Any]


def plain(translated: Completion, raw: Any) -> Completion:
    """A plain answer."""
    if is_chat(raw):
        return {**raw, "choices": [*_overlaid(raw, translated, "message")]}
    answer = _trimmed(translated)
    answer["choices"] = [_choice(choice, raw, "message") for choice in translated.get("choices") or ()]
    if answer_id := _id(raw):
        answer["id"] = answer_id
    usage = honest_usage(translated.get("usage"), raw)
    answer.pop("usage", None)
    return answer | ({"usage": usage} if usage else {})


class ChunkReader:
    """A stream's chunks, one by one; `end` gives what is still owed."""

    def __init__(self, usage_asked: bool) -> None:
        self.finished = False
        """Whether the upstream has sent a finish."""
        self._asked = usage_asked
        self._usage: Json | None = None
        self._base: Json = {}
        self._begun = False

    def read(self, translated: Chunk, raw: Any = None) -> Chunk | None:
        """The chunk for the client, or None when there is nothing in it."""
        chunk = (
            {**raw, "choices": [*_overlaid(raw, translated, "delta")]}
            if is_chat(raw)
            else self._own(translated, raw)
        )
        if chunk is not None and any(_finish_of(choice) for choice in chunk.get("choices") or ()):
            self.finished = True
        return chunk

    def end(self) -> Batch:
        """The usage chunk, for providers that tell usage with every chunk of their own shape."""
        if self._usage is None or not self._asked:
            return []
        return [{**self._base, "choices": [], "usage": self._usage}]

    def _own(self, translated: Chunk, raw: Any) -> Chunk | None:
        self._usage = honest_usage(translated.get("usage"), raw) or self._usage
        chunk = _trimmed(translated)
        chunk.pop("usage", None)
        self._base = {**{key: value for key, value in chunk.items() if key != "choices"}, **self._base}
        if answer_id := _id(raw):
            self._base["id"] = answer_id
        chunk["id"] = self._base.get("id")
        chunk["choices"] = [_choice(choice, raw, "delta") for choice in translated.get("choices") or ()]
        if not any(_says_something(choice) for choice in chunk["choices"]):
            return None
        if not self._begun:
            self._begun = True
            for choice in chunk["choices"]:
                choice["delta"] = {"role": "assistant", **choice["delta"]}
        return chunk


def broken_finish(answer: Completion | Chunk) -> str | None:
    """The finish that says that the answer failed, if there is one."""
    finishes = (_finish_of(choice) for choice in answer.get("choices") or ())
    return next((finish for finish in finishes if finish in BROKEN), None)


def of_generic(piece: Json) -> Chunk:
    """The chunk that LiteLLM's older streams spell as `text`, `tool_use`, `is_finished`."""
    delta: Json = {"content": piece.get("text") or ""}
    if piece.get("tool_use"):
        delta["tool_calls"] = [piece["tool_use"]]
    finish = piece.get("finish_reason") if piece.get("is_finished") else None
    choice = {"index": piece.get("index") or 0, "delta": delta, "finish_reason": finish or None}
    return {"object": "chat.completion.chunk", "choices": [choice], "usage": piece.get("usage")}


def honest_usage(usage: Any, raw: Any) -> Json | None:
    """The usage without what LiteLLM counted itself; None when the upstream told nothing."""
    if not isinstance(usage, dict) or not any(True for _ in _usages(raw)):
        return None
    told: Json = _without_nulls(usage)
    details = told.get("completion_tokens_details")
    if details and not any(_mentions(one, "reason", "thought", "thinking") for one in _usages(raw)):
        # It estimates how much of the output was thinking.
        told["completion_tokens_details"] = {
            key: n for key, n in details.items() if key not in ("reasoning_tokens", "text_tokens")
        }
    return _without_nulls(told) if any(isinstance(n, int) and n for n in told.values()) else None


def _usages(raw: Any) -> Iterator[Any]:
    """Where a provider's JSON tells usage."""
    for value in raw if isinstance(raw, list) else ():
        yield from _usages(value)
    for key, value in raw.items() if isinstance(raw, dict) else ():
        if any(word in key.lower() for word in ("usage", "eval_count", "token_count")):
            yield value
        else:
            yield from _usages(value)


def _mentions(value: Any, *words: str) -> bool:
    """Whether a key anywhere in a JSON value has one of these words in it."""
    if isinstance(value, list):
        return any(_mentions(one, *words) for one in value)
    if not isinstance(value, dict):
        return False
    return any(
        any(word in key.lower() for word in words) or _mentions(one, *words) for key, one in value.items()
    )


def _choice(choice: Json, raw: Any, place: str) -> Json:
    """A choice of an answer in the provider's own shape."""
    native = native_finish(raw, choice.get("index") or 0)
    message = _message(choice.get(place) or {}, place)
    rest = {key: value for key, value in choice.items() if key not in (place, "provider_specific_fields")}
    return {
        **_without_none(rest),
        place: message,
        "finish_reason": _finish(choice.get("finish_reason"), native, raw),
    }


def _finish(mapped: str | None, native: str | None, raw: Any) -> str | None:
    if native in BROKEN:
        return native
    if native is None:
        # Gemini's chunks all get a "stop" from LiteLLM.
        return None if isinstance(raw, dict) and "candidates" in raw else mapped
    if mapped == "stop" and native.lower() not in _STOPS:
        return native
    return mapped


def native_finish(raw: Any, index: int = 0) -> str | None:
    """The provider's own word for why it stopped, or None when it has not."""
    if not isinstance(raw, dict):
        return None
    places = [
        one
        for one in raw.get("candidates") or ()
        if isinstance(one, dict) and (one.get("index") or 0) == index
    ]
    places += [one for one in (raw, raw.get("delta"), raw.get("messageStop")) if isinstance(one, dict)]
    words = (place.get(key) for place in places for key in _FINISH_KEYS)
    return next((word for word in words if isinstance(word, str) and word), None)


def _message(message: Json, place: str) -> Json:
    """A message or delta without LiteLLM's empty fields, Gemini's signatures where clients look for them."""
    made = {
        key: value
        for key, value in message.items()
        if value is not None and not (key in _OWN_KEYS and not value)
    }
    specific = _without_none(message.get("provider_specific_fields") or {})
    signatures = specific.get("thought_signatures") or ()
    made.pop("provider_specific_fields", None)
    if specific:
        made["provider_specific_fields"] = specific
    calls = [_call(call, place) for call in message.get("tool_calls") or ()]
    if calls:
        made["tool_calls"] = calls
    used = {_signature(call) for call in calls}
    if signatures and signatures[0] not in used:
        made["extra_content"] = {"google": {"thought_signature": signatures[0]}}
    if place == "message":
        made.setdefault("content", None)
    elif not made.get("content"):
        made.pop("content", None)
    return made


def _call(call: Json, place: str) -> Json:
    made: Json = _without_none(call)
    if isinstance(call.get("function"), dict):
        made["function"] = _without_none(call["function"])
    if place == "message":
        made.pop("index", None)
    signature = _signature(call)
    if signature and "extra_content" not in made:
        made["extra_content"] = {"google": {"thought_signature": signature}}
    return made


def _signature(call: Json) -> str | None:
    found = (call.get("provider_specific_fields") or {}).get("thought_signature")
    return found if isinstance(found, str) else None


def _overlaid(raw: Json, translated: Json, place: str) -> Iterator[Any]:
    """The raw choices, with what only LiteLLM's translation of them has."""
    read = {choice.get("index") or 0: choice for choice in translated.get("choices") or ()}
    for choice in raw["choices"]:
        message = choice.get(place) if isinstance(choice, dict) else None
        theirs = read.get(choice.get("index") or 0, {}).get(place) if isinstance(message, dict) else None
        if not isinstance(message, dict) or not isinstance(theirs, dict):
            yield choice
            continue
        if isinstance(message.get("content"), list):  # Mistral's thinking
            thought = theirs.get("reasoning_content")
            message = {**message, "content": theirs.get("content")} | (
                {"reasoning_content": thought} if thought else {}
            )
        yield {**choice, place: message}


def _trimmed(answer: Json) -> Json:
    """The top level without nulls and LiteLLM's empty lists."""
    return {
        key: value
        for key, value in answer.items()
        if value is not None and not (value == [] and key.startswith("vertex_ai_"))
    }


def _says_something(choice: Json) -> bool:
    said = any(value for key, value in choice["delta"].items() if key != "role")
    return said or choice["finish_reason"] is not None


def is_chat(raw: Any) -> bool:
    """Whether a provider's JSON is OpenAI-shaped: an answer or a chunk."""
    return isinstance(raw, dict) and isinstance(raw.get("choices"), list)


def _id(raw: Any) -> str | None:
    if not isinstance(raw, dict):
        return None
    message = raw.get("message")
    found = (
        raw.get("responseId") or raw.get("id") or (message.get("id") if isinstance(message, dict) else None)
    )
    return found if isinstance(found, str) else None


def _finish_of(choice: Any) -> str | None:
    return choice.get("finish_reason") if isinstance(choice, dict) else None


def _without_none(values: Json) -> Json:
    return {key: value for key, value in values.items() if value is not None}


def _without_nulls(value: Any) -> Any:
    """Without nulls on any level, and without the objects that are empty then."""
    if not isinstance(value, dict):
        return value
    inner = {key: _without_nulls(one) for key, one in value.items()}
    return {key: one for key, one in inner.items() if one is not None and one != {}}
