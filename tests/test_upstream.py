"""The scripted upstream does what it says: without that, no test that uses it proves anything."""

from __future__ import annotations

import gzip
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.upstream import Raw, Upstream
from tests.upstream.agent import TITLE, edited, next_turn, written
from tests.upstream.chat import Shape, ToolCall, Turn, chunks, completion
from tests.upstream.conversation import marked
from tests.upstream.delivery import Cut, How, Send, Wait, Whole, plan_stream
from tests.upstream.scripts import SCRIPTS, choose, from_marker, from_model

HELLO = {"model": "text", "messages": [{"role": "user", "content": "Hi"}]}
STREAM = HELLO | {"stream": True}
TEXT = "Hello from the upstream, with ünïcödé 漢字 😀."


@pytest.fixture
def up() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


def ask(up: Upstream, body: dict[str, Any], **options: Any) -> requests.Response:
    return requests.post(f"{up.base_url}/chat/completions", json=body, timeout=10, **options)


def events(body: bytes) -> list[Any]:
    """The chunks of a stream that was written the simplest way."""
    lines = [line.removeprefix("data: ") for line in body.decode().splitlines() if line]
    return [json.loads(line) for line in lines if line != "[DONE]"]


def said(chunks: list[Any]) -> str:
    return "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks if c["choices"])


def exchange(up: Upstream, body: dict[str, Any]) -> bytes:
    """Everything that comes back on a bare socket until the upstream closes it."""
    data = json.dumps(body).encode()
    with socket.create_connection(("127.0.0.1", up.port), timeout=10) as sock:
        sock.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(data)
        )
        sock.sendall(data)
        return b"".join(iter(lambda: sock.recv(65536), b""))


# --------------------------------------------------------------------- content


def test_a_plain_answer_holds_the_text_and_its_usage(up: Upstream) -> None:
    answer = ask(up, HELLO).json()

    assert answer["choices"][0]["message"]["content"] == TEXT
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert answer["usage"]["total_tokens"] == 25


def test_a_stream_says_the_same_in_pieces_and_ends_with_done(up: Upstream) -> None:
    reply = ask(up, STREAM)

    assert said(events(reply.content)) == TEXT
    assert reply.content.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize(
    ("usage", "asked", "where"),
    [
        ("asked", True, [None, None, "usage"]),
        ("asked", False, [None, None]),
        ("always", False, [None, None, "usage"]),
        ("finish", True, [None, "usage"]),
        ("never", True, [None, None]),
    ],
)
def test_usage_comes_where_the_shape_says(usage: Any, asked: bool, where: list[str | None]) -> None:
    made = chunks(Turn(text=("a",)), Shape(usage=usage), asked)[1:]

    assert ["usage" if chunk.get("usage") else None for chunk in made] == where


TWO = Turn(calls=(ToolCall("a", "f", '{"x":1}'), ToolCall("b", "g", '{"y":2}')), finish="tool_calls")


@pytest.mark.parametrize(
    ("style", "indexes"),
    [
        ("in turn", [0, 0, 0, 1, 1, 1]),
        ("interleaved", [0, 1, 0, 1, 0, 1]),
        ("gaps", [0, 0, 0, 3, 3, 3]),
        ("whole", [0, 1]),
        ("together", [0, 1]),
        ("no index", [None, None]),
        ("same index", [0, 0]),
    ],
)
def test_tool_calls_are_written_in_every_style(style: Any, indexes: list[int | None]) -> None:
    made = chunks(TWO, Shape(calls=style, pieces=2, usage="never"))
    calls = [call for chunk in made for call in chunk["choices"][0]["delta"].get("tool_calls", ())]

    assert [call.get("index") for call in calls] == indexes
    assert "".join(call["function"]["arguments"] for call in calls if call.get("index") != 0 or "id" in call)


def test_unknown_fields_stand_on_every_level() -> None:
    chunk = chunks(TWO, Shape(unknown=True))[1]
    call = chunk["choices"][0]["delta"]["tool_calls"][0]
    answer = completion(TWO, Shape(unknown=True))

    for level in (chunk, chunk["choices"][0], chunk["choices"][0]["delta"], call, call["function"]):
        assert "x_unheard_of" in level
    for level in (answer, answer["choices"][0], answer["choices"][0]["message"], answer["usage"]):
        assert "x_unheard_of" in level


# ------------------------------------------------------------- choosing a script


def test_a_marker_in_the_last_user_message_chooses(up: Upstream) -> None:
    body = {"model": "text", "messages": [{"role": "user", "content": '[[script:text say="A b c"]]'}]}

    assert ask(up, body).json()["choices"][0]["message"]["content"] == "A b c"


def test_the_models_wire_id_chooses(up: Upstream) -> None:
    reply = ask(up, HELLO | {"model": "busy?retry_after=7"})

    assert (reply.status_code, reply.headers["Retry-After"]) == (429, "7")


