"""What a Responses client only names is found for its owner alone, and its thoughts are sealed for it."""

from __future__ import annotations

from typing import Any

import pytest

from app.backends.kept_answers import KeptAnswers
from app.backends.state_store import Memory as Rows
from app.dialects import openai_responses
from app.errors import BadRequest
from app.memory import Memory
from app.types import Client
from app.utils.codec import dumps, loads
from app.utils.shapes import as_dict
from tests.fakes import SERVED, completion

ANN, BOB = Client("1", owner="ann"), Client("2", owner="bob")
HI = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}
HELLO = {
    "type": "message",
    "id": "msg_1",
    "role": "assistant",
    "content": [{"type": "output_text", "text": "Hello"}],
}
BLOCK = {"type": "thinking", "thinking": "hm", "signature": "signed"}


class Wax:
    """Seals nothing for real, but for its owner."""

    def seal(self, value: dict[str, Any], owner: str = "") -> str:
        return dumps({owner: value}).decode()

    def open(self, text: Any, owner: str = "") -> dict[str, Any] | None:
        return as_dict(loads(text)).get(owner)


@pytest.fixture
def memory() -> Memory:
    kept = KeptAnswers(Rows())
    kept.keep("ann", {"id": "resp_1", "output": [HELLO]}, [HI])
    return Memory(kept, Wax())


def messages_of(memory: Memory, client: Client, **fields: Any) -> list[Any]:
    asked = openai_responses.parse({"model": "alias", "input": "And now?", **fields})
    return memory.completed(asked, client).as_chat()["messages"]  # type: ignore[no-any-return]  # of a Body


def said(memory: Memory, client: Client, **fields: Any) -> list[tuple[str, str]]:
    return [(message["role"], message["content"]) for message in messages_of(memory, client, **fields)]


def test_an_earlier_response_is_put_before_what_is_asked_now(memory: Memory) -> None:
    assert said(memory, ANN, previous_response_id="resp_1") == [
        ("user", "Hi"),
        ("assistant", "Hello"),
        ("user", "And now?"),
    ]


def test_of_a_conversation_with_a_hole_it_is_said_that_it_has_one(memory: Memory) -> None:
    later = {"id": "resp_2", "output": [HELLO], "previous_response_id": "resp_1"}
    memory.kept.keep("ann", later, [HI])
    memory.kept.delete("ann", "resp_1")
    with pytest.raises(BadRequest, match=r"'resp_2' goes on from one that was deleted"):
        said(memory, ANN, previous_response_id="resp_2")
    with pytest.raises(BadRequest, match=r"'resp_1' not found\."):
        said(memory, ANN, previous_response_id="resp_1")


def test_another_owner_does_not_find_it(memory: Memory) -> None:
    with pytest.raises(BadRequest) as caught:
        said(memory, BOB, previous_response_id="resp_1")

    assert caught.value.code == "previous_response_not_found"


def test_an_item_is_found_by_its_id(memory: Memory) -> None:
    named = {"type": "item_reference", "id": "msg_1"}

    assert said(memory, ANN, input=[HI, named]) == [("user", "Hi"), ("assistant", "Hello")]


@pytest.mark.parametrize(("client", "opened"), [(ANN, [BLOCK]), (BOB, None)], ids=["its owner", "another"])
def test_sealed_thoughts_are_opened_for_their_owner_alone(
    memory: Memory, client: Client, opened: list[Any] | None
) -> None:
    carries = {"model": "alias", "input": "Hi", "include": ["reasoning.encrypted_content"]}
    message = {"role": "assistant", "content": "Hello", "thinking_blocks": [BLOCK]}
    answer = completion(choices=[{"index": 0, "message": message, "finish_reason": "stop"}])
    dialect = memory.dialect_for(ANN)
    output = dialect.render(answer, openai_responses.parse(carries), SERVED)["output"]

    assert messages_of(memory, client, input=[HI, *output])[1].get("thinking_blocks") == opened
