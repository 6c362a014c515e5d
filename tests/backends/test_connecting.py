"""Connections to upstreams: names, TLS, proxies, and patience with all of them."""

from __future__ import annotations

import itertools
import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme

from app.backends.connecting import Origin, connect, origin_of
from app.backends.http import Http
from app.errors import ClientLeft, UpstreamUnreachable
from tests.backends.conftest import MB, WHOM, Names, Serve, get, wait
from tests.backends.peers import (
    Peer,
    Play,
    Server,
    answer,
    chunked,
    ends_when_asked_again,
    half_a_body,
    says,
    says_once,
    silent,
)
from tests.fakes import Leaving

pytestmark = pytest.mark.usefixtures("short_ticks")


# ─── places that take no connection ──────────────────────────────────────────────────────────────


@pytest.fixture
def full(serve: Serve) -> Iterator[int]:
    """The port of a listener that takes no more connections, so that connecting hangs."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        port = listener.getsockname()[1]
        waiting = [_begun(port) for _ in range(8)]
        yield port
        for sock in waiting:
            sock.close()


def _begun(port: int) -> socket.socket:
    sock = socket.socket()
    sock.setblocking(False)
    sock.connect_ex(("127.0.0.1", port))
    return sock


def test_a_connection_that_is_not_taken_has_a_limit(http: Http, full: int) -> None:
    with pytest.raises(UpstreamUnreachable, match="no connection in time") as raised:
        get(http, f"http://127.0.0.1:{full}/", how=wait(connect=0.2))
    assert raised.value.status == 504


def test_the_limit_of_all_of_it_holds_while_connecting(http: Http, full: int) -> None:
    with pytest.raises(UpstreamUnreachable, match="no connection in time"):
        get(http, f"http://127.0.0.1:{full}/", how=wait(seconds=0.2))


def test_a_client_that_leaves_is_noticed_while_connecting(http: Http, full: int) -> None:
    with pytest.raises(ClientLeft):
        get(http, f"http://127.0.0.1:{full}/", how=wait(Leaving(looks=3)))


# ─── places that cannot be reached ───────────────────────────────────────────────────────────────


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def test_a_refused_connection_says_so_without_naming_the_place(http: Http) -> None:
    port = closed_port()

    with pytest.raises(UpstreamUnreachable) as raised:
        get(http, f"http://127.0.0.1:{port}/")
    assert str(raised.value) == f"cannot reach {WHOM}: connection refused"
    assert raised.value.status == 502


def test_an_unknown_name_says_so_without_naming_it(http: Http, names: Names) -> None:
    with pytest.raises(UpstreamUnreachable) as raised:
        get(http, "http://upstream.test/")
    assert str(raised.value) == f"cannot reach {WHOM}: its host name is not known (check its baseURL)"


@pytest.mark.parametrize("host", ["a..b", "a" * 64 + ".test"])
def test_so_does_a_name_that_cannot_be_one(http: Http, host: str) -> None:
    with pytest.raises(UpstreamUnreachable, match="its host name is not known"):
        get(http, f"http://{host}/")


def test_the_next_address_is_tried_when_one_refuses(http: Http, serve: Serve, names: Names) -> None:
    server = serve(says(answer()))
    names["upstream.test"] = [("127.0.0.1", closed_port()), ("127.0.0.1", server.port)]

    assert get(http, "http://upstream.test/") == b"ok"


def test_the_next_address_is_tried_when_one_does_not_answer(
    http: Http, serve: Serve, names: Names, full: int
) -> None:
    server = serve(says(answer()))
    names["upstream.test"] = [("127.0.0.1", full), ("127.0.0.1", server.port)]

    looks = Leaving(looks=99)

    assert get(http, "http://upstream.test/", how=wait(looks, connect=1.0)) == b"ok"
    assert looks.looked <= 15  # a tick each, for half of the time: the other half is the second's


def test_when_none_answers_the_last_says_why(http: Http, names: Names) -> None:
    names["upstream.test"] = [("127.0.0.1", closed_port())] * 2

    with pytest.raises(UpstreamUnreachable, match="connection refused"):
        get(http, "http://upstream.test/")


# ─── TLS ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def certified(authority: trustme.CA, name: str = "upstream.test") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine trusts the authority."""
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))


