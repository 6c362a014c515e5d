"""Control calls: does a target answer, and does it still have its model? Each asks for a model list.

A list is asked for once, however many aliases share it, all of them at the same time. Nothing is followed to
another host, no key is ever part of a message, and requests' own `~/.netrc` keys are kept out.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urljoin, urlsplit

from app.types import Target
from app.utils.addresses import is_loopback

if TYPE_CHECKING:  # requests costs 60 ms of start-up time
    from requests import PreparedRequest, Response, Session

T = TypeVar("T")

TIMEOUT = 5.0
LONGEST_LIST = 8 * 1024 * 1024
MOST_HOPS = 3
ANTHROPIC_VERSION = "2023-06-01"
UNASKABLE = frozenset({"bedrock", "vertex_ai", "azure", "sagemaker"})
"""LiteLLM's providers whose lists cannot be had with a key and an address alone."""


class NoAnswer(Exception):
    """A target gave no model list. The message is for people and holds no key."""


@dataclass(frozen=True, slots=True)
class Probe:
    """Whether a target answers, after how long, and if not, why."""

    ok: bool
    latency_ms: float | None = None
    why: str | None = None


@dataclass(frozen=True, slots=True)
class Missing:
    """A wire id that its provider does not list, and those most like it."""

    alias: str
    model: str
    close: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unchecked:
    """Aliases whose provider's list could not be had."""

    aliases: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True)
class Online:
    """What `check --online` found."""

    missing: tuple[Missing, ...]
    unchecked: tuple[Unchecked, ...]
    checked: int
    """How many aliases were compared."""


def list_models(target: Target, timeout: float = TIMEOUT) -> list[str]:
    """The ids that the target's provider lists; NoAnswer says why there are none."""
    address, headers = _question(target)
    deadline = time.monotonic() + timeout
    ids = ids_of(_get(address, headers, target, deadline))
    if ids is None:
        raise NoAnswer(f"{_host(address)} answers with something that is no model list")
    return ids


def probe(target: Target, timeout: float = TIMEOUT) -> Probe:
    """Whether the target answers now. One that cannot be called is not asked."""
    if target.unavailable:
        return Probe(False, why=target.unavailable)
    if target.mock_response is not None:
        return Probe(True, 0.0)
    started = time.monotonic()
    try:
        list_models(target, timeout)
    except NoAnswer as error:
        return Probe(False, why=str(error))
    return Probe(True, round((time.monotonic() - started) * 1000, 1))


def probe_all(targets: Mapping[str, Target], timeout: float = TIMEOUT) -> dict[str, dict[str, Any]]:
    """`reachable`, `latency_ms` and `why` for each alias."""
    late = Probe(False, why=_too_slow(timeout))
    found = _once_each(targets, partial(probe, timeout=timeout), timeout, late)
    return {alias: _as_dict(found[alias]) for alias in targets}


def _as_dict(result: Probe) -> dict[str, Any]:
    told = {"reachable": result.ok, "latency_ms": result.latency_ms, "why": result.why}
    return {name: value for name, value in told.items() if value is not None}


def missing_ids(targets: Mapping[str, Target], timeout: float = TIMEOUT) -> Online:
    """Which aliases lead to a model that its provider does not list. Unavailable ones are not asked about."""
    asked = {
        alias: target
        for alias, target in targets.items()
        if target.unavailable is None and target.mock_response is None
    }

    late: list[str] | NoAnswer = NoAnswer(_too_slow(timeout))
    found = _once_each(asked, partial(_listed_or_why, timeout=timeout), timeout, late)
    unchecked: dict[str, list[str]] = {}
    missing: list[Missing] = []
    for alias, target in asked.items():
        ids = found[alias]
        if isinstance(ids, NoAnswer):
            unchecked.setdefault(str(ids), []).append(alias)
        elif not is_listed(target, ids):
            close = get_close_matches(_bare(target.model), map(_bare, ids), 3, 0.5)
            missing.append(Missing(alias, target.model, tuple(close)))
    return Online(
        tuple(missing),
        tuple(Unchecked(tuple(aliases), why) for why, aliases in unchecked.items()),
        checked=len(asked) - sum(map(len, unchecked.values())),
    )


def _listed_or_why(target: Target, timeout: float) -> list[str] | NoAnswer:
    try:
        return list_models(target, timeout)
    except NoAnswer as error:
        return error


def is_listed(target: Target, ids: list[str]) -> bool:
    """Whether a provider has the target's model. llama-server with one model answers to any name."""
    if is_loopback(urlsplit(target.base_url).hostname or "") and len(ids) == 1:
        return True
    return _bare(target.model) in map(_bare, ids)


def _bare(model: str) -> str:
    return model.removeprefix("models/")


# --- the question


def _question(target: Target) -> tuple[str, dict[str, str]]:
    """Address and headers of the call that lists the provider's models."""
    provider, base = target.litellm_provider, target.base_url
    if provider in UNASKABLE or not base:
        raise NoAnswer(f"{provider or target.provider} has no model list that can be asked for here")
    match provider:
        case "gemini":
            return f"{base}/models?pageSize=1000", _with(target, {"x-goog-api-key": target.api_key})
        case "anthropic":
            own = {"x-api-key": target.api_key, "anthropic-version": ANTHROPIC_VERSION}
            return f"{base}/v1/models?limit=1000", _with(target, own)
        case "cohere_chat":
            return urljoin(base, "/v1/models?page_size=1000"), _with(target, _bearer(target))
        case "ollama_chat" | "ollama":
            return f"{base}/api/tags", _with(target, _bearer(target))
    return f"{base}/models", _with(target, _bearer(target))


