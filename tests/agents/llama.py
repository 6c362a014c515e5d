"""A real llama-server with one of the tiny models."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from tests.gateway import ROOT, free_port, stop


class LlamaServer:
    """A llama-server that runs; `url` is without `/v1`."""

    def __init__(self, model: Path, *flags: str, port: int = 0) -> None:
        script = ROOT / "scripts" / "get-llama-server.sh"
        binary = subprocess.run([script], check=True, capture_output=True, text=True).stdout.strip()
        port = port or free_port()
        self.url = f"http://127.0.0.1:{port}"
        # One thread that does not spin: two cores are shared with the tests.
        command = [binary, "--model", str(model), "--alias", "wire-of-tiny", "--port", str(port), "-t", "1"]
        command += ["--poll", "0", "-np", "1", "--cache-ram", "0", "--temp", "0", "--seed", "1"]
        command += ["--no-ui", "--offline", *flags]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def slot(self) -> dict[str, Any]:
        slots: list[dict[str, Any]] = requests.get(f"{self.url}/slots", timeout=10).json()
        return slots[0]


@contextmanager
def serving(model: Path, *flags: str) -> Iterator[LlamaServer]:
    """The server, from healthy until the block ends."""
    server = LlamaServer(model, *flags)
    try:
        until(lambda: _answers(f"{server.url}/health"))
        yield server
    finally:
        stop(server.process)


def make_models(folder: Path) -> Path:
    """The tiny models, written into that folder."""
    for name in ("make_tiny_gguf.py", "make_tiny_bert.py"):
        subprocess.run([sys.executable, ROOT / "scripts" / name, folder], check=True)
    return folder


def until(true: Callable[[], bool], timeout: float = 60, every: float = 0.01) -> None:
    deadline = time.monotonic() + timeout
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(every)


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).ok
    except requests.RequestException:
        return False
