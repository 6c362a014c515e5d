"""Pieces that may stay together go on byte by byte as they came, and nobody can tell from what leaves."""

from __future__ import annotations

from copy import deepcopy
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.dialects.anthropic_messages import parse, relayed
from app.types import Batch, Event
from app.utils import wire_messages
from app.utils.messages_runs import MOST, Run, runs_in
from app.utils.sse import SSEReader
from tests.dialects.messages_checker import check, frames
from tests.fakes import SERVED, target, trace

ASKED = parse({"model": "alias", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]})
TARGET = target()


def piece(
    text: str = "Hi", index: object = 0, kind: str = "text_delta", field: str = "text", end: str = "}}"
) -> str:
    """A frame, its text written as it is given."""
    delta = f'{{"type":"{kind}","{field}":"{text}"{end}'
    event = f'{{"type":"content_block_delta","index":{index},"delta":{delta}'
    return f"event: content_block_delta\ndata: {event}\n\n"


SPACED = (
    "event: content_block_delta\n"
    'data: {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}}\n\n'
)
START = (
    'event: content_block_start\ndata: {"type":"content_block_start","index":%d,'
    '"content_block":{"type":"text","text":""}}\n\n'
)
STOP = 'event: content_block_stop\ndata: {"type":"content_block_stop","index":%d}\n\n'
BEGIN = (
    'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_1","type":"message",'
    '"role":"assistant","model":"wire-id","content":[],"usage":{"input_tokens":1,"output_tokens":1}}}\n\n'
)
END = (
    'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},'
    '"usage":{"output_tokens":9}}\n\nevent: message_stop\ndata: {"type":"message_stop"}\n\n'
)


def read(body: bytes, *cuts: int, together: Any = runs_in) -> tuple[Batch, bool, str | None]:
    """The events of a body that comes in these pieces, runs taken apart, and what is wrong with it."""
    reader, events = SSEReader(together), Batch()
    done, problem = False, None
    for start, stop in pairwise([0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]):
        batch, done, problem = wire_messages.events_in(reader.feed(body[start:stop]), TARGET)
        events += [one for event in batch for one in (event.apart() if isinstance(event, Run) else [event])]
        if done or problem:
            break
    return events, done, str(problem) if problem else None


def runs(text: str) -> list[Run]:
    """The runs that a reader finds."""
    batch, _, _ = wire_messages.events_in(SSEReader(runs_in).feed(text.encode()), TARGET)
    return [event for event in batch if isinstance(event, Run)]


# ─── what is a run ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(piece(), id="one piece"),
        pytest.param(piece("a") + piece("") + piece("c"), id="several"),
        pytest.param(piece("a", end="}    }") + piece("bcd", end="} }"), id="padded, as Anthropic does"),
        pytest.param(SPACED * 2, id="with blanks"),
        pytest.param(piece("x", kind="thinking_delta", field="thinking") * 2, id="thoughts"),
        pytest.param(piece(r"{\"a", kind="input_json_delta", field="partial_json") * 2, id="a call"),
        pytest.param(piece(r"\n\t\"\\ \u00e9 \ud83d\ude00 é 漢 😀") * 2, id="escapes and other letters"),
        pytest.param(piece(index=12) * 2, id="a later block"),
    ],
)
def test_pieces_of_one_block_are_a_run(text: str) -> None:
    (run,) = runs(text)

    assert run.frames == text.encode()
    assert run.apart() == read(text.encode(), together=None)[0]
    assert {key: run.apart()[0][key] for key in ("type", "index")} == run


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(piece(kind="signature_delta", field="signature"), id="a signature"),
        pytest.param(piece(kind="citations_delta", field="text"), id="a kind that nobody knows"),
        pytest.param(piece(end=',"x":1}}'), id="another field in the delta"),
        pytest.param(piece(end='},"x":1}'), id="another field in the event"),
        pytest.param(piece(index="01"), id="a number that is none"),
        pytest.param(piece(index='"0"'), id="a text for a number"),
        pytest.param(piece("\x01"), id="a control character"),
        pytest.param(piece("a\nb"), id="a line end in a text"),
        pytest.param(piece(r"\x"), id="an escape that is none"),
        pytest.param(piece("a\\") + piece("nb"), id="half an escape, whose other half would be a text"),
        pytest.param(piece(r"\u12") + piece("34"), id="half of another escape"),
        pytest.param(piece(r"\ud83d") + piece(r"\ude00"), id="half a character"),
        pytest.param("id: 1\n" + piece(), id="in an event with an id"),
        pytest.param(f"data: x{piece()}", id="in the middle of a line"),
        pytest.param(piece().replace("data: ", "data:"), id="no blank behind the field's name"),
        pytest.param(piece().replace("event: content_block_delta\n", ""), id="without its name"),
        pytest.param(piece().replace("event: content", "event: Content"), id="with another name"),
    ],
)
def test_what_has_to_be_looked_at_is_none(text: str) -> None:
    assert runs(text) == []
    assert read(text.encode()) == read(text.encode(), together=None)


