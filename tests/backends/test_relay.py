"""The carrier `relay`: what it sends, and what it makes of everything that may come back."""

from __future__ import annotations

import gzip
import json
import threading
from dataclasses import replace
from typing import Any

import pytest

from app.backends import http as http_module
from app.backends.http import Http
from app.backends.relay import Relay
from app.errors import (
    BadRequest,
    ClientLeft,
    ContextTooLong,
    GatewayError,
    RateLimited,
    UpstreamAuthentication,
    UpstreamBilling,
    UpstreamCut,
    UpstreamFailed,
    UpstreamGarbage,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from app.logs import DebugView
from app.types import Batch, Call, Chunk, DialectName, Stream, Target, Timeouts
from app.utils.chat_events import chunks_of, completion_of
from app.utils.codec import dumps
from app.utils.sse import frame
from tests.backends.conftest import Serve
from tests.backends.peers import Peer, Server, answer, chunked, says, says_once
from tests.fakes import Leaving, call, chunk, client, completion, delta, finish, target, usage_chunk
from tests.streams import Recorded, load

pytestmark = pytest.mark.usefixtures("short_ticks")

EVENTS = [delta(role="assistant", content=""), chunk("Hel"), chunk("lo"), finish(), usage_chunk()]
DONE = b"data: [DONE]\n\n"


def sse(*events: Any) -> bytes:
    return b"".join(frame(it if isinstance(it, bytes) else dumps(it)) for it in events)


STREAM = sse(*EVENTS) + DONE


@pytest.fixture
def relay(http: Http) -> Relay:
    return Relay(http, "1.1 localcode-test")


PIECE = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":%b}\n\n'
SAID = PIECE % b'{"type":"text_delta","text":"a"}'


def at(server: Server, **over: Any) -> Target:
    return target(base_url=f"http://127.0.0.1:{server.port}/v1", **over)


def to(server: Server, **over: Any) -> Call:
    return call(at(server), stream=True, **over)


def all_of(stream: Stream) -> Batch:
    """Every chunk of a stream that ends as it should."""
    try:
        return [it for batch in stream for it in batch]
    finally:
        stream.close()


def until_it_fails(stream: Stream) -> tuple[Batch, GatewayError]:
    """The chunks that come before the error, and the error."""
    chunks: Batch = []
    try:
        for batch in stream:
            chunks += batch
    except GatewayError as problem:
        return chunks, problem
    finally:
        stream.close()
    raise AssertionError("nothing failed")


def head_and_body(whole: bytes) -> tuple[list[str], Any]:
    head, _, body = whole.partition(b"\r\n\r\n")
    return head.decode("latin-1").split("\r\n"), json.loads(body)


# ─── what is sent ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("stream", "accept"),
    [(True, "text/event-stream"), (False, "application/json"), (None, "application/json")],
)
def test_the_target_gets_the_body_its_own_key_and_who_asks(
    stream: bool | None, accept: str, relay: Relay, serve: Serve
) -> None:
    server = serve(says(answer(dumps(completion()))))
    who = client(headers={"user-agent": "opencode/1", "x-session-id": "ses_1"})
    asked = call(at(server), who, stream=stream, unheard_of={"x": ["ü"]})
    relay.complete(asked)
    lines, body = head_and_body(server.requests[0])

    assert body == asked.body
    assert lines == [
        "POST /v1/chat/completions HTTP/1.1",
        f"Host: 127.0.0.1:{server.port}",
        "authorization: Bearer sk-the-targets-own-key",
        "user-agent: opencode/1",
        "x-session-id: ses_1",
        "content-type: application/json",
        f"accept: {accept}",
        "accept-encoding: identity",
        "x-request-id: req_1",
        "via: 1.1 localcode-test",
        f"Content-Length: {len(dumps(asked.body))}",
    ]


def test_a_target_without_a_key_gets_none(relay: Relay, serve: Serve) -> None:
    server = serve(says(answer(dumps(completion()))))
    relay.complete(call(at(server, api_key="")))

    assert b"authorization" not in server.requests[0].lower()


