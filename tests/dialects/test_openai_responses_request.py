"""Requests of the Responses API: what is refused and why, and what chat is asked instead."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.dialects import openai_responses
from app.dialects.openai_responses_request import chat_body, dropped
from app.errors import BadRequest

ASKED: dict[str, Any] = {"model": "alias", "input": "Hi"}
PNG = "data:image/png;base64,iVBORw0KGgo="


def message(role: str, *content: Any) -> dict[str, Any]:
    return {"type": "message", "role": role, "content": list(content)}


def said(text: str) -> dict[str, Any]:
    return {"type": "input_text", "text": text}


def answered(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def call(name: Any = "f", id: str = "c1", arguments: Any = "{}", **over: Any) -> dict[str, Any]:
    return {"type": "function_call", "id": "fc_1", "call_id": id, "name": name, "arguments": arguments} | over


def result(output: Any = "done", id: str = "c1", kind: str = "function_call_output") -> dict[str, Any]:
    return {"type": kind, "call_id": id, "output": output}


def chat_call(name: str = "f", id: str = "c1", arguments: str = "{}") -> dict[str, Any]:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def assistant(text: str | None = None, *calls: dict[str, Any], **over: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": text} | over | ({"tool_calls": list(calls)} if calls else {})


def tool(content: str = "done", id: str = "c1") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": id, "content": content}


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def system(content: Any) -> dict[str, Any]:
    return {"role": "system", "content": content}


# ─── what is refused ─────────────────────────────────────────────────────────────────────────────

REFUSED = [
    pytest.param([], "the body must be a JSON object, not an array", None, id="an array"),
    pytest.param({"input": "Hi"}, "'model' must name", "model", id="no model"),
    pytest.param({"model": "alias"}, "'input' is missing", "input", id="no input"),
    pytest.param({"model": "alias", "input": None}, "'input' is missing", "input", id="input null"),
    *[
        pytest.param(ASKED | {field: value}, f"'{field}' must be {words}", field, id=f"{field} {value}")
        for field, value, words in [
            ("input", 3, "a text or a list of items, not a number"),
            ("input", {}, "a text or a list of items, not an object"),
            ("stream", "true", "true or false, not a string"),
            ("instructions", [], "a text, not an array"),
            ("tools", {}, "a list, not an object"),
            ("tool_choice", [], "a text or an object, not an array"),
            ("text", "json", "an object, not a string"),
            ("reasoning", "high", "an object, not a string"),
            ("include", "x", "a list, not a string"),
            ("metadata", [], "an object, not an array"),
            ("max_output_tokens", 1.5, "a whole number, not a number"),
            ("max_output_tokens", True, "a whole number, not a boolean"),
            ("temperature", "hot", "a number, not a string"),
            ("parallel_tool_calls", 1, "true or false, not a number"),
            ("previous_response_id", 1, "a text, not a number"),
        ]
    ],
    pytest.param(ASKED | {"input": ["Hi"]}, "'input[0]' must be an item", "input[0]", id="an item of text"),
    pytest.param(ASKED | {"input": [{}]}, "'input[0]' must have a 'type'", "input[0]", id="an empty item"),
    pytest.param(ASKED | {"input": [{"type": 3}]}, "must have a 'type'", "input[0]", id="a type of number"),
    pytest.param(ASKED | {"tools": [3]}, "'tools[0]' must be a tool", "tools[0]", id="a tool of number"),
    pytest.param(
        ASKED | {"reasoning": {"effort": {"a": 1}}},
        "'reasoning.effort' must be a text, not an object",
        "reasoning.effort",
        id="effort",
    ),
    pytest.param(
        ASKED | {"background": True}, "'background' is not supported", "background", id="background"
    ),
]


@pytest.mark.parametrize(("body", "words", "param"), REFUSED)
def test_a_wrong_request_is_refused_with_its_place(body: Any, words: str, param: str | None) -> None:
    with pytest.raises(BadRequest) as raised:
        openai_responses.parse(body)

    assert words in str(raised.value)
    assert (raised.value.status, raised.value.param) == (400, param)


IMPOSSIBLE = [
    pytest.param(
        {"previous_response_id": "resp_1"}, "is not kept here", "previous_response_id", id="previous"
    ),
    pytest.param({"conversation": "conv_1"}, "'conversation' cannot", "conversation", id="conversation"),
    pytest.param({"prompt": {"id": "pmpt_1"}}, "'prompt' cannot", "prompt", id="prompt"),
    *[
        pytest.param({"input": items}, words, param, id=words)
        for items, words, param in [
            ([{"type": "item_reference", "id": "msg_9"}], "Item with id 'msg_9' not found.", "input[0]"),
            ([{"id": "msg_8"}], "Item with id 'msg_8' not found.", "input[0]"),
            ([result()], "No tool call found for function call output with call_id c1.", "input[0]"),
            (
                [call(), {"type": "tool_search_output", "call_id": "c1", "tools": 5}],
                "'input[1].tools' must be a list of tools, not a number",
                "input[1].tools",
            ),
            ([call(call_id=None)], "'input[0].call_id' must be a string, not null", "input[0].call_id"),
            ([call(name=None)], "'input[0].name' must be the name of a tool", "input[0].name"),
            (
                [message("user", {"type": "input_image", "file_id": "file-1"})],
                "names the image 'file-1', which this model cannot fetch",
                "input[0].content[0]",
            ),
            (
                [message("user", {"type": "input_file", "file_url": "https://x/y.pdf"})],
                "put the data itself into 'file_data'",
                "input[0].content[0]",
            ),
            ([message("user", {"type": "input_image"})], "has no image", "input[0].content[0]"),
            ([message("user", 3)], "'input[0].content[0]' must be an object", "input[0].content[0]"),
        ]
    ],
]


@pytest.mark.parametrize(("fields", "words", "param"), IMPOSSIBLE)
def test_what_a_chat_target_cannot_be_told_is_refused_with_its_place(
    fields: dict[str, Any], words: str, param: str
) -> None:
    request = openai_responses.parse(ASKED | fields)

    with pytest.raises(BadRequest) as raised:
        request.as_chat()

    assert words in str(raised.value)
    assert raised.value.param == param


def test_a_request_is_kept_as_it_came() -> None:
    body = ASKED | {"stream": True, "unheard_of": [1]}
    before = deepcopy(body)
    request = openai_responses.parse(body)
    request.as_chat()

    assert request.body is body
    assert body == before
    assert (request.dialect, request.model, request.stream) == ("responses", "alias", True)


# ─── what is asked instead ───────────────────────────────────────────────────────────────────────

MESSAGES = [
    pytest.param("Hi", [user("Hi")], id="input as text"),
    pytest.param([message("user", said("Hi"))], [user("Hi")], id="one part"),
    pytest.param(
        [message("user", said("a"), said("b"))],
        [user([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}])],
        id="several parts",
    ),
    pytest.param([{"role": "user", "content": "Hi"}], [user("Hi")], id="easy message"),
    pytest.param([{"role": "user", "content": None}], [user("")], id="no content"),
    pytest.param(
        [message("user", said("See"), {"type": "input_image", "image_url": PNG, "detail": "low"})],
        [
            user(
                [
                    {"type": "text", "text": "See"},
                    {"type": "image_url", "image_url": {"url": PNG, "detail": "low"}},
                ]
            )
        ],
        id="image",
    ),
    pytest.param(
        [message("user", {"type": "input_file", "filename": "a.pdf", "file_data": "data:,x"})],
        [user([{"type": "file", "file": {"filename": "a.pdf", "file_data": "data:,x"}}])],
        id="file",
    ),
    pytest.param(
        [message("user", {"type": "input_audio", "input_audio": {"data": "x", "format": "wav"}})],
        [user([{"type": "input_audio", "input_audio": {"data": "x", "format": "wav"}}])],
        id="audio",
    ),
    pytest.param(
        [message("user", said("Hi"), {"type": "input_unheard_of", "x": 1})], [user("Hi")], id="unknown part"
    ),
    pytest.param(
        [
            message("developer", said("a")),
            message("system", said("b"), said("c")),
            message("user", said("Hi")),
        ],
        [system("a\n\nb\n\nc"), user("Hi")],
        id="developer and system at the start are one system message",
    ),
    pytest.param(
        [message("user", said("Hi")), message("developer", said("a")), message("developer", said("b"))],
        [user("Hi"), system("a"), system("b")],
        id="developer later on stays in its place",
    ),
    pytest.param(
        [message("assistant", answered("a"), {"type": "refusal", "refusal": "no"})],
        [assistant("a\n\nno")],
        id="refusal",
    ),
    pytest.param(
        [message("assistant", answered("Look.")), message("assistant", answered("There."))],
        [assistant("Look.\n\nThere.")],
        id="messages of one turn are one",
    ),
    pytest.param(
        [message("assistant", answered("Look. ")), call(), call(id="c2"), result(), result(id="c2")],
        [assistant("Look. ", chat_call(), chat_call(id="c2")), tool(), tool(id="c2")],
        id="text and parallel calls are one message",
    ),
    pytest.param(
        [call(), result(), call(id="c2"), result(id="c2")],
        [assistant(None, chat_call()), tool(), assistant(None, chat_call(id="c2")), tool(id="c2")],
        id="calls one after the other",
    ),
    pytest.param(
        [call(), message("assistant", answered("Wait.")), result()],
        [assistant("Wait.", chat_call()), tool()],
        id="text between a call and its result",
    ),
    pytest.param(
        [call(), message("user", said("Stop!")), result()],
        [assistant(None, chat_call()), tool(), user("Stop!")],
        id="a user between a call and its result",
    ),
    pytest.param(
        [call(), result([said("a"), said("b"), {"type": "input_image", "image_url": PNG}])],
        [
            assistant(None, chat_call()),
            tool("a\nb"),
            user([{"type": "image_url", "image_url": {"url": PNG}}]),
        ],
        id="result with an image",
    ),
    pytest.param(
        [call(), call(id="c2"), result([{"type": "input_image", "image_url": PNG}]), result(id="c2")],
        [
            assistant(None, chat_call(), chat_call(id="c2")),
            tool("(see the next message)"),
            tool(id="c2"),
            user([{"type": "image_url", "image_url": {"url": PNG}}]),
        ],
        id="images stand behind all results",
    ),
    pytest.param(
        [call(), result({"ok": True})],
        [assistant(None, chat_call()), tool('{"ok":true}')],
        id="result of JSON",
    ),
    pytest.param([call(), result(None)], [assistant(None, chat_call()), tool("")], id="result of nothing"),
    pytest.param(
        [call(arguments={"a": 1}), result()],
        [assistant(None, chat_call(arguments='{"a":1}')), tool()],
        id="arguments as an object",
    ),
    pytest.param(
        [
            {"type": "custom_tool_call", "call_id": "c1", "name": "patch", "input": 'a "b"\n'},
            result(kind="custom_tool_call_output"),
        ],
        [assistant(None, chat_call("patch", arguments='{"input":"a \\"b\\"\\n"}')), tool()],
        id="custom tool call",
    ),
    pytest.param(
        [call("wait", namespace="agents"), result()],
        [assistant(None, chat_call("agents__wait")), tool()],
        id="call in a namespace",
    ),
    pytest.param(
        [call("status", namespace="mcp__burp__"), result()],
        [assistant(None, chat_call("mcp__burp__status")), tool()],
        id="call in a namespace that brings its own joint",
    ),
    pytest.param(
        [call("a.b c"), result()],
        [assistant(None, chat_call("a_b_c")), tool()],
        id="letters chat does not take",
    ),
    pytest.param(
        [
            {"type": "local_shell_call", "call_id": "c1", "action": {"type": "exec", "command": ["ls"]}},
            {"type": "local_shell_call_output", "id": "c1", "output": "a.txt"},
        ],
        [
            assistant(None, chat_call("local_shell", arguments='{"type":"exec","command":["ls"]}')),
            tool("a.txt"),
        ],
        id="local shell",
    ),
    pytest.param(
        [
            {"type": "shell_call", "call_id": "c1", "action": {"commands": ["ls"]}},
            result(
                [{"stdout": "a", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}}],
                kind="shell_call_output",
            ),
        ],
        [
            assistant(None, chat_call("shell", arguments='{"commands":["ls"]}')),
            tool('{"stdout":"a","stderr":"","outcome":{"type":"exit","exit_code":0}}'),
        ],
        id="shell",
    ),
    pytest.param(
        [
            {"type": "tool_search_call", "call_id": "c1", "execution": "client", "arguments": {"query": "x"}},
            {"type": "tool_search_output", "call_id": "c1", "tools": [{"type": "function", "name": "found"}]},
        ],
        [assistant(None, chat_call("tool_search", arguments='{"query":"x"}')), tool("Tools found: found")],
        id="tool search",
    ),
    pytest.param(
        [
            {
                "type": "mcp_call",
                "id": "mcp_1",
                "server_label": "s",
                "name": "n",
                "arguments": "{}",
                "output": "o",
            }
        ],
        [assistant(None, chat_call("s__n", "mcp_1")), tool("o", "mcp_1")],
        id="call of a server",
    ),
    pytest.param(
        [
            {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm."}]},
            message("assistant", answered("Yes.")),
        ],
        [assistant("Yes.", reasoning_content="Hm.")],
        id="summary of reasoning",
    ),
    pytest.param(
        [
            {
                "type": "reasoning",
                "summary": [{"type": "summary_text", "text": "short"}],
                "content": [{"type": "reasoning_text", "text": "long"}],
                "encrypted_content": "not ours",
            },
            call(),
            result(),
        ],
        [assistant(None, chat_call(), reasoning_content="long"), tool()],
        id="content of reasoning",
    ),
    pytest.param(
        [
            {"type": "reasoning", "summary": [], "encrypted_content": None},
            message("assistant", answered("Yes.")),
        ],
        [assistant("Yes.")],
        id="reasoning that says nothing",
    ),
    pytest.param(
        [{"type": "reasoning", "summary": [{"text": "Hm."}]}, message("user", said("Hi"))],
        [user("Hi")],
        id="reasoning that led to nothing",
    ),
    pytest.param(
        [
            *({"type": kind, "id": "x"} for kind in ("web_search_call", "compaction", "x_unheard_of")),
            {"type": "computer_call", "call_id": "c9"},
            {"type": "computer_call_output", "call_id": "c9", "output": {}},
            message("user", said("Hi")),
        ],
        [user("Hi")],
        id="items that chat has no form for",
    ),
]


@pytest.mark.parametrize(("given_input", "messages"), MESSAGES)
def test_items_become_messages(given_input: Any, messages: list[dict[str, Any]]) -> None:
    assert chat_body({"model": "alias", "input": given_input})["messages"] == messages


def test_instructions_are_the_beginning_of_the_system_message() -> None:
    chat = chat_body(
        {
            "model": "a",
            "instructions": "Be brief.",
            "input": [message("developer", said("Really.")), message("user", said("Hi"))],
        }
    )

    assert chat["messages"] == [system("Be brief.\n\nReally."), user("Hi")]


MANY = 400_000


@pytest.mark.parametrize(
    "given_input",
    [
        pytest.param([message("assistant", *[answered("x")] * MANY)], id="parts"),
        pytest.param([message("assistant", "x")] * MANY, id="messages of the assistant"),
        pytest.param([message("developer", "x")] * MANY, id="instructions"),
        pytest.param(
            [*[{"type": "reasoning", "summary": [{"text": "x"}]}] * MANY, message("assistant", "x")],
            id="thoughts",
        ),
    ],
)
def test_ever_so_many_texts_are_put_together_once(given_input: Any) -> None:
    (turn,) = chat_body({"model": "a", "input": given_input})["messages"]

    assert turn.get("reasoning_content", turn["content"]) == "\n\n".join("x" * MANY)


@pytest.mark.parametrize(
    "item",
    [
        {"type": "item_reference", "id": "x" * 1_000_000},
        result(id="x" * 1_000_000),
        message("user", {"type": "input_image", "file_id": "x" * 1_000_000}),
    ],
    ids=["a reference", "a result", "a file"],
)
def test_what_an_error_repeats_is_short(item: dict[str, Any]) -> None:
    with pytest.raises(BadRequest) as raised:
        chat_body({"model": "a", "input": [item]})

    assert "1,000,000 characters" in str(raised.value)
    assert len(str(raised.value)) < 300


def test_sealed_thoughts_are_opened_and_come_first() -> None:
    blocks = [{"type": "thinking", "thinking": "Hm.", "signature": "sig"}]
    opened = {"mine": {"reasoning_content": "Hm.", "thinking_blocks": blocks}}
    reasoning = {"type": "reasoning", "summary": [{"text": "short"}], "encrypted_content": "mine"}
    chat = chat_body({"model": "a", "input": [reasoning, message("assistant", answered("Yes."))]}, opened.get)

    assert chat["messages"] == [assistant("Yes.", reasoning_content="Hm.", thinking_blocks=blocks)]


FIELDS = [
    pytest.param({"stream": True}, {"stream": True, "stream_options": {"include_usage": True}}, id="stream"),
    pytest.param({"stream": False}, {"stream": False}, id="no stream"),
    pytest.param({"max_output_tokens": 5}, {"max_tokens": 5}, id="max_output_tokens"),
    pytest.param(
        {"temperature": 0, "top_p": 0.5, "user": "u"},
        {"temperature": 0, "top_p": 0.5, "user": "u"},
        id="the same",
    ),
    pytest.param({"temperature": None}, {}, id="null is nothing"),
    pytest.param(
        {"reasoning": {"effort": "high", "summary": "auto"}}, {"reasoning_effort": "high"}, id="effort"
    ),
    pytest.param({"reasoning": {"summary": "auto"}}, {}, id="no effort"),
    pytest.param({"text": {"format": {"type": "text"}, "verbosity": "low"}}, {}, id="plain text"),
    pytest.param(
        {"text": {"format": {"type": "json_object"}}},
        {"response_format": {"type": "json_object"}},
        id="any JSON",
    ),
    pytest.param(
        {
            "text": {
                "format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": True}
            }
        },
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "n", "schema": {"type": "object"}, "strict": True},
            }
        },
        id="JSON by a schema",
    ),
    pytest.param({"top_logprobs": 2}, {"logprobs": True, "top_logprobs": 2}, id="top_logprobs"),
    pytest.param({"include": ["message.output_text.logprobs"]}, {"logprobs": True}, id="logprobs"),
    pytest.param(
        {
            "include": ["reasoning.encrypted_content"],
            "client_metadata": {"a": "b"},
            "metadata": {"a": "b"},
            "prompt_cache_key": "k",
            "safety_identifier": "s",
            "service_tier": "flex",
            "store": True,
            "truncation": "auto",
        },
        {},
        id="what is between the client and OpenAI",
    ),
    pytest.param({"tool_choice": "required", "parallel_tool_calls": True}, {}, id="no tools"),
]


@pytest.mark.parametrize(("fields", "chat"), FIELDS)
def test_fields_become_chats_fields(fields: dict[str, Any], chat: dict[str, Any]) -> None:
    assert chat_body(ASKED | fields) == {"model": "alias", "messages": [user("Hi")]} | chat


def test_what_the_translation_leaves_out_is_named_once() -> None:
    body = ASKED | {
        "input": [{"type": "compaction"}, {"type": "web_search_call"}, {"type": "web_search_call"}],
        "tools": [{"type": "web_search"}, {"type": "function", "name": "f"}, {"type": "image_generation"}],
        "prompt_cache_key": "k",
        "text": {"verbosity": "low"},
    }

    assert dropped(body) == [
        "tool web_search",
        "tool image_generation",
        "item compaction",
        "item web_search_call",
        "prompt_cache_key",
        "text.verbosity",
    ]


KEYS = """type role content id name call_id output arguments text input_text tools input action summary
encrypted_content namespace format parameters function image_url""".split()  # noqa: SIM905  # a list says no more
VALUES = """message function_call function_call_output custom_tool_call reasoning assistant user function
custom namespace shell input_image input_file grammar tool_search_output mcp_call""".split()  # noqa: SIM905  # the same

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(VALUES),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner),
    max_leaves=20,
)


@given(json_values, json_values, json_values)
def test_no_odd_request_is_our_mistake(items: Any, tools: Any, choice: Any) -> None:
    body = {"model": "alias", "input": items, "tools": tools, "tool_choice": choice}
    try:
        request = openai_responses.parse(body)
        request.as_chat()
    except BadRequest:
        return

    dropped(body)