def test_the_test_chooses_for_all_that_do_not_say(up: Upstream) -> None:
    up.script("status", status=503)

    assert ask(up, HELLO).status_code == 503
    assert up.last.script == "status"


def test_a_misspelt_option_or_script_is_an_error_that_nobody_tries_again(up: Upstream) -> None:
    body = {"messages": [{"role": "user", "content": "[[script:text sya=A]]"}]}
    reply = ask(up, body)

    assert reply.status_code == 418
    assert "has no option sya" in reply.text


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_script_of_the_table_has_only_options_that_exist(name: str) -> None:
    assert choose(name, {}).name == name


def test_options_are_read_alike_from_marker_model_and_keywords() -> None:
    marker, model = from_marker("cut cut=2.5 pace=10 done=0"), from_model("cut?cut=2.5&pace=10&done=0")

    assert marker == model == choose("cut", {"cut": 2.5, "pace": 10, "done": False})
    assert from_model("glm-4.7") is None
    assert (
        marked({"messages": [{"role": "user", "content": [{"type": "text", "text": "[[script:cut]]"}]}]})
        == "cut"
    )


def test_failures_are_counted(up: Upstream) -> None:
    up.script("flaky", fail=2, status=500)

    assert [ask(up, HELLO).status_code for _ in range(3)] == [500, 500, 200]


def test_a_fault_may_strike_only_the_first_requests(up: Upstream) -> None:
    up.script("text", end=1, done=False, first=1)

    assert [said(events(ask(up, STREAM).content)) for _ in range(2)] == ["", TEXT]


# -------------------------------------------------------------------- what breaks


def test_a_cut_within_an_event_leaves_half_of_it_and_no_end() -> None:
    whole = plan_stream([{"a": 1}, {"b": 2}, {"c": 3}], How())
    steps = plan_stream([{"a": 1}, {"b": 2}, {"c": 3}], How(cut=1.5))

    assert steps == [whole[0], Send(b'data: {"'), Cut(reset=False)]


def test_a_clean_end_without_a_finish_is_whole_for_http() -> None:
    assert plan_stream([{"a": 1}, {"b": 2}], How(end=1)) == [Send(b'data: {"a": 1}\n\n'), Whole()]


def test_a_stall_comes_before_its_event() -> None:
    steps = plan_stream([{"a": 1}, {"b": 2}], How(stall=1, stalled=500, done=False))

    assert steps == [Send(b'data: {"a": 1}\n\n'), Wait(500), Send(b'data: {"b": 2}\n\n'), Whole()]


@pytest.mark.parametrize(
    ("how", "event"),
    [
        (How(newline="crlf"), b'data: {"a": "\xc3\xbc"}\r\n\r\n'),
        (How(newline="cr"), b'data: {"a": "\xc3\xbc"}\r\r'),
        (How(space=False), b'data:{"a": "\xc3\xbc"}\n\n'),
        (How(lines=True), b'data: {\ndata:  "a": "\xc3\xbc"\ndata: }\n\n'),
        (How(comments=True), b': comment\ndata: {"a": "\xc3\xbc"}\n\n'),
        (How(bom=True), b'\xef\xbb\xbfdata: {"a": "\xc3\xbc"}\n\n'),
        (How(ascii=True), b'data: {"a": "\\u00fc"}\n\n'),
    ],
)
def test_events_are_written_in_every_way(how: How, event: bytes) -> None:
    assert plan_stream([{"a": "ü"}], how)[0] == Send(event)


def test_a_cut_stream_breaks_the_chunked_coding(up: Upstream) -> None:
    up.script("cut", cut=2)
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        ask(up, STREAM)

    assert not up.last.whole.is_set()


def test_an_error_object_ends_the_stream(up: Upstream) -> None:
    up.script("error-event")
    made = events(ask(up, STREAM).content)

    assert made[-1]["error"]["message"] == "The engine broke."


@pytest.mark.parametrize("name", ["gzip", "deflate"])
def test_coded_bodies_are_what_they_claim(up: Upstream, name: str) -> None:
    up.script(name)
    reply = ask(up, STREAM)

    assert reply.headers["Content-Encoding"] == name
    assert said(events(reply.content)) == TEXT


def test_a_coded_plain_answer_is_one_member(up: Upstream) -> None:
    up.script("gzip")
    body = exchange(
        up, HELLO | {"model": "x", "messages": [{"role": "user", "content": "[[script:gzip framing=close]]"}]}
    )

    assert json.loads(gzip.decompress(body.partition(b"\r\n\r\n")[2]))["model"] == "x"


@pytest.mark.parametrize("name", ["until-close", "length", "extensions", "trailers", "split", "no-done"])
def test_unusual_but_right_http_reaches_a_client_whole(up: Upstream, name: str) -> None:
    up.script(name)

    assert said(events(ask(up, STREAM).content)) == TEXT


