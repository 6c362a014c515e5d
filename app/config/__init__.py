"""The configuration: environment and `.env` to Settings, a file of OpenCode or LiteLLM to a Catalog."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from app.config.catalog import Catalog


def read_catalog(
    path: Path, environment: Mapping[str, str], own_addresses: tuple[tuple[str, int], ...] = ()
) -> Catalog:
    """What the file at `path` says to serve; ConfigError if it cannot be read at all.

    `own_addresses` are where this gateway listens: providers that point there are left out.
    """
    if path.suffix.lower() in (".yaml", ".yml"):
        from app.config import litellm_yaml  # PyYAML is only loaded for who needs it

        return litellm_yaml.read(path, environment, own_addresses)
    from app.config import opencode

    return opencode.read(path, environment, own_addresses)
