"""Chat's answers as streams, and its streams as answers. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from app.types import Answer, Batch, Completion
from app.utils.shapes import as_dict, as_dicts

USUAL = frozenset({"id", "object", "created", "model", "system_fingerprint", "service_tier", "choices"})


def chunks_of(answer: Completion) -> Batch:
    """A plain answer as the chunks of a stream: for a target that ignores `stream`."""
    base = {key: value for key, value in answer.items() if key not in ("choices", "usage", "object")}
    base["object"] = "chat.completion.chunk"
    chunks: Batch = []
    for place, choice in enumerate(choices_of(answer)):
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
    calls = as_dicts(message.get("tool_calls"))
    numbered = [{"index": place, **call} for place, call in enumerate(calls)]
    return {**message, "tool_calls": numbered} if numbered else {**message}


def completion_of(batches: Iterable[Batch]) -> Completion:
    """The plain answer that a stream spells: for a target that streams whether asked to or not."""
    answer = put_together(batches, _gather)
    answer["object"] = "chat.completion"
    answer["choices"] = [_plain(choice) for choice in answer["choices"]]
    return answer


def put_together(
    batches: Iterable[Batch], gather: Callable[[dict[str, Any], dict[str, Any]], None]
) -> Answer:
    """What the events of a stream say together; `gather` adds a piece of a choice to the whole one."""
    answer: Answer = {}
    choices: dict[int, dict[str, Any]] = {}
    for batch in batches:
        for event in batch:
            _fill(answer, {key: value for key, value in event.items() if key != "choices"})
            for choice in choices_of(event):
                gather(choices.setdefault(index_of(choice), {}), choice)
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
            for piece in as_dicts(value):
                _gather_call(message, piece)
        elif key == "function_call" and isinstance(value, dict):  # from before there could be several
            message[key] = _continued(message.get(key), value)
        elif key == "role":
            _fill(message, {key: value})
        else:
            message[key] = joined(message.get(key), value)


def _gather_call(message: dict[str, Any], piece: dict[str, Any]) -> None:
    """Adds a fragment to the call it belongs to, or begins a new call."""
    calls = message["tool_calls"] = as_dicts(message.get("tool_calls"))
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
    whole: dict[str, Any] = {"name": "", "arguments": "", **as_dict(function)}
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
    if calls := as_dicts(message.get("tool_calls")):
        if all(isinstance(call.get("index"), int) for call in calls):
            calls.sort(key=lambda call: int(call["index"]))
        message["tool_calls"] = [{key: call[key] for key in call if key != "index"} for call in calls]
    return choice


def choices_of(answer: Completion) -> list[dict[str, Any]]:
    return as_dicts(answer.get("choices"))


def index_of(choice: dict[str, Any]) -> int:
    index = choice.get("index")
    return index if isinstance(index, int) else 0


def finish_of(choice: dict[str, Any]) -> str:
    """Why a choice is over, or "": null, an empty word (some send it with each chunk), nothing."""
    finish = choice.get("finish_reason")
    return finish if isinstance(finish, str) else ""
