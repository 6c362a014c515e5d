"""A client that sees everything: status, headers, events, and how the body ended."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import requests


@dataclass(slots=True)
class Asked:
    """What came back. `broken` says that the body broke off instead of ending."""

    status: int
    headers: requests.structures.CaseInsensitiveDict[str]
    raw: bytes
    broken: bool = False
    events: list[dict[str, Any]] = field(default_factory=list)
    """The JSON events of a stream, an error event included."""
    done: bool = False
    """Whether [DONE] came."""

    @property
    def body(self) -> Any:
        return json.loads(self.raw)

    @property
    def error(self) -> dict[str, Any]:
        """The error object of the body, or of the last event."""
        error: dict[str, Any] = (self.events[-1] if self.events else self.body)["error"]
        return error

    @property
    def chunks(self) -> list[dict[str, Any]]:
        return [event for event in self.events if "error" not in event]

    @property
    def text(self) -> str:
        if not self.events:
            return str(self.body["choices"][0]["message"]["content"])
        deltas = [choice["delta"] for chunk in self.chunks for choice in chunk["choices"]]
        return "".join(delta.get("content") or "" for delta in deltas)

    @property
    def finish(self) -> str | None:
        if not self.events:
            return str(self.body["choices"][0]["finish_reason"])
        finishes = [
            c["finish_reason"] for chunk in self.chunks for c in chunk["choices"] if c.get("finish_reason")
        ]
        return finishes[-1] if finishes else None

    @property
    def calls(self) -> list[tuple[str, str, str]]:
        """(id, name, arguments) of each tool call, put together as clients do."""
        if not self.events:
            made = self.body["choices"][0]["message"].get("tool_calls") or []
            return [(c["id"], c["function"]["name"], c["function"]["arguments"]) for c in made]
        whole: dict[int, list[str]] = {}
        for chunk in self.chunks:
            for choice in chunk["choices"]:
                for piece in choice["delta"].get("tool_calls") or []:
                    call = whole.setdefault(piece["index"], ["", "", ""])
                    function = piece.get("function") or {}
                    call[0] = piece.get("id") or call[0]
                    call[1] = function.get("name") or call[1]
                    call[2] += function.get("arguments") or ""
        return [(id, name, arguments) for id, name, arguments in whole.values()]

    @property
    def usage(self) -> dict[str, Any] | None:
        if not self.events:
            usage = self.body.get("usage")
        else:
            usage = next((chunk["usage"] for chunk in self.chunks if chunk.get("usage")), None)
        return usage if usage is None else dict(usage)


def body_for(alias: str, script: str, **body: Any) -> dict[str, Any]:
    content = f"Hello! [[script:{script}]]" if script else "Hello!"
    return {"model": alias, "messages": [{"role": "user", "content": content}], **body}


def ask(
    url: str,
    alias: str,
    script: str = "",
    sending: dict[str, str] | None = None,
    path: str = "/v1/chat/completions",
    **body: Any,
) -> Asked:
    """POSTs a chat request; a body that breaks off is a result, not an exception."""
    with requests.post(
        url + path, json=body_for(alias, script, **body), headers=sending, stream=True, timeout=30
    ) as reply:
        raw, broken = b"", False
        try:
            for data in reply.iter_content(None):
                raw += data
        except requests.exceptions.ChunkedEncodingError:
            broken = True
        asked = Asked(reply.status_code, reply.headers, raw, broken)
    if "text/event-stream" in asked.headers.get("content-type", ""):
        read_events(asked)
    return asked


def read_events(asked: Asked) -> None:
    for line in asked.raw.decode().split("\n\n"):
        if line == "data: [DONE]":
            asked.done = True
        elif line.startswith("data: "):
            asked.events.append(json.loads(line.removeprefix("data: ")))


def post_raw(url: str, body: bytes, path: str = "/v1/chat/completions", headers: str = "") -> socket.socket:
    """A request on a socket of its own, which the caller reads, or leaves."""
    place = urlsplit(url)
    sock = socket.create_connection((place.hostname or "", place.port or 80), timeout=10)
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: {len(body)}\r\n\r\n"
    sock.sendall(head.encode() + body)
    return sock
