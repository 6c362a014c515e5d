"""A chat conversation as Harmony's messages. Pure.

The analysis of a finished turn is left out, for so the model was trained; within a tool loop it
is kept. A call is followed by its result, also where several were made at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from app.errors import BadRequest
from app.utils.codec import dumps
from app.utils.harmony import neutralised
from app.utils.harmony_tools import functions_in, named_in
from app.utils.preview import preview
from app.utils.shapes import as_dict, as_dicts

Author: TypeAlias = Literal["developer", "user", "assistant", "tool"]
Message: TypeAlias = Mapping[str, Any]

_SYSTEM = ("system", "developer")
_REFUSED = {"image_url": "an image", "input_audio": "sound", "file": "a file"}


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands around a message's text."""

    author: Author
    name: str = ""
    """Of a tool that answers."""
    channel: str = ""
    recipient: str = ""
    type: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One message of the history; its text holds no control tokens."""

    frame: Frame
    text: str


USER = Frame("user")
LATER = Frame("developer")
ANALYSIS = Frame("assistant", channel="analysis")
PREAMBLE = Frame("assistant", channel="commentary")
FINAL = Frame("assistant", channel="final")


def instructions_in(body: Mapping[str, Any]) -> str:
    """The developer's: the system messages before all others, and what the request wants of the answer."""
    messages = _messages(body)
    leading = [_text(message) for message in messages[: _leading(messages)]]
    return neutralised("\n\n".join(filter(None, [*leading, _duty(body), _format(body)])))


def lines_in(body: Mapping[str, Any]) -> list[Line]:
    """Everything that was said after the instructions."""
    history = _History(_messages(body))
    return [line for line in history.lines() if line.text or line.frame.recipient]


class _History:
    """Goes through a conversation once; a result may be told ahead of its place, right after its call."""

    def __init__(self, messages: Sequence[Message]) -> None:
        self._messages = messages
        self._finished = _last_final(messages)
        self._names: dict[str, str] = {}
        """What was called, by the ids of the calls."""
        self._told: set[int] = set()

    def lines(self) -> Iterator[Line]:
        for place in range(_leading(self._messages), len(self._messages)):
            message = self._messages[place]
            role = message.get("role")
            if role == "assistant":
                yield from self._assistant(place, message)
            elif role == "tool":
                if place not in self._told:
                    yield self._result(message)
            else:
                yield _line(LATER if role in _SYSTEM else USER, _text(message))

    def _assistant(self, place: int, message: Message) -> Iterator[Line]:
        calls = as_dicts(message.get("tool_calls"))
        if place > self._finished:
            yield _line(ANALYSIS, _thoughts(message))
        yield _line(PREAMBLE if calls else FINAL, _text(message))
        results = _results(self._messages, place + 1) if calls else {}
        for call in calls:
            yield self._call(call)
            found = results.get(str(call.get("id")))
            if found is not None and found not in self._told:
                self._told.add(found)
                yield self._result(self._messages[found])

    def _call(self, call: Message) -> Line:
        name, arguments = _function(call)
        self._names[str(call.get("id"))] = name
        frame = Frame("assistant", "", "commentary", f"functions.{neutralised(name)}", "<|constrain|>json")
        return _line(frame, arguments)

    def _result(self, message: Message) -> Line:
        name = self._names.get(str(message.get("tool_call_id"))) or str(message.get("name") or "tool")
        frame = Frame("tool", f"functions.{neutralised(name)}", "commentary", "assistant")
        return _line(frame, _text(message))


def _line(frame: Frame, text: str) -> Line:
    return Line(frame, neutralised(text))


# ---------------------------------------------------------------------- what the request wants


def _duty(body: Mapping[str, Any]) -> str:
    """`tool_choice` in words, the only way to say it to a model."""
    choice = body.get("tool_choice")
    if not functions_in(body):
        return ""
    if name := named_in(choice):
        return f"Call functions.{name} now, before you answer anything."
    return "Call one of the functions now, before you answer anything." if choice == "required" else ""


def _format(body: Mapping[str, Any]) -> str:
    """`response_format` as the section that the model was trained on."""
    wanted = body.get("response_format")
    if not isinstance(wanted, dict):
        return ""
    if wanted.get("type") == "json_object":
        return '# Response Formats\n\n## json\n\n// One JSON object and nothing else.\n{"type":"object"}'
    schema = wanted.get("json_schema")
    if wanted.get("type") != "json_schema" or not isinstance(schema, dict):
        return ""
    name, about = schema.get("name") or "answer", schema.get("description")
    comment = "".join(f"// {line}\n" for line in about.splitlines()) if isinstance(about, str) else ""
    return f"# Response Formats\n\n## {name}\n\n{comment}{dumps(schema.get('schema') or {}).decode()}"


# ---------------------------------------------------------------------- reading a conversation


def _messages(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    return as_dicts(body.get("messages"))


def _leading(messages: Sequence[Message]) -> int:
    """How many messages of the system stand before all others."""
    others = (place for place, it in enumerate(messages) if it.get("role") not in _SYSTEM)
    return next(others, len(messages))


def _last_final(messages: Sequence[Message]) -> int:
    """Where the last finished turn ended; -1 if none has."""
    finals = (
        place
        for place in range(len(messages) - 1, -1, -1)
        if messages[place].get("role") == "assistant" and not as_dicts(messages[place].get("tool_calls"))
    )
    return next(finals, -1)


def _results(messages: Sequence[Message], start: int) -> dict[str, int]:
    """Where the results of the calls before `start` are, by the ids of the calls."""
    found: dict[str, int] = {}
    for place in range(start, len(messages)):
        if messages[place].get("role") != "tool":
            break
        found.setdefault(str(messages[place].get("tool_call_id")), place)
    return found


def _function(call: Mapping[str, Any]) -> tuple[str, str]:
    function = as_dict(call.get("function"))
    arguments = function.get("arguments")
    if not isinstance(arguments, str):
        arguments = dumps(arguments or {}).decode()
    return str(function.get("name") or ""), arguments


def _thoughts(message: Message) -> str:
    for key in ("reasoning_content", "reasoning"):
        if isinstance(text := message.get(key), str) and text:
            return text
    blocks = (block.get("thinking") for block in as_dicts(message.get("thinking_blocks")))
    return "\n\n".join(text for text in blocks if isinstance(text, str) and text)


def _text(message: Message) -> str:
    content = message.get("content")
    if isinstance(content, str):
        return content
    texts = [_text_of_part(part) for part in as_dicts(content)]
    if isinstance(refusal := message.get("refusal"), str):
        texts.append(refusal)
    return "\n\n".join(filter(None, texts))


def _text_of_part(part: Mapping[str, Any]) -> str:
    """A part's text; raises BadRequest for what no text can say."""
    for key in ("text", "refusal"):
        if isinstance(text := part.get(key), str):
            return text
    type = str(part.get("type"))
    what = _REFUSED.get(type, f"a part of type '{preview(type)}'")
    raise BadRequest(f"the model takes text only, and a message holds {what}", param="messages")
