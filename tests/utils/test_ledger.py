"""What a target wants back is found again under the names that a turn gives, and only there."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.types import Client, Restored, Target
from app.utils.ledger import DUMMY, Wants, filled, gaps, insists, rows_of, scope_of, wants

Json = dict[str, Any]

GEMINI = Target(
    alias="gemini",
    provider="google",
    model="gemini-3-pro-preview",
    base_url="https://generativelanguage.googleapis.com/v1beta/openai",
)
NATIVE = replace(GEMINI, carrier="litellm", litellm_provider="gemini", base_url="")
CLAUDE = Target(
    alias="claude", provider="anthropic", model="claude-x", carrier="litellm", litellm_provider="anthropic"
)
GLM = Target(alias="glm", provider="zai", model="glm-5", reasoning_field="reasoning_content")
PLAIN = Target(alias="plain", provider="up", model="plain")

SIGNED = {"google": {"thought_signature": "c2ln"}}
USER = {"role": "user", "content": "What is the weather?"}
BLOCK = {"type": "thinking", "thinking": "hm", "signature": "c2ln"}
SEALED = {"type": "redacted_thinking", "data": "eA=="}


def call(
    call_id: str | None = "call_1", name: str = "weather", arguments: str = '{"city": "Rom"}', **more: Any
) -> Json:
    made: Json = {"type": "function", "function": {"name": name, "arguments": arguments}, **more}
    return {"id": call_id, **made} if call_id is not None else made


def turn(*calls: Json, content: Any = None, **more: Any) -> Json:
    message: Json = {"role": "assistant", "content": content, **more}
    return message | {"tool_calls": list(calls)} if calls else message


def result(call_id: str = "call_1", content: str = "sunny") -> Json:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def asking(*messages: Any) -> Json:
    return {"model": "alias", "messages": list(messages)}


class Book:
    """The pure parts of the ledger over a dict."""

    def __init__(self) -> None:
        self.rows: dict[str, bytes] = {}

    def keep(self, answered: Json, body: Json, target: Target = GEMINI, scope: str = "scope") -> None:
        self.rows |= rows_of(answered, body, scope, target)

    def restored(self, body: Json, target: Target = GEMINI, scope: str = "scope") -> Restored:
        return filled(body, gaps(body, scope, target), self.rows, target)

    def message(self, body: Json, place: int, target: Target = GEMINI) -> Json:
        return dict(self.restored(body, target).body["messages"][place])


@pytest.fixture
def book() -> Book:
    return Book()


# ------------------------------------------------------------------ who wants what


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (GEMINI, Wants(signatures=True)),
        (NATIVE, Wants(signatures=True)),
        (replace(PLAIN, model="google/gemini-3-flash"), Wants(signatures=True)),
        (replace(PLAIN, litellm_provider="vertex_ai", model="gemini-3-pro"), Wants(signatures=True)),
        (replace(PLAIN, litellm_provider="vertex_ai", model="claude-x@1"), Wants(thinking=True)),
        (CLAUDE, Wants(thinking=True)),
        (replace(CLAUDE, litellm_provider="bedrock", model="arn:aws:x"), Wants(thinking=True)),
        (GLM, Wants(reasoning="reasoning_content")),
        (replace(GEMINI, reasoning_field="reasoning"), Wants(signatures=True, reasoning="reasoning")),
        (PLAIN, Wants()),
        (replace(PLAIN, base_url="https://example.com/generativelanguage.googleapis.com"), Wants()),
    ],
)
def test_what_a_target_wants_is_told_by_where_and_what_it_is(target: Target, expected: Wants) -> None:
    assert wants(target) == expected
    assert bool(wants(target)) is (expected != Wants())


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("gemini-3-pro-preview", True),
        ("models/gemini-3.1-flash", True),
        ("Gemini-10-pro", True),
        ("gemini-flash-latest", True),
        ("gemini-2.5-pro", False),
        ("gemini-1.5-flash", False),
        ("gemma-3-27b", False),
    ],
)
def test_gemini_insists_on_signatures_since_version_3(model: str, expected: bool) -> None:
    assert insists(replace(GEMINI, model=model)) is expected
    assert insists(replace(PLAIN, model="plain")) is False


# ------------------------------------------------------------------ conversations


def test_a_session_is_a_conversation_while_it_begins_the_same() -> None:
    client = Client("r", session="ses_1", owner="ann")
    later = asking({"role": "system", "content": "x"}, USER, turn(call()), result())

    assert scope_of(client, asking(USER)) == scope_of(replace(client, request_id="s"), later)


def test_those_whom_an_agent_sends_out_under_its_session_have_conversations_of_their_own() -> None:
    client = Client("r", session="ses_1", owner="ann")

    assert scope_of(client, asking(USER)) != scope_of(client, asking({"role": "user", "content": "Sub"}))


@pytest.mark.parametrize("client", [Client("r", session="ses_1"), Client("r")], ids=["session", "none"])
def test_reminders_that_an_agent_puts_in_and_takes_out_do_not_make_another_conversation(
    client: Client,
) -> None:
    text = {"type": "text", "text": USER["content"]}
    reminder = {"type": "text", "text": "<system-reminder>\nYou may\nonly plan.</system-reminder>"}
    first = scope_of(client, asking({"role": "user", "content": [text, reminder]}))

    assert scope_of(client, asking(USER)) == first
    assert scope_of(client, asking({"role": "user", "content": [reminder]})) != first


@pytest.mark.parametrize(
    "other",
    [
        (Client("r", session="ses_2", owner="ann"), asking(USER)),
        (Client("r", session="ses_1", owner="bob"), asking(USER)),
        (Client("r", owner="ann"), asking(USER)),
    ],
    ids=["session", "owner", "none"],
)
def test_other_sessions_and_owners_are_other_conversations(other: tuple[Client, Json]) -> None:
    assert scope_of(*other) != scope_of(Client("r", session="ses_1", owner="ann"), asking(USER))


def test_without_a_session_a_conversation_is_known_by_how_it_began() -> None:
    client, system = Client("r", owner="ann"), {"role": "system", "content": "It is ten o'clock"}
    parts = {"role": "user", "content": [{"type": "text", "text": USER["content"]}]}
    first = scope_of(client, asking(USER))

    assert scope_of(client, asking(system, USER, turn(call()), result())) == first
    assert scope_of(client, asking(parts)) == first
    assert scope_of(replace(client, owner="bob"), asking(USER)) != first
    assert scope_of(client, asking({"role": "user", "content": "Other"})) != first
    assert scope_of(client, asking(USER) | {"model": "other"}) != first


# ------------------------------------------------------------------ signatures of calls


def as_it_is(one: Json) -> Json:
    return one


def dropped(one: Json) -> Json:
    return {key: value for key, value in one.items() if key != "extra_content"}


CLIENTS: dict[str, Any] = {
    "keeps all": as_it_is,
    "drops extra_content": dropped,
    "cuts the id": lambda one: dropped(one) | {"id": one["id"][:40]},
    "cuts the id short": lambda one: dropped(one) | {"id": one["id"][:9]},
    "mends the id": lambda one: dropped(one) | {"id": one["id"].replace("-", "_").replace(":", "_")},
    "has ids of its own": lambda one: dropped(one) | {"id": "toolu_1"},
    "has no ids": lambda one: {key: value for key, value in dropped(one).items() if key != "id"},
    "writes arguments anew": lambda one: (
        dropped(one) | {"function": {"name": "weather", "arguments": '{"days":2,"city":"Zürich"}'}}
    ),
    "writes arguments anew and ids too": lambda one: (
        dropped(one)
        | {"id": "x", "function": {"name": "weather", "arguments": '{ "days": 2, "city": "Z\\u00fcrich" }'}}
    ),
    "changes arguments": lambda one: dropped(one) | {"function": {"name": "weather", "arguments": "{}"}},
}


@pytest.mark.parametrize("client", CLIENTS.values(), ids=CLIENTS)
@pytest.mark.parametrize("target", [GEMINI, NATIVE], ids=["relay", "litellm"])
def test_a_call_gets_its_signature_back_whatever_the_client_made_of_it(
    book: Book, client: Any, target: Target
) -> None:
    one = call(
        "call-1:a-very-long-id-that-goes-on-and-on-and-on__thought__c2ln",
        arguments='{"city": "Zürich", "days": 2.0}',
        extra_content=SIGNED,
    )
    book.keep(turn(one), asking(USER), target)
    came = client(one)

    restored = book.restored(asking(USER, turn(came), result()), target)

    assert restored.body["messages"][1]["tool_calls"] == [came | {"extra_content": SIGNED}]
    assert restored.notes == ()


def test_other_things_in_extra_content_stay(book: Book) -> None:
    book.keep(turn(call(extra_content=SIGNED)), asking(USER))
    came = call(extra_content={"other": 1})

    message = book.message(asking(USER, turn(came)), 1)

    assert message["tool_calls"][0]["extra_content"] == {"other": 1, **SIGNED}


@pytest.mark.parametrize(
    "own",
    [
        {"extra_content": {"google": {"thought_signature": "own"}}},
        {"provider_specific_fields": {"thought_signature": "own"}},
    ],
    ids=["where clients have it", "where litellm has it"],
)
def test_what_the_client_sent_wins(book: Book, own: Json) -> None:
    book.keep(turn(call(extra_content=SIGNED)), asking(USER))
    body = asking(USER, turn(call(**own)), result())

    assert book.restored(body).body is body


def test_a_signature_in_litellm_s_place_is_kept_too(book: Book) -> None:
    book.keep(turn(call(provider_specific_fields={"thought_signature": "c2ln"})), asking(USER))

    assert book.message(asking(USER, turn(call())), 1)["tool_calls"][0]["extra_content"] == SIGNED


def test_one_that_is_only_in_the_id_is_read_there(book: Book) -> None:
    body = asking(USER, turn(call("call_1__thought__c2ln")), result())

    assert book.message(body, 1)["tool_calls"][0]["extra_content"] == SIGNED


def test_of_parallel_calls_only_those_are_signed_that_were(book: Book) -> None:
    book.keep(turn(call("a", extra_content=SIGNED), call("b", arguments="{}")), asking(USER))

    message = book.message(asking(USER, turn(call("a"), call("b", arguments="{}"))), 1)

    assert [one.get("extra_content") for one in message["tool_calls"]] == [SIGNED, None]


def test_equal_parallel_calls_are_told_apart_without_ids(book: Book) -> None:
    book.keep(turn(call("a", extra_content=SIGNED), call("b")), asking(USER))

    message = book.message(asking(USER, turn(call("x"), call("y"))), 1)

    assert [one.get("extra_content") for one in message["tool_calls"]] == [SIGNED, None]


def signature(text: str) -> Json:
    return {"extra_content": {"google": {"thought_signature": text}}}


def test_the_same_call_in_each_of_many_turns_gets_its_own(book: Book) -> None:
    body = asking(USER)
    for number in range(4):
        book.keep(turn(call(f"call_{number}", **signature(f"s{number}"))), body)
        body = asking(*body["messages"], turn(call(f"mine-{number}")), result(f"mine-{number}"))

    restored = book.restored(body).body["messages"]

    assert [one["tool_calls"][0]["extra_content"] for one in restored if one["role"] == "assistant"] == [
        signature(f"s{number}")["extra_content"] for number in range(4)
    ]


def signatures(messages: list[Json]) -> list[str | None]:
    """Of all calls, in their order."""
    calls = [one for message in messages for one in message.get("tool_calls") or ()]
    return [one.get("extra_content", {}).get("google", {}).get("thought_signature") for one in calls]


@pytest.mark.parametrize("call_id", ["call_0", "functions.weather_of_tomorrow:0"])
def test_a_target_that_repeats_its_ids_gets_each_signature_where_it_belongs(book: Book, call_id: str) -> None:
    body = asking(USER)
    for number in range(4):
        made = {"name": "weather_of_tomorrow", "arguments": json.dumps({"day": number // 2})}
        book.keep(turn(call(call_id, **made, **signature(f"s{number}"))), body)
        body = asking(*body["messages"], turn(call(call_id, **made)), result(call_id))

    assert signatures(book.restored(body).body["messages"]) == ["s0", "s1", "s2", "s3"]


def test_one_conversation_s_repeated_id_brings_nothing_into_another(book: Book) -> None:
    book.keep(turn(call("call_0", arguments='{"x": 1}', **signature("one"))), asking(USER))
    book.keep(turn(call("call_0", arguments='{"x": 2}', **signature("other"))), asking(USER))
    body = asking(USER, turn(call("call_0", arguments='{"x": 1}')), result("call_0"))
    changed = asking(USER, turn(call("call_0", arguments='{"x": 3}')), result("call_0"))

    assert signatures(book.restored(body).body["messages"]) == ["one"]
    assert signatures(book.restored(changed).body["messages"]) == [DUMMY]


def test_thoughts_and_blocks_stay_with_their_turns_where_ids_repeat(book: Book) -> None:
    for target, field in ((GLM, "reasoning_content"), (CLAUDE, "thinking_blocks")):
        thoughts = ["one", "two"] if target is GLM else [[BLOCK], [SEALED]]
        turns = [turn(call("call_0", arguments=f'{{"x": {number}}}')) for number in range(2)]
        book.keep(turns[0] | {field: thoughts[0]}, asking(USER), target)
        book.keep(turns[1] | {field: thoughts[1]}, asking(USER, turns[0], result("call_0")), target)

        body = asking(USER, turns[0], result("call_0"), turns[1], result("call_0"))

        assert [book.message(body, place, target)[field] for place in (1, 3)] == thoughts


def test_another_conversation_and_another_model_find_nothing(book: Book) -> None:
    book.keep(turn(call(extra_content=SIGNED)), asking(USER))
    body = asking(USER, turn(call()), USER)

    assert book.restored(body, scope="other").body is body
    assert book.restored(body, replace(GEMINI, model="gemini-2.5-pro")).body is body


# ------------------------------------------------------------------ texts, thoughts, reasoning


@pytest.mark.parametrize(
    "content",
    [
        "Hello, all.",
        " Hello,\n all. ",
        [{"type": "text", "text": "Hello, "}, {"type": "text", "text": "all."}],
    ],
    ids=["same", "spaces", "parts"],
)
def test_a_text_s_signature_is_found_by_the_text(book: Book, content: Any) -> None:
    book.keep(turn(content="Hello, all.", extra_content=SIGNED), asking(USER))

    assert book.message(asking(USER, turn(content=content), USER), 1)["extra_content"] == SIGNED


def test_equal_texts_are_told_apart_by_their_order(book: Book) -> None:
    first, second = asking(USER), asking(USER, turn(content="Done."), USER)
    book.keep(turn(content="Done.", reasoning_content="one"), first, GLM)
    book.keep(turn(content="Done.", reasoning_content="two"), second, GLM)
    body = asking(*second["messages"], turn(content="Done."), USER)

    restored = book.restored(body, GLM).body["messages"]

    assert (restored[1]["reasoning_content"], restored[3]["reasoning_content"]) == ("one", "two")


@pytest.mark.parametrize("sent", [{}, {"reasoning_content": None}, {"reasoning_content": ""}], ids=repr)
def test_thoughts_go_back_in_the_field_in_which_the_target_wants_them(book: Book, sent: Json) -> None:
    target = replace(GLM, reasoning_field="reasoning")
    book.keep(turn(call(), content="So", reasoning_content="hm"), asking(USER), target)

    message = book.message(asking(USER, turn(call("other"), content="So", **sent)), 1, target)

    assert message["reasoning"] == "hm"


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_thoughts_that_the_client_sent_are_not_replaced(book: Book, field: str) -> None:
    book.keep(turn(call(), reasoning_content="hm"), asking(USER), GLM)
    body = asking(USER, turn(call(), **{field: "mine"}))

    assert book.restored(body, GLM).body is body


def test_only_signed_and_sealed_blocks_are_kept(book: Book) -> None:
    unsigned = {"type": "thinking", "thinking": "hm"}
    book.keep(turn(call(), thinking_blocks=[unsigned, BLOCK, SEALED]), asking(USER), CLAUDE)

    assert book.message(asking(USER, turn(call())), 1, CLAUDE)["thinking_blocks"] == [BLOCK, SEALED]


def test_blocks_that_the_client_sent_are_not_replaced(book: Book) -> None:
    book.keep(turn(call(), thinking_blocks=[BLOCK]), asking(USER), CLAUDE)
    body = asking(USER, turn(call(), thinking_blocks=[SEALED]))

    assert book.restored(body, CLAUDE).body is body


@pytest.mark.parametrize("target", [PLAIN, GLM, CLAUDE], ids=["plain", "glm", "claude"])
def test_nothing_is_kept_that_the_target_does_not_want(target: Target) -> None:
    answered = turn(call(extra_content=SIGNED), extra_content=SIGNED)

    assert rows_of(answered, asking(USER), "scope", target) == {}


def test_an_answer_without_anything_of_the_kind_leaves_no_row() -> None:
    assert rows_of(turn(call()), asking(USER), "scope", GEMINI) == {}
    assert rows_of(turn(content="Hello"), asking(USER), "scope", replace(GEMINI, reasoning_field="x")) == {}


# ------------------------------------------------------------------ requests


def test_a_request_is_not_changed_in_place(book: Book) -> None:
    book.keep(turn(call(extra_content=SIGNED), extra_content=SIGNED), asking(USER))
    body = asking(USER, turn(call()), result())
    before = json.dumps(body)

    restored = book.restored(body).body

    assert json.dumps(body) == before
    assert restored["messages"][0] is body["messages"][0]
    assert restored is not body


@pytest.mark.parametrize(
    ("target", "messages"),
    [
        (PLAIN, (USER, turn(call()), result())),
        (GEMINI, (USER,)),
        (GEMINI, (USER, turn(call(extra_content=SIGNED), call("b")), result())),
        (GLM, (USER, turn(call(), reasoning_content="hm"), result())),
        (CLAUDE, (USER, turn(call(), thinking_blocks=[BLOCK]), result())),
    ],
    ids=["wants nothing", "no turns", "signed", "with its thoughts", "with its blocks"],
)
def test_where_nothing_is_missing_nothing_is_looked_for(target: Target, messages: tuple[Json, ...]) -> None:
    assert gaps(asking(*messages), "scope", target) == []


@pytest.mark.parametrize("messages", [None, [], [None], ["x", 3], [{"role": "assistant"}]], ids=repr)
def test_bodies_of_any_shape_pass(book: Book, messages: Any) -> None:
    body = {"model": "alias", "messages": messages}
    book.keep(turn(call(extra_content=SIGNED)), body)

    assert book.restored(body).body is body


# ------------------------------------------------------------------ the last resort


def test_a_call_under_way_that_nobody_signed_gets_the_dummy_and_a_note(book: Book) -> None:
    body = asking(USER, turn(call(), call("b")), result(), turn(call("c")), result("c"))

    restored = book.restored(body)

    assert [
        [
            one.get("extra_content", {}).get("google", {}).get("thought_signature")
            for one in message["tool_calls"]
        ]
        for message in restored.body["messages"]
        if message["role"] == "assistant"
    ] == [[DUMMY, None], [DUMMY]]
    assert (
        restored.notes
        == ("no thought signature is known for the call of 'weather': Google's dummy stands in",) * 2
    )


def test_litellm_has_a_dummy_of_its_own(book: Book) -> None:
    body = asking(USER, turn(call()), result())

    restored = book.restored(body, NATIVE)

    assert restored.body is body
    assert len(restored.notes) == 1


@pytest.mark.parametrize(
    ("target", "messages"),
    [
        (replace(GEMINI, model="gemini-2.5-pro"), (USER, turn(call()), result())),
        (GEMINI, (USER, turn(call()), result(), turn(content="Sunny."), USER)),
        (GEMINI, (USER, turn(content="Sunny."))),
        (CLAUDE, (USER, turn(call()), result())),
    ],
    ids=["older", "an earlier turn", "a text", "no gemini"],
)
def test_elsewhere_there_is_no_dummy(book: Book, target: Target, messages: tuple[Json, ...]) -> None:
    body = asking(*messages)

    assert book.restored(body, target) == Restored(body)


# ------------------------------------------------------------------ anything

FIELDS = (
    "id", "function", "name", "arguments", "content", "tool_calls", "thinking_blocks", "reasoning_content",
    "extra_content", "provider_specific_fields", "google", "thought_signature", "thought_signatures",
)  # fmt: skip
SHAPED: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from([None, True, 7, 2.0, 1e300, "", "text", '{"a": 1.0}', "call__thought__c2ln"]),
    lambda inner: st.dictionaries(st.sampled_from(FIELDS), inner, max_size=4) | st.lists(inner, max_size=3),
    max_leaves=12,
)
MESSAGES = st.dictionaries(st.sampled_from(FIELDS), SHAPED).map(
    lambda fields: {"role": "assistant", **fields}
)


@settings(max_examples=100)
@given(answered=MESSAGES, message=MESSAGES, target=st.sampled_from([GEMINI, NATIVE, CLAUDE, GLM]))
def test_no_shape_makes_it_fail(answered: Json, message: Json, target: Target) -> None:
    book = Book()
    book.keep(answered, asking(USER, message), target)

    restored = book.restored(asking(USER, answered, message), target).body["messages"]

    assert len(restored) == 3
