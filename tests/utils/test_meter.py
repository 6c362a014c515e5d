"""What is learnt from bills, and how a request is compared with them."""

from __future__ import annotations

import pytest

from app.utils.meter import LEAST, MOST, SMALL, Bill, Ratio, estimate, remembered


def learnt(*bills: tuple[float, int]) -> Ratio:
    ratio = Ratio()
    for ours, billed in bills:
        ratio = ratio.after(ours, billed)
    return ratio


@pytest.mark.parametrize(
    ("bills", "value"),
    [
        pytest.param([], 1.0, id="nothing known"),
        pytest.param([(1000, 1300)], 1.3, id="the first bill counts fully"),
        pytest.param([(1000, 1200), (1000, 1400)], 1.3, id="then their average"),
        pytest.param([(1000, 1200)] * 9 + [(1000, 1400)], 1.24, id="then the newest a fifth"),
        pytest.param([(1000, 1000)] * 3 + [(1000, 9000)], 1.075, id="a stray is reined in"),
        pytest.param([(1000, 90_000)], MOST, id="never beyond sense"),
        pytest.param([(1000, 1)], LEAST, id="nor below it"),
        pytest.param([(SMALL - 1, 900)], 1.0, id="a small request teaches nothing"),
        pytest.param([(1000, 0)], 1.0, id="nor does one that was not billed"),
    ],
)
def test_a_ratio_follows_the_bills(bills: list[tuple[float, int]], value: float) -> None:
    assert learnt(*bills).value == pytest.approx(value)


@pytest.mark.parametrize(
    ("bills", "weight", "tokens"),
    [
        pytest.param([], 1000, 1200, id="no bill: by the target's ratio"),
        pytest.param([Bill(1000, 1500)], 1000, 1500, id="the same request"),
        pytest.param([Bill(10_000, 15_000)], 10_500, 15_750, id="something came on top"),
        pytest.param([Bill(10_000, 15_000)], 8000, 12_000, id="something went"),
        pytest.param([Bill(10_000, 15_000)], 200, 240, id="something else altogether"),
        pytest.param([Bill(10_000, 15_000), Bill(200, 500)], 220, 550, id="the bill most like it counts"),
        pytest.param([], 0, 1, id="never nothing"),
    ],
)
def test_a_request_is_estimated_by_what_like_ones_were_billed(
    bills: list[Bill], weight: float, tokens: int
) -> None:
    assert estimate(weight, bills, Ratio(1.2, 5)) == tokens


def test_each_conversation_of_a_session_keeps_its_last_bill() -> None:
    bills: tuple[Bill, ...] = ()
    for bill in (Bill(300, 310), Bill(20_000, 21_000), Bill(22_000, 23_000), Bill(310, 320)):
        bills = remembered(bills, bill)

    assert bills == (Bill(310, 320), Bill(22_000, 23_000))


def test_only_some_bills_are_kept() -> None:
    bills: tuple[Bill, ...] = ()
    for power in range(10):
        bills = remembered(bills, Bill(100 * 2**power, 1), keep=3)

    assert [bill.weight for bill in bills] == [51_200, 25_600, 12_800]