@pytest.fixture
def secure(
    serve: Serve, authority: trustme.CA, names: Names, trusted: None
) -> Callable[..., tuple[str, Server]]:
    """Starts a TLS server whose certificate is good, and says where it is."""

    def start(*plays: Play) -> tuple[str, Server]:
        server = serve(*plays, tls=certified(authority))
        names["upstream.test"] = [("127.0.0.1", server.port)]
        return "https://upstream.test/v1", server

    return start


Secure = Callable[..., tuple[str, Server]]


def test_a_good_certificate_is_trusted_and_its_connection_kept(http: Http, secure: Secure) -> None:
    url, server = secure(says(chunked(b"ok")))

    assert [get(http, url) for _ in range(3)] == [b"ok"] * 3
    assert server.connections == 1
    assert b"\r\nHost: upstream.test\r\n" in server.requests[0]


def test_a_kept_tls_connection_that_is_dead_is_replaced_unnoticed(http: Http, secure: Secure) -> None:
    url, server = secure(ends_when_asked_again, says(answer(b"second")))

    assert [get(http, url) for _ in range(2)] == [b"ok", b"second"]
    assert server.connections == 2


def test_large_bodies_go_through_tls_both_ways(http: Http, secure: Secure) -> None:
    body = os.urandom(5 * MB)
    url, server = secure(says(answer(body)))

    assert get(http, url, body) == body
    assert server.requests[0].endswith(body)


@pytest.mark.full  # it takes too long for the quick run
def test_tls_of_its_own_is_no_answer_while_a_request_is_sent(http: Http, secure: Secure) -> None:
    """TLS 1.3 sends session tickets after the handshake: bytes to read, but nothing that was said."""

    def play(peer: Peer) -> None:
        looked.wait(20)
        peer.request()
        peer.send(answer())

    looked = threading.Event()
    looks = itertools.count()
    url, server = secure(play)
    body = b"x" * 20 * MB

    assert get(http, url, body, wait(lambda: looked.set() if next(looks) > 6 else None)) == b"ok"
    assert server.requests[0].endswith(body)


@pytest.mark.parametrize("name", ["other.test", "127.0.0.1", "*.upstream.test"])
def test_a_certificate_for_another_name_is_refused(
    http: Http, serve: Serve, authority: trustme.CA, names: Names, trusted: None, name: str
) -> None:
    server = serve(says(answer()), tls=certified(authority, name))
    names["upstream.test"] = [("127.0.0.1", server.port)]

    with pytest.raises(UpstreamUnreachable, match="its certificate is not valid"):
        get(http, "https://upstream.test/")
    assert server.requests == []


def test_a_certificate_of_an_unknown_authority_is_refused(http: Http, serve: Serve, names: Names) -> None:
    server = serve(says(answer()), tls=certified(trustme.CA()))
    names["upstream.test"] = [("127.0.0.1", server.port)]

    with pytest.raises(UpstreamUnreachable, match="its certificate is not valid"):
        get(http, "https://upstream.test/")
    assert server.requests == []


def test_a_server_without_tls_cannot_be_reached_by_https(http: Http, serve: Serve, names: Names) -> None:
    def play(peer: Peer) -> None:
        peer.sock.recv(1000)
        peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    server = serve(play)
    names["upstream.test"] = [("127.0.0.1", server.port)]

    with pytest.raises(UpstreamUnreachable, match="cannot reach"):
        get(http, "https://upstream.test/")


def never_greets(peer: Peer) -> None:
    peer.saw_the_end()


