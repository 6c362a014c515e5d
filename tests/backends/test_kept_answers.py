"""Answers that are kept: found by their owner, until they are deleted or too old; conversations are whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app.backends.kept_answers import ANSWERS, KeptAnswers
from app.backends.state import open_store
from app.backends.state_store import Memory
from tests.backends.state_lab import Clock

Json = dict[str, Any]


def said(text: str, item_id: str = "msg_1") -> Json:
    return {
        "type": "message",
        "id": item_id,
        "role": "assistant",
        "content": [{"type": "text", "text": text}],
    }


def asked(text: str, item_id: str | None = None) -> Json:
    item: Json = {"type": "message", "role": "user", "content": text}
    return item | {"id": item_id} if item_id else item


def answer(answer_id: str, *output: Json, after: str | None = None) -> Json:
    return {"id": answer_id, "object": "response", "output": list(output), "previous_response_id": after}


@pytest.fixture
def kept() -> KeptAnswers:
    return KeptAnswers(Memory())


def test_what_is_kept_is_found_as_it_was(kept: KeptAnswers) -> None:
    response = answer("resp_1", said("Hello 日本")) | {"metadata": {"unheard": [1.5, None]}}
    kept.keep("ann", response, [asked("Hi")])
    found = kept.find("ann", "resp_1")

    assert found is not None
    assert (found.response, found.items) == (response, [asked("Hi")])


def test_nobody_finds_another_s(kept: KeptAnswers) -> None:
    kept.keep("ann", answer("resp_1", said("Hello")), [])

    assert kept.find("bob", "resp_1") is None
    assert kept.items("bob", ["msg_1"]) == {}
    assert kept.history("bob", "resp_1") is None
    assert kept.delete("bob", "resp_1") is False
    assert kept.find("ann", "resp_1") is not None


def test_an_unknown_id_is_none_whatever_it_is(kept: KeptAnswers) -> None:
    assert [kept.find("", answer_id) for answer_id in ("", "resp_2", "x" * 100_000, "\ud83d")] == [None] * 4


def test_what_is_deleted_is_gone_and_its_items_too(kept: KeptAnswers) -> None:
    kept.keep("ann", answer("resp_1", said("Hello")), [asked("Hi", "msg_0")])

    assert kept.delete("ann", "resp_1") is True
    assert kept.find("ann", "resp_1") is None
    assert kept.items("ann", ["msg_1", "msg_0"]) == {}
    assert kept.delete("ann", "resp_1") is False


def test_a_single_item_is_found_by_its_id_in_requests_and_in_answers(kept: KeptAnswers) -> None:
    kept.keep("ann", answer("resp_1", said("Hello", "msg_1")), [asked("Hi", "msg_0")])

    assert kept.items("ann", ["msg_1", "resp_1", "msg_0"]) == {
        "msg_0": asked("Hi", "msg_0"),
        "msg_1": said("Hello", "msg_1"),
    }


def test_of_an_item_that_came_twice_the_later_one_counts(kept: KeptAnswers) -> None:
    for at, text in enumerate(["old", "new"]):
        kept.keep("ann", answer(f"resp_{at}", said(text, "msg_1"), said(f"{at}", f"msg_x{at}")), [])

    assert kept.items("ann", ["msg_1", "msg_x0", "msg_x1"])["msg_1"] == said("new", "msg_1")


def test_a_reference_does_not_stand_for_the_item_that_it_names(kept: KeptAnswers) -> None:
    kept.keep("ann", answer("resp_1", said("Hello", "msg_1")), [])
    kept.keep("ann", answer("resp_2", said("Yes", "msg_2")), [{"type": "item_reference", "id": "msg_1"}])

    assert kept.items("ann", ["msg_1"]) == {"msg_1": said("Hello", "msg_1")}


def test_a_conversation_is_its_items_from_the_first_on(kept: KeptAnswers) -> None:
    kept.keep("ann", answer("resp_1", said("1")), [asked("one")])
    kept.keep("ann", answer("resp_2", said("2"), after="resp_1"), [asked("two")])
    kept.keep("ann", answer("resp_3", said("3"), after="resp_2"), [asked("three")])

    assert kept.history("ann", "resp_2") == [asked("one"), said("1"), asked("two"), said("2")]
    assert len(kept.history("ann", "resp_3") or ()) == 6


def test_a_conversation_with_a_hole_is_none(kept: KeptAnswers) -> None:
    kept.keep("ann", answer("resp_1", said("1")), [asked("one")])
    kept.keep("ann", answer("resp_2", said("2"), after="resp_1"), [asked("two")])
    kept.delete("ann", "resp_1")

    assert kept.history("ann", "resp_2") is None


def test_a_conversation_that_bites_its_tail_ends(kept: KeptAnswers) -> None:
    kept.keep("ann", answer("resp_1", after="resp_1"), [])

    assert kept.history("ann", "resp_1") is None


@pytest.mark.parametrize(
    "output", [None, "text", [None, 3, {}, {"id": 7}, {"id": "msg_1", "type": "message"}]], ids=repr
)
def test_answers_of_any_shape_can_be_kept(kept: KeptAnswers, output: Any) -> None:
    kept.keep("ann", {"id": "resp_1", "output": output}, [])
    found = kept.find("ann", "resp_1")

    assert found is not None
    assert found.response["output"] == output


def test_they_are_kept_for_thirty_days() -> None:
    clock = Clock()
    kept = KeptAnswers(Memory(clock=clock))
    kept.keep("ann", answer("resp_1"), [])
    clock.now += 29.9 * 24 * 3600
    before = kept.find("ann", "resp_1")
    clock.now += 0.2 * 24 * 3600

    assert before is not None
    assert kept.find("ann", "resp_1") is None


def test_one_owner_s_answers_do_not_push_out_another_s() -> None:
    kept = KeptAnswers(Memory(most_bytes=10_000))
    kept.keep("ann", answer("resp_1"), [])
    for number in range(100):
        kept.keep("bob", answer(f"resp_{number}", said("x" * 1000)), [])

    assert kept.find("ann", "resp_1") is not None
    assert kept.find("bob", "resp_0") is None
    assert kept.find("bob", "resp_99") is not None
    assert ANSWERS.most_rows >= 1000


def test_another_worker_finds_it_as_soon_as_it_is_kept(tmp_path: Path) -> None:
    mine, theirs = open_store(tmp_path, ""), open_store(tmp_path, "")
    for number in range(20):
        KeptAnswers(mine).keep("ann", answer(f"resp_{number}"), [])

        assert KeptAnswers(theirs).find("ann", f"resp_{number}") is not None
    mine.close()
    theirs.close()
