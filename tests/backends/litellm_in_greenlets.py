"""LiteLLM in a process whose threads gevent made greenlets; prints what it saw as one line of JSON.

Run by `test_litellm_processes.py`. The upstream is not in this process, so that all of its
greenlets are the gateway's.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import gc  # noqa: E402
import json  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from typing import Any  # noqa: E402

import gevent  # noqa: E402
from gevent.hub import Hub  # noqa: E402

from app.backends.litellm_client import LiteLLM  # noqa: E402
from app.errors import GatewayError  # noqa: E402
from app.types import DialectName  # noqa: E402
from tests.backends.litellm_lab import calling, chunks, gathered, text_of  # noqa: E402
from tests.backends.test_litellm_small import ASKED, asking  # noqa: E402

APIS: dict[DialectName, dict[str, Any]] = {**ASKED, "chat": {"messages": [{"role": "user", "content": "Hi"}]}}
AT_ONCE = 3


def gaps_while(work: gevent.Greenlet[..., Any]) -> list[float]:
    """How long a ticker of 10 ms had to wait for its turn, in seconds, until `work` is done."""
    found = []
    while not work.ready():
        since = time.monotonic()
        gevent.sleep(0.01)
        found.append(time.monotonic() - since - 0.01)
    return found


def refused(carrier: LiteLLM, base_url: str) -> list[str]:
    """What went wrong at an upstream that answers everything: each API, streamed where it can be."""

    def ask(wire: DialectName, stream: bool) -> None:
        call = asking(base_url, wire, APIS[wire], stream)
        try:
            chunks(carrier, call) if stream else carrier.complete(call)
        except GatewayError as problem:
            found.append(f"{wire}, {'streamed' if stream else 'plain'}: {problem}")

    found: list[str] = []
    for wire in APIS:
        for stream in (False, True) if wire in ("chat", "completions") else (False,):
            for _ in range(2):
                gevent.joinall([gevent.spawn(ask, wire, stream) for _ in range(AT_ONCE)], raise_error=True)
    return found


def main(base_url: str, streams: int, other_url: str) -> None:
    carrier = LiteLLM("1.1 test")
    carrier.load_in_background()
    began = time.monotonic()
    first = gevent.spawn(carrier.complete, calling(base_url, "first"))
    gaps = gaps_while(first)
    report: dict[str, Any] = {
        "first": text_of(first.get()),
        "loading": round(time.monotonic() - began, 2),
        "longest_gap": round(max(gaps), 3),
        "ticks": len(gaps),
    }
    names = [f"stream {number}" for number in range(streams)]
    running = [gevent.spawn(gathered, carrier, calling(base_url, name, stream=True)) for name in names]
    gevent.joinall(running, raise_error=True)
    report["mixed"] = [
        name for name, one in zip(names, running, strict=True) if name not in text_of(one.get())
    ]
    gc.unfreeze()  # or what was there when LiteLLM had been loaded would not be seen
    report["hubs"] = sum(isinstance(one, Hub) and one.loop is not None for one in gc.get_objects())
    gevent.get_hub().threadpool.kill()  # as if the thread that loaded it had been idle for a while
    report["refused"] = refused(carrier, other_url)
    print(json.dumps(report))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
