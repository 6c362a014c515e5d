"""The items of a Responses conversation as the messages of Chat Completions. Pure.

What the assistant did stands there as items in a row (thoughts, text, calls) and here as one
message. The results of its calls come right behind it, wherever they stood: chat targets
take them nowhere else, and Codex puts what was said meanwhile between a call and its result.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.dialects.openai_responses_content import Texts, apart, content_of, text_of, written
from app.dialects.openai_responses_tools import BUILT_IN_CALLS, BUILT_INS, INPUT, Tool, Tools
from app.errors import BadRequest
from app.types import Body
from app.utils.codec import dumps
from app.utils.fields import kind
from app.utils.preview import preview
from app.utils.shapes import as_dicts, as_text

OpenSealed = Callable[[str], dict[str, Any] | None]
"""Opens what the gateway sealed; None for what others did."""


def opens_nothing(sealed: str) -> dict[str, Any] | None:
    return None


@dataclass(slots=True)
class Turn:
    """What the assistant did in one go, and what came of it."""

    text: Texts = field(default_factory=Texts)
    thoughts: Texts = field(default_factory=Texts)
    blocks: list[Body] = field(default_factory=list)
    calls: list[Body] = field(default_factory=list)
    results: list[Body] = field(default_factory=list)
    pictures: list[Body] = field(default_factory=list)
    """Those among the results: chat has no other place for them than a user's message."""

    def messages(self) -> list[Body]:
        text, thoughts = self.text.whole(), self.thoughts.whole()
        if not (text or self.calls):
            return []  # thoughts that led to nothing
        message: Body = {"role": "assistant", "content": text or None}
        if thoughts:
            message["reasoning_content"] = thoughts
        if self.blocks:
            message["thinking_blocks"] = self.blocks
        if self.calls:
            message["tool_calls"] = self.calls
        shown = [{"role": "user", "content": self.pictures}] if self.pictures else []
        return [message, *self.results, *shown]