def _bearer(target: Target) -> dict[str, str]:
    return {"authorization": f"Bearer {target.api_key}"}


def _with(target: Target, own: dict[str, str]) -> dict[str, str]:
    """The configuration's headers win over ours, as they do in requests for answers."""
    secret = own if target.api_key else {}
    configured = {name.lower(): value for name, value in target.headers.items()}
    return {"accept": "application/json", "accept-encoding": "gzip"} | secret | configured


def _get(address: str, headers: dict[str, str], target: Target, deadline: float) -> Any:
    import requests

    with requests.Session() as session:
        session.trust_env = not is_loopback(
            urlsplit(address).hostname or ""
        )  # no proxy leads to this machine
        for _ in range(MOST_HOPS):
            with _ask(session, address, headers, deadline) as response:
                if not response.is_redirect:
                    return _json(response, target, deadline)
                onward = urljoin(address, response.headers["location"])
            if urlsplit(onward)[:2] != urlsplit(address)[:2]:
                raise NoAnswer(f"{_host(address)} sends on to {_host(onward)}, which is not followed")
            address = onward
    raise NoAnswer(f"{_host(address)} sends on without end")


def _ask(session: Session, address: str, headers: dict[str, str], deadline: float) -> Response:
    from requests import RequestException

    def ours(request: PreparedRequest) -> PreparedRequest:  # an `auth` of our own keeps ~/.netrc away
        request.headers.update(headers)
        return request

    left = max(deadline - time.monotonic(), 0.05)
    try:
        return session.get(address, auth=ours, timeout=left, allow_redirects=False, stream=True)
    except (RequestException, ValueError) as error:
        raise NoAnswer(f"{_host(address)} {_why(error)}") from None


def _why(error: Exception) -> str:
    """What kept a call from its answer. Never the library's own words: they hold the address and more."""
    from requests import exceptions

    match error:
        case exceptions.SSLError():
            return "has a TLS certificate that is not accepted"
        case exceptions.ProxyError():
            return "cannot be reached through the proxy of the environment"
        case exceptions.Timeout():
            return "does not answer in time"
    return "cannot be reached"


def _json(response: Response, target: Target, deadline: float) -> Any:
    host = _host(response.url)
    if response.status_code != 200:
        raise NoAnswer(f"{host} {_refusal(response.status_code, target)} (HTTP {response.status_code})")
    try:
        return json.loads(_body(response, deadline, host))
    except (ValueError, RecursionError):
        raise NoAnswer(f"{host} answers with something that is not JSON") from None


def _refusal(status: int, target: Target) -> str:
    if status in (401, 403) and target.api_key:
        return f"refuses the key of {target.key_variable}" if target.key_variable else "refuses the key"
    if status in (401, 403):
        return "wants a key"
    return "has no model list there; is the base URL right?" if status == 404 else "gives no model list"


def _body(response: Response, deadline: float, host: str) -> bytes:
    from requests import exceptions

    body = bytearray()
    try:
        for piece in response.iter_content(65536):
            body += piece
            if len(body) > LONGEST_LIST:
                raise NoAnswer(f"the model list of {host} is too long")
            if time.monotonic() > deadline:
                raise NoAnswer(f"{host} does not answer in time")
    except exceptions.RequestException:
        raise NoAnswer(f"{host} breaks off in the middle of its model list") from None
    return bytes(body)


def _host(address: str) -> str:
    return urlsplit(address).netloc.rpartition("@")[2] or "its host"


# --- the answer


def ids_of(answer: Any) -> list[str] | None:
    """The ids of a model list in any shape that providers give it; None if it is none.

    OpenAI and Anthropic give `{"data": [{"id"}]}`, Gemini, Cohere and Ollama `{"models": [{"name"}]}`, others
    a bare list.
    """
    entries = answer
    if isinstance(answer, dict):
        entries = answer.get("data") if isinstance(answer.get("data"), list) else answer.get("models")
    if not isinstance(entries, list):
        return None
    ids = [_id(entry) for entry in entries]
    return [name for name in ids if name]


def _id(entry: Any) -> str | None:
    if isinstance(entry, dict):
        entry = entry.get("id") or entry.get("name") or entry.get("model")
    return entry if isinstance(entry, str) else None


# --- at the same time


def _once_each(
    targets: Mapping[str, Target], ask: Callable[[Target], T], timeout: float, late: T
) -> dict[str, T]:
    """What `ask` says of each target; those with the same list are asked about once."""
    groups: dict[object, list[str]] = {}
    for alias, target in targets.items():
        groups.setdefault(_group(target), []).append(alias)
    if not groups:
        return {}
    pool = ThreadPoolExecutor(min(len(groups), 8), thread_name_prefix="probe")
    futures: dict[Future[T], list[str]] = {
        pool.submit(ask, targets[aliases[0]]): aliases for aliases in groups.values()
    }
    # A name that does not resolve can take longer than any timeout of ours: it is left to itself.
    done, _ = wait(futures, timeout=_patience(len(groups), timeout))
    pool.shutdown(wait=False, cancel_futures=True)
    return {
        alias: future.result() if future in done else late
        for future, aliases in futures.items()
        for alias in aliases
    }


def _patience(groups: int, timeout: float) -> float:
    return (1 + (groups - 1) // 8) * (timeout + 0.5)


def _group(target: Target) -> object:
    if target.unavailable or target.mock_response is not None:
        return target.alias
    return (target.litellm_provider, target.base_url, target.api_key, frozenset(target.headers.items()))


def _too_slow(timeout: float) -> str:
    return f"no answer within {timeout:g} s"
