"""Asking again: only what may pass, only before the first byte, only as long as a client would wait."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.backends.retrying import LONGEST_PAUSE, PATIENCE, TICK, Begun, Retrying, pause_before
from app.errors import (
    BadRequest,
    ClientLeft,
    ContextTooLong,
    GatewayError,
    RateLimited,
    TargetUnavailable,
    UnknownModel,
    UpstreamAuthentication,
    UpstreamBilling,
    UpstreamCut,
    UpstreamFailed,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from app.types import Batch, Call, Retries, Stream
from tests.fakes import TICK as SILENCE
from tests.fakes import FakeBackend, FakeStream, Leaving, call, chunk, client, completion, finish, target

BUSY = UpstreamFailed("busy", status=503)


class Slept:
    """A clock that nobody has to wait for."""

    def __init__(self) -> None:
        self.naps: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.naps.append(seconds)


def asked(limit: int = 2, delay: float = 0.5, **over: Any) -> Call:
    return call(target(retries=Retries(limit, delay)), **over)


def all_of(stream: Stream) -> Batch:
    return [it for batch in stream for it in batch]


# ─── whether, and how long to wait ───────────────────────────────────────────────────────────────

MAY_PASS = [
    RateLimited("x"),
    UpstreamFailed("x", status=500),
    UpstreamFailed("x", status=408),
    UpstreamFailed("x", status=409),
    UpstreamFailed("x", status=529),
    UpstreamUnreachable("x"),
    UpstreamTimeout("x"),
    UpstreamCut("x"),
]
WILL_NOT = [
    GatewayError("x"),
    BadRequest("x"),
    ContextTooLong("x"),
    TargetUnavailable("x"),
    UpstreamAuthentication("x"),
    UpstreamBilling("x"),
    UpstreamRefused("x", status=404),
    UpstreamRefused("x", status=422),
    UnknownModel("x"),
    ClientLeft("x"),
]


def named(problem: GatewayError) -> str:
    return f"{type(problem).__name__} {problem.status}"


@pytest.mark.parametrize("problem", MAY_PASS, ids=named)
def test_what_may_pass_is_tried_again(problem: GatewayError) -> None:
    assert pause_before(0, problem, asked()) is not None


@pytest.mark.parametrize("problem", WILL_NOT, ids=named)
def test_what_will_not_pass_is_not(problem: GatewayError) -> None:
    assert pause_before(0, problem, asked()) is None


@pytest.mark.parametrize(
    ("tried", "limit", "delay", "after", "low", "high"),
    [
        pytest.param(0, 2, 0.5, None, 0.375, 0.625, id="the first pause"),
        pytest.param(1, 2, 0.5, None, 0.75, 1.25, id="the second is longer"),
        pytest.param(3, 9, 0.5, None, 3, 5, id="and so on"),
        pytest.param(0, 2, 0.0, None, 0, 0, id="no pause"),
        pytest.param(0, 2, 0.5, 7.0, 7, 7, id="as long as was asked for"),
        pytest.param(1, 2, 0.5, 0.25, 0.25, 0.5, id="at least as long as was asked for"),
        pytest.param(0, 2, 0.5, 0.0, 0, 0.5, id="at once, but not all together"),
        pytest.param(0, 2, 0.5, LONGEST_PAUSE, LONGEST_PAUSE, LONGEST_PAUSE, id="the longest"),
    ],
)
def test_the_pause_grows_is_jittered_and_honours_retry_after(
    tried: int, limit: int, delay: float, after: float | None, low: float, high: float
) -> None:
    problem = RateLimited("x", retry_after=after)
    pauses = [pause_before(tried, problem, asked(limit, delay)) for _ in range(50)]

    assert all(pause is not None and low <= pause <= high for pause in pauses)
    assert low == high or len(set(pauses)) > 10


@pytest.mark.parametrize(
    ("tried", "limit", "after"),
    [
        pytest.param(0, 0, None, id="no retries wanted"),
        pytest.param(2, 2, None, id="all used up"),
        pytest.param(5, 2, None, id="more than used up"),
        pytest.param(0, 2, LONGEST_PAUSE + 0.1, id="a pause for the client to make"),
        pytest.param(0, 2, 86400.0, id="a day"),
        pytest.param(8, 99, None, id="a pause grown too long"),
    ],
)
def test_enough_is_enough(tried: int, limit: int, after: float | None) -> None:
    assert pause_before(tried, RateLimited("x", retry_after=after), asked(limit)) is None


def test_nothing_is_begun_that_the_client_would_not_wait_for() -> None:
    old = asked()
    old.trace.started -= PATIENCE - 5

    assert pause_before(0, RateLimited("x", retry_after=4), old) is not None
    assert pause_before(0, RateLimited("x", retry_after=6), old) is None


def test_nothing_is_begun_that_its_deadline_would_end() -> None:
    late = asked(seconds=5)

    assert pause_before(0, RateLimited("x", retry_after=4), late) is not None
    assert pause_before(0, RateLimited("x", retry_after=6), late) is None


@given(st.integers(0, 12), st.integers(0, 12), st.none() | st.floats(0, 100), st.floats(0, 20))
def test_no_pause_is_ever_too_long(tried: int, limit: int, after: float | None, delay: float) -> None:
    pause = pause_before(tried, RateLimited("x", retry_after=after), asked(limit, delay))

    assert pause is None or (0 <= pause <= LONGEST_PAUSE and pause >= (after or 0) and tried < limit)


# ─── asking again ────────────────────────────────────────────────────────────────────────────────


def test_an_answer_that_comes_at_once_is_asked_for_once() -> None:
    backend, slept = FakeBackend("Hello"), Slept()

    assert Retrying(backend, slept).complete(asked()) == completion("Hello")
    assert all_of(Retrying(backend, slept).stream(asked())) == [chunk("Hello"), finish()]
    assert (len(backend.calls), slept.naps) == (2, [])


@pytest.mark.parametrize("failures", [1, 2])
def test_an_answer_that_comes_later_is_waited_for(failures: int) -> None:
    backend, slept, it = FakeBackend(*[(BUSY,)] * failures, ("Hello",)), Slept(), asked()

    assert Retrying(backend, slept).complete(it) == completion("Hello")
    assert (len(backend.calls), it.trace.tries, len(slept.naps) >= failures) == (
        failures + 1,
        failures + 1,
        True,
    )


def test_every_try_asks_the_same() -> None:
    backend, it = FakeBackend((BUSY,), ("Hello",)), asked()
    Retrying(backend, Slept()).complete(it)

    assert backend.calls == [it, it]


@pytest.mark.parametrize("script", [(BUSY,), (SILENCE, SILENCE, BUSY)], ids=["at once", "after silence"])
def test_a_stream_that_fails_before_its_first_batch_is_asked_for_again(script: Any) -> None:
    backend = FakeBackend(script, ("Hel", "lo"))
    stream = Retrying(backend, Slept()).stream(asked())

    assert all_of(stream) == [chunk("Hel"), chunk("lo"), finish()]
    assert [it.closed for it in backend.streams] == [1, 0]


def test_a_stream_that_fails_after_it_is_not() -> None:
    backend = FakeBackend("Hel", BUSY)
    stream = Retrying(backend, Slept()).stream(asked())

    assert next(stream) == [chunk("Hel")]
    with pytest.raises(UpstreamFailed):
        next(stream)
    assert len(backend.calls) == 1


def test_when_all_tries_fail_the_last_failure_counts() -> None:
    problems = [UpstreamFailed(str(n)) for n in range(3)]
    backend, it = FakeBackend(*[(problem,) for problem in problems]), asked()

    with pytest.raises(UpstreamFailed) as raised:
        Retrying(backend, Slept()).stream(it)
    assert raised.value is problems[2]
    assert it.trace.tries == 3
    assert [stream.closed for stream in backend.streams] == [1, 1, 1]


def test_a_failure_that_will_not_pass_ends_it_even_after_one_that_may() -> None:
    backend = FakeBackend((BUSY,), (UpstreamRefused("no", status=404),), ("Hello",))

    with pytest.raises(UpstreamRefused):
        Retrying(backend, Slept()).complete(asked())
    assert len(backend.calls) == 2


def test_a_mistake_of_ours_is_not_repeated_but_its_stream_closed() -> None:
    backend = FakeBackend((ZeroDivisionError(),), ("Hello",))

    with pytest.raises(ZeroDivisionError):
        Retrying(backend, Slept()).stream(asked())
    assert [stream.closed for stream in backend.streams] == [1]


def test_a_pause_is_as_long_as_it_should_be_and_the_client_looked_for_meanwhile() -> None:
    looked = Leaving(looks=99)
    backend, slept = FakeBackend((RateLimited("x", retry_after=3.2),), ("Hello",)), Slept()
    Retrying(backend, slept).complete(asked(who=client(looked)))

    assert sum(slept.naps) == pytest.approx(3.2)
    assert max(slept.naps) <= TICK < 1
    assert looked.looked == len(slept.naps)


def test_a_client_that_leaves_during_a_pause_ends_it() -> None:
    backend, slept = FakeBackend((RateLimited("x", retry_after=9),), ("Hello",)), Slept()

    with pytest.raises(ClientLeft):
        Retrying(backend, slept).complete(asked(who=client(Leaving(looks=2))))
    assert (len(backend.calls), len(slept.naps)) == (1, 2)


def test_a_client_that_leaves_during_a_try_ends_it() -> None:
    backend = FakeBackend((ClientLeft("gone"),), ("Hello",))

    with pytest.raises(ClientLeft):
        Retrying(backend, Slept()).stream(asked())
    assert len(backend.calls) == 1
    assert backend.streams[0].closed == 1


def test_by_default_it_really_sleeps() -> None:
    started = time.monotonic()
    Retrying(FakeBackend((BUSY,), ("Hello",))).complete(asked(delay=0.01))

    assert time.monotonic() > started


# ─── a stream whose first batch is here ──────────────────────────────────────────────────────────


def test_silence_before_the_first_batch_is_waited_through() -> None:
    played = FakeStream(SILENCE, SILENCE, "Hel", SILENCE, "lo")
    stream = Begun(played)

    assert played.played == 3
    assert list(stream) == [[chunk("Hel")], [], [chunk("lo")]]


def test_a_stream_without_a_batch_just_ends() -> None:
    assert all_of(Begun(FakeStream())) == []
    assert all_of(Begun(FakeStream(SILENCE, SILENCE))) == []


def test_closing_it_closes_the_stream_within() -> None:
    played = FakeStream("Hello")
    Begun(played).close()

    assert played.closed == 1


def test_a_target_may_have_its_own_number_of_tries() -> None:
    backend, it = FakeBackend((BUSY,)), asked()
    none = replace(it, target=replace(it.target, retries=Retries(0)))

    with pytest.raises(UpstreamFailed):
        Retrying(backend, Slept()).complete(none)
    assert len(backend.calls) == 1
