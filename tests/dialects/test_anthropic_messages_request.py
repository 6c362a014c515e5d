"""What becomes of a request in Anthropic's Messages when a target is asked in chat."""

from __future__ import annotations

from typing import Any

import pytest

from app.dialects.anthropic_messages import dropped, parse
from app.errors import BadRequest

Json = dict[str, Any]

HI: Json = {"role": "user", "content": "Hi"}
CACHED: Json = {"cache_control": {"type": "ephemeral"}}
CALL: Json = {"type": "tool_use", "id": "toolu_1", "name": "read", "input": {"b": 1, "a": [None, "ü"]}}
CALLED: Json = {
    "id": "toolu_1",
    "type": "function",
    "function": {"name": "read", "arguments": '{"b":1,"a":[null,"ü"]}'},
}
PNG: Json = {"type": "base64", "media_type": "image/png", "data": "iVBORw0K"}
PNG_PART: Json = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0K"}}


def chat_of(**fields: Any) -> Json:
    return parse({"model": "alias", "max_tokens": 64, "messages": [HI], **fields}).as_chat()


def messages_of(*messages: Json) -> list[Json]:
    made: list[Json] = chat_of(messages=list(messages))["messages"]
    return made


def text(words: str, **more: Any) -> Json:
    return {"type": "text", "text": words, **more}


def user(*blocks: Json) -> Json:
    return {"role": "user", "content": list(blocks)}


def assistant(*blocks: Json) -> Json:
    return {"role": "assistant", "content": list(blocks)}


def result(content: Any = "ok", id: str = "toolu_1", **more: Any) -> Json:
    return {"type": "tool_result", "tool_use_id": id, "content": content, **more}


def tool(words: str, id: str = "toolu_1") -> Json:
    return {"role": "tool", "tool_call_id": id, "content": words}


def said_by_user(content: Any) -> Json:
    return {"role": "user", "content": content}


# ─── fields ──────────────────────────────────────────────────────────────────────────────────────

SAME: Json = {"model": "alias", "max_tokens": 64, "messages": [HI]}
SCHEMA: Json = {
    "type": "object",
    "properties": {"a": {"type": "string"}},
    "required": ["a"],
    "additionalProperties": False,
}
CLAUDE_CODES_USER = '{"device_id":"d1","account_uuid":"","session_id":"s1"}'


@pytest.mark.parametrize(
    ("sent", "becomes"),
    [
        pytest.param({}, {}, id="nothing"),
        pytest.param(
            {"temperature": 0, "top_p": 1, "top_k": 5},
            {"temperature": 0, "top_p": 1, "top_k": 5},
            id="samplers",
        ),
        pytest.param({"temperature": None, "tools": None, "system": None}, {}, id="nulls"),
        pytest.param({"stop_sequences": ["a", "b"]}, {"stop": ["a", "b"]}, id="stop sequences"),
        pytest.param({"stop_sequences": []}, {}, id="no stop sequence"),
        pytest.param(
            {"stream": True}, {"stream": True, "stream_options": {"include_usage": True}}, id="a stream"
        ),
        pytest.param({"stream": False}, {}, id="no stream"),
        pytest.param(
            {"thinking": {"type": "enabled", "budget_tokens": 9}},
            {"thinking": {"type": "enabled", "budget_tokens": 9}},
            id="thinking with a budget",
        ),
        pytest.param(
            {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}},
            {"thinking": {"type": "adaptive"}, "reasoning_effort": "high"},
            id="thinking as much as it takes, with an effort",
        ),
        pytest.param(
            {"thinking": {"type": "disabled"}}, {"thinking": {"type": "disabled"}}, id="no thinking"
        ),
        pytest.param(
            {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True},
                }
            },
            id="a form for the answer",
        ),
        pytest.param(
            {"output_format": {"type": "json_schema", "schema": {"type": "object"}}},
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "answer", "schema": {"type": "object"}},
                }
            },
            id="the field's older name, and a form that is not strict",
        ),
        pytest.param({"output_config": {"effort": None, "format": None}}, {}, id="an empty output config"),
        pytest.param({"metadata": {"user_id": "user_1"}}, {"user": "user_1"}, id="a user"),
        pytest.param(
            {"metadata": {"user_id": CLAUDE_CODES_USER}}, {"user": "d1"}, id="a user in JSON: the device"
        ),
        pytest.param({"metadata": {"user_id": "x" * 99}}, {"user": "x" * 64}, id="a long user"),
        pytest.param({"metadata": {"user_id": "123"}}, {"user": "123"}, id="a user in digits"),
        pytest.param({"metadata": {}}, {}, id="nobody"),
        pytest.param(
            {
                "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
                "container": "c",
                "service_tier": "auto",
                "mcp_servers": [{"name": "m", "url": "https://m.test"}],
                "betas": ["x"],
                "unheard_of": 1,
            },
            {},
            id="what only Anthropic understands",
        ),
    ],
)
def test_a_field_is_said_in_chats_words(sent: Json, becomes: Json) -> None:
    assert chat_of(**sent) == SAME | becomes