def test_a_handshake_has_a_limit(http: Http, serve: Serve, names: Names) -> None:
    server = serve(never_greets)
    names["upstream.test"] = [("127.0.0.1", server.port)]

    with pytest.raises(UpstreamUnreachable, match="no connection in time") as raised:
        get(http, "https://upstream.test/", how=wait(connect=0.2))
    assert raised.value.status == 504
    assert server.ended.wait(20)


def test_a_client_that_leaves_is_noticed_within_the_handshake(http: Http, serve: Serve, names: Names) -> None:
    server = serve(never_greets)
    names["upstream.test"] = [("127.0.0.1", server.port)]

    with pytest.raises(ClientLeft):
        get(http, "https://upstream.test/", how=wait(Leaving(looks=3)))
    assert server.ended.wait(20)


def test_a_client_that_leaves_ends_a_tls_connection(http: Http, secure: Secure) -> None:
    url, server = secure(half_a_body)

    with pytest.raises(ClientLeft):
        get(http, url, how=wait(Leaving(looks=3)))
    assert server.ended.wait(20)


# ─── proxies ─────────────────────────────────────────────────────────────────────────────────────


def tunnel(to: Callable[[], int], greeting: bytes = b"HTTP/1.1 200 Connection established\r\n\r\n") -> Play:
    """A proxy that connects through to a port."""

    def play(peer: Peer) -> None:
        peer.request()
        peer.send(greeting)
        with socket.create_connection(("127.0.0.1", to()), timeout=20) as there:
            back = threading.Thread(target=_pump, args=(there, peer.sock))
            back.start()
            _pump(peer.sock, there)
            back.join(20)

    return play


