"""Reads opencode.json: OpenCode's V1 (`provider`) and V2 (`providers`), also both in one file.

What works in OpenCode works here. Its rules were read in its source, 1.18 and 2.0:

- `options.baseURL` goes before `api`, a model's own `provider.npm` before the provider's `npm`;
- whitelist and blacklist hold keys of `models`, not wire ids; a deprecated model is left out;
- an empty `enabled_providers` enables none;
- in V2 `settings`, `headers` and `body` of a model are laid over those of its provider;
- a provider that stands in both forms is taken from V2, whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from app.config import opencode_v1, opencode_v2
from app.config.catalog import Catalog, ConfigError, Misfit, Problem
from app.config.endpoints import Addresses
from app.config.layers import close_to
from app.config.schema import Raw, kind_of
from app.config.targets import catalog_of
from app.config.text import Document, read_document
from app.config.wish import Finding, Skipped, broken

USED = ("provider", "providers", "disabled_providers", "enabled_providers", "model", "small_model", "$schema")
"""Keys of which nothing is to be said; the last three have no effect here."""


def read(path: Path, environment: Mapping[str, str], own_addresses: Addresses = ()) -> Catalog:
    """The catalog of an opencode.json; ConfigError if the file as a whole cannot be read."""
    document = read_document(path, environment)
    if not isinstance(document.data, dict):
        raise ConfigError(str(path), f"an object is expected, found {kind_of(document.data)}", "begin with {")
    return catalog_of(path, findings(document), environment, own_addresses)


def findings(document: Document) -> Iterator[Finding]:
    """All that stands in the file, in its order."""
    data: Raw = document.data
    yield from _top(data)
    old, new = _object(data, "provider"), _object(data, "providers")
    for provider in dict.fromkeys((*old, *new)):
        if why := _left_out(provider, data):
            yield Skipped(("provider" if provider in old else "providers", provider), why)
            continue
        key = "providers" if provider in new else "provider"
        try:
            yield from FORMS[key].findings(provider, data[key][provider], document)
        except Misfit as refused:
            yield from refused.problems
            yield from _unread(refused, key, provider, data[key][provider])
        if provider in old and provider in new:
            yield Skipped(
                ("provider", provider), f"providers.{provider} is taken in its place, as in OpenCode 2"
            )


class Form(Protocol):
    """One of OpenCode's two forms; a module here is one."""

    def findings(self, provider: str, raw: Any, document: Document) -> Iterator[Finding]:
        """What a provider asks for; a model that does not fit leaves the others alone. Misfit: none fits."""

    def left_out(self, provider: Raw, alias: str, model: object) -> str | None:
        """Why OpenCode would not offer a model, whatever else stands in its entry."""

    def wire_id(self, model: object) -> object:
        """What stands for the wire id in a model's entry, right or wrong."""


FORMS: Mapping[str, Form] = {"provider": opencode_v1, "providers": opencode_v2}


def _unread(refused: Misfit, key: str, provider: str, raw: object) -> Iterator[Finding]:
    """The models of a provider whose own entry is wrong, as far as they can be named."""
    entry: Raw = raw if isinstance(raw, dict) else {}
    for alias, model in _object(entry, "models").items():
        if FORMS[key].left_out(entry, alias, model) is None:
            place = (key, provider, "models", alias)
            yield broken(refused, place, provider, alias, FORMS[key].wire_id(model))


def _top(data: Raw) -> Iterator[Finding]:
    for key in ("provider", "providers"):
        if not isinstance(data.get(key, {}), dict):
            yield Problem(key, f"an object is expected, found {kind_of(data[key])}")
    for key in ("disabled_providers", "enabled_providers"):
        if not _is_names(data.get(key, [])):
            yield Problem(key, f"a list of providers is expected, found {kind_of(data[key])}")
    mistakes = dict(_mistakes(data))
    for key, (message, mend) in mistakes.items():
        yield Problem(key, message, mend)
    if not data.get("provider") and not data.get("providers") and LITELLMS not in data:
        yield Problem("provider", "no provider is named, so there is nothing to serve", SEE_SHIPPED)
    if unused := [key for key in data if key not in USED and key not in mistakes]:
        yield Problem(unused[0], f"for OpenCode alone, without effect here: {', '.join(unused)}", fatal=False)


def _mistakes(data: Raw) -> Iterator[tuple[str, tuple[str, str]]]:
    """Keys that are not OpenCode's: what is wrong with each, and the mend."""
    for key in data:
        if key == LITELLMS:
            yield key, NOT_LITELLMS_FILE
        elif key not in USED and (mend := close_to(key, USED[:4])):
            yield key, ("there is no such key", mend)


SEE_SHIPPED = "see the opencode.json that ships with LocalCode"
LITELLMS = "model_list"
NOT_LITELLMS_FILE = (
    "LiteLLM's form is read from a .yaml file only",
    "name the file config.yaml; JSON may stand in it as well",
)


def _object(data: Raw, key: str) -> Raw:
    """What stands at a key, if it is an object; else an empty one."""
    value = data.get(key)
    return value if isinstance(value, dict) else {}


def _is_names(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _left_out(provider: str, data: Raw) -> str | None:
    enabled, disabled = data.get("enabled_providers"), data.get("disabled_providers")
    if _is_names(enabled) and enabled is not None and provider not in enabled:
        return "it is not in enabled_providers"
    if _is_names(disabled) and disabled is not None and provider in disabled:
        return "it is in disabled_providers"
    return None
