"""One thing after the other, in a thread of the operating system; only whoever asked waits for it.

Where gevent has made greenlets of threads, a call into C that waits (for a disk, for a lock on a file)
holds up every greenlet of the process. So there such a call goes to a real thread, by gevent's own thread
pool, which knows how to wake a greenlet from outside: a lock or a queue that gevent has patched does not.
"""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


class Apart:
    """Calls what it is given and returns what came of it. Never two at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pool: Any = None

    def __call__(self, work: Callable[[], T]) -> T:
        if not threads_are_greenlets():
            with self._lock:
                return work()
        done: tuple[T | None, BaseException | None] = self._threads().apply(_outcome, (work,))
        result, problem = done
        if problem is not None:
            raise problem
        return result  # type: ignore[return-value]  # None only where T has it

    def close(self) -> None:
        """Lets the thread end."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.kill()

    def _threads(self) -> Any:
        if self._pool is None:
            self._pool = importlib.import_module("gevent.threadpool").ThreadPool(1)
        return self._pool


def _outcome(work: Callable[[], T]) -> tuple[T | None, BaseException | None]:
    """What came of it, for gevent prints the traceback of what is raised in its threads."""
    try:
        return work(), None
    except BaseException as problem:
        return None, problem


def threads_are_greenlets() -> bool:
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched("threading"))
