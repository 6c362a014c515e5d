"""No secret leaves, by any way, at any level, in any format."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
import threading
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import structlog
from gunicorn.config import Config

from app import logs
from app.errors import UpstreamUnreachable
from app.types import Client, Target
from tests.logs.conftest import CLIENT, Configure, asked, only_our_handler, records, trace

CONFIGURED = 'Zk9"canary/configured+key=0'
LEARNT = "canary-learnt-after-a-reload"
CLIENTS = "canary-of-a-client"
SHAPED = "sk-" + "canary0" * 6
CANARIES = (CONFIGURED, json.dumps(CONFIGURED)[1:-1], repr(CONFIGURED)[1:-1], LEARNT, CLIENTS, SHAPED)
ALL = f"{CONFIGURED} {LEARNT} {SHAPED} x-api-key: {CLIENTS}"


class CanaryError(Exception):
    def __repr__(self) -> str:
        return f"CanaryError({ALL})"


def fail() -> None:
    try:
        raise CanaryError(ALL)
    except CanaryError as cause:
        cause.add_note(f"note {ALL}")
        raise UpstreamUnreachable(f"connecting failed: {ALL}") from cause


def caught() -> Exception:
    try:
        fail()
    except UpstreamUnreachable as problem:
        return problem
    raise AssertionError


def _by_structlog() -> None:
    logger = logs.get("app.canary")
    for say in (logger.debug, logger.info, logger.warning, logger.error):
        say(
            ALL,
            field=ALL,
            nested={"deep": [ALL]},
            api_key=CLIENTS,
            headers={"Authorization": f"Bearer {CLIENTS}"},
        )
    logger.error("failed", exc_info=caught())
    structlog.get_logger().error(ALL, field=ALL)


def _by_logging() -> None:
    library = logging.getLogger("library.http")
    library.setLevel(logging.DEBUG)
    for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL):
        library.log(level, "send %s to %r with %s", ALL, {"x-api-key": CLIENTS}, [ALL])
        library.log(level, ALL, exc_info=caught())
    with only_our_handler():
        library.error("%d", ALL)
    library.error("stack", stack_info=True)
    library.error("GET https://host/v1?key=%s and https://user:%s@host/", CLIENTS, CLIENTS)
    library.debug("header: (b'authorization', b'Bearer %s')", CLIENTS)
    library.debug("send: b'POST /v1 HTTP/1.1\\r\\nAuthorization: Bearer %s\\r\\n\\r\\n'", CLIENTS)
    library.error(CanaryError())


def _by_warnings() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(False)
        logging.captureWarnings(True)
        warnings.warn(ALL, UserWarning, stacklevel=1)
        logging.captureWarnings(False)


def _by_gunicorn() -> None:
    gunicorn = logs.GunicornLogger(Config())
    gunicorn.error("Error handling request %s", f"/v1/models?key={CLIENTS}")
    gunicorn.error(ALL, exc_info=caught())


def _by_stderr() -> None:
    undo = logs.guard_stderr()
    try:
        print(ALL, file=sys.stderr)
        traceback.print_exception(caught())
        sys.__excepthook__(UpstreamUnreachable, caught(), None)
        problem = caught()
        threading.__excepthook__(
            threading.ExceptHookArgs(
                (type(problem), problem, problem.__traceback__, threading.current_thread())
            )
        )
    finally:
        undo()


def _by_requests() -> None:
    problem = caught()
    request = asked(SHAPED, {"messages": [{"role": "user", "content": ALL}]}, True)
    client = Client(LEARNT, CONFIGURED)
    for status in (200, 400, 502):
        logs.request_started(client, "chat", request, 1)
        logs.request_ended(client, "chat", request, trace(), status, problem)
    logs.failure("req_1", problem)


def _by_the_view() -> None:
    view = logs.debug_view(CLIENT)
    if view is None:
        return
    words = "lorem ipsum "
    for space in range(80, 160, 3):
        content = (words * 20)[:space] + f" {CONFIGURED} {SHAPED} " + words * 20
        view.request(
            {"messages": [{"role": "user", "content": content}], "tools": [{"name": ALL}, {"name": ALL}]}
        )
        view.request({"messages": [{"role": "user", "content": (words * 20)[:space] + CONFIGURED * 20}]})
    view.request({"messages": [{"role": "user", "content": "x" * 9_990 + f" {ALL}" * 9}], "user": ALL})
    view.target(
        Target("a", "p", SHAPED, f"https://u:{CLIENTS}@host/v1?key={CLIENTS}"),
        {"x": ALL, "api_key": CLIENTS},
        ALL,
    )
    arguments = json.dumps({"command": f"curl -H 'Authorization: Bearer {CLIENTS}' {ALL}"})
    call = {"index": 0, "id": "call_1", "function": {"name": "bash", "arguments": arguments}}
    for delta in ({"reasoning_content": ALL}, {"content": ALL}, {"tool_calls": [call]}):
        view.received([{"choices": [{"delta": delta}], "x": ALL}])
        view.sent(f"event: {ALL}\ndata: {json.dumps({'choices': [{'delta': delta}], 'x': ALL})}\n\n".encode())
        view.sent(f"data: {ALL}\n\n: {ALL}\n\n".encode())
        view.answered({"choices": [{"message": delta}], "x": ALL})
    view.note(ALL)
    view.received([{"choices": [{"delta": {}, "finish_reason": "stop"}], "error": {"message": ALL}}])
    view.response()
    view.error(caught())
    view.error(CanaryError(ALL))


WAYS = [
    _by_structlog,
    _by_logging,
    _by_warnings,
    _by_gunicorn,
    _by_stderr,
    _by_requests,
    _by_the_view,
]


@pytest.mark.parametrize("way", WAYS, ids=[way.__name__.strip("_") for way in WAYS])
@pytest.mark.parametrize("tty", [False, True], ids=["file", "terminal"])
@pytest.mark.parametrize("format", ["console", "json"])
@pytest.mark.parametrize("level", list(logs.LEVELS))
def test_no_canary_leaves_by_any_way_at_any_level_in_any_format(
    level: str,
    format: str,
    tty: bool,
    way: Callable[[], None],
    configured: Configure,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    stream = configured(level, format, secrets=(CONFIGURED, "public"), tty=tty)
    logs.learn([LEARNT])

    way()

    everything = stream.getvalue() + "".join(capfd.readouterr())
    assert [canary for canary in CANARIES if canary in everything] == []
    assert not re.search(r"canary/conf|canary-le|canary-of|canary0can", everything)
    if format == "json":
        assert all(isinstance(record, dict) for record in records(stream))


def test_the_canaries_would_have_been_seen(configured: Configure) -> None:
    """Without a masker everything above would show them: the test looks at the right place."""
    stream = configured("DEBUG")

    for way in WAYS:
        way()

    assert LEARNT in stream.getvalue()
    assert CONFIGURED in stream.getvalue()


def test_every_way_is_heard_at_debug(configured: Configure) -> None:
    for way in WAYS:
        stream = configured("DEBUG", secrets=CANARIES)
        way()

        assert "***" in stream.getvalue(), way


GREENLET = """
import gevent, sys
from app import logs
logs.configure("INFO", "console", ["configured-canary-1"])
logs.guard_stderr()
def fail(): raise RuntimeError("configured-" + "canary-1 x-api-key: other-canary")
gevent.spawn(fail).join()
import threading
thread = threading.Thread(target=fail); thread.start(); thread.join()
fail()
"""


def test_uncaught_exceptions_of_greenlets_threads_and_the_program_are_masked() -> None:
    root = Path(__file__).parents[2]

    done = subprocess.run(
        [sys.executable, "-c", GREENLET], capture_output=True, text=True, cwd=root, timeout=60
    )

    assert done.stderr.count("RuntimeError: *** x-api-key: ***") == 3
    assert "canary" not in done.stderr.replace('"canary-1 x-api-key', "")
    assert done.stdout == ""