def test_wrong_utf_8_is_none() -> None:
    body = piece("é").encode().replace("é".encode(), b"\xe9")

    assert list(SSEReader(runs_in).feed(body)) == SSEReader().feed(body)


def test_a_run_ends_where_another_block_or_kind_begins() -> None:
    blocks = piece("a") + piece("b") + START % 1 + piece("c", 1) + piece("d", 1, "thinking_delta", "thinking")

    assert [len(run.apart()) for run in runs(blocks)] == [2, 1, 1]


def test_what_follows_a_run_and_looks_like_it_is_read() -> None:
    body = (piece("a") * 2 + piece("b", end='},"x":1}') + piece("c")).encode()

    assert read(body) == read(body, together=None)
    assert len(read(body)[0]) == 4


def test_many_small_runs_are_read_one_by_one_in_the_end() -> None:
    """Each is looked for up to the end of the text: without a limit that would be quadratic."""
    mixed = "".join(piece("a", index) for index in range(50))

    assert len(runs(mixed)) == MOST
    assert read(mixed.encode())[0] == read(mixed.encode(), together=None)[0]


# ─── nobody can tell ─────────────────────────────────────────────────────────────────────────────

LETTERS = ("a", "é", "😀", r"\n", r"\"", "\\\\", r"\ud83d", r"\u00e9", "}}", " ", "{")
TEXTS = st.lists(st.sampled_from(LETTERS), max_size=4).map("".join)
KINDS = (("text_delta", "text"), ("thinking_delta", "thinking"), ("input_json_delta", "partial_json"))
PIECES = st.builds(
    lambda text, index, kind, end: piece(text, index, kind[0], kind[1], end),
    TEXTS,
    st.sampled_from([0, 0, 0, 1]),
    st.sampled_from(KINDS),
    st.sampled_from(["}}", "}}", "}  }", '},"x":1}']),
)
OTHERS = st.sampled_from(
    [
        *(START % 0, START % 1, STOP % 0, STOP % 1, "event: ping\ndata: {}\n\n", ": hello\n\n"),
        (START % 0).replace('"text","text":""', '"tool_use","id":"c","name":"f","input":{}'),
        (START % 1).replace('"text","text":""', '"thinking","thinking":""'),
        piece("s", kind="signature_delta", field="signature"),
    ]
)
BODIES = st.lists(PIECES | OTHERS, max_size=12).map(lambda parts: (BEGIN + "".join(parts) + END).encode())
CUTS = st.lists(st.integers(0, 2000), max_size=3)


