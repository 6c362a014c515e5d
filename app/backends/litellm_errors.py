"""LiteLLM's exceptions, and those of what it is built on, as our own.

What the upstream itself answered says most, so an answer with an error status is read like
the relay reads it. Only where there is none does the exception count: by its class, in one
table, with its status checked and its text cleaned, for both are often wrong (a refused
connection is 500, whatever breaks a stream is 500, an error may carry status 200).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from app.errors import (
    BadRequest,
    GatewayError,
    UpstreamCut,
    UpstreamFailed,
    UpstreamGarbage,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from app.types import DialectName, Target
from app.utils.context_full import context_full
from app.utils.problems import problem_from, problem_of, status_in, tidy, unsupported

Rule = Callable[[Target, str], GatewayError]


def _status(number: int) -> Rule:
    return lambda target, message: problem_of({"message": message}, number, target)


def _timeout(target: Target, message: str) -> GatewayError:
    return UpstreamTimeout(f"the provider of '{target.alias}' did not answer in time")


def _unreachable(target: Target, message: str) -> GatewayError:
    return UpstreamUnreachable(f"cannot reach the provider of '{target.alias}'")


def _garbage(target: Target, message: str) -> GatewayError:
    return UpstreamGarbage(f"the provider of '{target.alias}' answered what LiteLLM cannot read")


def _failed(target: Target, message: str) -> GatewayError:
    return UpstreamFailed(tidy(message, target) or f"the provider of '{target.alias}' failed")


def _too_long(target: Target, message: str) -> GatewayError:
    return context_full(tidy(message, target), {})


def _unsupported(target: Target, message: str) -> GatewayError:
    """LiteLLM names the parameters, and then how to configure LiteLLM."""
    found = re.search(r"parameters?: (?:\[(.*?)\]|\{(.*?)\})", message)  # embeddings: with their values
    names = re.findall(r"'(\w+)'(?=,|$)" if found[1] else r"'(\w+)':", found[1] or found[2]) if found else []
    if not names:
        return BadRequest(
            tidy(message.partition("To drop these")[0].rstrip(" ."), target), code="unsupported_parameter"
        )
    return BadRequest(
        f"the provider of '{target.alias}' does not take: {', '.join(names)}",
        code="unsupported_parameter",
        param=names[0],
    )


def _filtered(target: Target, message: str) -> GatewayError:
    return UpstreamRefused(tidy(message, target), code="content_filter")


def _misconfigured(target: Target, message: str) -> GatewayError:
    return BadRequest(
        f"LiteLLM does not know the provider of '{target.alias}': check its npm package in opencode.json",
        code="unknown_provider",
    )


def _too_deep(target: Target, message: str) -> GatewayError:
    return BadRequest("the body is nested too deeply")


def _unexpected(target: Target, message: str) -> GatewayError:
    return UpstreamFailed(f"the provider of '{target.alias}' could not be called through LiteLLM")


# By class name, most of which LiteLLM, the OpenAI SDK and httpx share; without a row the parent's counts.
RULES: Mapping[str, Rule] = {
    # what an upstream answered, in LiteLLM's reading
    "BadRequestError": _status(400),
    "InvalidRequestError": _status(400),
    "AuthenticationError": _status(401),
    "PaymentRequiredError": _status(402),
    "PermissionDeniedError": _status(403),
    "NotFoundError": _status(404),
    "ConflictError": _status(409),
    "UnprocessableEntityError": _status(422),
    "RateLimitError": _status(429),
    "InternalServerError": _status(500),
    "BadGatewayError": _status(502),
    "ServiceUnavailableError": _status(503),
    "MidStreamFallbackError": _status(502),
    "ContextWindowExceededError": _too_long,
    "ContentPolicyViolationError": _filtered,
    "RejectedRequestError": _filtered,
    "ImageFetchError": _status(400),
    "APIError": _failed,
    "APIResponseValidationError": _garbage,
    "JSONSchemaValidationError": _garbage,
    "OpenAIError": _unexpected,
    "MockException": _failed,
    # what LiteLLM says without asking anybody
    "UnsupportedParamsError": _unsupported,
    "LiteLLMUnknownProvider": _misconfigured,
    "ModelNotMappedError": _misconfigured,
    # the network
    "Timeout": _timeout,
    "APITimeoutError": _timeout,
    "TimeoutException": _timeout,
    "APIConnectionError": _unexpected,  # LiteLLM's name for whatever it did not expect; see `_of_network`
    "TransportError": _unreachable,
    # features of LiteLLM that are never on here
    "BudgetExceededError": _unexpected,
    "GuardrailRaisedException": _unexpected,
    "BlockedPiiEntityError": _unexpected,
    "ModifyResponseException": _unexpected,
    "SensitiveDataRouteException": _unexpected,
    "VectorStoreSearchError": _unexpected,
    # a request that it cannot walk through
    "RecursionError": _too_deep,
    # bytes that are no answer
    "JSONDecodeError": _garbage,
    "UnicodeDecodeError": _garbage,
    "ValidationError": _garbage,
}

# How LiteLLM says that it has embeddings or rankings for others, but not for this provider (or this model).
_LACKING = re.compile(
    r"Unmapped LLM provider for this endpoint|Unsupported provider: "
    r"|Unable to determine \w+ embedding provider"
)

_PREFIX = re.compile(r"^(?:\s*(?:litellm\.)?[A-Za-z_.]*(?:Error|Exception|Timeout)\b\s*[:-]\s*)+")


def problem(
    failure: BaseException,
    target: Target,
    answer: tuple[int, Mapping[str, str], bytes] | None = None,
    begun: bool = False,
    wire: DialectName = "chat",
) -> GatewayError:
    """The error for whatever came out of LiteLLM.

    `answer` is the upstream's last one (status, headers by lower-case name, body), if any came;
    `begun` says that a part of the answer is with the client already.
    """
    if isinstance(failure, GatewayError):
        return failure
    causes = list(_causes(failure))
    names = [name for cause in causes for name in _names(cause)]
    if answer is not None and answer[0] >= 300:
        found = problem_from(*answer, target, wire)
        if "ContextWindowExceededError" in names and isinstance(found, UpstreamRefused):
            return context_full(str(found), {})
        return found
    if "UnicodeEncodeError" in names:
        return BadRequest(
            "the request holds half a surrogate pair, which LiteLLM cannot send: no valid Unicode"
        )
    if wire != "chat" and answer is None and any(_LACKING.search(_words(cause)) for cause in causes):
        return unsupported(wire, target, "LiteLLM has none for its provider")
    return (
        _of_event(causes, target)
        or _of_network(names, target, cut=begun or answer is not None)
        or (None if begun or answer is not None else _of_shape(causes, target))
        or _of_status(causes, target)
        or _by_class(failure, target)
    )


def _of_event(causes: list[BaseException], target: Target) -> GatewayError | None:
    """An error object within a stream, as the OpenAI SDK found it."""
    for cause in causes:
        body = getattr(cause, "body", None)
        if isinstance(body, str) and body:
            body = {"message": body}
        if isinstance(body, dict) and "message" in body:
            return problem_of(body, status_in(body), target)
    return None


def _of_network(names: list[str], target: Target, cut: bool) -> GatewayError | None:
    """What httpx said, wherever in the chain it stands: LiteLLM's own class for it is a guess."""
    if "ConnectTimeout" in names:
        return UpstreamUnreachable(
            f"cannot reach the provider of '{target.alias}': no connection in time", status=504
        )
    if "TimeoutException" in names:
        return _timeout(target, "")
    if "TransportError" not in names:
        return None
    if cut:
        return UpstreamCut(f"the provider of '{target.alias}' broke off in the middle of its answer")
    return _unreachable(target, "")


