"""The user's own queues, as an export has them: what each of them does with messages, on a disposable broker.

Nothing here is a claim. A test tells facts, in the same words on every broker; a fact that differs from broker to
broker, or from an earlier run, makes the run red.
"""

from collections.abc import Callable, Iterable

import pytest

from fixtures.brokers import Broker
from fixtures.report.profiles import Fact
from fixtures.scene.scene import Scene
from fixtures.suite.arrangements import after_restart, after_time
from fixtures.vocabulary import NotApplicable, Restart
from fixtures.your_queues import home, trial
from fixtures.your_queues.home import Home
from fixtures.your_queues.stage import Stage, UndeclarableError
from fixtures.your_queues.subjects import Subject

Tell = Callable[[Iterable[Fact]], None]


@pytest.mark.about("shapes")
def test_declaration(scene: Scene, subject: Subject, tell: Tell) -> None:
    """What it is, or what the broker says against it."""
    there = subject.seen_by(scene.broker.refused)
    tell(trial.policies_refused(subject.there, scene.broker.refused))
    try:
        tell(trial.declaration(Stage(scene, there)))
    except UndeclarableError as error:
        tell([trial.refused(str(error))])
    else:
        tell(trial.as_declared(there))


@pytest.fixture
def stage(scene: Scene, subject: Subject) -> Stage:
    """The queue, declared anew."""
    return on_stage(scene, subject)


def on_stage(scene: Scene, subject: Subject) -> Stage:
    """A queue that is declared anew; what the broker says against it, `test_declaration` tells."""
    try:
        return Stage(scene, subject.seen_by(scene.broker.refused))
    except UndeclarableError as error:
        raise NotApplicable(f"it cannot be declared: {error}") from error


@pytest.mark.about("queues")
@pytest.mark.parametrize(
    "look",
    [
        trial.rejected,
        trial.receiver_crashes,
        trial.receiver_closes,
        trial.last_receiver,
        trial.full,
        trial.receivers,
        trial.priorities,
    ],
)
def test_at_once(stage: Stage, tell: Tell, look: Callable[[Stage], Iterable[Fact]]) -> None:
    """What it does while nothing happens to the broker."""
    tell(look(stage))


@pytest.mark.about("queues")
@pytest.mark.parametrize("by", ["basic.reject", "basic.nack"])
def test_given_back(stage: Stage, tell: Tell, by: str) -> None:
    """How often a message may be given back."""
    tell(trial.given_back(stage, by))


@pytest.mark.about("streams")
def test_reading(stage: Stage, tell: Tell) -> None:
    """What a stream does."""
    tell(trial.reading(stage))


@pytest.fixture(scope="session")
def homes() -> dict[tuple[str, str], Home]:
    """The virtual hosts that are declared as they are at home, by broker and name."""
    return {}


@pytest.fixture
def at_home(scene: Scene, broker: Broker, subject: Subject, homes: dict[tuple[str, str], Home]) -> Home:
    """That of the subject, declared when the first test asks for it."""
    key = broker.url, subject.vhost
    thing = subject.queue or subject.exchange
    assert thing
    if key not in homes:
        homes[key] = Home(scene, subject.known.without(broker.refused), thing.vhost)
    return homes[key]


@pytest.mark.about("bound")
def test_bindings(scene: Scene, subject: Subject, tell: Tell, at_home: Home) -> None:
    """Each binding, with a message that it should take and one that it should not."""
    assert subject.queue
    tell(home.bindings(scene, at_home, subject.queue))


@pytest.mark.about("exchanges")
def test_unroutable(scene: Scene, subject: Subject, tell: Tell, at_home: Home) -> None:
    """What matches no binding."""
    assert subject.exchange
    tell(home.unroutable(scene, at_home, subject.exchange))


def waiting(scene: Scene, subject: Subject) -> Stage:
    """Messages of both delivery modes wait in it."""
    return trial.before_a_restart(on_stage(scene, subject))


@pytest.mark.about("lasting")
@after_restart(waiting, Restart.KILL, Restart.CLEAN)
def test_after_a_restart(arranged: Stage, tell: Tell, turn: str) -> None:
    """What is there after the broker was killed, or restarted."""
    tell(trial.after_a_restart(arranged, turn))


def passing(scene: Scene, subject: Subject) -> trial.Waiting:
    """Something of it is to expire, or to come back."""
    return (yield from trial.before_time_passes(on_stage(scene, subject)))


@pytest.mark.about("timed")
@after_time(passing)
def test_after_some_time(arranged: trial.Passing, tell: Tell) -> None:
    """What is there some seconds later."""
    tell(trial.after_time(arranged))
