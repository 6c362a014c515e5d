"""LocalCode under gunicorn: start, stop and reload as people expect them.

Ctrl-C stops at once when nothing runs; a running stream may finish, up to the graceful
timeout, and a second Ctrl-C ends that too. SIGHUP reads the configuration again: a good
file is swapped in whole without ending anything, a bad one changes nothing.

The master only reads the configuration and watches its workers. It must not import the
HTTP side: gevent has to patch a worker before the users of ssl are loaded, and LiteLLM
hangs under gevent when it was loaded before the fork.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
from collections.abc import Callable
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter

from app import logs
from app.config.catalog import Catalog, ConfigError
from app.config.settings import Settings

KEEPALIVE = 75
"""Seconds an idle client connection is kept; agents pause longer between turns than gunicorn's 2 s."""

WORKER_CLASSES = {"gevent": "app.worker.GeventWorker", "gthread": "app.worker.ThreadWorker"}

NOT_RELOADED = "configuration not reloaded: the old one goes on"

HELD = frozenset({signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP})
"""What a new worker holds back until it can act on it. Between the fork and its own handlers a signal would
go to a copy of the master's, and be lost: Ctrl-C right after the start then took the graceful timeout."""

GRACE = 2
"""Seconds that a worker has beyond the graceful timeout to say what did not finish, before it is killed."""

_log = logs.get("app.server")


class Service(BaseApplication):
    """What gunicorn runs. `read` reads the catalog anew; `catalog` is the last good one."""

    def __init__(self, settings: Settings, catalog: Catalog, read: Callable[[], Catalog]) -> None:
        self.settings = settings
        self.catalog = catalog
        self._read = read
        super().__init__()

    def load_config(self) -> None:
        settings = self.settings
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        options: dict[str, Any] = {
            "bind": f"{host}:{settings.port}",
            "workers": settings.workers,
            "worker_class": WORKER_CLASSES[settings.worker_class],
            "worker_connections": 2000,
            "threads": 1 if settings.worker_class == "gevent" else 600,
            "timeout": 120,
            "graceful_timeout": settings.graceful_timeout + GRACE,
            "keepalive": KEEPALIVE,
            "backlog": 2048,
            "loglevel": "warning",
            "logger_class": logs.GunicornLogger,
            "control_socket_disable": True,
            "http_parser": "python",  # gunicorn_h1c gained nothing that could be measured
            "worker_exit": close_state,
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """The WSGI application, made in the worker."""
        from app import create_app

        return create_app(self.settings, self.catalog)

    def renew(self) -> bool:
        """Read the configuration again; False, with the reason in the log, when it cannot be used."""
        try:
            catalog = self._read()
            if not catalog.aliases:
                raise ConfigError(str(catalog.source), _faults(catalog) or "it serves nothing")
        except ConfigError as problem:
            _log.error(NOT_RELOADED, problem=str(problem))
            return False
        except Exception as problem:  # a mistake of ours must not end what runs
            _log.error(NOT_RELOADED, exc_info=problem)
            return False
        self.catalog = catalog
        return True

    def run(self) -> None:
        Master(self).run()


def close_state(master: Any, worker: Any) -> None:
    """Has written what a worker that ends still has to write: it leaves without the interpreter's own end."""
    application = getattr(worker, "wsgi", None)
    if application is not None:
        application.extensions["close"]()


class Master(Arbiter):
    """gunicorn's arbiter, with SIGINT graceful first and SIGHUP handed to the workers."""

    app: Any  # a Service

    def handle_int(self) -> None:
        signal.signal(signal.SIGINT, lambda *_: self.kill_workers(signal.SIGQUIT))
        self.stop(graceful=True)
        raise StopIteration

    def spawn_worker(self) -> Any:
        signal.pthread_sigmask(signal.SIG_BLOCK, HELD)
        try:
            return super().spawn_worker()
        except SystemExit as end:  # the worker's own, in its process
            # The interpreter's orderly end waits for locks that a thread still importing LiteLLM was cut off
            # with, for ever, and takes LiteLLM's modules apart for two seconds. Nothing here needs it.
            os._exit(end.code if isinstance(end.code, int) else bool(end.code))
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD)

    def reload(self) -> None:
        if self.app.renew():
            catalog = self.app.catalog
            logs.learn(catalog.secrets)
            _log.info("configuration reloaded", aliases=len(catalog.aliases), problems=len(catalog.problems))
            if faults := _faults(catalog):
                _log.warning(f"not everything in it can be served: {faults}")
            self.kill_workers(signal.SIGHUP)


def _faults(catalog: Catalog) -> str:
    return "; ".join(f"{problem.place}: {problem.message}" for problem in catalog.problems if problem.fatal)


def refuse_taken_address(settings: Settings) -> None:
    """Raises ConfigError if nobody can listen there. gunicorn would try for five seconds and say less."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((settings.host, settings.port))
    except OSError as problem:
        raise _refusal(settings, problem) from None


def _refusal(settings: Settings, problem: OSError) -> ConfigError:
    if problem.errno == errno.EADDRINUSE:
        mend = f"stop what listens there (lsof -i :{settings.port} names it), or choose another with --port"
        return ConfigError("LOCALCODE_PORT", f"port {settings.port} is in use", mend)
    if problem.errno == errno.EACCES:
        why = f"this user may not listen on port {settings.port}"
        return ConfigError("LOCALCODE_PORT", why, "choose one above 1023")
    why = f"{settings.host} is no address of this machine ({problem.strerror or problem})"
    return ConfigError("LOCALCODE_HOST", why, "for example 127.0.0.1, or 0.0.0.0 for all of them")


def serve(settings: Settings, catalog: Catalog, read: Callable[[], Catalog]) -> None:
    """Runs until a signal ends it."""
    Service(settings, catalog, read).run()
