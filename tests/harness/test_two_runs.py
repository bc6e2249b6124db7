"""Two checkouts that test the same target at the same time never meet."""

import json
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

from tests.harness.conftest import Project

#: Says what it runs on, and restarts that while the other run is at the same place: each waits for the other.
TESTS = """
import json, os
from fixtures.housekeeping.waiting import wait_until

def meet(name):
    (Path.cwd() / name).touch()
    wait_until((Path(os.environ["THE_OTHER"]) / name).exists, f"the other run has {name}", within=60)

def arrangement(scene):
    queue = scene.queue()
    queue.publish("mine: " + os.getcwd())
    meet("published")
    yield
    yield
    meet("frozen")
    return queue

@claim("chapter.claim")
@after_restart(arrangement, Restart.KILL)
def test_restart(scene, arranged):
    taken = arranged.drain()
    broker = scene.broker
    facts = {
        "url": broker.url,
        "rabbitmqctl": list(broker.rabbitmqctl_command()),
        "process": broker.node.identity(),
        "queues": broker.rabbitmqctl("-q", "list_queues", "name").split(),
        "queue": arranged.name,
    }
    Path("facts.json").write_text(json.dumps(facts))
    meet("done")
    assert taken.bodies == ["mine: " + os.getcwd()]
"""


def test_two_runs_at_once_do_not_meet(tmp_path: Path, target_name: str) -> None:
    """Both pass, with ports, nodes, containers and folders of their own, and leave nothing."""
    projects = [Project(tmp_path / name) for name in ("one", "other")]
    runs = []
    for project, other in (projects, projects[::-1]):
        project.tests(TESTS)
        runs.append(project.start_anew("--rabbitmq", target_name, THE_OTHER=str(other.folder)))

    outputs = [_end(run) for run in runs]

    assert [run.returncode for run in runs] == [0, 0], "\n".join(outputs)
    assert [project.left() for project in projects] == [set(), set()]
    one, other = (json.loads((project.folder / "facts.json").read_text()) for project in projects)
    assert urlsplit(one["url"]).port != urlsplit(other["url"]).port
    assert one["process"] != other["process"]
    assert one["queue"] in one["queues"]
    assert one["queue"] not in other["queues"]
    assert _own(one) & _own(other) == set()
    assert _own(one)


def _end(run: "subprocess.Popen[str]") -> str:
    with run:
        return "".join(run.communicate(timeout=120))


def _own(facts: dict[str, list[str]]) -> set[str]:
    """What is to be a run's own in the command line of rabbitmqctl: the container, or ports and folders."""
    node = ("RABBITMQ_NODE_PORT=", "RABBITMQ_DIST_PORT=", "ERL_EPMD_PORT=", "RABBITMQ_MNESIA_BASE=", "HOME=")
    command = facts["rabbitmqctl"]
    return {part for part in command if part.startswith(node)} or {command[command.index("rabbitmqctl") - 1]}