def test_the_configurations_headers_win_once_each(relay: Relay, serve: Serve) -> None:
    server = serve(says(answer(dumps(completion()))))
    headers = {"User-Agent": "ours", "AUTHORIZATION": "Basic x", "X-Own": "1", "X-Request-Id": "theirs"}
    relay.complete(call(at(server, headers=headers), client(headers={"user-agent": "opencode/1"})))
    lines, _ = head_and_body(server.requests[0])
    given = [
        it for it in lines if it.split(":")[0] in ("user-agent", "authorization", "x-own", "x-request-id")
    ]

    assert sorted(given) == ["authorization: Basic x", "user-agent: ours", "x-own: 1", "x-request-id: theirs"]
    assert not [
        it for it in lines if it[0].isupper() and not it.startswith(("POST", "Host", "Content-Length"))
    ]


def test_half_a_surrogate_pair_reaches_the_target(relay: Relay, serve: Serve) -> None:
    server = serve(says(answer(dumps(completion()))))
    relay.complete(call(at(server), messages=[{"role": "user", "content": "ü\ud83d"}]))

    assert server.requests[0].endswith('"content":"ü\\ud83d"}]}'.encode())


def test_a_body_too_deep_to_write_is_the_clients_doing(relay: Relay) -> None:
    deep: list[Any] = []
    for _ in range(5000):
        deep = [deep]

    with pytest.raises(BadRequest, match="nested too deeply"):
        relay.complete(call(tools=deep))


def test_every_try_is_counted(relay: Relay, serve: Serve) -> None:
    server = serve(says(answer(b"{}", status="503 Busy")))
    asked = call(at(server))
    for _ in range(2):
        with pytest.raises(UpstreamFailed):
            relay.complete(asked)

    assert asked.trace.tries == 2


# ─── plain requests ──────────────────────────────────────────────────────────────────────────────


def test_a_plain_answer_comes_with_every_field(relay: Relay, serve: Serve) -> None:
    whole = completion("Hëllo 😀", usage={"total_tokens": 3}, timings={"x": [1]}, choices_x=None)
    server = serve(says(answer(dumps(whole))))

    assert relay.complete(call(at(server))) == whole


@pytest.mark.parametrize("before", [b"", b"\n\n  \r\n", b"\xef\xbb\xbf", b" " * 100_000], ids=len)
def test_white_space_before_an_answer_is_skipped(before: bytes, relay: Relay, serve: Serve) -> None:
    server = serve(
        says(chunked(*[before[at : at + 1000] for at in range(0, len(before), 1000)], dumps(completion())))
    )

    assert relay.complete(call(at(server))) == completion()
    assert all_of(relay.stream(to(server))) == chunks_of(completion())


@pytest.mark.parametrize(
    "data", [STREAM, STREAM.removesuffix(DONE), STREAM.replace(b"\n", b"\r\n"), b": hi\n\n" + STREAM]
)
def test_a_stream_where_an_answer_was_due_is_put_together(data: bytes, relay: Relay, serve: Serve) -> None:
    server = serve(says(chunked(data, head="Content-Type: application/json\r\n")))
    whole = relay.complete(call(at(server)))

    assert whole["choices"] == completion("Hello")["choices"]
    assert whole["usage"] == {"total_tokens": 3}


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        pytest.param(sse(*EVENTS[:3]), UpstreamCut, id="no finish"),
        pytest.param(sse(*EVENTS[:3]) + DONE, UpstreamCut, id="no finish but an end"),
        pytest.param(sse(chunk("a"), chunk("b", 1), finish()) + DONE, UpstreamCut, id="one of two finished"),
        pytest.param(DONE, UpstreamGarbage, id="an end and nothing else"),
        pytest.param(b": hi\n\n", UpstreamGarbage, id="only a comment"),
        pytest.param(b"event: ping\n\n", UpstreamGarbage, id="only a ping"),
        pytest.param(b"error: overloaded", UpstreamGarbage, id="words"),
        pytest.param(b"data", UpstreamGarbage, id="one word"),
        pytest.param(
            sse(chunk("a"), {"error": {"message": "x", "code": 429}}), RateLimited, id="an error in it"
        ),
        pytest.param(sse(chunk("a"), b"{bad"), UpstreamGarbage, id="a bad line in it"),
    ],
)
def test_a_stream_that_broke_off_is_no_answer(
    data: bytes, kind: type[GatewayError], relay: Relay, serve: Serve
) -> None:
    server = serve(says(chunked(data)))

    with pytest.raises(kind):
        relay.complete(call(at(server)))