def left(body: bytes, *cuts: int, together: Any) -> tuple[bytes, str | None]:
    """What a client gets of a body, and what is wrong with it."""
    follower = wire_messages.follow(TARGET, True, trace())
    encoder = relayed(ASKED, SERVED)
    reader, out, problem = SSEReader(together), b"", None
    for start, stop in pairwise([0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]):
        batch, done, problem = wire_messages.events_in(reader.feed(body[start:stop]), TARGET)
        out += encoder.feed(follower.pass_on(batch))
        if done or problem or follower.failed:
            break
    return out, str(problem or follower.failed or "") or None


@given(BODIES, CUTS)
@example((BEGIN + START % 3 + piece("a", 3) * 3 + STOP % 3 + END).encode(), [])
@example((BEGIN + START % 0 + START % 1 + piece("a", 1) * 2 + piece("b") * 2 + END).encode(), [])
def test_what_leaves_says_the_same_as_if_each_piece_had_been_read(body: bytes, cuts: list[int]) -> None:
    with_runs, problem = left(body, *cuts, together=runs_in)

    without, same_problem = left(body, *cuts, together=None)
    assert (frames(with_runs), problem) == (frames(without), same_problem)


@given(BODIES, CUTS, st.data())
def test_nor_can_a_broken_stream_be_told_apart(body: bytes, cuts: list[int], data: st.DataObject) -> None:
    """Some bytes are lost, doubled or changed anywhere."""
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(body) - 1))
        size = data.draw(st.integers(0, 3))
        body = (
            body[:place]
            + data.draw(st.binary(max_size=2) | st.sampled_from([b'"', b"\n", b"\\", b"}"]))
            + (body[place + size :])
        )

    assert read(body, *cuts) == read(body, *cuts, together=None)


def test_a_run_that_is_numbered_anew_comes_apart() -> None:
    body = (BEGIN + START % 3 + piece("a", 3) * 3 + STOP % 3 + END).encode()
    out, _ = left(body, together=runs_in)

    assert [event["index"] for event in frames(out) if "index" in event] == [0, 0, 0, 0, 0]


def test_a_run_that_need_not_change_goes_on_as_it_came() -> None:
    pieces = piece("a", end="}     }") + piece(r"\u00e9")
    out, _ = left((BEGIN + START % 0 + pieces + STOP % 0 + END).encode(), together=runs_in)

    assert pieces.encode() in out


def test_behind_a_sign_of_life_that_took_a_number_runs_are_counted_on() -> None:
    """A block of its own keeps a client awake where none is open; what follows has the next number."""
    follower, encoder = wire_messages.follow(TARGET, True, trace()), relayed(ASKED, SERVED)
    reader = SSEReader(runs_in)

    def passed(text: str) -> bytes:
        batch, _, _ = wire_messages.events_in(reader.feed(text.encode()), TARGET)
        return encoder.feed(follower.pass_on(batch))

    out = passed(BEGIN) + encoder.alive() + passed(START % 0 + piece("a") * 2 + STOP % 0 + END)

    assert check(out).answer["content"][-1] == {"type": "text", "text": "aa"}


def test_a_call_whose_pieces_were_runs_is_known_to_be_whole() -> None:
    """The block behind a call waits for the end of its JSON."""
    call = (START % 0).replace('"text","text":""', '"tool_use","id":"c","name":"f","input":{}')
    half, rest = (piece(it, kind="input_json_delta", field="partial_json") for it in (r"{\"a\":", "1}"))
    body = (BEGIN + call + half + START % 1 + piece("b", 1) + rest + END).encode()
    told = check(left(body, together=runs_in)[0])

    assert [it.get("input") for it in told.answer["content"]] == [{"a": 1}, None]


def test_events_that_are_no_runs_stay_what_they_were() -> None:
    events: list[Event] = read((BEGIN + START % 0 + piece() + STOP % 0 + END).encode())[0]

    assert [it["type"] for it in deepcopy(events)] == [
        *("message_start", "content_block_start", "content_block_delta", "content_block_stop"),
        *("message_delta", "message_stop"),
    ]
