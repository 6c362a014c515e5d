"""The text in `{"input": "…"}`, however it is cut, escaped or spoilt."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.utils.json_text import TextInJson


def read(*pieces: str) -> str:
    reader = TextInJson("input")
    return "".join([*map(reader.feed, pieces), reader.close()])


any_text = st.text(st.characters(exclude_categories=[]), max_size=40)


@given(any_text, st.booleans(), st.sampled_from([None, 1]))
def test_the_text_is_what_was_written_however_the_pieces_were_cut(
    text: str, ascii_only: bool, indent: int | None
) -> None:
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    written = json.dumps({"input": text}, ensure_ascii=ascii_only, indent=indent)

    assert read(written) == text
    assert read(*written) == text
    for cut in range(len(written)):
        assert read(written[:cut], written[cut:]) == text


@given(any_text, st.data())
def test_anything_at_all_comes_out_the_same_however_it_is_cut(text: str, data: st.DataObject) -> None:
    written = data.draw(st.sampled_from(['{"input":"', '{"in', '"', "", "{}", '{"input":3}'])) + text

    assert read(*written) == read(written)


@pytest.mark.parametrize(
    ("written", "text"),
    [
        pytest.param("", "", id="nothing"),
        pytest.param('{"input":""}', "", id="an empty text"),
        pytest.param(' {\n "input" : "a" }\n', "a", id="with room"),
        pytest.param('{"input":"a","reason":"b"}', "a", id="another field behind it"),
        pytest.param('{"reason":"b","input":"a"}', "a", id="another field before it"),
        pytest.param('{"patch":"a"}', "a", id="another name"),
        pytest.param('"a\\nb"', "a\nb", id="a bare text"),
        pytest.param("*** Begin Patch\n", "*** Begin Patch\n", id="no JSON"),
        pytest.param('{"input":3}', '{"input":3}', id="a number"),
        pytest.param('{"input":{"a":1}}', '{"input":{"a":1}}', id="an object"),
        pytest.param("{broken", "{broken", id="broken JSON"),
        pytest.param("{}", "{}", id="an empty object"),
        pytest.param('{"input":"a\nb"}', "a\nb", id="a line break that should be escaped"),
        pytest.param('{"input":"\\d"}', "\\d", id="an escape that is none"),
        pytest.param('{"input":"\\uzzzz"}', "\\uzzzz", id="a number that is none"),
        pytest.param('{"input":"\\ud83d\\ude00"}', "\U0001f600", id="a pair"),
        pytest.param('{"input":"\\ud83dx"}', "\ud83dx", id="half a pair"),
        pytest.param('{"input":"\\ud83d\\n"}', "\ud83d\n", id="half a pair, then another escape"),
        pytest.param('{"input":"\\ud83d\\u0041"}', "\ud83dA", id="half a pair, then another letter"),
        pytest.param('{"input":"abc', "abc", id="cut off"),
        pytest.param('{"input":"abc\\u00', "abc", id="cut off in an escape"),
    ],
)
def test_other_shapes_give_the_text_that_was_meant(written: str, text: str) -> None:
    assert read(written) == text
    assert read(*written) == text


def test_the_text_leaves_as_soon_as_it_is_certain() -> None:
    reader = TextInJson("input")

    assert [reader.feed(piece) for piece in ('{"inp', 'ut":"a', "b\\", 'n"', "}")] == ["", "a", "b", "\n", ""]


def test_what_is_no_json_leaves_at_once() -> None:
    reader = TextInJson("input")

    assert [reader.feed(piece) for piece in ("*** ", "Begin")] == ["*** ", "Begin"]
