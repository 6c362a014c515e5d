from __future__ import annotations

import pytest

from bench.report import Results, Sample
from bench.report_dialects import CHAT, Count, column, counts, dialects, goals


def sample(contestant: str, dialect: str, cpu: float, scenario: str = "stream") -> Sample:
    return Sample(contestant, scenario, 1, 100, 1000, 1.0, cpu, 0.1, 1.0, 1.0, 1.0, dialect)


def translated(dialect: str, own: float, theirs: float) -> list[Sample]:
    return [
        sample(column("LocalCode", "translated"), dialect, own),
        sample(column("LiteLLM Proxy", "translated"), dialect, theirs),
    ]


@pytest.mark.parametrize(
    ("own", "theirs", "verdict"),
    [
        (0.02, 0.6, "2.00 | at most 3 | 30.0 | at least 20 | yes |"),
        (0.04, 1.6, "4.00 | at most 3 | 40.0 | at least 20 | **no** |"),
        (0.02, 0.2, "2.00 | at most 3 | 10.0 | at least 20 | **no** |"),
    ],
    ids=["reached", "dearer than chat", "too near to LiteLLM"],
)
def test_an_event_is_held_against_the_chat_relay_and_litellm(own: float, theirs: float, verdict: str) -> None:
    told = goals(Results([sample(CHAT, "chat", 0.01), *translated("messages", own, theirs)]))

    assert f"| `/v1/messages`, translated | {verdict}" in told


def test_rounds_are_compared_with_themselves() -> None:
    chat = [sample(CHAT, "chat", cpu) for cpu in (0.01, 0.02, 0.04)]
    own = [sample(column("LocalCode", "relayed"), "messages", cpu) for cpu in (0.011, 0.03, 0.044)]

    assert "| `/v1/messages`, relayed | 1.10 | at most 1.3 |" in goals(Results(chat + own))


def test_what_was_not_measured_is_not_judged() -> None:
    told = goals(Results([sample(CHAT, "chat", 0.01)]))

    assert "| `/v1/responses`, relayed | - | at most 1.3 | - | at least 20 | - |" in told


def test_each_dialect_has_its_table_beside_the_chat_relay() -> None:
    samples = [
        sample(CHAT, "chat", 0.01),
        *translated("messages", 0.02, 0.6),
        *translated("responses", 0.03, 0.9),
        sample("direct", "responses", 0.0, "paced"),
    ]

    told = dialects(Results(samples))

    head = "|  | LocalCode, chat | LocalCode, translated | LiteLLM Proxy, translated |"
    assert f"`/v1/messages`:\n\n{head}\n" in told
    assert "| unpaced event, processor µs | 10.0 | 20.0 | 600 |\n" in told
    assert "| unpaced event, processor µs | 10.0 | 30.0 | 900 | - |\n" in told


def test_counts_are_told_with_their_times_and_goals() -> None:
    told = counts(
        [Count("free", 10, 3.21, 4.5, 2.75), Count("fast", 9, 1, 2, 3, 30), Count("slow", 8, 31, 2, 3, 30)]
    )

    assert "| free | 10 | 3.21 | 4.50 | 2.75 | - | - |" in told
    assert "| fast | 9 | 1.00 | 2.00 | 3.00 | under 30 | yes |" in told
    assert "| slow | 8 | 31.0 | 2.00 | 3.00 | under 30 | **no** |" in told
