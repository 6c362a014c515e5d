"""Settings laid over one another, each still knowing its place in the file. Makes wishes of them.

V1 has one layer for what a provider is called with (`options`), V2 up to six (a provider's and a model's
`settings`, and older names for them). Both have an `options.localcode` of the provider and of the model.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from app.config.catalog import Problem, at
from app.config.keys import merged_headers
from app.config.packages import KNOWN, PACKAGES, Known, native_provider, package_name
from app.config.schema import ALSO_CALLED, LocalCode, Raw, Settings, fit
from app.config.text import Document
from app.config.wish import Finding, Steps, Unused, Wish


@dataclass(frozen=True, slots=True)
class Layer:
    """Settings of one place. Later layers win."""

    place: Steps
    settings: Settings
    raw: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """One model of opencode.json, in either form, with all that it inherits."""

    place: Steps
    provider: str
    alias: str
    model: str
    package: str
    """The package as written, or empty."""
    api: str
    """The base URL of the older kind, beside `options`."""
    env: list[str] | None
    layers: Sequence[Layer]
    headers: Sequence[tuple[Steps, Mapping[str, str]]]
    localcode: Sequence[tuple[Steps, Raw]]
    facts: Mapping[str, Any] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict, repr=False)


def layer(value: Raw, place: Steps) -> Layer:
    """One layer, checked."""
    return Layer(place, fit(Settings, value, *place), value)


def findings_of(asked: Asked, document: Document) -> Iterator[Finding]:
    """The wish, after what is wrong with its `options.localcode`."""
    yield from misspelt(asked.localcode)
    yield wish_of(asked, document)


def wish_of(asked: Asked, document: Document) -> Wish:
    """The wish that a model of opencode.json comes to; Misfit where a value is of the wrong kind."""
    known = KNOWN.get(asked.provider) or KNOWN.get(native_provider(asked.package) or "")
    name = package_name(asked.package or (known or Known()).package_of(asked.model))
    base, base_place = _last(asked.layers, "baseURL")
    key, key_place = _last(asked.layers, "apiKey")
    variables = document.variables(*key_place)
    written = bool(key or variables or document.holds_file(*key_place))
    return Wish(
        place=asked.place,
        provider=asked.provider,
        alias=asked.alias,
        model=asked.model,
        package_name=name,
        package=PACKAGES.get(name),
        base=base or asked.api or (known.api if known else ""),
        base_place=base_place,
        base_variables=document.variables(*base_place),
        key=key or "",
        key_place=key_place,
        key_written=written,
        key_variables=variables,
        env=_env(asked, known, written),
        env_is_required=bool(asked.env) or (asked.env is None and _must_have_key(known)),
        free_key=known.free_key if known else "",
        headers=merged_headers(*(headers for _, headers in asked.headers)),
        headers_place=next((place for place, headers in reversed(asked.headers) if headers), asked.place),
        header_variables=_variables(asked.headers, document),
        timeouts={
            name: _last(asked.layers, name)[0] for name in ("timeout", "headerTimeout", "chunkTimeout")
        },
        stream_usage=_last(asked.layers, "includeUsage")[0],
        settings={name: value for one in asked.layers for name, value in one.raw.items()},
        localcode=merged_localcode(asked.localcode),
        facts=asked.facts,
        body=asked.body,
    )


def _env(asked: Asked, known: Known | None, written: bool) -> tuple[str, ...]:
    """Where a key may be besides `apiKey`. OpenCode's catalogue counts where the file says nothing."""
    if asked.env is not None:
        return tuple(asked.env)
    return known.env if known and not written else ()


def _must_have_key(known: Known | None) -> bool:
    return known is not None and bool(known.env) and not known.key_optional


def _last(layers: Sequence[Layer], name: str) -> tuple[Any, Steps]:
    """The value of the last layer that has one, and its place (or where it would stand)."""
    for one in reversed(layers):
        value = getattr(one.settings, name)
        if value is not None:
            return value, (*one.place, name)
    return None, (*layers[0].place, name)


def _variables(
    headers: Iterable[tuple[Steps, Mapping[str, str]]], document: Document
) -> dict[str, tuple[str, ...]]:
    return {name.lower(): document.variables(*place, name) for place, several in headers for name in several}


def misspelt(localcode: Iterable[tuple[Steps, Raw]]) -> Iterator[Problem]:
    """The keys of `options.localcode` that mean nothing; as nobody else reads them: typing errors."""
    for place, raw in localcode:
        for name in raw:
            if name not in LocalCode.model_fields and name not in ALSO_CALLED:
                yield Problem(
                    at(*place, name), "there is no such option", close_to(name, LocalCode.model_fields)
                )


def close_to(name: str, names: Collection[str]) -> str:
    """The names that may have been meant, as a question, or nothing."""
    lower = {known.lower(): known for known in names}
    close = [lower[found] for found in get_close_matches(name.lower().replace("_", ""), lower, 2, 0.7)]
    return f"did you mean {' or '.join(close)}?" if close else ""


def merged_localcode(localcode: Iterable[tuple[Steps, Raw]]) -> LocalCode:
    """The options of provider and model; the model's win, `defaults` are joined key by key."""
    merged: Raw = {}
    for place, raw in localcode:
        own = fit(LocalCode, {ALSO_CALLED.get(name, name): value for name, value in raw.items()}, *place)
        defaults = {**merged.get("defaults", {}), **own.defaults}
        merged |= {name: getattr(own, name) for name in own.model_fields_set} | {"defaults": defaults}
    return LocalCode.model_validate(merged)


def without_effect(
    raw: object, used: Collection[str], elsewhere: Collection[str], place: Steps, hint: str = ""
) -> Iterator[Unused]:
    """A note for each key that the gateway does not read and that is not one of OpenCode's own matters."""
    for name in raw if isinstance(raw, dict) else ():
        if name in used or name in elsewhere:
            continue
        mend = close_to(name, used) or hint
        yield Unused((*place, name), f"the gateway does not use {name!r}", mend)
