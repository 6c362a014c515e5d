"""What becomes of requests and answers on their way: chat-shaped dicts in, chat-shaped dicts out. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from app.errors import GatewayError, UpstreamCut, UpstreamFailed
from app.types import Answer, Batch, Body, Chunk, Completion, Target, Trace
from app.utils.codec import dumps
from app.utils.messages_terms import UNREADABLE
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

FAILED_FINISHES = frozenset({"network_error", "error"})
"""What GLM and OpenRouter call an answer that broke; ending it as if it had finished would be a lie."""


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
    calls = message.get("tool_calls") if isinstance(message, dict) else None
    return calls if isinstance(calls, list) else []


def renamed(body: Body, target: Target) -> Body:
    """A body of any dialect for a target: its wire id, no control fields."""
    kept = {key: value for key, value in body.items() if not is_control(key)}
    kept["model"] = target.model
    return kept


_READERS_OF_BLOCKS = frozenset({"anthropic", "bedrock", "vertex_ai", "azure_ai", "databricks"})
"""LiteLLM's providers that may lead to Claude, whose thoughts come back as signed blocks."""


def with_thoughts_as_wanted(body: Body, target: Target) -> Body:
    """A translated body with its assistant messages' thoughts as the target wants them back, or without.

    Thoughts stand in `reasoning_content` and, where they are signed, in `thinking_blocks`.
    """
    field = target.reasoning_field or ("reasoning_content" if target.reads_thoughts else None)
    blocks = target.litellm_provider in _READERS_OF_BLOCKS
    return {**body, "messages": [_thoughts_for(message, field, blocks) for message in body["messages"]]}


def _thoughts_for(message: Any, field: str | None, blocks: bool) -> Any:
    if not isinstance(message, dict) or message.keys().isdisjoint(("reasoning_content", "thinking_blocks")):
        return message
    kept = {**message}
    thought = kept.pop("reasoning_content", None)
    if not blocks:
        kept.pop("thinking_blocks", None)
    if field and thought:
        kept[field] = thought
    return kept


def is_control(field: str) -> bool:
    return field in CONTROL_FIELDS or field.startswith(CONTROL_PREFIXES)


def finished(answer: Completion, target: Target, trace: Trace) -> Completion:
    """A plain answer under its alias; raises UpstreamFailed when the target says that it broke."""
    answer["model"] = target.alias
    usage = answer.get("usage")
    trace.usage = usage if isinstance(usage, dict) else None
    for finish in map(_finish, _choices(answer)):
        if finish in FAILED_FINISHES:
            raise broken(target, finish)
        trace.finish = finish or trace.finish
    return answer


def broken(target: Target, finish: str) -> GatewayError:
    message = f"the provider of '{target.alias}' broke off: {finish}"
    return UpstreamFailed(message, status=502, code="upstream_cut")


def cut(target: Target) -> GatewayError:
    return UpstreamCut(f"the stream of '{target.alias}' ended before the answer was finished")


def is_whole(answer: Completion) -> bool:
    """Whether an answer put together from a stream came to its end: it has choices, and each is finished."""
    choices = _choices(answer)
    return bool(choices) and all(map(_finish, choices))


class ChatStream:
    """A stream's chunks under their alias, and whether it really came to its end."""

    def __init__(self, target: Target, include_usage: bool, trace: Trace) -> None:
        self._target = target
        self._hide_usage = not include_usage
        self._trace = trace
        self._open: set[int] = set()
        self._calls: dict[int, CallNumbers] = {}
        self._seen = False
        self.failed: GatewayError | None = None
        """Set when a finish stands for a failure; what came before it has been passed on."""

    def pass_on(self, batch: Batch) -> Batch:
        """The batch as the client gets it."""
        kept = []
        for chunk in batch:
            chunk["model"] = self._target.alias
            usage = chunk.get("usage")
            if usage and isinstance(usage, dict):
                self._trace.usage = usage
            for choice in _choices(chunk):
                self._follow(choice)
            if self.failed:
                break
            if self._hide_usage and "usage" in chunk and _hides_usage(chunk):
                continue
            kept.append(chunk)
        return kept

    def end(self) -> None:
        """Raises what is wrong with a stream that ends here: UpstreamCut unless every choice has finished."""
        if self.failed:
            raise self.failed
        if self._open or not self._seen:
            raise cut(self._target)

    def _follow(self, choice: dict[str, Any]) -> None:
        self._seen = True
        index, finish = _index(choice), _finish(choice)
        delta = choice.get("delta")
        if isinstance(delta, dict) and delta.get("tool_calls"):
            self._calls.setdefault(index, CallNumbers()).correct(delta["tool_calls"])
        if finish in FAILED_FINISHES:
            self.failed = broken(self._target, finish)
        elif finish:
            self._open.discard(index)
            self._trace.finish = finish
        elif self._trace.finish is None or choice.get("text") or _says_something(choice.get("delta")):
            self._open.add(index)  # not so an empty delta that follows the finish, together with the usage


