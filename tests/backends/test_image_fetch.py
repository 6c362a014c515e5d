"""Pictures are fetched from public addresses only: checked after DNS, and at each redirect."""

from __future__ import annotations

import socket
import ssl
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.backends.image_fetch import MOST, Fetcher, inline_images, is_public, resolved
from app.errors import BadRequest, ClientLeft
from app.types import Target
from tests.backends.certificates import certificate_for
from tests.upstream import Connection, Raw, Seen, Upstream

PICTURE = b"\x89PNG\r\n\x1a\nnot really"
AS_DATA = f"data:image/png;base64,{b64encode(PICTURE).decode()}"
PUBLIC, OTHER = "93.184.216.34", "93.184.216.35"
TARGET = Target("alias", "p", "m", carrier="litellm", litellm_provider="gemini", fetch_images=True)


class Net:
    """An internet of a few names, whose public addresses all lead to the scripted upstream."""

    def __init__(self, up: Upstream, names: dict[str, list[str]]) -> None:
        self._up = up
        self._names = names
        self.asked: list[str] = []
        self.connected: list[str] = []

    def resolve(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        if host not in self._names:
            raise socket.gaierror("unknown")
        return self._names[host]

    def connect(self, address: str, port: int, seconds: float) -> socket.socket:
        self.connected.append(address)
        return socket.create_connection(("127.0.0.1", self._up.port), seconds)

    def fetcher(self, **limits: Any) -> Fetcher:
        return Fetcher(resolve=self.resolve, connect=self.connect, **limits)


@pytest.fixture
def up() -> Iterator[Upstream]:
    with Upstream() as upstream:
        upstream.answer("GET", "/a.png", Raw(200, PICTURE, "image/png"))
        yield upstream


@pytest.fixture
def net(up: Upstream) -> Net:
    return Net(up, {"pictures.test": [PUBLIC], "other.test": [OTHER], "inside.test": ["10.0.0.5"]})


def test_a_picture_becomes_data(up: Upstream, net: Net) -> None:
    assert net.fetcher().fetch("http://pictures.test/a.png?x=1") == AS_DATA

    assert net.connected == [PUBLIC]
    assert up.last.target == "/a.png?x=1"
    assert up.last.header("host") == "pictures.test"
    assert up.last.header("authorization") is None


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["10.0.0.5"],
        ["169.254.169.254"],
        ["::1"],
        ["::ffff:127.0.0.1"],
        ["::ffff:10.0.0.5"],
        [PUBLIC, "127.0.0.1"],
        [],
    ],
)
def test_a_name_with_any_address_that_is_not_public_is_refused(up: Upstream, addresses: list[str]) -> None:
    net = Net(up, {"tricky.test": addresses})

    with pytest.raises(BadRequest, match="only public addresses"):
        net.fetcher().fetch("http://tricky.test/a.png")

    assert net.connected == []


def test_a_name_that_answers_differently_the_second_time_gains_nothing(up: Upstream) -> None:
    answers = iter([[PUBLIC], ["127.0.0.1"]])
    net = Net(up, {})
    fetcher = Fetcher(resolve=lambda host, port: next(answers), connect=net.connect)

    assert fetcher.fetch("http://rebinding.test/a.png") == AS_DATA
    assert net.connected == [PUBLIC]


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/a.png",
        "http://127.1/a.png",
        "http://2130706433/a.png",
        "http://0x7f000001/a.png",
        "http://0177.0.0.1/a.png",
        "http://[::1]/a.png",
        "http://[::ffff:127.0.0.1]/a.png",
        "http://[::ffff:7f00:1]/a.png",
        "http://0.0.0.0/a.png",
        "http://localhost/a.png",
    ],
)
def test_loopback_in_any_spelling_is_refused(net: Net, url: str) -> None:
    fetcher = Fetcher(resolve=resolved, connect=net.connect)

    with pytest.raises(BadRequest):
        fetcher.fetch(url)

    assert net.connected == []


