"""What a Harmony header says, however a model has spelled it. Pure.

    header = [role] [" to=" recipient] ["<|channel|>" channel [" to=" recipient]] [["<|constrain|>"] type]

Nothing of a header is ever shown, and what follows one that cannot be read is not shown either:
it might be analysis. Names are matched with the tools on offer, for models run them together
with whatever comes next.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

CHANNELS = ("analysis", "commentary", "final")

Kind: TypeAlias = Literal["say", "think", "call", "hide", "foreign"]
"""What becomes of a message: an answer, thoughts, a tool call, nothing, or somebody else's turn made up."""

UNREADABLE = "a header that cannot be read"
UNKNOWN_CHANNEL = "an unknown channel"
ELSEWHERE = "a recipient that is no tool"
STRIPPED = "text whose control tokens are missing"
FOREIGN = "a turn that is not the model's"


@dataclass(frozen=True, slots=True)
class Header:
    kind: Kind
    name: str = ""
    """Of the tool that is called."""
    why: str = ""
    """What is hidden, in words for the log."""


SAY = Header("say")
THINK = Header("think")
LOST = Header("hide", why=UNREADABLE)

_RECIPIENT = re.compile(r"to=([^\s<]*)")
_ASSISTANT = re.compile(r"^(?:assistant)+")
_OTHERS = re.compile(r"(?:user|system|developer|tool)$|functions\.")
_NOBODY = frozenset({"", "assistant", "user"})
"""Recipients of what is meant for the user."""


def read_header(raw: str, tools: Collection[str] = ()) -> Header:
    """The header in the text before a `<|message|>`, control tokens included."""
    spaced = raw.replace("<|constrain|>", " ")
    role, *channels = (_RECIPIENT.sub(" ", part).split() for part in spaced.split("<|channel|>"))
    role = _own_part(role)
    if role and _OTHERS.match(role[0]):
        return Header("foreign", why=FOREIGN)
    recipients = [name.rpartition("to=")[2] for name in _RECIPIENT.findall(spaced)]
    if name := _called(recipients, tools):
        return Header("call", name)
    if not _NOBODY.issuperset(recipients):
        return Header("hide", why=ELSEWHERE)
    if role and (channels and role[0] not in CHANNELS):
        return LOST
    return _of_channel(next(filter(None, reversed([role, *channels])), []))


def _own_part(words: list[str]) -> list[str]:
    """A role's words without "assistant", which some models say twice, or run together with the channel."""
    while words and (own := _ASSISTANT.match(words[0])):
        rest = words[0][own.end() :]
        words = [rest, *words[1:]] if rest else words[1:]
    return words


def _of_channel(words: list[str]) -> Header:
    """By a channel and the type behind it; two channels in one place contradict each other."""
    if not words:
        return LOST
    channel, *types = words
    if channel not in CHANNELS:
        return Header("hide", why=UNKNOWN_CHANNEL)
    others = set(types) - {channel}
    if len(others) > 1 or any(name in other for other in others for name in CHANNELS):
        return LOST
    return THINK if channel == "analysis" else SAY


def _called(recipients: list[str], tools: Collection[str]) -> str:
    """The tool that the last recipient to name one names, one on offer before any other; "" for none."""
    found = [name for name in (tool_named(recipient, tools) for recipient in reversed(recipients)) if name]
    return next((name for name in found if name in tools), found[0] if found else "")


def tool_named(recipient: str, tools: Collection[str]) -> str:
    """The tool that a recipient means, "" where it means none. `functions.` means one, known or not."""
    name = recipient
    while name.startswith("functions."):
        name = name.removeprefix("functions.")
    for candidate in _readings(name):
        if candidate in tools:
            return candidate
    clean = re.match(r"[\w.-]*", name)
    return clean[0].rstrip(".") if clean and name != recipient else ""


def _readings(name: str) -> Iterator[str]:
    """What a name may have been before something got stuck to it."""
    yield name
    clean = re.sub(r"[^\w-]+$", "", name)
    yield clean
    for stuck in ("json", "code", *CHANNELS):
        yield clean.removesuffix(stuck)
    yield clean.rpartition(".")[2]


# ---------------------------------------------------------------------- text that no marker goes before

_HEADER_WORDS = ("assistant", *CHANNELS, "to=", "json", "code")
_STUCK = re.compile(rf"^(?:assistant)*(?:{'|'.join(CHANNELS)})?")
_LONGEST = 200
_STRIPPED = re.compile(r"\s*(?:assistant(?=analysis|commentary|final)|analysis|commentary\s*to=)")


def may_open(text: str) -> bool:
    """Whether text without a marker may still turn out to be the beginning of a header."""
    return len(text) < _LONGEST and all(map(_may_be_header_word, text.split()))


def _may_be_header_word(word: str) -> bool:
    rest = _STUCK.sub("", word)
    return rest.startswith("to=") or any(known.startswith(rest) for known in _HEADER_WORDS)


def is_open(text: str) -> bool:
    """Whether text is all of a header's words, to the last letter."""
    words = (_ASSISTANT.sub("", word) for word in text.split())
    return all(not word or word.startswith("to=") or word in CHANNELS for word in words)


def bare(text: str) -> Header:
    """What text is that has no header: an answer, unless it reads as if its markers had been taken out."""
    return Header("hide", why=STRIPPED) if _STRIPPED.match(text, 0, _LONGEST) else SAY