NOT_ANSWERS = [
    pytest.param(b"", UpstreamGarbage, "answered nothing", id="nothing"),
    pytest.param(b" \n ", UpstreamGarbage, "answered nothing", id="white space"),
    pytest.param(b"<html><body>Hi</body></html>", UpstreamGarbage, "answered a web page", id="HTML"),
    pytest.param(b"\n<!DOCTYPE html>", UpstreamGarbage, "answered a web page", id="HTML after an empty line"),
    pytest.param(b"OK", UpstreamGarbage, "answered what is not JSON", id="words"),
    pytest.param(b"\xff\xfe", UpstreamGarbage, "answered what is not JSON", id="bytes"),
    pytest.param(
        b'{"id":"c1","choices":[', UpstreamGarbage, "answered what is not JSON", id="half an answer"
    ),
    pytest.param(b"{}", UpstreamGarbage, "is no chat completion", id="an empty object"),
    pytest.param(b"null", UpstreamGarbage, "is no chat completion", id="null"),
    pytest.param(b"[]", UpstreamGarbage, "is no chat completion", id="an empty array"),
    pytest.param(b"[1]", UpstreamGarbage, "is no chat completion", id="an array"),
    pytest.param(
        b'{"object":"list","data":[]}', UpstreamGarbage, "is no chat completion", id="something else"
    ),
    pytest.param(b'{"choices":null}', UpstreamGarbage, "is no chat completion", id="null for choices"),
    pytest.param(b'{"error":{"message":"full","code":429}}', RateLimited, "full", id="error, 429"),
    pytest.param(
        b'{"error":{"message":"m","type":"overloaded_error"}}', UpstreamFailed, "m", id="error, overloaded"
    ),
    pytest.param(
        b'{"error":{"message":"prompt is too long","code":400}}', ContextTooLong, "too long", id="too long"
    ),
    pytest.param(b'[{"error":{"message":"no","code":404}}]', UpstreamRefused, "no", id="Gemini's list"),
    pytest.param(b'{"error":"out of memory"}', UpstreamFailed, "out of memory", id="error, text"),
    pytest.param(b'{"error":{}}', UpstreamFailed, "answered 502", id="error, empty"),
    pytest.param(
        b'{"code":500,"msg":"oops","success":false}', UpstreamFailed, "oops", id="z.ai's other shape"
    ),
    pytest.param(b'{"error":{"code":"1113","message":"arrears"}}', UpstreamBilling, "arrears", id="arrears"),
    pytest.param(
        b'{"error":{"code":401,"message":"canary"}}',
        UpstreamAuthentication,
        "refused the gateway's key",
        id="key",
    ),
]


@pytest.mark.parametrize(("body", "kind", "words"), NOT_ANSWERS)
def test_a_200_that_is_no_answer_is_an_error(
    body: bytes, kind: type[GatewayError], words: str, relay: Relay, serve: Serve
) -> None:
    server = serve(says(answer(body, "Content-Type: application/json")))
    with pytest.raises(kind, match=words):
        relay.complete(call(at(server)))
    with pytest.raises(kind, match=words):
        relay.stream(to(server))

    assert server.connections == 1


@pytest.mark.parametrize("page", [b"<html>secret-of-the-page</html>", b"secret-of-the-page"])
def test_what_a_page_says_stays_here(page: bytes, relay: Relay, serve: Serve) -> None:
    server = serve(says(answer(page)))

    with pytest.raises(UpstreamGarbage) as raised:
        relay.complete(call(at(server)))
    assert "secret-of-the-page" not in str(raised.value)


