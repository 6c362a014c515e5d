"""A fixed answer in each API that a text is an answer in: the configuration's words and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from app.backends.fixed import Fixed, pieces_of
from app.errors import UnsupportedEndpoint
from app.types import Call, DialectName
from tests.fakes import call, target

SAID = "LocalCode is up: this answer came from the alias echo."


def asking(wire: DialectName = "chat", said: str = SAID) -> Call:
    return replace(call(target(carrier="fixed", base_url="", mock_response=said)), wire=wire)


def events(asked: Call) -> list[dict[str, Any]]:
    stream = fixed().stream(asked)
    found = [event for batch in stream for event in batch]
    stream.close()
    return found


def fixed() -> Fixed:
    return Fixed(lambda: "1", lambda: 1_700_000_000.5)


def test_the_text_is_the_whole_answer_and_no_usage_is_made_up() -> None:
    asked = asking()

    assert fixed().complete(asked) == {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "wire-id",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": SAID}, "finish_reason": "stop"}],
    }
    assert asked.trace.tries == 1


def test_a_stream_says_it_in_a_few_pieces_and_finishes() -> None:
    came = events(asking())
    choices = [event["choices"][0] for event in came]

    assert [choice["delta"] for choice in choices] == [
        {"role": "assistant", "content": "LocalCode is up: "},
        {"content": "this answer came "},
        {"content": "from the alias "},
        {"content": "echo."},
        {},
    ]
    assert [choice["finish_reason"] for choice in choices] == [None] * 4 + ["stop"]
    assert {(event["id"], event["object"]) for event in came} == {("chatcmpl-1", "chat.completion.chunk")}
    assert not any("usage" in event for event in came)


def test_two_answers_have_two_ids() -> None:
    backend = Fixed()

    assert backend.complete(asking())["id"] != backend.complete(asking())["id"]


def test_it_completes_any_text() -> None:
    answer = fixed().complete(asking("completions"))

    assert (answer["id"], answer["object"]) == ("cmpl-1", "text_completion")
    assert (answer["choices"][0]["text"], answer["choices"][0]["finish_reason"]) == (SAID, "stop")


def test_it_streams_as_text() -> None:
    came = events(asking("completions"))

    assert "".join(event["choices"][0]["text"] for event in came) == SAID
    assert came[-1]["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize("wire", ["embeddings", "rerank"])
def test_it_has_no_vectors_and_no_ranks(wire: DialectName) -> None:
    for ask in (fixed().complete, fixed().stream):
        with pytest.raises(UnsupportedEndpoint, match="all that it has is a fixed text"):
            ask(asking(wire))


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("", [""]),
        ("Hi", ["Hi"]),
        ("  one\n two ", ["  ", "one\n ", "two "]),
        ("a b c d e", ["a b ", "c d ", "e"]),
        ("\n", ["\n"]),
    ],
)
def test_pieces_are_together_the_text(text: str, pieces: list[str]) -> None:
    assert pieces_of(text) == pieces
    assert "".join(pieces) == text


def test_an_empty_answer_is_an_answer() -> None:
    assert fixed().complete(asking(said=""))["choices"][0]["message"]["content"] == ""
    assert events(asking(said=""))[-1]["choices"][0]["finish_reason"] == "stop"
