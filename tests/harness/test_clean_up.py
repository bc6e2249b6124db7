"""Whatever ends a run, and whenever: nothing is left of it."""

import math
import os
import random
import secrets
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from fixtures.brokers import Broker
from fixtures.housekeeping.waiting import wait_until
from tests.harness.conftest import Project
from tests.harness.forked import Started

#: A claim's test and an arrangement for a kill, each of which says where the run is and then waits to be ended.
TESTS = """
def here(name):
    Path(name).touch()
    time.sleep(60)

@claim("chapter.claim")
def test_claim(scene):
    scene.queue().publish("x")
    scene.receiver("receiver", scene.queue())
    scene.program("durable_receiver", scene.queue())
    here("claim")

def arrangement(scene):
    queue = scene.queue()
    yield
    yield
    here("restart")
    return queue

@claim("chapter.claim")
@after_restart(arrangement, Restart.KILL)
def test_restart(scene, arranged): pass
"""


#: Ctrl-C and SIGTERM end a run in the same way, so each is tried in some places; `make endings` tries all, and others.
#: In the middle of a claim they come to workers.
PLACES = [
    ("boot", signal.SIGINT),
    ("boot", signal.SIGKILL),
    ("restart", signal.SIGTERM),
    ("restart", signal.SIGKILL),
]


@pytest.mark.parametrize(("during", "ends"), PLACES, ids=lambda value: getattr(value, "name", value))
def test_nothing_is_left(project: Project, target_name: str, during: str, ends: signal.Signals) -> None:
    """After Ctrl-C and SIGTERM at once; after SIGKILL as soon as the next run has started."""
    project.tests(TESTS)
    selected = ["-k", f"test_{during}"] if during != "boot" else []
    run = project.start("--rabbitmq", target_name, *selected)

    if during == "boot":
        wait_until(lambda: bool(project.left()), "the run has begun to boot a broker", within=30)
    else:
        wait_until(lambda: _reached(project.folder / during, run), f"the run is at its {during}", within=120)
    os.kill(run.pid, ends)
    output, _ = run.communicate(timeout=60)

    if ends is signal.SIGKILL:
        assert project.left()
        _start_next(project, target_name)
    else:
        assert run.returncode == {signal.SIGINT: 2, signal.SIGTERM: 143}[ends], output
        assert "Traceback" not in output
    assert project.left() == set()


def _start_next(project: Project, target_name: str) -> None:
    """Start the next run, which sees that it cannot have its second target before it boots the first."""
    nowhere = f"local:{project.folder}"
    project.run("--rabbitmq", target_name, "--rabbitmq", nowhere).assert_one_clear_error(
        "no rabbitmq-server", nowhere[6:]
    )


@pytest.mark.parametrize("ends", [signal.SIGINT, signal.SIGKILL], ids=lambda ends: ends.name)
def test_nothing_is_left_of_workers(project: Project, target_name: str, ends: signal.Signals) -> None:
    """The same with pytest-xdist, when only the controlling process is told."""
    project.tests(TESTS)

    run = project.start("--rabbitmq", target_name, "-n", "1", "-k", "test_claim")
    wait_until(lambda: _reached(project.folder / "claim", run), "the run is at its claim", within=120)
    os.kill(run.pid, ends)
    run.communicate(timeout=60)

    if ends is signal.SIGKILL:
        _start_next(project, target_name)
    wait_until(lambda: not project.left(), "nothing is left", within=20, instead=lambda: str(project.left()))


#: Has a worker write down what has ended it and clear nothing away. Whoever kills it waits for that.
HANGS = """
import time
from pathlib import Path
import pytest, xdist.workermanage
from fixtures.housekeeping.waiting import wait_until

xdist.workermanage.NodeManager.EXIT_TIMEOUT = 1  # it is ten seconds, which nobody needs to wait for here

@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session):
    if hasattr(session.config, "workerinput"):
        Path("ended").write_text(str(session.shouldstop))
        Path("ended").rename("ended-by")
        time.sleep(60)
    wait_until(Path("ended-by").exists, "the worker is told to end", within=30)
"""


def test_nothing_is_left_of_a_worker_that_is_killed(project: Project, target_name: str) -> None:
    """SIGTERM is handed on; one that then takes too long to clear away is killed by pytest-xdist."""
    project.tests(TESTS)
    project.plugin(HANGS)

    run = project.start("--rabbitmq", target_name, "-n", "1", "-k", "test_claim")
    wait_until(lambda: _reached(project.folder / "claim", run), "the run is at its claim", within=120)
    assert len(project.left()) > 1
    os.kill(run.pid, signal.SIGTERM)
    output, _ = run.communicate(timeout=60)

    assert run.returncode == 143, output
    # Without it, execnet would interrupt the worker after some seconds.
    assert (project.folder / "ended-by").read_text() == "SIGTERM"
    assert project.left() == set()


# Moments that are easily missed.