_STUMBLES = frozenset({"TypeError", "AttributeError", "KeyError", "IndexError"})
"""What a library raises that takes a value for what it is not."""


def _of_shape(causes: list[BaseException], target: Target) -> GatewayError | None:
    """Where nobody was asked and LiteLLM met what it did not expect, it stumbled over the request."""
    if type(causes[0]).__name__ != "APIConnectionError":
        return None
    stumbled = any(not _STUMBLES.isdisjoint(_names(cause)) for cause in causes)
    if not stumbled and "Invalid Message passed in" not in _words(causes[0]):
        return None
    return BadRequest(
        f"the request cannot be put to the provider of '{target.alias}': something in its messages, tools or "
        "fields is missing or of a wrong type"
    )


def _of_status(causes: list[BaseException], target: Target) -> GatewayError | None:
    """A provider's error that LiteLLM read out of a stream: its class says nothing, its status something."""
    for cause in causes:
        status = getattr(cause, "status_code", None)
        if (
            type(cause).__module__.startswith("litellm.llms.")
            and isinstance(status, int)
            and 400 <= status < 600
        ):
            return problem_of({"message": _words(cause)}, status, target)
    return None


def _by_class(failure: BaseException, target: Target) -> GatewayError:
    while isinstance(inner := getattr(failure, "original_exception", None), BaseException):
        failure = inner  # MidStreamFallbackError says 500 for whatever broke a stream
    rule = next((RULES[name] for name in _names(failure) if name in RULES), None)
    words = _words(failure)
    if words.startswith("LLM Provider NOT provided"):
        return _misconfigured(target, words)
    return rule(target, words) if rule else _unexpected(target, words)


def _words(failure: BaseException) -> str:
    """What was said, without LiteLLM's own class names in front."""
    message = getattr(failure, "message", None)
    text = message if isinstance(message, str) else str(failure)
    return _PREFIX.sub("", text).strip()


def _names(failure: BaseException) -> Iterator[str]:
    return (kind.__name__ for kind in type(failure).__mro__)


def _causes(failure: BaseException) -> Iterator[BaseException]:
    """The exception and all that it came from, the nearest first."""
    seen: set[int] = set()
    waiting: list[Any] = [failure]
    while waiting:
        one = waiting.pop(0)
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += [getattr(one, "original_exception", None), one.__cause__, one.__context__]


def forget(failure: BaseException) -> None:
    """Cut the chain: frames and requests in it hold keys, and open responses."""
    for one in list(_causes(failure)):
        one.__traceback__ = one.__cause__ = one.__context__ = None
