"""Reads LiteLLM's config.yaml in place of an opencode.json: `model_list` to the same catalog.

`openai/<id>` and LiteLLM's other names for OpenAI-compatible servers are relayed, everything else goes
through LiteLLM. What only LiteLLM's proxy does (budgets, caches, routers, callbacks) has no effect here and
is said to have none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import yaml
from pydantic import BeforeValidator

from app.config import schema
from app.config.catalog import Catalog, ConfigError, Misfit, Problem
from app.config.endpoints import Addresses
from app.config.packages import PACKAGES, Package
from app.config.schema import LocalCode, Part, Raw, fit
from app.config.targets import catalog_of
from app.config.text import read_text
from app.config.wish import Finding, Skipped, Steps, Unused, Wish, broken, misfit

COMPATIBLE = frozenset(
    {
        *("openai", "custom_openai", "openai_like", "aiohttp_openai", "hosted_vllm", "litellm_proxy"),
        *("lm_studio", "llamafile", "docker_model_runner"),
    }
)
"""LiteLLM's names for servers that speak OpenAI's chat completions."""

ENV = re.compile(r"os\.environ/(\S+)")
BY_NAME = ((r"(gpt-|chatgpt-|o\d)", "openai"), (r"claude-", "anthropic"), (r"gemini-", "gemini"))
"""Providers of well-known models that are named without one."""

SENT_ALONG = (
    *("api_version", "drop_params", "aws_region_name", "aws_access_key_id", "aws_secret_access_key"),
    *("aws_session_token", "aws_profile_name", "aws_role_name", "aws_session_name"),
    *("aws_bedrock_runtime_endpoint", "vertex_project", "vertex_location", "vertex_credentials"),
    *("azure_ad_token", "organization", "region_name"),
)
DEFAULTS = (
    *("temperature", "top_p", "max_tokens", "max_completion_tokens", "stop", "seed", "reasoning_effort"),
    *("presence_penalty", "frequency_penalty", "parallel_tool_calls", "tool_choice", "response_format"),
)
PROXY_ONLY = "LiteLLM's proxy does this, the gateway does not"


SETTINGS = {
    "aws_region_name": "region",
    "aws_profile_name": "profile",
    "aws_access_key_id": "accessKeyId",
    "aws_secret_access_key": "secretAccessKey",
    "aws_session_token": "sessionToken",
    "vertex_project": "project",
    "vertex_location": "location",
    "api_version": "apiVersion",
    "api_base": "baseURL",
}
"""LiteLLM's names for what OpenCode has under `options`."""


