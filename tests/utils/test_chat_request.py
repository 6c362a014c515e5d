"""A chat request for a target: under another name, otherwise as it was."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from app.types import Body, Request, Target
from app.utils.chat_request import CONTROL_FIELDS, CONTROL_PREFIXES, prepared
from tests.fakes import request, target

USAGE = {"include_usage": True}


def body_for(asked: Request, where: Target) -> Body:
    return prepared(asked.body, where, asked.stream, asked.include_usage)


def test_a_body_goes_on_as_it_came_under_the_targets_name() -> None:
    asked = request(temperature=0, seed=7, tools=[], metadata={"a": "b"}, unheard_of={"x": [1]}, user=None)

    assert body_for(asked, target()) == asked.body | {"model": "wire-id"}


@pytest.mark.parametrize("field", sorted(CONTROL_FIELDS))
def test_a_control_field_never_goes_on(field: str) -> None:
    fields: Any = {field: "x"}

    assert field not in body_for(request(**fields), target())


@pytest.mark.parametrize("prefix", CONTROL_PREFIXES)
def test_neither_does_anything_that_begins_like_one(prefix: str) -> None:
    fields: Any = {f"{prefix}anything": "x"}

    assert fields.keys().isdisjoint(body_for(request(**fields), target()))


def test_what_the_configuration_adds_is_added() -> None:
    there = target(extra_body={"thinking": {"type": "disabled"}, "timeout": 5})
    body = body_for(request(thinking={"type": "enabled"}, timeout=9), there)

    assert (body["thinking"], body["timeout"]) == ({"type": "disabled"}, 5)


@pytest.mark.parametrize(
    ("sent", "defaults", "becomes"),
    [
        pytest.param({}, {"temperature": 0.7}, {"temperature": 0.7}, id="where nothing was sent"),
        pytest.param(
            {"temperature": None}, {"temperature": 0.7}, {"temperature": 0.7}, id="where null was sent"
        ),
        pytest.param({"temperature": 0}, {"temperature": 0.7}, {"temperature": 0}, id="not over a zero"),
        pytest.param({"stop": []}, {"stop": ["x"]}, {"stop": []}, id="not over an empty list"),
        pytest.param(
            {"max_completion_tokens": 5}, {"max_tokens": 9}, {"max_completion_tokens": 5}, id="newer name"
        ),
        pytest.param({"max_tokens": 5}, {"max_completion_tokens": 9}, {"max_tokens": 5}, id="older name"),
        pytest.param(
            {"max_tokens": None, "max_completion_tokens": None},
            {"max_tokens": 9},
            {"max_tokens": 9, "max_completion_tokens": None},
            id="both null",
        ),
        pytest.param({}, {"a": 1, "max_tokens": 9}, {"a": 1, "max_tokens": 9}, id="several"),
    ],
)
def test_defaults_stand_only_where_nothing_was_sent(
    sent: dict[str, Any], defaults: dict[str, Any], becomes: dict[str, Any]
) -> None:
    asked = request(**sent)
    plain = {key: value for key, value in asked.body.items() if key not in sent}

    assert body_for(asked, target(defaults=defaults)) == plain | becomes | {"model": "wire-id"}


@pytest.mark.parametrize(
    ("options", "becomes"),
    [
        pytest.param(None, USAGE, id="none"),
        pytest.param({"include_usage": False}, USAGE, id="declined"),
        pytest.param({"include_obfuscation": False}, {"include_obfuscation": False} | USAGE, id="others"),
    ],
)
def test_usage_is_asked_for_on_streams(options: dict[str, Any] | None, becomes: dict[str, Any]) -> None:
    asked = request(stream=True, stream_options=options)

    assert body_for(asked, target())["stream_options"] == becomes


@pytest.mark.parametrize(
    ("asked", "there"),
    [
        pytest.param(request(), target(), id="a plain request"),
        pytest.param(request(stream=True), target(stream_usage=False), id="a target that knows no options"),
        pytest.param(
            request(stream=True, include_usage=True, x=1), target(), id="a client that asked itself"
        ),
    ],
)
def test_else_the_options_stay_as_they_are(asked: Any, there: Any) -> None:
    assert body_for(asked, there).get("stream_options") == asked.body.get("stream_options")


def test_the_clients_own_body_is_not_touched() -> None:
    asked = request(stream=True, stream_options={"x": 1}, api_base="http://evil.test")
    before = deepcopy(asked.body)
    body_for(asked, target(defaults={"a": 1}, extra_body={"b": 2}))

    assert asked.body == before


@pytest.mark.parametrize(
    ("arguments", "sent"),
    [
        pytest.param('{"a": 1}', '{"a": 1}', id="whole"),
        pytest.param('{"a": 1}\n', '{"a": 1}\n', id="whole, and a blank"),
        pytest.param('{"a": "b', '{"INVALID_JSON":"{\\"a\\": \\"b"}', id="cut off"),
        pytest.param("", "{}", id="none"),
    ],
)
def test_arguments_that_were_cut_off_go_on_as_json(arguments: str, sent: str) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": arguments}}
    said = [
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": ""},
    ]
    body = body_for(request(messages=said), target())

    assert body["messages"][0]["tool_calls"][0]["function"]["arguments"] == sent
    assert body["messages"][1] is said[1]
    assert call["function"] == {"name": "f", "arguments": arguments}


def test_tools_are_cut_for_geminis_compatible_endpoint() -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": {"$schema": "x", "type": "object"}}}
    gemini = target(base_url="https://generativelanguage.googleapis.com/v1beta/openai")
    kept = [body_for(request(tools=[tool]), where)["tools"][0] for where in (gemini, target())]

    assert kept[0]["function"]["parameters"] == {"type": "object"}
    assert kept[1] == tool
