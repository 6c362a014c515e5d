"""A target with raw Harmony is chat from outside: asked in its form, read here, and once more when spoilt."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from app.backends.harmony import Harmony
from app.errors import (
    ClientLeft,
    GatewayError,
    RateLimited,
    UpstreamCut,
    UpstreamFailed,
    UpstreamGarbage,
    UpstreamRefused,
)
from app.types import Batch, Body, Call, Chunk, Target
from app.types import Harmony as Raw
from tests.fakes import TICK, FakeBackend, Leaving, call, chunk, client, completion, delta, target

RAW = target(harmony=Raw())
EXPOSE = target(harmony=Raw(analysis="expose"))
CHAT = target(harmony=Raw(form="chat"))

THINK = "<|channel|>analysis<|message|>Hm<|end|>"
HELLO = f"{THINK}<|start|>assistant<|channel|>final<|message|>Hello"
SPOILT = "<|channel|>??<|message|>zebra<|end|>"
HALF = "<|channel|>commentary to=functions.f<|message|>{"


def text(said: str = "", finish: str | None = None, **over: Any) -> Chunk:
    choice = {"index": 0, "text": said, "logprobs": None, "finish_reason": finish}
    return {"id": "c1", "object": "text_completion", "model": "wire-id", "choices": [choice]} | over


def whole(said: str, finish: str = "stop") -> dict[str, Any]:
    return text(said, finish, usage={"total_tokens": 3})


def written(body: Body, today: str) -> str:
    """A prompt that shows what it was made from."""
    return f"{today}: {body['messages'][0]['content']}"


def harmony(backend: FakeBackend) -> Harmony:
    return Harmony(backend, written, today=lambda: "2025-06-28", seed=lambda: "s")


def drained(backend: FakeBackend, asked: Call) -> Batch:
    with closing(harmony(backend).stream(asked)) as stream:
        return [it for batch in stream for it in batch]


def said(chunks: Batch) -> str:
    return "".join(it["choices"][0]["delta"].get("content") or "" for it in chunks if it["choices"])


def finishes(chunks: Batch) -> list[str]:
    found = [it["choices"][0]["finish_reason"] for it in chunks if it["choices"]]
    return [finish for finish in found if finish]


# ---------------------------------------------------------------------- how the target is asked


def test_a_prompt_is_written_and_completed() -> None:
    backend = FakeBackend(whole(HELLO))

    harmony(backend).complete(call(RAW, temperature=0.5, stop="END", max_tokens=9))

    (asked,) = backend.calls
    assert asked.wire == "completions"
    assert asked.body["prompt"] == "2025-06-28: Hi"
    assert asked.body["stop"] == ["<|return|>", "<|call|>"]
    assert "<|channel|>" in asked.body["preserved_tokens"]
    assert (asked.body["model"], asked.body["temperature"], asked.body["max_tokens"]) == ("wire-id", 0.5, 9)
    assert "messages" not in asked.body


def test_a_target_that_takes_messages_gets_them_as_they_are() -> None:
    backend = FakeBackend(completion(HELLO))
    asked = call(CHAT, stop="END", reasoning_effort="high")

    answer = harmony(backend).complete(asked)

    assert backend.calls == [asked]
    message = answer["choices"][0]["message"]
    assert message == {"role": "assistant", "content": "Hello", "reasoning_content": "Hm"}


@pytest.mark.parametrize("where", [target(), RAW])
def test_calls_without_harmony_go_straight_through(where: Target) -> None:
    backend = FakeBackend(chunk("<|channel|>"))
    asked = call(where)
    if where.harmony:
        asked = Call(where, asked.body, asked.client, asked.trace, asked.deadline, wire="embeddings")

    assert harmony(backend).complete(asked) == chunk("<|channel|>")
    assert [it for batch in harmony(backend).stream(asked) for it in batch] == [chunk("<|channel|>")]
    assert backend.calls == [asked, asked]


# ---------------------------------------------------------------------- what the client gets


def test_a_plain_answer_is_chat() -> None:
    answer = harmony(FakeBackend(whole(HELLO))).complete(call(EXPOSE))

    assert answer == {
        "id": "c1",
        "object": "chat.completion",
        "model": "wire-id",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hello", "reasoning_content": "Hm"},
                "finish_reason": "stop",
            }
        ],
        "usage": {"total_tokens": 3},
    }


def test_a_stream_is_chat() -> None:
    usage = text(choices=[], usage={"total_tokens": 3})
    chunks = drained(FakeBackend(text(HELLO[:50]), text(HELLO[50:]), text("", "stop"), usage), call(RAW))

    assert said(chunks) == "Hello"
    assert finishes(chunks) == ["stop"]
    assert chunks[-1]["usage"] == {"total_tokens": 3}
    assert {it["object"] for it in chunks} == {"chat.completion.chunk"}


@pytest.mark.parametrize("size", [1, 7])
def test_a_stream_may_be_cut_anywhere(size: int) -> None:
    pieces = [text(HELLO[place : place + size]) for place in range(0, len(HELLO), size)]

    assert said(drained(FakeBackend(*pieces, text("", "stop")), call(RAW))) == "Hello"


def test_ticks_go_through() -> None:
    stream = harmony(FakeBackend(TICK, text("<|chan"), TICK, text(HELLO[6:]))).stream(call(RAW))

    assert [bool(batch) for batch in stream][:4] == [False, False, False, True]


def test_a_tool_call_is_one_of_the_tools_on_offer() -> None:
    tools = [{"type": "function", "function": {"name": "f"}}]
    raw = "<|channel|>commentary to=f <|constrain|>json<|message|>{}<|call|>"

    answer = harmony(FakeBackend(whole(raw))).complete(call(RAW, tools=tools))

    choice = answer["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["tool_calls"] == [
        {"id": "call_s_0", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    ]


def test_the_clients_stop_sequence_ends_the_answer_and_the_targets_work() -> None:
    backend = FakeBackend(text(f"{HELLO} END"), text("more"), text("and more"), text("", "stop"))

    chunks = drained(backend, call(RAW, stop=["END"]))

    assert (said(chunks), finishes(chunks)) == ("Hello ", ["stop"])
    assert backend.streams[0].played == 2
    assert backend.streams[0].closed == 1


def test_a_turn_is_over_when_the_model_says_so() -> None:
    backend = FakeBackend(
        text(f"{HELLO}<|return|>"), text("<|start|>user"), text("<|message|>x"), text("", "stop")
    )

    assert said(drained(backend, call(RAW))) == "Hello"
    assert (backend.streams[0].played, backend.streams[0].closed) == (2, 1)


def test_usage_that_comes_after_the_end_is_waited_for() -> None:
    late = text("", "stop", usage={"total_tokens": 3})

    assert drained(FakeBackend(text(f"{HELLO}<|return|>"), TICK, late), call(RAW))[-1]["usage"] == {
        "total_tokens": 3
    }


def test_a_stream_that_breaks_off_is_not_finished() -> None:
    chunks = drained(FakeBackend(text(HELLO)), call(RAW))

    assert (said(chunks), finishes(chunks)) == ("Hello", [])


@pytest.mark.parametrize("ending", [[], [text("", "length")]])
def test_half_a_call_is_an_error(ending: list[Chunk]) -> None:
    with pytest.raises(UpstreamCut, match="within a call of 'f'"):
        drained(FakeBackend(text(HALF), *ending), call(RAW))


def test_what_was_hidden_is_noted_without_a_word_of_it() -> None:
    asked = call(RAW)

    drained(FakeBackend(text(SPOILT + HELLO), text("", "stop")), asked)

    assert asked.trace.notes == ["harmony: 5 characters hidden, an unknown channel"]


# ---------------------------------------------------------------------- a turn that cannot be read

NOT_READ = UpstreamFailed(
    "The model produced output that does not match the expected peg-native format", status=500
)
OTHERS_WORDS = [
    NOT_READ,
    UpstreamFailed("Failed to parse input at pos 0: <|channel|>??", status=500),
    UpstreamFailed("Unexpected token 12606 while expecting start token 200006", status=502),
    UpstreamRefused("unexpected tokens remaining in message header: ['x']"),
    UpstreamFailed("channel marker present but no channel value found in header", status=500),
]
Ask = Callable[[FakeBackend, Call], Any]


def completed(backend: FakeBackend, asked: Call) -> Any:
    return harmony(backend).complete(asked)["choices"][0]["message"]["content"]


def streamed(backend: FakeBackend, asked: Call) -> Any:
    return said(drained(backend, asked))


ASKS = pytest.mark.parametrize("ask", [completed, streamed])


@ASKS
@pytest.mark.parametrize("where", [RAW, CHAT])
@pytest.mark.parametrize("problem", OTHERS_WORDS, ids=str)
def test_what_the_target_could_not_read_is_asked_for_once_more(
    ask: Ask, where: Target, problem: GatewayError
) -> None:
    good = whole(HELLO) if where is RAW else completion(HELLO)
    backend = FakeBackend((problem,), (as_asked(good, ask),))

    assert ask(backend, call(where)) == "Hello"
    assert len(backend.calls) == 2


@ASKS
def test_what_we_could_not_read_is_asked_for_once_more(ask: Ask) -> None:
    backend = FakeBackend((as_asked(whole(SPOILT), ask),), (as_asked(whole(HELLO), ask),))
    asked = call(RAW)

    assert ask(backend, asked) == "Hello"
    assert asked.trace.notes == ["harmony: 5 characters hidden, an unknown channel"]


@ASKS
def test_the_second_time_it_is_an_error_that_says_so(ask: Ask) -> None:
    backend = FakeBackend(NOT_READ)

    with pytest.raises(
        UpstreamGarbage, match="'alias' could not read what its model wrote, twice"
    ) as problem:
        ask(backend, call(RAW))

    assert (problem.value.status, problem.value.code) == (502, "harmony_unreadable")
    assert not problem.value.retryable
    assert len(backend.calls) == 2


@ASKS
def test_our_own_words_say_what_was_wrong(ask: Ask) -> None:
    with pytest.raises(UpstreamGarbage, match=r"cannot be read \(an unknown channel\)"):
        ask(FakeBackend(as_asked(whole(SPOILT), ask)), call(RAW))


@ASKS
@pytest.mark.parametrize(
    "problem",
    [
        RateLimited("slow down"),
        UpstreamFailed("Failed to parse tool call arguments as JSON", status=500),
        UpstreamFailed("does not compute", status=500),
        UpstreamGarbage("a web page"),
    ],
    ids=str,
)
def test_other_failures_are_none_of_its_business(ask: Ask, problem: GatewayError) -> None:
    backend = FakeBackend(problem)

    with pytest.raises(type(problem), match=str(problem)):
        ask(backend, call(RAW))

    assert len(backend.calls) == 1


@ASKS
def test_another_failure_the_second_time_stays_what_it_is(ask: Ask) -> None:
    with pytest.raises(RateLimited):
        ask(FakeBackend((NOT_READ,), (RateLimited("slow down"),)), call(RAW))


def test_a_failure_in_the_stream_is_asked_again_while_nothing_was_shown() -> None:
    backend = FakeBackend((text("<|chan"), NOT_READ), (text(HELLO), text("", "stop")))

    assert said(drained(backend, call(RAW))) == "Hello"
    assert [stream.closed for stream in backend.streams] == [1, 1]


@pytest.mark.parametrize(
    "first",
    [pytest.param(THINK, id="the model was seen to think"), pytest.param(HELLO, id="it has answered")],
)
def test_nothing_is_asked_again_once_the_client_has_seen_something(first: str) -> None:
    backend = FakeBackend(text(first), NOT_READ)

    with pytest.raises(UpstreamFailed, match="peg-native"):
        drained(backend, call(RAW))

    assert len(backend.calls) == 1


@ASKS
def test_nothing_is_asked_again_for_a_client_that_has_left(ask: Ask) -> None:
    backend = FakeBackend(NOT_READ)

    with pytest.raises(ClientLeft):
        ask(backend, call(RAW, client(alive=Leaving())))

    assert len(backend.calls) == 1


def test_closing_twice_closes_once() -> None:
    backend = FakeBackend(text(HELLO))
    stream = harmony(backend).stream(call(RAW))
    next(iter(stream))

    stream.close()
    stream.close()

    assert backend.streams[0].closed == 1


def as_asked(answer: dict[str, Any], ask: Ask) -> dict[str, Any]:
    """A plain answer, or the same as a stream's chunk."""
    if ask is completed or "text" in answer["choices"][0]:
        return answer
    return delta("stop", content=answer["choices"][0]["message"]["content"])
