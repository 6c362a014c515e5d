from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.config.catalog import ConfigError
from app.config.text import escaped, parse, place_of, read_document, substitute

HERE = Path("/somewhere/opencode.json")


def loaded(text: str, **environment: str) -> object:
    return parse(substitute(text, environment, HERE), text, HERE)


def failure(text: str, path: Path = HERE, **environment: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        parse(substitute(text, environment, path), text, path)
    return caught.value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param('{"a": 1,}', {"a": 1}, id="a trailing comma"),
        pytest.param('{"a": [1, 2,],}', {"a": [1, 2]}, id="two trailing commas"),
        pytest.param('// first\n{"a": 1} // last', {"a": 1}, id="line comments"),
        pytest.param('/* a\n b */{"a": /* c */ 1}', {"a": 1}, id="block comments"),
        pytest.param('{"a": "http://host/*x*/"}', {"a": "http://host/*x*/"}, id="no comment in a string"),
        pytest.param('{"a": "\\u00e9\\n"}', {"a": "é\n"}, id="escapes"),
    ],
)
def test_json_with_comments_and_trailing_commas_is_read(text: str, value: object) -> None:
    assert loaded(text) == value


@pytest.mark.parametrize(
    ("text", "environment", "value"),
    [
        pytest.param('{"a": "{env:X}"}', {"X": "v"}, "v", id="alone"),
        pytest.param('{"a": "<{env:X}{env:Y}>"}', {"X": "1", "Y": "2"}, "<12>", id="within a text"),
        pytest.param('{"a": "{env:X}"}', {}, "", id="missing is empty"),
        pytest.param('{"a": "{env: X}"}', {"X": "v"}, "", id="a blank belongs to the name"),
        pytest.param('{"a": "{env:X}"}', {"X": 'a"b\\c\nd'}, 'a"b\\c\nd', id="escaped"),
        pytest.param('{"a": {env:X}}', {"X": "12"}, 12, id="outside of a string"),
        pytest.param('{"a": {env:X}}', {"X": '{"b": ["c"]}'}, {"b": ["c"]}, id="JSON outside of a string"),
        pytest.param('{"a": "{env:X}" /* {env:Y} */}', {"X": "v", "Y": '"'}, "v", id="in a comment"),
    ],
)
def test_variables_are_put_into_the_text(text: str, environment: dict[str, str], value: object) -> None:
    assert loaded(text, **environment) == {"a": value}


@given(value=st.text().filter(lambda text: "{file:" not in text))
def test_any_value_of_a_variable_arrives_as_it_is(value: str) -> None:
    assert loaded('{"a": "{env:X}", "b": "-{env:X}-"}', X=value) == {"a": value, "b": f"-{value}-"}


@given(
    before=st.text("ab \n", max_size=6),
    value=st.text(max_size=8).filter(lambda text: "{" not in text),
    between=st.text("cd \n", max_size=6),
    other=st.text(max_size=8).filter(lambda text: "{" not in text),
)
def test_what_stands_behind_a_replacement_keeps_its_place(
    before: str, value: str, between: str, other: str
) -> None:
    text = f"{before}{{env:X}}{between}{{env:Y}}!"

    result = substitute(text, {"X": value, "Y": other}, HERE)

    assert text[result.origin(len(result.text) - 1)] == "!"
    start = len(before) + len(escaped(value))
    assert [result.origin(start + step) for step in range(len(between))] == [
        len(before) + len("{env:X}") + step for step in range(len(between))
    ]


def test_the_content_of_a_file_is_put_in_trimmed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "mine.txt").write_text(' se"cret\n\n')
    (tmp_path / "home.txt").write_text("from home")
    monkeypatch.setenv("HOME", str(tmp_path))
    path = tmp_path / "opencode.json"
    absolute = json.dumps(str(tmp_path / "keys" / "mine.txt"))[1:-1]
    path.write_text(
        f'{{"relative": "{{file:keys/mine.txt}}", "nested": "{{file:./{{env:FOLDER}}/mine.txt}}",'
        f' "home": "{{file:~/home.txt}}", "absolute": "{{file:{absolute}}}"}}'
    )

    data = read_document(path, {"FOLDER": "keys"}).data

    assert data == {"relative": 'se"cret', "nested": 'se"cret', "home": "from home", "absolute": 'se"cret'}


def test_a_file_in_a_comment_line_is_left_alone() -> None:
    assert loaded('{\n  // "a": "{file:nowhere}"\n  "b": 1\n}') == {"b": 1}


