"""Deadlines that learn how long answers take: never too short for an honest broker, never long for a broken one."""

import pytest

from fixtures.housekeeping.deadlines import Deadline
from fixtures.housekeeping.waiting import NotEstablished, wait_until


class Clock:
    """A clock that goes on only when somebody sets it."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """The time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock that stands at some time."""
    return Clock()


@pytest.fixture
def deadline(clock: Clock) -> Deadline:
    """The deadline of a broker that has just booted."""
    return Deadline(at_most=15.0, clock=clock)


def answers(deadline: Deadline, took: float, times: int = 10) -> None:
    for _ in range(times):
        deadline.met(took)


def test_first_waits_have_all_the_time(deadline: Deadline) -> None:
    """Nine quick answers are not yet a reason to expect a tenth."""
    answers(deadline, 0.01, times=9)

    assert deadline.seconds == 15


@pytest.mark.parametrize(("slowest", "seconds"), [(0.0, 5), (0.1, 5), (0.5, 10), (0.75, 15), (3.0, 15)])
def test_deadline_is_many_times_what_the_slowest_answer_took(
    deadline: Deadline, slowest: float, seconds: float
) -> None:
    """But 5 s at the least, because a machine may stand still for 3, and no more than at the beginning."""
    answers(deadline, 0.001)
    deadline.met(slowest)

    assert deadline.seconds == seconds


def test_deadline_begins_anew_after_a_restart(deadline: Deadline, clock: Clock) -> None:
    """The first answers of a node may take longer than all before, and so may later ones: queues recover in turn."""
    answers(deadline, 0.01)
    deadline.begin_anew()

    assert deadline.seconds == 15
    answers(deadline, 0.01)
    assert deadline.seconds == 15
    clock.now += 30
    assert deadline.seconds == 5


def test_deadline_below_the_least_stays_what_it_is() -> None:
    """Who asks for 3 s waits for 3 s, whatever answers took."""
    short = Deadline(3.0)
    answers(short, 1.0)

    assert short.seconds == 3


def waits_in_vain(deadline: Deadline, clock: Clock) -> None:
    clock.now += (waited := deadline.seconds)
    deadline.missed(waited)


def test_some_waiting_in_vain_is_free(deadline: Deadline, clock: Clock) -> None:
    """A claim whose test misses a deadline, and one more of its kind, change nothing for the others."""
    answers(deadline, 0.01)
    for _ in range(2):
        waits_in_vain(deadline, clock)

    assert not deadline.is_used_up
    assert deadline.seconds == 5


@pytest.mark.parametrize("healthy", [45.0, 400.0])
def test_waiting_in_vain_takes_less_than_twice_as_long_as_everything_else(
    deadline: Deadline, clock: Clock, healthy: float
) -> None:
    """So a run in which every second wait is missed ends within three times what it takes on a healthy broker."""
    answers(deadline, 0.01)
    cases = 160
    for _ in range(cases):
        clock.now += healthy / cases
        waits_in_vain(deadline, clock)

    assert clock.now - 100 <= 3 * healthy


def test_time_goes_by_and_patience_comes_back(deadline: Deadline, clock: Clock) -> None:
    """In a run of many rounds, deviations that show themselves by a missed deadline use nothing up."""
    answers(deadline, 0.01)
    for _ in range(7):
        waits_in_vain(deadline, clock)
    assert deadline.is_used_up

    clock.now += 60

    assert not deadline.is_used_up


def test_wait_tells_the_deadline_how_it_came_out(deadline: Deadline) -> None:
    """Ten that were met shorten it, one that is missed is counted with its whole time."""
    for _ in range(10):
        wait_until(lambda: True, "it is there", within=deadline)
    assert deadline.seconds == 5

    short = Deadline(0.01, in_vain=0.005)
    with pytest.raises(AssertionError, match=r"waited 0\.01 s until it is there"):
        wait_until(lambda: False, "it is there", within=short, missed=AssertionError)

    assert short.is_used_up


def test_wait_that_is_cut_short_refutes_nothing(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """A claim that gets only a moment, because the broker has used up everybody's patience, is not established."""
    monkeypatch.setattr("fixtures.housekeeping.deadlines._A_MOMENT", 0.0)
    deadline = Deadline(15.0, in_vain=0, clock=clock)
    waits_in_vain(deadline, clock)

    with pytest.raises(NotEstablished):
        wait_until(lambda: False, "it is there", within=deadline, missed=AssertionError)
    assert wait_until(lambda: "there", "it is there", within=deadline, missed=AssertionError) == "there"
