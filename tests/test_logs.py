"""What leaves the process as log: levels, formats, and no secret at all."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import subprocess
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog
from gunicorn.config import Config

from app import logs
from app.errors import BadRequest, ClientLeft, UnknownModel, UpstreamCut, UpstreamUnreachable
from app.types import Client, Request, Target, Trace

NOON = 1_795_262_462.1234
"""2026-11-21T12:01:02.123Z"""

CLIENT = Client("req_1", "ses_1")


def asked(model: str, body: dict[str, Any], stream: bool = False) -> Request:
    return Request("chat", model, body, stream, lambda: body, include_usage=False)


ASKED = asked("glm", {"messages": [{"role": "user", "content": "Hi"}], "tools": [{}, {}]}, True)
TARGET = Target("glm", "zai", "glm-4.7", "https://api.example/v1")
USAGE = {
    "prompt_tokens": 1203,
    "completion_tokens": 88,
    "prompt_tokens_details": {"cached_tokens": 1100},
    "completion_tokens_details": {"reasoning_tokens": 12},
}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


Configure = Callable[..., io.StringIO]


@pytest.fixture(autouse=True)
def _borrowed() -> Iterator[None]:
    logs.release()
    yield
    logs.release()


@contextmanager
def only_our_handler() -> Iterator[None]:
    """pytest's handlers raise where a line has wrong arguments."""
    root = logging.getLogger()
    all_of_them, root.handlers = (
        root.handlers,
        [one for one in root.handlers if one.__module__ == logs.__name__],
    )
    yield
    root.handlers = all_of_them


@pytest.fixture
def configured() -> Configure:
    """Configures the logs and gives the stream that they are written to."""

    def configure(
        level: str = "INFO", format: str = "console", secrets: tuple[str, ...] = (), tty: bool = False
    ) -> io.StringIO:
        stream = Terminal() if tty else io.StringIO()
        logs.configure(level, format, secrets, stream, now=lambda: NOON)
        return stream

    return configure


