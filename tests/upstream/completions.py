"""Text completions, as OpenAI, vLLM and llama-server write them down (pure)."""

from __future__ import annotations

from tests.upstream.chat import CREATED, UNKNOWN, Json, Shape, Turn, timings, usage


def answer(turn: Turn, shape: Shape, asked: Json) -> Json:
    """The plain answer; each prompt gets its choices."""
    said = _event(turn, shape, "".join(turn.text), turn.finish, _count(shape, asked))
    return said if shape.usage == "never" else said | {"usage": usage(turn)}


def events(turn: Turn, shape: Shape, asked: Json) -> list[Json]:
    """The events of the stream, without `[DONE]`."""
    count = _count(shape, asked)
    made = [_event(turn, shape, piece, None, count) for piece in turn.text]
    made.append(_event(turn, shape, "", turn.finish, count))
    wanted = shape.usage == "asked" and (asked.get("stream_options") or {}).get("include_usage")
    if wanted or shape.usage == "always":
        made.append(made[-1] | {"choices": [], "usage": usage(turn)})
    return made


def _count(shape: Shape, asked: Json) -> int:
    prompt = asked.get("prompt")
    prompts = len(prompt) if isinstance(prompt, list) and not isinstance(prompt[0], int) else 1
    return max(1, shape.choices) * prompts


def _event(turn: Turn, shape: Shape, text: str, finish: str | None, count: int) -> Json:
    more = UNKNOWN if shape.unknown else {}
    choices = [
        {"index": index, "text": text, "logprobs": None, "finish_reason": finish} | more
        for index in range(count)
    ]
    if shape.bare:
        return {"model": shape.model, "choices": choices}
    event: Json = {"id": shape.id, "object": "text_completion", "created": CREATED, "model": shape.model}
    if shape.timings and finish:
        event["timings"] = timings(turn)
    return event | {"choices": choices} | more
