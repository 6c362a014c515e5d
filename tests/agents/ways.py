"""One gateway whose aliases lead to one upstream by every way, for the clients that are tested against it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Protocol

from tests.gateway import config
from tests.upstream import Upstream

NATIVE = {"dialects": ["chat", "messages", "responses"]}
ALIASES = {
    "native": {"id": "wire-of-native", "options": {"localcode": NATIVE}},
    "chat": "wire-of-chat",
    "lite": {"id": "wire-of-lite", "options": {"localcode": {"carrier": "litellm"}}},
}
"""`native` is relayed in every dialect, `chat` and `lite` are asked in chat, by relay and by LiteLLM."""

CLAUDE = "claude-like"
"""An alias for what speaks Messages only."""


class Run(Protocol):
    """What came of one turn of an agent."""

    @property
    def status(self) -> int: ...
    @property
    def out(self) -> str: ...
    @property
    def err(self) -> str: ...
    @property
    def said(self) -> str: ...


class Agent(Protocol):
    """A client in a home and a project of its own."""

    home: Path
    project: Path

    def ask(self, alias: str, prompt: str, *, timeout: float = 120) -> Run: ...


def settings_for(upstream: Upstream, **more: Any) -> dict[str, Any]:
    settings = config(upstream.base_url, ALIASES | more)
    claude = config(upstream.base_url, {CLAUDE: "wire-of-claude"})["provider"]["up"]
    settings["provider"]["anthropic-like"] = claude | {"npm": "@ai-sdk/anthropic"}
    return settings


def hash_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def files_that_name(word: str, folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and word.encode() in path.read_bytes()]
