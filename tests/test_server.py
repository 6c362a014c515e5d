"""The real server as people treat it: started, reloaded, interrupted, killed, with one worker or two."""

from __future__ import annotations

import contextlib
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

from app.config import read_catalog
from app.config.catalog import Catalog, ConfigError
from app.config.settings import Settings
from app.server import Service
from tests.contract.client import ask, body_for, post_raw
from tests.fakes import catalog, target
from tests.gateway import Gateway, bare_environment, config, free_port, running, stop
from tests.upstream import Connection, Seen, Upstream
from tests.upstream.delivery import How, sse
from tests.upstream.wire import Body

SAFETY = 20.0
"""Seconds after which something that should have happened has not."""

CLASSES = pytest.mark.parametrize("worker_class", ["gevent", "gthread"])
SIGNALS = pytest.mark.parametrize(
    ("sign", "worker_class"),
    [(signal.SIGINT, "gevent"), (signal.SIGTERM, "gevent"), (signal.SIGINT, "gthread")],
)


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
    return config(upstream.base_url, dict.fromkeys(("model", *more), "wire"))


def rewrite(gateway: Gateway, content: dict[str, Any] | str) -> None:
    """Another opencode.json, and the signal to read it."""
    file = gateway.log_file.parent / "opencode.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    gateway.process.send_signal(signal.SIGHUP)


# ─── start ───────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def launched(folder: Path, port: int, *options: str, **environment: str) -> Iterator[Gateway]:
    """A start that nobody waits for."""
    log = folder / "launched.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "app", "serve", "--port", str(port), *options],
            cwd=folder,
            env=bare_environment(folder) | environment,
            stdout=out,
            stderr=out,
        )
    try:
        yield Gateway(f"http://127.0.0.1:{port}", process, log)
    finally:
        stop(process)


def test_the_start_says_what_is_served_and_a_second_one_that_the_port_is_in_use(
    tmp_path: Path, upstream: Upstream
) -> None:
    with serving(tmp_path, upstream) as gateway:
        told = gateway.log()
        assert f"on {gateway.url}/v1  (Ctrl-C stops, SIGHUP reloads " in told
        assert "1 model, 1 ready" in told
        assert "model  up/wire" in told
        assert "gunicorn" not in told
        assert "sk-of-the-target" not in told

        port = int(gateway.url.rpartition(":")[2])
        with launched(tmp_path, port) as second:
            assert second.process.wait(SAFETY) == 1

        said = " ".join(second.log().split())
        assert f"port {port} is in use" in said
        assert "another with --port" in said
        for unwanted in ("Traceback", "gunicorn", "Ctrl-C stops"):
            assert unwanted not in said
        assert requests.get(f"{gateway.url}/health", timeout=10).ok


@pytest.mark.parametrize(
    ("host", "why"),
    [("192.0.2.1", "192.0.2.1 is no address of this machine"), ("no-such-host.invalid", "no address")],
)
def test_an_address_that_is_not_ours_is_said_at_once(
    tmp_path: Path, upstream: Upstream, host: str, why: str
) -> None:
    (tmp_path / "opencode.json").write_text(json.dumps(settings(upstream)))
    with launched(tmp_path, free_port(), "--host", host, "--insecure") as gateway:
        assert gateway.process.wait(SAFETY) == 1

    said = " ".join(gateway.log().split())
    assert why in said
    assert "gunicorn" not in said


@CLASSES
def test_another_start_has_the_port_even_while_the_last_stream_of_the_old_one_runs(
    tmp_path: Path, upstream: Upstream, conversation: Conversation, worker_class: str
) -> None:
    with serving(tmp_path, upstream, LOCALCODE_WORKER_CLASS=worker_class) as old:
        listening = Listening(old)
        old.process.terminate()
        until(lambda: refuses(old), "a closed door")
        with launched(tmp_path, int(old.url.rpartition(":")[2])) as new:
            until(lambda: not refuses(new), "an open door")
            assert aliases(new) == ["model"]
            assert old.process.poll() is None
            conversation.go_on.set()

            assert listening.whole


# ─── stop ────────────────────────────────────────────────────────────────────────────────────────


