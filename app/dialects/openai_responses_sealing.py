"""OpenAI Responses for a client that carries its thoughts itself: they go to it sealed. Pure."""

from __future__ import annotations

from functools import partial

from app.dialects import openai_responses
from app.dialects.openai_responses_output import Seal


class Sealing:
    """The dialect for one client, whose thoughts are sealed for it."""

    name = openai_responses.name
    parse = staticmethod(openai_responses.parse)
    relayed = staticmethod(openai_responses.relayed)
    error = staticmethod(openai_responses.error)

    def __init__(self, seal: Seal) -> None:
        self.encoder = partial(openai_responses.encoder, seal=seal)
        self.render = partial(openai_responses.render, seal=seal)
