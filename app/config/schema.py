"""What may stand in opencode.json, both forms, and under `options.localcode`.

Only what the gateway uses is named; everything else a file may hold is OpenCode's business and passes.
A value of the wrong kind is an error here as it is in OpenCode. One provider or model is checked at a
time, so that a bad one leaves the others alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, ValidationError

from app.config.catalog import Misfit, Problem, at
from app.types import Level

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


def _milliseconds(value: object) -> float | Literal[False]:
    if value is False:
        return False
    if isinstance(value, bool) or not isinstance(value, int | float) or not (isfinite(value) and value > 0):
        raise ValueError("milliseconds above 0 are expected, or false for no limit")
    return value


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not (isfinite(value) and value > 0):
        raise ValueError("seconds above 0 are expected")
    return value


def _number(value: object) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not (isfinite(value) and value >= 0):
        raise ValueError("a number from 0 up is expected")
    return value


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 10:
        raise ValueError("a whole number from 0 to 10 is expected")
    return value


Milliseconds: TypeAlias = Annotated[float | Literal[False], PlainValidator(_milliseconds)]
Seconds: TypeAlias = Annotated[float, PlainValidator(_seconds)]
Number: TypeAlias = Annotated[int | float, PlainValidator(_number)]
Count: TypeAlias = Annotated[int, PlainValidator(_count)]
Raw: TypeAlias = dict[str, Any]


class Part(BaseModel):
    """Keys that are not named here pass unseen, as in OpenCode."""

    model_config = ConfigDict(strict=True, frozen=True, allow_inf_nan=False, defer_build=True)


class LocalCode(Part):
    """`options.localcode` of a provider or a model: what only the gateway needs."""

    carrier: Literal["relay", "litellm"] | None = None
    litellmProvider: str | None = None
    dialects: list[Literal["chat", "messages", "responses"]] | None = None
    harmony: bool | Literal["completions", "chat"] = False
    reasoning: Literal["drop", "expose"] = "drop"
    reasoningLevels: list[Level] | None = None
    reasoningField: str | Literal[False] | None = None
    sendTemperature: bool | None = None
    defaults: Raw = Field(default_factory=dict)
    maxRetries: Count | None = None
    retryAfter: Number | None = None
    fetchImages: bool = False
    streamUsage: bool | None = None
    mockResponse: str | None = None
    connectTimeout: Milliseconds | None = None
    headerTimeout: Milliseconds | None = None
    chunkTimeout: Milliseconds | None = None
    timeout: Milliseconds | None = None


ALSO_CALLED = {"retries": "maxRetries"}
"""Other names that `options.localcode` understands."""


class Settings(Part):
    """V1 `options` of a provider, V2 `settings`: what the SDK and the gateway share."""

    apiKey: str | None = None
    baseURL: str | None = None
    headers: dict[str, str] = Field(default_factory=dict)
    timeout: Milliseconds | None = None
    headerTimeout: Milliseconds | None = None
    chunkTimeout: Milliseconds | None = None
    includeUsage: bool | None = None
    localcode: Raw = Field(default_factory=dict)


class ProviderV1(Part):
    """`provider.<id>`"""

    npm: str | None = None
    api: str | None = None
    env: list[str] | None = None
    whitelist: list[str] | None = None
    blacklist: list[str] | None = None
    options: Raw = Field(default_factory=dict)
    models: Raw = Field(default_factory=dict)


class Cost(Part):
    """Dollars for a million tokens."""

    input: Number | None = None
    output: Number | None = None
    cache_read: Number | None = None
    cache_write: Number | None = None
    context_over_200k: Cost | None = None


class Limit(Part):
    """Tokens."""

    context: Number | None = None
    input: Number | None = None
    output: Number | None = None


class Modalities(Part):
    input: list[str] | None = None
    output: list[str] | None = None


class ModelPackage(Part):
    npm: str | None = None
    api: str | None = None


class ModelOptions(Part):
    localcode: Raw = Field(default_factory=dict)


class ModelV1(Part):
    """`provider.<id>.models.<alias>`"""

    id: str | None = None
    name: str | None = None
    family: str | None = None
    release_date: str | None = None
    attachment: bool | None = None
    reasoning: bool | None = None
    temperature: bool | None = None
    tool_call: bool | None = None
    interleaved: Any = None
    cost: Cost | None = None
    limit: Limit | None = None
    modalities: Modalities | None = None
    status: str | None = None
    provider: ModelPackage = ModelPackage()
    options: ModelOptions = ModelOptions()
    headers: dict[str, str] = Field(default_factory=dict)


class Request(Part):
    headers: dict[str, str] = Field(default_factory=dict)
    body: Raw = Field(default_factory=dict)


class Api(Part):
    """The older `api` of V2: of a provider, or of a model."""

    id: str | None = None
    type: str | None = None
    package: str | None = None
    url: str | None = None
    settings: Raw = Field(default_factory=dict)


class ProviderV2(Part):
    """`providers.<id>`"""

    package: str | None = None
    env: list[str] | None = None
    settings: Raw = Field(default_factory=dict)
    options: Raw = Field(default_factory=dict)
    headers: dict[str, str] = Field(default_factory=dict)
    body: Raw = Field(default_factory=dict)
    request: Request = Request()
    api: Api = Api()
    models: Raw = Field(default_factory=dict)


class CacheCost(Part):
    read: Number | None = None
    write: Number | None = None


class Tier(Part):
    size: Number


class CostV2(Part):
    """One price; a list holds one without a tier, and others from a size of the context on."""

    tier: Tier | None = None
    input: Number | None = None
    output: Number | None = None
    cache: CacheCost = CacheCost()


class Capabilities(Part):
    tools: bool | None = None
    reasoning: bool | None = None
    input: list[str] | None = None
    output: list[str] | None = None


def _as_list(value: object) -> object:
    return value if isinstance(value, list) else [value]


class ModelV2(Part):
    """`providers.<id>.models.<alias>`"""

    modelID: str | None = None
    name: str | None = None
    family: str | None = None
    package: str | None = None
    api: Api = Api()
    settings: Raw = Field(default_factory=dict)
    options: Raw = Field(default_factory=dict)
    headers: dict[str, str] = Field(default_factory=dict)
    body: Raw = Field(default_factory=dict)
    request: Request = Request()
    capabilities: Capabilities | None = None
    cost: Annotated[list[CostV2], BeforeValidator(_as_list)] = Field(default_factory=list)
    limit: Limit | None = None
    disabled: bool = False


P = TypeVar("P", bound=Part)


def fit(kind: type[P], value: object, *path: str | int) -> P:
    """`value` as a `kind`; Misfit with one problem for each wrong place below `path`."""
    if not isinstance(value, dict):
        raise Misfit(Problem(at(*path), f"an object is expected, found {kind_of(value)}"))
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        raise Misfit(*_problems(error, value, path)) from None


def _problems(error: ValidationError, value: Raw, path: tuple[str | int, ...]) -> Iterator[Problem]:
    wrong: dict[str, list[ErrorDetails]] = {}
    for detail in error.errors(include_url=False):
        wrong.setdefault(at(*path, *_steps(detail, value)), []).append(detail)
    for place, details in wrong.items():
        yield Problem(place, _words(details))


def _steps(detail: ErrorDetails, value: Any) -> Iterator[str | int]:
    """The way to what is wrong, without the names that pydantic gives to what else could stand there."""
    for step in detail["loc"]:
        written = step in value if isinstance(value, dict) else isinstance(value, list)
        if written:
            value = value[step]
            yield step
    if detail["type"] == "missing":
        yield detail["loc"][-1]


EXPECTED: Mapping[str, tuple[str, ...]] = {
    "string_type": ("text",),
    "bool_type": ("true", "false"),
    "int_type": ("a whole number",),
    "dict_type": ("an object",),
    "model_type": ("an object",),
    "list_type": ("a list",),
}


def _words(details: Sequence[ErrorDetails]) -> str:
    """What one place expects, all of it, and what was found there."""
    first, kinds = details[0], {detail["type"] for detail in details}
    found = _shown(first["input"]) if "literal_error" in kinds else kind_of(first["input"])
    if kinds == {"literal_error"}:
        names = (name.strip("'") for detail in details for name in _expected(detail))
        return f"{found} is none of {', '.join(names)}"
    expected = list(dict.fromkeys(name for detail in details for name in _expected(detail)))
    if expected:
        return f"{_either(expected)} is expected, found {found}"
    if first["type"] == "missing":
        return "a value is missing"
    said = first["msg"].removeprefix("Value error, ").replace("Input should be", "it should be")
    return f"{said}, found {found}"


def _expected(detail: ErrorDetails) -> Sequence[str]:
    if detail["type"] == "literal_error":
        return [WRITTEN.get(name, name) for name in re.split(r", | or ", detail["ctx"]["expected"])]
    return EXPECTED.get(detail["type"], ())


WRITTEN = {"False": "false", "True": "true"}


def _either(names: Sequence[str]) -> str:
    return " or ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _shown(value: object) -> str:
    """A value where only some words can stand, so that no key does."""
    if not isinstance(value, str):
        return kind_of(value)
    return repr(value if len(value) <= LONGEST else f"{value[:LONGEST]}…")


LONGEST = 40


def kind_of(value: object) -> str:
    """What a value is, without telling a text that may be a key."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case int() | float():
            return str(value)
        case str():
            return "a text" if value else "an empty text"
        case list():
            return "a list"
        case _:
            return "an object"
