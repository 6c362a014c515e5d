"""Fetches the pictures that an alias allows to be fetched, from public addresses and nowhere else.

A name is resolved once, each of its addresses must be public, and the connection goes to
the very address that was checked: a name that answers differently the second time gains
nothing. Redirects are followed by hand, each checked in the same way. Proxies of the
environment are not used: they would resolve the name again, on their own.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import ssl
import time
from base64 import b64encode
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from app.backends.connecting import Wait, trust
from app.backends.http import Exchange
from app.errors import BadRequest, UpstreamError
from app.types import Body, Target, Timeouts
from app.utils.images import Place, replaced, to_fetch

BIGGEST = 20 * 1024 * 1024
"""Bytes of one picture."""
MOST = 10
"""Pictures that are fetched for one request."""
MOST_REDIRECTS = 3
SECONDS = 20.0
"""For one picture, redirects and all."""

Address: TypeAlias = str
Resolve: TypeAlias = Callable[[str, int], Iterable[Address]]


def resolved(host: str, port: int) -> Iterable[Address]:
    """Every address that a name has, as the system finds them: `127.1` and `0x7f000001` are names too."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def connected(address: Address, port: int, seconds: float) -> socket.socket:
    return socket.create_connection((address, port), seconds)


def is_public(address: Address) -> bool:
    """Whether an address is one of the whole internet, also when it is written inside another one."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if found.is_multicast or not found.is_global:
        return False
    if isinstance(found, ipaddress.IPv4Address):
        return True
    inner = found.ipv4_mapped or found.sixtofour or (found.teredo and found.teredo[1]) or _translated(found)
    return inner is None or is_public(str(inner))


_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def _translated(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else None


@dataclass(frozen=True, slots=True)
class Fetcher:
    """Fetches pictures. The fields are its seams to the world."""

    resolve: Resolve = resolved
    connect: Callable[[Address, int, float], socket.socket] = connected
    is_public: Callable[[Address], bool] = is_public
    context: Callable[[], ssl.SSLContext] = trust
    seconds: float = SECONDS
    biggest: int = BIGGEST

    def fetch(self, url: str, alive: Callable[[], None] = lambda: None) -> str:
        """The picture as a data: URL. Raises BadRequest that names the host, and what `alive` raises."""
        deadline = time.monotonic() + self.seconds
        for _ in range(MOST_REDIRECTS + 1):
            place = _checked(url)
            try:
                exchange = self._ask(place, deadline, alive)
                with closing(exchange.sock):
                    if exchange.status not in (301, 302, 303, 307, 308):
                        return _as_data(exchange, place, self.biggest)
                    url = urljoin(url, exchange.headers.get("location", ""))
            except (OSError, UpstreamError, UnicodeError) as problem:
                raise _failed(place, _why(problem)) from None
        raise _failed(place, "it redirects too often")

    def _ask(self, place: SplitResult, deadline: float, alive: Callable[[], None]) -> Exchange:
        """The head of the answer; the caller closes the connection."""
        host, port = place.hostname or "", place.port or (443 if place.scheme == "https" else 80)
        sock = self._connection(host, port, place, deadline)
        try:
            sock.settimeout(max(0.1, min(5.0, deadline - time.monotonic())))
            if place.scheme == "https":
                sock = self.context().wrap_socket(sock, server_hostname=host)
            patience = Timeouts(header=self.seconds, chunk=5.0, total=self.seconds)
            exchange = Exchange(sock, Wait(patience, deadline, alive, "it"))
            if not exchange.ask(_request(place)):
                raise OSError("it closed the connection without an answer")
        except BaseException:
            sock.close()
            raise
        return exchange

    def _connection(self, host: str, port: int, place: SplitResult, deadline: float) -> socket.socket:
        """A connection to one of the host's addresses, all of which have to be public."""
        addresses = list(dict.fromkeys(self.resolve(host, port)))
        if not addresses or not all(self.is_public(address) for address in addresses):
            raise _failed(place, "only public addresses are fetched from")
        problem: OSError = OSError("it has no address")
        for address in addresses:
            try:
                return self.connect(address, port, max(0.1, min(5.0, deadline - time.monotonic())))
            except OSError as failure:
                problem = failure
        raise problem