class CallNumbers:
    """The indexes of a choice's tool calls. Some targets give 0 to every call, or none at all.

    Clients put the pieces of one index together, so two calls would become one with both arguments.
    A new id together with a name is a new call, whatever its index says.
    """

    def __init__(self) -> None:
        self._current: dict[Any, tuple[Any, int]] = {}
        self._used: set[int] = set()

    def correct(self, pieces: Any) -> None:
        """Gives each piece the index of the call that it belongs to, where it has another one."""
        for piece in pieces if isinstance(pieces, list) else ():
            if isinstance(piece, dict):
                index = self._index(piece)
                if piece.get("index") != index:
                    piece["index"] = index

    def _index(self, piece: dict[str, Any]) -> int:
        theirs = piece.get("index") if isinstance(piece.get("index"), int) else None
        own_id, function = piece.get("id"), piece.get("function")
        known_id, index = self._current.get(theirs, (None, None))
        named = isinstance(function, dict) and function.get("name")
        if index is None or (named and own_id and known_id and own_id != known_id):
            index = (
                theirs if theirs is not None and theirs not in self._used else max(self._used, default=-1) + 1
            )
            self._used.add(index)
            known_id = None
        self._current[theirs] = (known_id or own_id, index)
        return index


USUAL = frozenset({"id", "object", "created", "model", "system_fingerprint", "service_tier", "choices"})


def _hides_usage(chunk: Chunk) -> bool:
    """Takes out usage that the client did not ask for; True when that leaves nothing to pass on.

    llama-server puts its `timings` beside the usage, and what is beside it must not be lost.
    """
    if chunk["usage"] is None or not chunk.get("choices"):
        del chunk["usage"]
        return not chunk.get("choices") and USUAL.issuperset(chunk)
    return False


_THOUGHTS = frozenset(
    {"reasoning_content", "reasoning", "reasoning_details", "thinking_blocks", "provider_specific_fields"}
)


def without_thoughts(chunk: Chunk) -> Chunk | None:
    """A chunk (or a whole answer) without the model's thoughts; None when nothing is left of it."""
    choices = []
    for choice in _choices(chunk):
        kept = {**choice}
        for place in ("delta", "message"):
            if isinstance(said := choice.get(place), dict):
                kept[place] = {key: value for key, value in said.items() if key not in _THOUGHTS}
        if kept.get("delta") != {} or kept.get("finish_reason") or choice.get("delta") == {}:
            choices.append(kept)
    if choices or not chunk.get("choices") or not USUAL.issuperset(chunk):
        return {**chunk, "choices": choices}
    return None


def _says_something(delta: Any) -> bool:
    """Whether a delta brings a piece of the answer; the role, repeated, is none."""
    return isinstance(delta, dict) and any(value for key, value in delta.items() if key != "role")


def chunks_of(answer: Completion) -> Batch:
    """A plain answer as the chunks of a stream: for a target that ignores `stream`."""
    base = {key: value for key, value in answer.items() if key not in ("choices", "usage", "object")}
    base["object"] = "chat.completion.chunk"
    chunks: Batch = []
    for place, choice in enumerate(_choices(answer)):
        rest = {"index": place, **{key: value for key, value in choice.items() if key != "message"}}
        chunks.append(
            {**base, "choices": [{**rest, "delta": _numbered(choice.get("message")), "finish_reason": None}]}
        )
        last = {"index": rest["index"], "delta": {}, "finish_reason": choice.get("finish_reason")}
        chunks.append({**base, "choices": [last]})
    if answer.get("usage"):
        chunks.append({**base, "choices": [], "usage": answer["usage"]})
    return chunks


def _numbered(message: Any) -> dict[str, Any]:
    """A message as a delta: its tool calls have an index there."""
    if not isinstance(message, dict):
        return {}
    calls = _dicts(message.get("tool_calls"))
    numbered = [{"index": place, **call} for place, call in enumerate(calls)]
    return {**message, "tool_calls": numbered} if numbered else {**message}


def completion_of(batches: Iterable[Batch]) -> Completion:
    """The plain answer that a stream spells: for a target that streams whether asked to or not."""
    answer = gathered(batches, _gather)
    answer["object"] = "chat.completion"
    answer["choices"] = [_plain(choice) for choice in answer["choices"]]
    return answer


