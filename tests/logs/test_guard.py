"""A stderr that hands on whole lines."""

from __future__ import annotations

import sys

import pytest

from app import logs
from tests.logs.conftest import Configure, records


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
