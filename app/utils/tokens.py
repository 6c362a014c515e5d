"""Which text of a request is billed, and how many tokens come to it. Pure.

A request, in chat, Messages or Responses, becomes a `Prompt`: the texts that a model reads, and the
tokens that no text stands for: frames of messages and calls, pictures, pages. Whoever has a tokenizer
counts the texts; `counted` makes the sum. Nothing is fetched, and of base64 only the head is decoded.

Not counted: thoughts of turns that are over (no API bills them again), signatures, encrypted reasoning,
ids, and all that steers the answer without being read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from app.types import Body
from app.utils.shapes import as_dict, as_dicts, as_text
from app.utils.tokens_families import Family
from app.utils.tokens_media import pdf_tokens, picture_tokens
from app.utils.tokens_tools import as_json, tool_texts

Count: TypeAlias = Callable[[Sequence[str]], Sequence[int]]
"""Counts texts in o200k's tokens."""

DEEPEST = 8
"""How deep content may hold content."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a target reads of a request."""

    texts: tuple[str, ...]
    extra: int
    """Tokens of what is no text."""


def tokens_in(body: Body, family: Family, count: Count) -> int:
    """How many tokens models of a family make of a request."""
    prompt = prompt_of(body, family)
    return counted(prompt, family, count(prompt.texts))


def counted(prompt: Prompt, family: Family, counts: Sequence[int]) -> int:
    """The tokens of a prompt whose texts have these counts in o200k."""
    tokens = family.text * sum(counts)
    if family.digit:
        tokens += family.digit * sum(map(spared_digits, prompt.texts))
    if family.line:
        tokens += family.line * sum(map(line_ends, prompt.texts))
    return round(tokens) + prompt.extra


def spared_digits(text: str) -> int:
    """How many tokens o200k saves by writing up to three digits as one."""
    return sum(len(run) - (len(run) + 2) // 3 for run in _DIGITS.findall(text))


def line_ends(text: str) -> int:
    """How often lines end; several ends in a row are one."""
    return len(_LINES.findall(text))


_DIGITS = re.compile("[0-9]{2,}")
_LINES = re.compile("\n+")


def prompt_of(body: Body, family: Family) -> Prompt:
    """What models of a family read of a request."""
    reader = _Reader(family)
    reader.talk(body)
    offered = tool_texts(body.get("tools"), family.style)
    reader.texts += offered
    reader.texts += _schemas(body)
    return Prompt(tuple(reader.texts), reader.extra + (family.tools if offered else 0))


def _schemas(body: Body) -> list[str]:
    """The schema that an answer has to follow is read as well."""
    form = body.get("response_format") or as_dict(body.get("text")).get("format")
    form = form or as_dict(body.get("output_config")).get("format")
    schema = as_dict(as_dict(form).get("json_schema")).get("schema") or as_dict(form).get("schema")
    return [as_json(schema)] if schema else []


@dataclass(slots=True)
class _Reader:
    """Collects from the messages of a request, whichever dialect they are in."""

    family: Family
    texts: list[str] = field(default_factory=list)
    extra: int = 0
    thinks: bool = False
    """Whether thoughts at this place belong to the turn that still runs."""

    def talk(self, body: Body) -> None:
        self.extra += self.family.base
        for key in ("system", "instructions"):
            if body.get(key):
                self._frame(self.family.message, body[key])
        messages = body.get("messages") or body.get("input")
        if isinstance(messages, str):
            return self._frame(self.family.message, messages)
        messages = as_dicts(messages)
        turn = max((place for place, one in enumerate(messages) if _begins_turn(one)), default=0)
        for place, message in enumerate(messages):
            self.thinks = place > turn
            self._message(message)
        return None

    def _message(self, message: dict[str, Any]) -> None:
        kind = message.get("type")
        if kind in _CALLS:
            self._frame(self.family.call, message.get("name"), message.get("arguments"), message.get("input"))
        elif kind in _RESULTS:
            self._frame(self.family.call, message.get("output"))
        elif kind == "reasoning":
            self._thought(message.get("summary"))
        else:
            self._frame(self.family.message, message.get("content"))
            self._thought(message.get("reasoning_content"))
            self._calls(message)

    def _calls(self, message: dict[str, Any]) -> None:
        """Chat's tool calls, the old single one included."""
        calls = message.get("tool_calls")
        functions = [as_dict(call).get("function") for call in calls] if isinstance(calls, list) else []
        for function in (*functions, message.get("function_call")):
            if isinstance(function, dict):
                self._frame(self.family.call, function.get("name"), function.get("arguments"))

    def _frame(self, frame: int, *contents: Any) -> None:
        self.extra += frame
        for content in contents:
            self._content(content)

    def _thought(self, content: Any) -> None:
        if self.thinks:
            self._content(content)

    def _content(self, content: Any, depth: int = 0) -> None:
        """A text, or parts, or the JSON of a call."""
        if isinstance(content, str):
            if content:
                self.texts.append(content)
        elif isinstance(content, list) and depth < DEEPEST:
            for part in content:
                self._part(part, depth + 1) if isinstance(part, dict) else self._content(part, depth + 1)
        elif isinstance(content, dict):
            self.texts.append(as_json(content))

    def _part(self, part: dict[str, Any], depth: int) -> None:
        match part.get("type"):
            case "image_url" | "input_image" | "image":
                self._picture(part)
            case "file" | "input_file" | "document":
                self._document(part, depth)
            case "tool_use" | "server_tool_use":
                self._frame(self.family.call, part.get("name"), part.get("input"))
            case "tool_result":
                self.extra += self.family.call
                self._content(part.get("content"), depth)
            case "thinking":
                self._thought(part.get("thinking"))
            case "redacted_thinking" | "input_audio":
                pass
            case "tool_reference":
                self._content(part.get("tool_name"))
            case _:
                self._content(part.get("text") or part.get("refusal"))
                self._content(part.get("content"), depth)

    def _picture(self, part: dict[str, Any]) -> None:
        source, url = as_dict(part.get("source")), part.get("image_url")
        detail = as_dict(url).get("detail") or part.get("detail")
        data = source.get("data") or (url.get("url") if isinstance(url, dict) else url)
        data, detail = (as_text(value) for value in (data, detail))
        self.extra += picture_tokens(data, self.family, detail)

    def _document(self, part: dict[str, Any], depth: int) -> None:
        """A PDF by its pages; a text, or parts, as what they are."""
        source = as_dict(part.get("source")) or as_dict(part.get("file")) or part
        data = source.get("data") or source.get("file_data")
        self._content(part.get("title"))
        self._content(part.get("context"))
        if source.get("type") == "text":
            self._content(data)
        elif source.get("content"):
            self._content(source["content"], depth)
        else:
            self.extra += pdf_tokens(as_text(data), self.family)


_CALLS = {"function_call", "custom_tool_call"}
_RESULTS = {"function_call_output", "custom_tool_call_output"}


def _begins_turn(message: dict[str, Any]) -> bool:
    """Whether a person speaks in it, not just a tool."""
    content = message.get("content")
    if message.get("role") != "user":
        return False
    return not isinstance(content, list) or any(
        as_dict(part).get("type") != "tool_result" for part in content
    )
