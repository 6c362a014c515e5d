"""Which of an answer's choices counts where there can only be one."""

from __future__ import annotations

from typing import Any

import pytest

from app.utils.first_choice import FirstChoice


def choice(index: Any, said: str) -> dict[str, Any]:
    return {"index": index, "said": said}


@pytest.mark.parametrize(
    ("events", "said"),
    [
        pytest.param([[choice(0, "a")], [choice(0, "b")]], "ab", id="the first"),
        pytest.param([[choice(1, "a")], [choice(1, "b")]], "ab", id="the only one is called the second"),
        pytest.param([[choice(0, "a")], [choice(1, "x")], [choice(0, "b")]], "ab", id="two in turn"),
        pytest.param([[choice(0, "a"), choice(1, "x")], [choice(1, "y"), choice(0, "b")]], "ab", id="two"),
        pytest.param([[choice(None, "a")], [{"said": "b"}]], "ab", id="without an index"),
        pytest.param([None, [], 3, [None], [choice(0, "a")]], "a", id="nothing before"),
    ],
)
def test_the_first_choice_that_comes_is_the_answer(events: list[Any], said: str) -> None:
    first = FirstChoice()
    found = [first.of({"choices": choices}) for choices in events]

    assert "".join(it["said"] for it in found if it) == said
