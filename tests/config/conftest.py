"""Reads a configuration that a test writes down as data or as text."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from app.config import read_catalog
from app.config.catalog import Catalog
from app.types import Target

Read = Callable[..., Catalog]
One = Callable[..., Target]

OWN = (("127.0.0.1", 4242),)
BASE = {"options": {"baseURL": "https://api.example/v1"}}


def v1(*, models: dict[str, Any] | None = None, **provider: Any) -> dict[str, Any]:
    return {"provider": {"p": BASE | provider | {"models": models or {"m": {}}}}}


def v2(*, models: dict[str, Any] | None = None, **provider: Any) -> dict[str, Any]:
    settings = {"settings": {"baseURL": "https://api.example/v1"}}
    return {"providers": {"p": settings | provider | {"models": models or {"m": {}}}}}


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """`read(file, environment, name)`: the catalog of a file with this content."""

    def written(
        content: object, environment: Mapping[str, str] | None = None, name: str = "opencode.json"
    ) -> Catalog:
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return read_catalog(path, environment or {}, OWN)

    return written


@pytest.fixture
def one(read: Read) -> One:
    """`one(model, provider…)`: the target of a single model `m` of the provider `p`."""

    def target(
        model: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
        provider_id: str = "p",
        **provider: Any,
    ) -> Target:
        entry = {"options": {"baseURL": "https://api.example/v1"}} | provider | {"models": {"m": model or {}}}
        return read({"provider": {provider_id: entry}}, environment).targets["m"]

    return target
