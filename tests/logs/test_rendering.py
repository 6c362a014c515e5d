"""The two formats of a line."""

from __future__ import annotations

from typing import Any

import pytest

from app import logs
from tests.logs.conftest import Configure, records


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
