"""JSON: what clients and targets really send comes out as it went in."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.utils.codec import dumps, loads

any_text = st.text(st.characters(exclude_categories=[]))  # half surrogate pairs too
numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | any_text,
    lambda inner: st.lists(inner) | st.dictionaries(any_text, inner),
    max_leaves=20,
)
small = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | any_text,
    lambda inner: st.lists(inner) | st.dictionaries(any_text, inner),
    max_leaves=20,
)

HALF = "\ud83d"


@given(small)
def test_every_value_comes_back(value: Any) -> None:
    assert loads(dumps(value)) == value


@given(values)
def test_everybody_else_reads_what_is_written(value: Any) -> None:
    assert json.loads(dumps(value)) == value


@given(values)
def test_what_others_write_is_read(value: Any) -> None:
    read = loads(json.dumps(value))

    assert read == value or json.loads(json.dumps(value), parse_int=as_orjson) == read


def as_orjson(digits: str) -> float | int:
    number = int(digits)
    return number if -(2**63) <= number < 2**64 else float(number)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        pytest.param({"a": "ü漢😀"}, '{"a":"ü漢😀"}', id="UTF-8 is not escaped"),
        pytest.param({"a": "ü" + HALF}, '{"a":"ü\\ud83d"}', id="half a pair is, and nothing else"),
        pytest.param({HALF: 1}, '{"\\ud83d":1}', id="half a pair in a key"),
        pytest.param(
            [2**64, -(2**70)], "[18446744073709551616,-1180591620717411303424]", id="beyond 64 bits"
        ),
        pytest.param([1.0, 0.1, -0.0, 1e300], "[1.0,0.1,-0.0,1e+300]", id="floats stay floats"),
        pytest.param('\x00\x1f\u2028\\"/', '"\\u0000\\u001f\u2028\\\\\\"/"', id="control characters"),
    ],
)
def test_values_are_written_as_short_as_can_be(value: Any, written: str) -> None:
    assert dumps(value).decode() == written


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param(b'"\\ud83d"', HALF, id="the first half of a pair"),
        pytest.param(b'"\\ude00\\ud83d"', "\ude00\ud83d", id="two halves the wrong way round"),
        pytest.param(b'"\\ud83d\\ude00"', "😀", id="a whole pair"),
        pytest.param(b'{"a":1,"a":2}', {"a": 2}, id="the last of equal keys"),
        pytest.param(b'{"a":"\\ud83d","a":2}', {"a": 2}, id="the last of equal keys, the slow way"),
        pytest.param(b"18446744073709551615", 2**64 - 1, id="64 bits"),
        pytest.param(b"18446744073709551616", 2.0**64, id="65 bits: a float, as in JavaScript"),
        pytest.param(b'["\\ud83d",18446744073709551616]', [HALF, 2**64], id="65 bits, the slow way"),
        pytest.param(b"\xef\xbb\xbf[1]", [1], id="a byte order mark"),
        pytest.param(" [1]\r\n", [1], id="text"),
        pytest.param(bytearray(b"[1]"), [1], id="a bytearray"),
    ],
)
def test_values_are_read(text: bytes | str, value: Any) -> None:
    assert loads(text) == value


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"   ", id="white space"),
        pytest.param(b"NaN", id="NaN"),
        pytest.param(b'{"a":-Infinity}', id="Infinity"),
        pytest.param(b'["\\ud83d",NaN]', id="NaN, the slow way"),
        pytest.param(b"1e400", id="a number that is none"),
        pytest.param(b'["\\ud83d",-1e400]', id="a number that is none, the slow way"),
        pytest.param(b"{'a':1}", id="Python"),
        pytest.param(b'{"a":1,}', id="a comma too many"),
        pytest.param(b'{"a":1}{"b":2}', id="two values"),
        pytest.param(b'"\xff\xfe\xfd"', id="no UTF-8"),
        pytest.param(b'"a\nb"', id="a line end in a string"),
        pytest.param(b"[" * 100_000, id="very deep and open"),
        pytest.param(b"[" * 100_000 + b"]" * 100_000, id="very deep"),
        pytest.param(b'{"a":' * 2000 + b"1" + b"}" * 2000, id="objects, very deep"),
        pytest.param(b"<html>", id="HTML"),
        pytest.param(b"9" * 5000, id="a number without end"),
    ],
)
def test_what_is_no_json_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        loads(text)


def test_what_is_deeper_than_orjson_writes_is_written() -> None:
    deep = b"[" * 500 + b"]" * 500

    assert dumps(loads(deep)) == deep


def test_what_is_no_json_value_is_a_mistake_of_ours() -> None:
    with pytest.raises(TypeError):
        dumps({"a": object()})
