"""Anthropic's content blocks as chat's content: text, or parts where there is more than text. Pure.

Nothing is refused for being unknown. What a chat target cannot be shown as it is, becomes
text that says what it was, so that the model knows of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

from app.utils.codec import dumps
from app.utils.shapes import as_dicts

Part: TypeAlias = dict[str, Any]

JOINT = "\n\n"
"""Between blocks of text that chat is told as one."""


def parts_of(content: Any) -> list[Part]:
    """Chat's parts for a message's or tool result's content, text or blocks."""
    if isinstance(content, str):
        return [_text(content)] if content else []
    return [part for block in as_dicts(content) for part in _parts(block)]


def joined(parts: list[Part]) -> str | list[Part]:
    """The parts as a message's content: one text, if they are all text, which every target can read."""
    if any(part["type"] != "text" for part in parts):
        return parts
    return JOINT.join(part["text"] for part in parts)


def _parts(block: dict[str, Any]) -> Iterator[Part]:
    match block.get("type"):
        case "text":
            if isinstance(text := block.get("text"), str) and text:
                yield _text(text)
        case "image":
            yield _image(block.get("source"))
        case "document":
            yield from _document(block)
        case "search_result":
            yield from _titled("Search result", block, block.get("source"))
            yield from parts_of(block.get("content"))
        case "tool_reference":
            yield _text(f"Tool '{block.get('tool_name')}' is available now.")
        case _:
            yield _text(as_json(block))


def _text(text: str) -> Part:
    return {"type": "text", "text": text}


def _image(source: Any) -> Part:
    match source:
        case {"type": "base64", "data": str(data)}:
            kind = source.get("media_type") or "image/png"
            return {"type": "image_url", "image_url": {"url": f"data:{kind};base64,{data}"}}
        case {"type": "url", "url": str(url)}:
            return {"type": "image_url", "image_url": {"url": url}}
    return _text(f"(an image that cannot be shown here: {as_json(source)})")


def _document(block: dict[str, Any]) -> Iterator[Part]:
    source = block.get("source") or {}
    match source:
        case {"type": "text", "data": str(data)}:
            yield from _titled("Document", block)
            yield _text(data)
        case {"type": "content", "content": content}:
            yield from _titled("Document", block)
            yield from parts_of(content)
        case {"type": "base64", "data": str(data)}:
            yield from _titled("Document", block)
            yield _file(block.get("title"), source.get("media_type") or "application/pdf", data)
        case {"type": "url", "url": str(url)}:
            yield from _titled("Document", block)
            yield _text(f"(a document at {url})")
        case _:
            yield _text(f"(a document that cannot be shown here: {as_json(source)})")


def _file(title: Any, kind: str, data: str) -> Part:
    name = title if isinstance(title, str) and title else "document.pdf"
    return {"type": "file", "file": {"filename": name, "file_data": f"data:{kind};base64,{data}"}}


def _titled(what: str, block: dict[str, Any], source: Any = None) -> Iterator[Part]:
    """What stands above a document: its title, where it is from, what it is about."""
    said = [it for it in (block.get("title"), source, block.get("context")) if isinstance(it, str) and it]
    if said:
        yield _text(f"{what}: " + "\n".join(said))


def as_json(value: Any) -> str:
    """A value as text for a model to read, without what is for machines only."""
    if isinstance(value, dict):
        value = {key: it for key, it in value.items() if key not in _FOR_MACHINES}
    return dumps(value).decode()


_FOR_MACHINES = {"cache_control", "citations", "encrypted_content", "encrypted_index", "signature", "caller"}
