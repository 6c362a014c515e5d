"""Answers that clients of the Responses API may ask for later, or go on from (`store: true`).

A row is one answer with the items that its request brought. It is written before the answer's last bytes
are sent: the client may go on at once, and come to another worker. Each owner has rooms of its own: nobody
finds another's answers, and nobody's answers push out another's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from app.backends.state_store import MEGABYTE, Room, Store
from app.types import Answer
from app.utils.codec import dumps, loads
from app.utils.shapes import as_list, as_text

MONTH = 30 * 24 * 3600.0
"""Seconds; as long as the API promises."""

ANSWERS = Room("answers", most_rows=10_000, most_bytes=256 * MEGABYTE, seconds=MONTH)
ITEMS = Room("items", most_rows=200_000, most_bytes=32 * MEGABYTE, seconds=MONTH)
"""Which answer an item is in."""

LONGEST = 10_000
"""Answers that a conversation may go back."""


@dataclass(frozen=True, slots=True)
class Kept:
    response: Answer
    items: list[Any]
    """What the request brought besides the answers before it."""


class KeptAnswers:
    """What is kept, by the owner and the ids that the API gave out."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def keep(self, owner: str, response: Answer, items: list[Any]) -> None:
        """Returns when everybody can find it."""
        answer_id = str(response["id"])
        ids = [*_ids(items), *_ids(response.get("output"))]
        self._store.put(_of(ITEMS, owner), {_key(item_id): answer_id.encode() for item_id in ids})
        row = dumps({"response": response, "items": items})
        self._store.put(_of(ANSWERS, owner), {_key(answer_id): row})

    def find(self, owner: str, answer_id: str) -> Kept | None:
        row = self._store.get(_of(ANSWERS, owner), _key(answer_id))
        if row is None:
            return None
        kept = loads(row)
        return Kept(kept["response"], kept["items"])

    def delete(self, owner: str, answer_id: str) -> bool:
        """Whether it was there; its items are gone with it."""
        return self._store.delete(_of(ANSWERS, owner), _key(answer_id))

    def items(self, owner: str, item_ids: Collection[str]) -> dict[str, Any]:
        """Those of the items, of requests or answers, that are known; each answer is read once."""
        names = {_key(item_id): item_id for item_id in item_ids}
        wanted: dict[bytes, set[str]] = {}
        for key, answer_id in self._store.get_many(_of(ITEMS, owner), names).items():
            wanted.setdefault(answer_id, set()).add(names[key])
        found: dict[str, Any] = {}
        for answer_id, of_it in wanted.items():
            kept = self.find(owner, answer_id.decode())
            for item in (*kept.items, *as_list(kept.response.get("output"))) if kept else ():
                if _id(item) in of_it:
                    found.setdefault(_id(item), item)
        return found

    def history(self, owner: str, answer_id: str) -> list[Any] | None:
        """The items of the whole conversation up to an answer, the answer's too, oldest first.

        None if one of the answers in it is not there any more: a conversation with a hole is none.
        """
        turns: list[list[Any]] = []
        following: Any = answer_id
        while following:
            kept = self.find(owner, str(following))
            if kept is None or len(turns) == LONGEST:
                return None
            turns.append([*kept.items, *as_list(kept.response.get("output"))])
            following = kept.response.get("previous_response_id")
        return [item for turn in reversed(turns) for item in turn]


def _of(room: Room, owner: str) -> Room:
    return replace(room, name=f"{room.name}-{_key(owner)[:16]}")


def _key(name: str) -> str:
    """Ids are whatever a client sends, of any length."""
    return sha256(name.encode(errors="surrogatepass")).hexdigest()[:40]


def _ids(items: Any) -> Iterator[str]:
    return (found for item in as_list(items) if (found := _id(item)))


def _id(item: Any) -> str:
    """The id of an item; a reference has only that of another one."""
    if not isinstance(item, dict) or item.get("type") == "item_reference":
        return ""
    return as_text(item.get("id"))
