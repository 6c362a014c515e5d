"""Counts from targets that can count, and what is done where they cannot."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from app.backends.counting import CANNOT, FAILED, Counting
from app.backends.http import Http
from app.backends.tokenizer import Tokenizer
from app.dialects import anthropic_messages, openai_responses
from app.errors import BadRequest, ClientLeft, UpstreamAuthentication, UpstreamRefused
from app.logs import DebugView
from app.types import Count, Harmony, Request, Target, Trace
from app.utils.codec import dumps, loads
from tests.backends.conftest import Serve
from tests.backends.peers import Server, answer, says, says_once, silent
from tests.fakes import Leaving, client, target, trace

pytestmark = pytest.mark.usefixtures("short_ticks")

BODY = {"model": "alias", "messages": [{"role": "user", "content": "one two three"}]}
HERE = 3 + 5 + 5
"""What it comes to with a tokenizer that counts words, and the frames of an unknown family."""


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def words(loaded: Callable[[], None] = lambda: None) -> Tokenizer:
    def load() -> Callable[[str], list[str]]:
        loaded()
        return str.split

    return Tokenizer(load)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def counting(http: Http, clock: Clock) -> Counting:
    return Counting(http, "1.1 localcode-test", words(), clock)


def request(**more: Any) -> Request:
    return anthropic_messages.parse_count(BODY | more)


def at(server: Server, *dialects: str, **over: Any) -> Target:
    spoken = frozenset({"chat", *dialects})
    return target(base_url=f"http://127.0.0.1:{server.port}/v1", dialects=spoken, **over)


def count(counting: Counting, where: Target, asked: Request | None = None, seen: Trace | None = None) -> int:
    return counting.count(asked or request(), where, client(), seen or trace())


def sent(server: Server, place: int = 0) -> tuple[str, dict[str, str], Any]:
    """A request's path, headers and body."""
    head, _, body = server.requests[place].partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return first.split()[1], headers, loads(body)


TOLD = answer(dumps({"input_tokens": 4711}))


def test_a_target_that_speaks_messages_counts_itself(serve: Serve, counting: Counting) -> None:
    server = serve(says(TOLD))
    asked = request(system="be brief", cache_control={"type": "ephemeral"}, unheard_of=[1])

    tokens = count(counting, at(server, "messages"), asked)

    path, headers, body = sent(server)
    assert tokens == 4711
    assert path == "/v1/messages/count_tokens"
    assert headers["x-api-key"] == "sk-the-targets-own-key"
    assert headers["via"] == "1.1 localcode-test"
    assert body == asked.body | {"model": "wire-id"}


def test_a_target_that_speaks_responses_counts_itself(serve: Serve, counting: Counting) -> None:
    server = serve(says(TOLD))
    asked = openai_responses.parse({"model": "alias", "input": "one two three"})

    assert count(counting, at(server, "responses"), asked) == 4711
    assert sent(server)[0] == "/v1/responses/input_tokens"
    assert sent(server)[2] == {"model": "wire-id", "input": "one two three"}


def test_a_chat_target_nearby_is_asked_for_it_may_be_a_llama_server(serve: Serve, counting: Counting) -> None:
    server = serve(says(TOLD))

    assert count(counting, at(server)) == 4711
    assert sent(server)[0] == "/v1/chat/completions/input_tokens"
    assert sent(server)[2]["messages"] == BODY["messages"]


@pytest.mark.parametrize(
    "where",
    [
        pytest.param(target(base_url="https://api.example.com/v1"), id="chat, somewhere else"),
        pytest.param(target(carrier="litellm", base_url=""), id="through LiteLLM"),
        pytest.param(target(base_url="http://127.0.0.1:9/v1", harmony=Harmony()), id="raw Harmony"),
    ],
)
def test_a_target_that_cannot_count_is_not_asked(where: Target, counting: Counting) -> None:
    assert count(counting, where) == HERE


class Seen(DebugView):
    """Remembers what it was told of the target."""

    def __init__(self) -> None:
        super().__init__(client())
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


MISSING = [
    pytest.param(answer(b'{"detail":"Not Found"}', status="404 Not Found"), CANNOT, id="404"),
    pytest.param(answer(b"", status="405 Method Not Allowed"), CANNOT, id="405"),
    pytest.param(answer(b"", status="501 Not Implemented"), CANNOT, id="501"),
]


@pytest.mark.parametrize(
    ("reply", "rest"),
    [
        *MISSING,
        pytest.param(answer(b'{"error":"Unexpected endpoint"}'), CANNOT, id="an answer without a count"),
        pytest.param(answer(b'{"input_tokens":null}'), CANNOT, id="a count that is none"),
        pytest.param(answer(b"<html>hello</html>"), CANNOT, id="a web page"),
        pytest.param(answer(b"", status="500 Oops"), FAILED, id="500"),
        pytest.param(answer(b"", status="429 Too Many Requests"), FAILED, id="429"),
        pytest.param(b"", FAILED, id="no answer"),
    ],
)
def test_one_that_could_not_is_left_alone_for_a_while(
    reply: bytes, rest: float, serve: Serve, counting: Counting, clock: Clock
) -> None:
    server = serve(says_once(reply), says(TOLD))
    where, seen = at(server, "messages"), trace()

    first = count(counting, where, seen=seen)
    clock.now += rest - 1
    second = count(counting, where)
    clock.now += 2
    third = count(counting, where)

    assert (first, second, third) == (HERE, HERE, 4711)
    assert seen.count == Count(HERE, by_target=False)


