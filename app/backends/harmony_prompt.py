"""A chat body as the text of a Harmony prompt, written by `openai-harmony`.

The library counts in tokens. Making half a megabyte of history into tokens only to read the text
out of them again would hold up a worker for half a second in each turn, so the library is asked
for what stands around a text, once for each kind of message, and the texts are put in between.

It fetches its vocabulary from the network unless it finds it on the disk. LiteLLM ships the same
file, so that is where it is sent to look; without it, or with another one, nothing is fetched.
"""

from __future__ import annotations

import hashlib
import importlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from importlib.util import find_spec
from typing import Any, Protocol

from app.backends.apart import Apart
from app.errors import BadRequest, GatewayError
from app.types import Body
from app.utils.codec import dumps, loads
from app.utils.harmony import neutralised
from app.utils.harmony_history import Frame, instructions_in, lines_in
from app.utils.harmony_tools import described, functions_in
from app.utils.reasoning import harmony_level

NEXT = "<|start|>assistant"
"""What the model goes on from."""

FOLDER = "litellm_core_utils/tokenizers"
FILE = "fb374d419588a4632f3f557e76b4b70aebbca790"
"""The library's own name for the vocabulary: a digest of the address that it would fetch it from."""
SHA256 = "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"

VARIABLES = ("TIKTOKEN_RS_CACHE_DIR", "TIKTOKEN_ENCODINGS_BASE")
"""With either of them the user says where the vocabulary is."""

_TEXT = "\ue000"
"""Stands for a text while what is around it is written; a character without a meaning."""


class Prompt(Protocol):
    def __call__(self, body: Body, today: str) -> str:
        """The prompt for a chat body; `today` as YYYY-MM-DD."""


class HarmonyPrompt:
    """Writes prompts. The library is loaded by the first one (0.3 s), and only that one waits for it."""

    def __init__(self, load: Callable[[], Frames] | None = None) -> None:
        self._load = load or load_frames
        self._apart = Apart()
        self._frames: Frames | None = None

    def __call__(self, body: Body, today: str) -> str:
        frames = self._frames or self._apart(self._loaded)
        instructions, lines = instructions_in(body), lines_in(body)
        functions = [described(function) for function in functions_in(body)]
        parts = [frames.system(harmony_level(body), today, bool(functions))]
        if instructions or functions:
            tools = neutralised(dumps(functions).decode()) if functions else ""
            before, after = frames.developer(bool(instructions), tools)
            parts += [before, instructions, after]
        for line in lines:
            before, after = frames.around(line.frame)
            parts += [before, line.text, after]
        return "".join([*parts, NEXT])

    def _loaded(self) -> Frames:
        if self._frames is None:
            self._frames = self._load()
        return self._frames


class Frames:
    """What the library puts around texts. Each kind is made once."""

    def __init__(self, library: Any, encoding: Any) -> None:
        self._library = library
        self.encoding = encoding
        self.system = lru_cache(64)(self._system)
        self.developer = lru_cache(32)(self._developer)
        self.around = lru_cache(1024)(self._around)

    def _system(self, level: str, today: str, has_functions: bool) -> str:
        """The whole system message."""
        harmony = self._library
        content = harmony.SystemContent.new()
        content = content.with_reasoning_effort(harmony.ReasoningEffort(level.capitalize()))
        content = content.with_conversation_start_date(today)
        message = harmony.Message.from_role_and_content(harmony.Role.SYSTEM, content)
        return self._written(message, has_functions)

    def _developer(self, has_instructions: bool, tools: str) -> tuple[str, str]:
        """What stands around the instructions; `tools` is a JSON list of functions, or nothing."""
        harmony = self._library
        content = harmony.DeveloperContent.new()
        if has_instructions:
            content = content.with_instructions(_TEXT)
        if tools:
            content = content.with_function_tools([self._tool(tool) for tool in loads(tools)])
        message = harmony.Message.from_role_and_content(harmony.Role.DEVELOPER, content)
        before, _, after = self._written(message).partition(_TEXT if has_instructions else "<|message|>")
        return (before, after) if has_instructions else (f"{before}<|message|>", after)

    def _tool(self, function: Mapping[str, Any]) -> Any:
        return self._library.ToolDescription.new(
            function["name"], function["description"], function["parameters"]
        )

    def _around(self, frame: Frame) -> tuple[str, str]:
        harmony = self._library
        author = harmony.Author(role=harmony.Role(frame.author), name=frame.name or None)
        content: Any = _TEXT
        if frame.author == "developer":
            content = harmony.DeveloperContent.new().with_instructions(_TEXT)
        message = harmony.Message.from_author_and_content(author, content)
        message.channel = frame.channel or None
        message.recipient = frame.recipient or None
        message.content_type = frame.type or None
        before, _, after = self._written(message).rpartition(_TEXT)
        return before, after

    def _written(self, message: Any, has_functions: bool = False) -> str:
        options = self._library.RenderOptions(conversation_has_function_tools=has_functions)
        try:
            return str(self.encoding.decode(self.encoding.render(message, options)))
        except (self._library.HarmonyError, ValueError) as problem:
            raise BadRequest(f"the tools cannot be written as Harmony: {problem}", param="tools") from None


def load_frames() -> Frames:
    """The library with its vocabulary from the disk. Raises GatewayError where that is not there."""
    library = importlib.import_module("openai_harmony")
    with _vocabulary():
        try:
            encoding = library.load_harmony_encoding(library.HarmonyEncodingName.HARMONY_GPT_OSS)
        except library.HarmonyError as problem:
            raise unavailable(str(problem)) from None
    return Frames(library, encoding)


@contextmanager
def _vocabulary() -> Iterator[None]:
    """Sends the library to LiteLLM's copy, unless the user has sent it elsewhere."""
    if any(os.environ.get(name) for name in VARIABLES):
        yield
        return
    os.environ[VARIABLES[0]] = shipped()
    try:
        yield
    finally:
        del os.environ[VARIABLES[0]]


def shipped() -> str:
    """The folder of LiteLLM's vocabularies, the one that is needed among them; LiteLLM is not imported."""
    spec = find_spec("litellm")
    for place in spec.submodule_search_locations or () if spec else ():
        folder = os.path.join(place, FOLDER)
        if _digest(os.path.join(folder, FILE)) == SHA256:
            return folder
    raise unavailable(
        f"LiteLLM does not bring it any more: set {VARIABLES[1]} to a folder with o200k_base.tiktoken"
    )


def _digest(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except OSError:
        return ""


def unavailable(why: str) -> GatewayError:
    return GatewayError(f"Harmony's vocabulary cannot be read: {why}", code="harmony_unavailable")
