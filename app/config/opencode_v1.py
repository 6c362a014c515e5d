"""`provider.<id>` of opencode.json: OpenCode 1."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app.config.catalog import Misfit
from app.config.layers import Asked, findings_of, layer, without_effect
from app.config.platforms import OPTIONS
from app.config.schema import ModelV1, ProviderV1, Raw, Settings, fit
from app.config.text import Document
from app.config.wish import Finding, Skipped, Steps, broken

COSMETIC = frozenset({"id", "name"})
MODEL_COSMETIC = frozenset({"experimental", "knowledge", "last_updated", "open_weights"})
DEFAULTS_HINT = "for every client's requests set it under options.localcode.defaults"


def findings(provider: str, raw: Any, document: Document) -> Iterator[Finding]:
    place: Steps = ("provider", provider)
    data = fit(ProviderV1, raw, *place)
    yield from without_effect(raw, ProviderV1.model_fields, COSMETIC, place)
    options = layer(data.options, (*place, "options"))
    yield from without_effect(data.options, Settings.model_fields, OPTIONS, options.place)
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
    return model.get("id") if isinstance(model, dict) else None


def _model(provider: str, data: ProviderV1, alias: str, raw: Raw, document: Document) -> Iterator[Finding]:
    options: Steps = ("provider", provider, "options")
    place: Steps = ("provider", provider, "models", alias)
    model = fit(ModelV1, raw, *place)
    yield from without_effect(raw, ModelV1.model_fields, MODEL_COSMETIC, place)
    yield from without_effect(raw.get("options"), ("localcode",), (), (*place, "options"), DEFAULTS_HINT)
    top = layer(data.options, options)
    yield from findings_of(
        Asked(
            place=place,
            provider=provider,
            alias=alias,
            model=model.id or alias,
            package=model.provider.npm or data.npm or "",
            api=model.provider.api or data.api or "",
            env=data.env,
            layers=(top,),
            headers=(((*options, "headers"), top.settings.headers), ((*place, "headers"), model.headers)),
            localcode=(
                ((*options, "localcode"), top.settings.localcode),
                ((*place, "options", "localcode"), model.options.localcode),
            ),
            facts=facts(model),
        ),
        document,
    )


def left_out(provider: Raw, alias: str, model: object) -> str | None:
    # Its lists hold keys of `models`, not wire ids.
    black, white = provider.get("blacklist"), provider.get("whitelist")
    if isinstance(black, list) and alias in black:
        return "it is on the blacklist"
    if isinstance(white, list) and alias not in white:
        return "it is not on the whitelist"
    deprecated = isinstance(model, dict) and model.get("status") == "deprecated"
    return "its status is deprecated" if deprecated else None


FACTS = (
    *("name", "family", "release_date", "status", "attachment", "reasoning", "temperature", "tool_call"),
    *("interleaved", "cost", "limit", "modalities"),
)


def facts(model: ModelV1) -> dict[str, Any]:
    """What the file says about the model, for `/v1/models`."""
    return model.model_dump(include=set(FACTS), exclude_none=True)
