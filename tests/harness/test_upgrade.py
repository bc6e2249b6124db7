"""Upgrades in place: what can be asked for, what is expected across two versions, and two that really happen."""

import pytest

from fixtures.brokers.targets import parse, upgraded
from fixtures.claims.catalogue import Deviation
from fixtures.report import matrix
from fixtures.suite.expectations import Expectation, across
from tests.harness import samples
from tests.harness.conftest import CATALOGUE, Project

FLAG = "--upgrade-from"
NAME = "4.1 upgraded from 3.13"


@pytest.mark.parametrize(
    ("target", "older", "name", "test_id"),
    [
        ("4.1", "3.13", "4.1 upgraded from 3.13", "4.1-from-3.13"),
        ("4.1.4", "4.1", "4.1.4 upgraded from 4.1", "4.1.4-from-4.1"),
        ("latest", "4.1", "latest upgraded from 4.1", "latest-from-4.1"),
        ("image:a/b:2", "image:a/b:1", "image:a/b:2 upgraded from image:a/b:1", "image:a/b:2-from-image:a/b:1"),
        ("4.1+my.conf", "3.13", "4.1+my.conf upgraded from 3.13", "4.1+my.conf-from-3.13"),
    ],
)
def test_upgrade_is_named_after_both_versions(target: str, older: str, name: str, test_id: str) -> None:
    """In a test's id without spaces. Which tags are older is known as far as they say; the rest is seen later."""
    found = upgraded(parse(target), older, FLAG)

    assert (found.name, found.id) == (name, test_id)


@pytest.mark.parametrize(
    ("target", "older", "words"),
    [
        ("3.10", "4.0", r"--upgrade-from '4.0': it is newer than --rabbitmq '3.10', that is a downgrade"),
        ("4.0.3", "4.0.12", "it is newer than --rabbitmq '4.0.3', that is a downgrade"),
        ("4.1", "4.1", "--rabbitmq is the same"),
        ("4.1+my.conf", "4.1", "--rabbitmq is the same"),
        ("4.1-management", "4.1", "it is the version of --rabbitmq '4.1-management'"),
        ("4.1", "3,13", "--upgrade-from '3,13' is no target"),
        ("4.1", "local", "--upgrade-from 'local': an upgrade needs containers of two versions"),
        ("4.1", "3.13+my.conf", "--upgrade-from '3.13.my.conf': both versions are started with the same files"),
        ("local", "3.13", "--rabbitmq 'local': an upgrade needs containers"),
        ("auto", "3.13", "--rabbitmq 'auto': an upgrade needs containers"),
        ("amqp://user:secret@host", "3.13", "--rabbitmq 'amqp://host': an upgrade needs containers"),
    ],
)
def test_what_is_no_upgrade_is_refused(target: str, older: str, words: str) -> None:
    """One line says what was given, and what is allowed."""
    with pytest.raises(pytest.UsageError, match=words):
        upgraded(parse(target), older, FLAG)


@pytest.mark.parametrize(("version", "heading"), [("4.1.8", "4.1.8 upgraded from 3.13"), ("3.13.7", NAME)])
def test_heading_has_the_newer_version_if_the_upgrade_was_not_refused(version: str, heading: str) -> None:
    """The older one would seem to be what the claims were put to the test on."""
    assert matrix.heading(samples.target(version, NAME)) == heading


def test_downgrade_is_one_clear_error(project: Project) -> None:
    """Nothing is started for it."""
    project.run("--rabbitmq", "3.10", FLAG, "4.0").assert_one_clear_error(FLAG, "'4.0'", "that is a downgrade")


DEVIATION = Deviation(when="version < 4.0", because="it was so before 4.0", source="nowhere")
ANOTHER = Deviation(when="version >= 4.0", because="it is so since 4.0", source="nowhere")
OF_UPGRADES = Deviation(when="upgraded_from < 4.0", because="it does not go over", source="nowhere")
REFUTED = Expectation("refuted", DEVIATION)