def _number_in_text(value: object) -> object:
    """YAML 1.1 takes `9e-06` for a text, and what comes from `os.environ/` is one."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


Number: TypeAlias = Annotated[schema.Number, BeforeValidator(_number_in_text)]
Seconds: TypeAlias = Annotated[schema.Seconds, BeforeValidator(_number_in_text)]


class Params(Part):
    """`litellm_params` as far as the gateway itself uses them."""

    model: str
    api_base: str | None = None
    base_url: str | None = None
    api_key: str | None = None
    timeout: Seconds | None = None
    stream_timeout: Seconds | None = None
    max_retries: int | None = None
    num_retries: int | None = None
    extra_headers: dict[str, str] | None = None
    extra_body: Raw | None = None
    mock_response: str | None = None


class ModelInfo(Part):
    """`model_info` as far as `/v1/models` publishes it. Costs are for one token."""

    max_tokens: Number | None = None
    max_input_tokens: Number | None = None
    max_output_tokens: Number | None = None
    input_cost_per_token: Number | None = None
    output_cost_per_token: Number | None = None
    cache_read_input_token_cost: Number | None = None
    cache_creation_input_token_cost: Number | None = None
    supports_function_calling: bool | None = None
    supports_reasoning: bool | None = None
    supports_vision: bool | None = None


class Common(Part):
    """`litellm_settings` that hold for every model."""

    drop_params: bool | None = None
    num_retries: int | None = None
    request_timeout: Seconds | None = None


def read(path: Path, environment: Mapping[str, str], own_addresses: Addresses = ()) -> Catalog:
    """The catalog of a LiteLLM configuration; ConfigError if the file as a whole cannot be read."""
    return catalog_of(path, findings(_load(path), environment), environment, own_addresses)


def _load(path: Path) -> Raw:
    text = read_text(path)
    try:
        data = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        raise ConfigError(place, f"this is not YAML: {error.problem}") from None
    except yaml.YAMLError:
        raise ConfigError(str(path), "this is not YAML: it holds a letter that YAML does not allow") from None
    if not isinstance(data, dict) or not isinstance(data.get("model_list"), list):
        raise ConfigError(str(path), "it has no model_list", "a list of models, as LiteLLM's proxy reads it")
    return data


def findings(data: Raw, environment: Mapping[str, str]) -> Iterator[Finding]:
    """All that stands in the file, in its order."""
    try:
        common = fit(Common, data.get("litellm_settings") or {}, "litellm_settings")
    except Misfit as refused:
        yield from refused.problems
        common = Common()
    yield from _without_effect(data)
    if not data["model_list"]:
        yield Problem("model_list", "it is empty, so there is nothing to serve")
    served: set[str] = set()
    for number, entry in enumerate(data["model_list"]):
        place: Steps = ("model_list", number)
        try:
            yield from _entry(entry, place, common, environment, served)
        except Misfit as refused:
            yield from refused.problems


def _without_effect(data: Raw) -> Iterator[Finding]:
    for key in _keys(data):
        if key not in ("model_list", "litellm_settings", "general_settings"):
            yield Unused((key,), f"{key}: {PROXY_ONLY}")
    for key in _keys(data.get("litellm_settings")):
        if key not in Common.model_fields:
            yield Unused(("litellm_settings", key), f"{key}: {PROXY_ONLY}")
    for key in _keys(data.get("general_settings")):
        mend = "set LOCALCODE_API_KEYS to ask clients for a key" if key == "master_key" else ""
        yield Unused(("general_settings", key), f"{key}: {PROXY_ONLY}", mend)


def _keys(part: object) -> list[str]:
    """The keys of a mapping, which in YAML may be numbers."""
    return [str(key) for key in part] if isinstance(part, dict) else []


def _entry(
    entry: object, place: Steps, common: Common, environment: Mapping[str, str], served: set[str]
) -> Iterator[Finding]:
    if not isinstance(entry, dict) or not isinstance(entry.get("model_name"), str):
        raise misfit((*place, "model_name"), "a name is expected")
    alias: str = entry["model_name"]
    if "*" in alias:
        raise misfit((*place, "model_name"), "a name with * stands for any model", "list each one")
    if alias in served:
        yield Skipped(place, f"there is a {alias!r} before it; only the first of a name is served")
        return
    served.add(alias)
    raw = entry.get("litellm_params")
    yield from _params_without_effect(raw, place)
    try:
        yield _wish(alias, raw, entry.get("model_info"), place, common, environment)
    except Misfit as refused:
        yield broken(refused, place, *_named(alias, raw))


def _named(alias: str, raw: object) -> tuple[str, str, object]:
    """Provider, alias and wire id of an entry, right or wrong."""
    model = _get(raw, "model")
    provider, slash, rest = model.partition("/") if isinstance(model, str) else ("", "", model)
    return (provider, alias, rest) if slash and provider else ("litellm", alias, model)


def _params_without_effect(raw: object, place: Steps) -> Iterator[Finding]:
    for key in _keys(raw):
        if key not in Params.model_fields and key not in SENT_ALONG and key not in DEFAULTS:
            yield Unused((*place, "litellm_params", key), f"{key}: {PROXY_ONLY}")


def _wish(
    alias: str, written: object, info: object, place: Steps, common: Common, environment: Mapping[str, str]
) -> Wish:
    where: Steps = (*place, "litellm_params")
    raw = _from_environment(written, environment)
    params = fit(Params, raw, *where)
    provider, model = _provider_and_model(params, where)
    package = _package(provider, params)
    return Wish(
        place=place,
        provider=provider,
        alias=alias,
        model=model,
        package_name=provider,
        package=package,
        base=params.api_base or params.base_url or "",
        base_place=(*where, "api_base"),
        base_variables=_variables(written, "api_base"),
        key=params.api_key or "",
        key_place=(*where, "api_key"),
        key_written=bool(_variables(written, "api_key")),
        key_variables=_variables(written, "api_key"),
        headers=params.extra_headers or {},
        headers_place=(*where, "extra_headers"),
        header_variables={
            name: _variables(_get(written, "extra_headers"), name) for name in params.extra_headers or ()
        },
        settings={ours: raw[theirs] for theirs, ours in SETTINGS.items() if theirs in raw},
        litellm_params=_sent_along(raw, common) if package.carrier == "litellm" else {},
        localcode=_ours(params, raw, common),
        facts=facts(fit(ModelInfo, info or {}, *place, "model_info")),
        body=params.extra_body or {},
    )


def _provider_and_model(params: Params, where: Steps) -> tuple[str, str]:
    """`gemini/gemini-3` is the provider's name and the wire id; what is behind the slash may hold others."""
    provider, slash, model = params.model.partition("/")
    if slash and provider and model:
        return provider, model
    for pattern, name in BY_NAME:
        if re.match(pattern, params.model):
            return name, params.model
    if params.mock_response is not None:
        return "litellm", params.model
    raise misfit(
        (*where, "model"), f"{params.model!r} names no provider", f'for example "openai/{params.model}"'
    )


