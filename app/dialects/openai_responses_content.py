"""What the items of a Responses conversation say, as chat's content. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from app.errors import BadRequest
from app.types import Body
from app.utils.codec import dumps
from app.utils.fields import kind
from app.utils.preview import preview
from app.utils.shapes import as_list, as_text


@dataclass(slots=True)
class Texts:
    """Texts that become one: put together at the end, however many they are."""

    pieces: list[str] = field(default_factory=list)

    def add(self, text: str) -> None:
        """Adds a text that stood apart, so it does not run together with the one before."""
        if text and self.pieces and not (self.pieces[-1][-1].isspace() or text[0].isspace()):
            self.pieces.append("\n\n")
        self.go_on(text)

    def go_on(self, text: str) -> None:
        if text:
            self.pieces.append(text)

    def whole(self) -> str:
        return "".join(self.pieces)


def text_of(content: Any) -> str:
    """The text of an item's content, whatever else is in it."""
    if isinstance(content, str):
        return content
    texts = Texts()
    for part in as_list(content):
        texts.add(as_text(part.get("text", part.get("refusal")) if isinstance(part, dict) else part))
    return texts.whole()


def content_of(content: Any, place: str) -> str | list[Body]:
    """Chat's content: text, or a list of parts where there are several or other than text."""
    if not isinstance(content, list):
        return "" if content is None else written(content)
    parts = [part for at, given in enumerate(content) if (part := _part(given, f"{place}[{at}]")) is not None]
    if len(parts) == 1 and parts[0]["type"] == "text":
        return str(parts[0]["text"])
    return parts or ""


def _part(given: Any, place: str) -> Body | None:
    if isinstance(given, str):
        return {"type": "text", "text": given}
    if not isinstance(given, dict):
        raise BadRequest(f"'{place}' must be an object, not {kind(given)}", param=place)
    match given.get("type"):
        case "input_image" | "computer_screenshot":
            return _image(given, place)
        case "input_file":
            return _file(given, place)
        case "input_audio" | "image_url" | "file":  # as chat has it
            return given
    said = given.get("text", given.get("refusal"))
    if isinstance(said, str):
        return {"type": "text", "text": said}
    if isinstance(given.get("stdout"), str):  # what a shell printed
        return {"type": "text", "text": written(given)}
    return None


def _image(given: Body, place: str) -> Body:
    url = given.get("image_url")
    if isinstance(url, dict):  # chat's shape
        return {"type": "image_url", "image_url": url}
    if not isinstance(url, str) or not url:
        raise _by_reference("image", "image_url", given, place)
    detail = given.get("detail")
    return {"type": "image_url", "image_url": {"url": url, **({"detail": detail} if detail else {})}}


def _file(given: Body, place: str) -> Body:
    data = given.get("file_data")
    if not isinstance(data, str) or not data:
        raise _by_reference("file", "file_data", given, place)
    return {"type": "file", "file": {"filename": as_text(given.get("filename")) or "file", "file_data": data}}


def _by_reference(what: str, needed: str, given: Body, place: str) -> BadRequest:
    reference = given.get("file_id") or given.get("file_url")
    named = f"has no {what}"
    if reference:
        named = f"names the {what} '{preview(str(reference))}', which this model cannot fetch"
    return BadRequest(f"'{place}' {named}: put the data itself into '{needed}'", param=place)


def apart(content: str | list[Body]) -> tuple[str, list[Body]]:
    """A result's text, and what else is in it."""
    if isinstance(content, str):
        return content, []
    others = [part for part in content if part["type"] != "text"]
    text = "\n".join(part["text"] for part in content if part["type"] == "text")
    return text or "(see the next message)", others


def written(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else dumps(value).decode()