@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "plain"])
@pytest.mark.parametrize(
    ("status", "headers", "body", "kind", "after"),
    [
        pytest.param(429, ["Retry-After: 7"], b'{"error":{"message":"full"}}', RateLimited, 7, id="429"),
        pytest.param(429, ["Retry-After-Ms: 250"], b"", RateLimited, 0.25, id="429 in ms"),
        pytest.param(503, ["Retry-After: 7"], b"<html>", UpstreamFailed, 7, id="503"),
        pytest.param(401, [], b'{"error":{"message":"no"}}', UpstreamAuthentication, None, id="401"),
        pytest.param(404, [], b"not here", UpstreamRefused, None, id="404"),
        pytest.param(307, ["Location: /v2"], b"", UpstreamGarbage, None, id="307"),
        pytest.param(301, ["Location: http://127.0.0.1:1/"], b"", UpstreamGarbage, None, id="301"),
        pytest.param(204, [], b"", UpstreamGarbage, None, id="204"),
    ],
)
def test_a_status_is_the_error_it_means(
    status: int,
    headers: list[str],
    body: bytes,
    kind: type[GatewayError],
    after: float | None,
    streamed: bool,
    relay: Relay,
    serve: Serve,
) -> None:
    server = serve(says(answer(body, *headers, status=f"{status} x")))
    ask = relay.stream if streamed else relay.complete
    for _ in range(2):
        with pytest.raises(kind) as raised:
            ask(call(at(server)))

    assert raised.value.retry_after == after
    assert (server.connections, len(server.requests)) == (1, 2)


def test_an_error_whose_words_do_not_come_is_still_that_error(relay: Relay, serve: Serve) -> None:
    server = serve(says_once(answer(b'{"error":{"message":"full"}}', status="429 x")[:-5]))

    with pytest.raises(RateLimited, match="asks for fewer requests"):
        relay.complete(call(at(server)))


def test_a_client_that_leaves_while_the_words_of_an_error_come_has_left(relay: Relay, serve: Serve) -> None:
    def play(peer: Peer) -> None:
        peer.request()
        peer.send(answer(b"12345", status="500 x")[:-5])
        peer.saw_the_end()

    server = serve(play)
    with pytest.raises(ClientLeft):
        relay.complete(call(at(server), client(Leaving(looks=3))))

    assert server.ended.wait(20)


# ─── streams ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "head", ["Content-Type: text/event-stream\r\n", "Content-Type: application/json\r\n", ""]
)
def test_a_stream_comes_with_every_field_whatever_it_calls_itself(
    head: str, relay: Relay, serve: Serve
) -> None:
    server = serve(says(chunked(STREAM, head=head)))

    assert all_of(relay.stream(to(server))) == EVENTS


@pytest.mark.parametrize("recorded", load(), ids=lambda it: it.name)
@pytest.mark.parametrize("how", ["whole", "byte by byte", "without chunks", "gzip"])
def test_recorded_streams_come_as_they_are(recorded: Recorded, how: str, relay: Relay, serve: Serve) -> None:
    bytewise = [recorded.body[place : place + 1] for place in range(len(recorded.body))]
    server = serve(
        {
            "whole": says(chunked(recorded.body)),
            "byte by byte": says(chunked(*bytewise)),
            "without chunks": says_once(b"HTTP/1.1 200 OK\r\n\r\n" + recorded.body),
            "gzip": says(chunked(gzip.compress(recorded.body), head="Content-Encoding: gzip\r\n")),
        }[how]
    )

    assert all_of(relay.stream(to(server))) == recorded.events
    assert completion_of([recorded.events])["choices"] == relay.complete(call(at(server)))["choices"]


