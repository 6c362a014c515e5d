"""Bodies of every kind, well-meant and not: read whole or refused with a reason, and the connection lives."""

from __future__ import annotations

import contextlib
import io
import json
import re
import socket
import struct
from collections.abc import Iterator
from copy import deepcopy
from typing import Any
from urllib.parse import urlsplit

import pytest
from gunicorn.http.errors import InvalidChunkSize, NoMoreData

from app import logs
from app.dialects import anthropic_messages, openai_chat, openai_responses
from app.errors import UpstreamTimeout
from app.gateway import ServedStream
from app.remembering import Afterwards
from app.routes import edge
from app.routes.body import BODY_SILENCE, patience
from app.routes.edge import EventBody, Record
from app.types import Answer, Batch, Stream
from app.utils import wire_messages, wire_responses
from app.utils.preview import answer_text, sent_lines
from app.utils.wire_chat import ChatStream
from tests.fakes import (
    SERVED,
    TICK,
    FakeBackend,
    FakeStream,
    chunk,
    client,
    finish,
    request,
    target,
    trace,
)
from tests.gateway import Gateway, config, running
from tests.routes.conftest import Logged, Serve
from tests.upstream import Upstream

MESSAGES = '"messages":[{"role":"user","content":"Hi"}]'
HELLO = f'{{"model":"model",{MESSAGES}}}'.encode()
CHAT = "/v1/chat/completions"
MEGABYTE = 2**20

# ─── what a body may hold ────────────────────────────────────────────────────────────────────────


