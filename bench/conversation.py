"""What is asked, before it is told in a dialect: one short message, or an agent's whole history. Pure."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from bench.script import UNMARKED

AGENT_BYTES = 60_000
COUNT_BYTES = 80_000


@dataclass(frozen=True, slots=True)
class Tool:
    name: str
    description: str
    schema: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Turn:
    """A question, the tool call that the model answered with, and the tool's result."""

    question: str
    call: str
    tool: str
    arguments: dict[str, str]
    result: str


@dataclass(frozen=True, slots=True)
class Conversation:
    question: str
    """The last message; holds the script."""
    system: str = ""
    tools: tuple[Tool, ...] = ()
    turns: tuple[Turn, ...] = ()


def short(script: object) -> Conversation:
    """One short message."""
    return Conversation(f"Say pong. {script}")


def agents(script: object, told: Callable[[Conversation], bytes], size: int = AGENT_BYTES) -> Conversation:
    """A coding agent's: system prompt, 10 tools and a tool loop, `size` bytes as they are told. Synthetic."""
    conversation = Conversation(
        f"Now mend the test that fails. {script}", words(10_000, 1), tuple(map(_tool, range(10)))
    )
    while len(told(conversation)) < size - 2_500:
        conversation = replace(conversation, turns=(*conversation.turns, _turn(len(conversation.turns))))
    missing = size - len(told(conversation))
    return replace(conversation, system=f"{conversation.system} {words(missing - 1, 2)}")


def fresh(asked: Conversation) -> Conversation:
    """The same with a place for a mark in each text: once it is written, nobody has seen the text before."""
    return Conversation(
        f"{UNMARKED} {asked.question}",
        f"{UNMARKED} {asked.system}",
        tuple(replace(tool, description=f"{UNMARKED} {tool.description}") for tool in asked.tools),
        tuple(
            replace(turn, question=f"{UNMARKED} {turn.question}", result=f"{UNMARKED} {turn.result}")
            for turn in asked.turns
        ),
    )


def _turn(number: int) -> Turn:
    return Turn(
        question=words(200, number + 100),
        call=f"call_{number:012d}",
        tool=f"tool_{number % 10}",
        arguments={"path": f"src/part_{number}.py", "why": words(120, number)},
        result=words(1_400, number + 200),
    )


def _tool(number: int) -> Tool:
    names = ["path", "why", "pattern", "replacement", "limit", "options"]
    properties = {name: {"type": "string", "description": words(150, number * 10)} for name in names}
    schema = {
        "type": "object",
        "properties": properties,
        "required": names[:2],
        "additionalProperties": False,
    }
    return Tool(f"tool_{number}", words(700, number + 300), schema)


@cache
def words(length: int, seed: int) -> str:
    """Text of exactly `length` characters with quotes and line ends as code and prose have them."""
    chance = random.Random(seed)
    pieces: list[str] = []
    written = 0
    while written < length:
        word = "".join(chance.choices("etaoinshrdlucmfw", k=chance.randint(2, 9)))
        piece = chance.choices([word + " ", word + "\n", f'"{word}" '], [12, 1, 1])[0]
        pieces.append(piece)
        written += len(piece)
    return "".join(pieces)[:length]


def compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
