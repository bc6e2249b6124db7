"""A failure explains itself."""

import subprocess
import sys

import pytest

from fixtures.brokers import Broker
from tests.harness.conftest import Project

ARRANGED = (
    '@claim("chapter.claim")\ndef test_it(scene):\n    queue = scene.queue()\n'
    "    idle, busy = scene.receiver('idle', queue), scene.receiver('busy', queue, acks=False)\n"
    "    queue.publish('no 1 Hello', 'no 2 Hello', 'no 3 Hello')\n    scene.wait_for_deliveries(3)\n"
    "    busy.crash()\n    scene.wait_until(lambda: len(idle.bodies) == 3, 'idle has all three')\n    "
)


@pytest.mark.parametrize(
    ("assertion", "expected", "observed"),
    [
        ("assert idle.numbers == [1, 2, 3]", "idle got 1, 2, 3", "idle got 1, 3, 2"),
        ("assert idle.redelivered == []", "idle got nothing marked redelivered", "idle got 2 marked redelivered"),
        ("assert busy.bodies == ['x']", "busy got 'x'", "busy got 2"),
        ("assert len(idle.numbers) == 9", "9", "3"),
        ("assert idle.ended", "idle.ended", "''"),
        (
            "scene.wait_until(lambda: len(idle.bodies) == 4, 'idle has a fourth', within=0.3)",
            "idle has a fourth, within 0.3 s",
            "idle got 1, 3, 2*; busy got 2 (crashes: socket aborted)",
        ),
    ],
)
def test_refuted_claim_says_what_was_expected_and_observed(
    project: Project, broker: Broker, assertion: str, expected: str, observed: str
) -> None:
    """In terms of who got which messages, where it is about messages."""
    project.tests(ARRANGED + assertion + "\n")

    output = project.run("--rabbitmq", broker.url).output

    assert "chapter.claim (section 1) is refuted\nclaim:    Something is so.\n" in output
    assert f"\nexpected: {expected}\nobserved: {observed}\n" in output
    assert "in all:   idle got 1, 3, 2*; busy got 2 (crashes: socket aborted)\n" in output


def test_ledger_and_the_brokers_own_log_are_shown(project: Project, broker: Broker) -> None:
    """The log since the scene began only, and only of a broker whose log can be read."""
    crash = "'client unexpectedly' in scene.broker_log()"  # the rest of the sentence is only in the log
    project.tests(
        f"{ARRANGED}scene.wait_until(lambda: scene.broker.out_of_reach or {crash}, 'the crash is logged')\n"
        "    assert not idle.bodies\n"
    )

    output = project.run("--rabbitmq", "local" if broker.how == "local process" else broker.url).output

    assert "the ledger's last lines" in output
    assert "busy       crashes: socket aborted" in output
    assert ("client unexpectedly closed TCP connection" in output) is (broker.how == "local process")


def test_saved_script_does_it_again(project: Project, broker: Broker) -> None:
    """With pika alone, against a URL; it prints what the receivers got."""
    project.tests(ARRANGED + "assert idle.numbers == [1, 2, 3]\n")
    assert project.run("--rabbitmq", broker.url).code == 1
    [script] = (project.folder / "report" / "reproduce").iterdir()

    again = subprocess.run(
        [sys.executable, "-I", script, broker.url], capture_output=True, text=True, check=False, timeout=60
    )

    assert again.returncode == 0, again.stderr
    assert "Something is so." in script.read_text()
    assert again.stdout.splitlines()[-2:] == ["idle got 1, 3, 2*", "busy got 2"]


@pytest.mark.parametrize("url", ["amqp://guest:guest@127.0.0.1:1/", "nonsense"])
def test_saved_script_without_a_broker_says_how_it_is_used(project: Project, broker: Broker, url: str) -> None:
    """Somebody gets it in an issue, and runs it."""
    project.tests(ARRANGED + "assert idle.numbers == [1, 2, 3]\n")
    project.run("--rabbitmq", broker.url)
    [script] = (project.folder / "report" / "reproduce").iterdir()

    again = subprocess.run([sys.executable, script, url], capture_output=True, text=True, check=False, timeout=60)

    assert again.returncode == 1
    assert again.stderr.startswith("No connection: ")
    assert "Usage: python" in again.stderr
    assert "Traceback" not in again.stderr