@pytest.mark.parametrize(
    ("ends", "code"), [("SIGINT", pytest.ExitCode.INTERRUPTED), ("SIGTERM", 143)], ids=["SIGINT", "SIGTERM"]
)
def test_arrangement_takes_no_signal_for_an_error_of_its_own(
    project: Project, broker: Broker, ends: str, code: int
) -> None:
    """The run ends there: no further arrangement is made, and no turn is taken."""
    project.tests(
        f"import os, signal\ndef first(scene): os.kill(os.getpid(), signal.{ends})\n"
        'def second(scene): Path("went-on").touch()\n'
        '@claim("chapter.claim")\n@after_silence(first)\ndef test_first(arranged): pass\n'
        '@claim("chapter.claim")\n@after_silence(second)\ndef test_second(arranged): pass\n'
    )

    run = project.run("--rabbitmq", broker.url)

    assert run.code == code, run.output
    assert not (project.folder / "went-on").exists()


def test_sigterm_in_the_collection_is_no_error_of_a_module(project: Project) -> None:
    """It ends the run as anywhere else, and no broker is asked for what had been collected."""
    project.tests('@claim("chapter.claim")\ndef test_it(scene): pass\n')
    project.tests("import os, signal\nos.kill(os.getpid(), signal.SIGTERM)\n", name="later")

    run = project.run("--rabbitmq", "amqp://127.0.0.1:1")

    assert run.code == 143, run.output
    assert "ERROR" not in run.output


