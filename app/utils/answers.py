"""What is in an answer of status 200: JSON, a stream's events, or an error after all. Pure.

Told by what arrives, not by what the content type claims: some targets stream whether asked
to or not, some never do, and some say 200 and mean an error.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any, TypeAlias

from app.errors import GatewayError
from app.types import Answer, Batch, Target
from app.utils.codec import loads
from app.utils.problems import error_in, problem_of, status_in
from app.utils.sse import DONE, SSEReader
from app.utils.stream_problems import cut, garbage

BLANK = b"\xef\xbb\xbf \r\n\t"
FIELDS = (b"data", b"event", b"id", b"retry", b":")

Events: TypeAlias = tuple[Batch, bool, GatewayError | None]
"""The events in some payloads, whether the last one of all has come, the error that ends them."""


def is_stream(body: bytes) -> bool:
    """Whether a body begins as a stream of events does, as far as it is here."""
    head = body.lstrip(BLANK)[:8]
    return head.startswith(FIELDS) or (bool(head) and any(field.startswith(head) for field in FIELDS))


def json_in(body: bytes, target: Target) -> Any:
    """The value of a whole body; raises the error that it is instead."""
    try:
        answer = loads(body)
    except ValueError:
        # A page where an answer was due comes of a wrong address, and agents repeat a 502 for half a minute.
        is_page = body.lstrip()[:1] == b"<"
        what = "a web page" if is_page else "what is not JSON" if body.strip() else "nothing"
        raise garbage(target, f"{what}: check its baseURL", 400 if is_page else None) from None
    if (said := error_in(answer)) is not None:
        raise problem_of(said, status_in(said), target)
    return answer


def object_with(field: str, body: bytes, target: Target, what: str) -> Answer:
    """The object in a whole body, which has a list in `field`; raises the error that it is instead."""
    answer = json_in(body, target)
    if not isinstance(answer, dict) or not isinstance(answer.get(field), list):
        raise garbage(target, f"something that is no {what}")
    return answer


def read_events(
    payloads: list[bytes],
    target: Target,
    problem_in: Callable[[Any, Target], GatewayError | None],
    ends: Collection[str] = (),
    read: Callable[[bytes], Any] = loads,
) -> Events:
    """What payloads hold: `problem_in` finds the error that an event is, `ends` are the last ones' types.

    `read` gives the event in a payload; raises ValueError for what is no JSON.
    """
    batch: Batch = []
    for payload in filter(None, payloads):
        if payload == DONE:
            return batch, True, None
        try:
            event = read(payload)
        except ValueError:
            return batch, False, garbage(target, "a stream with a line that is not JSON")
        if (problem := problem_in(event, target)) is not None:
            return batch, False, problem
        batch.append(event)
        if ends and event.get("type") in ends:
            return batch, True, None
    return batch, False, None


def gathered(
    body: bytes,
    target: Target,
    events_in: Callable[[list[bytes], Target], Events],
    answer_of: Callable[[Iterable[Batch]], Answer],
    is_whole: Callable[[Answer], bool],
) -> Answer:
    """The answer that a whole body spells as a stream; raises UpstreamCut where it is not whole."""
    reader = SSEReader()
    batch, _, problem = events_in(reader.feed(body) + reader.close(), target)
    if problem:
        raise problem
    answer = answer_of([batch])
    if not is_whole(answer):
        raise cut(target)
    return answer