def refusal(serve: Serve, body: str | bytes, **headers: str) -> tuple[int, dict[str, Any]]:
    """Status and error; nothing has been called for it."""
    backend = FakeBackend("Hello")
    reply = serve(backend=backend).post(CHAT, data=body, headers=headers)

    assert backend.calls == []
    assert reply.headers["content-type"] == "application/json"
    return reply.status_code, reply.get_json()["error"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("", "it is empty"),
        (" \r\n\t ", "it is empty"),
        ('{"model": "alias",\n "messages": [}', "line 2 column 15"),
        ('{"model": "alias"', "line 1 column 18"),
        ("{'model': 'alias'}", "line 1 column 2"),
        (f'{{"model":"alias",{MESSAGES}}} and more', "line 1 column"),
        (f'{{"model":"alias","temperature":NaN,{MESSAGES}}}', "NaN"),
        (f'{{"model":"alias","temperature":-Infinity,{MESSAGES}}}', "-Infinity"),
        (f'{{"model":"alias","temperature":1e999,{MESSAGES}}}', "1e999"),
        (f'{{"model":"alias","seed":{"9" * 5000},{MESSAGES}}}', "a number of that length is not JSON"),
        ("[" * 100_000, "nested too deeply"),
        ("[" * 100_000 + "]" * 100_000, "nested too deeply"),
        (f'{{"model":"alias",{MESSAGES},"x":{"[" * 100_000}{"]" * 100_000}}}', "nested too deeply"),
        ('{"a":' * 100_000, "nested too deeply"),
        (b'{"model":"alias","messages":[{"role":"user","content":"\xff\xfe"}]}', "position 55"),
        (b"\x00" * 100, "line 1 column 1"),
        (b"\x1f\x8b\x08\x00 not even gzip", "position 1"),
        ("model=alias&messages=hi", "line 1 column 1"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_is_no_json_is_a_400_that_names_the_place(serve: Serve, body: str | bytes, words: str) -> None:
    status, error = refusal(serve, body)

    assert status == 400
    assert error["type"] == "invalid_request_error"
    assert error["code"] == "invalid_json"
    assert error["message"].startswith("the body is not JSON: ")
    assert words in error["message"]
    assert len(error["message"]) < 300


@pytest.mark.parametrize(
    ("body", "kind"),
    [("[]", "an array"), ('["model"]', "an array"), ('"model"', "a string"), ("42", "a number"),
     ("-0.5", "a number"), ("true", "a boolean"), ("null", "null")],
)  # fmt: skip
def test_json_that_is_no_object_is_a_400_that_says_what_it_is(serve: Serve, body: str, kind: str) -> None:
    status, error = refusal(serve, body)

    assert (status, error["message"]) == (400, f"the body must be a JSON object, not {kind}")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": None}, "model"),
        ({"model": ""}, "model"),
        ({"model": 5}, "model"),
        ({"model": ["alias"]}, "model"),
        ({"model": {"id": "alias"}}, "model"),
        ({"messages": None}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": {}}, "messages"),
        ({"messages": "Hi"}, "messages"),
        ({"messages": 0}, "messages"),
        ({"messages": ["Hi"]}, "messages[0]"),
        ({"messages": [None]}, "messages[0]"),
        ({"messages": [{}]}, "messages[0]"),
        ({"messages": [{"role": "user"}, {"role": None}]}, "messages[1]"),
        ({"messages": [{"role": "user"}, {"role": ["user"]}]}, "messages[1]"),
        ({"messages": [[{"role": "user"}]]}, "messages[0]"),
        ({"stream": "yes"}, "stream"),
        ({"stream": 1}, "stream"),
        ({"stream": []}, "stream"),
        ({"stream_options": True}, "stream_options"),
        ({"stream_options": []}, "stream_options"),
        ({"tools": {}}, "tools"),
        ({"tools": "all"}, "tools"),
        ({"n": True}, "n"),
        ({"n": "2"}, "n"),
        ({"n": 1.5}, "n"),
        ({"max_tokens": "many"}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"max_tokens": 10**30}, "max_tokens"),
        ({"max_completion_tokens": [1]}, "max_completion_tokens"),
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": False}, "temperature"),
        ({"top_p": {}}, "top_p"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_a_field_of_a_wrong_type_is_a_400_that_names_it(
    serve: Serve, fields: dict[str, Any], param: str
) -> None:
    whole = {"model": "alias", "messages": [{"role": "user", "content": "Hi"}], **fields}
    status, error = refusal(serve, json.dumps(whole))

    assert status == 400
    assert error["param"] == param
    assert f"'{param}'" in error["message"]


@pytest.mark.parametrize(
    "rest",
    [
        '"temperature":null,"tools":null,"stream":null,"stream_options":null,"n":null',
        f'"x":{"[" * 500}{"]" * 500}',
        f'"seed":{"9" * 400}',
        '"model":"first","model":"alias"',
        '"metadata":{"half a pair":"\\ud83d"}',
        '"\\ud83d":1',
        '"":"","__proto__":{},"0":0',
        f'"long":"{"x" * 100_000}"',
    ],
    ids=lambda value: value[:30],
)
def test_what_is_odd_but_right_is_served(serve: Serve, rest: str) -> None:
    body = f'{{{rest},"model":"alias",{MESSAGES}}}'

    assert serve().post(CHAT, data=body).status_code == 200


def test_a_byte_order_mark_does_not_hurt(serve: Serve) -> None:
    assert serve().post(CHAT, data=f'\ufeff{{"model":"alias",{MESSAGES}}}'.encode()).status_code == 200


def test_half_a_surrogate_pair_reaches_the_target_as_it_came(gateway: Gateway, upstream: Upstream) -> None:
    body = b'{"model":"model","messages":[{"role":"user","content":"cut \\ud83d here"}]}'

    assert exchange(gateway, post(body)).statuses == [200]
    assert upstream.last.json["messages"][0]["content"] == "cut \ud83d here"


@pytest.mark.parametrize("name", ["mo\ud83ddel", "a\nb\x1b[31mred", "x" * 1_000_000, "\u202egpj", "<b>"])
def test_a_model_name_of_any_kind_is_a_short_404(serve: Serve, name: str) -> None:
    status, error = refusal(serve, json.dumps({"model": name, "messages": [{"role": "user"}]}))

    assert (status, error["code"]) == (404, "model_not_found")
    assert "\n" not in error["message"]
    assert "\x1b" not in error["message"]
    assert len(error["message"]) < 300


@pytest.mark.parametrize("coding", ["gzip", "GZIP", "br", "deflate", "zstd", "identity, gzip", "x"])
def test_a_compressed_body_is_a_415(serve: Serve, coding: str) -> None:
    status, error = refusal(serve, b"\x1f\x8b", **{"Content-Encoding": coding})

    assert (status, error["code"]) == (415, "unsupported_media_type")
    assert coding.lower() in error["message"]


@pytest.mark.parametrize("headers", [{"Content-Encoding": "Identity"}, {"Content-Encoding": ""}, {}])
@pytest.mark.parametrize(
    "kind", ["application/json", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
def test_any_content_type_will_do(serve: Serve, kind: str, headers: dict[str, str]) -> None:
    body = f'{{"model":"alias",{MESSAGES}}}'

    assert serve().post(CHAT, data=body, content_type=kind, headers=headers).status_code == 200


# ─── bodies over real sockets ────────────────────────────────────────────────────────────────────


class Exchange:
    """What came back on one connection until it was quiet or closed."""

    def __init__(self, raw: bytes, closed: bool) -> None:
        self.raw = raw
        self.closed = closed

    @property
    def statuses(self) -> list[int]:
        return [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3}) ", self.raw) if status != b"100"]


def post(body: bytes, headers: str = "", path: str = CHAT, length: object = None) -> bytes:
    size = len(body) if length is None else length
    return f"POST {path} HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: {size}\r\n\r\n".encode() + body


def chunked(*pieces: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return f"POST {CHAT} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode() + body + end


def dial(gateway: Gateway) -> socket.socket:
    return socket.create_connection(("127.0.0.1", urlsplit(gateway.url).port or 0), timeout=20)


LAST = b"GET /last-of-all HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def exchange(gateway: Gateway, *requests: bytes, last: bytes = LAST) -> Exchange:
    """Sends the requests one behind the other and reads to the end; `last` asks for the connection's end."""
    with dial(gateway) as sock:
        broken = False
        try:
            sock.sendall(b"".join(requests) + last)
        except OSError:
            broken = True
        raw = b""
        try:
            while data := sock.recv(65536):
                raw += data
        except ConnectionError:
            broken = True
        marker = raw.rfind(b"HTTP/1.1 404") if last else -1
        if marker >= 0 and b"last-of-all" in raw[marker:]:
            return Exchange(raw[:marker], closed=False)
        return Exchange(raw, closed=not broken)


def padded(size: int) -> bytes:
    """A right request of exactly that many bytes."""
    frame = b'{"model":"model","messages":[{"role":"user","content":"%s"}]}'
    return frame % (b"a" * (size - len(frame) + 2))


@pytest.fixture(scope="module")
def small(upstream_of_the_session: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that takes bodies of half a megabyte."""
    settings = config(upstream_of_the_session.base_url, {"model": "wire-of-model"})
    with running(tmp_path_factory.mktemp("small"), settings, LOCALCODE_MAX_BODY_MB="0.5") as gateway:
        yield gateway


LIMIT = MEGABYTE // 2


@pytest.mark.parametrize("in_chunks", [False, True], ids=["with a length", "in chunks"])
@pytest.mark.parametrize(
    ("size", "status"), [(LIMIT - 1, 200), (LIMIT, 200), (LIMIT + 1, 413), (3 * LIMIT, 413), (6 * LIMIT, 413)]
)
def test_a_body_beyond_the_limit_is_a_413_that_really_arrives(
    small: Gateway, upstream: Upstream, size: int, status: int, in_chunks: bool
) -> None:
    body = padded(size)
    pieces = [body[start : start + 50_000] for start in range(0, size, 50_000)]
    answer = exchange(small, chunked(*pieces) if in_chunks else post(body))

    assert len(body) == size
    assert answer.statuses == [status]
    assert not answer.closed  # the next request on it was answered
    assert len(upstream.requests) == (status == 200)
    if status == 413:
        assert b"larger than 0.5 MB (LOCALCODE_MAX_BODY_MB sets the limit)" in answer.raw


def test_a_right_beginning_of_too_large_a_body_is_not_taken_for_all_of_it(
    small: Gateway, upstream: Upstream
) -> None:
    whole = HELLO.ljust(LIMIT) + b"and more"

    assert exchange(small, chunked(whole)).statuses == [413]
    assert exchange(small, post(whole)).statuses == [413]
    assert upstream.requests == []


def test_forty_megabytes_are_refused_and_the_gateway_goes_on(gateway: Gateway, upstream: Upstream) -> None:
    answer = exchange(gateway, post(padded(40 * MEGABYTE)), post(HELLO))

    assert answer.statuses == [413, 200]
    assert b"larger than 32 MB" in answer.raw
    assert len(upstream.requests) == 1


def test_pipelined_requests_are_answered_in_order_whatever_becomes_of_each(
    gateway: Gateway, upstream: Upstream
) -> None:
    streamed = f'{{"model":"model","stream":true,{MESSAGES}}}'.encode()
    answer = exchange(
        gateway,
        post(HELLO),
        post(b'{"broken'),
        post(streamed),
        b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n",
        post(b"x" * 100, path="/nowhere"),
        chunked(b"unread" * 1000).replace(b"POST /v1/chat/completions", b"POST /v1/models", 1),
        post(b"zipped", headers="Content-Encoding: gzip\r\n"),
        post(b""),
        chunked(HELLO[:5], HELLO[5:]),
        post(HELLO),
    )

    assert answer.statuses == [200, 400, 200, 404, 404, 405, 415, 400, 200, 200]
    assert not answer.closed
    assert len(upstream.requests) == 4


def test_a_body_of_one_byte_chunks_is_the_same_body(gateway: Gateway, upstream: Upstream) -> None:
    answer = exchange(gateway, chunked(*(bytes([byte]) for byte in HELLO)))

    assert answer.statuses == [200]
    assert upstream.last.json["messages"] == json.loads(HELLO)["messages"]
    assert f"{len(HELLO)} B" in gateway.log()


@pytest.mark.parametrize(
    "request_",
    [
        chunked(HELLO, end=b"zz\r\n\r\n"),
        chunked(HELLO, end=b"-1\r\n\r\n"),
        chunked(HELLO)[:-9] + b"XX0\r\n\r\n",
        chunked(HELLO, end=b"5;=\r\n"),
        chunked(HELLO, end=b"0\r\nno colon\r\n\r\n"),
        chunked(HELLO, end=b"f" * 9000),
    ],
    ids=["no number", "negative", "no line end", "extension", "trailer", "endless line"],
)
def test_wrong_chunks_are_a_400_and_the_end_of_the_connection(
    gateway: Gateway, upstream: Upstream, request_: bytes
) -> None:
    answer = exchange(gateway, request_)

    assert answer.statuses == [400]
    assert answer.closed
    assert b"the chunks of the body are wrong" in answer.raw
    assert upstream.requests == []
    assert "Traceback" not in gateway.log()


@pytest.mark.parametrize(
    "request_",
    [
        post(HELLO, length=-1),
        post(HELLO, length="abc"),
        post(HELLO, length="+5"),
        post(HELLO, length="1" * 5000),
        post(HELLO, headers="Content-Length: 3\r\n"),
        post(HELLO, headers="Transfer-Encoding: chunked\r\n"),
        post(HELLO, headers="Transfer-Encoding: gzip\r\n"),
        post(HELLO, headers="Bad Header: x\r\n"),
        post(HELLO, headers=" folded\r\n"),
        b"GET  /health HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /health HTTP/2.0\r\nHost: x\r\n\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"y" * 1_000_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(5000)) + b"\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 100 + b"\r\n\r\n",
        b"\r\n" * 1000,
        b"\x00" * 10_000,
    ],
    ids=lambda request_: repr(request_[:60])[2:-1],
)
def test_what_is_no_http_is_refused_and_hurts_nobody_else(
    gateway: Gateway, upstream: Upstream, request_: bytes
) -> None:
    answer = exchange(gateway, request_, last=b"")

    assert all(400 <= status < 500 or status == 501 for status in answer.statuses)
    assert b"Traceback" not in answer.raw
    assert exchange(gateway, post(HELLO)).statuses == [200]
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("gently", [True, False], ids=["in order", "by a reset"])
@pytest.mark.parametrize(
    "half",
    [post(HELLO[:20], length=len(HELLO)), post(b"", length=10), chunked(HELLO[:20], end=b""),
     chunked(end=b"ff\r\nabc"), post(HELLO, length=33 * MEGABYTE)],
    ids=["half a body", "nothing", "half the chunks", "half a chunk", "half of too much"],
)  # fmt: skip
def test_a_client_that_leaves_in_the_middle_of_its_body_is_no_fault_of_ours(
    gateway: Gateway, upstream: Upstream, half: bytes, gently: bool
) -> None:
    name = f"half-{abs(hash((half, gently)))}"
    with dial(gateway) as sock:
        sock.sendall(half.replace(b"Host: x", f"Host: x\r\nX-Request-Id: {name}".encode(), 1))
        if gently:
            sock.shutdown(socket.SHUT_WR)
            answer = b""
            while data := sock.recv(65536):
                answer += data
            assert answer[:12] in (b"HTTP/1.1 499", b"HTTP/1.1 413")
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    exchange(gateway, post(HELLO))

    assert len(upstream.requests) == 1
    assert "Traceback" not in gateway.log()


def test_a_slow_body_holds_up_nobody(gateway: Gateway, upstream: Upstream) -> None:
    whole = post(HELLO)
    with dial(gateway) as slow:
        for place in range(0, len(whole), 40):
            slow.sendall(whole[place : place + 40])
            assert exchange(gateway, post(HELLO)).statuses == [200]

        assert slow.recv(100).startswith(b"HTTP/1.1 200")


class Stalled(io.BytesIO):
    """What a client sends that stops within its body, in one way or another."""

    def __init__(self, how: Exception) -> None:
        super().__init__()
        self._how = how

    def read(self, size: int | None = -1) -> bytes:
        raise self._how


@pytest.mark.parametrize(
    ("how", "status", "code"),
    [
        (TimeoutError("timed out"), 408, "request_timeout"),
        (ConnectionResetError(104, "reset"), 499, "client_closed_request"),
        (NoMoreData(), 499, "client_closed_request"),
        (InvalidChunkSize(b"zz"), 400, None),
    ],
)
def test_a_body_that_stops_is_the_clients_fault(
    serve: Serve, how: Exception, status: int, code: str | None
) -> None:
    reply = serve().post(CHAT, input_stream=Stalled(how), headers={"Content-Length": "5"})

    assert reply.status_code == status
    assert reply.get_json()["error"]["code"] == code


def test_who_says_nothing_more_in_its_body_is_waited_for_for_a_while_only() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        with patience(ours):
            assert ours.gettimeout() == BODY_SILENCE

        assert ours.gettimeout() is None  # an answer may take as long as its reader does


def test_a_100_continue_is_given_to_who_waits_for_it(gateway: Gateway) -> None:
    with dial(gateway) as sock:
        head, _, body = post(HELLO, headers="Expect: 100-continue\r\n").partition(b"\r\n\r\n")
        sock.sendall(head + b"\r\n\r\n")
        assert sock.recv(100).startswith(b"HTTP/1.1 100 Continue")
        sock.sendall(body)

        assert sock.recv(100).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("stream", ["true", "false"])
def test_http_1_0_gets_its_answer_without_chunks(gateway: Gateway, stream: str) -> None:
    body = f'{{"model":"model","stream":{stream},{MESSAGES}}}'.encode()
    answer = exchange(gateway, post(body).replace(b"HTTP/1.1", b"HTTP/1.0"), last=b"")
    head, _, rest = answer.raw.partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.0 200")
    assert b"chunked" not in head
    assert rest.startswith(b"data: {" if stream == "true" else b"{")
    assert answer.closed


# ─── a stream's bytes ────────────────────────────────────────────────────────────────────────────


class Clock:
    """A clock that goes on by so many seconds whenever somebody looks."""

    def __init__(self, step: float) -> None:
        self.now = 0.0
        self.step = step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


def event_body(stream: Stream, step: float = 0.0, after: Afterwards | None = None) -> EventBody:
    record = Record(openai_chat, client())
    served = ServedStream(stream, ChatStream(target(), False, record.trace), record.trace, after=after)
    return EventBody(served, openai_chat.encoder(request(), SERVED), record, now=Clock(step))


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    yield
    logs.release()


def test_a_batch_is_written_at_once() -> None:
    first, last = [chunk("Hel"), chunk("lo")], [chunk("!"), finish()]
    pieces = list(event_body(FakeStream(first, last)))

    assert [piece.count(b"data: ") for piece in pieces] == [2, 2, 1]
    assert pieces[-1] == b"data: [DONE]\n\n"


@pytest.mark.parametrize(
    ("step", "signs"), [(1.0, 1), (edge.KEEP_ALIVE, 20), (edge.KEEP_ALIVE / 20, 1), (0.1, 0)]
)
def test_silence_shows_a_sign_of_life_now_and_then(step: float, signs: int) -> None:
    """Each of the twenty ticks looks at the clock once, and once more after a sign."""
    pieces = list(event_body(FakeStream("Hel", *[TICK] * 20, "lo", finish()), step))

    assert pieces.count(openai_chat.Frames().alive()) == signs
    assert b"".join(pieces).endswith(b"data: [DONE]\n\n")


class Slow:
    """Keeps what a target wants back, and is waited for."""

    def __init__(self) -> None:
        self.waited = 0

    def feed(self, batch: Batch) -> None: ...
    def end(self) -> None: ...
    def answer(self, completion: Answer) -> None: ...
    def wait(self) -> None:
        self.waited += 1


def test_the_last_event_is_out_before_anything_is_waited_for() -> None:
    slow = Slow()
    pieces = iter(event_body(FakeStream("Hel", finish()), after=Afterwards(trace(), slow)))
    while next(pieces) != b"data: [DONE]\n\n":
        pass

    assert slow.waited == 0
    assert list(pieces) == []
    assert slow.waited == 1


MESSAGE: list[dict[str, Any]] = [
    {"type": "message_start", "message": {"id": "msg_1", "content": [], "usage": {"input_tokens": 1}}},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}},
    {"type": "message_stop"},
]


def relayed_message(*batches: Batch, **over: Any) -> EventBody:
    """A stream of Messages that its target speaks itself."""
    record = Record(anthropic_messages, client())
    follower = wire_messages.follow(target(), True, record.trace)
    after = over.pop("after", None)
    served = ServedStream(FakeStream(*deepcopy(batches)), follower, record.trace, "messages", after)
    return EventBody(served, anthropic_messages.relayed(request(), SERVED), record, **over)


def test_the_last_event_goes_out_with_the_end_of_the_body() -> None:
    held: list[str] = []
    pieces = [
        (piece.count(b"event: "), len(held))
        for piece in relayed_message(MESSAGE[:1], MESSAGE[1:], hold=lambda: held.append("held"))
    ]

    assert pieces == [(1, 0), (2, 1)]


def test_unless_something_has_to_be_waited_for() -> None:
    held: list[str] = []
    after = Afterwards(trace(), Slow())
    body = relayed_message(MESSAGE[:1], MESSAGE[1:], hold=lambda: held.append("held"), after=after)

    assert [piece.count(b"event: ") for piece in body] == [1, 2]
    assert held == []


def test_an_answer_is_kept_before_its_last_event_goes_out() -> None:
    """Its client goes on from it at that event, and may come to another worker."""
    told: list[str] = []
    record = Record(openai_responses, client())
    follower = wire_responses.follow(target(), True, record.trace)
    answer = {"id": "resp_1", "status": "completed", "output": []}
    stream = FakeStream([{"type": "response.completed", "response": answer}])
    served = ServedStream(stream, follower, record.trace, "responses")
    asked = openai_responses.parse({"model": "alias", "input": "Hi", "stream": True})
    encoder = openai_responses.relayed(asked, SERVED)

    def keep(answer: Answer) -> None:
        told.append("kept")

    for piece in EventBody(served, encoder, record, keep=keep):
        told.extend(["completed"] * piece.count(b"event: response.completed"))

    assert told == ["kept", "completed"]


def test_what_failed_holds_on_to_no_frame() -> None:
    """A frame has the request in it, and an error that is kept would make a circle of them."""
    problem = UpstreamTimeout("too slow")
    body = event_body(FakeStream("Hel", problem))
    with pytest.raises(BrokenPipeError):
        list(body)
    assert problem.__traceback__ is not None

    body.close()
    assert problem.__traceback__ is None


def test_what_was_kept_for_the_end_is_not_lost_when_the_end_is_none() -> None:
    late = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    last = [*MESSAGE[1:], late]
    body = relayed_message(MESSAGE[:1], last, hold=lambda: None)
    pieces: list[bytes] = []
    with pytest.raises(BrokenPipeError):
        pieces.extend(body)

    assert pieces[-1].startswith(b"event: message_delta")
    assert b"event: error" in pieces[-1]


def test_closing_a_stream_early_closes_the_target() -> None:
    stream = FakeStream("Hel", "lo", finish())
    body = event_body(stream)
    next(iter(body))
    body.close()

    assert stream.closed == 1


def test_a_failure_is_one_event_and_a_body_that_breaks_off() -> None:
    stream = FakeStream("Hel", UpstreamTimeout("too slow"))
    body = event_body(stream)
    bytes_of = iter(body)
    pieces = [next(bytes_of), next(bytes_of)]
    with pytest.raises(BrokenPipeError):
        next(bytes_of)
    body.close()

    assert json.loads(pieces[1].removeprefix(b"data: "))["error"]["code"] == "upstream_timeout"
    assert stream.closed == 1


# ─── what DEBUG shows of what leaves ─────────────────────────────────────────────────────────────

ASKED: dict[str, dict[str, Any]] = {
    CHAT: {"model": "alias", "messages": [{"role": "user", "content": "Hi"}]},
    "/v1/messages": {"model": "alias", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]},
    "/v1/responses": {"model": "alias", "input": "Hi"},
}


def shown(lines: io.StringIO, marker: str) -> list[str]:
    """What was logged as sent."""
    begun = (line.partition(f"{marker} sent ")[2] for line in lines.getvalue().splitlines())
    return [text.rpartition(" id=")[0] for text in begun if text]


@pytest.mark.parametrize(
    ("path", "last"),
    [(CHAT, "[DONE]"), ("/v1/messages", "message_stop {"), ("/v1/responses", "[DONE]")],
)
def test_debug_shows_every_event_as_it_leaves(path: str, last: str, serve: Serve, logged: Logged) -> None:
    lines = logged("DEBUG")

    reply = serve("Hel", "lo").post(path, json=ASKED[path] | {"stream": True})

    assert reply.data
    assert shown(lines, "[STREAM CHUNK]") == [
        line.text.removeprefix("sent ") for line in sent_lines(reply.data)
    ]
    assert shown(lines, "[STREAM CHUNK]")[-1].startswith(last)


@pytest.mark.parametrize("path", ASKED)
def test_debug_shows_the_error_event_of_a_stream_too(path: str, serve: Serve, logged: Logged) -> None:
    lines = logged("DEBUG")

    reply = serve("Hel", UpstreamTimeout("too slow")).post(path, json=ASKED[path] | {"stream": True})
    with contextlib.suppress(BrokenPipeError):
        assert reply.data

    assert "too slow" in shown(lines, "[STREAM CHUNK]")[-1]


@pytest.mark.parametrize("path", ASKED)
@pytest.mark.parametrize("world", ["Hello", UpstreamTimeout("too slow")], ids=["answer", "error"])
def test_debug_shows_a_plain_answer_as_it_leaves(
    world: object, path: str, serve: Serve, logged: Logged
) -> None:
    lines = logged("DEBUG")

    reply = serve(world).post(path, json=ASKED[path])

    assert shown(lines, "[RESPONSE]") == [answer_text(reply.json)]
