"""A model that behaves like a coding agent's: writes a file, edits it, hashes it, tells the hash (pure).

Its next step follows from the conversation alone, so it may be asked again, out of order
or by several clients at once. The tools are those of OpenCode.
"""

from __future__ import annotations

import json
import re
from typing import Any

from tests.upstream.chat import ToolCall, Turn

LINES = "alpha beta ünïcödé ✓ 漢字 😀"
BEFORE, AFTER = "alpha beta", "omega beta"
TITLE = "A file and its hash"

Json = dict[str, Any]


def next_turn(body: Json, nonce: str = "n0", file: str = "hello.txt") -> Turn:
    """What the model says to this conversation: write, edit, bash, then a text that quotes the hash."""
    tools = {tool["function"]["name"]: tool["function"] for tool in body.get("tools") or ()}
    if not tools:
        return Turn(text=(TITLE,))
    results = results_since_the_question(body["messages"])
    path = f"{folder(body['messages'])}{file}"
    steps = [
        ("write", {"filePath": path, "content": written(nonce)}),
        ("edit", {"filePath": path, "oldString": BEFORE, "newString": AFTER}),
        ("bash", {"command": hashing(file), "description": "Hash the file"}),
    ]
    if len(results) >= len(steps):
        return Turn(text=("The file is there, ", "its hash is ", f"{quoted_hash(results[-1])}."))
    name, arguments = steps[len(results)]
    if name not in tools:
        return Turn(text=(f"There is no tool {name}.",))
    return _call(len(results), tools[name], arguments)


def written(nonce: str) -> str:
    """The file as the first step writes it."""
    return f"nonce {nonce}\n{LINES}\n"


def edited(nonce: str) -> str:
    """The file as it should be in the end."""
    return written(nonce).replace(BEFORE, AFTER)


def hashing(file: str) -> str:
    """A command that prints the file's SHA-256 on Linux and on macOS."""
    return f"sha256sum {file} 2>/dev/null || shasum -a 256 {file}"


def results_since_the_question(messages: list[Json]) -> list[str]:
    """The tool results that came after the user's last message."""
    last = max((n for n, message in enumerate(messages) if message["role"] == "user"), default=-1)
    return [text_of(message) for message in messages[last + 1 :] if message["role"] == "tool"]


def folder(messages: list[Json]) -> str:
    """The working directory that the system prompt names, with a slash, or nothing."""
    found = re.search(r"Working directory: (\S+)", "\n".join(map(text_of, messages)))
    return f"{found[1].rstrip('/')}/" if found else ""


def quoted_hash(result: str) -> str:
    found = re.search(r"\b[0-9a-f]{64}\b", result)
    return found[0] if found else "unknown"


def text_of(message: Json) -> str:
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)


def _call(step: int, tool: Json, arguments: Json) -> Turn:
    known = tool["parameters"]["properties"]
    text = json.dumps({name: value for name, value in arguments.items() if name in known}, ensure_ascii=False)
    call = ToolCall(f"call_step{step}", tool["name"], text)
    return Turn(text=("Step ", f"{step + 1} of 3. "), calls=(call,), finish="tool_calls")