@SIGNALS
def test_an_idle_gateway_stops_at_once_though_clients_stay_connected(
    tmp_path: Path, upstream: Upstream, sign: signal.Signals, worker_class: str
) -> None:
    patient = {"LOCALCODE_WORKER_CLASS": worker_class, "LOCALCODE_GRACEFUL_TIMEOUT": "600"}
    with serving(tmp_path, upstream, **patient) as gateway, requests.Session() as kept:
        assert kept.get(f"{gateway.url}/v1/models", timeout=10).ok
        workers = workers_of(gateway.process)
        gateway.process.send_signal(sign)

        assert gateway.process.wait(SAFETY) == 0
        assert workers
        until(lambda: all(map(is_gone, workers)), "the end of the workers")
        assert "ERROR" not in gateway.log()
        assert "Traceback" not in gateway.log()


@CLASSES
def test_a_stop_right_after_the_start_is_not_lost(
    tmp_path: Path, upstream: Upstream, worker_class: str
) -> None:
    """A worker that has no handlers yet would have swallowed it, and been waited for."""
    (tmp_path / "opencode.json").write_text(json.dumps(settings(upstream)))
    patient = {"LOCALCODE_WORKER_CLASS": worker_class, "LOCALCODE_GRACEFUL_TIMEOUT": "600"}
    with launched(tmp_path, free_port(), **patient) as gateway:
        until(lambda: workers_of(gateway.process), "a worker")
        gateway.process.terminate()

        assert gateway.process.wait(SAFETY) == 0


def test_a_stop_while_litellm_is_still_loading_is_not_held_up(tmp_path: Path, upstream: Upstream) -> None:
    """Its import, cut off, left locks behind that the interpreter's own end waited for, for ever."""
    with_litellm = {"model": {"id": "wire", "options": {"localcode": {"carrier": "litellm"}}}}
    with running(
        tmp_path, config(upstream.base_url, with_litellm), LOCALCODE_GRACEFUL_TIMEOUT="600"
    ) as gateway:
        gateway.process.terminate()

        assert gateway.process.wait(SAFETY) == 0


@SIGNALS
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


def test_a_second_ctrl_c_ends_a_running_stream_too(
    tmp_path: Path, upstream: Upstream, conversation: Conversation
) -> None:
    with serving(tmp_path, upstream, LOCALCODE_GRACEFUL_TIMEOUT="600") as gateway:
        listening = Listening(gateway)
        workers = workers_of(gateway.process)
        gateway.process.send_signal(signal.SIGINT)
        until(lambda: refuses(gateway), "a closed door")
        gateway.process.send_signal(signal.SIGINT)

        gateway.process.wait(SAFETY)
        until(lambda: all(map(is_gone, workers)), "the end of the workers")
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
        until(lambda: all(map(is_gone, workers)), "the end of the workers")
        assert b"[DONE]" not in listening.rest()
        assert not listening.data.endswith(b"0\r\n\r\n")
        assert "out of memory" not in gateway.log()  # as gunicorn says of workers that it had to kill
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


BAD_FILES = {
    '{"provider": {\n  "up": ]}': "opencode.json:2",
    "": "opencode.json",
    "[]": "opencode.json",
    '{"provider": []}': "provider",
}


def test_a_bad_file_changes_nothing_and_is_named_in_the_log(tmp_path: Path, upstream: Upstream) -> None:
    def refusals() -> list[str]:
        return [line for line in gateway.log().splitlines() if "not reloaded" in line]

    with serving(tmp_path, upstream) as gateway:
        for number, (content, place) in enumerate(BAD_FILES.items()):
            rewrite(gateway, content)
            until(lambda number=number: len(refusals()) > number, "the log line")  # type: ignore[misc]
            assert place in refusals()[number]
            assert ask(gateway.url, "model", "text").status == 200

        (tmp_path / "opencode.json").unlink()
        gateway.process.send_signal(signal.SIGHUP)
        until(lambda: len(refusals()) > len(BAD_FILES), "the log line")
        assert aliases(gateway) == ["model"]

        rewrite(gateway, settings(upstream, "mended"))
        until(lambda: "mended" in aliases(gateway), "the mended file")


def test_a_partly_bad_file_is_swapped_in_and_what_is_wrong_is_named(
    tmp_path: Path, upstream: Upstream
) -> None:
    with serving(tmp_path, upstream) as gateway:
        content = settings(upstream, "newcomer")
        content["provider"]["up"]["models"]["model"] = 5
        rewrite(gateway, content)
        until(lambda: "newcomer" in aliases(gateway), "the new alias")

        assert "provider.up.models.model" in gateway.log()