def test_an_answer_where_a_stream_was_due_is_one(relay: Relay, serve: Serve) -> None:
    whole = completion("Hello", usage={"total_tokens": 3})
    server = serve(says(answer(dumps(whole), "Content-Type: text/event-stream")))

    assert completion_of(relay.stream(to(server))) == whole
    assert all_of(relay.stream(to(server))) == chunks_of(whole)
    assert server.connections == 1


def test_one_read_is_one_batch_and_silence_an_empty_one(relay: Relay, serve: Serve) -> None:
    def play(peer: Peer) -> None:
        peer.request()
        peer.send(chunked(sse(*EVENTS[:3]), end=b""))
        ticked.wait(20)
        rest = sse(*EVENTS[3:]) + DONE
        peer.send(b"%x\r\n%b\r\n0\r\n\r\n" % (len(rest), rest))

    ticked = threading.Event()
    server = serve(play)
    stream = relay.stream(to(server))
    first = next(stream)
    silence = next(stream)
    ticked.set()
    rest = [batch for batch in stream if batch]
    stream.close()

    assert (first, silence, rest) == (EVENTS[:3], [], [EVENTS[3:]])


BROKEN = [
    pytest.param({"error": {"message": "full", "code": 429}}, RateLimited, "full", id="an error"),
    pytest.param(
        {"error": {"message": "m", "type": "overloaded_error"}}, UpstreamFailed, "m", id="overloaded"
    ),
    pytest.param({"error": "out of memory"}, UpstreamFailed, "out of memory", id="an error that is text"),
    pytest.param(
        {"error": {"message": "x"}, "choices": []}, UpstreamFailed, "x", id="an error beside choices"
    ),
    pytest.param({"type": "error", "error": {"message": "x"}}, UpstreamFailed, "x", id="Anthropic's shape"),
    pytest.param([{"error": {"message": "x", "code": 503}}], UpstreamFailed, "x", id="Gemini's list"),
    pytest.param({"error": {}}, UpstreamFailed, "502", id="an empty error"),
    pytest.param({"message": "x", "code": 404}, UpstreamRefused, "x", id="only a message"),
    pytest.param(
        {"error": {"message": "canary", "code": 401}}, UpstreamAuthentication, "key", id="about the key"
    ),
    pytest.param(b"{bad", UpstreamGarbage, "not JSON", id="half a line"),
    pytest.param(b"<html>", UpstreamGarbage, "not JSON", id="HTML"),
    pytest.param(b"[]", UpstreamGarbage, "no event", id="a list"),
    pytest.param(b"3", UpstreamGarbage, "no event", id="a number"),
    pytest.param(b"null", UpstreamGarbage, "no event", id="null"),
    pytest.param(b'"error"', UpstreamGarbage, "no event", id="a word"),
]


@pytest.mark.parametrize("together", [True, False], ids=["in one read", "in another read"])
@pytest.mark.parametrize(("event", "kind", "words"), BROKEN)
def test_what_is_wrong_in_a_stream_ends_it_after_what_was_right(
    event: Any, kind: type[GatewayError], words: str, together: bool, relay: Relay, serve: Serve
) -> None:
    def play(peer: Peer) -> None:
        peer.request()
        good, bad = sse(*EVENTS[:3]), sse(event, finish())
        for part in [good + bad] if together else [good, bad]:
            peer.send(
                chunked(part, end=b"") if part.startswith(good) else b"%x\r\n%b\r\n" % (len(part), part)
            )
        peer.saw_the_end()

    server = serve(play)
    chunks, problem = until_it_fails(relay.stream(to(server)))

    assert (chunks, type(problem)) == (EVENTS[:3], kind)
    assert words in str(problem)
    assert server.ended.wait(20)


@pytest.mark.parametrize(
    "chunk_",
    [
        {"error": None, "choices": []},
        {"error": {}, "choices": []},
        {"usage": {"total_tokens": 1}},
        {"object": "ping"},
        {},
    ],
    ids=str,
)
def test_an_odd_event_is_passed_on(chunk_: Chunk, relay: Relay, serve: Serve) -> None:
    server = serve(says(chunked(sse(chunk("a"), chunk_, b"", finish()) + DONE)))

    assert all_of(relay.stream(to(server))) == [chunk("a"), chunk_, finish()]


