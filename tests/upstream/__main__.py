"""`python -m tests.upstream --port 0` prints the base URL and serves until it is stopped."""

from __future__ import annotations

import argparse
import contextlib
import threading

from tests.upstream.server import Upstream


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.upstream", description="A scripted model server.")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument(
        "--script", default="", help='what to play unless asked for something else, as in "text pace=10"'
    )
    arguments = parser.parse_args()
    with Upstream(arguments.port) as up:
        if arguments.script:
            name, *options = arguments.script.split()
            up.script(name, **dict(option.split("=", 1) for option in options))
        print(up.base_url, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
