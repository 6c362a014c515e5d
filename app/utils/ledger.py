"""What a target wants back with its own earlier turns: taken from its answers, put into later requests. Pure.

Gemini signs its calls and refuses them unsigned; Claude signs its thoughts; GLM wants to read its own again.
Many clients have no place for any of that. So what belongs to a turn is kept under names that the turn
itself gives, as it comes back in the next request:

- each call by its id, function and arguments; the id as far as clients that shorten or mend ids leave it;
- each call by its function and arguments, in case the id is another; a turn without calls by its text;
- each call by its id alone, in case the arguments are others (Claude Code takes `cd` out of commands). Only
  an id that looks like no other counts there: some servers begin with `call_0` in every answer.

Of several that are the same, by which one of them it is. What belongs to the whole turn stands with its
first call. All names hold the conversation and the model: nobody's signature gets into another
conversation, and no model is given another's thoughts.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from app.types import Body, Client, Restored, Target
from app.utils.codec import dumps, loads
from app.utils.preview import preview
from app.utils.shapes import as_dict, as_dicts, as_text

Message: TypeAlias = dict[str, Any]
Row: TypeAlias = dict[str, Any]
"""What is kept under a name, in the fields of a message, and `signature`, which is a call's."""

GEMINI_HOST = "generativelanguage.googleapis.com"
GOOGLE = frozenset({"gemini", "vertex_ai", "vertex_ai_beta"})
THINKERS = frozenset({"anthropic", "bedrock", "azure_ai"})
"""LiteLLM's providers that sign thoughts."""

ID_LENGTH = 40
"""To which clients have been seen to cut the ids of calls: OpenAI takes no longer ones."""

OWN_ID = 16
"""Letters and digits, besides the function's name, that make an id one that no other call has."""

DUMMY = "skip_thought_signature_validator"
"""What Google documents for calls whose signature cannot be had. The model then thinks less well."""

_VERSION = re.compile(r"gemini-(\d+)")
_NO_LETTERS = re.compile(r"[^A-Za-z0-9]+")
_REMINDERS = re.compile(r"<system-reminder>.*?(?:</system-reminder>|\Z)", re.DOTALL)
"""What agents put beside the user's words, and leave out or change when the conversation has gone on."""


@dataclass(frozen=True, slots=True)
class Wants:
    """What a target wants back. True if it is anything at all."""

    signatures: bool = False
    """Gemini's, on calls and texts."""
    thinking: bool = False
    """Signed thoughts, as `thinking_blocks`."""
    reasoning: str | None = None
    """The field in which it wants its thoughts as text."""

    def __bool__(self) -> bool:
        return self.signatures or self.thinking or self.reasoning is not None


def wants(target: Target) -> Wants:
    model, provider = target.model.lower(), target.litellm_provider
    thinking = provider in THINKERS or (provider in GOOGLE and "claude" in model)
    google = provider in GOOGLE or "gemini" in model or urlsplit(target.base_url).hostname == GEMINI_HOST
    return Wants(google and not thinking, thinking, target.reasoning_field)


def insists(target: Target) -> bool:
    """Whether it refuses unsigned calls: Gemini from 3 on, and a name without a number means the newest."""
    model = target.model.lower()
    version = _VERSION.search(model)
    return wants(target).signatures and "gemini" in model and (version is None or int(version[1]) >= 3)


def scope_of(client: Client, body: Body) -> str:
    """Which conversation a request belongs to: by the client's session, and by how it began.

    An agent and those that it sends out share a session, and each has begun with another message. One that
    is compacted begins anew: the turns before are gone then, too.
    """
    messages = body.get("messages") or ()
    first: Message = next((message for message in messages if _role(message) == "user"), {})
    said = text_of(first)
    begun = _REMINDERS.sub("", said).strip() or said
    if client.session:
        return _digest("session", client.owner, client.session, begun)
    return _digest("begun", client.owner, str(body.get("model")), begun)


# --- the names of a turn


@dataclass(frozen=True, slots=True)
class Names:
    """Under what a turn is kept: for each call its names, the best one first, or the text's name."""

    calls: tuple[tuple[str, ...], ...] = ()
    text: tuple[str, ...] = ()

    @property
    def turn(self) -> tuple[str, ...]:
        """Where that is which belongs to the whole turn."""
        return self.calls[0] if self.calls else self.text

    @property
    def best(self) -> tuple[str, ...]:
        return tuple(names[0] for names in (*self.calls, self.text) if names)

    def others(self, found: Container[str]) -> tuple[str, ...]:
        """What is to be looked for where something is not found under the best name."""
        missed = (names for names in self.calls if names[0] not in found)
        return tuple(name for names in missed for name in names[1:])