@pytest.mark.parametrize(
    "after",
    [sse(chunk("late")), DONE, b"data: {bad\n\n", sse({"error": "late"}), b"garbage", b": bye\n\n"],
    ids=["a chunk", "another end", "a bad line", "an error", "garbage", "a comment"],
)
@pytest.mark.parametrize("together", [True, False], ids=["in one read", "in another read"])
def test_what_follows_the_end_of_a_stream_is_ignored(
    after: bytes, together: bool, relay: Relay, serve: Serve
) -> None:
    server = serve(says(chunked(STREAM + after) if together else chunked(STREAM, after)))

    assert all_of(relay.stream(to(server))) == EVENTS


def test_a_stream_ends_with_its_last_event_though_the_connection_stays_open(
    relay: Relay, serve: Serve
) -> None:
    def play(peer: Peer) -> None:
        peer.request()
        peer.send(chunked(STREAM, end=b""))
        peer.saw_the_end()

    server = serve(play)
    stream = relay.stream(to(server))
    chunks = [it for batch in stream for it in batch]

    assert chunks == EVENTS
    assert not server.ended.is_set()
    stream.close()
    assert server.ended.wait(20)


def test_a_connection_is_used_again_after_its_stream(relay: Relay, serve: Serve) -> None:
    server = serve(says(chunked(STREAM)))
    for _ in range(5):
        assert all_of(relay.stream(to(server))) == EVENTS

    assert server.connections == 1


