"""A stream of raw Harmony text as a stream of chat. Pure.

The text is in `choices[].text` (text completions) or in `choices[].delta.content` (chat of a
server that leaves Harmony as it is). Besides, only what is known to tell nothing of hidden text
goes on: no log probabilities, no server's debugging output, no field of tomorrow.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeAlias

from app.errors import GatewayError, UpstreamGarbage
from app.types import Batch, Body, Chunk, Target
from app.utils.chat_events import USUAL
from app.utils.harmony import Arguments, CallBegun, HarmonyReader, Piece, Said
from app.utils.harmony_header import STRIPPED
from app.utils.shapes import as_dicts, as_text
from app.utils.stops import Stops

Delta: TypeAlias = dict[str, Any]

UNREADABLE = "harmony_unreadable"
"""The error code of a turn that nothing can be made of."""

_OF_ANSWER = ("usage", "timings", "prompt_progress")
"""What else an answer may hold that goes on to the client. What nobody knows could hold the raw text."""
_OF_DELTA = frozenset(
    {"tool_calls", "refusal", "reasoning_content", "reasoning", "reasoning_details", "thinking_blocks"}
    | {"provider_specific_fields"}
)
"""What a server has read already, beside the raw text. Thoughts are known there for what they are."""
_OF_CHOICE = ("stop_reason",)
"""What else a choice may hold that goes on to the client."""


class HarmonyChat:
    """Reads one answer, its choices side by side. `seed` makes the ids of its tool calls its own."""

    def __init__(self, target: Target, tools: Collection[str], seed: str, stops: Sequence[str] = ()) -> None:
        self._target = target
        self._tools = tools
        self._seed = seed
        self._stops = stops
        self._choices: dict[int, _Choice] = {}
        self.goes_on = False
        """Whether the server still writes though every turn is over."""

    @property
    def hidden(self) -> Mapping[str, int]:
        """How many characters were hidden, by reason."""
        total: dict[str, int] = {}
        for choice in self._choices.values():
            for why, size in choice.reader.hidden.items():
                total[why] = total.get(why, 0) + size
        return total

    def pass_on(self, batch: Batch) -> Batch:
        """The batch as chat. Raises UpstreamGarbage for a turn of which nothing is left that can be shown."""
        chunks: Batch = []
        for chunk in batch:
            chunks += self._chunks(chunk)
        return chunks

    def end(self) -> Batch:
        """What was held back, where the stream ended before its turns did."""
        chunks: Batch = []
        for index, choice in self._choices.items():
            if not choice.done:
                deltas, _ = choice.close(None)
                chunks += [_chunk({}, index, delta) for delta in deltas]
        return chunks

    def _all_done(self) -> bool:
        return all(choice.done for choice in self._choices.values())

    def _chunks(self, chunk: Chunk) -> Batch:
        usual = {key: value for key, value in chunk.items() if key in USUAL and key != "choices"}
        usual["object"] = "chat.completion.chunk"
        rest = {key: chunk[key] for key in _OF_ANSWER if key in chunk}
        chunks: Batch = []
        for choice in as_dicts(chunk.get("choices")):
            chunks += self._of_choice(choice, usual)
        if any(value is not None for value in rest.values()):
            if not chunks:
                chunks.append({**usual, "choices": []})
            chunks[-1].update(rest)
        return chunks

    def _of_choice(self, raw: dict[str, Any], usual: Mapping[str, Any]) -> Batch:
        index = raw["index"] if isinstance(raw.get("index"), int) else 0
        choice = self._choices.get(index)
        if choice is None:
            seed = f"{self._seed}_{index}" if index else self._seed
            choice = _Choice(HarmonyReader(self._tools), seed, self._stops)
            self._choices[index] = choice
        text, beside = _text_of(raw)
        if choice.done:
            self.goes_on = self.goes_on or (bool(text) and self._all_done())
            return []
        chunks = [_chunk(usual, index, delta) for delta in choice.feed(text, beside)]
        finish = raw.get("finish_reason")
        if choice.over or (isinstance(finish, str) and finish):
            deltas, finish = choice.close(finish if isinstance(finish, str) else None)
            if choice.unreadable and finish != "length":
                raise unreadable(self._target, choice.unreadable)
            chunks += [_chunk(usual, index, delta) for delta in deltas]
            chunks.append(_chunk(usual, index, {}, finish, raw, choice.stopped))
        return chunks


class _Choice:
    """One choice's text as chat's deltas, the first of them with the role."""

    def __init__(self, reader: HarmonyReader, seed: str, stops: Sequence[str]) -> None:
        self.reader = reader
        self.done = False
        self._seed = seed
        self._stops = Stops(stops)
        self._opened = False
        self._beside = False

    @property
    def over(self) -> bool:
        return self.reader.over or self.stopped is not None

    @property
    def stopped(self) -> str | None:
        """The client's stop sequence at which the answer ended."""
        return self._stops.found

    @property
    def unreadable(self) -> str:
        return "" if self._beside or self.stopped is not None else self.reader.unreadable

    def feed(self, text: str, beside: Delta) -> list[Delta]:
        deltas = self._deltas(self.reader.feed(text) if text else [])
        if beside:
            self._beside = True
            deltas.append(beside)
        return self._with_role(deltas)

    def close(self, finish: str | None) -> tuple[list[Delta], str | None]:
        self.done = True
        if self.stopped is not None:
            return [], "tool_calls" if self.reader.calls else "stop"
        pieces, finish = self.reader.close(finish)
        deltas = self._deltas(pieces)
        if held := self._stops.close():
            _add(deltas, "content", held)
        return self._with_role(deltas), finish

    def _with_role(self, deltas: list[Delta]) -> list[Delta]:
        """The role goes out as soon as a turn is known to be readable: from then on the client sees life."""
        if self._opened or not (deltas or self.reader.begun):
            return deltas
        self._opened = True
        return [{"role": "assistant", **(deltas[0] if deltas else {})}, *deltas[1:]]

    def _deltas(self, pieces: list[Piece]) -> list[Delta]:
        deltas: list[Delta] = []
        for piece in pieces:
            if self.stopped is not None:
                break
            if isinstance(piece, Said):
                if text := self._stops.feed(piece.text):
                    _add(deltas, "content", text)
            elif isinstance(piece, CallBegun):
                deltas.append({"tool_calls": [self._call(piece)]})
            elif isinstance(piece, Arguments):
                _add_arguments(deltas, piece)
            else:
                _add(deltas, "reasoning_content", piece.text)
        return deltas

    def _call(self, begun: CallBegun) -> Delta:
        function = {"name": begun.name, "arguments": ""}
        id = f"call_{self._seed}_{begun.number}"
        return {"index": begun.number, "id": id, "type": "function", "function": function}


