"""What people read when they debug an agent: requests, chunks and answers as short lines. Pure.

A line is a marker and a text. Each function looks at one value; `utils.story` follows a stream.

Upstreams send what they like, so nothing here trusts a shape: what is no dict or text is left out or shown
as it is. A text is never cut inside a word if the word is of ordinary length: the beginning of a key
that nobody would recognise as one is not left standing at a cut.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from app.utils.codec import dumps, loads
from app.utils.shapes import as_dict, as_dicts, as_list

REQUEST = "[REQUEST]"
TARGET = "[TARGET]"
TOOLS_OFFERED = "[Tool Request]"
CHUNK = "[STREAM CHUNK]"
REASONING = "[REASONING]"
CALL_BEGUN = "[Tool Call]"
CALL_WHOLE = "[Tool Call Complete]"
RESPONSE = "[RESPONSE]"
ERROR = "[ERROR]"

LONGEST = 10_000
"""Contents beyond so many characters are cut, and their whole length is named."""
LONGEST_VECTOR = 30
"""Numbers; of a longer list of numbers only the length is named."""


class Line(NamedTuple):
    marker: str
    text: str


# ─── texts ───────────────────────────────────────────────────────────────────────────────────────

_TOKEN_ENDS = re.compile(r"(?<![\w.+/=%~:@-])|(?![\w.+/=%~:@-])")


def preview(text: str, longest: int = 150, shortest: int = 100) -> str:
    """The text in one line; of a long one 100 to 150 characters, up to a word's end, and its length."""
    window = 4 * longest
    head = " ".join(text[:window].split())
    if len(head) <= longest:
        if len(text) <= window:
            return head
        head = head.rpartition(" ")[0]  # its last word may go on behind the window
    return _cut(head, min(longest, len(head)), shortest) + f"… ({len(text):,} characters)"


def clipped(text: str, longest: int = LONGEST) -> str:
    """The text as it is, or its beginning and the length of all of it."""
    if len(text) <= longest:
        return text
    return f"{_cut(text, longest, longest - 100)}… (cut: {len(text):,} characters in all)"


def _cut(text: str, longest: int, shortest: int) -> str:
    """The text's beginning up to the last space, else the last end of a word, else the limit."""
    space = text.rfind(" ", shortest, longest + 1)
    if space >= 0:
        return text[:space].rstrip()
    ends = (at for at in range(longest, shortest - 1, -1) if _TOKEN_ENDS.match(text, at))
    return text[: next(ends, longest)]


def as_json(value: Any, longest: int = LONGEST) -> str:
    """The value as JSON: texts beyond so many characters cut, files and pictures named by kind and size."""
    try:
        return clipped(
            dumps(_without_bulk(value, longest)).decode(), 2 * LONGEST
        )  # so that one long text fits
    except (TypeError, ValueError, RecursionError):
        return preview(f"<{type(value).__name__} that is no JSON>")


def _without_bulk(value: Any, longest: int, key: str = "", depth: int = 0) -> Any:
    if isinstance(value, str):
        return _named_file(value, key) or clipped(value, longest)
    if depth > 60:
        return "…"
    if isinstance(value, Mapping):
        return {
            str(name): _without_bulk(inner, longest, str(name), depth + 1) for name, inner in value.items()
        }
    if isinstance(value, (list, tuple)):
        if len(value) > LONGEST_VECTOR and all(isinstance(one, (int, float)) for one in value):
            return f"<{len(value):,} numbers>"
        return [_without_bulk(inner, longest, key, depth + 1) for inner in value]
    return value if isinstance(value, (int, float, bool, type(None))) else preview(repr(value))


_FILE_KEYS = frozenset({"data", "file_data", "b64_json", "image"})


def _named_file(text: str, key: str) -> str | None:
    """`<image/png, 12.3 kB>` for a data URL or a field of base64; None for any other text."""
    if text.startswith("data:") and "," in text[:200]:
        kind = text[5 : text.index(",")].partition(";")[0]
        return f"<{kind or 'data'}, {_size_of_base64(text)}>"
    if key in _FILE_KEYS and len(text) > 200 and " " not in text[:200]:
        return f"<base64, {_size_of_base64(text)}>"
    return None