BILLING = "x-anthropic-billing-header: cc_version=2.1; cch=1a2b;"


@pytest.mark.parametrize(
    ("system", "becomes"),
    [
        pytest.param("Be brief.", "Be brief.", id="text"),
        pytest.param([text("A", **CACHED), text("B")], "A\n\nB", id="blocks"),
        pytest.param([text(BILLING), text("A")], "A", id="without the header that changes"),
        pytest.param(f"{BILLING}\nA", "A", id="without its line in a text"),
    ],
)
def test_the_system_prompt_is_the_first_message(system: Any, becomes: str) -> None:
    assert chat_of(system=system)["messages"] == [{"role": "system", "content": becomes}, HI]


@pytest.mark.parametrize("system", ["", [], [text("")], [text(BILLING)]], ids=repr)
def test_a_system_prompt_that_says_nothing_is_none(system: Any) -> None:
    assert chat_of(system=system)["messages"] == [HI]


# ─── messages ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("sent", "becomes"),
    [
        pytest.param([HI], [HI], id="text"),
        pytest.param([user(text("A", **CACHED), text("B"))], [said_by_user("A\n\nB")], id="blocks of text"),
        pytest.param([user(text("")), HI], [HI], id="nothing said"),
        pytest.param(
            [HI, {"role": "system", "content": "Now"}, assistant(text("Yes"))],
            [HI, {"role": "system", "content": "Now"}, {"role": "assistant", "content": "Yes"}],
            id="a system message in its place",
        ),
        pytest.param(
            [user(text("See"), {"type": "image", "source": PNG, **CACHED})],
            [said_by_user([text("See"), PNG_PART])],
            id="an image in the message",
        ),
        pytest.param(
            [user({"type": "image", "source": {"type": "url", "url": "https://x.test/a.png"}})],
            [said_by_user([{"type": "image_url", "image_url": {"url": "https://x.test/a.png"}}])],
            id="an image elsewhere",
        ),
        pytest.param(
            [user({"type": "image", "source": {"type": "file", "file_id": "file_1"}})],
            [said_by_user('(an image that cannot be shown here: {"type":"file","file_id":"file_1"})')],
            id="an image at Anthropic's",
        ),
        pytest.param(
            [
                user(
                    {
                        "type": "document",
                        "title": "T",
                        "context": "C",
                        "source": {"type": "text", "media_type": "text/plain", "data": "D"},
                        "citations": {"enabled": True},
                    }
                )
            ],
            [said_by_user("Document: T\nC\n\nD")],
            id="a document of text",
        ),
        pytest.param(
            [
                user(
                    {
                        "type": "document",
                        "source": {
                            "type": "content",
                            "content": [text("A"), {"type": "image", "source": PNG}],
                        },
                    }
                )
            ],
            [said_by_user([text("A"), PNG_PART])],
            id="a document of blocks",
        ),
        pytest.param(
            [
                user(
                    {
                        "type": "document",
                        "title": "a.pdf",
                        "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBE"},
                    }
                )
            ],
            [
                said_by_user(
                    [
                        text("Document: a.pdf"),
                        {
                            "type": "file",
                            "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBE"},
                        },
                    ]
                )
            ],
            id="a PDF",
        ),
        pytest.param(
            [user({"type": "document", "source": {"type": "url", "url": "https://x.test/a.pdf"}})],
            [said_by_user("(a document at https://x.test/a.pdf)")],
            id="a document elsewhere",
        ),
        pytest.param(
            [
                user(
                    {
                        "type": "search_result",
                        "title": "T",
                        "source": "https://x.test",
                        "content": [text("found")],
                    }
                )
            ],
            [said_by_user("Search result: T\nhttps://x.test\n\nfound")],
            id="a search result",
        ),
        pytest.param(
            [user({"type": "container_upload", "file_id": "f", **CACHED})],
            [said_by_user('{"type":"container_upload","file_id":"f"}')],
            id="a block that nobody here knows",
        ),
    ],
)
def test_what_the_user_said_is_content_of_chat(sent: list[Json], becomes: list[Json]) -> None:
    assert messages_of(*sent) == becomes


