"""Pace follows the time that a batch should take."""

import random

import pytest

from surefoot.backfill.pace import FIRST_ROWS, Pace, Rate

TARGET_S = 0.1


def pace(rows: int = 1000) -> Pace:
    return Pace(TARGET_S, least=10, most=50_000, rows=rows)


@pytest.mark.parametrize(
    ("seconds", "rows"),
    [(0.1, 1000), (0.05, 1414), (0.01, 2000), (0.0, 2000), (0.2, 500), (9.0, 250)],
)
def test_the_next_batch_takes_nearer_to_its_time(seconds: float, rows: int) -> None:
    found = pace()
    found.took(seconds, 1000)
    assert found.rows == rows


@pytest.mark.parametrize("rows", [1, 102, 999])
def test_the_last_rows_of_a_range_do_not_make_it_grow(rows: int) -> None:
    found = pace()
    for _ in range(5):
        found.took(0.001, rows)
    assert found.rows == 1000


def test_the_last_rows_of_a_range_make_it_smaller() -> None:
    found = pace()
    found.took(0.2, 102)
    assert found.rows == 500


def test_rows_that_had_the_change_do_not_make_it_grow_beyond_those_that_lack_it() -> None:
    found = pace()
    found.took(0.025, 1000, lacking=250)
    assert found.rows == 1000
    found.took(0.025, 1000, lacking=500)
    assert found.rows == 1414


def test_where_few_rows_lack_the_change_more_are_walked_to_find_them() -> None:
    found = pace()
    for _ in range(20):
        assert found.looked(0.001, found.span // 10_000)
    assert (found.rows, found.span) == (1000, 50_000)
    found.looked(0.11, 5)
    assert found.span == 25_000


def test_no_more_rows_are_changed_where_many_lack_the_change_again() -> None:
    found = pace()
    found.looked(0.001, 0)
    assert found.span == 2000
    assert not found.looked(0.001, 1001)
    assert found.span == 1000


def test_the_first_batch_is_small_and_batches_fit_soon_after_it() -> None:
    """Each row takes 5 ms: 1,000 of them would lock their rows for 5 s."""
    found = Pace(TARGET_S, least=10, most=50_000)
    assert found.rows == FIRST_ROWS <= 100
    for _ in range(4):
        found.took(found.rows * 0.005, found.rows)
    assert found.rows <= 25


def test_it_stays_within_its_bounds() -> None:
    found = pace()
    for _ in range(20):
        found.took(0.0001, found.rows)
    assert found.rows == 50_000
    for _ in range(20):
        found.took(found.rows, found.rows)
    assert found.rows == 10


@pytest.mark.parametrize("seed", range(20))
def test_no_batch_takes_twice_its_time_where_the_speed_varies_and_ranges_end(seed: int) -> None:
    """Rows take up to 1.5 times as long as those before, and every fifth batch is a short one."""
    chance, found = random.Random(seed), pace()
    longest_s = 0.0
    for number in range(500):
        rows = chance.randint(1, found.rows) if number % 5 == 0 else found.rows
        seconds = rows * 0.00002 * chance.uniform(1, 1.5)
        found.took(seconds, rows)
        longest_s = max(longest_s, seconds)
    assert TARGET_S * 0.8 < longest_s < TARGET_S * 2


@pytest.mark.parametrize("each_s", [0.12, 0.5, 3.0])
@pytest.mark.parametrize("varies", [1, 1.3, 2])
def test_batches_stay_large_where_each_takes_long_however_few_rows_it_has(
    each_s: float, varies: float
) -> None:
    chance, found = random.Random(1), pace()
    walked, took_s = 0, 0.0
    for number in range(500):
        seconds = (each_s + found.rows * 0.00002) * chance.uniform(1, varies)
        if number > 50:
            walked, took_s = walked + found.rows, took_s + seconds
        found.took(seconds, found.rows)
    assert walked * 0.00002 > took_s * 0.05


def test_batches_are_short_again_once_each_does_not_take_long_any_more() -> None:
    found = pace()
    for number in range(200):
        found.took((0.3 if number < 100 else 0.001) + found.rows * 0.00002, found.rows)
    assert TARGET_S * 0.8 < found.rows * 0.00002 < TARGET_S * 1.2


def test_one_stall_makes_no_later_batch_take_longer_than_it_should() -> None:
    found = pace()
    for number in range(200):
        seconds = found.rows * 0.00002
        assert seconds < TARGET_S * 1.5
        found.took(3.0 if number % 20 == 10 else seconds, found.rows)


def test_a_rate_makes_the_next_batch_wait() -> None:
    rate = Rate(100)
    assert rate.wait_s(50, now_s=10) == pytest.approx(0.5)
    assert rate.wait_s(50, now_s=10.2) == pytest.approx(0.8)
    assert Rate().wait_s(50, now_s=10) == 0