def inline_images(
    body: Body,
    target: Target,
    alive: Callable[[], None] = lambda: None,
    fetch: Callable[[str, Callable[[], None]], str] | None = None,
) -> Body:
    """The body with every picture in it that has to be fetched for this target; the same one if none has.

    Raises BadRequest for a URL that may not pass, and what `alive` raises.
    """
    places = to_fetch(body, target)
    if not places:
        return body
    urls = list(dict.fromkeys(place.url for place in places))
    if len(urls) > MOST:
        raise BadRequest(f"the request names {len(urls)} pictures by URL; at most {MOST} are fetched")
    found = {url: _at(places, url, fetch or Fetcher().fetch, alive) for url in urls}
    return replaced(body, {place.path: found[place.url] for place in places})


def _at(
    places: list[Place], url: str, fetch: Callable[[str, Callable[[], None]], str], alive: Callable[[], None]
) -> str:
    try:
        return fetch(url, alive)
    except BadRequest as problem:
        problem.param = next(place.name for place in places if place.url == url)
        raise


def _checked(url: str) -> SplitResult:
    """The URL taken apart; raises BadRequest for one that is not simply http(s) at a host."""
    try:
        place = urlsplit(url)
        port = place.port
    except ValueError:
        raise BadRequest("a picture's URL cannot be read", code="url_not_allowed") from None
    if place.scheme not in ("http", "https") or not place.hostname or port == 0:
        raise BadRequest("a picture's URL is not http(s) at a host", code="url_not_allowed")
    if place.username is not None or place.password is not None:
        raise BadRequest("a picture's URL must not hold a user name", code="url_not_allowed")
    return place


def _request(place: SplitResult) -> bytes:
    path = quote(place.path or "/", safe="/%:@!$&'()*+,;=~")
    query = f"?{quote(place.query, safe='/%:@!$&()*+,;=~?')}" if place.query else ""
    lines = (
        f"GET {path}{query} HTTP/1.1",
        f"Host: {place.netloc.encode('idna').decode() if not place.netloc.isascii() else place.netloc}",
        "Accept: image/*",
        "Accept-Encoding: identity",
        "User-Agent: LocalCode",
        "Connection: close",
    )
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


_PICTURE = re.compile(r"image/[a-z0-9.+\-]+")


def _as_data(exchange: Exchange, place: SplitResult, biggest: int) -> str:
    if exchange.status != 200:
        raise _failed(place, f"it answered {exchange.status}")
    kind = exchange.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not _PICTURE.fullmatch(kind):
        raise _failed(place, "it is no picture")
    too_big = _failed(place, f"it is larger than {biggest // 1024} kB")
    told = exchange.headers.get("content-length", "")
    if told.isdigit() and int(told) > biggest:
        raise too_big
    parts: list[bytes] = []
    size = 0
    while (data := exchange.read()) != b"":
        parts.append(data or b"")
        size += len(data or b"")
        if size > biggest:
            raise too_big
    return f"data:{kind};base64,{b64encode(b''.join(parts)).decode()}"


def _why(problem: Exception) -> str:
    if isinstance(problem, ssl.SSLCertVerificationError):
        return "its certificate is not valid"
    if isinstance(problem, socket.gaierror | UnicodeError):
        return "its host name is not known"
    if isinstance(problem, OSError):
        return (problem.strerror or str(problem) or "no connection").lower()
    return str(problem)


def _failed(place: SplitResult, why: str) -> BadRequest:
    return BadRequest(f"the picture at '{place.hostname}' cannot be fetched: {why}", code="image_not_fetched")