@pytest.mark.parametrize(
    ("address", "public"),
    [
        (PUBLIC, True),
        ("2606:4700:4700::1111", True),
        ("127.0.0.1", False),
        ("0.0.0.0", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.0.1", False),
        ("100.64.0.1", False),
        ("169.254.169.254", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("ff02::1", False),
        ("::ffff:127.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::a00:5", False),
        ("2002:7f00:1::", False),
        ("2002:a00:5::", False),
        ("nonsense", False),
    ],
)
def test_an_address_is_public_or_not(address: str, public: bool) -> None:
    assert is_public(address) is public


def redirecting(*steps: str) -> Callable[[Connection, Seen], bool]:
    """Redirects to each of these in turn, then answers with the picture."""
    places = iter(steps)

    def play(connection: Connection, seen: Seen) -> bool:
        to = next(places, None)
        if to is None:
            connection.send_head(200, [("Content-Type", "image/png"), ("Content-Length", str(len(PICTURE)))])
            connection.send(PICTURE)
        else:
            connection.send_head(302, [("Location", to), ("Content-Length", "0")])
        return False

    return play


def test_redirects_are_followed_to_other_public_hosts(up: Upstream, net: Net) -> None:
    up.play(redirecting("/moved.png", "//other.test/b.png", "http://pictures.test/c.png"))

    assert net.fetcher().fetch("http://pictures.test/a.png") == AS_DATA
    assert net.connected == [PUBLIC, PUBLIC, OTHER, PUBLIC]


@pytest.mark.parametrize(
    "to",
    ["http://inside.test/a.png", "file:///etc/passwd", "gopher://pictures.test/", "http://u:p@other.test/"],
)
def test_a_redirect_to_anything_else_is_refused(up: Upstream, net: Net, to: str) -> None:
    up.play(redirecting(to))

    with pytest.raises(BadRequest):
        net.fetcher().fetch("http://pictures.test/a.png")

    assert net.connected == [PUBLIC]


def test_a_redirect_to_loopback_is_refused(up: Upstream, net: Net) -> None:
    up.play(redirecting("http://127.0.0.1/a.png"))
    fetcher = Fetcher(
        resolve=lambda host, port: (
            net.resolve(host, port) if host == "pictures.test" else resolved(host, port)
        ),
        connect=net.connect,
    )

    with pytest.raises(BadRequest, match="only public addresses"):
        fetcher.fetch("http://pictures.test/a.png")


def test_endless_redirects_end(up: Upstream, net: Net) -> None:
    up.play(redirecting(*["/again.png"] * 10))

    with pytest.raises(BadRequest, match="redirects too often"):
        net.fetcher().fetch("http://pictures.test/a.png")

    assert len(up.requests) == 4


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Raw(200, b"<html>", "text/html"), "no picture"),
        (Raw(200, b"x", "image/ png"), "no picture"),
        (Raw(200, b"x", ""), "no picture"),
        (Raw(404, b"", "image/png"), "answered 404"),
        (Raw(206, b"", "image/png"), "answered 206"),
    ],
)
def test_what_is_no_picture_is_refused(up: Upstream, net: Net, answer: Raw, why: str) -> None:
    up.answer("GET", "/a.png", answer)

    with pytest.raises(BadRequest, match=why):
        net.fetcher().fetch("http://pictures.test/a.png")


@pytest.mark.parametrize("told", [True, False], ids=["told beforehand", "found out"])
def test_a_picture_that_is_too_big_is_refused(up: Upstream, net: Net, told: bool) -> None:
    def play(connection: Connection, seen: Seen) -> bool:
        length = [("Content-Length", "5000")] if told else []
        connection.send_head(200, [("Content-Type", "image/png"), *length])
        connection.send(b"x" * 1500)
        if not told:
            connection.pause(600_000)
        return False

    up.play(play)

    with pytest.raises(BadRequest, match="larger than 1 kB"):
        net.fetcher(biggest=1024).fetch("http://pictures.test/a.png")


@pytest.mark.parametrize("head", [False, True], ids=["no head", "drops of a body"])
def test_a_slow_host_is_given_up(up: Upstream, net: Net, head: bool) -> None:
    def play(connection: Connection, seen: Seen) -> bool:
        if head:
            connection.send_head(200, [("Content-Type", "image/png"), ("Content-Length", "5000")])
        while head:
            connection.send(b"x")
            connection.pause(100)
        connection.pause(600_000)
        return False

    up.play(play)

    with pytest.raises(BadRequest, match="cannot be fetched"):
        net.fetcher(seconds=0.3).fetch("http://pictures.test/a.png")


