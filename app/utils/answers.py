"""A plain answer out of the bytes of one, whatever its content type claimed. Pure."""

from __future__ import annotations

from app.errors import UpstreamCut, UpstreamGarbage
from app.types import Batch, Completion, Target
from app.utils.codec import loads
from app.utils.formatter import completion_of
from app.utils.problems import error_in, problem_of, status_in
from app.utils.sse import DONE, SSEReader


def answer_in(body: bytes, target: Target) -> Completion:
    """The completion in the body of an answer of status 200; raises the error that it is instead.

    A stream where a plain answer was asked for is gathered.
    """
    if body.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] in (b"d", b"e", b":", b"i", b"r"):
        return _gathered(body, target)
    try:
        answer = loads(body)
    except ValueError:
        what = (
            "nothing"
            if not body.strip()
            else "a web page"
            if body.lstrip()[:1] == b"<"
            else "what is not JSON"
        )
        raise UpstreamGarbage(
            f"the provider of '{target.alias}' answered {what}: check its baseURL"
        ) from None
    _raise_error_in(answer, target)
    if not isinstance(answer, dict) or not isinstance(answer.get("choices"), list):
        raise UpstreamGarbage(
            f"the provider of '{target.alias}' answered something that is no chat completion"
        )
    return answer


def _gathered(body: bytes, target: Target) -> Completion:
    reader = SSEReader()
    chunks: Batch = []
    for payload in reader.feed(body) + reader.close():
        if payload == DONE:
            break
        try:
            chunk = loads(payload)
        except ValueError:
            raise UpstreamGarbage(f"the stream of '{target.alias}' holds a line that is not JSON") from None
        _raise_error_in(chunk, target)
        if isinstance(chunk, dict):
            chunks.append(chunk)
    answer = completion_of([chunks])
    if not answer["choices"] or any(choice.get("finish_reason") is None for choice in answer["choices"]):
        raise UpstreamCut(f"the stream of '{target.alias}' ended before the answer was finished")
    return answer


def _raise_error_in(answer: object, target: Target) -> None:
    if said := error_in(answer):
        raise problem_of(said, status_in(said), target)
