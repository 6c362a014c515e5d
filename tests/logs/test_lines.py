"""Our own loggers and their levels."""

from __future__ import annotations

import pytest

from app import logs
from tests.logs.conftest import Configure, records


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


def test_what_is_below_the_level_does_not_even_look_at_its_fields(configured: Configure) -> None:
    class Untouchable:
        def __str__(self) -> str:
            raise AssertionError("formatted for nothing")

    configured("INFO")

    logs.get("app").debug("event", value=Untouchable())