@pytest.mark.parametrize("ends", ["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("during", ["sessionfinish", "unconfigure"])
def test_run_that_clears_away_goes_through_with_it(project: Project, broker: Broker, during: str, ends: str) -> None:
    """A signal then changes neither the results nor the exit code."""
    project.tests('@claim("chapter.claim")\ndef test_it(scene): scene.queue()\n')
    project.plugin(f"import os, signal\ndef pytest_{during}(): os.kill(os.getpid(), signal.{ends})\n")

    run = project.run("--rabbitmq", broker.url)

    assert run.code == 0, run.output
    assert project.results.complete


# At random moments.

#: How many moments are tried, and the seed from which they are drawn: the same seed and number are the same moment.
#: The seed is in each test's id; `make endings N=50 SEED=…` sets both. Workers of pytest-xdist have to agree on it.
MOMENTS = int(os.environ.get("CLAIMS_HARNESS_ENDINGS") or 1)
SEED = os.environ.get("CLAIMS_HARNESS_SEED") or os.environ.get("PYTEST_XDIST_TESTRUNUID", secrets.token_hex(3))[:6]

#: A run with something of everything that could be left behind, or be interrupted.
WHOLE = """
@claim("chapter.claim")
@pytest.mark.parametrize("n", range(3))
def test_claim(scene, n):
    queue = scene.queue()
    for name in ("first", "second"):
        scene.receiver(name, queue)
    queue.publish(*[f"no {n} Hello" for n in range(20)])
    scene.wait_for_deliveries(20)
    programs_own = scene.queue()
    program = scene.subscribed_program("durable_receiver", programs_own)
    programs_own.publish("no 1 Hello")
    scene.wait_for_lines(program, 1)

@claim("chapter.claim")
def test_rabbitmqctl(scene):
    queue = scene.queue()
    assert scene.operator.list_queues_until({queue: (0, 0)}) == {queue: (0, 0)}

def arrangement(scene):
    queue = scene.queue(queue_type="quorum")
    queue.publish("no 1 Hello")
    scene.subscribed_program("durable_receiver", scene.queue())
    yield
    queue.publish("no 2 Hello")
    yield
    return queue

@claim("chapter.claim")
@pytest.mark.parametrize("n", range(3))
@after_restart(arrangement, Restart.KILL)
def test_restart(scene, arranged, n):
    assert arranged.drain().bodies == ["no 1 Hello", "no 2 Hello"]
"""

#: Has the run write down where it is, and when.
DIARY = """

import time
import pytest

def note(what):
    with open("diary", "a") as diary:
        print(time.monotonic(), what, file=diary)

@pytest.hookimpl(trylast=True)
def pytest_sessionstart(): note("collection")
@pytest.hookimpl(tryfirst=True)
def pytest_report_collectionfinish(): note("boot")
def pytest_runtest_setup(item): note(f"set-up of {item.name}")
def pytest_runtest_call(item): note(f"call of {item.name}")
def pytest_runtest_teardown(item): note(f"tear-down of {item.name}")
@pytest.hookimpl(trylast=True)
def pytest_runtest_logreport(report):
    if report.when == "call":
        note(f"has {report.nodeid}")
@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(exitstatus):
    # Before anybody can have decided to take no notice of a signal any more.
    note("end" if exitstatus == 0 else "interruption")
    return (yield)
"""

START, END, HAS = "start", "end", "has "


@dataclass(frozen=True)
class Moment:
    """A signal after a share of the seconds that a whole run takes."""

    name: str
    share: float
    ends: signal.Signals

    @classmethod
    def drawn(cls, number: int) -> "Moment":
        """The moment of this number, always the same for the same seed."""
        name = f"{SEED}-{number}"
        die = random.Random(name)
        return cls(name, die.random(), die.choice([signal.SIGINT, signal.SIGTERM, signal.SIGKILL]))


@pytest.fixture(scope="module")
def seconds(tmp_path_factory: pytest.TempPathFactory, target_name: str) -> float:
    """How long the run takes that is to be ended, if nobody ends it: about, where that is asked for one moment only."""
    if MOMENTS == 1:
        return 10.0
    project = Project(tmp_path_factory.mktemp("whole") / "project")
    _prepare(project)
    began = time.monotonic()
    try:
        run = project.run("--rabbitmq", target_name)
    finally:
        project.end()
    assert run.code == 0, run.output
    assert _where(project) == END
    return time.monotonic() - began


@pytest.mark.parametrize("moment", [Moment.drawn(n) for n in range(MOMENTS)], ids=lambda moment: moment.name)
def test_nothing_is_left_at_a_random_moment(
    project: Project,
    target_name: str,
    seconds: float,
    moment: Moment,
    pytestconfig: pytest.Config,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Nothing is left, what had finished is in the results, and the next run is as clean as the first."""
    _prepare(project)

    with project.start_anew("--rabbitmq", target_name) as run:
        try:
            output = "".join(run.communicate(timeout=moment.share * seconds))
        except subprocess.TimeoutExpired:
            ended_at = time.monotonic()
            run.send_signal(moment.ends)
            told_at = time.monotonic()
            output = "".join(run.communicate(timeout=60))
        else:
            ended_at = told_at = math.inf
    where = _where(project, ended_at)
    said = f"{moment.share * seconds:5.2f} s  {moment.ends.name:7}  {where}: exit code {run.returncode}"
    if pytestconfig.get_verbosity() > 0:
        with capsys.disabled():
            print(f"\n    {said}")

    if moment.ends is not signal.SIGKILL:
        assert project.left() == set(), said
    _assert_told_the_truth(moment, run.returncode, output, where, _next(project, told_at))
    _assert_results_are_whole(project)

    # After SIGKILL something may be left until a run gets itself a broker.
    fixture = "scene" if moment.ends is signal.SIGKILL else ""
    project.tests(f'@claim("chapter.claim")\ndef test_next({fixture}): pass\n')
    following = project.run("--rabbitmq", target_name)
    assert following.code == 0, f"{said}; the next run:\n{following.output}"
    assert "Traceback" not in following.output
    assert project.results.complete
    assert project.left() == set(), said


def _prepare(project: Project) -> None:
    project.tests(WHOLE)
    project.plugin(DIARY)


def _diary(project: Project) -> list[tuple[float, str]]:
    diary = project.folder / "diary"
    lines = diary.read_text().splitlines() if diary.exists() else []
    return [(float(at), what) for at, what in (line.split(" ", 1) for line in lines)]


def _where(project: Project, at: float = math.inf) -> str:
    """Where the run was at that time."""
    return next((what for noted, what in reversed(_diary(project)) if noted <= at), START)


def _next(project: Project, at: float) -> str:
    """What the run did next after that time; where it was if it did nothing more."""
    return next((what for noted, what in _diary(project) if noted > at), _where(project))


def _assert_told_the_truth(moment: Moment, code: int, output: str, where: str, did_next: str) -> None:
    """Its exit code says what ended it, and it ended in good order."""
    expected = {{signal.SIGINT: 2, signal.SIGTERM: 143, signal.SIGKILL: -9}[moment.ends]}
    python_starts = where == START and moment.ends is signal.SIGINT
    if where == START:
        # Python starts, or pytest has not got to the suite yet: a signal does to it what it does to any program.
        expected.add(-moment.ends)
    if python_starts:
        # While Python looks for its packages, Ctrl-C makes it end with 1; one that hits it in a lock of its imports is
        # lost: it says "Exception ignored" and goes on.
        expected |= {0, 1}
    if did_next == END:
        expected.add(0)  # it goes through with its end
    assert code in expected, f"{where}, then {did_next}: exit code {code}\n{output}"
    assert "INTERNALERROR" not in output, output
    # Python itself answers Ctrl-C by a traceback; before the session starts this is not ours to change.
    if not python_starts:
        assert "Traceback" not in output, output


def _assert_results_are_whole(project: Project) -> None:
    """What had finished is in the results, and no page ends in the middle."""
    had_finished = [what for _, what in _diary(project) if what.startswith(HAS)]
    if had_finished:
        assert len(project.results.cases) >= len(had_finished)
    for page in project.folder.glob("report/**/*.html"):
        assert page.read_text().rstrip().endswith("</html>"), page


def _reached(mark: Path, run: Started) -> bool:
    assert run.returncode is None, run.communicate(0)[0]
    return mark.exists()
