"""What a model says in Harmony, gpt-oss's own format, read from raw text as it comes. Pure.

    output  = [start] message *( terminator [start] message )
    start   = "<|start|>" role            ; the first one is in the prompt
    message = header "<|message|>" body
    body    = text up to the next control token
    end     = <|end|> | <|call|> | <|return|> | <|endoftext|> | the end of the input

Models get this wrong in a few turns of a hundred, so every place has a rule for every token.
Two rules stand above the others: what could be the beginning of a control token is held back,
and nothing is shown until a header has said that it may be. What a header does not say clearly
is hidden, and counted in `hidden`.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, TypeAlias

from app.errors import UpstreamCut
from app.utils.codec import loads
from app.utils.harmony_header import ELSEWHERE, LOST, SAY, Header, bare, is_open, may_open, read_header

NAMES = ("start", "end", "message", "channel", "constrain", "return", "call", "endoftext")
TOKENS = tuple(f"<|{name}|>" for name in NAMES)
"""The control tokens of an answer."""

_CONTROL = re.compile(rf"<\|({'|'.join(NAMES)})\|>")
_LONGEST = max(map(len, TOKENS))
_CUT = (None, "length", "content_filter")
"""How a turn ends that was not at its end. Servers take out the token at which they stop."""

# What else the vocabulary knows must not be written into a prompt either.
_ANY_CONTROL = re.compile(rf"<\|(?=(?:{'|'.join(NAMES)}|startoftext|endofprompt|reserved_[0-9]+)\|>)")


def neutralised(text: str) -> str:
    """Text of users and tools as it may stand in a prompt: `<|end|>` in it ends nothing."""
    return _ANY_CONTROL.sub("< |", text) if "<|" in text else text


@dataclass(frozen=True, slots=True)
class Said:
    """A piece of the answer, or of what comes before a tool call."""

    text: str


@dataclass(frozen=True, slots=True)
class Thought:
    """A piece of analysis. Not for the user."""

    text: str


@dataclass(frozen=True, slots=True)
class CallBegun:
    """A tool is called. Calls are numbered from 0 in a turn."""

    number: int
    name: str


@dataclass(frozen=True, slots=True)
class Arguments:
    """A piece of a call's arguments."""

    number: int
    text: str


Piece: TypeAlias = Said | Thought | CallBegun | Arguments