def _pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def test_http_goes_through_the_proxy_whole(http: Http, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = serve(says(answer()))
    monkeypatch.setenv("http_proxy", f"http://us%20er:p%40ss@127.0.0.1:{proxy.port}")

    assert [get(http, "http://upstream.test:8080/v1/x?a=b") for _ in range(2)] == [b"ok"] * 2
    assert proxy.connections == 1
    assert proxy.requests[0] == (
        b"POST http://upstream.test:8080/v1/x?a=b HTTP/1.1\r\nHost: upstream.test:8080\r\n"
        b"Proxy-Authorization: Basic dXMgZXI6cEBzcw==\r\nContent-Length: 2\r\n\r\n{}"
    )


def test_https_goes_through_the_proxy_unread(
    http: Http, serve: Serve, secure: Secure, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, server = secure(says(answer()))
    proxy = serve(tunnel(lambda: server.port))
    monkeypatch.setenv("HTTPS_PROXY", f"127.0.0.1:{proxy.port}")

    assert [get(http, url) for _ in range(2)] == [b"ok"] * 2
    assert proxy.requests == [b"CONNECT upstream.test:443 HTTP/1.1\r\nHost: upstream.test:443\r\n\r\n"]
    assert b"POST /v1 HTTP/1.1\r\n" in server.requests[0]


def test_a_proxy_may_be_terse(
    http: Http, serve: Serve, secure: Secure, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, server = secure(says(answer()))
    proxy = serve(tunnel(lambda: server.port, b"HTTP/1.0 200\r\n\r\n"))
    monkeypatch.setenv("https_proxy", f"http://u:p@127.0.0.1:{proxy.port}")

    assert get(http, url) == b"ok"
    assert b"Proxy-Authorization: Basic dTpw\r\n" in proxy.requests[0]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        pytest.param(
            b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "the proxy answered 407", id="407"
        ),
        pytest.param(b"HTTP/1.1 502 Bad Gateway\r\n\r\n", "the proxy answered 502", id="502"),
        pytest.param(b"", "the proxy closed the connection", id="nothing"),
        pytest.param(b"HTTP/1.1 200", "the proxy closed the connection", id="half an answer"),
        pytest.param(b"x" * 200_000, "the proxy closed the connection", id="no end"),
        pytest.param(b"\r\n\r\n", "the proxy answered", id="garbage"),
    ],
)
def test_a_proxy_that_refuses_is_named_as_the_reason(
    said: bytes, words: str, http: Http, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = serve(says_once(said))
    monkeypatch.setenv("https_proxy", f"http://user:secret@127.0.0.1:{proxy.port}")

    with pytest.raises(UpstreamUnreachable, match=words) as raised:
        get(http, "https://upstream.test/")
    assert "secret" not in str(raised.value)


def test_a_client_that_leaves_is_noticed_while_the_proxy_thinks(
    http: Http, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = serve(silent)
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")

    with pytest.raises(ClientLeft):
        get(http, "https://upstream.test/", how=wait(Leaving(looks=3)))
    assert proxy.ended.wait(20)


@pytest.mark.parametrize("scheme", ["https", "socks5"])
def test_other_kinds_of_proxies_are_refused(http: Http, scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("all_proxy", f"{scheme}://user:secret@127.0.0.1:1")

    with pytest.raises(UpstreamUnreachable, match="only http:// proxies are understood") as raised:
        get(http, "http://upstream.test/")
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("environment", "scheme", "host", "proxy"),
    [
        ({}, "https", "a.test", None),
        ({"https_proxy": "http://p:1"}, "https", "a.test", "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1"}, "https", "a.test", "http://p:1"),
        ({"https_proxy": "p:1"}, "https", "a.test", "http://p:1"),
        ({"https_proxy": "http://p:1"}, "http", "a.test", None),
        ({"all_proxy": "http://p:1"}, "http", "a.test", "http://p:1"),
        ({"https_proxy": "http://p:1", "no_proxy": "a.test"}, "https", "a.test", None),
        ({"https_proxy": "http://p:1", "NO_PROXY": "x.test, .a.test"}, "https", "b.a.test", None),
        ({"https_proxy": "http://p:1", "no_proxy": "a.test"}, "https", "xa.test", "http://p:1"),
        ({"https_proxy": "http://p:1", "no_proxy": "*"}, "https", "a.test", None),
        ({"https_proxy": "http://p:1", "no_proxy": "a.test:444"}, "https", "a.test", "http://p:1"),
        ({"https_proxy": "http://p:1", "no_proxy": "a.test:443"}, "https", "a.test", None),
        ({"http_proxy": "http://p:1"}, "http", "127.0.0.1", None),
        ({"http_proxy": "http://p:1"}, "http", "localhost", None),
        ({"http_proxy": "http://p:1"}, "http", "[::1]", None),
        ({"http_proxy": "http://p:1"}, "http", "10.0.0.1", "http://p:1"),
    ],
    ids=str,
)
def test_the_environment_says_which_proxy(
    environment: dict[str, str], scheme: str, host: str, proxy: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    assert origin_of(scheme, host).proxy == proxy


@pytest.mark.parametrize(
    ("scheme", "netloc", "origin"),
    [
        ("http", "a.test", Origin(False, "a.test", 80)),
        ("https", "a.test", Origin(True, "a.test", 443)),
        ("https", "A.test:8443", Origin(True, "a.test", 8443)),
        ("http", "[::1]:8080", Origin(False, "::1", 8080)),
    ],
)
def test_an_address_says_where_to_connect(scheme: str, netloc: str, origin: Origin) -> None:
    assert origin_of(scheme, netloc) == origin


def test_an_ipv6_address_is_tunnelled_to_in_brackets(serve: Serve) -> None:
    proxy = serve(says_once(b"HTTP/1.1 502 no\r\n\r\n"))

    with pytest.raises(UpstreamUnreachable, match="the proxy answered 502"):
        connect(Origin(True, "2001:db8::1", 443, f"http://127.0.0.1:{proxy.port}"), wait())
    assert proxy.requests[0].startswith(b"CONNECT [2001:db8::1]:443 HTTP/1.1\r\n")
