"""LiteLLM loaded and called in a process of its own whose every try to reach the network is counted.

Run by `test_litellm_loading.py`; prints what it saw as one line of JSON, and nothing else if all is well.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
from typing import Any

LOOPBACK = "127.0.0.1"
tried: list[str] = []


def watch() -> None:
    connect, resolve = socket.socket.connect, socket.getaddrinfo

    def watched_connect(self: socket.socket, address: Any) -> None:
        if address[0] != LOOPBACK:
            tried.append(str(address))
            raise OSError("no network here")
        connect(self, address)

    def watched_resolve(host: Any, *rest: Any, **more: Any) -> Any:
        if host != LOOPBACK:
            tried.append(str(host))
            raise socket.gaierror("no names here")
        return resolve(host, *rest, **more)

    socket.socket.connect = watched_connect  # type: ignore[assignment,method-assign]
    socket.getaddrinfo = watched_resolve


def main() -> None:
    watch()
    from app.backends.litellm_client import LiteLLM
    from app.errors import GatewayError
    from tests.backends.litellm_lab import calling, chunks, text_of
    from tests.backends.test_litellm_small import asking
    from tests.upstream import Upstream

    before = "litellm" in sys.modules or "httpx" in sys.modules
    carrier = LiteLLM("1.1 test")
    failures = []
    with Upstream() as up:
        text = text_of(carrier.complete(calling(up.base_url, api_key="sk-canary")))
        chunks(carrier, calling(up.base_url, stream=True, api_key="sk-canary"))
        chunks(carrier, asking(up.base_url, "completions", stream=True, api_key="sk-canary"))
        for script, provider in (("busy", None), ("canary", "mistral"), ("error-event", None)):
            up.script(script)
            try:
                chunks(
                    carrier, calling(up.base_url, stream=True, api_key="sk-canary", litellm_provider=provider)
                )
            except GatewayError as failure:
                failures.append(type(failure).__name__)
    report = {
        "imported_before_it_was_needed": before,
        "text": text,
        "failures": failures,
        "tried": tried,
        "logging_threads": [
            one.name for one in threading.enumerate() if one.name.startswith("litellm-logging")
        ],
        "mcp": "mcp" in sys.modules,
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
