"""Where a target is: its base URL, checked, and whether that is this gateway itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeAlias
from urllib.parse import SplitResult, urlsplit

from app.config.packages import Package
from app.config.wish import Wish, misfit
from app.utils.addresses import is_loopback

Addresses: TypeAlias = tuple[tuple[str, int], ...]

FORM = 'write it as "https://host/v1"'
ENDPOINTS = ("/completions", "/messages", "/responses", "/embeddings", "/rerank", "/models")


def base_of(wish: Wish, package: Package, environment: Mapping[str, str]) -> str:
    """The base URL without a slash at its end; empty where LiteLLM knows it; Misfit where it is no base."""
    base = _expanded(wish.base.strip() or package.base, environment).rstrip("/")
    if base:
        _check(base, wish)
    elif not (package.carrier == "litellm" and package.litellm):
        raise misfit(wish.base_place, *_missing(wish, environment))
    return base


def native_base(base: str) -> str:
    """A base for paths such as `/messages`: where only a host is written, the version is still missing."""
    return base if not base or urlsplit(base).path else f"{base}/v1"


def host_of(base: str) -> str:
    """The host of a base URL, without brackets."""
    return urlsplit(base).hostname or ""


def points_at(base: str, addresses: Addresses) -> bool:
    """Whether a base URL is one of these addresses; all names of this machine are the same."""
    parts = urlsplit(base)
    host = (parts.hostname or "").rstrip(".")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return bool(host) and any(port == own[1] and _is_same(host, own[0]) for own in addresses)


def _is_same(host: str, own: str) -> bool:
    own = own.strip("[]").lower()
    return host == own or (_is_here(host) and _is_here(own))


def _is_here(host: str) -> bool:
    return is_loopback(host) or host in ("0.0.0.0", "::", "")


def _expanded(base: str, environment: Mapping[str, str]) -> str:
    """OpenCode replaces `${NAME}` in a base URL too, and leaves one that is not set."""
    return re.sub(r"\$\{([^}]+)\}", lambda match: environment.get(match[1]) or match[0], base)


def _missing(wish: Wish, environment: Mapping[str, str]) -> tuple[str, str]:
    unset = [name for name in wish.base_variables if not environment.get(name)]
    if unset:
        return f"it is empty: {unset[0]} is not set", f"set {unset[0]} in the environment or in .env"
    return "it is missing: where is this provider?", 'for example "baseURL": "http://127.0.0.1:8080/v1"'


def _check(base: str, wish: Wish) -> None:
    if trouble := _trouble(base, _split(base)):
        raise misfit(wish.base_place, *trouble)


def _split(base: str) -> SplitResult | None:
    try:
        parts = urlsplit(base)
        return parts if parts.port is None or parts.port else None
    except ValueError:
        return None


def _trouble(base: str, parts: SplitResult | None) -> tuple[str, str] | None:
    """What is wrong with a base and how to mend it. Its text is shown only where it can hold no password."""
    if unset := re.search(r"\$\{([^}]+)\}", base):
        return f"{unset[1]} is not set", f"set {unset[1]} in the environment or in .env"
    if parts and "@" in parts.netloc:
        return "it holds a user or a password", "put the key into options.apiKey"
    if not parts or re.search(r"[\s\x00-\x1f\x7f\\]", base):
        return "it is no address", FORM
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return "it is no http or https address", FORM
    if parts.query or parts.fragment:
        return "it ends with a query or a fragment, behind which no path can stand", FORM
    if parts.path.endswith(ENDPOINTS):
        return "it names one endpoint, not the base of all", FORM
    return None