def test_a_missing_file_is_an_error_with_its_place(tmp_path: Path) -> None:
    text = '{\n  "x": "{env:X}", "a": "{file:nowhere.txt}"\n}'

    error = failure(text, tmp_path / "opencode.json", X="long" * 20)

    assert error.place == f"{tmp_path / 'opencode.json'}:2:{text.splitlines()[1].index('{file') + 1}"
    assert "{file:nowhere.txt}" in error.message


def test_a_file_that_is_no_text_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")

    assert "not UTF-8" in failure('{"a": "{file:binary}"}', tmp_path / "opencode.json").message
    assert "cannot be read" in failure('{"a": "{file:.}"}', tmp_path / "opencode.json").message
    assert "not a path" in failure('{"a": "{file:\\u0000}"}', tmp_path / "opencode.json").message


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        pytest.param('{\n  "a": 1\n  "b": 2\n}', "3:3", "comma or } is missing", id="no comma"),
        pytest.param('{"a": [1 2]}', "1:10", "comma or ] is missing", id="no comma in a list"),
        pytest.param('{\n  "a" 1}', "2:7", "no colon", id="no colon"),
        pytest.param('{"a": 1,,}', "1:9", "comma too many", id="two commas"),
        pytest.param('{"a": }', "1:7", "value is expected", id="no value"),
        pytest.param('{"a": yes}', "1:7", "value is expected", id="a bare word"),
        pytest.param('{"a": tru}', "1:7", "no value", id="half a word"),
        pytest.param("{1: 2}", "1:2", "key is expected", id="no key"),
        pytest.param('\n{"a": {"b": 1}', "2:1", "never closed", id="not closed"),
        pytest.param('{"a": "b}', "1:7", "never closed", id="string not closed"),
        pytest.param('{"a": 1} /* b', "1:10", "never closed", id="comment not closed"),
        pytest.param('{"a": 1}\n\n}', "3:1", "after the end", id="more behind the end"),
        pytest.param('{"a": "\\u12"}', "1:9", "hexadecimal", id="bad escape"),
        pytest.param("", "1:1", "empty", id="empty"),
        pytest.param("[" * 5000, "1:33", "deep", id="too deep"),
    ],
)
def test_a_wrong_file_is_refused_with_line_and_column(text: str, place: str, message: str) -> None:
    error = failure(text)

    assert message in error.message
    assert error.place == f"{HERE}:{place}"


def test_line_and_column_are_those_of_the_file_as_written() -> None:
    text = '{"a": "{env:SHORT}", "b": "{env:LONG}", "c": 1 2}\n'

    error = failure(text, SHORT="", LONG="x" * 500)

    assert error.place == f"{HERE}:1:{text.index('2}') + 1}"
    assert "x" * 10 not in str(error)


def test_values_of_several_lines_do_not_move_the_lines_behind_them() -> None:
    text = '{"a": {env:X},\n "b" 2}'

    assert failure(text, X="[\n1,\n2\n]").place == f"{HERE}:2:6"


def test_the_variables_of_a_string_are_known_after_they_were_replaced(tmp_path: Path) -> None:
    path = tmp_path / "opencode.json"
    path.write_text('{"t": {env:MS}, "a": {"k": "{env:X}-{env:Y}", "f": "{file:key}"}, "n": 1}')
    (tmp_path / "key").write_text("k")

    document = read_document(path, {"MS": "5", "X": "x"})

    assert document.data == {"t": 5, "a": {"k": "x-", "f": "k"}, "n": 1}
    assert document.variables("a", "k") == ("X", "Y")
    assert document.variables("a", "f") == document.variables("n") == document.variables("no", "where") == ()
    assert document.holds_file("a", "f")
    assert not document.holds_file("a", "k")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(None, "no such file", id="missing"),
        pytest.param(b'{"a": "\xff"}', "not UTF-8 at byte 7", id="not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_says_so(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "opencode.json"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(ConfigError, match=message):
        read_document(path, {})


def test_a_folder_in_place_of_the_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_document(tmp_path, {})


def test_a_byte_order_mark_is_no_part_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "opencode.json"
    path.write_bytes(b'\xef\xbb\xbf{"a": 1}')

    assert read_document(path, {}).data == {"a": 1}


@given(st.text("ab\n", max_size=30), st.integers(0, 40))
def test_places_count_lines_and_columns_from_one(text: str, offset: int) -> None:
    _, line, column = place_of(text, offset, Path("f")).split(":")

    lines = text[: min(offset, len(text))].split("\n")
    assert (int(line), int(column)) == (len(lines), len(lines[-1]) + 1)
