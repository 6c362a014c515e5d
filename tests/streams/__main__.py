"""`python -m tests.streams` writes the streams anew; what is expected is stated here, not read from them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.streams import FOLDER
from tests.upstream.chat import Shape, ToolCall, Turn, chunks, usage
from tests.upstream.delivery import How, sse

TEXT = Turn(text=("Hel", "lo, ", "world", "."))
EMOJI = Turn(text=("Grüße 漢", "字 😀", "👩‍👩‍👧‍👦", " ✓\u2028\u0085 end"))
# An emoji cut in two: each half is an escape of its own, in an event of its own.
HALVES = Turn(text=("Hi \ud83d", "\ude00!"))
THOUGHT = Turn(reasoning=("First ", "this, ", "then that."), text=("So: ", "42."))
ONE_CALL = Turn(
    text=("Let me look.",),
    calls=(ToolCall("call_a", "get_weather", '{"city": "Zürich", "note": "say \\"hi\\"\\n"}'),),
    finish="tool_calls",
)
TWO_CALLS = Turn(
    calls=(
        ToolCall("call_a", "read", '{"filePath": "/src/a.py"}'),
        ToolCall("call_b", "bash", '{"command": "ls -la | wc -l"}'),
    ),
    finish="tool_calls",
)
SIGNED = Turn(
    calls=(
        ToolCall(
            "function-call-1",
            "read",
            '{"filePath":"a"}',
            {"extra_content": {"google": {"thought_signature": "c2ln"}}},
        ),
        ToolCall("function-call-2", "read", '{"filePath":"b"}'),
    ),
    finish="tool_calls",
)


@dataclass(frozen=True, slots=True)
class Made:
    turn: Turn
    shape: Shape = Shape()
    how: How = How()
    usage_asked: bool = True
    before: tuple[str, ...] = ()
    """What stands before the events."""
    between: Callable[[list[Any]], list[Any]] = field(default=lambda events: events)
    """What is changed about them."""
    after: tuple[str, ...] = ()
    indexes: tuple[int, ...] = (0, 1)
    """The indexes of the calls as they arrive; a call without one counts by its place."""


def progress(events: list[Any]) -> list[Any]:
    """llama-server's progress events: the role comes again with each."""
    told = [
        events[0] | {"prompt_progress": {"total": 30, "cache": 10, "processed": done, "time_ms": done}}
        for done in (10, 30)
    ]
    return [*told, *events[1:]]


def empty_choices_first(events: list[Any]) -> list[Any]:
    """Some gateways tell what their filters thought before anything else."""
    return [
        {"id": "", "object": "", "created": 0, "model": "", "choices": [], "prompt_filter_results": []},
        *events,
    ]


def null_fields(events: list[Any]) -> list[Any]:
    """`choices: null`, `delta: null` and nulls instead of absent fields."""
    ping = {"id": "x", "object": "chat.completion.chunk", "choices": None}
    silent = events[0] | {"choices": [{"index": 0, "delta": None, "finish_reason": None}], "usage": None}
    return [ping, silent, *events]


def text_and_finish_together(events: list[Any]) -> list[Any]:
    *first, last, finish = events
    last["choices"][0]["finish_reason"] = finish["choices"][0]["finish_reason"]
    return [*first, last]


