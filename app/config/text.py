"""From a file to its JSON, with OpenCode's rules for `{env:NAME}` and `{file:path}`.

Both are replaced in the text before it is parsed, first every `{env:}`, then every `{file:}`
(so a path may hold an `{env:}`), with the value escaped for a JSON string where it stands in one. A missing
variable is empty, a missing file is an error. As replaced text moves what stands behind it, each pass keeps
its shifts, and an error's place is led back to the line and column of the file that people see.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import pyjson5

from app.config.catalog import ConfigError

ENV = re.compile(r"\{env:([^}]+)\}")
FILE = re.compile(r"\{file:([^}]+)\}")
Shift: TypeAlias = tuple[int, int, int]
"""A replacement: where it starts and ends in the new text, and where the old one ended."""


@dataclass(frozen=True, slots=True)
class Substituted:
    """Text with its values in place, and the way back."""

    text: str
    passes: tuple[tuple[Shift, ...], ...] = ()

    def origin(self, offset: int) -> int:
        """The offset in the file as written for one in this text."""
        for shifts in reversed(self.passes):
            offset = _before(shifts, offset)
        return offset


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed file: its data, and the same with `{env:NAME}` still standing in the strings."""

    data: Any
    raw: Any

    def variables(self, *path: str | int) -> tuple[str, ...]:
        """The variables that the string at `path` is made of."""
        return tuple(ENV.findall(self._written(*path)))

    def holds_file(self, *path: str | int) -> bool:
        """Whether the string at `path` comes from a file."""
        return FILE.search(self._written(*path)) is not None

    def _written(self, *path: str | int) -> str:
        node = self.raw
        for step in path:
            node = node.get(step) if isinstance(node, dict) else None
        return node if isinstance(node, str) else ""


