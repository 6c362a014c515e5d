"""A wire id is shown nowhere that a field says which model it was."""

from __future__ import annotations

from typing import Any

import pytest

from app.utils.aliases import under_alias
from tests.fakes import target


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"model": "wire-id"}, {"model": "alias"}),
        ({"item": {"model": "wire-id", "x": 1}}, {"item": {"model": "alias", "x": 1}}),
        ({"output": [{"model": "wire-id"}, "wire-id"]}, {"output": [{"model": "alias"}, "wire-id"]}),
        ({"model": "another", "item": {"model": None}}, {"model": "another", "item": {"model": None}}),
        ({"model": ["wire-id"], "text": "wire-id"}, {"model": ["wire-id"], "text": "wire-id"}),
        (
            {"block": {"input": {"model": "wire-id"}}},
            {"block": {"input": {"model": "wire-id"}}},
        ),
    ],
    ids=["outside", "inside", "in a list", "another model", "other values", "what a model wrote"],
)
def test_a_model_that_is_the_wire_id_is_the_alias(value: dict[str, Any], shown: dict[str, Any]) -> None:
    under_alias(value, target())

    assert value == shown


def test_how_deep_is_for_the_caller_to_say() -> None:
    event = {"response": {"x": {"model": "wire-id"}}}
    under_alias(event, target(), levels=3)

    assert event == {"response": {"x": {"model": "alias"}}}
