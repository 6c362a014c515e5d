"""The APIs that are measured, each a module that knows how it is asked and answered. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Protocol

from bench import chat, counting, messages, responses
from bench.conversation import Conversation, agents, compact, fresh, short
from bench.script import DialectName, Pattern, Patterns, Script, mark

ApiName = DialectName | Literal["count"]


class Api(Protocol):
    """How requests are told, and what their answers have to hold."""

    PATH: str
    WHOLE: Patterns
    """What a plain answer holds, by its name."""
    END: Patterns
    """What a stream holds from its last delta on."""
    AGAIN: Pattern | None
    """Where a stream begins to say all of its text once more, if it does."""

    def body(self, asked: Conversation, model: str, stream: bool) -> dict[str, Any]: ...


class Dialect(Api, Protocol):
    """How an upstream answers: whole HTTP, each event of a stream a chunk of its own."""

    def plain_answer(self) -> bytes: ...
    def opening(self) -> bytes:
        """What comes before the first delta."""

    def delta(self, number: int) -> tuple[bytes, bytes]:
        """A delta of `EVENT_BYTES`, in the two halves between which its mark is written."""

    def ending(self, events: int) -> bytes:
        """What comes after the last delta, and the end of the body."""


DIALECTS: Mapping[DialectName, Dialect] = {"chat": chat, "messages": messages, "responses": responses}
APIS: Mapping[ApiName, Api] = {"chat": chat, "messages": messages, "responses": responses, "count": counting}


def dialect_at(path: str) -> Dialect | None:
    """The dialect that is spoken there."""
    bare = path.partition("?")[0]
    return next((dialect for dialect in DIALECTS.values() if bare == dialect.PATH), None)


def request_body(api: Api, script: Script, model: str, size: int = 0, marked: bool = False) -> bytes:
    """A request: of an agent with so many bytes, or of one short message. Each text may carry a mark."""

    def told(asked: Conversation) -> bytes:
        return compact(api.body(fresh(asked) if marked else asked, model, script.streamed))

    return told(agents(script, told, size) if size else short(script))


def stamped(dialect: Dialect, nanoseconds: int, number: int) -> bytes:
    """A delta that says when it was written."""
    before, after = dialect.delta(number)
    return before + mark(nanoseconds).encode() + after
