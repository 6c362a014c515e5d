"""Who stands between client and upstream: how each is started, known to be healthy and stopped."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from bench.processes import Tree
from bench.script import ALIAS, NATIVE, TARGET_KEY, WIRE_MODEL, DialectName

HERE = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("LOCALCODE_BENCH_CACHE", "~/.cache/localcode/bench")).expanduser()
CLIENT_KEY = f"sk-{secrets.token_hex(32)}"
"""The client's key of this run. LiteLLM Proxy does not start without one, so the gateway checks it too."""
START_LIMIT = 120.0
STOP_LIMIT = 20.0

Name = Literal["LocalCode", "LiteLLM Proxy", "nginx", "direct"]


class CannotRun(Exception):
    """Something is missing on this machine, or did not start."""


@dataclass(frozen=True, slots=True)
class Contestant:
    """How to start one. Without a command it is a control: the upstream itself."""

    name: str
    port: int
    command: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    health: str = "/health"
    aliased: bool = False
    """Whether it promises to hide the target's name."""
    shown_in: frozenset[DialectName] = frozenset()
    """Dialects in whose streams it shows that name all the same."""


@dataclass(frozen=True, slots=True)
class Running:
    contestant: Contestant
    tree: Tree | None
    start: float
    """Seconds from exec to the first 200 of its health endpoint."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def bare_environment() -> dict[str, str]:
    """This environment without what would configure a contestant."""
    foreign = ("LOCALCODE_", "LITELLM_", "GUNICORN_", "OPENAI_")
    return {name: value for name, value in os.environ.items() if not name.startswith(foreign)}


def gateway(
    upstream: int, work: Path, worker_class: str | None = None, name: str = "LocalCode"
) -> Contestant:
    """This gateway, one worker, logs at INFO; one target speaks chat only, one speaks every dialect."""
    home = work / f"home-{worker_class or 'default'}"
    home.mkdir(exist_ok=True)
    config = home / "opencode.json"
    config.write_text(json.dumps(_opencode_json(upstream)))
    port = free_port()
    env = {
        "LOCALCODE_WORKERS": "1",
        "LOCALCODE_LOG_LEVEL": "INFO",
        "LOCALCODE_HOME": str(home),
        "LOCALCODE_API_KEYS": CLIENT_KEY,
    }
    if worker_class is not None:
        env["LOCALCODE_WORKER_CLASS"] = worker_class
    command = (sys.executable, "-m", "app", "serve", "--host", "127.0.0.1", "--port", str(port))
    return Contestant(name, port, (*command, "--config", str(config)), env, aliased=True)


def _opencode_json(upstream: int) -> dict[str, object]:
    def provider(aliases: Iterable[str], **localcode: object) -> dict[str, object]:
        options = {"baseURL": f"http://127.0.0.1:{upstream}/v1", "apiKey": TARGET_KEY, "localcode": localcode}
        models = {alias: {"id": WIRE_MODEL} for alias in aliases}
        return {"npm": "@ai-sdk/openai-compatible", "options": options, "models": models}

    native = provider(NATIVE.values(), dialects=["chat", "messages", "responses"])
    return {"provider": {"bench": provider([ALIAS]), "native": native}}


def litellm(upstream: int, work: Path) -> Contestant:
    """LiteLLM Proxy, one worker, uvicorn with uvloop and httptools, nothing switched on."""
    program = CACHE / "litellm" / "bin" / "litellm"
    if not program.exists():
        raise CannotRun(f"no LiteLLM Proxy in {program.parent}: bench/run.sh installs it")
    config = _filled(HERE / "litellm.yaml", work, UPSTREAM=str(upstream))
    port = free_port()
    env = {
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_LOG": "ERROR",
        "LITELLM_MODE": "PRODUCTION",
        "LITELLM_MASTER_KEY": CLIENT_KEY,
        "LITELLM_TELEMETRY": "False",
        "HF_HUB_OFFLINE": "1",
        "NO_DOCS": "True",
        "DISABLE_ADMIN_UI": "True",
    }
    command = (str(program), "--config", str(config), "--host", "127.0.0.1", "--port", str(port))
    options = ("--num_workers", "1", "--telemetry", "False")
    return Contestant(
        "LiteLLM Proxy",
        port,
        command + options,
        env,
        "/health/liveliness",
        aliased=True,
        shown_in=frozenset({"responses"}),  # the events that hold the whole response
    )


def nginx(upstream: int, work: Path) -> Contestant:
    """nginx, one worker, as a plain proxy."""
    program = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if program is None:
        raise CannotRun(
            "nginx is missing: apt install nginx-light (Debian, Ubuntu) or brew install nginx (macOS)"
        )
    port = free_port()
    # A master that is root would give the worker to `nobody`, who may not write here.
    user = "user root;" if os.geteuid() == 0 else ""
    values = {"UPSTREAM": str(upstream), "PORT": str(port), "WORK": str(work), "USER": user}
    config = _filled(HERE / "nginx.conf", work, **values)
    command = (program, "-c", str(config), "-e", str(work / "nginx-error.log"))
    return Contestant("nginx", port, command)


def direct(upstream: int) -> Contestant:
    return Contestant("direct", upstream)


def _filled(template: Path, work: Path, **values: str) -> Path:
    text = template.read_text()
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    target = work / template.name
    target.write_text(text)
    return target


@contextmanager
def upstream(events_per_send: int = 1) -> Iterator[tuple[int, Tree]]:
    """The scripted upstream: its port and its process."""
    port = free_port()
    command = (sys.executable, "-m", "bench.upstream", str(port), "--events-per-send", str(events_per_send))
    with started(Contestant("upstream", port, command), Path(os.devnull)) as running:
        assert running.tree is not None
        yield port, running.tree


@contextmanager
def started(contestant: Contestant, log: Path) -> Iterator[Running]:
    """The contestant, healthy; stopped at the end."""
    if not contestant.command:
        yield Running(contestant, None, 0.0)
        return
    begun = time.monotonic()
    with log.open("ab") as output:
        process = subprocess.Popen(
            contestant.command,
            env=bare_environment() | dict(contestant.env),
            cwd=HERE.parent,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        seconds = _healthy_after(contestant, process, begun, log)
        yield Running(contestant, Tree(process.pid), seconds)
    finally:
        _stop(process)


def _healthy_after(
    contestant: Contestant, process: subprocess.Popen[bytes], begun: float, log: Path
) -> float:
    while (passed := time.monotonic() - begun) < START_LIMIT:
        if process.poll() is not None:
            raise CannotRun(f"{contestant.name} ended with {process.returncode}: {_last_words(log)}")
        if get(contestant.port, contestant.health) is not None:
            return time.monotonic() - begun
        time.sleep(0.005 if passed < 2 else 0.05)
    raise CannotRun(f"{contestant.name} was not healthy after {START_LIMIT:.0f} s: {_last_words(log)}")


def _last_words(log: Path) -> str:
    return log.read_text(errors="replace")[-2_000:] if log.is_file() else ""


def get(port: int, path: str) -> bytes | None:
    """The body of a 200, or None."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, http.client.HTTPException):
        return None
    else:
        return body if answer.status == 200 else None
    finally:
        connection.close()


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ends what was started here, and nothing else: it has its own process group."""
    process.terminate()
    try:
        process.wait(STOP_LIMIT)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