@pytest.mark.parametrize(("reply", "_"), MISSING)
def test_a_target_without_such_a_path_is_nothing_that_anybody_has_to_mend(
    reply: bytes, _: float, serve: Serve, counting: Counting
) -> None:
    server = serve(says_once(reply))
    where, first, second = at(server), trace(), trace()
    first.view, second.view = one, two = Seen(), Seen()

    count(counting, where, seen=first)
    count(counting, where, seen=second)

    url = f"http://127.0.0.1:{server.port}/v1/chat/completions/input_tokens"
    assert (first.notes, second.notes) == ([], [])
    assert one.notes == [
        f"provider/wire-id is asked at {url}",
        "the target has no such path: counted here",
    ]
    assert two.notes == ["the target could not count when it was last asked: counted here"]


def test_the_log_says_why_a_target_did_not_count_that_may_be_able_to(counting: Counting) -> None:
    seen = trace()

    count(counting, target(base_url="http://127.0.0.1:9/v1", dialects=frozenset({"messages"})), seen=seen)

    assert seen.notes == [
        "the target did not count: cannot reach the provider of 'alias': connection refused"
    ]


def test_the_log_learns_the_number_that_the_target_told(serve: Serve, counting: Counting) -> None:
    seen = trace()

    count(counting, at(serve(says(TOLD))), seen=seen)

    assert seen.count == Count(4711, by_target=True)


def test_one_that_is_not_there_is_counted_for_here(counting: Counting) -> None:
    where = target(base_url="http://127.0.0.1:9/v1", dialects=frozenset({"chat", "messages"}))

    assert count(counting, where) == HERE


@pytest.mark.parametrize(
    ("status", "problem"),
    [
        ("400 Bad Request", UpstreamRefused),
        ("401 Unauthorized", UpstreamAuthentication),
        ("422 No", UpstreamRefused),
    ],
)
def test_what_is_wrong_with_the_request_or_the_key_is_said(
    status: str, problem: type[Exception], serve: Serve, counting: Counting
) -> None:
    server = serve(
        says(answer(dumps({"error": {"message": "messages: roles must alternate"}}), status=status))
    )

    with pytest.raises(problem):
        count(counting, at(server, "messages"))


def test_a_client_that_leaves_ends_the_asking(serve: Serve, counting: Counting) -> None:
    server = serve(silent)

    with pytest.raises(ClientLeft):
        counting.count(request(), at(server, "messages"), client(Leaving(2)), trace())


def picture(url: str) -> Request:
    source = {"type": "url", "url": url}
    return request(messages=[{"role": "user", "content": [{"type": "image", "source": source}]}])


def test_a_count_opens_no_door_to_the_network(serve: Serve, counting: Counting) -> None:
    server = serve(says(TOLD))

    with pytest.raises(BadRequest, match="would be fetched from inside"):
        count(counting, at(server, "messages"), picture("http://192.168.0.1/cat.png"))

    assert server.requests == []


def test_pictures_that_the_gateway_may_fetch_are_not_fetched_for_a_count(
    serve: Serve, counting: Counting
) -> None:
    server = serve(says(TOLD))

    tokens = count(counting, at(server, "messages", fetch_images=True), picture("https://x.test/cat.png"))

    assert tokens == 37 * 28 + 10
    assert server.requests == []


def learnt(counting: Counting, where: Target, billed: int, body: dict[str, Any]) -> None:
    """Learns, and waits until it has been learnt."""
    before = threading.active_count()
    counting.learn(where, body, billed)
    for thread in threading.enumerate():
        if thread.name == "learn-tokens":
            thread.join(10)
    assert threading.active_count() <= before


def test_what_is_counted_here_follows_what_the_target_bills(http: Http) -> None:
    counting, where = Counting(http, "via", words()), target(carrier="litellm")
    body = {"messages": [{"role": "user", "content": "word " * 990}]}
    asked = anthropic_messages.parse_count(body | {"model": "alias"})

    first = count(counting, where, asked)
    learnt(counting, where, 1300, body)
    second = count(counting, where, asked)

    assert (first, second) == (1000, 1300)


def test_nothing_is_loaded_only_to_learn(http: Http) -> None:
    loads: list[int] = []
    counting = Counting(http, "via", words(lambda: loads.append(1)))

    learnt(counting, target(), 1300, {"messages": [{"role": "user", "content": "word " * 990}]})

    assert loads == []


def test_without_a_vocabulary_it_is_guessed(http: Http) -> None:
    def load() -> Any:
        raise FileNotFoundError("tokenizers")

    asked = request(
        messages=[{"role": "user", "content": "The quick brown fox jumps over the lazy dog. " * 50}]
    )

    tokens = count(Counting(http, "via", Tokenizer(load)), target(carrier="litellm"), asked)

    assert tokens == pytest.approx(500, rel=0.1)
