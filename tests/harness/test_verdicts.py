"""Verdicts: what a test's outcome says about the claim, and when a run is red."""

import pytest

from fixtures.brokers import Broker
from tests.harness.conftest import CATALOGUE, Project

DEVIATION = '[[claim.deviations]]\nwhen = "version >= 0"\nbecause = "it is different here"\nsource = "there"\n'

HOLDS = "assert True"
REFUTED = "assert False, 'observed'"


@pytest.mark.parametrize(
    ("body", "verdict", "code"),
    [
        (HOLDS, "holds", 0),
        (REFUTED, "refuted", 1),
        ("with pytest.raises(ValueError): pass", "refuted", 1),
        ("scene.wait_until(lambda: False, 'pigs fly', within=0.1)", "refuted", 1),
        ("raise OSError('the arrangement failed')", "not established", 1),
        ("scene.receiver('late', 'no such queue')", "not established", 1),
        ("raise NotApplicable('not this broker')", "not applicable", 0),
        ("scene.broker.rabbitmqctl('status')", "not applicable", 0),
    ],
)
def test_outcome_gives_the_verdict(project: Project, broker: Broker, body: str, verdict: str, code: int) -> None:
    """A failed assertion refutes; what prevents the claim from being put to the test does not."""
    project.tests(f'@claim("chapter.claim")\ndef test_it(scene):\n    {body}\n')

    run = project.run("--rabbitmq", broker.url)

    assert [case.verdict for case in project.results.cases] == [verdict], run.output
    assert run.code == code


@pytest.mark.parametrize(("body", "code"), [(REFUTED, 0), (HOLDS, 1), ("raise OSError", 1)])
def test_deviation_expects_the_claim_to_be_refuted(project: Project, broker: Broker, body: str, code: int) -> None:
    """Where a deviation applies a refuted claim is as expected, and one that holds after all is red."""
    project.catalogue(CATALOGUE + DEVIATION)
    project.tests(f'@claim("chapter.claim")\ndef test_it(scene):\n    {body}\n')

    run = project.run("--rabbitmq", broker.url)

    assert run.code == code, run.output
    assert ("chapter.claim is refuted: it is different here" in " ".join(run.output.split())) is (body == REFUTED)
    assert ("The claim holds, but its deviation says" in run.output) is (body == HOLDS)


def test_strict_run_accepts_no_claim_that_was_not_put_to_the_test(project: Project, broker: Broker) -> None:
    """With --claims-strict a claim that is not applicable is red."""
    project.tests('@claim("chapter.claim")\ndef test_it(scene): raise NotApplicable("not this broker")\n')

    run = project.run("--rabbitmq", broker.url, "--claims-strict")

    assert run.code == 1
    assert "--claims-strict is on: not this broker" in run.output


def test_failure_shows_the_claim_and_who_got_what(project: Project, broker: Broker) -> None:
    """One sees what was claimed, what was observed, and how it came to it."""
    project.tests(
        '@claim("chapter.claim")\ndef test_it(scene):\n'
        "    queue = scene.queue()\n    scene.receiver('busy', queue)\n    queue.publish('no 1 Hello')\n"
        "    scene.wait_until(lambda: False, 'pigs fly', within=0.5)\n"
    )

    output = project.run("--rabbitmq", broker.url).output

    assert "waited 0.5 s until pigs fly; busy got 1" in output
    assert "claim:    Something is so." in output
    assert "publishes, confirmed" in output


def test_failed_arrangement_fails_its_own_test_only(project: Project, target_name: str) -> None:
    """Arrangements share a restart, not their failures; and the run's restarts are counted once."""
    project.tests(
        "def broken(scene): raise OSError('no')\n"
        "def sound(scene): return scene.queue()\n"
        '@claim("chapter.claim")\n@after_restart(broken, Restart.APP)\ndef test_broken(scene, arranged): pass\n'
        '@claim("chapter.claim")\n@after_restart(sound, Restart.APP)\n'
        "def test_sound(scene, arranged):\n"
        "    assert arranged.exists\n    assert len(scene.broker.restarts) == 1\n"
    )

    run = project.run("--rabbitmq", target_name)

    assert "1 passed, 1 error" in run.output, run.output


def test_two_targets_on_two_workers_boot_once_each(project: Project, broker: Broker, target_name: str) -> None:
    """A worker takes all tests of a target, so each target boots once, wherever its tests run."""
    project.tests(
        '@claim("chapter.claim")\n@pytest.mark.parametrize("n", range(6))\ndef test_it(scene, n): scene.queue()\n'
    )

    run = project.run("-n", "2", "--rabbitmq", target_name, "--rabbitmq", broker.url)

    assert run.code == 0, run.output
    assert run.output.count(", ready in ") == 2, run.output
