"""Reads answers as they come and knows in the end whether they were right. Pure."""

from __future__ import annotations

from bench.dialects import Api
from bench.script import MARK, WIRE_MODEL, Patterns, Script


class BadAnswer(Exception):
    """An answer that is not what the script promised."""


class Decoder:
    """HTTP/1.1 answers, bytes in and body bytes out; `done` once the body is whole."""

    def __init__(self) -> None:
        self.held = b""
        self.in_body = False
        self.left: int | None = None
        """Bytes of the body still to come; None when it is chunked."""
        self.done = False

    def feed(self, data: bytes) -> bytes:
        self.held += data
        if not self.in_body and not self._read_head():
            return b""
        if self.left is None:
            return self._read_chunks()
        body, self.held = self.held[: self.left], self.held[self.left :]
        self.left -= len(body)
        self.done = self.left == 0
        return body

    def _read_head(self) -> bool:
        end = self.held.find(b"\r\n\r\n")
        if end < 0:
            return False
        head, self.held = self.held[:end].lower(), self.held[end + 4 :]
        lines = head.split(b"\r\n")
        if lines[0].split()[1] != b"200":
            raise BadAnswer(f"status {lines[0].decode()}: {self.held[:300].decode(errors='replace')}")
        headers = dict(line.split(b":", 1) for line in lines[1:])
        if b"content-length" in headers:
            self.left = int(headers[b"content-length"])
        elif headers.get(b"transfer-encoding", b"").strip() != b"chunked":
            raise BadAnswer("neither a length nor chunks")
        self.in_body = True
        return True

    def _read_chunks(self) -> bytes:
        held, at, found = self.held, 0, []
        while (end := held.find(b"\r\n", at)) >= 0:
            size = int(held[at:end], 16)
            if len(held) < end + size + 4:
                break
            found.append(held[end + 2 : end + 2 + size])
            at = end + size + 4
            if size == 0:
                self.done = True
                break
        self.held = held[at:]
        return b"".join(found)


class Check:
    """An answer's body. `events` counts deltas by their marks: who translates may join some in one event."""

    def __init__(self, api: Api, script: Script, alias: str | None = None) -> None:
        """`alias` is what the answer must call its model; None: whatever it likes."""
        self.events = 0
        self._api = api
        self._script = script
        self._alias = alias
        self._named = alias is None
        self._spoken = False
        """Whether all of the text has come, and may come once more."""
        self._tail = b""
        self._end = b""
        """The events from the last delta on."""

    def feed(self, body: bytes, now: int) -> list[float]:
        """The delays, in milliseconds, of the deltas that `body` completes."""
        text = self._tail + body
        end = text.rfind(b"\n\n") + 2 if self._script.streamed else 0
        if end < 2:
            self._tail = text
            return []
        text, self._tail = text[:end], text[end:]
        marks = MARK.findall(self._new_in(text))
        self.events += len(marks)
        self._look_for_names(text)
        if self.events >= self._script.events:
            self._end += text
        return [(now - int(mark)) / 1e6 for mark in marks]

    def _new_in(self, text: bytes) -> bytes:
        """The part of some events that does not repeat what has come before."""
        if self._spoken:
            return b""
        again = self._api.AGAIN.search(text) if self._api.AGAIN else None
        self._spoken = again is not None
        return text[: again.start()] if again else text

    def _look_for_names(self, text: bytes) -> None:
        if self._alias is None:
            return
        if WIRE_MODEL.encode() in text:
            raise BadAnswer("the target's name came through")
        self._named = self._named or self._alias.encode() in text

    def finish(self) -> None:
        """Raises BadAnswer unless everything came."""
        if not self._script.streamed:
            self._look_for_names(self._tail)
            self._demand(self._tail, self._api.WHOLE)
        elif self.events != self._script.events:
            raise BadAnswer(f"{self.events} events instead of {self._script.events}")
        else:
            self._demand(self._end + self._tail, self._api.END)
        if not self._named:
            raise BadAnswer("an answer without the alias")

    def _demand(self, text: bytes, patterns: Patterns) -> None:
        missing = [name for name, pattern in patterns.items() if not pattern.search(text)]
        if missing:
            raise BadAnswer(f"an answer without {', '.join(missing)}: {text[-300:].decode(errors='replace')}")
