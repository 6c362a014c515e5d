"""The real server as people treat it: started, reloaded, interrupted, killed, with one worker or two."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.contract.client import ask, body_for, post_raw
from tests.gateway import Gateway, bare_environment, config, free_port, running
from tests.upstream import Connection, Seen, Upstream
from tests.upstream.delivery import How, sse
from tests.upstream.wire import Body

SAFETY = 20.0
"""Seconds after which something that should have happened has not."""

CLASSES = pytest.mark.parametrize("worker_class", ["gevent", "gthread"])


def until(happened: Callable[[], Any], what: str = "it") -> Any:
    """What `happened` gives as soon as it gives something."""
    end = time.monotonic() + SAFETY
    while time.monotonic() < end:
        if found := happened():
            return found
        time.sleep(0.01)
    raise TimeoutError(f"{what} did not happen")


def workers_of(process: subprocess.Popen[bytes]) -> list[int]:
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True)
    pairs = [line.split() for line in listed.stdout.splitlines()]
    return [int(pid) for pid, parent in pairs if int(parent) == process.pid]


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def refuses(gateway: Gateway) -> bool:
    try:
        socket.create_connection(("127.0.0.1", int(gateway.url.rpartition(":")[2])), timeout=5).close()
    except ConnectionError:
        return True
    return False


def aliases(gateway: Gateway) -> list[str]:
    """On a connection of its own, so that any worker may answer."""
    listed = requests.get(f"{gateway.url}/v1/models", headers={"Connection": "close"}, timeout=10).json()
    return [model["id"] for model in listed["data"]]


@dataclass
class Conversation:
    """A stream that the test itself leads: the target says `one`, and `two` when it is told to."""

    go_on: threading.Event = field(default_factory=threading.Event)

    def __call__(self, connection: Connection, seen: Seen) -> bool:
        connection.send_head(200, [("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked")])
        body = Body(connection, seen, "chunked", extensions=False)
        body.send(said("one"))
        self.go_on.wait(SAFETY)
        body.send(said("two") + said("", "stop") + sse("[DONE]", How()))
        body.end(trailers=False)
        return True


def said(text: str, finish: str | None = None) -> bytes:
    chunk = {"model": "wire", "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]}
    return sse(json.dumps(chunk), How())


class Listening:
    """A client in the middle of a stream: `one` has come."""

    def __init__(self, gateway: Gateway) -> None:
        self.sock = post_raw(gateway.url, json.dumps(body_for("model", "", stream=True)).encode())
        self.sock.settimeout(SAFETY)
        self.data = b""
        while b'"one"' not in self.data:
            self.data += self._read()

    def _read(self) -> bytes:
        data = self.sock.recv(65536)
        assert data, self.data
        return data

    def rest(self) -> bytes:
        """Everything up to the proper end of the body, or of the connection."""
        while not self.data.endswith(b"\r\n0\r\n\r\n"):
            try:
                data = self.sock.recv(65536)
            except ConnectionError:
                break
            if not data:
                break
            self.data += data
        self.sock.close()
        return self.data

    @property
    def whole(self) -> bool:
        rest = self.rest()
        return b'"two"' in rest and b"[DONE]" in rest and rest.endswith(b"\r\n0\r\n\r\n")


@pytest.fixture
def conversation(upstream: Upstream) -> Iterator[Conversation]:
    made = Conversation()
    upstream.play(made)
    yield made
    made.go_on.set()


@contextmanager
def serving(folder: Path, upstream: Upstream, *options: str, **environment: str) -> Iterator[Gateway]:
    with running(folder, settings(upstream), *options, **environment) as gateway:
        yield gateway


def settings(upstream: Upstream, *more: str) -> dict[str, Any]:
    return config(upstream.base_url, {alias: "wire" for alias in ("model", *more)})


def rewrite(gateway: Gateway, content: dict[str, Any] | str) -> None:
    """Another opencode.json, and the signal to read it."""
    file = gateway.log_file.parent / "opencode.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    gateway.process.send_signal(signal.SIGHUP)


# ─── start ───────────────────────────────────────────────────────────────────────────────────────


def test_the_start_says_what_is_served_and_where(tmp_path: Path, upstream: Upstream) -> None:
    with serving(tmp_path, upstream) as gateway:
        told = gateway.log()

        assert f"on {gateway.url}/v1  (Ctrl-C stops, SIGHUP reloads " in told
        assert "1 model, 1 ready" in told
        assert "model  up/wire" in told
        assert "gunicorn" not in told
        assert "sk-of-the-target" not in told


def launched(folder: Path, port: int, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A start that is expected to fail."""
    return subprocess.run(
        [sys.executable, "-m", "app", "serve", "--port", str(port), *options],
        cwd=folder,
        env=bare_environment(folder) | environment,
        capture_output=True,
        text=True,
        timeout=SAFETY,
        check=False,
    )


