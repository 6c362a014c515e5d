"""What the clouds want besides a key: regions, projects, resources, from the file or the environment.

OpenCode's options and variables in, LiteLLM's parameters out. The values go along with the target, for
`.env` is not in the process's own environment, where LiteLLM would look.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any


@dataclass(frozen=True, slots=True)
class Platform:
    """LiteLLM's parameters for a target, its base if that follows from them, and what is missing."""

    params: Mapping[str, Any] = field(default_factory=dict)
    base: str = ""
    missing: str | None = None


Options = Mapping[str, Any]
Environment = Mapping[str, str]

REGION = "us-east-1"
LOCATION = "us-central1"
PROJECT_VARIABLES = ("GOOGLE_VERTEX_PROJECT", "GOOGLE_CLOUD_PROJECT", "GCP_PROJECT", "GCLOUD_PROJECT")
LOCATION_VARIABLES = ("GOOGLE_VERTEX_LOCATION", "GOOGLE_CLOUD_LOCATION", "VERTEX_LOCATION")
AWS_SIGNS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_PROFILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)


def platform_of(litellm: str | None, options: Options, environment: Environment, has_key: bool) -> Platform:
    """What a provider of LiteLLM needs beyond base and key."""
    reader = READERS.get(litellm or "")
    return reader(options, environment, has_key) if reader else Platform()


def _bedrock(options: Options, environment: Environment, has_key: bool) -> Platform:
    params = _given(
        aws_region_name=_text(options, "region") or _first(environment, "AWS_REGION") or REGION,
        aws_profile_name=_text(options, "profile") or _first(environment, "AWS_PROFILE"),
        aws_access_key_id=_text(options, "accessKeyId") or _first(environment, "AWS_ACCESS_KEY_ID"),
        aws_secret_access_key=_text(options, "secretAccessKey")
        or _first(environment, "AWS_SECRET_ACCESS_KEY"),
        aws_session_token=_text(options, "sessionToken") or _first(environment, "AWS_SESSION_TOKEN"),
    )
    if has_key:  # a bearer token goes before all others, as in OpenCode
        return Platform({"aws_region_name": params["aws_region_name"]}, _text(options, "endpoint"))
    signed = "aws_profile_name" in params or "aws_access_key_id" in params or _first(environment, *AWS_SIGNS)
    missing = None if signed else "none of AWS_BEARER_TOKEN_BEDROCK, AWS_ACCESS_KEY_ID, AWS_PROFILE is set"
    return Platform(params, _text(options, "endpoint"), missing)


def _vertex(options: Options, environment: Environment, has_key: bool) -> Platform:
    project = _text(options, "project") or _first(environment, *PROJECT_VARIABLES)
    params = _given(
        vertex_project=project,
        vertex_location=_text(options, "location") or _first(environment, *LOCATION_VARIABLES) or LOCATION,
        vertex_credentials=_first(environment, "GOOGLE_APPLICATION_CREDENTIALS"),
    )
    if not project:
        return Platform(params, missing="GOOGLE_VERTEX_PROJECT is not set")
    return Platform(params, missing=None if _installed("google.auth") else NO_GOOGLE_AUTH)


NO_GOOGLE_AUTH = "Google's Python packages are not installed (pip install google-cloud-aiplatform)"


def _azure(options: Options, environment: Environment, has_key: bool) -> Platform:
    resource = _text(options, "resourceName") or _first(environment, "AZURE_RESOURCE_NAME")
    version = _text(options, "apiVersion") or _first(environment, "AZURE_API_VERSION")
    params = _given(api_version="" if version == "v1" else version)
    if _text(options, "baseURL"):
        return Platform(params)
    if not resource:
        return Platform(params, missing="AZURE_RESOURCE_NAME is not set")
    return Platform(params, f"https://{resource}.openai.azure.com")


READERS: dict[str, Callable[[Options, Environment, bool], Platform]] = {
    "bedrock": _bedrock,
    "vertex_ai": _vertex,
    "azure": _azure,
}

OPTIONS = frozenset(
    {
        *("region", "profile", "accessKeyId", "secretAccessKey", "sessionToken", "endpoint"),
        *("project", "location", "resourceName", "apiVersion"),
    }
)
"""The options of the file that are read here."""

SECRET_PARAMS = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")


def _given(**params: str) -> dict[str, str]:
    return {name: value for name, value in params.items() if value}


def _text(options: Options, name: str) -> str:
    value = options.get(name)
    return value.strip() if isinstance(value, str) else ""


def _first(environment: Environment, *names: str) -> str:
    return next((environment[name] for name in names if environment.get(name)), "")


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False
