"""Whatever ends a run, and whenever: nothing is left of it."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from fixtures.waiting import wait_until
from tests.harness.conftest import Project

#: A claim's test and an arrangement for a kill, each of which says where the run is and then waits to be ended.
TESTS = """
def here(name):
    Path(name).touch()
    time.sleep(60)

@claim("chapter.claim")
def test_claim(scene):
    scene.publish(scene.queue(), "x")
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


@pytest.mark.parametrize("ends", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda ends: ends.name)
@pytest.mark.parametrize("during", ["boot", "claim", "restart"])
def test_nothing_is_left(project: Project, target_name: str, during: str, ends: signal.Signals) -> None:
    """After Ctrl-C and SIGTERM at once; after SIGKILL as soon as the next run has started."""
    project.tests(TESTS)
    selected = ["-k", f"test_{during}"] if during != "boot" else []
    run = project.start("--rabbitmq", target_name, *selected)

    with run:
        if during == "boot":
            wait_until(lambda: len(project.left()) > 1, "the run has begun to boot a broker", within=30)
        else:
            wait_until(lambda: _reached(project.folder / during, run), f"the run is at its {during}", within=120)
        os.kill(run.pid, ends)
        output, _ = run.communicate(timeout=60)

    if ends is signal.SIGKILL:
        project.tests('@claim("chapter.claim")\ndef test_next(scene): pass\n')
        assert project.run("--rabbitmq", target_name).code == 0
    else:
        assert run.returncode == {signal.SIGINT: 2, signal.SIGTERM: 143}[ends], output
        assert "Traceback" not in output
    assert project.left() == set()


@pytest.mark.parametrize("ends", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda ends: ends.name)
def test_nothing_is_left_of_workers(project: Project, target_name: str, ends: signal.Signals) -> None:
    """The same with pytest-xdist, when only the controlling process is told."""
    project.tests(TESTS)

    with project.start("--rabbitmq", target_name, "-n", "1", "-k", "test_claim") as run:
        wait_until(lambda: _reached(project.folder / "claim", run), "the run is at its claim", within=120)
        os.kill(run.pid, ends)
        run.communicate(timeout=60)

    if ends is signal.SIGKILL:
        project.tests('@claim("chapter.claim")\ndef test_next(scene): pass\n')
        assert project.run("--rabbitmq", target_name).code == 0
    wait_until(lambda: not project.left(), "nothing is left", within=20, seen=lambda: str(project.left()))


def _reached(mark: Path, run: "subprocess.Popen[str]") -> bool:
    assert run.poll() is None, run.communicate()[0]
    return mark.exists()
