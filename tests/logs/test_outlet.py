"""The one way out, and what may be wrong with the stream there."""

from __future__ import annotations

import io
import logging
import re
import threading
from typing import Any

import pytest

from app import logs
from tests.logs.conftest import Configure, records


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
