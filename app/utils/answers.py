"""What is in an answer of status 200: a completion, a stream's events, or an error after all. Pure.

Told by what arrives, not by what the content type claims: some targets stream whether asked
to or not, some never do, and some say 200 and mean an error.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.errors import GatewayError, UpstreamGarbage
from app.types import Answer, Batch, Completion, Target
from app.utils.codec import loads
from app.utils.formatter import completion_of, cut, is_whole
from app.utils.problems import error_in, problem_of, status_in
from app.utils.sse import DONE, SSEReader

BLANK = b"\xef\xbb\xbf \r\n\t"
FIELDS = (b"data", b"event", b"id", b"retry", b":")


def is_stream(body: bytes) -> bool:
    """Whether a body begins as a stream of events does, as far as it is here."""
    head = body.lstrip(BLANK)[:8]
    return bool(head) and any(head[: len(field)] == field[: len(head)] for field in FIELDS)


def answer_in(body: bytes, target: Target) -> Completion:
    """The completion in a whole body, streamed or not; raises the error that it is instead."""
    return completion_in(body, target, completion_of, "chat completion")


def completion_in(
    body: bytes, target: Target, answer_of: Callable[[list[Batch]], Answer], kind: str
) -> Answer:
    """An answer with choices in a whole body; `answer_of` puts it together where it was streamed."""
    if is_stream(body):
        return _gathered(body, target, answer_of)
    answer = json_in(body, target)
    if not isinstance(answer, dict) or not isinstance(answer.get("choices"), list):
        raise garbage(target, f"something that is no {kind}")
    return answer


def json_in(body: bytes, target: Target) -> Any:
    """The value of a whole body; raises the error that it is instead."""
    try:
        answer = loads(body)
    except ValueError:
        raise garbage(target, f"{_looks_like(body)}: check its baseURL") from None
    if (said := error_in(answer)) is not None:
        raise problem_of(said, status_in(said), target)
    return answer


def chunks_in(payloads: list[bytes], target: Target) -> tuple[Batch, bool, GatewayError | None]:
    """The chunks in some events, whether [DONE] came, and the error that ends them, if any."""
    batch: Batch = []
    for payload in filter(None, payloads):
        if payload == DONE:
            return batch, True, None
        try:
            chunk = loads(payload)
        except ValueError:
            return batch, False, garbage(target, "a stream with a line that is not JSON")
        if not isinstance(chunk, dict) or "error" in chunk or "choices" not in chunk:
            if (said := error_in(chunk)) is not None:
                return batch, False, problem_of(said, status_in(said), target)
            if not isinstance(chunk, dict):
                return batch, False, garbage(target, "a stream with what is no event")
        batch.append(chunk)
    return batch, False, None


def no_event(target: Target) -> GatewayError:
    """The error for a stream that holds nothing at all."""
    return garbage(target, "a stream without any event")


def _gathered(body: bytes, target: Target, answer_of: Callable[[list[Batch]], Answer]) -> Answer:
    reader = SSEReader()
    batch, _, problem = chunks_in(reader.feed(body) + reader.close(), target)
    if problem:
        raise problem
    answer = answer_of([batch])
    if not is_whole(answer):
        raise cut(target)
    return answer


def _looks_like(body: bytes) -> str:
    if not body.strip():
        return "nothing"
    return "a web page" if body.lstrip()[:1] == b"<" else "what is not JSON"


def garbage(target: Target, what: str) -> GatewayError:
    return UpstreamGarbage(f"the provider of '{target.alias}' answered {what}")