class Conversation:
    """Takes the items in their order."""

    def __init__(self, tools: Tools, open_sealed: OpenSealed) -> None:
        self._tools = tools
        self._open_sealed = open_sealed
        self._said: list[Texts | Turn | Body] = []
        """Texts are the system's."""
        self._callers: dict[str, Turn] = {}

    def messages(self) -> list[Body]:
        messages: list[Body] = []
        for said in self._said:
            if isinstance(said, Turn):
                messages += said.messages()
            else:
                messages.append(_system(said.whole()) if isinstance(said, Texts) else said)
        return messages

    def instruct(self, content: Any) -> None:
        """Adds to the system message at the start, for many templates take one only, or another later on."""
        if isinstance(content, list) and all(part["type"] == "text" for part in content):
            content = text_of(content)
        if not isinstance(content, str):
            self._said.append(_system(content))
            return
        if not (len(self._said) == 1 and isinstance(self._said[0], Texts)):
            self._said.append(Texts())
        texts = self._said[-1]
        assert isinstance(texts, Texts)
        texts.add(content)

    def ask(self, content: Any) -> None:
        self._said.append({"role": "user", "content": content})

    def take(self, item: Body, place: str) -> None:
        """Adds an item; `place` is where it stands, for messages about it."""
        name = type_of(item)
        if name in _TAKERS:
            _TAKERS[name](self, item, place)
        elif name in BUILT_IN_CALLS:
            self._built_in_call(item, place)

    def _message(self, item: Body, place: str) -> None:
        role, content = item.get("role"), item.get("content")
        if role == "assistant":
            self._turn().text.add(text_of(content))
        elif role in ("system", "developer"):
            self.instruct(content_of(content, f"{place}.content"))
        else:
            self.ask(content_of(content, f"{place}.content"))

    def _reasoning(self, item: Body, place: str) -> None:
        turn = self._turn()
        sealed = item.get("encrypted_content")
        opened = self._open_sealed(sealed) if isinstance(sealed, str) and sealed else None
        if opened is None:
            turn.thoughts.add(text_of(item.get("content")) or text_of(item.get("summary")))
            return
        turn.thoughts.go_on(opened.get("reasoning_content") or "")
        turn.blocks += opened.get("thinking_blocks") or []

    def _call(self, item: Body, place: str) -> None:
        arguments = item.get("arguments")
        self._add_call(item, Tool("function", *_name(item, place)), written(arguments), place)

    def _custom_call(self, item: Body, place: str) -> None:
        arguments = dumps({INPUT: written(item.get("input"))}).decode()
        self._add_call(item, Tool("custom", *_name(item, place)), arguments, place)

    def _built_in_call(self, item: Body, place: str) -> None:
        kind_of = BUILT_IN_CALLS[item["type"]]
        arguments = item.get(BUILT_INS[kind_of].holder)
        if isinstance(item.get("call_id"), str):  # without one OpenAI ran it itself
            self._add_call(item, Tool(kind_of, kind_of), written(arguments), place)

    def _mcp_call(self, item: Body, place: str) -> None:
        """What a server of OpenAI's user did: a call and its result in one item."""
        call = {**item, "call_id": item.get("id")}
        tool = Tool("function", *_name(call, place))
        self._add_call(
            call,
            Tool("function", tool.name, as_text(item.get("server_label"))),
            written(item.get("arguments")),
            place,
        )
        self._result({**call, "output": item.get("output") or item.get("error") or ""}, place)

    def _add_call(self, item: Body, tool: Tool, arguments: str, place: str) -> None:
        turn, id = self._turn(), _call_id(item, place)
        function = {"name": self._tools.name_of(tool), "arguments": arguments}
        turn.calls.append({"id": id, "type": "function", "function": function})
        self._callers[id] = turn

    def _result(self, item: Body, place: str) -> None:
        id = _call_id(item, place)
        if id not in self._callers:
            said = f"No tool call found for function call output with call_id {preview(id)}."
            raise BadRequest(said, param=place)
        content = content_of(item.get("output"), f"{place}.output")
        texts, pictures = apart(content)
        self._callers[id].results.append({"role": "tool", "tool_call_id": id, "content": texts})
        self._callers[id].pictures += pictures

    def _found_tools(self, item: Body, place: str) -> None:
        """The result of a search for tools: they are offered by now, so their names will do."""
        if not isinstance(item.get("call_id"), str):
            return
        tools = item.get("tools") or []
        if not isinstance(tools, list):
            raise BadRequest(
                f"'{place}.tools' must be a list of tools, not {kind(tools)}", param=f"{place}.tools"
            )
        found = [as_text(tool.get("name")) for tool in as_dicts(tools)]
        said = f"Tools found: {', '.join(found)}" if found else "No tools found."
        self._result({**item, "output": said}, place)

    def _reference(self, item: Body, place: str) -> None:
        raise unknown_item(item, place)

    def _turn(self) -> Turn:
        """The assistant's turn that is going on, or a new one."""
        last = self._said[-1] if self._said else None
        if isinstance(last, Turn) and not last.results:
            return last
        turn = Turn()
        self._said.append(turn)
        return turn


_TAKERS: Mapping[str, Callable[[Conversation, Body, str], None]] = {
    "message": Conversation._message,
    "reasoning": Conversation._reasoning,
    "function_call": Conversation._call,
    "custom_tool_call": Conversation._custom_call,
    "mcp_call": Conversation._mcp_call,
    "function_call_output": Conversation._result,
    "custom_tool_call_output": Conversation._result,
    "local_shell_call_output": Conversation._result,
    "shell_call_output": Conversation._result,
    "apply_patch_call_output": Conversation._result,
    "tool_search_output": Conversation._found_tools,
    "item_reference": Conversation._reference,
}


def _system(content: Any) -> Body:
    return {"role": "system", "content": content}


def unknown_item(item: Body, place: str) -> BadRequest:
    """The error for an item that is only named, by an id that nobody knows."""
    return BadRequest(f"Item with id '{preview(str(item.get('id')))}' not found.", param=place)


def type_of(item: Body) -> str:
    """An item's type; a message and a reference may leave it out."""
    if isinstance(item.get("type"), str):
        return str(item["type"])
    return "message" if "role" in item else "item_reference"


def is_taken(name: str) -> bool:
    """Whether items of a type have a form in chat."""
    return name in _TAKERS or name in BUILT_IN_CALLS


def _name(item: Body, place: str) -> tuple[str, str | None]:
    name = item.get("name")
    if not isinstance(name, str) or not name:
        raise BadRequest(
            f"'{place}.name' must be the name of a tool, not {kind(name)}", param=f"{place}.name"
        )
    return name, as_text(item.get("namespace")) or None


def _call_id(item: Body, place: str) -> str:
    id = item.get("call_id") or (item.get("id") if item.get("type") == "local_shell_call_output" else None)
    if not isinstance(id, str) or not id:
        raise BadRequest(f"'{place}.call_id' must be a string, not {kind(id)}", param=f"{place}.call_id")
    return id
