"""`provider.<id>` of opencode.json: OpenCode 1."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app.config.catalog import Misfit
from app.config.layers import Asked, findings_of, layer, without_effect
from app.config.platforms import OPTIONS
from app.config.schema import ModelV1, ProviderV1, Raw, Settings, fit
from app.config.text import Document
from app.config.wish import Finding, Skipped, Steps

COSMETIC = frozenset({"id", "name"})
MODEL_COSMETIC = frozenset({"experimental", "knowledge", "last_updated", "open_weights"})
DEFAULTS_HINT = "for every client's requests set it under options.localcode.defaults"


def findings(provider: str, raw: object, document: Document) -> Iterator[Finding]:
    """What a provider asks for; a model that does not fit leaves the others alone."""
    place: Steps = ("provider", provider)
    data = fit(ProviderV1, raw, *place)
    yield from without_effect(raw, ProviderV1.model_fields, COSMETIC, place)
    options = layer(data.options, (*place, "options"))
    yield from without_effect(data.options, Settings.model_fields, OPTIONS, options.place)
    if not data.models:
        yield Skipped(place, "it names no models; the gateway serves those that are named")
    for alias, model in data.models.items():
        try:
            yield from _model(provider, data, alias, model, document)
        except Misfit as misfit:
            yield from misfit.problems


def _model(provider: str, data: ProviderV1, alias: str, raw: Raw, document: Document) -> Iterator[Finding]:
    options: Steps = ("provider", provider, "options")
    place: Steps = ("provider", provider, "models", alias)
    model = fit(ModelV1, raw, *place)
    if why := _left_out(data, alias, model):
        yield Skipped(place, why)
        return
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


def _left_out(provider: ProviderV1, alias: str, model: ModelV1) -> str | None:
    """Why OpenCode would not offer the model. Its lists hold keys of `models`, not wire ids."""
    if provider.blacklist and alias in provider.blacklist:
        return "it is on the blacklist"
    if provider.whitelist is not None and alias not in provider.whitelist:
        return "it is not on the whitelist"
    return "its status is deprecated" if model.status == "deprecated" else None


FACTS = (
    *("name", "family", "release_date", "status", "attachment", "reasoning", "temperature", "tool_call"),
    *("interleaved", "cost", "limit", "modalities"),
)


def facts(model: ModelV1) -> dict[str, Any]:
    """What the file says about the model, for `/v1/models`."""
    return model.model_dump(include=set(FACTS), exclude_none=True)
