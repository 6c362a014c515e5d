"""The fields of a request: each wrong one is named, with what was found there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from app.errors import BadRequest
from app.utils.fields import check_text, check_types, kind, list_in, model_in, object_in, required


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ({}, "an object"),
        ([], "an array"),
        ("", "a string"),
        (True, "a boolean"),
        (None, "null"),
        (3, "a number"),
        (0.5, "a number"),
    ],
)
def test_a_value_is_called_what_json_calls_it(value: Any, name: str) -> None:
    assert kind(value) == name


def test_what_is_right_is_given_back() -> None:
    body = {"model": "alias", "items": [1], "text": "", "flag": False, "count": 3, "nothing": None}
    check_types(body, (("flag", bool, "true or false"), ("count", int, "a whole number")))
    check_types(body, (("nothing", str, "a text"), ("missing", str, "a text")))

    assert object_in(body) is body
    assert model_in(body) == "alias"
    assert list_in(body, "items", "a list") == [1]
    assert required(body, "text") == ""


@pytest.mark.parametrize(
    ("check", "message", "param"),
    [
        pytest.param(lambda: object_in([]), "the body must be a JSON object, not an array", None, id="body"),
        pytest.param(lambda: model_in({"model": 3}), "'model' must name one of", "model", id="model"),
        pytest.param(lambda: required({}, "x"), "'x' is missing", "x", id="missing"),
        pytest.param(lambda: required({"x": None}, "x"), "'x' is missing", "x", id="null"),
        pytest.param(
            lambda: list_in({"x": {}}, "x", "a list"), "'x' must be a list, not an object", "x", id="no list"
        ),
        pytest.param(
            lambda: list_in({"x": []}, "x", "a list"), "'x' is empty: at least one is needed", "x", id="empty"
        ),
        pytest.param(
            lambda: list_in({"x": []}, "x", "a list", "say something"),
            "'x' is empty: say something",
            "x",
            id="empty, in other words",
        ),
        pytest.param(
            lambda: check_types({"x": True}, (("x", int, "a whole number"),)),
            "'x' must be a whole number, not a boolean",
            "x",
            id="a boolean is no number",
        ),
        pytest.param(
            lambda: check_types({"x": 1}, (("x", bool, "true or false"),)),
            "'x' must be true or false, not a number",
            "x",
            id="a number is no boolean",
        ),
    ],
)
def test_what_is_wrong_is_named(check: Callable[[], Any], message: str, param: str | None) -> None:
    with pytest.raises(BadRequest) as raised:
        check()

    assert message in str(raised.value)
    assert raised.value.param == param


@pytest.mark.parametrize("value", ["", "a", ["a"], [1], [[1]], [[]], ["a", 1, [2]]])
def test_text_comes_as_texts_tokens_and_lists_of_them(value: Any) -> None:
    check_text({"x": value}, "x")


@pytest.mark.parametrize(
    ("value", "param"),
    [(None, "x"), (3, "x"), ({}, "x"), ([], "x"), ([None], "x[0]"), (["a", 0.5], "x[1]"), ([["a"]], "x[0]")],
)
def test_anything_else_is_no_text(value: Any, param: str) -> None:
    with pytest.raises(BadRequest) as raised:
        check_text({"x": value}, "x")

    assert raised.value.param == param
