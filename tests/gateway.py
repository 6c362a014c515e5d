"""The real gateway as a process of its own: `python -m app serve` on a free port, in an empty environment."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class Gateway:
    """A gateway that runs."""

    url: str
    """Without `/v1`."""
    process: subprocess.Popen[bytes]
    log_file: Path

    def log(self) -> str:
        """All that it has written so far, to stdout and stderr."""
        return self.log_file.read_text(errors="replace")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


def config(base_url: str, aliases: Mapping[str, Any], **options: Any) -> dict[str, Any]:
    """An opencode.json with one provider, `up`, at that address; an alias is settings or a wire id."""
    models = {alias: {"id": model} if isinstance(model, str) else model for alias, model in aliases.items()}
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "options": {"baseURL": base_url, "apiKey": "sk-of-the-target", **options},
        "models": models,
    }
    return {"provider": {"up": provider}}


@contextmanager
def running(
    folder: Path, settings: Mapping[str, Any] | Path, *options: str, **environment: str
) -> Iterator[Gateway]:
    """The gateway with this configuration, from healthy until the block ends. The folder is its home."""
    file = settings if isinstance(settings, Path) else folder / "opencode.json"
    if not isinstance(settings, Path):
        file.write_text(json.dumps(settings))
    port = free_port()
    command = [sys.executable, "-m", "app", "serve", "--port", str(port), "--config", str(file), *options]
    log_file = folder / "gateway.log"
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=bare_environment(folder) | environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    gateway = Gateway(f"http://127.0.0.1:{port}", process, log_file)
    try:
        wait_until_healthy(gateway)
        yield gateway
    finally:
        stop(process)


def bare_environment(folder: Path) -> dict[str, str]:
    """Nothing of the developer's: no keys, no settings, no `.env`."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "PYTHONPATH": str(ROOT),
        "LOCALCODE_HOME": str(folder / "localcode"),
    }


def wait_until_healthy(gateway: Gateway, timeout: float = 30) -> None:
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if gateway.process.poll() is not None:
            raise RuntimeError(f"the gateway ended with {gateway.process.returncode}:\n{gateway.log()}")
        try:
            if requests.get(f"{gateway.url}/health", timeout=5).ok:
                return
        except requests.RequestException:
            time.sleep(0.02)
    raise TimeoutError(f"the gateway was not healthy after {timeout} s:\n{gateway.log()}")


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ends it in order, and by force where that takes too long."""
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
