"""Text completions as a stream, below what LiteLLM makes of them.

Its own stream of them puts all choices into one, makes up finishes and dates, loses fields, gives up after a
hundred equal pieces, and lies in a generator that nothing can look behind. So LiteLLM is given a
stand-in for the OpenAI client: that keeps the real stream, and LiteLLM gets an empty one.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any


class Caught:
    """Stands in for the client of the OpenAI SDK in one call of `litellm.text_completion`."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.completion_stream: Any = None
        """The SDK's stream of what the target sends, once it has answered."""

    @property
    def completions(self) -> Caught:
        return self

    with_raw_response = completions

    def create(self, **data: Any) -> Caught:
        self.completion_stream = self._client.completions.with_raw_response.create(**data).parse()
        return self

    def parse(self) -> Iterator[Any]:
        return iter(())


def text_stream(litellm: Any, words: dict[str, Any], limits: Any) -> Caught:
    """The open stream of a text completion; raises what LiteLLM raises."""
    openai = importlib.import_module("openai")
    client = openai.OpenAI(
        api_key=words["api_key"],
        base_url=words.get("api_base"),
        http_client=litellm.client_session,
        timeout=limits,
        max_retries=0,
    )
    caught = Caught(client)
    stream = litellm.text_completion(**words, client=caught, timeout=limits)
    next(iter(stream.completion_stream), None)  # it asks when it is first looked at
    return caught
