"""`providers.<id>` of opencode.json: OpenCode 2, also in its older forms with `api`, `options`, `request`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app.config.catalog import Misfit
from app.config.layers import Asked, Layer, findings_of, layer, without_effect
from app.config.schema import Api, CostV2, ModelV2, ProviderV2, Raw, fit
from app.config.text import Document
from app.config.wish import Finding, Skipped, Steps, broken

COSMETIC = frozenset({"name", "canonical"})
API_PACKAGES = {
    "openai/completions": "@ai-sdk/openai-compatible",
    "openai/responses": "@ai-sdk/openai",
    "anthropic/messages": "@ai-sdk/anthropic",
}
"""The kinds of `api` that name a dialect rather than a package."""


def findings(provider: str, raw: Any, document: Document) -> Iterator[Finding]:
    place: Steps = ("providers", provider)
    data = fit(ProviderV2, raw, *place)
    yield from without_effect(raw, ProviderV2.model_fields, COSMETIC, place)
    if not data.models:
        yield Skipped(place, "it names no models; the gateway serves those that are named")
    for alias, model in data.models.items():
        where = (*place, "models", alias)
        if why := left_out(raw, alias, model):
            yield Skipped(where, why)
            continue
        try:
            yield from _model(provider, data, alias, model, document)
        except Misfit as refused:
            yield broken(refused, where, provider, alias, wire_id(model))


def wire_id(model: object) -> object:
    return model.get("modelID") if isinstance(model, dict) else None


def left_out(provider: Raw, alias: str, model: object) -> str | None:
    return "it is disabled" if isinstance(model, dict) and model.get("disabled") is True else None


def _model(provider: str, data: ProviderV2, alias: str, raw: Raw, document: Document) -> Iterator[Finding]:
    parent: Steps = ("providers", provider)
    place: Steps = (*parent, "models", alias)
    model = fit(ModelV2, raw, *place)
    yield from without_effect(raw, ModelV2.model_fields, (), place)
    layers = (*_layers(data, parent), *_layers(model, place))
    yield from findings_of(
        Asked(
            place=place,
            provider=provider,
            alias=alias,
            model=model.modelID or model.api.id or alias,
            package=model.package or _package(model.api) or data.package or _package(data.api),
            api=model.api.url or data.api.url or "",
            env=data.env,
            layers=layers,
            headers=(
                *(((*one.place, "headers"), one.settings.headers) for one in layers),
                ((*parent, "headers"), data.headers),
                ((*parent, "request", "headers"), data.request.headers),
                ((*place, "headers"), model.headers),
                ((*place, "request", "headers"), model.request.headers),
            ),
            localcode=tuple(((*one.place, "localcode"), one.settings.localcode) for one in layers),
            facts=facts(model),
            body={**data.body, **data.request.body, **model.body, **model.request.body},
        ),
        document,
    )


def _layers(part: ProviderV2 | ModelV2, place: Steps) -> Iterator[Layer]:
    """`settings` is the name of today, and wins over those of before. One layer is always there."""
    yield (
        layer(part.api.settings, (*place, "api", "settings"))
        if part.api.settings
        else layer({}, (*place, "settings"))
    )
    if part.options:
        yield layer(part.options, (*place, "options"))
    if part.settings:
        yield layer(part.settings, (*place, "settings"))


def _package(api: Api) -> str:
    return api.package or API_PACKAGES.get(api.type or "", "")


def facts(model: ModelV2) -> dict[str, Any]:
    """What the file says about the model, in V1's words."""
    said = model.capabilities.model_dump(exclude_none=True) if model.capabilities else {}
    modalities = {side: said[side] for side in ("input", "output") if side in said}
    found = {
        "name": model.name,
        "family": model.family,
        "reasoning": said.get("reasoning"),
        "tool_call": said.get("tools"),
        "cost": _cost(model.cost),
        "limit": model.limit.model_dump(exclude_none=True) if model.limit else None,
        "modalities": modalities or None,
    }
    return {name: value for name, value in found.items() if value is not None}


def _cost(prices: list[CostV2]) -> dict[str, Any] | None:
    """V1's form: the price without a tier, and the one from 200,000 tokens on."""
    plain = next((price for price in prices if price.tier is None), None)
    large = next((price for price in prices if price.tier and price.tier.size == 200_000), None)
    if plain is None:
        return None
    return _price(plain) | ({"context_over_200k": _price(large)} if large else {})


def _price(price: CostV2) -> dict[str, Any]:
    found = {
        "input": price.input,
        "output": price.output,
        "cache_read": price.cache.read,
        "cache_write": price.cache.write,
    }
    return {name: value for name, value in found.items() if value is not None}