def test_a_client_who_leaves_ends_the_fetch(up: Upstream, net: Net) -> None:
    def play(connection: Connection, seen: Seen) -> bool:
        connection.pause(600_000)
        return False

    def alive() -> None:
        raise ClientLeft("gone")

    up.play(play)

    with pytest.raises(ClientLeft):
        net.fetcher().fetch("http://pictures.test/a.png", alive)


@pytest.mark.parametrize(
    "url",
    ["http://nowhere.test/a.png", "http://a..b/a.png", "http:///a.png", "http://x:99999/a", "http://[::1/a"],
)
def test_a_url_that_leads_nowhere_is_the_client_s_mistake(net: Net, url: str) -> None:
    with pytest.raises(BadRequest):
        net.fetcher().fetch(url)


def test_an_address_that_does_not_answer_gives_way_to_the_next(up: Upstream) -> None:
    net = Net(up, {"twice.test": [OTHER, PUBLIC]})

    def connect(address: str, port: int, seconds: float) -> socket.socket:
        if address == OTHER:
            raise ConnectionRefusedError("nobody there")
        return net.connect(address, port, seconds)

    assert Fetcher(resolve=net.resolve, connect=connect).fetch("http://twice.test/a.png") == AS_DATA


def test_tls_is_verified_against_the_name_and_not_the_address(net: Net, tmp_path: Path) -> None:
    names: list[str] = []
    certificate = certificate_for(tmp_path, "pictures.test")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate)
    server.sni_callback = lambda sock, name, context: names.append(name)
    trusting = ssl.create_default_context(cafile=str(certificate))

    with Upstream(tls=server) as secure:
        secure.answer("GET", "/a.png", Raw(200, PICTURE, "image/png"))
        there = Net(secure, {"pictures.test": [PUBLIC], "other.test": [OTHER]})

        assert there.fetcher(context=lambda: trusting).fetch("https://pictures.test/a.png") == AS_DATA
        for url, fetcher in (
            ("https://other.test/a.png", there.fetcher(context=lambda: trusting)),
            ("https://pictures.test/a.png", there.fetcher()),
        ):
            with pytest.raises(BadRequest, match="certificate is not valid"):
                fetcher.fetch(url)

    assert names == ["pictures.test", "other.test", "pictures.test"]


# --------------------------------------------------------------------- whole bodies


def showing(*urls: str) -> dict[str, Any]:
    parts = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    return {"model": "m", "messages": [{"role": "user", "content": parts}]}


def shown(body: dict[str, Any]) -> list[str]:
    return [part["image_url"]["url"] for part in body["messages"][0]["content"]]


def test_a_body_without_anything_to_fetch_is_the_same_body() -> None:
    body = showing(AS_DATA)

    assert inline_images(body, TARGET) is body


def test_pictures_are_put_into_a_new_body_and_each_url_is_fetched_once() -> None:
    asked: list[str] = []

    def fetch(url: str, alive: Callable[[], None]) -> str:
        asked.append(url)
        return f"data:image/png;base64,{len(asked)}"

    body = showing("http://a.test/1", AS_DATA, "http://a.test/2", "http://a.test/1")
    made = inline_images(body, TARGET, fetch=fetch)

    assert asked == ["http://a.test/1", "http://a.test/2"]
    assert shown(made) == [
        "data:image/png;base64,1",
        AS_DATA,
        "data:image/png;base64,2",
        "data:image/png;base64,1",
    ]
    assert shown(body)[0] == "http://a.test/1"


def test_a_picture_that_cannot_be_had_names_its_place() -> None:
    def fetch(url: str, alive: Callable[[], None]) -> str:
        raise BadRequest("no")

    with pytest.raises(BadRequest) as caught:
        inline_images(showing(AS_DATA, "http://a.test/1"), TARGET, fetch=fetch)

    assert caught.value.param == "messages[0].content[1].image_url.url"


def test_too_many_pictures_are_refused_before_any_is_fetched() -> None:
    def fetch(url: str, alive: Callable[[], None]) -> str:
        raise AssertionError("fetched")

    with pytest.raises(BadRequest, match=f"at most {MOST}"):
        inline_images(
            showing(*(f"http://a.test/{number}" for number in range(MOST + 1))), TARGET, fetch=fetch
        )


def test_an_alias_that_does_not_allow_it_fetches_nothing() -> None:
    with pytest.raises(BadRequest, match="fetchImages"):
        inline_images(showing("http://a.test/1"), Target("alias", "p", "m", "http://127.0.0.1/v1"))