def _package(provider: str, params: Params) -> Package:
    if provider in COMPATIBLE:
        if params.api_base or params.base_url or provider != "openai":
            return Package()
        return PACKAGES["@ai-sdk/openai"]
    known = next((package for package in PACKAGES.values() if package.litellm == provider), None)
    return known or Package("litellm", provider, frozenset())


def _sent_along(raw: Raw, common: Common) -> Raw:
    given = {name: raw[name] for name in SENT_ALONG if raw.get(name) is not None}
    return ({"drop_params": True} if common.drop_params else {}) | given


def _ours(params: Params, raw: Raw, common: Common) -> LocalCode:
    """LiteLLM's limits in our terms. Its timeouts are for each read, so they become `header` and `chunk`."""
    retries = next(
        (
            tries
            for tries in (params.max_retries, params.num_retries, common.num_retries)
            if tries is not None
        ),
        None,
    )
    wait = params.timeout if params.timeout is not None else common.request_timeout
    between = params.stream_timeout if params.stream_timeout is not None else wait
    return LocalCode(
        maxRetries=None if retries is None else max(0, min(retries, 10)),
        headerTimeout=None if wait is None else wait * 1000,
        chunkTimeout=None if between is None else between * 1000,
        mockResponse=params.mock_response,
        defaults={name: raw[name] for name in DEFAULTS if raw.get(name) is not None},
    )


def facts(info: ModelInfo) -> dict[str, Any]:
    """What the file says about the model, in OpenCode's words."""
    cost = {
        "input": _per_million(info.input_cost_per_token),
        "output": _per_million(info.output_cost_per_token),
        "cache_read": _per_million(info.cache_read_input_token_cost),
        "cache_write": _per_million(info.cache_creation_input_token_cost),
    }
    limit = {"context": info.max_input_tokens, "output": info.max_output_tokens or info.max_tokens}
    found = {
        "tool_call": info.supports_function_calling,
        "reasoning": info.supports_reasoning,
        "attachment": info.supports_vision,
        "modalities": {"input": ["text", "image"], "output": ["text"]} if info.supports_vision else None,
        "cost": _given(cost),
        "limit": _given(limit),
    }
    return _given(found)


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in (None, {})}


def _per_million(cost: float | None) -> float | None:
    return None if cost is None else round(cost * 1_000_000, 6)


# --- os.environ/NAME


def _from_environment(value: Any, environment: Mapping[str, str]) -> Any:
    """`value` with every text `os.environ/NAME` replaced by that variable, or by nothing."""
    match value:
        case dict():
            return {name: _from_environment(inner, environment) for name, inner in value.items()}
        case list():
            return [_from_environment(inner, environment) for inner in value]
        case str() if match := ENV.fullmatch(value):
            return environment.get(match[1], "")
    return value


def _variables(written: object, name: str) -> tuple[str, ...]:
    value = _get(written, name)
    match = ENV.fullmatch(value) if isinstance(value, str) else None
    return (match[1],) if match else ()


def _get(written: object, name: str) -> object:
    return written.get(name) if isinstance(written, dict) else None
