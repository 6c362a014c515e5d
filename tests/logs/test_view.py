"""What DEBUG tells of a request."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from app import logs
from app.errors import ClientLeft, UpstreamCut, UpstreamUnreachable
from app.types import Count
from app.utils.codec import dumps
from tests.logs.conftest import ASKED, CLIENT, TARGET, USAGE, Configure, records, trace

CHUNKS: list[dict[str, Any]] = [
    {"model": "glm-4.7", "choices": [{"index": 0, "delta": {"reasoning_content": "Let me see."}}]},
    {
        "model": "glm-4.7",
        "choices": [
            {
                "index": 0,
                "delta": {
                    "tool_calls": [
                        {"index": 0, "id": "call_1", "function": {"name": "read", "arguments": "{}"}}
                    ]
                },
            }
        ],
    },
    {
        "model": "glm-4.7",
        "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}],
        "usage": USAGE,
    },
]


def watch() -> None:
    """A whole request as the gateway shows it to a view."""
    view = logs.debug_view(CLIENT)
    assert view
    view.request(
        {"model": "glm", "messages": [{"role": "user", "content": "Hi"}], "tools": [{"name": "read"}]}
    )
    view.target(TARGET, {"model": "glm-4.7", "messages": [{}]}, "relay chat: the client speaks chat")
    for chunk in CHUNKS:
        view.received([chunk])
        view.sent(b"data: " + dumps({**chunk, "model": "glm"}) + b"\n\n")
    view.response()
    view.error(UpstreamCut("the stream of 'glm' ended"))


@pytest.mark.parametrize("level", ["INFO", "WARNING", "ERROR"])
def test_there_is_no_view_above_debug(level: str, configured: Configure) -> None:
    configured(level)

    assert logs.debug_view(CLIENT) is None


def test_a_view_has_every_marker_and_each_line_the_requests_id(configured: Configure) -> None:
    stream = configured("DEBUG")

    watch()

    lines = stream.getvalue().splitlines()
    markers = [m[1] for line in lines if (m := re.search(r"DEBUG   (\[[\w ]+\])", line))]
    assert list(dict.fromkeys(markers)) == [
        "[REQUEST]",
        "[Tool Request]",
        "[TARGET]",
        "[STREAM CHUNK]",
        "[REASONING]",
        "[Tool Call]",
        "[Tool Call Complete]",
        "[RESPONSE]",
        "[ERROR]",
    ]
    assert all(line.endswith(" id=req_1") for line in lines)


def test_a_view_shows_chunks_as_they_came_and_as_they_were_sent(configured: Configure) -> None:
    stream = configured("DEBUG")

    watch()

    assert '[STREAM CHUNK] received {"model":"glm-4.7"' in stream.getvalue()
    assert '[STREAM CHUNK] sent {"model":"glm",' in stream.getvalue()


def test_a_view_of_a_plain_answer_is_told_at_once(configured: Configure) -> None:
    stream = configured("DEBUG")
    view = logs.debug_view(CLIENT)
    assert view

    view.response({"choices": [{"message": {"content": "Hello"}, "finish_reason": "stop"}]})

    assert "[RESPONSE] finish=stop 5 characters: Hello" in stream.getvalue()


def test_a_view_shows_the_events_and_the_answer_of_the_clients_dialect(configured: Configure) -> None:
    stream = configured("DEBUG")
    view = logs.debug_view(CLIENT)
    assert view

    view.sent(b'event: message_stop\ndata: {"type":"message_stop"}\n\n')
    view.answered({"type": "message", "content": []})

    assert [line.partition("DEBUG   ")[2] for line in stream.getvalue().splitlines()] == [
        '[STREAM CHUNK] sent message_stop {"type":"message_stop"} id=req_1',
        '[RESPONSE] sent {"type":"message","content":[]} id=req_1',
    ]


def test_a_views_error_has_a_stack_when_it_is_ours_and_a_cause_when_it_is_not(configured: Configure) -> None:
    stream = configured("DEBUG")
    view = logs.debug_view(CLIENT)
    assert view

    try:
        raise KeyError("x")
    except KeyError as problem:
        view.error(problem)
        ours = stream.getvalue()
        try:
            raise UpstreamUnreachable("the provider is away") from problem
        except UpstreamUnreachable as theirs:
            view.error(theirs)

    assert 'raise KeyError("x")' in ours
    assert stream.getvalue().removeprefix(ours).count("\n") == 1
    assert "502 upstream_unreachable: the provider is away because of KeyError: 'x'" in stream.getvalue()


def test_a_view_tells_what_had_come_before_a_stream_broke(configured: Configure) -> None:
    stream = configured("DEBUG")
    view = logs.debug_view(CLIENT)
    assert view

    view.received(CHUNKS[:2])
    view.error(UpstreamCut("the stream of 'glm' ended"))

    told = [line.partition("DEBUG   ")[2] for line in stream.getvalue().splitlines()[4:]]
    assert told == [
        "[Tool Call] read (call_1) never finished, 2 characters so far: {} id=req_1",
        "[RESPONSE] finish=None no text id=req_1",
        "[ERROR] 502 upstream_cut: the stream of 'glm' ended id=req_1",
    ]


def test_a_view_that_fails_says_so_and_nothing_else_happens(configured: Configure) -> None:
    stream = configured("DEBUG")
    view = logs.debug_view(CLIENT)
    assert view

    view.received(None)  # type: ignore[arg-type]  # on purpose
    view.sent(None)  # type: ignore[arg-type]  # the same

    assert stream.getvalue().count("the debug view failed") == 2


def test_the_view_says_by_which_way_and_why_and_what_chat_could_not_say(configured: Configure) -> None:
    stream = configured("DEBUG")
    view = logs.debug_view(CLIENT)
    assert view

    view.target(TARGET, {"model": "glm-4.7"}, "relay chat: the target does not speak messages")
    view.left_out([])
    view.left_out(["web_search", "metadata"])

    lines = [line for line in stream.getvalue().splitlines() if "[TARGET]" in line]
    assert "by relay chat: the target does not speak messages" in lines[-3]
    assert "left out, for chat cannot say it: web_search, metadata" in lines[-1]
    assert len(lines) == 4


def test_the_page_about_logs_names_every_marker_and_field(configured: Configure) -> None:
    page = (Path(__file__).parents[2] / "docs" / "logs.md").read_text()
    stream = configured("DEBUG", "json")

    logs.request_started(CLIENT, "chat", ASKED, 1)
    logs.request_ended(CLIENT, "chat", ASKED, trace(usage=USAGE, finish="stop"), 502, UpstreamCut("cut"))
    logs.request_ended(CLIENT, "chat", ASKED, trace(), 200, ClientLeft("gone"))
    logs.request_ended(
        CLIENT, "chat", ASKED, trace(reasoning="low; from=x", notes=["n"], count=Count(1, True)), 200
    )
    logs.failure("req_1", KeyError("x"))
    watch()

    written = records(stream)
    fields = {field for record in written for field in record}
    markers = {marker[0] for record in written if (marker := re.match(r"\[[\w ]+\]", record["event"]))}
    assert [name for name in sorted(fields | markers) if f"`{name}`" not in page] == []