@pytest.mark.parametrize(
    ("content", "becomes"),
    [
        pytest.param("Yes", {"content": "Yes"}, id="text"),
        pytest.param([text("Y"), text(""), text("es")], {"content": "Yes"}, id="text in pieces"),
        pytest.param([text("A"), CALL], {"content": "A", "tool_calls": [CALLED]}, id="a call after text"),
        pytest.param([CALL], {"content": "", "tool_calls": [CALLED]}, id="a call alone"),
        pytest.param(
            [{**CALL, "input": None}],
            {
                "content": "",
                "tool_calls": [{**CALLED, "function": {"name": "read", "arguments": "{}"}}],
            },
            id="a call without input",
        ),
        pytest.param(
            [{"type": "thinking", "thinking": "hm", "signature": ""}, text("A")],
            {"content": "A", "reasoning_content": "hm"},
            id="thoughts without signature",
        ),
        pytest.param(
            [
                {"type": "thinking", "thinking": "h", "signature": "s1", **CACHED},
                {"type": "redacted_thinking", "data": "xyz"},
                {"type": "thinking", "thinking": "m", "signature": ""},
                CALL,
            ],
            {
                "content": "",
                "reasoning_content": "hm",
                "thinking_blocks": [
                    {"type": "thinking", "thinking": "h", "signature": "s1"},
                    {"type": "redacted_thinking", "data": "xyz"},
                ],
                "tool_calls": [CALLED],
            },
            id="thoughts with signatures, hidden ones",
        ),
        pytest.param(
            [
                {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "q"}},
                {
                    "type": "web_search_tool_result",
                    "tool_use_id": "s",
                    "content": [
                        {
                            "type": "web_search_result",
                            "title": "T",
                            "url": "https://x.test",
                            "encrypted_content": "zzz",
                        }
                    ],
                },
                text("Found."),
            ],
            {
                "content": '\n(called web_search with {"query":"q"})\n\n(it answered: '
                '{"type":"web_search_result","title":"T","url":"https://x.test"})\nFound.'
            },
            id="a search on Anthropic's servers",
        ),
        pytest.param(
            [
                {"type": "mcp_tool_use", "id": "m", "name": "look", "input": {}, "server_name": "n"},
                {"type": "mcp_tool_result", "tool_use_id": "m", "content": [text("seen")]},
            ],
            {"content": "\n(called look with {})\n\n(it answered: seen)\n"},
            id="a call of an MCP server",
        ),
        pytest.param([{"type": "compaction", "content": "So far"}], {"content": "So far"}, id="a summary"),
        pytest.param([{"type": "fallback", "to": {}}, text("A")], {"content": "A"}, id="an unknown block"),
    ],
)
def test_what_the_model_said_is_one_message_of_chat(content: Any, becomes: Json) -> None:
    assert messages_of(HI, {"role": "assistant", "content": content}) == [
        HI,
        {"role": "assistant", **becomes},
    ]


def test_a_turn_in_which_the_model_said_nothing_is_left_out() -> None:
    assert messages_of(HI, assistant(text("")), HI) == [HI, HI]


@pytest.mark.parametrize(
    ("blocks", "becomes"),
    [
        pytest.param([result("ok", **CACHED)], [tool("ok")], id="text"),
        pytest.param([result([text("a"), text("b")])], [tool("a\n\nb")], id="blocks"),
        pytest.param([result(None)], [tool("")], id="nothing"),
        pytest.param([result([])], [tool("")], id="no block"),
        pytest.param([result("no such file", is_error=True)], [tool("Error: no such file")], id="a failure"),
        pytest.param(
            [result("<tool_use_error>x</tool_use_error>", is_error=True)],
            [tool("<tool_use_error>x</tool_use_error>")],
            id="a failure that says so",
        ),
        pytest.param([result("", is_error=True)], [tool("Error")], id="a failure without words"),
        pytest.param([result("fine", is_error=False)], [tool("fine")], id="no failure"),
        pytest.param(
            [text("And now?"), result("ok")], [tool("ok"), said_by_user("And now?")], id="before the text"
        ),
        pytest.param(
            [result("a"), result("b", "toolu_2"), text("x")],
            [tool("a"), tool("b", "toolu_2"), said_by_user("x")],
            id="several",
        ),
        pytest.param(
            [result([{"type": "tool_reference", "tool_name": "WebFetch"}])],
            [tool("Tool 'WebFetch' is available now.")],
            id="tools that were found",
        ),
        pytest.param(
            [result([text("a"), {"type": "image", "source": PNG}]), result("b", "toolu_2"), text("x")],
            [
                tool("a\n\n(more of this result is in the next message)"),
                tool("b", "toolu_2"),
                said_by_user([text("From the result of tool call toolu_1:"), PNG_PART, text("x")]),
            ],
            id="an image, in the message after all results",
        ),
    ],
)
def test_a_tools_result_is_a_message_right_after_its_call(blocks: list[Json], becomes: list[Json]) -> None:
    made = messages_of(HI, assistant(CALL), user(*blocks))

    assert made == [HI, {"role": "assistant", "content": "", "tool_calls": [CALLED]}, *becomes]