def test_an_interim_answer_comes_first(up: Upstream) -> None:
    raw = exchange(up, {"messages": [{"role": "user", "content": "[[script:interim framing=close]]"}]})

    assert raw.startswith(
        b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\nHTTP/1.1 200 OK\r\n"
    )


def test_a_stale_connection_ends_though_it_was_promised_to_be_kept(up: Upstream) -> None:
    up.script("stale", stale="now")
    raw = exchange(up, HELLO)

    assert b"Connection:" not in raw


def test_a_stale_connection_may_end_only_when_the_next_request_comes(up: Upstream) -> None:
    up.script("stale-next")
    with requests.Session() as session:
        session.post(f"{up.base_url}/chat/completions", json=HELLO, timeout=10)
        with pytest.raises(requests.ConnectionError):
            session.post(f"{up.base_url}/chat/completions", json=HELLO, timeout=10)

    assert len(up.requests) == 1


def test_connections_are_kept(up: Upstream) -> None:
    with requests.Session() as session:
        for _ in range(2):
            session.post(f"{up.base_url}/chat/completions", json=HELLO, timeout=10)

    assert [seen.connection for seen in up.requests] == [1, 1]


def test_an_early_answer_does_not_read_the_body(up: Upstream) -> None:
    up.script("early")
    with socket.create_connection(("127.0.0.1", up.port), timeout=10) as sock:
        sock.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
        answer = sock.recv(65536)

    assert answer.startswith(b"HTTP/1.1 413 ")


def test_a_dropped_connection_has_no_answer(up: Upstream) -> None:
    up.script("drop", after="HTTP/1.1 200 OK\\r\\nX: y")

    assert exchange(up, HELLO) == b"HTTP/1.1 200 OK\r\nX: y"


def test_a_client_that_leaves_a_silent_stream_is_noticed(up: Upstream) -> None:
    up.script("stall")
    reply = ask(up, STREAM, stream=True)
    next(reply.iter_lines())
    reply.close()

    assert up.last.closed_early.wait(10)
    assert up.last.closed_at is not None


def test_a_client_that_leaves_after_the_last_event_is_not_early(up: Upstream) -> None:
    up.script("hold", framing="chunked")
    reply = ask(up, STREAM, stream=True)
    assert up.last.whole.wait(10)
    reply.close()

    assert not up.last.closed_early.is_set()


def test_two_answers_may_be_chosen_by_path(up: Upstream) -> None:
    up.answer("GET", "/v1/models", Raw(503, b"down", "text/plain"))

    assert requests.get(f"{up.base_url}/models", timeout=10).status_code == 503
    up.reset()
    assert requests.get(f"{up.base_url}/models", timeout=10).json()["data"][0]["id"] == "wire-model"


def test_the_request_is_remembered_whole(up: Upstream) -> None:
    ask(up, HELLO, headers={"X-Some": "thing"})
    seen = up.wait_for(1)

    assert (seen.method, seen.path, seen.header("x-some")) == ("POST", "/v1/chat/completions", "thing")
    assert seen.json == HELLO


def test_an_error_text_repeats_the_key_that_came(up: Upstream) -> None:
    up.script("canary")

    assert "Bearer sk-canary" in ask(up, HELLO, headers={"Authorization": "Bearer sk-canary"}).text


# ------------------------------------------------------------------------ agent

TOOLS = [
    {
        "type": "function",
        "function": {"name": name, "parameters": {"properties": {field: {} for field in fields}}},
    }
    for name, fields in {
        "write": ["filePath", "content"],
        "edit": ["filePath", "oldString", "newString"],
        "bash": ["command"],
    }.items()
]


def test_the_agent_writes_edits_hashes_and_tells_the_hash() -> None:
    system = {"role": "system", "content": "You help.\n  Working directory: /tmp/project\n"}
    messages: list[dict[str, Any]] = [system, {"role": "user", "content": "go"}]
    steps = []
    for result in ("Wrote it.", "Edited it.", f"{'ab' * 32}  hello.txt\n"):
        call = next_turn({"messages": messages, "tools": TOOLS}, "n7").calls[0]
        steps.append((call.name, json.loads(call.arguments)))
        messages += [{"role": "assistant", "content": ""}, {"role": "tool", "content": result}]
    last = next_turn({"messages": messages, "tools": TOOLS}, "n7")

    assert steps[0] == ("write", {"filePath": "/tmp/project/hello.txt", "content": written("n7")})
    assert steps[1] == (
        "edit",
        {"filePath": "/tmp/project/hello.txt", "oldString": "alpha beta", "newString": "omega beta"},
    )
    assert steps[2][0] == "bash"
    assert "sha256sum hello.txt" in steps[2][1]["command"]
    assert "ab" * 32 in "".join(last.text)
    assert edited("n7").startswith("nonce n7\nomega beta ")


def test_the_agent_gives_a_title_where_no_tools_are_offered() -> None:
    assert next_turn({"messages": [{"role": "user", "content": "x"}]}).text == (TITLE,)