class HarmonyReader:
    """Reads one turn: `feed` as text comes, then `close`. It may be cut between any two characters."""

    def __init__(self, tools: Collection[str] = ()) -> None:
        self._tools = frozenset(tools)
        self._place: Literal["between", "header", "body"] = "between"
        self._held = ""
        """What may be the beginning of a control token."""
        self._raw = ""
        """The header as far as it has come, or what stands where one should."""
        self._header: Header = SAY
        self._lost = False
        """Whether the last header could not be read: text that follows without one is not shown then."""
        self._arguments: list[str] = []
        self._begun: set[str] = set()
        """The kinds of text that have come, for the paragraph between two of a kind."""
        self._gap = ""
        self._empty = True
        self.calls = 0
        self.over = False
        """Whether the turn has ended: what a server sends after that is not part of it."""
        self.hidden: dict[str, int] = {}
        """How many characters were hidden, by reason."""

    @property
    def begun(self) -> bool:
        """Whether something that can be read has come."""
        return bool(self._begun) or self.calls > 0

    @property
    def unreadable(self) -> str:
        """Why nothing is left of a turn in which there was something; "" where that is not so."""
        return next(iter(self.hidden), "") if not self.calls and "say" not in self._begun else ""

    def feed(self, text: str) -> list[Piece]:
        """What the next piece of text brings."""
        pieces: list[Piece] = []
        if self.over:
            return pieces
        text, place = self._held + text, 0
        for token in _CONTROL.finditer(text):
            self._read(text[place : token.start()], pieces)
            if self._ended_by(token[1], pieces):
                return pieces
            place = token.end()
        certain = _certain(text, place)
        self._read(text[place:certain], pieces)
        self._held = text[certain:]
        return pieces

    def close(self, finish: str | None) -> tuple[list[Piece], str | None]:
        """The last pieces, and how the turn ended in chat's words, given the server's word for it.

        Raises UpstreamCut when it ended within a tool call, of which nobody can make use.
        """
        pieces: list[Piece] = []
        if not self.over:
            self._read(self._held, pieces)
            self._held = ""
            whole = finish not in _CUT
            if self._place == "body":
                self._end_body(pieces, whole)
            else:
                self._dismiss(pieces, whole)
            self._place = "between"
        if self.calls:
            return pieces, "tool_calls"
        return pieces, "stop" if self.over else finish

    # ------------------------------------------------------------------ text

    def _read(self, text: str, pieces: list[Piece]) -> None:
        if not text:
            return
        if self._place == "body":
            self._show(text, pieces)
            return
        self._raw += text
        if self._place == "between" and not may_open(self._raw):
            self._begin_bare()
            self._show(self._raw, pieces)

    def _show(self, text: str, pieces: list[Piece]) -> None:
        """A piece of a body, as what its header says it is."""
        kind = self._header.kind
        if kind == "hide":
            self._hide(self._header.why, text)
            return
        if kind == "call":
            self._begin_call(pieces)
            self._arguments.append(text)
            pieces.append(Arguments(self.calls - 1, text))
        else:
            pieces.append((Said if kind == "say" else Thought)(self._gap + text))
            self._begun.add(kind)
            self._gap = ""
        self._empty = False

    def _hide(self, why: str, text: str) -> None:
        self.hidden[why] = self.hidden.get(why, 0) + len(text)
        self._empty = False

    def _begin_call(self, pieces: list[Piece]) -> None:
        if self._empty:
            pieces.append(CallBegun(self.calls, self._header.name))
            self._arguments = []
            self.calls += 1

    # ------------------------------------------------------------------ tokens

    def _ended_by(self, name: str, pieces: list[Piece]) -> bool:
        """Takes a control token; whether the turn is over with it."""
        if self._place == "body":
            self._token_in_body(name, pieces)
        else:
            self._token_in_header(name, pieces)
        return self.over

    def _token_in_header(self, name: str, pieces: list[Piece]) -> None:
        if name == "message":
            self._begin(read_header(self._raw, self._tools))
        elif name in ("channel", "constrain"):
            self._raw += f"<|{name}|>"
            self._place = "header"
        else:
            self._dismiss(pieces)
            self._turn_to(name)

    def _token_in_body(self, name: str, pieces: list[Piece]) -> None:
        if self._empty and name == "message":  # said twice
            return
        if self._empty and name == "constrain":  # the header goes on
            self._raw += "<|constrain|>"
            self._place = "header"
            return
        self._end_body(pieces)
        if name == "message":  # then what came before was a header, and nobody saw it
            self._raw = ""
            self._begin(LOST)
        elif name in ("channel", "constrain"):
            self._raw, self._place = f"<|{name}|>", "header"
        else:
            self._turn_to(name)

    def _turn_to(self, name: str) -> None:
        """After a token that ends a message, or begins one."""
        self._raw = ""
        self._place = "header" if name == "start" else "between"
        self.over = name not in ("start", "end")

    # ------------------------------------------------------------------ messages

    def _begin(self, header: Header) -> None:
        self._header, self._place = header, "body"
        self._empty = True
        self._lost = header.why not in ("", ELSEWHERE)
        self._gap = "\n\n" if header.kind in self._begun else ""
        if header.kind == "foreign":
            self._hide(header.why, "")
            self.over = True

    def _begin_bare(self) -> None:
        self._begin(LOST if self._lost else bare(self._raw))

    def _end_body(self, pieces: list[Piece], whole: bool = True) -> None:
        if self._header.kind != "call":
            return
        if not whole and not _is_object("".join(self._arguments)):
            raise UpstreamCut(f"the answer ended within a call of '{self._header.name}'")
        if self._empty:  # a tool that wants nothing is called with nothing, and clients want JSON
            self._show("{}", pieces)

    def _dismiss(self, pieces: list[Piece], whole: bool = True) -> None:
        """What stood where a header should, when the message ends without one."""
        text, self._raw = self._raw, ""
        if not text.strip() or (self._place == "header" and text == "assistant"):
            return
        if self._place == "header" or is_open(text) or not whole:
            self._hide(LOST.why, text)
            self._lost = True
        else:
            self._raw = text
            self._begin_bare()
            self._show(text, pieces)


def _certain(text: str, start: int) -> int:
    """How far text holds no beginning of a control token that may yet come."""
    place = text.rfind("<", max(start, len(text) - _LONGEST + 1))
    if place >= 0 and any(token.startswith(text[place:]) for token in TOKENS):
        return place
    return len(text)


def _is_object(text: str) -> bool:
    try:
        return isinstance(loads(text), dict)
    except ValueError:
        return False
