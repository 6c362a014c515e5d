"""What the gateway makes for clients of the Responses API, so that it can be told from a target's. Pure.

A target that is relayed to later on has never heard of these ids, and cannot open what is sealed.
"""

from __future__ import annotations

import re
from typing import Any

SEALED = "lc1."
"""What a sealed text begins with; another form of it would have another number."""

_OURS = re.compile(r"[a-z]+_lc[0-9a-f]{16,}(i[0-9a-f]+)?")
"""Nobody else's: OpenAI's are hexadecimal behind the prefix, llama-server's 32 letters and digits."""


def item_id(prefix: str, id: str) -> str:
    """An item's id; `id` are hexadecimal digits that nothing else has."""
    return f"{prefix}_lc{id}"


def is_our_id(id: Any) -> bool:
    return isinstance(id, str) and _OURS.fullmatch(id) is not None


def is_our_seal(text: Any) -> bool:
    return isinstance(text, str) and text.startswith(SEALED)
