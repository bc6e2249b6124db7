"""The time limit of a test: a last resort against a hang, not a hurdle for whoever pays for others."""

import pytest

from fixtures.brokers import Broker
from tests.harness.conftest import Project

SLEEPS = '@claim("chapter.claim")\ndef test_it(scene): time.sleep(2)\n'


@pytest.mark.parametrize(
    ("arguments", "verdict"),
    [
        ([], "not established"),
        (["--rabbitmq-patience=10"], "holds"),
        (["--rabbitmq-boot-timeout=60"], "holds"),
        (["--rabbitmq-patience=10", "--timeout=1"], "not established"),
    ],
)
def test_limit_stretches_as_every_deadline(
    project: Project, broker: Broker, arguments: list[str], verdict: str
) -> None:
    """By the patience, and by what a broker may take to boot; but somebody's own wish is a wish."""
    project.tests(SLEEPS)

    run = project.run("--rabbitmq", broker.url, "-o", "timeout=0.5", "-o", "rabbitmq_boot_timeout=0.5", *arguments)

    assert [case.verdict for case in project.results.cases] == [verdict], run.output


def test_arrangements_have_a_time_limit_each(project: Project, broker: Broker) -> None:
    """Who looks first pays for all of them, and one that hangs costs its own test only."""
    project.tests(
        "def slow(scene): time.sleep(1)\n"
        "def hangs(scene): time.sleep(30)\n"
        '@claim("chapter.claim")\n@pytest.mark.parametrize("n", range(5))\n@after_silence(slow)\n'
        "def test_slow(arranged, n): time.sleep(0.2)\n"
        '@claim("chapter.claim")\n@after_silence(hangs)\ndef test_hangs(arranged): pass\n'
        '@claim("chapter.claim")\n@after_silence(slow)\ndef test_another(arranged): pass\n'
    )

    run = project.run("--rabbitmq", broker.url, "--timeout=4.5")

    verdicts = {case.case: (case.verdict, case.reason) for case in project.results.cases}
    assert verdicts.pop("test_hangs[silence]") == ("not established", "Timeout (>4.5s) from pytest-timeout.")
    assert set(verdicts.values()) == {("holds", "")}, run.output
    assert len(verdicts) == 6