@pytest.mark.parametrize(
    ("before", "after", "across_both"),
    [
        (Expectation(), Expectation(), Expectation()),
        (REFUTED, REFUTED, REFUTED),
        (REFUTED, Expectation(), Expectation("unknown", DEVIATION)),
        (Expectation(), REFUTED, Expectation("unknown", DEVIATION)),
        (REFUTED, Expectation("refuted", ANOTHER), Expectation("unknown", ANOTHER)),
        (Expectation(), Expectation("refuted", OF_UPGRADES), Expectation("refuted", OF_UPGRADES)),
        (
            Expectation("not applicable", not_applicable="no"),
            REFUTED,
            Expectation("not applicable", not_applicable="no"),
        ),
        (
            REFUTED,
            Expectation("not applicable", not_applicable="no"),
            Expectation("not applicable", not_applicable="no"),
        ),
        (REFUTED, Expectation("anything", because="yours"), Expectation("anything", because="yours")),
    ],
)
def test_what_is_expected_across_an_upgrade(before: Expectation, after: Expectation, across_both: Expectation) -> None:
    """What both versions do; unknown where only one of them is known to deviate; nothing where one cannot do it."""
    assert across(before, after) == across_both


SURVIVES = """
def message(scene):
    queue = scene.queue()
    queue.publish("here", persistent=True)
    return queue, scene.broker.version

@claim("chapter.claim")
@after_restart(message, Restart.CLEAN)
def test_survives(scene, arranged):
    queue, before = arranged
    if before >= scene.broker.version: raise NotEstablished("it was not upgraded")
    assert queue.drain().bodies == ["here"]

@claim("chapter.claim")
def test_before_all_others(scene):
    [restart] = scene.broker.restarts
    assert restart.kind == "upgrade"
"""

#: Of the published versions: an upgrade that RabbitMQ lets happen, and one that it refuses.
ALLOWED, NOT_ALLOWED = ("4.3", "4.0"), ("4.0", "3.10")


@pytest.mark.slow
def test_upgrade_that_loses_messages_is_noticed(project: Project, docker_daemon: None) -> None:
    """An honest one keeps them, and is there before all other tests; one that loses them is refuted."""
    newer, older = ALLOWED
    project.catalogue(CATALOGUE + 'refuted_by = ["persistence-dropped"]\n')
    project.tests(SURVIVES)

    sabotages = ("--sabotage", "none", "--sabotage", "persistence-dropped")
    run = project.run("--rabbitmq", newer, FLAG, older, *sabotages, "--claims-report=report")

    assert run.code == 0, run.output
    assert "1 of 1 sabotages are noticed, with 1 of the 1 refutations asked for." in run.output
    verdicts = {(case.parameters.get("turn"), case.target): case.verdict for case in project.results.cases}
    honest, broken = (f"{newer} upgraded from {older}+{name}" for name in ("none", "persistence-dropped"))
    assert verdicts == {
        ("upgrade", honest): "holds",
        ("upgrade", broken): "refuted",
        (None, honest): "holds",
        (None, broken): "holds",
    }
    [before, after] = project.results.target(honest).notes
    assert before.startswith("before the upgrade, on 4.0.")
    assert after.startswith("after it, on 4.3.")
    assert "these feature flags were enabled: " in after
    assert project.results.target(honest).restarts[0].proof.startswith("4.0.")


@pytest.mark.slow
def test_upgrade_that_rabbitmq_refuses_is_told_once_in_its_own_words(project: Project, docker_daemon: None) -> None:
    """The run ends with it and fails, the results have it as the reason of the one case that met it."""
    newer, older = NOT_ALLOWED
    project.tests(SURVIVES)

    run = project.run("--rabbitmq", newer, FLAG, older, "--claims-report=report")

    assert run.code == pytest.ExitCode.TESTS_FAILED, run.output
    assert "Traceback" not in run.output
    assert "1 error in" in run.output
    [case] = project.results.cases
    assert case.verdict == "not established"
    assert case.reason.startswith("the upgrade of RabbitMQ 3.10.")
    assert "required feature flag not enabled! It must be enabled before upgrading" in case.reason.splitlines()[0]
    assert not project.results.complete
    assert matrix.heading(project.results.targets[0]) == f"{newer} upgraded from {older}"
