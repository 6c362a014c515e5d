from __future__ import annotations

import pytest

from bench.processes import Memory
from bench.report import (
    Body,
    Mark,
    Results,
    Sample,
    delay_verdict,
    many_table,
    measures,
    number,
    percentile,
    placed,
    ratios,
    soak_table,
)


def sample(contestant: str, scenario: str, cpu: float, delay: float = 0.0, number: int = 1) -> Sample:
    return Sample(contestant, scenario, number, 100, 1000, 1.0, cpu, 0.1, 1.0, delay, delay)


def test_costs_are_medians_over_the_rounds() -> None:
    results = Results(sample("nginx", "plain", cpu) for cpu in (0.1, 0.3, 0.2))

    assert results.cost("nginx", "plain") == pytest.approx(2.0)
    assert results.cost("nginx", "stream") is None


def test_an_added_delay_is_taken_round_by_round() -> None:
    own = [sample("nginx", "paced", 1, delay) for delay in (3.0, 9.0, 4.0)]
    control = [sample("direct", "paced", 1, delay) for delay in (1.0, 6.0, 1.5)]

    assert Results(own + control).added("nginx", "paced", lambda s: s.delay_p50) == 2.5


@pytest.mark.parametrize(
    ("own", "verdict"),
    [
        (0.1, "| plain request | 15.0 | at least 14 | 10.0 | at most 28 | yes |"),
        (0.2, "| plain request | 7.5 | at least 14 | 20.0 | at most 28 | **no** |"),
    ],
    ids=["reached", "missed"],
)
def test_ratios_stand_beside_their_goals(own: float, verdict: str) -> None:
    costs = {"LocalCode": own, "LiteLLM Proxy": 1.5, "nginx": 0.01}
    results = Results(sample(name, "plain", cost) for name, cost in costs.items())

    assert verdict in ratios(results)


def test_the_delay_is_held_against_nginx() -> None:
    results = Results([sample("LocalCode", "paced", 1, 2.6), sample("nginx", "paced", 1, 0.5)])

    assert "2.10 ms later" in delay_verdict(results)
    assert "**not reached**" in delay_verdict(results)


@pytest.mark.parametrize(("last", "word"), [(80.5, "does not grow"), (95.0, "**grows**")])
def test_memory_is_judged_after_the_warm_up(last: float, word: str) -> None:
    curve = [60.0, 80.0, 80.0, 80.0, last]

    assert word in soak_table([Mark(n, n, Memory(rss, rss)) for n, rss in enumerate(curve)])


def test_the_table_has_a_line_for_each_measure_and_a_column_for_each_contestant() -> None:
    scenarios = ("plain", "agent", "stream", "paced", "first")
    names = ("LocalCode", "nginx", "direct")
    results = Results(sample(name, scenario, 0.1, 3.0) for name in names for scenario in scenarios)

    table = measures(results, {"LocalCode": Body(0.4, Memory(80, 60), Memory(90, 70))}).splitlines()

    assert table[0] == "|  | LocalCode | nginx | direct |"
    assert "| plain request, processor ms | 1.00 | 1.00 | - |" in table
    assert "| added delay of a paced event, p50 / p99, ms | 0.000 / 0.000 | 0.000 / 0.000 | - |" in table
    assert "| from start to healthy, s | 0.40 | - | - |" in table


def test_many_streams_are_told_with_their_errors_and_delays() -> None:
    told = many_table([sample("nginx", "many", 0.1, 2.0), sample("direct", "many", 0.1, 1.0)])

    assert "| nginx | 100 | 0 | 2.00 | 2.00 | 100 |" in told
    assert "| direct | 100 | 0 | 1.00 | 1.00 | - |" in told


def test_numbers_have_no_more_figures_than_the_noise_leaves() -> None:
    assert [number(value) for value in (0.0183, 0.52, 7.31, 45.67, 1234.5)] == [
        "0.018",
        "0.52",
        "7.31",
        "45.7",
        "1,234",
    ]


def test_a_percentile_of_nothing_is_nothing() -> None:
    assert percentile([], 0.5) == 0.0
    assert percentile([3, 1, 2], 0.5) == 2


def test_a_section_is_replaced_and_the_rest_kept() -> None:
    page = "a\n<!-- x: made by the run -->\nold\n<!-- end of x -->\nb\n"

    assert placed(page, "x", "new") == "a\n<!-- x: made by the run -->\n\nnew\n\n<!-- end of x -->\nb\n"
    with pytest.raises(ValueError, match="no place"):
        placed(page, "y", "new")