@pytest.mark.parametrize(
    "mistake", [KeyError("ours"), ConfigError("opencode.json:1", "wrong"), OSError("no disk")]
)
def test_whatever_becomes_of_reading_the_last_good_catalog_stays(mistake: Exception) -> None:
    def read() -> Catalog:
        raise mistake

    good = catalog(target())
    service = Service(Settings(), good, read)

    assert service.renew() is False
    assert service.catalog is good


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
    (tmp_path / "opencode.json").write_text(json.dumps(settings(upstream)))
    with launched(tmp_path, free_port(), LOCALCODE_WORKER_CLASS=worker_class) as gateway:
        until(lambda: workers_of(gateway.process), "a worker")
        rewrite(gateway, settings(upstream, "newcomer"))

        until(lambda: not refuses(gateway) and "newcomer" in aliases(gateway), "the new alias")


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
        until(lambda: all(map(is_gone, newest)), "the end of the workers")


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
        for number, script in enumerate(("mute", "stall", "tokens n=20000 pace=5"), 1):
            sock = post_raw(gateway.url, json.dumps(body_for("model", script, stream=True)).encode())
            seen = upstream.wait_for(before + number)
            sock.close()
            assert seen.closed_early.wait(SAFETY)
        assert "Traceback" not in gateway.log()


# ─── loops ───────────────────────────────────────────────────────────────────────────────────────


class Detour:
    """A port that leads to another one, as a name, a proxy or a container would; counts what went through."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.leads_to = 0
        self.requests = 0
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def __enter__(self) -> Detour:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join(SAFETY)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self.leads_to))
            for source, drain in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(source, drain, source is near), daemon=True).start()

    def _pump(self, source: socket.socket, drain: socket.socket, counted: bool) -> None:
        with source:
            while data := source.recv(65536):
                self.requests += data.count(b"POST /") if counted else 0
                drain.sendall(data)
            with contextlib.suppress(OSError):
                drain.shutdown(socket.SHUT_WR)


@pytest.fixture
def looping(tmp_path: Path) -> Iterator[tuple[Gateway, Detour]]:
    """A gateway whose provider leads back to it by a way that it cannot know."""
    again = {"maxRetries": 3, "retryAfter": 0.01}
    models = {
        "model": "model",
        "lite": {"id": "lite", "options": {"localcode": {"carrier": "litellm"}}},
        "patient": {"id": "patient", "options": {"localcode": again}},
    }
    with (
        Detour() as detour,
        running(tmp_path, config(f"http://127.0.0.1:{detour.port}/v1", models)) as gateway,
    ):
        detour.leads_to = int(gateway.url.rpartition(":")[2])
        yield gateway, detour


def test_a_loop_is_cut_at_once_on_either_carrier(looping: tuple[Gateway, Detour]) -> None:
    gateway, detour = looping
    for alias in ("model", "lite"):
        for stream in (False, True):
            before = detour.requests
            asked = ask(gateway.url, alias, stream=stream)

            assert asked.status == 508
            assert asked.error["code"] == "loop_detected"
            assert "leads back" in asked.error["message"]
            assert detour.requests == before + 1


def test_a_loop_is_not_tried_again(looping: tuple[Gateway, Detour]) -> None:
    gateway, detour = looping

    assert ask(gateway.url, "patient").status == 508
    assert detour.requests == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "0.0.0.0", "127.1.2.3", "LOCALHOST."])
def test_a_gateways_own_entry_is_left_out_and_named(tmp_path: Path, upstream: Upstream, host: str) -> None:
    port = free_port()
    content = settings(upstream)
    content["provider"]["localcode"] = {
        "npm": "@ai-sdk/openai-compatible",
        "options": {"baseURL": f"http://{host}:{port}/v1"},
        "models": {"glm": {}},
    }
    file = tmp_path / "opencode.json"
    file.write_text(json.dumps(content))
    found = read_catalog(file, {}, Settings(port=port).own_addresses)

    assert found.aliases == ("model",)
    assert [left.place for left in found.skipped] == ["provider.localcode"]
    assert "leads back to this gateway" in found.skipped[0].message
