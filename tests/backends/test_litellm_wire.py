"""The transport under LiteLLM: requests belong to a call, connections are kept, any thread can end them."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from app.backends.litellm_scope import Ended, Scope, current
from app.backends.litellm_wire import Transport, body_of, client_over
from app.types import Timeouts
from tests.backends.certificates import certificate_for
from tests.backends.litellm_lab import Play, silent_after
from tests.upstream import Connection, Seen, Upstream

URL = "/chat/completions"


@pytest.fixture
def up() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    yield from over(Transport())


def over(transport: Transport) -> Iterator[httpx.Client]:
    with client_over(transport) as client:
        yield client
    transport.disconnect()


def ask(client: httpx.Client, up: Upstream, scope: Scope | None = None) -> httpx.Response:
    with scope or Scope(Timeouts()):
        return client.post(
            up.base_url + URL, json={"model": "text", "messages": [{"role": "user", "content": "Hi"}]}
        )


# ------------------------------------------------------------------ what may be sent


def test_nothing_is_sent_outside_of_a_call(up: Upstream, client: httpx.Client) -> None:
    with pytest.raises(httpx.ConnectError, match="only call out for a request"):
        client.post(up.base_url + URL)

    assert not up.requests


def test_nothing_is_fetched(up: Upstream, client: httpx.Client) -> None:
    with Scope(Timeouts()), pytest.raises(httpx.ConnectError, match="may not GET"):
        client.get(up.base_url + "/image.png")

    assert not up.requests


def test_a_call_that_is_over_sends_nothing(up: Upstream, client: httpx.Client) -> None:
    scope = Scope(Timeouts())
    scope.end()

    with pytest.raises(httpx.ConnectError, match="over"):
        ask(client, up, scope)

    assert not up.requests


def test_a_call_asks_each_address_once(up: Upstream, client: httpx.Client) -> None:
    with Scope(Timeouts()):
        assert client.post(up.base_url + "/token").status_code == 404
        assert client.post(up.base_url + URL, json={"model": "text", "messages": []}).status_code == 200
        with pytest.raises(httpx.ConnectError, match="twice"):
            client.post(up.base_url + URL)

    assert len(up.requests) == 2


def test_headers_can_be_kept_back_and_no_coding_is_asked_for(up: Upstream, client: httpx.Client) -> None:
    with Scope(Timeouts(), without=lambda name: name == "x-secret"):
        client.post(up.base_url + URL, json={}, headers={"X-Secret": "1", "X-Other": "2"})

    assert up.last.header("x-secret") is None
    assert up.last.header("x-other") == "2"
    assert up.last.header("accept-encoding") == "identity"


def test_a_redirect_loses_where_it_points(up: Upstream, client: httpx.Client) -> None:
    up.script("redirect")

    reply = ask(client, up)

    assert reply.status_code == 307
    assert "location" not in reply.headers


def test_the_proxy_of_the_environment_is_used(
    up: Upstream, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://ann:p%40ss@127.0.0.1:{up.port}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)

    with Scope(Timeouts()):
        client.post(f"http://models.test/v1{URL}", json={"model": "text", "messages": []})

    assert up.last.target == f"http://models.test/v1{URL}"
    assert up.last.header("proxy-authorization") == "Basic YW5uOnBAc3M="


# ---------------------------------------------------------------------- what is heard


@pytest.mark.parametrize(("script", "status"), [("text", 200), ("status", 500), ("gzip", 200)])
def test_an_answer_is_remembered_as_it_came(
    up: Upstream, client: httpx.Client, script: str, status: int
) -> None:
    up.script(script)
    scope = Scope(Timeouts())

    reply = ask(client, up, scope)

    assert scope.heard is not None
    assert (scope.heard.status, scope.heard.whole) == (status, True)
    assert body_of(scope.heard) == reply.content
    assert dict(scope.heard.headers)[b"x-request-id"] == b"req-of-the-upstream"


def test_the_events_of_a_stream_are_not_kept_but_what_stands_in_their_place_is(
    up: Upstream, client: httpx.Client
) -> None:
    heard = []
    for script in ("sse-always", "json-always", "html"):
        up.script(script)
        scope = Scope(Timeouts(), streaming=True)
        ask(client, up, scope)
        assert scope.heard is not None
        heard.append(bool(scope.heard.parts))

    assert heard == [False, True, True]


# ------------------------------------------------------------------- kept connections


def test_a_connection_is_kept_and_used_again(up: Upstream, client: httpx.Client) -> None:
    ask(client, up)
    ask(client, up)

    assert [seen.connection for seen in up.requests] == [1, 1]


@pytest.mark.parametrize("script", ["stale", "stale-next"])
def test_a_kept_connection_that_died_is_replaced_unnoticed(
    up: Upstream, client: httpx.Client, script: str
) -> None:
    up.script(script)
    ask(client, up)
    up.script("text")

    assert ask(client, up).status_code == 200
    assert len({seen.connection for seen in up.requests}) == 2


def test_a_fresh_connection_that_drops_is_not_tried_again(up: Upstream, client: httpx.Client) -> None:
    up.script("drop")

    with pytest.raises(httpx.RemoteProtocolError):
        ask(client, up)

    assert len(up.requests) == 1


def test_ending_a_call_does_not_touch_a_connection_that_another_call_has_taken_over(
    up: Upstream, client: httpx.Client
) -> None:
    first, second = Scope(Timeouts()), Scope(Timeouts())
    with first:
        client.post(up.base_url + URL, json={"model": "text", "messages": []})
        token = current.set(second)
        with client.stream("POST", up.base_url + URL, json={"model": "text", "messages": []}) as reply:
            first.end()
            reply.read()
        current.reset(token)

    assert [seen.connection for seen in up.requests] == [1, 1]
    assert reply.status_code == 200


# ------------------------------------------------------------------------- ending


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate_for(tmp_path_factory.mktemp("tls"), "127.0.0.1")


def stalled(sent: bytes, *, head: bool, ended: threading.Event) -> Play:
    """Sends what it should, and says when the other side has ended the connection."""

    def play(connection: Connection, seen: Seen) -> bool:
        try:
            if head:
                connection.send_head(200, [("Content-Type", "text/event-stream"), ("Connection", "close")])
                connection.send(sent or b"\n")
            connection.sock.settimeout(10)
            connection.sock.recv(1)  # TLS cannot be peeked at
        finally:
            ended.set()
        return False

    return play


@pytest.mark.parametrize(("sent", "head"), [(b"", False), (b"", True), (b"data: {}\n\n", True)])
def test_a_call_over_tls_is_ended_from_another_thread_in_each_phase(
    certificate: Path, sent: bytes, head: bool
) -> None:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate)
    transport = Transport(ssl.create_default_context(cafile=str(certificate)))
    scope, ended = Scope(Timeouts(), streaming=True), threading.Event()
    with Upstream(tls=server) as up:
        up.play(stalled(sent, head=head, ended=ended))

        def work() -> None:
            with suppress(httpx.TransportError):  # or an end, where only the end of the connection tells it
                ask(client_over(transport), up, scope)

        thread = threading.Thread(target=work)
        thread.start()
        up.wait_for(1)

        scope.end()

        assert ended.wait(1)
        thread.join(1)
        assert not thread.is_alive()


def test_a_certificate_that_nobody_vouches_for_is_refused(certificate: Path, client: httpx.Client) -> None:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate)

    with Upstream(tls=server) as up, pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        ask(client, up)


def test_leaving_a_call_closes_every_answer_that_was_left_open(up: Upstream, client: httpx.Client) -> None:
    up.play(silent_after(b"data: {}\n\n"))
    with Scope(Timeouts(), streaming=True):
        request = client.build_request("POST", up.base_url + URL, json={})
        client.send(request, stream=True)

    assert up.last.closed_early.wait(1)


def test_nothing_can_be_opened_for_a_call_that_is_over() -> None:
    scope = Scope(Timeouts())
    with scope:
        pass

    with pytest.raises(Ended):
        scope.hold(object())  # type: ignore[arg-type]
