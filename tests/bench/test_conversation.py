from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from bench.conversation import Conversation, agents, compact, fresh, short, words
from bench.script import UNMARKED


def told(asked: Conversation) -> bytes:
    return compact(asdict(asked))


@pytest.mark.parametrize("size", [60_000, 80_000])
def test_an_agents_conversation_has_its_size_ten_tools_and_a_loop(size: int) -> None:
    asked = agents("[[plain 0 0]]", told, size)

    assert len(told(asked)) == pytest.approx(size, rel=0.01)
    assert len(asked.tools) == 10
    assert len({turn.call for turn in asked.turns}) == len(asked.turns) > 5
    assert asked.question.endswith("[[plain 0 0]]")


def test_a_short_one_is_a_question() -> None:
    assert short("[[plain 0 0]]") == Conversation("Say pong. [[plain 0 0]]")


def test_each_text_of_a_fresh_one_has_a_place_for_a_mark() -> None:
    asked = agents("", told)

    marked = fresh(asked)

    assert told(marked).decode().count(UNMARKED) == 2 + len(asked.tools) + 2 * len(asked.turns)
    assert json.loads(told(marked).decode().replace(f"{UNMARKED} ", "")) == json.loads(told(asked))


def test_words_have_the_length_that_is_asked_for() -> None:
    assert len(words(1_234, 5)) == 1_234
    assert words(100, 1) != words(100, 2)
