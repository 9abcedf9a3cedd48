"""Time and memory are those of the command alone; a program that does not run is left out."""

import sys
from datetime import date, timedelta

import pytest

from bench.layers import day_with
from bench.measure import Way, WayFailed, in_turns, measure
from sandbox.business import Business


def way(name: str, code: str) -> Way:
    return Way(name, [sys.executable, "-c", code])


def test_the_peak_is_that_of_the_command_alone() -> None:
    ours = b"x" * 300_000_000
    small, large = measure(way("small", "pass")), measure(way("large", "b'x' * 200_000_000"))
    assert small.peak_mb < 100 < 200 < large.peak_mb < 300 == len(ours) / 1e6
    assert small.seconds > 0


def test_the_peak_of_a_child_process_counts() -> None:
    inner = "b'x' * 200_000_000"
    taken = measure(way("wrapper", f'import subprocess, sys; subprocess.run([sys.executable, "-c", "{inner}"])'))
    assert taken.peak_mb > 200


def test_a_failure_of_our_own_program_ends_the_benchmark_with_its_output() -> None:
    with pytest.raises(WayFailed, match="ours ended with exit code 3:\nwhy it failed"):
        in_turns([way("ours", "import sys; print('why it failed'); sys.exit(3)")], 2)


def test_other_programs_that_fail_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    absent = Way("absent", ["/nowhere/to/be/found"])
    taken = in_turns([way("ours", "pass")], 2, [way("other", "pass"), absent])
    assert list(taken) == ["ours", "other"]
    assert capsys.readouterr().err.count("left out: absent ended") == 1


def test_the_day_on_which_a_share_of_the_sales_is_new() -> None:
    business = Business(10_000, date(2026, 1, 10))
    assert day_with(business, 0) == business.opening
    day = day_with(business, 0.01)
    before, new = business.sales_before(business.opening), business.sales_before(day)
    assert business.sales_before(day - timedelta(days=1)) - before < 100 <= new - before
