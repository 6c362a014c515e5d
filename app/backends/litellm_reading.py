"""What comes out of `litellm.completion`, read below the wrapper that it hands out for streams.

The wrapper invents a finish and usage, drops fields, filters text and gives up after a
hundred equal chunks. Under it lies an iterator of what was parsed from each event: the
OpenAI SDK's own chunks, LiteLLM's `ModelResponseStream`, or its older dicts; these are
read. What it parsed them *from* is seen by standing in for the iterator's `chunk_parser`.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from app.types import Chunk
from app.utils.litellm_answers import is_chat, of_generic
from app.utils.problems import error_in

# Where the thing to be closed is kept, by the provider's code: a stream of the OpenAI SDK, a response,
# an iterator over a response.
_BELOW = ("completion_stream", "response", "http_response", "response_iterator", "streaming_response")


def pieces(stream: Any) -> Iterator[tuple[Chunk, Any]]:
    """The chunks of a stream, each with the JSON that it was made of (None where that cannot be seen)."""
    source = iter(stream.completion_stream or stream.fetch_sync_stream())
    tap = Tap(source)
    for item in source:
        raw = tap.taken()
        if item is None or (tap.works and raw is None):
            continue  # LiteLLM's own making: the end that it reads out of [DONE], a gap between two events
        if isinstance(item, dict) and "text" in item:
            yield of_generic(item), raw
        elif type(item).__module__.startswith("openai."):
            chunk = dumped(item)
            yield chunk, chunk
        elif hasattr(item, "choices"):
            yield dumped(item), raw
        else:
            stream.completion_stream = itertools.chain([item], source)
            yield from _through_wrapper(stream)
            return


def _through_wrapper(stream: Any) -> Iterator[tuple[Chunk, Any]]:
    """For the few providers whose iterators give lines of text. Ends where the wrapper begins to invent."""
    for item in stream:
        chunk = dumped(item)
        chunk.pop("usage", None)
        if (
            any(choice.get("finish_reason") for choice in chunk["choices"])
            and not stream.received_finish_reason
        ):
            return
        yield chunk, None


class Tap:
    """Remembers the JSON that an iterator of LiteLLM's parses into its next chunk."""

    def __init__(self, source: Any) -> None:
        self._raw: Any = None
        parse: Callable[..., Any] | None = getattr(source, "chunk_parser", None)
        self.works = parse is not None
        if parse is not None:
            source.chunk_parser = self._standing_in_for(parse)
        if read := getattr(source, "_handle_string_chunk", None):
            source._handle_string_chunk = lambda str_line: read(str_line=harmless(str_line))

    def taken(self) -> Any:
        raw, self._raw = self._raw, None
        return raw

    def _standing_in_for(self, parse: Callable[..., Any]) -> Callable[..., Any]:
        def remember(chunk: Any) -> Any:
            self._raw = copy.deepcopy(chunk)  # the parsers edit it
            try:
                return parse(chunk)
            except Exception:  # some insist on fields that clients can do without
                if is_chat(self._raw) and error_in(self._raw) is None:
                    return Unread()
                raise

        return remember


class Unread:
    """Stands for a chunk that LiteLLM could not parse; what it was made of says enough."""

    choices: tuple[Any, ...] = ()

    def model_dump(self, **options: Any) -> Chunk:
        return {"choices": []}


def harmless(line: str) -> str:
    """The line of a stream without a `[DONE]` inside: LiteLLM takes any line that has one for the end."""
    if "[DONE]" not in line or line.removeprefix("data:").strip() == "[DONE]":
        return line
    return line.replace("[DONE]", r"[DONE\u005d")


def dumped(model: Any) -> Any:
    """A pydantic object as the dict that it was made of."""
    return model.model_dump(exclude_unset=True, warnings=False)


def shut(stream: Any) -> None:
    """Close a stream of LiteLLM's and whatever it reads from; harmless when it is closed already."""
    if stream is None or isinstance(stream, str | bytes | dict):
        return
    with suppress(Exception):  # the sockets are closed by the scope, whatever happens here
        close = getattr(stream, "close", None)
        if callable(close):
            close()
    for name in _BELOW:
        shut(getattr(stream, name, None))
