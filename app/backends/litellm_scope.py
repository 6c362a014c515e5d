"""What one call of LiteLLM opens, held in one place so that it can be ended from outside.

LiteLLM has no way to be stopped: a read blocks in some provider's code until a byte or a
timeout comes. What always works is underneath: the sockets. Each call runs in a thread of
its own with a `Scope`; the transport (`litellm_wire`) tells the scope which sockets the
call uses, and `end`, from any thread, shuts them down, so that whatever read wakes up.
Everything else (closing responses, giving connections back) stays with the call's own
thread, which never leaves an open response behind: httpcore deadlocks when the garbage
collector finds one.

The scope also keeps what the upstream really answered, for LiteLLM changes and loses much.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol

from app.types import Timeouts

MOST_KEPT = 64 * 1024 * 1024
"""Bytes of an answer that are kept beside what LiteLLM makes of it."""


class Ended(Exception):
    """The call is over: nothing more may be opened or asked for it."""


class Closable(Protocol):
    def close(self) -> None: ...


class Socket(Protocol):
    """A connection as far as a call needs to know it."""

    def wake(self, scope: Scope) -> None:
        """End it, if `scope` is the call that uses it, so that a thread that waits for it wakes up."""

    @property
    def stale(self) -> bool:
        """Whether it was kept from an earlier call and has not answered in this one."""


@dataclass(slots=True)
class Heard:
    """An answer as it came over the wire; the body is still coded as `content-encoding` says."""

    status: int
    headers: list[tuple[bytes, bytes]]
    parts: list[bytes] = field(default_factory=list)
    size: int = 0
    whole: bool = False
    """Whether the body has come to its end."""
    kept: bool = True
    """Whether `parts` is all of it so far: streams of events are not kept."""

    def hear(self, data: bytes, streaming: bool) -> None:
        if (
            not self.parts
            and streaming
            and self.status < 300
            and data.lstrip()[:1] not in (b"", b"{", b"[", b"<")
        ):
            self.kept = False
        self.size += len(data)
        self.kept = self.kept and self.size <= MOST_KEPT
        if self.kept:
            self.parts.append(data)
        else:
            self.parts.clear()


class Scope:
    """`with scope:` around a call, in the call's own thread; `end()` from any thread."""

    def __init__(
        self,
        timeouts: Timeouts,
        *,
        streaming: bool = False,
        without: Callable[[str], bool] = lambda name: False,
    ) -> None:
        self.timeouts = timeouts
        self.streaming = streaming
        self.without = without
        """Which request headers (by name, lower case) are not to be sent."""
        self.heard: Heard | None = None
        """The last answer, once its head has come."""
        self.requests = 1
        """How often each address may be asked; the call says so before it begins."""
        self.ended = False
        self._asked: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._sockets: list[Socket] = []
        self._bodies: list[Closable] = []
        self._token: Token[Scope | None] | None = None

    def __enter__(self) -> Scope:
        self._token = current.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._token is not None:
            current.reset(self._token)
        with self._lock:
            self.ended = True
            self._sockets.clear()
        for body in self._bodies:
            body.close()
        self._bodies.clear()

    def end(self) -> None:
        """Shut every socket down that the call uses. The call's thread wakes up and cleans up."""
        with self._lock:
            self.ended = True
            sockets = list(self._sockets)
        for one in sockets:
            one.wake(self)

    def ask(self, method: str, url: str) -> None:
        """Raises Ended unless the call may send this request now.

        Once to each address, as a rule: LiteLLM tries again on its own, with other messages, whatever
        it was told.
        """
        if self.ended:
            raise Ended("the call is over")
        if method != "POST":  # all that LiteLLM would GET is what a client's URL points at, or lists
            raise Ended(f"LiteLLM may not {method} anything")
        if self._asked[url] == self.requests:
            raise Ended("LiteLLM may not ask twice")
        self._asked[url] += 1

    def hold(self, socket: Socket) -> None:
        """The call uses this socket from now on. Raises Ended when the call is over."""
        with self._lock:
            if self.ended:
                raise Ended("the call is over")
            self._sockets.append(socket)

    @property
    def stale(self) -> bool:
        """Whether the call's last connection was a kept one that may have been dead already."""
        return bool(self._sockets) and self._sockets[-1].stale

    def answered(self, status: int, headers: Iterable[tuple[bytes, bytes]], body: Closable) -> Heard:
        """Remembers an answer; its body is closed with the scope at the latest."""
        self.heard = Heard(status, [(name.lower(), value) for name, value in headers])
        self._bodies.append(body)
        return self.heard


current: ContextVar[Scope | None] = ContextVar("the LiteLLM call of this thread", default=None)
