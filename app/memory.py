"""What the Responses API remembers for its clients, who only name it in their next request."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from app.dialects.openai_responses_history import opening, previous_of, references, resolved, with_history
from app.dialects.openai_responses_sealing import Sealing
from app.errors import BadRequest
from app.types import Client, Keeper, Request, Sealer


@dataclass(frozen=True, slots=True)
class Memory:
    """Answers by their ids, each kept for its owner alone, and thoughts that clients carry, sealed."""

    kept: Keeper
    sealer: Sealer

    def completed(self, asked: Request, client: Client) -> Request:
        """The request with all that it only names: an earlier response, items, sealed thoughts."""
        if names := references(asked):
            asked = resolved(asked, self.kept.items(client.owner, names))
        if previous := previous_of(asked):
            history = self.kept.history(client.owner, previous)
            if history is None:
                raise self._lost(client, previous)
            asked = with_history(asked, history)
        return opening(asked, partial(self.sealer.open, owner=client.owner))

    def _lost(self, client: Client, previous: str) -> BadRequest:
        what = f"Previous response with id '{previous[:80]}'"
        if self.kept.find(client.owner, previous) is None:
            message = f"{what} not found."
        else:
            message = f"{what} goes on from one that was deleted, or is too old."
        return BadRequest(message, param="previous_response_id", code="previous_response_not_found")

    def dialect_for(self, client: Client) -> Sealing:
        return Sealing(partial(self.sealer.seal, owner=client.owner))
