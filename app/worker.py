"""gunicorn's workers, with the signals that `app.server` promises."""

from __future__ import annotations

import contextlib
import gc
import signal
import time
from functools import partial
from types import FrameType
from typing import Any

from gunicorn.http.body import LengthReader
from gunicorn.workers.base import Worker
from gunicorn.workers.gthread import ThreadWorker as StockThreadWorker

from app.server import HELD


class Reloading(Worker):
    """SIGHUP reloads the configuration; Ctrl-C is the master's business, which then sends SIGTERM."""

    app: Any  # an app.server.Service
    wsgi: Any

    def init_signals(self) -> None:
        super().init_signals()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, self.handle_hup)
        signal.siginterrupt(signal.SIGHUP, False)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD - {signal.SIGHUP})

    def load_wsgi(self) -> None:
        super().load_wsgi()
        gc.freeze()  # what is here stays: to look through it took 40 ms each time, for every stream
        gc.collect()  # finds nothing, and so learns to come often: requests with large bodies leave circles
        # Each of 54 looks into the settings that gunicorn takes per request runs a `__getattr__`.
        vars(self.cfg).update({name: setting.get() for name, setting in self.cfg.settings.items()})
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})  # now there is something to renew

    def handle_hup(self, sig: int, frame: FrameType | None) -> None:
        self.renew()

    def renew(self) -> None:
        if self.app.renew():
            self.wsgi.extensions["renew"](self.app.catalog)


def whole(req: Any) -> Any:
    """The request, with a body of known length read in large pieces: gunicorn copies 1 kB at a time."""
    req.unreader.mxchunk = 65536
    take = req.body.reader.read if isinstance(req.body.reader, LengthReader) else req.body.read

    def read(*size: int) -> Any:
        try:
            return take(*size)
        except Exception:
            req.force_close()  # nobody knows where the next request begins
            raise

    req.body.read = read
    return req


class OneSend:
    """A client's socket that lets the head of an answer wait for the first bytes of its body.

    gunicorn sends them apart, one after the other; a send is the dearest thing in a small request. `hold`
    does the same for the last bytes of a stream and the end of its last chunk.
    """

    def __init__(self, sock: Any) -> None:
        self._sock = sock
        self._held = b""
        self._holds = True

    def hold(self) -> None:
        """What is sent next waits for what follows it."""
        self._holds = True

    def sendall(self, data: bytes) -> None:
        if self._held:
            data, self._held = self._held + data, b""
        if self._holds:
            self._holds, self._held = False, data
            return
        sent = self._sock.send(data)
        if sent < len(data):
            self._sock.sendall(data[sent:])

    def flush(self) -> None:
        """What still waits will not be followed: an answer without a body has only its head."""
        if self._held:
            data, self._held = self._held, b""
            with contextlib.suppress(OSError):
                self._sock.sendall(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


class ThreadWorker(Reloading, StockThreadWorker):
    """A pool of threads."""

    def handle_request(self, req: Any, conn: Any) -> Any:
        return super().handle_request(whole(req), conn)

    def init_process(self) -> None:
        self.cfg.set("graceful_timeout", self.app.settings.graceful_timeout)  # the master's is longer
        super().init_process()

    def set_accept_enabled(self, enabled: bool | None) -> None:
        super().set_accept_enabled(enabled)
        if not self.alive:  # gunicorn would let new clients wait, unserved, as long as anything still runs
            for sock in self.sockets:
                sock.close()


try:
    import gevent
    from gevent.event import Event
    from gevent.pool import Pool
    from gevent.server import StreamServer
    from gunicorn.workers.ggevent import GeventWorker as StockGeventWorker
except ImportError:  # gevent is not installed: gthread still works
    pass
else:

    class GeventWorker(Reloading, StockGeventWorker):
        """Greenlets: hundreds of streams at once, each nearly free while it waits.

        gunicorn's own loop looks once a second whether it should stop and then waits for
        kept-alive connections too; this one stops as soon as the last request is served.
        """

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.outdated = False
            self.serving = 0

        def init_process(self) -> None:
            self.patch()
            self.wake = Event()
            gevent.hub.reinit()
            super(StockGeventWorker, self).init_process()

        def run(self) -> None:
            servers = [self.listen(sock) for sock in self.sockets]
            while self.alive:
                self.notify()
                self.wake.wait(1.0)
                self.wake.clear()
                if self.outdated:
                    self.outdated = False
                    self.renew()
            for server in servers:
                server.close()
            self.finish()

        def listen(self, sock: Any) -> StreamServer:
            sock.setblocking(1)
            server = StreamServer(
                sock, handle=partial(self.handle, sock), spawn=Pool(self.worker_connections)
            )
            if self.cfg.workers > 1:
                server.max_accept = 1
            server.start()
            return server

        def finish(self) -> None:
            """Wait for the requests that still run, no longer than the graceful timeout."""
            patience = self.app.settings.graceful_timeout
            until = time.monotonic() + patience
            while self.serving and time.monotonic() < until:
                self.notify()
                gevent.sleep(0.05)
            if self.serving:
                self.log.warning("%d requests did not finish within %d s", self.serving, patience)

        def handle_request(self, listener: Any, req: Any, sock: Any, addr: Any) -> Any:
            self.serving += 1
            client: Any = OneSend(sock)
            try:
                return super().handle_request(listener, whole(req), client, addr)
            finally:
                self.serving -= 1
                client.flush()

        def handle_hup(self, sig: int, frame: FrameType | None) -> None:
            self.outdated = True  # a handler runs inside the event loop, where nothing may wait
            self.wake.set()

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            self.alive = False
            self.wake.set()
