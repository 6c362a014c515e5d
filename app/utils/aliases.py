"""The alias in place of the wire id, wherever an answer or an event says which model it is from. Pure."""

from __future__ import annotations

from typing import Any

from app.types import Target


def under_alias(value: dict[str, Any], target: Target, levels: int = 2) -> None:
    """Renames fields called `model` that hold the wire id: an object's, and down to so many levels."""
    if value.get("model") == target.model:
        value["model"] = target.alias
    if levels > 1:
        for inner in value.values():
            for one in inner if isinstance(inner, list) else (inner,):
                if isinstance(one, dict):
                    under_alias(one, target, levels - 1)
