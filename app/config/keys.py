"""What a target is called with: its key and headers, and which of that is secret."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from app.config.endpoints import host_of
from app.config.packages import Package
from app.config.platforms import SECRET_PARAMS
from app.config.wish import Steps, Wish, misfit, not_set
from app.types import Target
from app.utils.addresses import is_loopback

Environment = Mapping[str, str]

AUTHORIZATION = ("authorization", "x-api-key", "api-key", "x-goog-api-key")
FRAMING = frozenset({"content-length", "transfer-encoding", "connection", "te", "trailer", "upgrade"})
SHORTEST_SECRET = 8
"""Shorter ones are words such as `public` or `none`; masking them would spoil every log."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key, the variable that holds it, and why there is none although one is needed."""

    value: str = field(default="", repr=False)
    variable: str | None = None
    missing: str | None = None


def key_of(wish: Wish, package: Package, base: str, environment: Environment) -> Key:
    """`options.apiKey`, else the first variable of `env` that is set, else a free key, else none."""
    unset = tuple(name for name in wish.key_variables if not environment.get(name))
    if wish.key.strip() and not unset:
        return Key(_sendable(wish.key, wish.key_place), next(iter(wish.key_variables), None))
    names = _variables(wish, package, base)
    for name in names:
        if environment.get(name, "").strip():
            return Key(_sendable(environment[name], (name,)), name)
    asked = tuple(dict.fromkeys((*unset, *names)))
    if wish.free_key:
        return Key(wish.free_key, next(iter(asked), None), _not_free(wish, asked))
    if _is_needed(wish, package, base) and not _authorizes(wish.headers):
        return Key("", next(iter(asked), None), not_set(asked) if asked else "options.apiKey is empty")
    return Key()


def _variables(wish: Wish, package: Package, base: str) -> tuple[str, ...]:
    """Where the key may be. What only the package knows counts if nothing is said, and for its own host."""
    if wish.env or wish.key_written:
        return wish.env
    return package.env if host_of(base) == host_of(package.base) else ()


def _is_needed(wish: Wish, package: Package, base: str) -> bool:
    return wish.key_written or wish.env_is_required or (package.needs_key and not is_loopback(host_of(base)))


def _not_free(wish: Wish, names: tuple[str, ...]) -> str | None:
    cost = wish.facts.get("cost") or {}
    return f"{not_set(names)}, and only free models answer without a key" if cost.get("input") else None


def _authorizes(headers: Mapping[str, str]) -> bool:
    return any(name.lower() in AUTHORIZATION and value for name, value in headers.items())


def _sendable(key: str, place: Steps) -> str:
    key = key.strip()
    if re.fullmatch(r"[\x21-\x7e]+", key):
        return key
    raise misfit(place, "the key holds a blank, a line break or a letter that no key has", "copy it again")


def headers_of(wish: Wish) -> Mapping[str, str]:
    """The headers to send, each fit to be sent; Misfit otherwise."""
    for name, value in wish.headers.items():
        if trouble := _trouble(name, value):
            raise misfit((*wish.headers_place, name), trouble)
    return MappingProxyType({name: value.strip() for name, value in wish.headers.items()})


def _trouble(name: str, value: str) -> str | None:
    if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
        return "this is no name of a header"
    if name.lower() in FRAMING:
        return "this header is the gateway's own to set"
    if re.search(r"[\x00-\x08\x0a-\x1f\x7f]|[^\x00-\xff]", value):
        return "it holds a letter that no header may have"
    return None


def headers_missing(wish: Wish, environment: Environment) -> str | None:
    """That a secret header has no value because its variable is not set."""
    unset = dict.fromkeys(
        variable
        for name, variables in wish.header_variables.items()
        if is_secret_name(name)
        for variable in variables
        if not environment.get(variable)
    )
    return not_set(tuple(unset)) if unset else None


def merged_headers(*several: Mapping[str, str]) -> dict[str, str]:
    """Headers with the later ones winning, whatever the case of their names."""
    names: dict[str, tuple[str, str]] = {}
    for headers in several:
        names |= {name.lower(): (name, value) for name, value in headers.items()}
    return dict(names.values())


def secrets_of(target: Target) -> Iterator[str]:
    """What of a target must never be shown."""
    candidates = [target.api_key, *(target.litellm_params.get(name, "") for name in SECRET_PARAMS)]
    for name, value in target.headers.items():
        if is_secret_name(name):
            candidates += [value, value.partition(" ")[2].strip()]
    yield from (value for value in candidates if len(value) >= SHORTEST_SECRET)


def is_secret_name(name: str) -> bool:
    """Whether a header of this name is likely to carry a secret."""
    return re.search(r"auth|key|token|secret|cookie|password|signature", name, re.IGNORECASE) is not None
