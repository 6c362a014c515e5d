"""LiteLLM in a process whose threads gevent made greenlets; prints what it saw as one line of JSON.

Run by `test_litellm_processes.py`. The upstream is not in this process, so that all of its
greenlets are the gateway's.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from typing import Any  # noqa: E402

import gevent  # noqa: E402

from app.backends.litellm_client import LiteLLM  # noqa: E402
from tests.backends.litellm_lab import calling, gathered, text_of  # noqa: E402


def gaps_while(work: gevent.Greenlet[..., Any]) -> list[float]:
    """How long a ticker of 10 ms had to wait for its turn, in seconds, until `work` is done."""
    found = []
    while not work.ready():
        since = time.monotonic()
        gevent.sleep(0.01)
        found.append(time.monotonic() - since - 0.01)
    return found


def main(base_url: str, streams: int) -> None:
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
    print(json.dumps(report))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