def test_a_port_in_use_is_said_at_once_and_nothing_else(tmp_path: Path, upstream: Upstream) -> None:
    with serving(tmp_path, upstream) as gateway:
        port = int(gateway.url.rpartition(":")[2])
        ended = launched(tmp_path, port)

        assert ended.returncode == 1
        assert f"port {port} is in use" in ended.stderr
        assert "--port" in ended.stderr
        assert "Traceback" not in ended.stderr
        assert "gunicorn" not in ended.stderr
        assert "Ctrl-C stops" not in ended.stdout
        assert requests.get(f"{gateway.url}/health", timeout=10).ok


@pytest.mark.parametrize(
    ("host", "why"),
    [("192.0.2.1", "192.0.2.1 is no address of this machine"), ("no-such-host.invalid", "no address")],
)
def test_an_address_that_is_not_ours_is_said_at_once(
    tmp_path: Path, upstream: Upstream, host: str, why: str
) -> None:
    (tmp_path / "opencode.json").write_text(json.dumps(settings(upstream)))
    ended = launched(tmp_path, free_port(), "--host", host, "--insecure")

    assert ended.returncode == 1
    assert why in " ".join(ended.stderr.split())
    assert "gunicorn" not in ended.stderr


def test_a_second_start_right_after_a_stop_has_the_port(tmp_path: Path, upstream: Upstream) -> None:
    port = str(free_port())
    for _ in range(2):
        with serving(tmp_path, upstream, "--port", port) as gateway:
            ask(f"http://127.0.0.1:{port}", "model", "text", stream=True)
    assert gateway.process.returncode == 0


# ─── stop ────────────────────────────────────────────────────────────────────────────────────────


@CLASSES
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_an_idle_gateway_stops_at_once_though_clients_stay_connected(
    tmp_path: Path, upstream: Upstream, sign: signal.Signals, worker_class: str
) -> None:
    with (
        serving(
            tmp_path, upstream, LOCALCODE_WORKER_CLASS=worker_class, LOCALCODE_GRACEFUL_TIMEOUT="600"
        ) as gateway,
        requests.Session() as kept,
        socket.create_connection(("127.0.0.1", int(gateway.url.rpartition(":")[2]))),
    ):
        assert kept.get(f"{gateway.url}/v1/models", timeout=10).ok
        workers = workers_of(gateway.process)
        gateway.process.send_signal(sign)

        assert gateway.process.wait(SAFETY) == 0
        assert workers
        assert all(map(is_gone, workers))
        assert "ERROR" not in gateway.log()
        assert "Traceback" not in gateway.log()


