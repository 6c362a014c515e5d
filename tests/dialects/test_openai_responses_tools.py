"""Tools of the Responses API as chat's functions, and what a call of one means to the client."""

from __future__ import annotations

from typing import Any

import pytest

from app.dialects import openai_responses
from app.dialects.openai_responses_request import chat_body, tools_in
from app.dialects.openai_responses_tools import LONGEST_NAME, Tool, chat_name, tools_of

EMPTY = {"type": "object", "properties": {}}
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
INPUT = {
    "type": "object",
    "properties": {"input": {"type": "string", "description": "The whole input of the tool, as plain text."}},
    "required": ["input"],
    "additionalProperties": False,
}


def function(name: str, **over: Any) -> dict[str, Any]:
    return {"type": "function", "name": name, **over}


def chat_function(name: str, parameters: Any = EMPTY, **over: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": parameters, **over}}


def asked(tools: list[dict[str, Any]], **fields: Any) -> dict[str, Any]:
    return chat_body({"model": "alias", "input": "Hi", "tools": tools, **fields})


TOOLS = [
    pytest.param(
        function("f", description="d", parameters=SCHEMA, strict=False),
        [chat_function("f", SCHEMA, description="d", strict=False)],
        id="function",
    ),
    pytest.param(function("f", parameters=None, strict=None), [chat_function("f")], id="function of nothing"),
    pytest.param(
        {"type": "function", "function": {"name": "f", "parameters": SCHEMA}},
        [chat_function("f", SCHEMA)],
        id="function in chat's shape",
    ),
    pytest.param(
        {"type": "custom", "name": "patch", "description": "d"},
        [chat_function("patch", INPUT, description="d")],
        id="custom",
    ),
    pytest.param(
        {
            "type": "custom",
            "name": "patch",
            "description": "d",
            "format": {"type": "grammar", "syntax": "lark", "definition": 'start: "a"'},
        },
        [
            chat_function(
                "patch", INPUT, description="d\n\n'input' must follow this lark grammar:\nstart: \"a\""
            )
        ],
        id="custom with a grammar",
    ),
    pytest.param(
        {
            "type": "namespace",
            "name": "agents",
            "tools": [function("wait"), {"type": "custom", "name": "say"}, {"type": "web_search"}],
        },
        [chat_function("agents__wait"), chat_function("agents__say", INPUT, description="")],
        id="namespace",
    ),
    pytest.param(
        {"type": "tool_search", "execution": "client", "description": "d", "parameters": SCHEMA},
        [chat_function("tool_search", SCHEMA, description="d")],
        id="search for tools that the client does",
    ),
    *[
        pytest.param(given, [], id=str(given))
        for given in [
            *(
                {"type": kind}
                for kind in ("web_search", "file_search", "code_interpreter", "image_generation")
            ),
            *({"type": kind} for kind in ("computer_use_preview", "mcp", "tool_search", "x_unheard_of")),
            {"type": "shell", "environment": {"type": "container_auto"}},
            {"type": "function"},
            {},
        ]
    ],
]


@pytest.mark.parametrize(("given", "functions"), TOOLS)
def test_a_tool_becomes_a_function_or_is_dropped(given: dict[str, Any], functions: list[Any]) -> None:
    assert asked([given]).get("tools", []) == functions


@pytest.mark.parametrize("kind", ["local_shell", "shell", "apply_patch"])
def test_what_the_client_runs_itself_is_a_function_of_that_name(kind: str) -> None:
    (offered,) = asked([{"type": kind}])["tools"]

    assert offered["function"]["name"] == kind
    assert offered["function"]["parameters"]["required"]


def test_tools_that_items_bring_in_are_offered_too() -> None:
    items = [
        {"type": "additional_tools", "role": "developer", "tools": [function("a")]},
        {
            "type": "tool_search_output",
            "tools": [function("b"), {"type": "namespace", "name": "n", "tools": [function("c")]}],
        },
        {"role": "user", "content": "Hi"},
    ]

    assert [tool["function"]["name"] for tool in asked([], input=items)["tools"]] == ["a", "b", "n__c"]


CHOICES = [
    pytest.param("auto", "auto", id="auto"),
    pytest.param("none", "none", id="none"),
    pytest.param("required", "required", id="required"),
    pytest.param(function("f"), "f", id="function"),
    pytest.param({"type": "custom", "name": "patch"}, "patch", id="custom"),
    pytest.param(
        {"type": "function", "name": "wait", "namespace": "agents"}, "agents__wait", id="in a namespace"
    ),
    pytest.param(function("wait"), "agents__wait", id="in a namespace that it does not name"),
    pytest.param({"type": "function", "function": {"name": "f"}}, "f", id="in chat's shape"),
    pytest.param({"type": "shell"}, "shell", id="built in"),
    pytest.param({"type": "web_search_preview"}, "auto", id="dropped"),
    pytest.param({"type": "mcp", "server_label": "s"}, "auto", id="a server"),
]


@pytest.mark.parametrize(("given", "chosen"), CHOICES)
def test_a_choice_of_tools_is_chats_choice(given: Any, chosen: str) -> None:
    tools = [
        function("f"),
        {"type": "custom", "name": "patch"},
        {"type": "namespace", "name": "agents", "tools": [function("wait")]},
        {"type": "shell"},
        {"type": "web_search"},
    ]
    choice = asked(tools, tool_choice=given)["tool_choice"]

    named = choice["function"]["name"] if isinstance(choice, dict) else choice
    assert named == chosen


def test_of_allowed_tools_the_others_are_not_offered() -> None:
    allowed = {"type": "allowed_tools", "mode": "required", "tools": [function("b"), {"type": "web_search"}]}
    chat = asked([function("a"), function("b")], tool_choice=allowed)

    assert (chat["tools"], chat["tool_choice"]) == ([chat_function("b")], "required")


def test_of_allowed_tools_that_were_all_dropped_nothing_is_offered() -> None:
    allowed = {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "web_search"}]}

    assert asked([function("a")], tool_choice=allowed).keys() == {"model", "messages"}