def read_text(path: Path) -> str:
    """The file's text, without a byte order mark."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(
            str(path), "there is no such file", "name yours with --config or LOCALCODE_CONFIG"
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigError(str(path), f"it is not UTF-8 at byte {error.start}", "save it as UTF-8") from None
    except OSError as error:
        raise ConfigError(str(path), f"it cannot be read: {error.strerror}") from None


def read_document(path: Path, environment: Mapping[str, str]) -> Document:
    """The file parsed, values substituted; ConfigError names file, line and column."""
    text = read_text(path)
    data = parse(substitute(text, environment, path), text, path)
    return Document(data, _unsubstituted(text, environment))


def substitute(text: str, environment: Mapping[str, str], path: Path) -> Substituted:
    """`text` with every `{env:}` and `{file:}` replaced. `path` is the file that it comes from."""

    def variable(match: re.Match[str]) -> str:
        value = environment.get(match[1], "")
        return value if _is_bare(match) else escaped(value)

    with_values, first = _replace(ENV, text, variable)

    def content(match: re.Match[str]) -> str:
        if _in_comment_line(with_values, match.start()):
            return match[0]
        try:
            return escaped(_referenced(match[1], path))
        except (OSError, UnicodeDecodeError, ValueError) as error:
            place = place_of(text, _before(first, match.start()), path)
            raise ConfigError(place, *_unreadable(match[0], error)) from None

    with_files, second = _replace(FILE, with_values, content)
    return Substituted(with_files, (first, second))


def parse(substituted: Substituted, text: str, path: Path) -> Any:
    """The data of JSON with comments and trailing commas; `text` is the file as written."""
    try:
        return pyjson5.decode(substituted.text)
    except pyjson5.Json5DecoderException as error:
        offset = substituted.origin(_offset(str(error.message), substituted.text))
        message, mend = _in_words(str(error.message))
        raise ConfigError(place_of(text, offset, path), message, mend) from None


def place_of(text: str, offset: int, path: Path) -> str:
    """`file:line:column`, counted from one."""
    offset = min(offset, len(text))
    line = text.count("\n", 0, offset) + 1
    return f"{path}:{line}:{offset - text.rfind(chr(10), 0, offset)}"


def escaped(value: str) -> str:
    """`value` as it stands between the quotes of a JSON string."""
    return json.dumps(value, ensure_ascii=False)[1:-1]


def _replace(
    pattern: re.Pattern[str], text: str, value: Callable[[re.Match[str]], str]
) -> tuple[str, tuple[Shift, ...]]:
    pieces: list[str] = []
    shifts: list[Shift] = []
    length = end = 0
    for match in pattern.finditer(text):
        new = value(match)
        pieces += [text[end : match.start()], new]
        start = length + match.start() - end
        length, end = start + len(new), match.end()
        shifts.append((start, length, end))
    return "".join([*pieces, text[end:]]), tuple(shifts)


def _before(shifts: tuple[Shift, ...], offset: int) -> int:
    """Where `offset` of a new text was in the old one; inside a replacement: at its end."""
    moved = 0
    for start, end, old_end in shifts:
        if offset < start:
            break
        moved = old_end - end
        if offset < end:
            return old_end - 1
    return offset + moved


def _is_bare(match: re.Match[str]) -> bool:
    """Whether it stands outside of a string, as in `"timeout": {env:MS}`; then its value is JSON itself."""
    return match.string[: match.start()].rstrip()[-1:] in (":", "[", ",")


def _in_comment_line(text: str, offset: int) -> bool:
    return text[text.rfind("\n", 0, offset) + 1 : offset].lstrip().startswith("//")


def _referenced(reference: str, path: Path) -> str:
    try:
        name = json.loads(f'"{reference}"')
    except ValueError:
        name = reference
    file = Path(name).expanduser() if name.startswith("~/") else Path(name)
    return (path.parent / file).read_bytes().decode().strip()


def _unreadable(token: str, error: Exception) -> tuple[str, str]:
    match error:
        case FileNotFoundError():
            return f"the file of {token} does not exist", "make it, or take the reference out"
        case UnicodeDecodeError():
            return f"the file of {token} is not UTF-8 text", "save it as UTF-8"
        case OSError(strerror=str(reason)):
            return f"the file of {token} cannot be read: {reason}", ""
        case _:
            return f"{token} is not a path", ""


def _unsubstituted(text: str, environment: Mapping[str, str]) -> Any:
    def value(match: re.Match[str]) -> str:
        return environment.get(match[1], "") if _is_bare(match) else match[0]

    try:
        return pyjson5.decode(ENV.sub(value, text))
    except pyjson5.Json5DecoderException:  # only the names of variables in messages are lost
        return None


def _offset(message: str, text: str) -> int:
    """pyjson5 says "near 7" of the seventh character, or of the last one that it has used up."""
    found = re.search(r"near (\d+)", message)
    offset = int(found[1]) if found else 0
    if not message.startswith("Extra data"):
        return max(offset - (2 if "b'comment'" in message else 1), 0)
    rest = text[offset:]
    return offset + len(rest) - len(rest.lstrip())


OPENERS = {"object": "{", "array": "[", "string": 'the "', "comment": "/*"}


def _in_words(message: str) -> tuple[str, str]:
    """pyjson5's message as words for people, and the mend."""
    if unclosed := re.match(r"Unclosed b'(\w+)'", message):
        return f"{OPENERS.get(unclosed[1], 'this')} that opens here is never closed", ""
    for pattern, words in WORDS:
        if re.match(pattern, message):
            return words
    return "this is not JSON", ""


WORDS: tuple[tuple[str, tuple[str, str]], ...] = (
    (r"Stray b'comma'", ("there is a comma too many", "take it out")),
    (r"Expected b'colon'", ("there is no colon between the key and its value", "")),
    (r"Expected b'comma' or U\+007[dD]", ("a comma or } is missing before this", "")),
    (r"Expected b'comma' or U\+005[dD]", ("a comma or ] is missing before this", "")),
    (r"Expected b'IdentifierStart'", ("a key is expected here", "put it in double quotes")),
    (r"Expected b'JSON5Value'", ("a value is expected here", "")),
    (r"Expected U\+00", ("this is no value", "text stands in double quotes")),
    (r"Expected b'hexadecimal", ("this \\u or \\x is not followed by hexadecimal digits", "")),
    (r"Extra data", ("something stands after the end of the data", "take it out")),
    (r"No JSON data", ("the file is empty", "see the opencode.json that ships with LocalCode")),
    (r"Maximum nesting", ("it is nested too deeply", "")),
)