@CLASSES
def test_a_stop_right_after_the_start_is_not_lost(
    tmp_path: Path, upstream: Upstream, worker_class: str
) -> None:
    """A worker that has no handlers yet would have swallowed it, and been waited for."""
    (tmp_path / "opencode.json").write_text(json.dumps(settings(upstream)))
    process = subprocess.Popen(
        [sys.executable, "-m", "app", "serve", "--port", str(free_port())],
        cwd=tmp_path,
        env=bare_environment(tmp_path)
        | {"LOCALCODE_WORKER_CLASS": worker_class, "LOCALCODE_GRACEFUL_TIMEOUT": "600"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until(lambda: workers_of(process), "a worker")
        process.terminate()

        assert process.wait(SAFETY) == 0
    finally:
        process.kill()


def test_a_stop_while_litellm_is_still_loading_is_not_held_up(tmp_path: Path, upstream: Upstream) -> None:
    """Its import, cut off, left locks behind that the interpreter's own end waited for, for ever."""
    with_litellm = {"model": {"id": "wire", "options": {"localcode": {"carrier": "litellm"}}}}
    with running(
        tmp_path, config(upstream.base_url, with_litellm), LOCALCODE_GRACEFUL_TIMEOUT="600"
    ) as gateway:
        gateway.process.terminate()

        assert gateway.process.wait(SAFETY) == 0


@CLASSES
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_a_running_stream_may_finish_while_nothing_new_is_taken(
    tmp_path: Path, upstream: Upstream, conversation: Conversation, sign: signal.Signals, worker_class: str
) -> None:
    with serving(tmp_path, upstream, LOCALCODE_WORKER_CLASS=worker_class) as gateway:
        listening = Listening(gateway)
        gateway.process.send_signal(sign)
        until(lambda: refuses(gateway), "a closed door")
        assert gateway.process.poll() is None
        conversation.go_on.set()

        assert listening.whole
        assert gateway.process.wait(SAFETY) == 0
        assert "← 200 model" in gateway.log()


@CLASSES
def test_a_second_ctrl_c_ends_a_running_stream_too(
    tmp_path: Path, upstream: Upstream, conversation: Conversation, worker_class: str
) -> None:
    with serving(
        tmp_path, upstream, LOCALCODE_WORKER_CLASS=worker_class, LOCALCODE_GRACEFUL_TIMEOUT="600"
    ) as gateway:
        listening = Listening(gateway)
        workers = workers_of(gateway.process)
        gateway.process.send_signal(signal.SIGINT)
        until(lambda: refuses(gateway), "a closed door")
        gateway.process.send_signal(signal.SIGINT)

        gateway.process.wait(SAFETY)
        assert all(map(is_gone, workers))
        assert b"[DONE]" not in listening.rest()
        assert not listening.data.endswith(b"0\r\n\r\n")


@CLASSES
def test_the_graceful_timeout_bounds_the_wait_and_the_stream_breaks_off(
    tmp_path: Path, upstream: Upstream, conversation: Conversation, worker_class: str
) -> None:
    with serving(
        tmp_path, upstream, LOCALCODE_WORKER_CLASS=worker_class, LOCALCODE_GRACEFUL_TIMEOUT="1"
    ) as gateway:
        listening = Listening(gateway)
        workers = workers_of(gateway.process)
        gateway.process.terminate()

        gateway.process.wait(SAFETY)
        assert all(map(is_gone, workers))
        assert b"[DONE]" not in listening.rest()
        assert not listening.data.endswith(b"0\r\n\r\n")
        assert "out of memory" not in gateway.log()
        if worker_class == "gevent":
            assert "1 requests did not finish within 1 s" in gateway.log()


# ─── reload ──────────────────────────────────────────────────────────────────────────────────────


@CLASSES
def test_a_good_file_is_swapped_in_whole_and_cuts_no_stream(
    tmp_path: Path, upstream: Upstream, conversation: Conversation, worker_class: str
) -> None:
    with serving(tmp_path, upstream, LOCALCODE_WORKER_CLASS=worker_class) as gateway:
        listening = Listening(gateway)
        workers = workers_of(gateway.process)
        rewrite(gateway, config(upstream.base_url, {"newcomer": "wire"}))
        until(lambda: aliases(gateway) == ["newcomer"], "the new alias")
        conversation.go_on.set()

        assert listening.whole
        assert b'"model":"model"' in listening.data
        assert ask(gateway.url, "newcomer", stream=True).done
        assert ask(gateway.url, "model").error["code"] == "model_not_found"
        assert workers_of(gateway.process) == workers
        assert "configuration reloaded" in gateway.log()


@pytest.mark.parametrize(
    ("content", "place"),
    [('{"provider": {\n  "up": ]}', "opencode.json:2"), ("", "opencode.json"), ("[]", "opencode.json")],
)
def test_a_bad_file_changes_nothing_and_is_named_in_the_log(
    tmp_path: Path, upstream: Upstream, content: str, place: str
) -> None:
    with serving(tmp_path, upstream) as gateway:
        rewrite(gateway, content)
        line = until(
            lambda: [text for text in gateway.log().splitlines() if "not reloaded" in text], "the log line"
        )[0]

        assert place in line
        assert aliases(gateway) == ["model"]
        assert ask(gateway.url, "model", "text").status == 200

        rewrite(gateway, settings(upstream, "mended"))
        until(lambda: "mended" in aliases(gateway), "the mended file")


def test_a_file_that_vanished_changes_nothing(tmp_path: Path, upstream: Upstream) -> None:
    with serving(tmp_path, upstream) as gateway:
        (tmp_path / "opencode.json").unlink()
        gateway.process.send_signal(signal.SIGHUP)
        until(lambda: "not reloaded" in gateway.log(), "the log line")

        assert aliases(gateway) == ["model"]


def test_a_key_that_came_with_a_reload_is_used_and_masked(tmp_path: Path, upstream: Upstream) -> None:
    content = config(upstream.base_url, {"model": "wire"}, apiKey="{env:THE_KEY}")
    (tmp_path / ".env").write_text("THE_KEY=first-key-1234567\n")
    with running(tmp_path, content, LOCALCODE_LOG_LEVEL="DEBUG") as gateway:
        ask(gateway.url, "model", "text")
        assert upstream.last.header("authorization") == "Bearer first-key-1234567"

        (tmp_path / ".env").write_text("THE_KEY=plainly-new-words\n")
        content["provider"]["up"]["models"]["newcomer"] = {"id": "wire"}
        rewrite(gateway, content)
        until(lambda: "newcomer" in aliases(gateway), "the reload")
        for key in ("first-key-1234567", "plainly-new-words"):
            ask(gateway.url, "newcomer", f'text say="the keys are {key} indeed"', stream=True)
            ask(gateway.url, "newcomer", f'status status=400 message="is {key} yours?"')

        assert upstream.last.header("authorization") == "Bearer plainly-new-words"
        assert "[STREAM CHUNK]" in gateway.log()
        assert "first-key-1234567" not in gateway.log()
        assert "plainly-new-words" not in gateway.log()


@CLASSES
def test_a_reload_right_after_the_start_is_not_lost(
    tmp_path: Path, upstream: Upstream, worker_class: str
) -> None:
    file = tmp_path / "opencode.json"
    file.write_text(json.dumps(settings(upstream)))
    port, log = free_port(), tmp_path / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "app", "serve", "--port", str(port)],
            cwd=tmp_path,
            env=bare_environment(tmp_path) | {"LOCALCODE_WORKER_CLASS": worker_class},
            stdout=out,
            stderr=out,
        )
    gateway = Gateway(f"http://127.0.0.1:{port}", process, log)
    try:
        until(lambda: workers_of(process), "a worker")
        rewrite(gateway, settings(upstream, "newcomer"))
        until(lambda: not refuses(gateway) and "newcomer" in aliases(gateway), "the new alias")
    finally:
        process.terminate()
        process.wait(SAFETY)