def _add(deltas: list[Delta], field: str, text: str) -> None:
    """Adds text to the last delta if that is of its kind, so that a batch makes few chunks."""
    if deltas and field in deltas[-1]:
        deltas[-1][field] += text
    else:
        deltas.append({field: text})


def _add_arguments(deltas: list[Delta], piece: Arguments) -> None:
    calls = deltas[-1].get("tool_calls") if deltas else None
    if calls and calls[-1]["index"] == piece.number:
        calls[-1]["function"]["arguments"] += piece.text
    else:
        deltas.append({"tool_calls": [{"index": piece.number, "function": {"arguments": piece.text}}]})


def _text_of(choice: dict[str, Any]) -> tuple[str, Delta]:
    """The raw text that a choice brings, and what its delta says beside that."""
    delta = choice.get("delta")
    if not isinstance(delta, dict):
        return as_text(choice.get("text")), {}
    beside = {key: value for key, value in delta.items() if key in _OF_DELTA and value}
    return as_text(delta.get("content")), beside


def _chunk(
    usual: Mapping[str, Any],
    index: int,
    delta: Delta,
    finish: str | None = None,
    raw: Mapping[str, Any] | None = None,
    stopped: str | None = None,
) -> Chunk:
    choice = {"index": index, "delta": delta, "finish_reason": finish}
    choice.update({key: raw[key] for key in _OF_CHOICE if raw and raw.get(key) is not None})
    if stopped is not None:
        choice["stop_reason"] = stopped
    return {**usual, "choices": [choice]}


def unreadable(target: Target, why: str) -> GatewayError:
    """The error for a turn that came to nothing because of how it was written."""
    words = f"the model of '{target.alias}' wrote a turn that cannot be read ({why})"
    if why == STRIPPED:
        words += ": its server has to give out control tokens (llama-server: --special)"
    return UpstreamGarbage(words, code=UNREADABLE)


def offered(body: Body) -> frozenset[str]:
    """The names of the tools in a chat body."""
    functions = (tool.get("function") for tool in as_dicts(body.get("tools")))
    return frozenset(str(function["name"]) for function in as_dicts(list(functions)) if function.get("name"))
