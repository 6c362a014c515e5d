"""Other people's lines leave by our way out."""

from __future__ import annotations

import logging
import sys

import pytest
from gunicorn.config import Config

from app import logs
from tests.logs.conftest import Configure, only_our_handler, records


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