def _size_of_base64(text: str) -> str:
    return size((len(text) - text.find(",", 0, 200) - 1) * 3 // 4)


def size(octets: int) -> str:
    """`812 B`, `61.2 kB`, `1.4 MB`"""
    if octets < 1000:
        return f"{octets} B"
    return f"{octets / 1e3:.1f} kB" if octets < 1e6 else f"{octets / 1e6:.1f} MB"


# ─── requests ────────────────────────────────────────────────────────────────────────────────────


def request_lines(body: Any) -> Iterator[Line]:
    """What a client asks: its settings, each message or item by role and preview, its tools."""
    body = as_dict(body)
    yield Line(REQUEST, outline(body))
    for name, content in _prompts(body).items():
        yield Line(REQUEST, f"{name}: {content_text(content)}")
    for number, message in enumerate(as_list(body.get("messages") or body.get("input")), 1):
        yield Line(REQUEST, f"{number} {message_text(message)}")
    yield from (Line(TOOLS_OFFERED, text) for text in tools_texts(body.get("tools")))


def size_of_talk(body: Mapping[str, Any]) -> tuple[int, int]:
    """How many messages (of Responses: items) and tools a request has."""
    items = body.get("messages") if "messages" in body else body.get("input")
    return len(as_dicts(items)) or int(isinstance(items, str)), len(as_list(body.get("tools")))


def target_lines(name: str, url: str, body: Any, way: str = "") -> Iterator[Line]:
    """Where it goes, by which way, and what is really sent there, without the messages and tools."""
    yield Line(TARGET, f"{name} at {url}" if url else name)
    if way:
        yield Line(TARGET, f"by {way}")
    yield Line(TARGET, f"sent {outline(as_dict(body))}")


def outline(body: Mapping[str, Any]) -> str:
    """The body as JSON: of messages and tools only how many there are, of a prompt only how long it is."""
    return as_json(_measured(body), longest=150)


def answer_text(answer: Any) -> str:
    """An answer or an event as JSON; of what Responses repeats of its request only how long it is."""
    if isinstance(response := as_dict(answer).get("response"), dict):
        return as_json({**answer, "response": _measured(response)})
    return as_json(_measured(answer) if as_dict(answer).get("object") == "response" else answer)


def _measured(body: Mapping[str, Any]) -> dict[str, Any]:
    counted = {key: len(value) for key in _LISTS if isinstance(value := body.get(key), list)}
    measured = {key: f"<{_length(content):,} characters>" for key, content in _prompts(body).items()}
    return {**body, **measured, **counted}


_LISTS = ("messages", "input", "tools", "documents")


def _prompts(body: Mapping[str, Any]) -> dict[str, Any]:
    """What a model is told outside of messages and items: texts, or lists that hold some."""
    said = {key: content for key in ("system", "instructions", "prompt") if _length(content := body.get(key))}
    return {**said, "input": body["input"]} if isinstance(body.get("input"), str) else said


def _length(content: Any) -> int:
    """Of a text, or of all texts in a list of parts."""
    parts = content if isinstance(content, list) else [content]
    return sum(len(text) for text in map(_text, parts) if text)


def _text(part: Any) -> str | None:
    text = part.get("text") if isinstance(part, dict) else part
    return text if isinstance(text, str) else None


def message_text(message: Any) -> str:
    """`assistant: I will read it. calls read (call_1)`"""
    if not isinstance(message, dict):
        return preview(as_json(message))
    role = preview(str(message.get("role") or message.get("type")), 30, 20)
    names = (message.get(key) for key in ("name", "tool_call_id", "call_id"))
    about = " ".join([role, *(name for name in names if isinstance(name, str))])
    said = (message.get(key) for key in ("content", "output", "arguments", "input", "summary"))
    parts = [content_text(next(filter(None, said), None))]
    if reasoning := reasoning_of(message):
        parts.insert(0, f"(thought: {preview(reasoning)})")
    if calls := [f"{call_name(call)} ({call.get('id')})" for call in as_dicts(message.get("tool_calls"))]:
        parts.append(f"calls {', '.join(calls)}")
    return f"{about}: {' '.join(filter(None, parts))}"


def content_text(content: Any) -> str:
    """A message's content as preview; pictures and files by kind and size."""
    if isinstance(content, str):
        return preview(content)
    if isinstance(content, list):
        return " | ".join(map(_part_text, content))
    return "" if content is None else preview(as_json(content))


def _part_text(part: Any) -> str:
    if not isinstance(part, dict):
        return preview(part if isinstance(part, str) else as_json(part))
    if (text := _text(part)) is not None:
        return preview(text)
    kind = str(part.get("type"))
    if kind == "tool_result":
        return f"[result of {part.get('tool_use_id')}: {content_text(part.get('content'))}]"
    if kind.endswith("tool_use"):
        return f"[calls {call_name(part)} ({part.get('id')})]"
    inner = part.get(kind)
    inner = inner if isinstance(inner, dict) else {"url": inner}
    source = next((inner[key] for key in ("url", "data", "file_data") if isinstance(inner.get(key), str)), "")
    named = [inner[key] for key in ("filename", "format", "file_id") if isinstance(inner.get(key), str)]
    return f"[{preview(' '.join([kind, *named, *_origin(source)]))}]"


def _origin(source: str) -> Iterator[str]:
    """Where a picture comes from: its kind and size, or the host alone, for its address may be a secret."""
    if source.startswith("data:"):
        yield str(_named_file(source, "data")).strip("<>")
    elif "://" in source:
        yield "at " + re.split(r"[/?#]", source.partition("://")[2])[0].rpartition("@")[2]
    elif source:
        yield _size_of_base64(source)


def tools_texts(tools: Any) -> Iterator[str]:
    """The first tool with its parameters and the beginning of what is said of it, the others by name."""
    offered = as_list(tools)
    if offered:
        yield f"1 of {len(offered)}: {_tool_text(offered[0])}"
    if others := [tool_name(tool) for tool in offered[1:]]:
        yield clipped(f"and {', '.join(others)}")


def _tool_text(tool: Any) -> str:
    """`read (path, limit): Reads a file.`"""
    about = _function(tool) or as_dict(tool)
    schema = as_dict(about.get("parameters")) or as_dict(about.get("input_schema"))
    parameters = preview(", ".join(map(str, as_dict(schema.get("properties")))))
    text = f"{tool_name(tool)} ({parameters})" if parameters else tool_name(tool)
    description = about.get("description")
    return f"{text}: {preview(description)}" if isinstance(description, str) else text


def tool_name(tool: Any) -> str:
    """What a tool is called; one that its provider runs may have a type only."""
    return call_name(tool) or preview(str(as_dict(tool).get("type") or "?"), 80, 60)


# ─── what leaves, and what it cost ───────────────────────────────────────────────────────────────


def sent_lines(data: bytes) -> Iterator[Line]:
    """Server-sent events as they leave, each a line."""
    for block in data.decode("utf-8", "replace").split("\n\n"):
        if block:
            yield Line(CHUNK, f"sent {_event_text(block)}")


def _event_text(block: str) -> str:
    """`message_stop {"type":"message_stop"}`; a comment as it is."""
    fields = [line.partition(":") for line in block.split("\n")]
    data = "\n".join(value.removeprefix(" ") for name, _, value in fields if name == "data")
    names = [value.strip() for name, _, value in fields if name == "event"]
    try:
        return " ".join([*names, answer_text(loads(data))])
    except ValueError:
        return " ".join([*names, clipped(data or block)])


class Usage(NamedTuple):
    """Tokens of an answer; None where the target did not say."""

    tokens_in: int | None = None
    tokens_out: int | None = None
    cached: int | None = None
    reasoning: int | None = None


def usage_numbers(usage: Mapping[str, Any] | None) -> Usage:
    """The tokens of an OpenAI-shaped usage, DeepSeek's `prompt_cache_hit_tokens` understood."""
    if not isinstance(usage, dict):
        return Usage()
    asked, given = usage.get("prompt_tokens_details"), usage.get("completion_tokens_details")
    cached = _number(asked.get("cached_tokens")) if isinstance(asked, dict) else None
    return Usage(
        _number(usage.get("prompt_tokens")),
        _number(usage.get("completion_tokens")),
        _number(usage.get("prompt_cache_hit_tokens")) if cached is None else cached,
        _number(given.get("reasoning_tokens")) if isinstance(given, dict) else None,
    )


# ─── shapes that may be anything ─────────────────────────────────────────────────────────────────


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def reasoning_of(message: Mapping[str, Any]) -> str:
    for key in ("reasoning_content", "reasoning"):
        if isinstance(value := message.get(key), str) and value:
            return value
    return ""


def _function(call: Any) -> dict[str, Any]:
    """`{"type": "function", "function": {…}}`, or the same with another kind."""
    call = as_dict(call)
    return as_dict(call.get("function")) or as_dict(call.get(str(call.get("type"))))


def call_name(call: Any) -> str:
    """A tool's or call's name, wherever its kind of tool has it."""
    return preview(str(_function(call).get("name") or as_dict(call).get("name") or ""), 80, 60)


def call_arguments(call: Any) -> str:
    """Arguments are text; some targets send them as the object itself."""
    arguments = _function(call).get("arguments")
    return arguments if isinstance(arguments, str) else "" if arguments is None else as_json(arguments)
