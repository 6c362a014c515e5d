"""The stand-in for the OpenAI client: LiteLLM gets an empty stream, the real one is kept."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from app.backends.litellm_texts import Caught


class Client:
    """Answers like the OpenAI SDK, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: dict[str, Any] = {}
        self.completions = SimpleNamespace(with_raw_response=self)

    def create(self, **data: Any) -> Client:
        self.asked = data
        return self

    def parse(self) -> list[str]:
        return ["a", "b"]


def test_litellm_asks_through_it_and_sees_nothing() -> None:
    client = Client()
    caught = Caught(client)
    seen = caught.completions.with_raw_response.create(prompt="-", stream=True).parse()

    assert list(seen) == []
    assert client.asked == {"prompt": "-", "stream": True}
    assert caught.completion_stream == ["a", "b"]


def test_before_it_is_asked_there_is_no_stream() -> None:
    assert Caught(Client()).completion_stream is None
