"""The scripted upstream itself: a small threaded HTTP server that plays scripts and remembers requests."""

from __future__ import annotations

import dataclasses
import itertools
import json
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from tests.upstream import scripts
from tests.upstream.chat import Shape, Turn
from tests.upstream.conversation import marked
from tests.upstream.delivery import Cut, How, Send, Step, Wait, Whole, plan_body, plan_stream
from tests.upstream.dialects import Dialect, dialect_at
from tests.upstream.scripts import Ask, Chosen, Content, Drop, Raw
from tests.upstream.wire import Body, ClientGone, Connection, Headers, Seen

Play = Callable[[Connection, Seen], bool]
"""A test's own behaviour on the bare connection; answers whether the connection is kept."""


class Upstream:
    """`with Upstream() as up:` listens on loopback until the block ends.

    up.script("cut", cut=2.5)   from now on, unless a message or model asks for another
    up.play(function)           the same, with a function of the test's own
    up.answer("GET", "/v1/models", Raw(503))
    up.requests                 what came, in order; `up.wait_for(2)` waits for the second
    up.reset()                  forgets all of that
    """

    def __init__(self, port: int = 0, tls: ssl.SSLContext | None = None, models: Iterable[str] = ()) -> None:
        self.models = list(models) or ["wire-model"]
        self.requests: list[Seen] = []
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", port), backlog=1024)
        self.port: int = self._listener.getsockname()[1]
        self.base_url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}/v1"
        self._numbers = itertools.count(1)
        self._answered = itertools.count(1)
        self._stopping = threading.Event()
        self._changed = threading.Condition()
        self._acceptor = threading.Thread(target=self._accept, name="upstream", daemon=True)
        self._open: set[Connection] = set()
        self._chosen: Chosen | None = None
        self._play: Play | None = None
        self._answers: dict[tuple[str, str], Raw] = {}
        self._counts: Counter[str] = Counter()

    def __enter__(self) -> Upstream:
        self._acceptor.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        # Closing a listener does not wake a thread that accepts on it.
        socket.create_connection(("127.0.0.1", self.port)).close()
        self._acceptor.join()
        self._listener.close()
        for connection in list(self._open):
            connection.wake()

    # ------------------------------------------------------------ for the test

    def script(self, name: str, **options: Any) -> None:
        with self._changed:
            self._chosen = scripts.choose(name, options)
            self._counts.clear()

    def play(self, behaviour: Play | None) -> None:
        self._play = behaviour

    def answer(self, method: str, path: str, raw: Raw) -> None:
        self._answers[method, path] = raw

    def reset(self) -> None:
        self.requests = []
        self._chosen = self._play = None
        self._answers.clear()
        self._counts.clear()

    def wait_for(self, count: int = 1, timeout: float = 10) -> Seen:
        """The request of that number (from 1), once it has come."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.requests) >= count, timeout):
                raise TimeoutError(f"only {len(self.requests)} of {count} requests came")
            return self.requests[count - 1]

    @property
    def last(self) -> Seen:
        return self.requests[-1]

    @property
    def connections(self) -> int:
        """How many connections are open now."""
        return len(self._open)

    # ------------------------------------------------------------ connections

    def _accept(self) -> None:
        while True:
            sock, _ = self._listener.accept()
            if self._stopping.is_set():
                sock.close()
                return
            threading.Thread(target=self._serve, args=(sock, next(self._numbers)), daemon=True).start()

    def _serve(self, sock: socket.socket, number: int) -> None:
        try:
            sock = self._tls.wrap_socket(sock, server_side=True) if self._tls else sock
        except OSError:
            sock.close()
            return
        connection = Connection(sock, number, self._stopping)
        self._open.add(connection)
        try:
            while self._one(connection):
                pass
        except (ClientGone, OSError):
            pass
        finally:
            self._open.discard(connection)
            connection.close()

    def _one(self, connection: Connection) -> bool:
        """Serves one request; whether the connection is kept for another."""
        seen = connection.read_head()
        if seen is None:
            return False
        early = self._chosen is not None and self._chosen.script.early
        if not early:
            connection.read_body(seen)
        with self._changed:
            self.requests.append(seen)
            self._changed.notify_all()
        try:
            return self._answer(connection, seen) and not early
        except ClientGone:
            seen.closed_at = time.monotonic()
            if not seen.whole.is_set():
                seen.closed_early.set()
            raise
        finally:
            if early:
                connection.drain()

    # ---------------------------------------------------------------- answers

    def _answer(self, connection: Connection, seen: Seen) -> bool:
        if self._play is not None:
            return self._play(connection, seen)
        dialect = dialect_at(seen.path) if seen.method == "POST" else None
        fixed = self._answers.get((seen.method, seen.path))
        if fixed or dialect is None:
            return _Answer(connection, seen, How()).send(fixed or self._elsewhere(seen), Shape())
        try:
            chosen, content, shape = self._decide(seen, dialect)
        except (LookupError, ValueError, TypeError) as problem:  # the test's mistake, told to the test
            return _Answer(connection, seen, How()).send(
                _problem(418, f"{type(problem).__name__}: {problem}"), Shape()
            )
        seen.script = chosen.name
        return _Answer(connection, seen, chosen.how, dialect).send(content, shape)

    def _elsewhere(self, seen: Seen) -> Raw:
        """The answer where no dialect is asked."""
        if seen.method == "GET" and seen.path.endswith("/models"):
            listed = [{"id": model, "object": "model", "owned_by": "upstream"} for model in self.models]
            return Raw(200, json.dumps({"object": "list", "data": listed}).encode())
        if seen.method == "GET" and seen.path == "/health":
            return Raw(200, b'{"status": "ok"}')
        return _problem(404, f"nothing is at {seen.path}")

    def _decide(self, seen: Seen, dialect: Dialect) -> tuple[Chosen, Content, Shape]:
        body = seen.json if seen.body else {}
        marker, model = marked(body), str(body.get("model"))
        chosen = (
            (scripts.from_marker(marker) if marker else None)
            or self._chosen
            or scripts.from_model(model)
            or scripts.choose("text", {})
        )
        with self._changed:
            # An agent's request for a title is another story than its turns.
            story = f"{marker or model} {bool(body.get('tools'))}"
            nth = self._counts[story]
            self._counts[story] += 1
        if 0 < chosen.how.first <= nth:
            chosen = dataclasses.replace(chosen, how=How())
        headers = {name.lower(): value for name, value in seen.headers}
        content = chosen.script.make(Ask(body, headers, nth, self.base_url, dialect), **chosen.arguments)
        own = {"model": model, "choices": body.get("n") or 1}
        id = (chosen.shape.get("llama") and dialect.id_of_llama) or dialect.id
        own["id"] = id.format(next(self._answered))
        return chosen, content, Shape(**{**own, **chosen.shape})


class _Answer:
    """One answer on its way out."""

    def __init__(self, connection: Connection, seen: Seen, how: How, dialect: Dialect | None = None) -> None:
        self._connection = connection
        self._seen = seen
        self._how = how
        self._dialect = dialect

    def send(self, content: Content, shape: Shape) -> bool:
        """Sends it as `how` says; whether the connection is kept."""
        how = self._how
        if how.wait:
            self._connection.pause(how.wait)
        if how.interim:
            link = () if how.interim == 100 else (("Link", "</style.css>; rel=preload"),)
            self._connection.send_head(how.interim, link)
        if isinstance(content, Drop):
            self._connection.send(content.after)
            self._connection.close(content.reset)
            return False
        if isinstance(content, Raw):
            return self._send(
                content.status, content.type, content.headers, plan_body(content.body, how), "length"
            )
        assert self._dialect is not None
        return self._send_turn(content, shape, self._dialect)

    def _send_turn(self, turn: Turn, shape: Shape, dialect: Dialect) -> bool:
        how = self._how
        asked = self._seen.json if self._seen.body else {}
        if dialect.events and (how.mode == "sse" or (asked.get("stream") and how.mode != "json")):
            steps = plan_stream(dialect.events(turn, shape, asked), how, dialect.manner)
            return self._send(200, how.type, (), steps, "chunked")
        whole = json.dumps(dialect.answer(turn, shape, asked), ensure_ascii=how.ascii).encode()
        return self._send(200, "application/json", (), plan_body(whole, how), "length")

    def _send(self, status: int, kind: str, more: Headers, steps: list[Step], framing: str) -> bool:
        how = dataclasses.replace(self._how, framing=self._how.framing or framing)  # type: ignore[arg-type]  # one of three
        size = sum(len(step.data) for step in steps if isinstance(step, Send))
        self._connection.send_head(status, [("Content-Type", kind), *more, *_framing_headers(how, size)])
        body = Body(self._connection, self._seen, how.framing, how.extensions)
        for step in steps:
            if isinstance(step, Wait):
                self._connection.pause(step.ms)
            elif isinstance(step, Send):
                body.send(step.data)
            elif isinstance(step, Whole):
                self._seen.whole.set()
            elif isinstance(step, Cut):
                self._connection.close(step.reset)
                return False
        body.end(how.trailers)
        return self._kept(how)

    def _kept(self, how: How) -> bool:
        if how.stale == "next":
            self._connection.next_request_waits()
        return not how.stale and how.framing != "close"


def _framing_headers(how: How, size: int) -> Headers:
    headers = [("X-Request-Id", "req-of-the-upstream")]
    if how.coding != "identity":
        headers.append(("Content-Encoding", how.coding.removeprefix("raw-")))
    if how.trailers:
        headers.append(("Trailer", "X-Trailer, X-Another"))
    if how.framing == "chunked":
        headers.append(("Transfer-Encoding", "chunked"))
    elif how.framing == "length":
        # A cut answer promises more than it brings.
        headers.append(("Content-Length", str(size + 10_000 if how.cut >= 0 else size)))
    else:
        headers.append(("Connection", "close"))
    return headers


def _problem(status: int, message: str) -> Raw:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
    return Raw(status, json.dumps({"error": error}).encode())
