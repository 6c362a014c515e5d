"""A model that behaves like a coding agent's: writes a file, edits it, hashes it, tells the hash (pure).

Its next step follows from the conversation alone, so it may be asked again, out of order
or by several clients at once. It knows the tools of OpenCode, Claude Code and Codex, in
whichever dialect they are offered.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.upstream.chat import ToolCall, Turn
from tests.upstream.conversation import MARKER, Said, Tool, conversation, tools

LINES = "alpha beta ünïcödé ✓ 漢字 😀"
BEFORE, AFTER = "alpha beta", "omega beta"
TITLE = "A file and its hash"
FOLDER = re.compile(r"(?:[Ww]orking directory: |<cwd>)([^\s<]+)")

Json = dict[str, Any]


def next_turn(body: Json, nonce: str = "n0", file: str = "hello.txt") -> Turn:
    """What the model says to this conversation: write, edit, hash, then a text that quotes the hash."""
    offered = tools(body)
    if not offered:
        return Turn(text=(TITLE,))
    talk = conversation(body)
    results = results_since_the_question(talk)
    if len(results) >= 3:
        return Turn(text=("The file is there, ", "its hash is ", f"{quoted_hash(results[-1])}."))
    kit = next((kit for kit in KITS if kit.fits(offered)), None)
    if kit is None:
        return Turn(text=(f"There is no tool for this among {', '.join(sorted(offered))}.",))
    name, arguments = kit.steps(Job(folder(talk), file, nonce))[len(results)]
    return _call(len(results), offered[name], arguments)


# ----------------------------------------------------------------- the clients' tools


@dataclass(frozen=True, slots=True)
class Job:
    folder: str
    """With a slash at its end, or nothing."""
    file: str
    nonce: str

    @property
    def path(self) -> str:
        return self.folder + self.file


Step = tuple[str, Json | str]
"""A tool's name, and its arguments by name, or the text of a tool that takes no JSON."""


@dataclass(frozen=True, slots=True)
class Kit:
    """How a client's tools do the work."""

    tools: frozenset[str]
    steps: Callable[[Job], list[Step]]

    def fits(self, offered: Mapping[str, Tool]) -> bool:
        return self.tools <= offered.keys()


def _opencode(job: Job) -> list[Step]:
    return [
        ("write", {"filePath": job.path, "content": written(job.nonce)}),
        ("edit", {"filePath": job.path, "oldString": BEFORE, "newString": AFTER}),
        ("bash", {"command": hashing(job.file), "description": "Hash the file"}),
    ]


def _claude(job: Job) -> list[Step]:
    return [
        ("Write", {"file_path": job.path, "content": written(job.nonce)}),
        ("Edit", {"file_path": job.path, "old_string": BEFORE, "new_string": AFTER}),
        ("Bash", {"command": hashing(job.file), "description": "Hash the file"}),
    ]


def _codex_with_patches(job: Job) -> list[Step]:
    added = "".join(f"+{line}\n" for line in written(job.nonce).splitlines())
    changed = f"@@\n-{LINES}\n+{LINES.replace(BEFORE, AFTER)}\n"
    return [
        ("apply_patch", patch(f"*** Add File: {job.file}\n{added}")),
        ("apply_patch", patch(f"*** Update File: {job.file}\n{changed}")),
        ("exec_command", {"cmd": hashing(job.file)}),
    ]


def _codex(job: Job) -> list[Step]:
    change = f"sed 's/{BEFORE}/{AFTER}/' {job.file} >{job.file}.new && mv {job.file}.new {job.file}"
    return [
        ("exec_command", {"cmd": f"cat >{job.file} <<'END'\n{written(job.nonce)}END"}),
        ("exec_command", {"cmd": change}),
        ("exec_command", {"cmd": hashing(job.file)}),
    ]


def _codex_with_scripts(job: Job) -> list[Step]:
    commands = [arguments["cmd"] for _, arguments in _codex(job) if isinstance(arguments, dict)]
    return [(SCRIPTED, f"text(await tools.exec_command({json.dumps({'cmd': cmd})}));") for cmd in commands]


SCRIPTED = "functions__exec"
"""Newer models write JavaScript for Codex, which calls the other tools; the name with its namespace."""

KITS = (
    Kit(frozenset({"write", "edit", "bash"}), _opencode),
    Kit(frozenset({"Write", "Edit", "Bash"}), _claude),
    Kit(frozenset({"apply_patch", "exec_command"}), _codex_with_patches),
    Kit(frozenset({"exec_command"}), _codex),
    Kit(frozenset({SCRIPTED}), _codex_with_scripts),
)


def patch(text: str) -> str:
    return f"*** Begin Patch\n{text}*** End Patch\n"


def written(nonce: str) -> str:
    """The file as the first step writes it."""
    return f"nonce {nonce}\n{LINES}\n"


def edited(nonce: str) -> str:
    """The file as it should be in the end."""
    return written(nonce).replace(BEFORE, AFTER)


def hashing(file: str) -> str:
    """A command that prints the file's SHA-256 on Linux and on macOS."""
    return f"sha256sum {file} 2>/dev/null || shasum -a 256 {file}"


# ------------------------------------------------------------ what the conversation says


def results_since_the_question(talk: list[Said]) -> list[str]:
    """The tool results that came after the user's last question.

    Clients put reminders of their own into user messages, also after the results: a message
    with a marker is a question for sure, and where there is none the last message is.
    """
    asked = [n for n, said in enumerate(talk) if said.by == "user" and MARKER.search(said.text)]
    asked = asked or [n for n, said in enumerate(talk) if said.by == "user"]
    return [said.text for said in talk[asked[-1] + 1 if asked else 0 :] if said.by == "tool"]


def folder(talk: list[Said]) -> str:
    """The working directory that the client names, with a slash, or nothing."""
    found = FOLDER.search("\n".join(said.text for said in talk))
    return f"{found[1].rstrip('/')}/" if found else ""


def quoted_hash(result: str) -> str:
    found = re.search(r"\b[0-9a-f]{64}\b", result)
    return found[0] if found else "unknown"


def _call(step: int, tool: Tool, arguments: Json | str) -> Turn:
    extra = {"namespace": tool.namespace} if tool.namespace else {}
    text = _written_for(tool, arguments)
    call = ToolCall(f"call_step{step}", tool.name, text, extra, tool.custom)
    return Turn(text=("Step ", f"{step + 1} of 3. "), calls=(call,), finish="tool_calls")


def _written_for(tool: Tool, arguments: Json | str) -> str:
    """The arguments as that tool takes them; a text is all that a function made of a custom tool takes."""
    if tool.custom:
        return str(arguments)
    named = dict.fromkeys(tool.fields, arguments) if isinstance(arguments, str) else arguments
    return json.dumps({name: named[name] for name in named if name in tool.fields}, ensure_ascii=False)