class Naming:
    """Gives the turns of a conversation their names, from the first one on."""

    def __init__(self, scope: str, target: Target) -> None:
        self._place = _digest(scope, target.model)
        self._seen: Counter[tuple[str, ...]] = Counter()

    def names(self, message: Message) -> Names:
        calls = _calls(message)
        if calls:
            return Names(calls=tuple(self._call(call) for call in calls))
        return Names(text=(self._numbered("text", "".join(text_of(message).split())),))

    def _call(self, call: Row) -> tuple[str, ...]:
        name, arguments = _function(call)
        what = _digest(name, _canonical(arguments))
        short = _NO_LETTERS.sub("", str(call.get("id") or "")[:ID_LENGTH])
        if not short:
            return (self._numbered("call", what),)
        named = (self._numbered("exact", short, what), self._numbered("call", what))
        return (*named, self._numbered("id", short, name)) if _is_own(short, name) else named

    def _numbered(self, *what: str) -> str:
        self._seen[what] += 1
        return _digest(self._place, *what, str(self._seen[what]))


def _is_own(short: str, name: str) -> bool:
    """Whether an id is that of one call only, as far as it tells: `functions.find_all:3` is not."""
    return len(short.replace(_NO_LETTERS.sub("", name), "")) >= OWN_ID


def _digest(*parts: str) -> str:
    return blake2b(dumps(parts), digest_size=16).hexdigest()


def _canonical(arguments: str) -> str:
    """Arguments as they are whoever wrote them: clients parse them and write them anew."""
    try:
        return dumps(_plain(loads(arguments))).decode()
    except (ValueError, RecursionError):
        return arguments


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(value[key]) for key in sorted(value)}
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)  # as JavaScript writes it
    return [_plain(one) for one in value] if isinstance(value, list) else value


# --- an answer's turn


def rows_of(turn: Message, body: Body, scope: str, target: Target) -> dict[str, bytes]:
    """What is to be kept of a turn that answered a request, by its names."""
    wanted = wants(target)
    calls = _calls(turn)
    parts: list[Row] = [
        {"signature": found} if wanted.signatures and (found := signature_of(call) or in_id(call)) else {}
        for call in calls
    ] or [{}]
    parts[0] |= _of_the_turn(turn, wanted)
    if not any(parts):
        return {}
    naming = Naming(scope, target)
    for message in _turns(body):
        naming.names(message)
    names = naming.names(turn)
    return {
        name: dumps(part)
        for part, group in zip(parts, names.calls or (names.text,), strict=True)
        for name in group
        if part
    }


def _of_the_turn(turn: Message, wanted: Wants) -> Row:
    kept: Row = {}
    if wanted.signatures and (signature := signature_of(turn)):
        kept["extra_content"] = _signed(signature)
    if wanted.thinking and (blocks := real_blocks(turn.get("thinking_blocks"))):
        kept["thinking_blocks"] = blocks
    if wanted.reasoning and (thoughts := reasoning_in(turn)):
        kept["reasoning"] = thoughts
    return kept


# --- a request


@dataclass(frozen=True, slots=True)
class Gap:
    """An earlier turn that lacks something, and where that may be kept."""

    place: int
    """In the messages."""
    names: Names


def gaps(body: Body, scope: str, target: Target) -> list[Gap]:
    """The turns of a request that lack what the target wants back."""
    wanted = wants(target)
    if not wanted:
        return []
    turns = [
        (place, message)
        for place, message in enumerate(body.get("messages") or ())
        if _role(message) == "assistant"
    ]
    if not any(_lacks(message, wanted) for _, message in turns):
        return []
    naming = Naming(scope, target)
    named = [(place, message, naming.names(message)) for place, message in turns]
    return [Gap(place, names) for place, message, names in named if _lacks(message, wanted)]


def _lacks(message: Message, wanted: Wants) -> bool:
    """Whether something is missing. Of parallel calls only the first is signed, so one will do."""
    if wanted.signatures and not any(map(signature_of, _calls(message) or [message])):
        return True
    if wanted.thinking and not message.get("thinking_blocks"):
        return True
    return bool(wanted.reasoning) and not reasoning_in(message)


