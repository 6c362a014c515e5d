from __future__ import annotations

from bench.profiling import each, top
from bench.report import Sample

STACKS = """\
run (worker.py:10);feed (stream.py:5);dumps (codec.py:3) 30
run (worker.py:10);feed (stream.py:6) 10
run (worker.py:11) 10
"""


def test_a_functions_time_is_its_share_of_what_was_measured() -> None:
    own, below = top(STACKS, 20.0).split("\n\n")

    assert own.splitlines()[0].split(maxsplit=2) == ["12.00", "60.0%", "dumps (codec.py:3)"]
    assert [line.split(maxsplit=2) for line in below.splitlines()[:2]] == [
        ["20.00", "100.0%", "run (worker.py"],
        ["16.00", "80.0%", "feed (stream.py"],
    ]


def test_the_time_of_a_stream_is_told_per_event() -> None:
    assert each(Sample("a", "stream", 1, 100, 1000, 1.0, 0.02, 0, 0, 0, 0)) == 20.0
    assert each(Sample("a", "plain", 1, 100, 0, 1.0, 0.02, 0, 0, 0, 0)) == 200.0
