"""From what a file asks for to the targets that are served: here wishes come true, or not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType

from app.config.catalog import Catalog, Misfit, Problem, at
from app.config.endpoints import Addresses, base_of, host_of, native_base, points_at
from app.config.keys import headers_missing, headers_of, key_of, secrets_of
from app.config.packages import CHAT, PACKAGES, Package, base_for_litellm, relayed
from app.config.platforms import platform_of
from app.config.thinking import harmony_of, reads_thoughts, reasoning_field_of, reasoning_of
from app.config.wish import Broken, Finding, Skipped, Unused, Wish, broken, misfit
from app.types import DialectName, Retries, Target, Timeouts
from app.utils.addresses import is_loopback


def catalog_of(
    source: Path, findings: Iterable[Finding], environment: Mapping[str, str], own_addresses: Addresses
) -> Catalog:
    """The catalog of all that can be had of what a reader found; the rest are its problems."""
    found: list[Target] = []
    problems: dict[Problem, None] = {}
    skipped: dict[Problem, None] = {}
    unused: dict[tuple[str, str], list[str]] = {}
    for finding in findings:
        match finding:
            case Problem():
                problems[finding] = None
            case Skipped(place, why):
                skipped[Problem(at(*place), why, fatal=False)] = None
            case Unused(place, message, mend):
                unused.setdefault((message, mend), []).append(at(*place))
            case Wish() | Broken():
                target, wrong = _tried(finding, environment)
                problems |= dict.fromkeys(wrong)
                if points_at(target.base_url, own_addresses):
                    skipped[Problem(at(*finding.place[:2]), OWN_ENTRY, fatal=False)] = None
                else:
                    found.append(target)
    named = published(found)
    return Catalog(
        source=source,
        targets=MappingProxyType(by_name(named)),
        aliases=tuple(target.alias for target in named.values()),
        problems=(*problems, *notes(unused)),
        skipped=tuple(skipped),
        secrets=frozenset(secret for target in named.values() for secret in secrets_of(target)),
    )


OWN_ENTRY = "it leads back to this gateway, as a client's own entry does"


def _tried(asked: Wish | Broken, environment: Mapping[str, str]) -> tuple[Target, tuple[Problem, ...]]:
    """The target that is asked for, and what is wrong where it cannot be had."""
    if isinstance(asked, Wish):
        try:
            return target_of(asked, environment), ()
        except Misfit as refused:
            asked = broken(refused, asked.place, asked.provider, asked.alias, asked.model)
    return unusable(asked), asked.problems


def unusable(asked: Broken) -> Target:
    """A target that can only be named, with the place that is wrong: a client hears why it gets no answer."""
    first, *others = asked.problems
    more = f" and {len(others)} more" if others else ""
    wrong = f"its entry is wrong: {first.place}{more}" if "." in first.place else f"{first.place} is wrong"
    return Target(asked.alias, asked.provider, asked.model, unavailable=wrong, broken=True)


def notes(unused: Mapping[tuple[str, str], list[str]]) -> Iterator[Problem]:
    """One note for each key without effect, however often it occurs."""
    for (message, mend), places in unused.items():
        more = f" (at {len(places)} places)" if len(places) > 1 else ""
        yield Problem(places[0], message + more, mend, fatal=False)


def published(targets: Iterable[Target]) -> dict[str, Target]:
    """The targets by full name (`<provider>/<alias>`), each with the name that is published for it.

    That is the bare alias, or the full name where the bare one is taken. What another target's full name is
    counts as taken: `anthropic/claude` means the provider `anthropic`, not a key of that name elsewhere.
    """
    by_full_name: dict[str, Target] = {}
    for target in targets:
        by_full_name.setdefault(f"{target.provider}/{target.alias}", target)
    taken = set(by_full_name)
    for full, target in by_full_name.items():
        name = full if target.alias in taken else target.alias
        taken.add(name)
        by_full_name[full] = replace(target, alias=name)
    return by_full_name


def by_name(by_full_name: Mapping[str, Target]) -> dict[str, Target]:
    """Every name that a client may use, the published one of each target first."""
    names: dict[str, Target] = {}
    for full, target in by_full_name.items():
        names |= {target.alias: target, full: target}
    return names


def target_of(wish: Wish, environment: Mapping[str, str]) -> Target:
    """The target that a wish means; Misfit if it cannot be had."""
    if wish.localcode.mockResponse is not None:
        return _plain(wish, Package("fixed"), "", retries=0)
    package = package_of(wish)
    base = base_of(wish, package, environment)
    key = key_of(wish, package, base, environment)
    platform = platform_of(package.litellm, wish.settings, environment, bool(key.value))
    own = base_for_litellm(package.litellm, base or platform.base) if package.litellm else base
    return replace(
        _plain(wish, package, own, retries=0 if is_loopback(host_of(own)) else Retries().limit),
        native_url="" if package.litellm is None else native_base(base),
        api_key=key.value,
        key_variable=key.variable,
        headers=headers_of(wish),
        litellm_params=MappingProxyType({**platform.params, **wish.litellm_params}),
        unavailable=key.missing or platform.missing or headers_missing(wish, environment),
    )


def package_of(wish: Wish) -> Package:
    """How the wish's package is called, with the user's own word about the carrier."""
    ours = wish.localcode
    if ours.litellmProvider:
        name = None if ours.litellmProvider == "openai" else ours.litellmProvider
        return replace(wish.package or Package(), carrier="litellm", litellm=name, base="")
    if ours.carrier == "relay":
        return relayed(wish.package or Package())
    if wish.package is None:
        raise misfit(wish.place[:2], *_unknown(wish.package_name))
    if ours.carrier == "litellm":
        return replace(wish.package, carrier="litellm", dialects=CHAT)
    return wish.package


def dialects_of(wish: Wish, package: Package) -> frozenset[DialectName]:
    """What a target speaks itself: by its package, or as the file says."""
    written = wish.localcode.dialects
    if written is None:
        return package.dialects
    if package.carrier == "relay" and "chat" not in written:
        raise misfit((*wish.place, "options", "localcode", "dialects"), *NOT_WITHOUT_CHAT)
    return frozenset(written)


NOT_WITHOUT_CHAT = (
    '"chat" is missing, and clients that speak something else are translated to it',
    'add it, or take "@ai-sdk/anthropic" for a server that speaks only Messages',
)


def _unknown(name: str) -> tuple[str, str]:
    close = get_close_matches(name, PACKAGES, 1, 0.7)
    return (
        f"the gateway does not know the package {name!r}" + (f"; close: {close[0]}" if close else ""),
        HOW_TO_NAME_ONE,
    )


HOW_TO_NAME_ONE = (
    'take "@ai-sdk/openai-compatible" if its server speaks chat completions as OpenAI does, '
    "or name LiteLLM's provider in options.localcode.litellmProvider"
)


def _plain(wish: Wish, package: Package, base: str, *, retries: int) -> Target:
    """The target without its secrets."""
    ours = wish.localcode
    usage = wish.stream_usage if ours.streamUsage is None else ours.streamUsage
    return Target(
        alias=wish.alias,
        provider=wish.provider,
        model=wish.model,
        base_url=base,
        carrier=package.carrier,
        dialects=dialects_of(wish, package),
        litellm_provider=package.litellm,
        timeouts=timeouts_of(wish),
        retries=Retries(
            retries if ours.maxRetries is None else ours.maxRetries,
            Retries().delay if ours.retryAfter is None else float(ours.retryAfter),
        ),
        defaults=MappingProxyType(ours.defaults),
        extra_body=MappingProxyType(dict(wish.body)),
        fetch_images=ours.fetchImages,
        stream_usage=usage is not False,
        mock_response=ours.mockResponse,
        harmony=harmony_of(ours),
        reasoning=reasoning_of(wish),
        reasoning_field=reasoning_field_of(wish),
        reads_thoughts=reads_thoughts(wish, base),
        facts=MappingProxyType(dict(wish.facts)),
    )


def timeouts_of(wish: Wish) -> Timeouts:
    """The file's milliseconds in seconds; `options.localcode` goes before OpenCode's own options."""
    ours, own = wish.localcode, Timeouts()
    return Timeouts(
        connect=_seconds(own.connect, ours.connectTimeout),
        header=_seconds(own.header, ours.headerTimeout, wish.timeouts.get("headerTimeout")),
        chunk=_seconds(own.chunk, ours.chunkTimeout, wish.timeouts.get("chunkTimeout")),
        total=_seconds(own.total, ours.timeout, wish.timeouts.get("timeout")),
    )


def _seconds(default: float, *written: float | None) -> float:
    value = next((value for value in written if value is not None), None)
    if value is None:
        return default
    return float("inf") if value is False else value / 1000
