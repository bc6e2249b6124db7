"""Verdicts: what a test's outcome says about the claim, and when a run is red."""

import re
from collections.abc import Mapping

import pytest

from fixtures.brokers import Broker
from tests.harness.conftest import CATALOGUE, Project, Run

DEVIATION = '[[claim.deviations]]\nwhen = "version >= 0"\nbecause = "it is different here"\nsource = "there"\n'

HOLDS = "assert True"
REFUTED = "assert False, 'observed'"


#: A test's body, the verdict on its claim, and whether the run is red.
OUTCOMES = {
    "holds": (HOLDS, "holds", False),
    "asserts": (REFUTED, "refuted", True),
    "does_not_raise": ("with pytest.raises(ValueError): pass", "refuted", True),
    "misses_a_deadline": ("scene.wait_until(lambda: False, 'pigs fly', within=0.1)", "refuted", True),
    "has_an_error": ("raise OSError('the arrangement failed')", "not established", True),
    "has_no_queue": ("scene.receiver('late', 'no such queue')", "not established", True),
    "does_not_apply": ("raise NotApplicable('not this broker')", "not applicable", False),
    "is_out_of_reach": ("scene.broker.rabbitmqctl('status')", "not applicable", False),
}


def as_tests(bodies: Mapping[str, str]) -> str:
    """A test with each of these bodies, all of the same claim."""
    return "".join(f'@claim("chapter.claim")\ndef test_{name}(scene):\n    {body}\n' for name, body in bodies.items())


def red(run: Run) -> set[str]:
    """The tests that make a run red."""
    return set(re.findall(r"^(?:FAILED|ERROR) \S+::test_(\w+)", run.output, re.MULTILINE))


def test_outcome_gives_the_verdict(project: Project, broker: Broker) -> None:
    """A failed assertion refutes; what prevents the claim from being put to the test does not."""
    project.tests(as_tests({name: body for name, (body, _, _) in OUTCOMES.items()}))

    run = project.run("--rabbitmq", broker.url)

    assert {case.case.removeprefix("test_"): case.verdict for case in project.results.cases} == {
        name: verdict for name, (_, verdict, _) in OUTCOMES.items()
    }
    assert red(run) == {name for name, (_, _, is_red) in OUTCOMES.items() if is_red}
    assert run.code == pytest.ExitCode.TESTS_FAILED


def test_deviation_expects_the_claim_to_be_refuted(project: Project, broker: Broker) -> None:
    """Where a deviation applies a refuted claim is as expected, and one that holds after all is red."""
    project.catalogue(CATALOGUE + DEVIATION)
    project.tests(as_tests({"refuted": REFUTED, "holds": HOLDS, "has_an_error": "raise OSError"}))

    run = project.run("--rabbitmq", broker.url)

    assert red(run) == {"holds", "has_an_error"}
    assert {case.reason for case in project.results.cases if case.as_expected} == {"it is different here"}
    assert run.output.count("The claim holds, but its deviation says") == 1


@pytest.mark.parametrize(("arguments", "code"), [([], 0), (["--claims-strict"], 1)], ids=["lenient", "strict"])
def test_strict_run_accepts_no_claim_that_was_not_put_to_the_test(
    project: Project, broker: Broker, arguments: list[str], code: int
) -> None:
    """With --claims-strict a claim that is not applicable is red."""
    project.tests(as_tests({"it": 'raise NotApplicable("not this broker")'}))

    run = project.run("--rabbitmq", broker.url, *arguments)

    assert run.code == code
    assert ("--claims-strict is on: not this broker" in run.output) is bool(arguments)


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