# ─── several workers ─────────────────────────────────────────────────────────────────────────────


def test_two_workers_reload_both_and_one_that_was_killed_is_replaced_by_one_that_knows(
    tmp_path: Path, upstream: Upstream
) -> None:
    with serving(tmp_path, upstream, "--workers", "2") as gateway:
        workers = until(lambda: len(found := workers_of(gateway.process)) == 2 and found, "two workers")
        rewrite(gateway, settings(upstream, "newcomer"))
        until(lambda: "newcomer" in aliases(gateway), "the new alias")
        until(lambda: all("newcomer" in aliases(gateway) for _ in range(20)), "the new alias everywhere")

        os.kill(workers[0], signal.SIGKILL)
        until(lambda: len(set(workers_of(gateway.process)) - {workers[0]}) == 2, "another worker")
        os.kill(workers[1], signal.SIGKILL)
        until(lambda: len(set(workers_of(gateway.process)) - set(workers)) == 2, "yet another worker")

        assert all("newcomer" in aliases(gateway) for _ in range(10))
        newest = workers_of(gateway.process)
        gateway.process.terminate()
        assert gateway.process.wait(SAFETY) == 0
        assert all(map(is_gone, newest))


def test_when_the_master_is_killed_its_workers_do_not_stay(tmp_path: Path, upstream: Upstream) -> None:
    with serving(tmp_path, upstream) as gateway:
        workers = workers_of(gateway.process)
        gateway.process.kill()
        gateway.process.wait(SAFETY)

        until(lambda: all(map(is_gone, workers)), "the end of the workers")


# ─── the other worker class ──────────────────────────────────────────────────────────────────────


def test_threads_serve_as_well_and_notice_who_leaves(tmp_path: Path, upstream: Upstream) -> None:
    with serving(tmp_path, upstream, LOCALCODE_WORKER_CLASS="gthread") as gateway:
        assert ask(gateway.url, "model", "text").status == 200
        assert ask(gateway.url, "model", "text", stream=True).done
        assert ask(gateway.url, "model", "cut", stream=True).broken

        before = len(upstream.requests)
        for number, script in enumerate(("mute", "stall", "tokens n=100000 pace=5"), 1):
            sock = post_raw(gateway.url, json.dumps(body_for("model", script, stream=True)).encode())
            seen = upstream.wait_for(before + number)
            sock.close()
            assert seen.closed_early.wait(SAFETY)
        assert "Traceback" not in gateway.log()