def test_parallel_calls_are_wanted_or_not_with_tools_only() -> None:
    assert asked([function("a")], parallel_tool_calls=False)["parallel_tool_calls"] is False
    assert "parallel_tool_calls" not in asked([], parallel_tool_calls=False)


# ─── names ───────────────────────────────────────────────────────────────────────────────────────


def test_a_name_leads_back_to_its_tool() -> None:
    inner = {"type": "namespace", "name": "n", "tools": [function("f"), function("g")]}
    tools = tools_of({"tools": [function("f"), {"type": "custom", "name": "p"}, inner, {"type": "shell"}]})

    assert tools.called("f") == Tool("function", "f")
    assert tools.called("p") == Tool("custom", "p")
    assert tools.called("n__f") == Tool("function", "f", "n")
    assert tools.called("g") == Tool("function", "g", "n")  # some models leave the namespace out
    assert tools.called("shell") == Tool("shell", "shell")
    assert tools.called("made_up") == Tool("function", "made_up")


def test_tools_whose_names_come_to_the_same_are_kept_apart() -> None:
    given = [function("n__f"), {"type": "namespace", "name": "n", "tools": [function("f")]}, function("n__f")]
    tools = tools_of({"tools": given})

    assert [tool["function"]["name"] for tool in tools.functions] == ["n__f", "n__f_10e3ed5d"]
    assert tools.called("n__f_10e3ed5d") == Tool("function", "f", "n")
    assert tools.name_of(Tool("function", "f", "n")) == "n__f_10e3ed5d"


def test_a_tool_that_has_the_name_of_another_one_keeps_its_own_when_further_tools_come() -> None:
    given = [function("f."), function("f:"), {"type": "custom", "name": "f."}]
    few, more = tools_of({"tools": given}), tools_of({"tools": [*given, function("f;"), function("f")]})

    assert few.names.items() <= more.names.items()
    assert len(more.by_name) == 5


def test_thousands_of_tools_whose_names_come_to_the_same_are_read_at_once() -> None:
    given = [function(f"x{chr(0x4E00 + at)}") for at in range(20_000)]
    choice = {"type": "allowed_tools", "tools": given}
    chat = asked(given, tool_choice=choice)

    assert len({tool["function"]["name"] for tool in chat["tools"]}) == 20_000


def test_nobody_can_guess_a_name_away_from_a_tool() -> None:
    taken = [tool["function"]["name"] for tool in asked([function("f."), function("f:")])["tools"]]
    tools = tools_of({"tools": [*map(function, taken), function("f:")]})

    assert len(tools.by_name) == 3


def test_the_tools_of_a_request_are_read_once() -> None:
    request = openai_responses.parse({"model": "alias", "input": "Hi", "tools": [function("f")]})

    assert tools_in(request) is tools_in(request)
    assert list(tools_in(request).by_name) == ["f"]


def test_names_that_are_too_long_for_chat_are_shortened_and_differ() -> None:
    first, second = (chat_name("f" * 80 + end, "space") for end in "ab")

    assert len(first) == len(second) == LONGEST_NAME
    assert first != second
    assert chat_name("f" * LONGEST_NAME) == "f" * LONGEST_NAME


def test_long_names_that_come_to_the_same_are_kept_apart() -> None:
    name = "f" * (LONGEST_NAME - 1)
    tools = tools_of({"tools": [function(f"{name}."), function(f"{name}_"), function(f"{name}:")]})

    assert len({tool["function"]["name"] for tool in tools.functions}) == 3