def test_so_it_is_when_the_end_of_the_body_follows_the_last_event(
    relay: Relay, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    def play(peer: Peer) -> None:
        for _ in peer.requests():
            peer.send(chunked(STREAM, end=b""))
            read.wait(20)
            peer.send(b"0\r\n\r\n")

    monkeypatch.setattr(http_module, "LAST_CHUNK", 10.0)
    read = threading.Event()
    server = serve(play)
    stream = relay.stream(to(server))
    came = [it for batch in stream for it in batch]
    read.set()
    stream.close()

    assert came == EVENTS
    assert all_of(relay.stream(to(server))) == EVENTS
    assert server.connections == 1


@pytest.mark.parametrize("read", [0, 1], ids=["before its first batch is asked for", "after its first batch"])
def test_a_stream_that_is_closed_early_ends_the_targets_work(read: int, relay: Relay, serve: Serve) -> None:
    def play(peer: Peer) -> None:
        peer.request()
        peer.send(chunked(sse(*EVENTS[:2]), end=b""))
        peer.saw_the_end()

    server = serve(play)
    stream = relay.stream(to(server))
    for _ in range(read):
        next(stream)
    stream.close()
    stream.close()

    assert server.ended.wait(20)


CUTS = [
    pytest.param(chunked(sse(*EVENTS[:3]), end=b""), EVENTS[:3], UpstreamCut, id="between events"),
    pytest.param(
        chunked(sse(*EVENTS[:3]) + b'data: {"ch', end=b""), EVENTS[:3], UpstreamCut, id="within an event"
    ),
    pytest.param(chunked(sse(*EVENTS[:3]), end=b"10\r\ndata"), EVENTS[:3], UpstreamCut, id="within a chunk"),
    pytest.param(answer(STREAM)[:-30], EVENTS[:4], UpstreamCut, id="a byte before the length"),
    pytest.param(
        b"HTTP/1.1 200 OK\r\n\r\n" + STREAM[:-40], EVENTS[:4], UpstreamCut, id="no length, half an event"
    ),
    pytest.param(
        chunked(sse(*EVENTS[:3]), end=b"zz\r\n"), EVENTS[:3], UpstreamGarbage, id="garbage for a chunk"
    ),
]


@pytest.mark.parametrize(("data", "chunks", "kind"), CUTS)
def test_a_stream_that_is_cut_fails_after_what_came(
    data: bytes, chunks: Batch, kind: type[GatewayError], relay: Relay, serve: Serve
) -> None:
    server = serve(says_once(data))
    came, problem = until_it_fails(relay.stream(to(server)))

    assert came == chunks
    assert type(problem) is kind


def test_a_stream_that_ends_cleanly_without_its_last_event_just_ends(relay: Relay, serve: Serve) -> None:
    """Whether its answer was finished is for the gateway to say."""
    server = serve(says(chunked(sse(*EVENTS[:3]))))

    assert all_of(relay.stream(to(server))) == EVENTS[:3]


@pytest.mark.parametrize(
    "data", [DONE, b": hi\n\n" + DONE, b": hi\n\n", b"data: \n\n", b"event: x\n\n", b"id"]
)
def test_a_stream_in_which_nothing_comes_is_an_error(data: bytes, relay: Relay, serve: Serve) -> None:
    server = serve(says(chunked(data)))
    chunks, problem = until_it_fails(relay.stream(to(server)))

    assert chunks == []
    assert isinstance(problem, UpstreamGarbage)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 9\r\n\r\n", id="a body"
        ),
        pytest.param(chunked(sse(*EVENTS[:2]), end=b""), id="events"),
        pytest.param(chunked(b": hi\n\n", end=b""), id="a comment"),
        pytest.param(chunked(b"\n \n", end=b""), id="white space"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_a_target_that_falls_silent_has_a_limit_and_is_left(data: bytes, relay: Relay, serve: Serve) -> None:
    def play(peer: Peer) -> None:
        peer.request()
        peer.send(data)
        peer.saw_the_end()

    server = serve(play)
    there = at(server, timeouts=Timeouts(header=0.2, chunk=0.2))
    with pytest.raises(UpstreamTimeout):
        all_of(relay.stream(call(there)))

    assert server.ended.wait(20)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        chunked(end=b""),
        chunked(b"\n", end=b""),
        chunked(b": hi\n\n", end=b""),
        chunked(sse(*EVENTS[:2]), end=b""),
    ],
)
@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "plain"])
def test_a_client_that_leaves_is_noticed_and_the_target_left(
    data: bytes, streamed: bool, relay: Relay, serve: Serve
) -> None:
    def play(peer: Peer) -> None:
        peer.request()
        peer.send(data)
        peer.saw_the_end()

    server = serve(play)
    asked = call(at(server), client(Leaving(looks=4)))
    with pytest.raises(ClientLeft):
        all_of(relay.stream(asked)) if streamed else relay.complete(asked)

    assert server.ended.wait(20)


def test_a_target_that_cannot_be_reached_is_an_error_without_its_address(relay: Relay, serve: Serve) -> None:
    server = serve(lambda peer: None)

    with pytest.raises(UpstreamUnreachable) as raised:
        relay.stream(to(server))
    assert str(raised.value) == "the provider of 'alias' closed the connection without an answer"


# ─── what need not be read ───────────────────────────────────────────────────────────────────────

STOPPED = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'


@pytest.mark.parametrize(("wire", "looked_at", "events"), [("messages", False, 2), ("messages", True, 4)])
def test_pieces_of_a_message_stay_together_unless_somebody_looks_at_each(
    relay: Relay, serve: Serve, wire: DialectName, looked_at: bool, events: int
) -> None:
    asked = replace(to(serve(says(answer(SAID * 3 + STOPPED)))), wire=wire)
    asked.trace.view = DebugView(asked.client) if looked_at else None

    assert len(all_of(relay.stream(asked))) == events


def test_a_whole_message_is_put_together_of_pieces_that_are_read(relay: Relay, serve: Serve) -> None:
    begun = b'data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n\n'
    stop = b'data: {"type":"message_delta","delta":{"stop_reason":"end_turn"}}\n\n'
    server = serve(says(answer(begun + SAID * 3 + stop + STOPPED)))

    assert relay.complete(replace(to(server), wire="messages"))["content"] == [
        {"type": "text", "text": "aaa"}
    ]
