"""What becomes of a chat request on its way to a target. Pure."""

from __future__ import annotations

from typing import Any

from app.types import Body, Target
from app.utils.codec import dumps
from app.utils.messages_terms import UNREADABLE
from app.utils.shapes import as_list
from app.utils.tool_schemas import takes_a_subset, with_plain_tools

# What LiteLLM (here, or as a proxy further up) takes as orders from a body: where to call, with
# which key, what to answer. A client has no say in that, so it never gets further than here.
CONTROL_FIELDS = frozenset(
    """api_base base_url api_key api_version api_type organization custom_llm_provider mock_response
    mock_tool_calls mock_timeout fallbacks context_window_fallbacks content_policy_fallbacks
    num_retries max_retries timeout stream_timeout request_timeout force_timeout headers
    extra_headers extra_body extra_query default_headers model_list cache caching deployment_id
    specific_deployment user_config client http_client azure allowed_openai_params
    additional_drop_params drop_params proxy_server_request ssl_verify logger_fn
    configurable_clientside_auth_params use_in_pass_through use_litellm_proxy callbacks
    success_callback failure_callback shared_session router_settings_override""".split()  # noqa: SIM905  # a list of 50 lines says no more
)

CONTROL_PREFIXES = ("litellm_", "aws_", "vertex_", "azure_", "mock_", "watsonx_", "sagemaker_")

_SAME = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
"""Two names of one thing, which targets refuse together."""


def prepared(body: Body, target: Target, stream: bool = False, include_usage: bool = True) -> Body:
    """A chat body for a target: its wire id, its defaults where nothing was sent, no control fields."""
    body = renamed(body, target)
    for key, value in target.defaults.items():
        if all(body.get(name) is None for name in (key, _SAME.get(key, key))):
            body[key] = value
    body.update(target.extra_body)
    body["messages"] = with_whole_arguments(body["messages"])
    if takes_a_subset(target):
        body = with_plain_tools(body)
    if stream and target.stream_usage and not include_usage:
        body["stream_options"] = {**(body.get("stream_options") or {}), "include_usage": True}
    return body


def renamed(body: Body, target: Target) -> Body:
    """A body of any dialect for a target: its wire id, no control fields."""
    kept = {key: value for key, value in body.items() if not is_control(key)}
    kept["model"] = target.model
    return kept


def is_control(field: str) -> bool:
    return field in CONTROL_FIELDS or field.startswith(CONTROL_PREFIXES)


def with_whole_arguments(messages: list[Any]) -> list[Any]:
    """The messages with arguments that are JSON; the same list if all are.

    A call that `max_tokens` cut off comes back with the history, and llama-server answers 500 to it.
    """
    broken = {at: message for at, message in enumerate(messages) if any(map(_is_broken, calls_of(message)))}
    if not broken:
        return messages
    return [_mended(message) if at in broken else message for at, message in enumerate(messages)]


def _mended(message: dict[str, Any]) -> dict[str, Any]:
    calls = [
        {**call, "function": {**call["function"], "arguments": _as_object(call["function"]["arguments"])}}
        if _is_broken(call)
        else call
        for call in message["tool_calls"]
    ]
    return {**message, "tool_calls": calls}


def _is_broken(call: Any) -> bool:
    """Whether arguments are no object. One that was cut off does not end with a brace, as a rule."""
    function = call.get("function") if isinstance(call, dict) else None
    arguments = function.get("arguments") if isinstance(function, dict) else None
    if not isinstance(arguments, str) or arguments[-1:] == "}":
        return False
    return not arguments.rstrip().endswith("}")


def _as_object(arguments: str) -> str:
    return dumps({UNREADABLE: arguments} if arguments.strip() else {}).decode()


def calls_of(message: Any) -> list[Any]:
    return as_list(message.get("tool_calls") if isinstance(message, dict) else None)