STREAMS: Mapping[str, Made] = {
    "text": Made(TEXT),
    "text-bare": Made(TEXT, Shape(bare=True, usage="never"), How(done=False)),
    "text-with-finish": Made(TEXT, Shape(usage="never"), between=text_and_finish_together),
    "usage-not-asked": Made(TEXT, usage_asked=False),
    "usage-in-finish": Made(TEXT, Shape(usage="finish")),
    "usage-never": Made(TEXT, Shape(usage="never")),
    "length": Made(Turn(text=("cut of",), finish="length")),
    "emoji": Made(EMOJI),
    "emoji-escaped": Made(EMOJI, how=How(ascii=True)),
    "lone-surrogates": Made(HALVES, how=How(ascii=True)),
    "crlf": Made(EMOJI, how=How(newline="crlf")),
    "cr": Made(EMOJI, how=How(newline="cr")),
    "no-space": Made(TEXT, how=How(space=False)),
    "multi-data": Made(TEXT, how=How(lines=True)),
    "multi-data-crlf": Made(ONE_CALL, how=How(lines=True, newline="crlf")),
    "comments": Made(TEXT, how=How(comments=True), before=(": hello\n\n", ":\n\n"), after=(": bye\n\n",)),
    "fields": Made(TEXT, before=("event: message\nid: 1\nretry: 3000\n\n", "nonsense\n\n")),
    "bom": Made(TEXT, how=How(bom=True)),
    "after-done": Made(TEXT, after=('data: {"id": "late", "choices": []}\n\n', "data: [DONE]\n\n")),
    "tool": Made(ONE_CALL),
    "tool-whole": Made(ONE_CALL, Shape(calls="whole")),
    "tool-repeated": Made(ONE_CALL, Shape(calls="repeated")),
    "tool-nulls": Made(ONE_CALL, Shape(calls="nulls")),
    "tool-stop": Made(Turn(ONE_CALL.text, (), ONE_CALL.calls, "stop")),
    "tool-small-pieces": Made(ONE_CALL, Shape(pieces=100)),
    "tools-in-turn": Made(TWO_CALLS),
    "tools-interleaved": Made(TWO_CALLS, Shape(calls="interleaved")),
    "tools-gaps": Made(TWO_CALLS, Shape(calls="gaps"), indexes=(0, 3)),
    "tools-together": Made(TWO_CALLS, Shape(calls="together")),
    "tools-no-index": Made(TWO_CALLS, Shape(calls="no index")),
    "tools-same-index": Made(TWO_CALLS, Shape(calls="same index"), indexes=(0, 0)),
    "reasoning-content": Made(THOUGHT),
    "reasoning": Made(THOUGHT, Shape(reasoning="reasoning")),
    "reasoning-details": Made(THOUGHT, Shape(reasoning="reasoning_details")),
    "unknown-fields": Made(ONE_CALL, Shape(unknown=True)),
    "nulls": Made(TEXT, between=null_fields),
    "empty-choices-first": Made(TEXT, between=empty_choices_first),
    "llama": Made(TEXT, Shape(timings=True), between=progress),
    "llama-usage-not-asked": Made(TEXT, Shape(timings=True), usage_asked=False),
    "gemini": Made(SIGNED, Shape(calls="whole", usage="finish")),
}  # fmt: skip


def main() -> None:
    for name, made in STREAMS.items():
        events = made.between(chunks(made.turn, made.shape, made.usage_asked))
        (FOLDER / f"{name}.sse").write_bytes(body(made, events))
        expected = {"events": events, "done": made.how.done, "answer": answer(made, events)}
        (FOLDER / f"{name}.json").write_text(json.dumps(expected, indent=1) + "\n")


def body(made: Made, events: list[Any]) -> bytes:
    indent = 1 if made.how.lines else None
    framed = [
        sse(json.dumps(event, ensure_ascii=made.how.ascii, indent=indent), made.how) for event in events
    ]
    mark = "\ufeff" if made.how.bom else ""
    done = sse("[DONE]", made.how) if made.how.done else b""
    return (mark + "".join(made.before)).encode() + b"".join(framed) + done + "".join(made.after).encode()


def answer(made: Made, events: list[Any]) -> dict[str, Any]:
    """What the turn says, in the words of an answer."""
    turn = made.turn
    told = made.shape.usage in ("always", "finish") or (made.shape.usage == "asked" and made.usage_asked)
    return {
        "content": "".join(turn.text),
        "reasoning": "".join(turn.reasoning),
        "tool_calls": [
            {"index": index, "id": call.id, "name": call.name, "arguments": call.arguments}
            for index, call in zip(made.indexes, turn.calls, strict=False)
        ],
        "finish_reason": turn.finish,
        "usage": usage(turn) | ({"x_unheard_of": {"deep": [1, None, "ü"]}} if made.shape.unknown else {})
        if told
        else None,
    }


if __name__ == "__main__":
    main()