def test_nothing_stands_between_a_call_and_its_result() -> None:
    now = {"role": "system", "content": "Now"}
    made = messages_of(HI, assistant(CALL), now, user(result("ok"), text("x")), assistant(text("A")), now)

    assert [it["role"] for it in made] == [
        "user",
        "assistant",
        "tool",
        "system",
        "user",
        "assistant",
        "system",
    ]


@pytest.mark.parametrize(
    ("message", "words"),
    [
        pytest.param(
            assistant({"type": "tool_use", "name": "n", "input": {}}), "'id' and a 'name'", id="no id"
        ),
        pytest.param(
            assistant({"type": "tool_use", "id": "x", "input": {}}), "'id' and a 'name'", id="no name"
        ),
        pytest.param(assistant({**CALL, "input": "{}"}), "must be an object", id="input in text"),
        pytest.param(user({"type": "tool_result", "content": "x"}), "'tool_use_id'", id="no call"),
    ],
)
def test_a_call_or_result_that_names_nothing_is_refused(message: Json, words: str) -> None:
    with pytest.raises(BadRequest, match=words) as raised:
        messages_of(HI, message)

    assert raised.value.param == "messages[1].content"


@pytest.mark.parametrize(
    ("content", "where", "words"),
    [
        (5, "", "a text or a list of blocks, not a number"),
        (True, "", "a text or a list of blocks, not a boolean"),
        (text("lost"), "", "a text or a list of blocks, not an object"),
        (["lost"], "[0]", "an object, not a string"),
        ([text("a"), {"type": "text", "text": 5}], "[1].text", "a text, not a number"),
        ([{"type": "text"}], "[0].text", "a text, not null"),
    ],
    ids=repr,
)
def test_a_result_of_which_something_would_be_lost_is_refused(content: Any, where: str, words: str) -> None:
    with pytest.raises(BadRequest) as raised:
        messages_of(HI, assistant(CALL), user(text("a"), result(content)))

    place = f"messages[2].content[1].content{where}"
    assert raised.value.param == place
    assert str(raised.value) == f"'{place}' must be {words}"


# ─── tools ───────────────────────────────────────────────────────────────────────────────────────

READ: Json = {"name": "read", "description": "Reads.", "input_schema": SCHEMA}
READS: Json = {
    "type": "function",
    "function": {"name": "read", "description": "Reads.", "parameters": SCHEMA},
}
SEARCH: Json = {"type": "web_search_20250305", "name": "web_search", "max_uses": 8}


@pytest.mark.parametrize(
    ("tools", "becomes"),
    [
        pytest.param([READ], [READS], id="without type"),
        pytest.param([{**READ, "type": "custom"}], [READS], id="custom"),
        pytest.param(
            [{**READ, "defer_loading": True, "eager_input_streaming": True, "allowed_callers": [], **CACHED}],
            [READS],
            id="with what only Anthropic understands",
        ),
        pytest.param(
            [{**READ, "strict": True}],
            [{"type": "function", "function": {**READS["function"], "strict": True}}],
            id="strict",
        ),
        pytest.param(
            [{"name": "now"}],
            [
                {
                    "type": "function",
                    "function": {"name": "now", "parameters": {"type": "object", "properties": {}}},
                }
            ],
            id="without schema",
        ),
        pytest.param([SEARCH, READ], [READS], id="without a search that Anthropic would do"),
    ],
)
def test_a_tool_is_a_function(tools: list[Json], becomes: list[Json]) -> None:
    assert chat_of(tools=tools)["tools"] == becomes