@pytest.fixture
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def records(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


# ─── formats ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.usefixtures("utc")
def test_a_console_line_is_time_level_event_and_fields(configured: Configure) -> None:
    stream = configured()

    logs.get("app.server").info(
        "started", port=4242, config="opencode.json", why="it was asked to", none=None
    )

    assert stream.getvalue() == (
        '12:01:02.123 INFO    started port=4242 config=opencode.json why="it was asked to" none=None\n'
    )


def test_a_json_line_has_the_same_as_fields_and_its_time_in_utc(configured: Configure) -> None:
    stream = configured(format="json")

    logs.get("app.server").warning("started", port=4242, why="it was asked to")

    assert stream.getvalue() == (
        '{"time":"2026-11-21T12:01:02.123Z","level":"warning","event":"started",'
        '"logger":"app.server","port":4242,"why":"it was asked to"}\n'
    )


@pytest.mark.parametrize(
    ("format", "tty", "no_color", "coloured"),
    [
        ("auto", True, False, True),
        ("auto", True, True, False),
        ("auto", False, False, False),
        ("console", True, False, True),
        ("console", False, False, False),
        ("json", True, False, False),
    ],
)
def test_colours_are_for_terminals_alone(
    format: str,
    tty: bool,
    no_color: bool,
    coloured: bool,
    configured: Configure,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    if no_color:
        monkeypatch.setenv("NO_COLOR", "1")
    stream = configured(format=format, tty=tty)

    logs.get("app").warning("[ERROR] something")

    assert ("\x1b[" in stream.getvalue()) is coloured


def test_colours_never_stand_between_a_name_and_its_value(configured: Configure) -> None:
    stream = configured(tty=True)

    logs.get("app").info("[REQUEST] x", api_key="unknown-secret", authorization="Bearer unknown-secret")

    assert 'api_key=*** authorization="***"' in stream.getvalue()


@pytest.mark.parametrize("odd", ["\x1b[2J", "a\x00b", "a\rb", "\u202egnp", "\u2028", "\x7f", "\x85"])
def test_nobody_else_can_command_the_terminal_or_begin_a_line(odd: str, configured: Configure) -> None:
    stream = configured()

    logs.get("app").info(f"alias {odd} unknown\n12:00:00.000 INFO    forged", field=f"{odd}\nforged")

    assert odd not in stream.getvalue()
    assert [line for line in stream.getvalue().splitlines() if line.startswith("12:00")] == []


@pytest.mark.parametrize("format", ["console", "json"])
@pytest.mark.parametrize(
    "value",
    [object(), {1: {2, 3}}, 2**70, "\ud83d", float("nan"), b"\xff", ["x", ("y",)], {"a": {"b": [None]}}],
    ids=lambda value: type(value).__name__,
)
def test_any_value_can_be_a_field(value: Any, format: str, configured: Configure) -> None:
    stream = configured(format=format)

    logs.get("app").info("event", value=value)

    assert stream.getvalue().count("\n") == 1
    assert format == "console" or records(stream)[0]["event"] == "event"


def test_a_circle_is_no_trap(configured: Configure) -> None:
    stream = configured(format="json")
    circle: dict[str, Any] = {}
    circle["again"] = circle

    logs.get("app").info("event", circle=circle)

    assert records(stream)[0]["event"] == "event"


# ─── levels ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("level", list(logs.LEVELS))
def test_a_level_lets_itself_and_worse_through(level: str, configured: Configure) -> None:
    stream = configured(level, "json")
    logger = logs.get("app.anything")

    logger.debug("DEBUG")
    logger.info("INFO")
    logger.warning("WARNING")
    logger.error("ERROR")

    names = list(logs.LEVELS)
    assert [record["event"] for record in records(stream)] == names[names.index(level) :]


def test_a_logger_follows_a_later_configuration(configured: Configure) -> None:
    logger = logs.get("app.early")
    configured("ERROR")
    stream = configured("debug")

    logger.debug("heard")

    assert "heard" in stream.getvalue()


def test_before_it_is_configured_only_warnings_are_written_to_stderr(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.get("app").info("not this")
    logs.get("app").warning("this", api_key="unknown-secret")

    written = capsys.readouterr()
    assert "this api_key=***" in written.err
    assert "not this" not in written.err
    assert written.out == ""


@pytest.mark.parametrize(
    ("level", "library", "heard"),
    [
        ("INFO", logging.INFO, False),
        ("INFO", logging.WARNING, True),
        ("DEBUG", logging.DEBUG, False),
        ("DEBUG", logging.INFO, True),
        ("ERROR", logging.WARNING, False),
        ("ERROR", logging.CRITICAL, True),
    ],
)
def test_libraries_are_quieter_than_we_are(
    level: str, library: int, heard: bool, configured: Configure
) -> None:
    stream = configured(level)

    logging.getLogger("library.part").log(library, "a line of %s", "theirs")

    assert ("library.part: a line of theirs" in stream.getvalue()) is heard


def test_what_is_below_the_level_does_not_even_look_at_its_fields(configured: Configure) -> None:
    class Untouchable:
        def __str__(self) -> str:
            raise AssertionError("formatted for nothing")

    configured("INFO")

    logs.get("app").debug("event", value=Untouchable())


# ─── one way out ─────────────────────────────────────────────────────────────────────────────────


class Stream(io.StringIO):
    """Remembers each call, or fails as it is told."""

    def __init__(self, failure: Exception | None = None) -> None:
        super().__init__()
        self.calls: list[str] = []
        self.failure = failure

    def write(self, text: str, /) -> int:
        if self.failure:
            raise self.failure
        self.calls.append("write")
        return super().write(text)

    def flush(self) -> None:
        self.calls.append("flush")


def test_a_line_is_one_write_and_flushed_at_once() -> None:
    stream = Stream()
    logs.configure("INFO", "console", stream=stream)

    logs.get("app").info("x" * 100_000)

    assert stream.calls == ["write", "flush"]


@pytest.mark.parametrize(
    "failure", [BrokenPipeError(), ValueError("I/O operation on closed file"), OSError(28, "No space left")]
)
def test_a_broken_stream_does_not_break_a_request(failure: Exception) -> None:
    logs.configure("INFO", "console", stream=Stream(failure))

    logs.get("app").info("event")
    logging.getLogger("library").error("event")


def test_a_closed_stream_does_not_break_a_request() -> None:
    stream = io.StringIO()
    logs.configure("INFO", "console", stream=stream)
    stream.close()

    logs.get("app").info("event")


def test_a_stream_that_knows_only_ascii_gets_escapes(tmp_path: Any) -> None:
    with open(tmp_path / "log", "w", encoding="ascii") as stream:
        logs.configure("INFO", "console", stream=stream)
        logs.get("app").info("→ glm")

    assert "\\u2192 glm" in (tmp_path / "log").read_text()


def test_a_line_within_a_line_is_not_lost(tmp_path: Any) -> None:
    """A signal's handler may interrupt a write; Python refuses to enter the same buffer twice."""
    with open(tmp_path / "log", "w") as file:

        class Busy(Stream):
            def fileno(self) -> int:
                return file.fileno()

        logs.configure("INFO", "console", stream=Busy(RuntimeError("reentrant call")))
        logs.get("app").info("from the handler")

    assert "from the handler" in (tmp_path / "log").read_text()


def test_threads_do_not_mix_their_lines(tmp_path: Any) -> None:
    with open(tmp_path / "log", "w") as stream:
        logs.configure("INFO", "console", stream=stream)
        logger = logs.get("app")
        threads = [
            threading.Thread(target=lambda n=n: [logger.info(str(n) * 20_000) for _ in range(20)])
            for n in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    lines = (tmp_path / "log").read_text().splitlines()
    assert len(lines) == 160
    assert all(re.fullmatch(r"\S+ INFO    (\d)\1{19999}", line) for line in lines)


def test_a_tag_gives_its_id_to_lines_that_have_none(configured: Configure) -> None:
    stream = configured(format="json")

    logs.tag("req_9")
    logging.getLogger("library").warning("theirs")
    logs.get("app").info("ours")
    logs.get("app").info("of another request", id="req_1")
    logs.tag(None)
    logs.get("app").info("of no request")

    assert [record.get("id") for record in records(stream)] == ["req_9", "req_9", "req_1", None]


def test_handlers_that_libraries_attach_are_taken_off(
    configured: Configure, capsys: pytest.CaptureFixture[str]
) -> None:
    stream = configured()
    library = logging.getLogger("selfish")
    library.addHandler(logging.StreamHandler(sys.stdout))
    library.propagate = False

    logs.adopt()
    library.warning("one line")

    assert stream.getvalue().count("selfish: one line") == 1
    assert capsys.readouterr() == ("", "")


def test_gunicorns_lines_leave_like_the_others(
    configured: Configure, capsys: pytest.CaptureFixture[str]
) -> None:
    stream = configured(format="json")
    config = Config()
    config.set("accesslog", "-")
    gunicorn = logs.GunicornLogger(config)

    gunicorn.warning("Worker (pid:%s) exited", 7)
    gunicorn.exception("oops")

    assert [(record["logger"], record["event"]) for record in records(stream)] == [
        ("gunicorn.error", "Worker (pid:7) exited"),
        ("gunicorn.error", "oops"),
    ]
    assert capsys.readouterr() == ("", "")


def test_configuring_again_does_not_double_the_lines(configured: Configure) -> None:
    configured()
    stream = configured()

    logging.getLogger("library").warning("once")

    assert stream.getvalue().count("once") == 1


def test_a_line_with_wrong_arguments_is_written_all_the_same(configured: Configure) -> None:
    stream = configured(secrets=("configured-key-123",))

    with only_our_handler():
        logging.getLogger("library").error("%d files", "configured-key-123")

    assert "'%d files' % ('***',) (TypeError)" in stream.getvalue()


def test_a_guarded_stderr_writes_whole_lines_through_the_outlet(
    configured: Configure, capsys: pytest.CaptureFixture[str]
) -> None:
    stream = configured(format="json")
    before = sys.stderr
    undo = logs.guard_stderr()
    try:
        sys.stderr.write("one ")
        sys.stderr.write("line\nand a ")
        print("second", file=sys.stderr, flush=True)
        assert sys.stderr.fileno
        assert sys.stderr.isatty() is before.isatty()
        assert sys.stderr.encoding == before.encoding
    finally:
        undo()

    assert [(record["logger"], record["event"]) for record in records(stream)] == [
        ("stderr", "one line"),
        ("stderr", "and a second"),
    ]
    assert sys.stderr is before
    assert capsys.readouterr().err == ""


def test_a_guarded_stderr_is_still_where_the_log_goes(capsys: pytest.CaptureFixture[str]) -> None:
    undo = logs.guard_stderr()
    try:
        logs.configure("INFO", "console")
        logs.get("app").info("once")
        undo_again = logs.guard_stderr()
        logs.get("app").info("twice")
        undo_again()
    finally:
        undo()

    assert [line.split()[-1] for line in capsys.readouterr().err.splitlines()] == ["once", "twice"]


def test_endless_text_without_a_line_end_is_not_kept_for_ever(configured: Configure) -> None:
    stream = configured()
    undo = logs.guard_stderr()
    try:
        for _ in range(9):
            sys.stderr.write("x" * 10_000)
    finally:
        undo()

    assert len(stream.getvalue()) > 60_000


# ─── a request's two lines ───────────────────────────────────────────────────────────────────────


def trace(**more: Any) -> Trace:
    now = time.monotonic()
    return Trace(**{"started": now - 1.24, "target": TARGET, "tries": 1, "first": now - 0.93, **more})


@pytest.mark.usefixtures("utc")
def test_the_first_line_says_what_was_asked(configured: Configure) -> None:
    stream = configured()

    logs.request_started(CLIENT, "chat", ASKED, 61_234)

    assert stream.getvalue() == (
        "12:01:02.123 INFO    → glm chat stream 61.2 kB, 1 messages, 2 tools id=req_1 session=ses_1\n"
    )


@pytest.mark.usefixtures("utc")
def test_the_last_line_says_how_it_went(configured: Configure) -> None:
    stream = configured()

    logs.request_ended(CLIENT, "chat", ASKED, trace(usage=USAGE, finish="stop"), 200)

    assert re.sub(r"1\.2\d", "1.24", stream.getvalue()) == (
        "12:01:02.123 INFO    ← 200 glm via zai 1.24s (first 0.31s) "
        "1203→88 tokens (cached 1100, reasoning 12) tries 1 finish stop id=req_1 session=ses_1\n"
    )


def test_both_lines_have_all_of_it_as_fields_in_json(configured: Configure) -> None:
    stream = configured(format="json")

    logs.request_started(CLIENT, "chat", ASKED, 61_234)
    logs.request_ended(CLIENT, "chat", ASKED, trace(usage=USAGE, finish="stop"), 200)

    started, ended = records(stream)
    assert started == {
        "time": "2026-11-21T12:01:02.123Z",
        "level": "info",
        "event": "request started",
        "logger": "app.requests",
        "id": "req_1",
        "session": "ses_1",
        "dialect": "chat",
        "alias": "glm",
        "stream": True,
        "bytes": 61_234,
        "messages": 1,
        "tools": 2,
    }
    assert 1230 <= ended.pop("duration_ms") <= 1400
    assert ended.pop("first_ms") == 310
    assert {key: value for key, value in ended.items() if key not in ("time", "logger")} == {
        "level": "info",
        "event": "request ended",
        "id": "req_1",
        "session": "ses_1",
        "dialect": "chat",
        "alias": "glm",
        "target": "zai",
        "status": 200,
        "tokens_in": 1203,
        "tokens_out": 88,
        "cached": 1100,
        "reasoning": 12,
        "tries": 1,
        "finish": "stop",
    }


@pytest.mark.parametrize("format", ["console", "json"])
@pytest.mark.parametrize(("level", "shown"), [("INFO", False), ("DEBUG", True)])
def test_the_real_model_is_shown_at_debug_only(
    level: str, shown: bool, format: str, configured: Configure
) -> None:
    stream = configured(level, format)

    logs.request_started(CLIENT, "chat", ASKED, 1)
    logs.request_ended(CLIENT, "chat", ASKED, trace(), 200)

    assert ("glm-4.7" in stream.getvalue()) is shown


@pytest.mark.parametrize(
    ("status", "problem", "level", "words"),
    [
        (
            502,
            UpstreamUnreachable("the provider of 'glm' does not answer"),
            "warning",
            "upstream_unreachable: the",
        ),
        (200, UpstreamCut("the stream of 'glm' ended"), "warning", "upstream_cut: the stream"),
        (404, UnknownModel("no model is called 'gml'"), "info", "model_not_found: no model"),
        (400, BadRequest("messages: missing"), "info", "invalid_request_error: messages"),
        (200, ClientLeft("gone"), "info", "client left"),
        (500, KeyError("x"), "warning", "KeyError: 'x'"),
    ],
    ids=["before", "within", "unknown", "bad", "left", "ours"],
)
def test_a_failure_is_named_and_loud_only_when_it_is_not_the_clients(
    status: int, problem: Exception, level: str, words: str, configured: Configure
) -> None:
    console = configured()
    logs.request_ended(CLIENT, "chat", ASKED, trace(first=None), status, problem)
    as_json = configured(format="json")
    logs.request_ended(CLIENT, "chat", ASKED, trace(first=None), status, problem)

    assert words in console.getvalue()
    assert f"← {status} glm via zai" in console.getvalue()
    assert records(as_json)[0]["level"] == level
    assert records(as_json)[0].get("client_left", False) is isinstance(problem, ClientLeft)


def test_only_failures_are_written_at_warning(configured: Configure) -> None:
    stream = configured("WARNING")

    logs.request_started(CLIENT, "chat", ASKED, 1)
    logs.request_ended(CLIENT, "chat", ASKED, trace(), 200)
    logs.request_ended(CLIENT, "chat", ASKED, trace(), 502, UpstreamUnreachable("the provider is away"))

    assert stream.getvalue().count("\n") == 1
    assert "the provider is away" in stream.getvalue()


def test_a_request_that_was_never_understood_has_a_last_line_too(configured: Configure) -> None:
    stream = configured()

    logs.request_ended(
        Client("req_2"), "chat", None, Trace(time.monotonic()), 400, BadRequest("the body is not JSON")
    )

    assert "← 400 - 0ms tries 0 invalid_request_error: the body is not JSON id=req_2\n" in stream.getvalue()


@pytest.mark.parametrize("model", ["x" * 5000, "\x1b[2J\nforged", {"a": 1}, None])
def test_a_client_cannot_write_the_log_with_a_models_name(model: Any, configured: Configure) -> None:
    stream = configured()

    logs.request_started(CLIENT, "chat", asked(model, {"messages": "odd", "tools": None}), 1)

    assert len(stream.getvalue()) < 300
    assert stream.getvalue().count("\n") == 1


def test_a_mistake_of_our_own_leaves_its_stack_but_no_variables(configured: Configure) -> None:
    stream = configured("ERROR")

    def mistake(value_that_nobody_should_see: str) -> None:
        raise ZeroDivisionError("on purpose")

    try:
        mistake("a" + "bc")
    except ZeroDivisionError as problem:
        logs.failure("req_3", problem)

    assert "[ERROR] ZeroDivisionError: on purpose id=req_3" in stream.getvalue()
    assert 'raise ZeroDivisionError("on purpose")' in stream.getvalue()
    assert "abc" not in stream.getvalue()


# ─── the debug view ──────────────────────────────────────────────────────────────────────────────

CHUNKS: list[dict[str, Any]] = [
    {"model": "glm-4.7", "choices": [{"index": 0, "delta": {"reasoning_content": "Let me see."}}]},
    {
        "model": "glm-4.7",
        "choices": [
            {
                "index": 0,
                "delta": {
                    "tool_calls": [
                        {"index": 0, "id": "call_1", "function": {"name": "read", "arguments": "{}"}}
                    ]
                },
            }
        ],
    },
    {
        "model": "glm-4.7",
        "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}],
        "usage": USAGE,
    },
]


def watch() -> None:
    """A whole request as the gateway shows it to a view."""
    view = logs.debug_view(CLIENT)
    assert view
    view.request(
        {"model": "glm", "messages": [{"role": "user", "content": "Hi"}], "tools": [{"name": "read"}]}
    )
    view.target(TARGET, {"model": "glm-4.7", "messages": [{}]}, "relay chat: the client speaks chat")
    for chunk in CHUNKS:
        view.received([chunk])
        view.sent([{**chunk, "model": "glm"}])
    view.response()
    view.error(UpstreamCut("the stream of 'glm' ended"))


@pytest.mark.parametrize("level", ["INFO", "WARNING", "ERROR"])
def test_there_is_no_view_above_debug(level: str, configured: Configure) -> None:
    configured(level)

    assert logs.debug_view(CLIENT) is None


def test_a_view_has_every_marker_and_each_line_the_requests_id(configured: Configure) -> None:
    stream = configured("DEBUG")

    watch()

    lines = stream.getvalue().splitlines()
    markers = [m[1] for line in lines if (m := re.search(r"DEBUG   (\[[\w ]+\])", line))]
    assert list(dict.fromkeys(markers)) == [
        "[REQUEST]",
        "[Tool Request]",
        "[TARGET]",
        "[STREAM CHUNK]",
        "[REASONING]",
        "[Tool Call]",
        "[Tool Call Complete]",
        "[RESPONSE]",
        "[ERROR]",
    ]
    assert all(line.endswith(" id=req_1") for line in lines)


def test_a_view_shows_chunks_as_they_came_and_as_they_were_sent(configured: Configure) -> None:
    stream = configured("DEBUG")

    watch()

    assert '[STREAM CHUNK] received {"model":"glm-4.7"' in stream.getvalue()
    assert '[STREAM CHUNK] sent {"model":"glm",' in stream.getvalue()


def test_a_view_of_a_plain_answer_is_told_at_once(configured: Configure) -> None:
    stream = configured("DEBUG")
    view = logs.debug_view(CLIENT)
    assert view

    view.response({"choices": [{"message": {"content": "Hello"}, "finish_reason": "stop"}]})

    assert "[RESPONSE] finish=stop 5 characters: Hello" in stream.getvalue()


def test_a_views_error_has_a_stack_when_it_is_ours_and_a_cause_when_it_is_not(configured: Configure) -> None:
    stream = configured("DEBUG")
    view = logs.debug_view(CLIENT)
    assert view

    try:
        raise KeyError("x")
    except KeyError as problem:
        view.error(problem)
        ours = stream.getvalue()
        try:
            raise UpstreamUnreachable("the provider is away") from problem
        except UpstreamUnreachable as theirs:
            view.error(theirs)

    assert 'raise KeyError("x")' in ours
    assert stream.getvalue().removeprefix(ours).count("\n") == 1
    assert "502 upstream_unreachable: the provider is away because of KeyError: 'x'" in stream.getvalue()


def test_a_view_tells_what_had_come_before_a_stream_broke(configured: Configure) -> None:
    stream = configured("DEBUG")
    view = logs.debug_view(CLIENT)
    assert view

    view.received(CHUNKS[:2])
    view.error(UpstreamCut("the stream of 'glm' ended"))

    told = [line.partition("DEBUG   ")[2] for line in stream.getvalue().splitlines()[4:]]
    assert told == [
        "[Tool Call] read (call_1) never finished, 2 characters so far: {} id=req_1",
        "[RESPONSE] finish=None no text id=req_1",
        "[ERROR] 502 upstream_cut: the stream of 'glm' ended id=req_1",
    ]


def test_a_view_that_fails_says_so_and_nothing_else_happens(configured: Configure) -> None:
    stream = configured("DEBUG")
    view = logs.debug_view(CLIENT)
    assert view

    view.received(None)  # type: ignore[arg-type]  # on purpose

    assert "the debug view failed" in stream.getvalue()


def test_the_page_about_logs_names_every_marker_and_field(configured: Configure) -> None:
    page = (Path(__file__).parent.parent / "docs" / "logs.md").read_text()
    stream = configured("DEBUG", "json")

    logs.request_started(CLIENT, "chat", ASKED, 1)
    logs.request_ended(CLIENT, "chat", ASKED, trace(usage=USAGE, finish="stop"), 502, UpstreamCut("cut"))
    logs.request_ended(CLIENT, "chat", ASKED, trace(), 200, ClientLeft("gone"))
    logs.failure("req_1", KeyError("x"))
    watch()

    written = records(stream)
    fields = {field for record in written for field in record}
    markers = {marker[0] for record in written if (marker := re.match(r"\[[\w ]+\]", record["event"]))}
    assert [name for name in sorted(fields | markers) if f"`{name}`" not in page] == []


# ─── canaries ────────────────────────────────────────────────────────────────────────────────────

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
        view.sent([{"choices": [{"delta": delta}], "x": ALL}])
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
    root = os.path.dirname(os.path.dirname(__file__))

    done = subprocess.run(
        [sys.executable, "-c", GREENLET], capture_output=True, text=True, cwd=root, timeout=60
    )

    assert done.stderr.count("RuntimeError: *** x-api-key: ***") == 3
    assert "canary" not in done.stderr.replace('"canary-1 x-api-key', "")
    assert done.stdout == ""


def test_the_view_says_by_which_way_and_why_and_what_chat_could_not_say(configured: Configure) -> None:
    stream = configured("DEBUG")
    view = logs.debug_view(CLIENT)
    assert view

    view.target(TARGET, {"model": "glm-4.7"}, "relay chat: the target does not speak messages")
    view.left_out([])
    view.left_out(["web_search", "metadata"])

    lines = [line for line in stream.getvalue().splitlines() if "[TARGET]" in line]
    assert "by relay chat: the target does not speak messages" in lines[-3]
    assert "left out, for chat cannot say it: web_search, metadata" in lines[-1]
    assert len(lines) == 4
