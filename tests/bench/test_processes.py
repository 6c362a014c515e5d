from __future__ import annotations

import os

import pytest

from bench.processes import Process, Tree, WorkerChanged, by_ps, family, rollup, seconds, spent


@pytest.mark.parametrize(
    ("written", "expected"),
    [("00:00:07", 7), ("1-02:03:04", 93_784), ("3:04.05", 184.05), ("0:00.00", 0)],
    ids=["linux", "linux, days", "macos", "macos, fresh"],
)
def test_the_clock_of_ps_is_read(written: str, expected: float) -> None:
    assert seconds(written) == pytest.approx(expected)


def test_the_lines_of_ps_are_read() -> None:
    assert by_ps("  1  0  900 00:00:01\n 20  1 1200 0:02.50\n") == {
        1: Process(0, 900, 1.0),
        20: Process(1, 1200, 2.5),
    }


def test_a_family_is_a_process_and_all_below_it() -> None:
    assert family(2, {1: 0, 2: 1, 3: 2, 4: 3, 5: 1}) == [2, 3, 4]


def test_kilobytes_are_read_by_name() -> None:
    text = "5581a000-7ffd000 ---p 00000000 00:00 0  [rollup]\nRss:    1648 kB\nPss:     700 kB\n"

    assert rollup(text) == {"Rss": 1648, "Pss": 700}


def test_what_was_spent_is_the_difference() -> None:
    assert spent({1: 1.0, 2: 0.5}, {1: 1.5, 2: 2.5}) == 2.5


def test_a_worker_that_was_replaced_spoils_the_measurement() -> None:
    with pytest.raises(WorkerChanged):
        spent({1: 1.0, 2: 0.5}, {1: 1.5, 3: 0.1})


def test_this_process_has_used_time_and_memory() -> None:
    tree = Tree(os.getpid())

    assert tree.cpu()[os.getpid()] > 0
    assert tree.memory().rss > 1
    assert tree.worker() in tree.cpu()
