"""Follows an answer, stream or not, and tells what happened in it as short lines, for the debug view. Pure.

Reasoning is summed up, a tool call told when it begins and again when it is whole, the answer at the end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.utils.codec import loads
from app.utils.native_story import in_chats_words
from app.utils.preview import (
    CALL_BEGUN,
    CALL_WHOLE,
    ERROR,
    LONGEST,
    REASONING,
    RESPONSE,
    Line,
    as_json,
    call_arguments,
    call_name,
    clipped,
    content_text,
    preview,
    reasoning_of,
)
from app.utils.shapes import as_dict, as_dicts


@dataclass(slots=True)
class _Text:
    """A text that grows, of which only the beginning is kept."""

    length: int = 0
    _parts: list[str] = field(default_factory=list)

    def add(self, text: str) -> None:
        if self.length <= LONGEST:
            self._parts.append(text)
        self.length += len(text)

    def __str__(self) -> str:
        text = "".join(self._parts)
        return (
            clipped(text)
            if self.length == len(text)
            else f"{clipped(text)} … {self.length:,} characters in all"
        )

    @property
    def is_whole_json(self) -> bool:
        try:
            loads("".join(self._parts) or "{}")
        except ValueError:
            return self.length > LONGEST  # no telling
        return True


@dataclass(slots=True)
class _Call:
    index: Any
    id: str
    name: str = ""
    arguments: _Text = field(default_factory=_Text)

    def __str__(self) -> str:
        return f"{self.name or '(no name)'} ({self.id or 'no id'})"


@dataclass(slots=True)
class _Choice:
    reasoning: _Text = field(default_factory=_Text)
    content: _Text = field(default_factory=_Text)
    calls: list[_Call] = field(default_factory=list)
    finish: str | None = None
    thinking: bool = False


class Story:
    """Follows an answer. `feed` a chunk or a whole answer and say what it returns; `close` says the rest."""

    def __init__(self) -> None:
        self._choices: dict[Any, _Choice] = {}
        self._usage: Any = None

    def feed(self, chunk: Any) -> Iterator[Line]:
        """What this chunk brings to an end, or begins."""
        chunk = as_dict(chunk)
        if "choices" not in chunk:
            chunk = in_chats_words(chunk)
        self._usage = chunk.get("usage") or self._usage
        if chunk.get("error"):
            yield Line(ERROR, f"the target says {as_json(chunk['error'])}")
        for piece in as_dicts(chunk.get("choices")):
            choice = self._choices.setdefault(_hashable(piece.get("index")), _Choice())
            said = as_dict(piece.get("delta")) or as_dict(piece.get("message"))
            yield from self._follow(choice, said or {"content": piece.get("text")})
            if finish := piece.get("finish_reason"):
                choice.finish = str(finish)
                yield from self._finish(choice)

    def close(self) -> Iterator[Line]:
        """What was left unfinished, and the answer: how it ended, its text, its usage."""
        for choice in self._choices.values():
            yield from self._end_of_thought(choice)
            for call in choice.calls:
                so_far = f"never finished, {call.arguments.length:,} characters so far: {call.arguments}"
                yield Line(CALL_BEGUN, f"{call} {so_far}")
            choice.calls = []
            text = (
                f"{choice.content.length:,} characters: {choice.content}"
                if choice.content.length
                else "no text"
            )
            yield Line(RESPONSE, f"finish={choice.finish} {text}")
        if self._usage:
            yield Line(RESPONSE, f"usage {as_json(self._usage)}")

    def _follow(self, choice: _Choice, delta: Mapping[str, Any]) -> Iterator[Line]:
        if thought := reasoning_of(delta):
            choice.reasoning.add(thought)
            choice.thinking = True
        content = delta.get("content")
        content = content if isinstance(content, str) else content_text(content)
        calls = as_dicts(delta.get("tool_calls"))
        if content or calls:
            yield from self._end_of_thought(choice)
        choice.content.add(content)
        for fragment in calls:
            yield from self._gather(choice, fragment)

    def _end_of_thought(self, choice: _Choice) -> Iterator[Line]:
        if choice.thinking:
            choice.thinking = False
            whole = choice.reasoning
            yield Line(REASONING, f"{whole.length:,} characters: {preview(str(whole))}")
            choice.reasoning = _Text()

    def _gather(self, choice: _Choice, fragment: Mapping[str, Any]) -> Iterator[Line]:
        """Adds a fragment to its call: the same index, unless another id says that a new one begins."""
        id, name, index = str(fragment.get("id") or ""), call_name(fragment), fragment.get("index")
        known = [call for call in choice.calls if index is None or call.index == index]
        call = known[-1] if known else None
        if call is None or (id and call.id and id != call.id):
            call = _Call(index, id)
            choice.calls.append(call)
        call.id = call.id or id
        if name and not call.name:
            call.name = name
            yield Line(CALL_BEGUN, str(call))
        call.arguments.add(call_arguments(fragment))

    def _finish(self, choice: _Choice) -> Iterator[Line]:
        yield from self._end_of_thought(choice)
        for call in choice.calls:
            doubt = "" if call.arguments.is_whole_json else " (these arguments are not JSON)"
            yield Line(CALL_WHOLE, f"{call} {call.arguments}{doubt}")
        choice.calls = []


def _hashable(value: Any) -> Any:
    return value if isinstance(value, (int, str)) else 0
