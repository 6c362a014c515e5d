"""A value of JSON as what it should be, or an empty one. Pure."""

from __future__ import annotations

from typing import Any


def as_dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def as_text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def as_dicts(values: Any) -> list[dict[str, Any]]:
    """The objects in a list; what else it holds is left out."""
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []
