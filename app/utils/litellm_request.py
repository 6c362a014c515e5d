"""How a chat request is put to LiteLLM: what goes under its own name, what beside it, and what nowhere. Pure.

An OpenAI-compatible target is sent the body as it is: LiteLLM's `extra_body` overrides
what it would have made of the named fields, so none of its rules for known models apply.
For all other providers it must translate, and then a field counts only by its name.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from app.types import Body, Target
from app.utils.chat_request import is_control
from app.utils.codec import dumps, loads
from app.utils.shapes import as_dict

NO_KEY = "none"
"""Stands in for the key of a target that has none, so that LiteLLM looks for none in the environment."""

# Chat's parameters, as LiteLLM's completion() names them.
CHAT_FIELDS = frozenset(
    {
        "messages", "stream", "stream_options",
        "temperature", "top_p", "n", "stop", "seed", "max_tokens", "max_completion_tokens",
        "presence_penalty", "frequency_penalty", "logit_bias", "logprobs", "top_logprobs",
        "tools", "tool_choice", "parallel_tool_calls", "functions", "function_call",
        "response_format", "reasoning_effort", "verbosity", "thinking",
        "modalities", "audio", "prediction", "web_search_options",
    }
)  # fmt: skip

# Chat's parameters that are about the account and not about the answer. A provider that has nothing of
# the kind refuses the whole request for them, so they are sent only where LiteLLM knows what they become.
BOOKKEEPING = frozenset(
    {"user", "metadata", "store", "service_tier", "safety_identifier"}
    | {"prompt_cache_key", "prompt_cache_retention"}
)

# How much to think and to say is a wish, and with Claude Code and Codex a habit. Whether a provider grants it
# LiteLLM knows for the models of its list only, so of the others none would get a request through.
WISHES = frozenset({"reasoning_effort", "thinking", "verbosity"})

# What comes beside an answer. Who asks for it in chat hears that there is none; a client of another API never
# sent the chat parameter that the refusal would name.
BESIDES = frozenset({"logprobs", "top_logprobs"})

# What a provider that does not know the parameter does anyway. Agents send these out of habit.
HABITS: Mapping[str, Any] = {
    "n": 1,
    "tool_choice": "auto",
    "parallel_tool_calls": True,
    "presence_penalty": 0,
    "frequency_penalty": 0,
    "logprobs": False,
    "response_format": {"type": "text"},
    "stop": [],
    "logit_bias": {},
}

# These handlers of LiteLLM write `extra_body` into the body as a field of that name, so of the unknown
# fields only those go along, as keywords, that the provider's own API has.
_NO_EXTRA_BODY: Mapping[str, frozenset[str]] = {
    "anthropic": frozenset({"top_k", "output_config", "context_management"}),
    "bedrock": frozenset({"top_k"}),
}


Place: TypeAlias = Literal["kept", "extra", "ignored", "needless"]


@dataclass(frozen=True, slots=True)
class Fields:
    """A body taken apart. `ignored` names what is not sent, for the log."""

    kept: Mapping[str, Any]
    extra: Mapping[str, Any]
    ignored: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ask:
    """One call of LiteLLM's, but for its time limit."""

    function: str
    keywords: dict[str, Any]
    ignored: tuple[str, ...] = ()
    """Fields that are not sent, for the log."""
    requests: int = 1
    """How often it may have to ask to give one answer."""


def sorted_fields(
    body: Body, provider: str | None, supported: Collection[str] = (), wishes: Collection[str] = WISHES
) -> Fields:
    """Which fields LiteLLM is given by name, which go to the target untouched, and which nowhere.

    `provider` None is an OpenAI-compatible target; `supported` are the parameters that LiteLLM knows
    how to put to the provider, `wishes` those that are left out where it does not.
    """
    places: dict[Place, dict[str, Any]] = {"kept": {}, "extra": {}, "ignored": {}, "needless": {}}
    for name, value in body.items():
        places[_place(name, value, provider, supported, wishes)][name] = value
    return Fields(places["kept"], places["extra"], tuple(places["ignored"]))


def _place(
    name: str, value: Any, provider: str | None, supported: Collection[str], wishes: Collection[str]
) -> Place:
    if name == "model":
        return "needless"
    if is_control(name):
        return "ignored"
    if provider is None:
        return "kept" if name == "stream" else "extra"
    if value is None or _is_habit(name, value, supported):
        return "needless"
    if name in BOOKKEEPING or name in wishes:
        return "kept" if name in supported else "ignored"
    if name in CHAT_FIELDS:
        return "kept"
    if provider in _NO_EXTRA_BODY:
        return "kept" if name in _NO_EXTRA_BODY[provider] else "ignored"
    return "extra"


def _is_habit(name: str, value: Any, supported: Collection[str]) -> bool:
    """Whether a parameter that the provider does not know asks for nothing that it would not do anyway."""
    if name in supported:
        return False
    return name == "stream_options" or (name in HABITS and value == HABITS[name])


def keywords(target: Target, fields: Fields, via: str) -> dict[str, Any]:
    """The keywords of `litellm.completion` for a request, but for its time limit."""
    wanted = {
        **addressed(target, via),
        # Else a tool of type "mcp" makes LiteLLM call servers that the client names.
        "_skip_mcp_handler": True,
        # Else ids that look like certain models of OpenAI are sent to /responses.
        "_skip_responses_api_bridge": True,
    }
    if target.litellm_provider is None:
        return {
            **wanted,
            "api_key": target.api_key or NO_KEY,
            **_only_stream(fields),
            "extra_body": dict(fields.extra),
        }
    kept = loads(dumps(dict(fields.kept)))  # LiteLLM edits tools and messages in place
    kept["messages"] = [with_signatures(message) for message in kept.get("messages") or ()]
    return {**wanted, **kept, **({"extra_body": dict(fields.extra)} if fields.extra else {})}


def addressed(target: Target, via: str) -> dict[str, Any]:
    """What LiteLLM is told in every call: whom to ask, where, as whom, and once."""
    wanted: dict[str, Any] = {
        **target.litellm_params,
        "model": f"{target.litellm_provider or 'openai'}/{target.model}",
        "max_retries": 0,
        "num_retries": 0,
        "extra_headers": {**target.headers, "Via": via},
    }
    if target.base_url:
        wanted["api_base"] = target.base_url
    if target.api_key:
        wanted["api_key"] = target.api_key
    return wanted


def _only_stream(fields: Fields) -> dict[str, Any]:
    """What LiteLLM wants to see by name; the real messages are in `extra_body`."""
    stream = {"stream": True} if fields.kept.get("stream") else {}
    return {"messages": [{"role": "user", "content": "-"}], **stream}


def with_signatures(message: Any) -> Any:
    """The message with Gemini's thought signatures where LiteLLM looks for them.

    Clients keep them in `extra_content`, the OpenAI-compatible place, of a tool call or a message.
    """
    if not isinstance(message, dict):
        return message
    if (signature := _signature(message)) and not _given(message, "thought_signatures"):
        message = {
            **message,
            "provider_specific_fields": {**_specific(message), "thought_signatures": [signature]},
        }
    calls = message.get("tool_calls")
    if isinstance(calls, list) and any(_signature(call) for call in calls):
        return {**message, "tool_calls": [_signed(call) for call in calls]}
    return message


def _signed(call: Any) -> Any:
    signature = _signature(call)
    if not signature or _given(call, "thought_signature"):
        return call
    return {**call, "provider_specific_fields": {**_specific(call), "thought_signature": signature}}


def _signature(holder: Any) -> str | None:
    found = holder
    for key in ("extra_content", "google", "thought_signature"):
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, str) and found else None


def _specific(holder: dict[str, Any]) -> dict[str, Any]:
    return as_dict(holder.get("provider_specific_fields"))


def _given(holder: dict[str, Any], key: str) -> bool:
    return bool(_specific(holder).get(key))
