"""A request's body: read whole, within limits, and taken for JSON."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from typing import Any

from flask import Request, current_app
from gunicorn.http.errors import (
    ChunkMissingTerminator,
    InvalidChunkExtension,
    InvalidChunkSize,
    ParseException,
)

from app.errors import BadRequest, BodyTooLarge, ClientLeft, WrongMedia
from app.utils.codec import loads

BODY_SILENCE = 60.0
"""Seconds that a client may pause within its body: who vanished without a word must not be waited for."""

WRONG_CHUNKS = (ParseException, InvalidChunkSize, ChunkMissingTerminator, InvalidChunkExtension)
"""The last three are OSErrors in gunicorn 26, where a connection that closed is one as well."""


def json_of(data: bytes) -> Any:
    """The value in a body. Raises BadRequest with the place of the mistake."""
    try:
        return loads(data)
    except ValueError as problem:
        why = str(problem) if data.strip() else "it is empty"
        raise BadRequest(f"the body is not JSON: {why}", code="invalid_json") from None


def body_of(request: Request) -> bytes:
    """The request's whole body. Raises BodyTooLarge, WrongMedia, ClientLeft, BadRequest."""
    coding = request.environ.get("HTTP_CONTENT_ENCODING", "").strip().lower()
    if coding not in ("", "identity"):
        raise WrongMedia(f"the body is compressed ({coding}): send it as it is")
    with patience(request.environ.get("gunicorn.socket")):
        try:
            return _read(request)
        except TimeoutError:
            why = f"nothing of the body has come for {BODY_SILENCE:g} s"
            raise BadRequest(why, status=408, code="request_timeout") from None
        except WRONG_CHUNKS as problem:
            raise BadRequest(f"the chunks of the body are wrong: {problem}") from None
        except OSError:
            raise ClientLeft(LEFT_EARLY) from None


LEFT_EARLY = "the client closed the connection before its body was whole"


def _read(request: Request) -> bytes:
    """The body, by its length or in chunks.

    Not by werkzeug, which takes the beginning of too large a body for all of it when it comes in chunks.
    """
    length, limit = request.content_length, current_app.config["MAX_CONTENT_LENGTH"]
    wanted = limit + 1 if length is None else min(length, limit + 1)
    stream = request.environ["wsgi.input"]
    data: bytes = stream.read(wanted)
    if len(data) > limit:
        _drain(stream.read, 4 * limit)
        megabytes = limit / 2**20
        raise BodyTooLarge(f"the body is larger than {megabytes:g} MB (LOCALCODE_MAX_BODY_MB sets the limit)")
    if length is not None and len(data) < length:
        raise ClientLeft(LEFT_EARLY)
    return data


def _drain(read: Callable[[int], bytes], rest: int) -> None:
    """Read on for a while and throw it away: a client that still sends would lose the answer."""
    while rest > 0 and (data := read(min(rest, 2**20))):
        rest -= len(data)


@contextlib.contextmanager
def patience(sock: socket.socket | None) -> Iterator[None]:
    """Within it a read from the client waits no longer than BODY_SILENCE."""
    if sock is None:
        yield
        return
    sock.settimeout(BODY_SILENCE)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            sock.settimeout(None)
