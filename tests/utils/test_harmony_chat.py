"""Raw Harmony becomes chat: few chunks, each field where clients look for it, and no word of the rest."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.errors import UpstreamGarbage
from app.types import Batch, Chunk, Completion, Harmony, Target
from app.utils.chat_events import completion_of
from app.utils.harmony_chat import UNREADABLE, HarmonyChat, offered
from tests.fakes import chunk, delta, target

DROP = target(harmony=Harmony())
EXPOSE = target(harmony=Harmony(analysis="expose"))
THINK = "<|channel|>analysis<|message|>Hm<|end|>"
FINAL = "<|start|>assistant<|channel|>final<|message|>"
CALL = "<|start|>assistant<|channel|>commentary to=functions.f <|constrain|>json<|message|>"


def text(said: str = "", finish: str | None = None, index: int = 0, **over: Any) -> Chunk:
    """A chunk of text completions."""
    choice = {"index": index, "text": said, "logprobs": None, "finish_reason": finish}
    return {"id": "c1", "object": "text_completion", "created": 7, "model": "w", "choices": [choice]} | over


def reading(where: Target = DROP, *stops: str) -> HarmonyChat:
    return HarmonyChat(where, ["f"], "seed", stops)


def passed(*batch: Chunk, where: Target = DROP, stops: tuple[str, ...] = ()) -> Batch:
    """All that chunks come to, one batch each."""
    chat = reading(where, *stops)
    return [chunk for it in batch for chunk in chat.pass_on([it])] + chat.end()


def deltas(chunks: Batch) -> list[dict[str, Any]]:
    return [choice["delta"] for chunk in chunks for choice in chunk["choices"]]


def answer(*batch: Chunk, where: Target = DROP, stops: tuple[str, ...] = ()) -> Completion:
    return completion_of([passed(*batch, where=where, stops=stops)])


def test_a_chunk_of_text_becomes_a_chunk_of_chat() -> None:
    thought, said = passed(text(f"{THINK}{FINAL}Hello"))

    assert thought["choices"][0]["delta"] == {"role": "assistant", "reasoning_content": "Hm"}
    assert said == {
        "id": "c1",
        "object": "chat.completion.chunk",
        "created": 7,
        "model": "w",
        "choices": [{"index": 0, "delta": {"content": "Hello"}, "finish_reason": None}],
    }


def test_the_role_goes_out_as_soon_as_there_is_analysis() -> None:
    assert deltas(passed(text("<|channel|>analysis<|mess"))) == []
    assert deltas(passed(text("<|channel|>analysis<|message|>H"), text("m"))) == [
        {"role": "assistant", "reasoning_content": "H"},
        {"reasoning_content": "m"},
    ]


def test_analysis_is_reasoning_and_never_content() -> None:
    came = [text(THINK[:-7]), text(f"<|end|>{FINAL}Hello<|return|>")]

    assert deltas(passed(*came)) == [
        {"role": "assistant", "reasoning_content": "Hm"},
        {"content": "Hello"},
        {},
    ]


def test_a_call_has_an_id_of_its_own_and_arguments_in_pieces() -> None:
    came = passed(text(f'{CALL}{{"a":'), text("1}"), text("<|call|>"))

    assert deltas(came) == [
        {
            "role": "assistant",
            "tool_calls": [
                {
                    "index": 0,
                    "id": "call_seed_0",
                    "type": "function",
                    "function": {"name": "f", "arguments": '{"a":'},
                }
            ],
        },
        {"tool_calls": [{"index": 0, "function": {"arguments": "1}"}}]},
        {},
    ]
    assert came[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_every_call_of_an_answer_has_another_id() -> None:
    two = f"{CALL}{{}}<|end|>{CALL}{{}}<|call|>"
    came = [text(two), text(two, index=1)]

    ids = [call["id"] for it in deltas(passed(*came)) for call in it.get("tool_calls", ())]
    assert ids == ["call_seed_0", "call_seed_1", "call_seed_1_0", "call_seed_1_1"]


def test_a_batch_makes_few_chunks() -> None:
    chat = reading(EXPOSE)
    pieces = [*THINK, *FINAL, *"Hello"]

    assert len(chat.pass_on([text("".join(pieces))])) == 2


@pytest.mark.parametrize(
    ("raw", "finish"),
    [
        pytest.param([text(f"{FINAL}Hi<|return|>")], "stop", id="a token ends the turn"),
        pytest.param([text(f"{FINAL}Hi"), text("", "stop")], "stop", id="the server does"),
        pytest.param([text(f"{FINAL}Hi<|return|>"), text("", "stop")], "stop", id="both, and once is told"),
        pytest.param([text(f"{FINAL}Hi", "length")], "length", id="too long"),
        pytest.param([text(f"{FINAL}Hi")], None, id="nobody"),
    ],
)
def test_an_answer_is_finished_once(raw: Batch, finish: str | None) -> None:
    finishes = [choice["finish_reason"] for it in passed(*raw) for choice in it["choices"]]

    assert [it for it in finishes if it] == ([finish] if finish else [])
    assert completion_of([passed(*raw)])["choices"][0]["message"]["content"] == "Hi"


def test_what_stands_beside_the_choices_goes_on() -> None:
    usage = {"prompt_tokens": 3}
    came = passed(
        text("<|channel|>final"),
        text("", prompt_progress={"total": 9}),
        text("<|message|>Hi", "stop", timings={"n": 1}),
        text(choices=[], usage=usage),
    )

    assert [it.get("prompt_progress") for it in came] == [{"total": 9}, None, None, None]
    assert came[2]["timings"] == {"n": 1}
    assert (came[3]["choices"], came[3]["usage"]) == ([], usage)


def test_nothing_beside_the_choices_tells_of_the_analysis() -> None:
    told = {"logprobs": {"content": [{"token": "Hm"}]}, "tokens": [1], "content": "Hm"}
    choice = text(FINAL)["choices"][0] | told
    came = passed(text(choices=[choice], usage=None, __verbose={"content": "Hm"}, content="Hm"))
    came += passed(text(FINAL, raw_output="Hm", prompt_token_ids=["Hm"]), text("Hi", "stop", x={"y": "Hm"}))
    came += passed({"choices": [{"index": 0, "delta": {"content": f"{FINAL}Hi", "raw": "Hm"}}]})

    assert "Hm" not in json.dumps(came)


def test_a_server_that_writes_on_is_noticed_but_not_heard() -> None:
    chat = reading()
    chat.pass_on([text(f"{FINAL}Hi<|return|>")])
    assert not chat.goes_on

    assert chat.pass_on([text("", "stop", usage={"n": 1})]) != []
    assert not chat.goes_on
    assert chat.pass_on([text(f"{FINAL}more")]) == []
    assert chat.goes_on


def test_the_other_choice_is_waited_for() -> None:
    chat = reading()
    chat.pass_on([text(f"{FINAL}Hi", index=0), text(f"{FINAL}Ho<|return|>", index=1)])
    chat.pass_on([text("more", index=1)])

    assert not chat.goes_on
    assert deltas(chat.pass_on([text(" there")])) == [{"content": " there"}]


# ---------------------------------------------------------------------- chat that is raw


def test_chat_with_raw_content_is_read() -> None:
    came = [chunk(THINK), chunk(f"{FINAL}Hel"), chunk("lo"), delta("stop")]

    message = answer(*came)["choices"][0]["message"]

    assert message == {"role": "assistant", "content": "Hello", "reasoning_content": "Hm"}


def test_chat_that_its_server_has_read_passes() -> None:
    call = {"index": 0, "id": "x", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    came = passed(
        delta(role="assistant", content=None), chunk("Hello"), delta("tool_calls", tool_calls=[call])
    )

    assert deltas(came) == [{"role": "assistant", "content": "Hello"}, {"tool_calls": [call]}, {}]
    assert came[-1]["choices"][0]["finish_reason"] == "tool_calls"


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning", "provider_specific_fields"])
def test_thoughts_that_its_server_has_read_stay_what_they_are(field: str) -> None:
    thought: dict[str, Any] = {field: "Hm"}
    came = [delta(**thought), chunk("Hello"), delta("stop")]

    assert answer(*came)["choices"][0]["message"][field] == "Hm"


# ---------------------------------------------------------------------- stop sequences


@pytest.mark.parametrize("size", [1, 2, 100])
def test_a_stop_sequence_is_looked_for_in_what_is_shown(size: int) -> None:
    raw = f"<|channel|>analysis<|message|>Then END it<|end|>{FINAL}Hello END more"
    came = answer(*[text(raw[place : place + size]) for place in range(0, len(raw), size)], stops=("END",))

    choice = came["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("Hello ", "stop")
    assert choice["stop_reason"] == "END"


def test_the_beginning_of_a_stop_sequence_is_shown_after_all() -> None:
    assert (
        answer(text(f"{FINAL}Hello EN", "stop"), stops=("END",))["choices"][0]["message"]["content"]
        == "Hello EN"
    )


# ---------------------------------------------------------------------- what cannot be read


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        pytest.param("<|channel|>??<|message|>zebra<|end|>", "an unknown channel", id="an unknown channel"),
        pytest.param("analysiszebra", "--special", id="no control tokens: the mend is named"),
    ],
)
def test_a_turn_of_which_nothing_is_left_is_an_error(raw: str, words: str) -> None:
    with pytest.raises(UpstreamGarbage, match=words) as problem:
        passed(text(raw, "stop"))

    assert problem.value.code == UNREADABLE
    assert "zebra" not in str(problem.value)


@pytest.mark.parametrize("raw", ["<|channel|>ana", "<|channel|>??<|message|>x", "analysis", "analysisHm", ""])
def test_a_turn_that_was_cut_off_early_is_only_short(raw: str) -> None:
    choice = answer(text(raw, "length"))["choices"][0]

    assert (choice["message"]["content"], choice["finish_reason"]) == (None, "length")


def test_what_was_hidden_is_counted_by_reason() -> None:
    chat = reading()
    spoilt = f"<|channel|>??<|message|>zebra<|end|>{FINAL}Hi<|return|>"
    chat.pass_on([text(spoilt), text(spoilt, index=1)])

    assert chat.hidden == {"an unknown channel": 10}


def test_the_tools_on_offer_are_read_from_the_request() -> None:
    tools = [{"type": "function", "function": {"name": "f"}}, {"type": "function"}, None, {"function": {}}]

    assert offered({"tools": tools}) == {"f"}
    assert offered({}) == frozenset()