def filled(body: Body, missing: Iterable[Gap], rows: Mapping[str, bytes], target: Target) -> Restored:
    """The request with what is kept where it is missing, and the dummy where nothing else helps."""
    messages, wanted = list(body.get("messages") or ()), wants(target)
    for gap in missing:
        messages[gap.place] = _completed(messages[gap.place], gap.names, rows, wanted)
    notes = tuple(_signed_by_dummy(messages, target)) if insists(target) else ()
    if all(new is old for new, old in zip(messages, body.get("messages") or (), strict=True)):
        return Restored(body, notes)
    return Restored({**body, "messages": messages}, notes)


def _completed(message: Message, names: Names, rows: Mapping[str, bytes], wanted: Wants) -> Message:
    turn = _row(names.turn, rows)
    kept: Row = {key: turn[key] for key in ("extra_content", "thinking_blocks") if key in turn}
    if wanted.reasoning and "reasoning" in turn and not reasoning_in(message):
        kept[wanted.reasoning] = turn["reasoning"]
    added = {key: value for key, value in kept.items() if not message.get(key)}
    calls = _calls(message)
    signatures = [
        _row(group, rows).get("signature") or in_id(call)
        for call, group in zip(calls, names.calls, strict=True)
    ]
    if any(signatures):
        added["tool_calls"] = [*map(_with_signature, calls, signatures)]
    return {**message, **added} if added else message


def _row(names: Iterable[str], rows: Mapping[str, bytes]) -> Row:
    """What is kept under the best of the names."""
    return next((as_dict(loads(rows[name])) for name in names if name in rows), {})


def _with_signature(call: Row, signature: str | None) -> Row:
    if not signature or signature_of(call):
        return call
    return {**call, "extra_content": {**as_dict(call.get("extra_content")), **_signed(signature)}}


def _signed_by_dummy(messages: list[Any], target: Target) -> Iterable[str]:
    """Marks the calls of the turn under way that nobody has signed; a note for each.

    LiteLLM does that by itself, in a form of its own, so there it is only noted.
    """
    last = max((place for place, one in enumerate(messages) if _role(one) == "user"), default=-1)
    for place in range(last + 1, len(messages)):
        message = messages[place]
        calls = _calls(message) if _role(message) == "assistant" else []
        if not calls or any(map(signature_of, calls)):
            continue
        if target.carrier == "relay":
            messages[place] = {**message, "tool_calls": [_with_signature(calls[0], DUMMY), *calls[1:]]}
        name, _ = _function(calls[0])
        yield f"no thought signature is known for the call of '{preview(name)}': Google's dummy stands in"


# --- what is where in a message


def signature_of(holder: Row) -> str | None:
    """Gemini's signature of a call or a message, where OpenAI's shape has it or where LiteLLM has it."""
    google = as_dict(as_dict(holder.get("extra_content")).get("google"))
    specific = as_dict(holder.get("provider_specific_fields"))
    several = specific.get("thought_signatures")
    found = (
        google.get("thought_signature"),
        specific.get("thought_signature"),
        several[0] if isinstance(several, list) and several else None,
    )
    return next((one for one in found if isinstance(one, str) and one), None)


def in_id(call: Row) -> str | None:
    """The signature that LiteLLM has written into the id of a call. A client may have cut it off."""
    return str(call.get("id") or "").partition("__thought__")[2] or None


def reasoning_in(message: Message) -> str | None:
    found = (message.get("reasoning_content"), message.get("reasoning"))
    return next((one for one in found if isinstance(one, str) and one), None)


def real_blocks(blocks: Any) -> list[Row]:
    """Those of the thinking blocks that are signed, or sealed by their maker."""
    listed = as_dicts(blocks)
    return [block for block in listed if block.get("signature") or block.get("type") == "redacted_thinking"]


def text_of(message: Message) -> str:
    content = message.get("content")
    parts = content if isinstance(content, list) else [{"text": content}]
    texts = (part.get("text") for part in parts if isinstance(part, dict))
    return "".join(text for text in texts if isinstance(text, str))


def _signed(signature: str) -> Row:
    return {"google": {"thought_signature": signature}}


def _function(call: Row) -> tuple[str, str]:
    function = as_dict(call.get("function"))
    arguments = function.get("arguments")
    return str(function.get("name") or ""), as_text(arguments)


def _calls(message: Message) -> list[Row]:
    return as_dicts(message.get("tool_calls"))


def _turns(body: Body) -> list[Message]:
    return [message for message in body.get("messages") or () if _role(message) == "assistant"]


def _role(message: Any) -> Any:
    return message.get("role") if isinstance(message, dict) else None