def gathered(batches: Iterable[Batch], gather: Callable[[dict[str, Any], dict[str, Any]], None]) -> Answer:
    """What the events of a stream say together; `gather` adds a piece of a choice to the whole one."""
    answer: Answer = {}
    choices: dict[int, dict[str, Any]] = {}
    for batch in batches:
        for event in batch:
            _fill(answer, {key: value for key, value in event.items() if key != "choices"})
            for choice in _choices(event):
                gather(choices.setdefault(_index(choice), {}), choice)
    answer["choices"] = [choices[index] for index in sorted(choices)]
    return answer


def _fill(whole: dict[str, Any], fields: dict[str, Any]) -> None:
    """The newest value of each field; null only where there is none."""
    whole.update((key, value) for key, value in fields.items() if value is not None or key not in whole)


def _gather(whole: dict[str, Any], choice: dict[str, Any]) -> None:
    message = whole.setdefault("message", {"role": "assistant", "content": None})
    for key, value in choice.items():
        if key == "delta":
            _gather_delta(message, value)
        elif key == "message":  # all of it at once, in an event
            whole[key] = value if isinstance(value, dict) else message
        else:
            gather_field(whole, key, value)


def gather_field(whole: dict[str, Any], key: str, value: Any) -> None:
    """Adds to a choice what is no piece of its text."""
    if key == "logprobs" and isinstance(value, dict) and isinstance(whole.get(key), dict):
        whole[key] = {name: joined(whole[key].get(name), value.get(name)) for name in whole[key] | value}
    else:
        _fill(whole, {key: value})


def _gather_delta(message: dict[str, Any], delta: Any) -> None:
    for key, value in delta.items() if isinstance(delta, dict) else ():
        if key == "tool_calls" and isinstance(value, list):
            for piece in _dicts(value):
                _gather_call(message, piece)
        elif key == "function_call" and isinstance(value, dict):  # from before there could be several
            message[key] = _continued(message.get(key), value)
        elif key == "role":
            _fill(message, {key: value})
        else:
            message[key] = joined(message.get(key), value)


def _gather_call(message: dict[str, Any], piece: dict[str, Any]) -> None:
    """Adds a fragment to the call it belongs to, or begins a new call."""
    calls = message["tool_calls"] = _dicts(message.get("tool_calls"))
    found = next((call for call in reversed(calls) if _belongs(piece, call, calls[-1])), None)
    if found is None:
        calls.append({**piece, "function": _continued(None, piece.get("function"))})
        return
    found["function"] = _continued(found.get("function"), piece.get("function"))
    for key in piece.keys() - {"function"}:
        if not found.get(key):
            found[key] = piece[key]


def _belongs(piece: dict[str, Any], call: dict[str, Any], last: dict[str, Any]) -> bool:
    """Whether a fragment goes on with a call: by its index; where that is missing or always 0, by its id."""
    index, id, name = piece.get("index"), piece.get("id") or "", _name(piece)
    other_id = bool(id and call.get("id") and id != call["id"])
    if index is not None:
        return bool(index == call.get("index") and not (other_id and name))
    if id:
        return not other_id
    return call is last and name in ("", _name(call))


def _name(call: dict[str, Any]) -> str:
    function = call.get("function")
    return str(function.get("name") or "") if isinstance(function, dict) else ""


def _continued(function: Any, piece: Any) -> dict[str, Any]:
    """A function's name, which may come again, and its arguments, which come in pieces."""
    whole: dict[str, Any] = {"name": "", "arguments": "", **(function if isinstance(function, dict) else {})}
    for key, value in piece.items() if isinstance(piece, dict) else ():
        if key == "arguments":
            whole[key] = joined(whole[key], value)
        elif value is not None and not whole.get(key):
            whole[key] = value
    return whole


def joined(whole: Any, piece: Any) -> Any:
    """Texts and lists grow; of anything else the newest counts."""
    if isinstance(whole, str) and isinstance(piece, str):
        return whole + piece
    if isinstance(whole, list) and isinstance(piece, list):
        return whole + piece
    return whole if piece is None else piece


def _plain(choice: dict[str, Any]) -> dict[str, Any]:
    """A choice whose tool calls stand in their order; the index is a stream's way to say that."""
    message = choice["message"]
    if calls := _dicts(message.get("tool_calls")):
        if all(isinstance(call.get("index"), int) for call in calls):
            calls.sort(key=lambda call: int(call["index"]))
        message["tool_calls"] = [{key: call[key] for key in call if key != "index"} for call in calls]
    return choice


def _dicts(values: Any) -> list[dict[str, Any]]:
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []


def _choices(answer: Completion) -> list[dict[str, Any]]:
    return _dicts(answer.get("choices"))


def _index(choice: dict[str, Any]) -> int:
    index = choice.get("index")
    return index if isinstance(index, int) else 0


def _finish(choice: dict[str, Any]) -> str:
    """Why a choice is over, or "": null, an empty word (some send it with each chunk), nothing."""
    finish = choice.get("finish_reason")
    return finish if isinstance(finish, str) else ""