@pytest.mark.parametrize(
    ("kind", "name", "fields"),
    [
        pytest.param("bash_20250124", "bash", {"command", "restart"}, id="bash"),
        pytest.param(
            "text_editor_20250124",
            "str_replace_editor",
            {"command", "path", "file_text", "view_range", "old_str", "new_str", "insert_line"},
            id="the first editor",
        ),
        pytest.param(
            "text_editor_20250728",
            "str_replace_based_edit_tool",
            {
                "command",
                "path",
                "file_text",
                "view_range",
                "old_str",
                "new_str",
                "insert_line",
                "insert_text",
            },
            id="the newest editor",
        ),
        pytest.param(
            "memory_20250818",
            "memory",
            {"command", "path", "file_text", "view_range", "old_str", "new_str", "insert_line", "insert_text"}
            | {"old_path", "new_path"},
            id="memory",
        ),
    ],
)
def test_a_tool_that_clients_run_without_a_schema_gets_it(kind: str, name: str, fields: set[str]) -> None:
    (made,) = chat_of(tools=[{"type": kind, "name": name}])["tools"]

    assert made["function"]["name"] == name
    assert set(made["function"]["parameters"]["properties"]) == fields


def test_what_chat_cannot_offer_is_dropped_and_named() -> None:
    body = {
        "tools": [
            SEARCH,
            READ,
            {"type": "web_fetch_20250910", "name": "web_fetch"},
            {"type": "code_execution_20250825", "name": "code_execution"},
            {"type": "computer_20250124", "name": "computer"},
            {"type": "tool_search_tool_regex_20251119", "name": "tool_search_tool_regex"},
            {"type": "mcp_toolset", "mcp_server_name": "m"},
        ],
        "mcp_servers": [{"name": "m"}],
    }

    assert chat_of(**body)["tools"] == [READS]
    assert dropped(body) == [
        "tool web_search",
        "tool web_fetch",
        "tool code_execution",
        "tool computer",
        "tool tool_search_tool_regex",
        "tool mcp_toolset",
        "mcp server m",
    ]


def test_fields_that_only_anthropics_servers_understand_are_named_when_they_are_left_out() -> None:
    """All but `cache_control`: it is in every request, and without it the answer is the same."""
    understood = {
        "model": "alias",
        "max_tokens": 9,
        "messages": [HI],
        "system": "Be brief.",
        "stop_sequences": ["x"],
        "stream": True,
        "temperature": 1,
        "top_p": 1,
        "top_k": 1,
        "thinking": {"type": "enabled"},
        "metadata": {"user_id": "u"},
        "tools": [READ],
        "tool_choice": {"type": "auto"},
        "output_config": {"effort": "low"},
    }
    left_out = {"context_management": {"edits": []}, "container": "c", "betas": ["b"], "speed": "fast"}

    request = parse(understood | CACHED | left_out | {"service_tier": None})

    assert request.leaves_out() == [*left_out]


@pytest.mark.parametrize(
    ("choice", "becomes"),
    [
        pytest.param(None, {}, id="none said"),
        pytest.param({"type": "auto"}, {"tool_choice": "auto"}, id="auto"),
        pytest.param({"type": "any"}, {"tool_choice": "required"}, id="any"),
        pytest.param({"type": "none"}, {"tool_choice": "none"}, id="none"),
        pytest.param(
            {"type": "tool", "name": "read"},
            {"tool_choice": {"type": "function", "function": {"name": "read"}}},
            id="one",
        ),
        pytest.param({"type": "tool", "name": "web_search"}, {}, id="one that was dropped"),
        pytest.param(
            {"type": "auto", "disable_parallel_tool_use": True},
            {"tool_choice": "auto", "parallel_tool_calls": False},
            id="one at a time",
        ),
        pytest.param(
            {"type": "any", "disable_parallel_tool_use": False}, {"tool_choice": "required"}, id="any number"
        ),
        pytest.param({"type": "unheard_of"}, {}, id="an unknown one"),
    ],
)
def test_a_choice_of_tools_is_said_in_chats_words(choice: Any, becomes: Json) -> None:
    assert chat_of(tools=[READ, SEARCH], tool_choice=choice) == SAME | {"tools": [READS]} | becomes


@pytest.mark.parametrize("tools", [[], [SEARCH]], ids=["none", "none left"])
def test_without_tools_there_is_no_choice(tools: list[Json]) -> None:
    choice = {"type": "any", "disable_parallel_tool_use": True}

    assert chat_of(tools=tools, tool_choice=choice) == SAME
