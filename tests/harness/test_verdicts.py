"""Verdicts: what a test's outcome says about the claim, and when a run is red."""

import re
from collections.abc import Mapping

import pytest

from fixtures.brokers import Broker
from fixtures.brokers.targets import parse
from tests.harness.conftest import CATALOGUE, Project, Run

DEVIATION = '[[claim.deviations]]\nwhen = "version >= 0"\nbecause = "it is different here"\nsource = "there"\n'

OTHER = CATALOGUE[CATALOGUE.index("[[claim]]") :].replace("chapter.claim", "chapter.other")

HOLDS = "assert True"
REFUTED = "assert False, 'observed'"


#: A test's body, the verdict on its claim, and whether the run is red.
OUTCOMES = {
    "holds": (HOLDS, "holds", False),
    "asserts": (REFUTED, "refuted", True),
    "is_not_refused": ("assert refusal(lambda: scene.queue()) == Closed('channel', 406)", "refuted", True),
    "does_not_raise": ("with pytest.raises(ValueError): pass", "not established", True),
    "is_refused": ("scene.exchange('no-such-type')", "not established", True),
    "misses_a_deadline": ("scene.wait_until(lambda: False, 'pigs fly', within=0.1)", "refuted", True),
    "has_an_error": ("raise OSError('the arrangement failed')", "not established", True),
    "has_no_queue": ("scene.receiver('late', scene.undeclared_queue())", "not established", True),
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
    assert "is confirmed: message 1" in output


NEED = '[[claim.needs]]\nwhen = "{when}"\nbecause = "it came later"\nsource = "there"\n'


def test_arrangements_share_a_restart_and_nothing_else(project: Project, target_name: str) -> None:
    """One that fails fails its own test only. One that does not apply is not made: the broker may not be able to.

    The run's restarts are counted once.
    """
    project.catalogue(CATALOGUE + OTHER + NEED.format(when="version >= 99"))
    project.tests(
        "def broken(scene): raise OSError('no')\n"
        "def never(scene): Path('ran').touch()\n"
        "def sound(scene): return scene.queue()\n"
        '@claim("chapter.claim")\n@after_restart(broken, Restart.APP)\ndef test_broken(scene, arranged): pass\n'
        '@claim("chapter.claim")\n@after_restart(sound, Restart.APP)\n'
        "def test_sound(scene, arranged):\n"
        "    assert arranged.exists\n    assert len(scene.broker.restarts) == 1\n"
        '@claim("chapter.other")\n@after_restart(never, Restart.APP)\ndef test_other(scene, arranged): pass\n'
    )

    run = project.run("--rabbitmq", target_name)

    assert "1 passed, 1 skipped, 1 error" in run.output, run.output
    assert not (project.folder / "ran").exists()


@pytest.mark.parametrize(
    ("when", "expected", "code", "reason"),
    [
        ("version >= 99", "not applicable", 0, "it came later (version is "),
        ("deprecated.no_such_feature == permitted", "holds", 1, "cannot be found out here"),
        ("version >= 0", "holds", 0, ""),
    ],
    ids=["unmet", "unknown", "met"],
)
def test_strict_run_accepts_what_is_not_applicable_only_where_an_entry_says_so(
    project: Project, broker: Broker, when: str, expected: str, code: int, reason: str
) -> None:
    """Where a need is not met the test is not run; where nobody knows whether it is met, that is no excuse."""
    project.catalogue(CATALOGUE + NEED.format(when=when))
    project.tests('@claim("chapter.claim")\ndef test_it(scene): Path("ran").touch()\n')

    run = project.run("--rabbitmq", broker.url, "--claims-strict")

    assert run.code == code, run.output
    [case] = project.results.cases
    assert (case.verdict, case.expected) == ("not applicable" if reason else "holds", expected)
    assert reason in case.reason
    assert (project.folder / "ran").exists() is (not reason)


def test_need_of_some_cases_is_no_need_of_the_others(project: Project, broker: Broker) -> None:
    """They are put to the test."""
    project.catalogue(CATALOGUE + NEED.format(when="version >= 99") + 'cases = "n == 1"\n')
    project.tests('@claim("chapter.claim")\n@pytest.mark.parametrize("n", [1, 2])\ndef test_it(scene, n): pass\n')

    project.run("--rabbitmq", broker.url)

    assert [case.verdict for case in project.results.cases] == ["not applicable", "holds"]


@pytest.mark.parametrize(("body", "code"), [(REFUTED, 0), (HOLDS, 0), ("raise OSError", 1)])
def test_deviation_that_may_apply_expects_either(project: Project, broker: Broker, body: str, code: int) -> None:
    """Refuted and holding are both as expected, but the claim has to be put to the test."""
    project.catalogue(CATALOGUE + DEVIATION + "may = true\n")
    project.tests(f'@claim("chapter.claim")\ndef test_it(scene):\n    {body}\n')

    run = project.run("--rabbitmq", broker.url)

    assert run.code == code, run.output
    [case] = project.results.cases
    assert (case.expected, case.as_expected) == ("either", code == 0)
    assert (case.reason == "it is different here") == (code == 0)


@pytest.mark.parametrize(("when", "body", "mend"), [(">=", HOLDS, "leave out"), ("<", REFUTED, "take in")])
def test_boundary_that_nobody_had_tried_says_how_to_mend_it(
    project: Project, broker: Broker, when: str, body: str, mend: str
) -> None:
    """On a version between two that were tried, whichever side of the boundary it turns out to be on."""
    deviation = DEVIATION.replace(">= 0", f"{when} 0.5") + 'seen = "{}"\n'
    project.tests(f'@claim("chapter.claim")\ndef test_it(scene):\n    {body}\n')
    project.catalogue(CATALOGUE + deviation.format("0.1, 99"))

    run = project.run("--rabbitmq", broker.url)

    assert run.code == 1
    version = project.results.targets[0].version
    assert f"Nobody had tried {version} yet, only 0.1 and 99: change `version {when} 0.5`" in run.output
    assert f"so that it will {mend} {version}" in run.output
    project.catalogue(CATALOGUE + deviation.format("0.1, 0.2"))
    assert "Nobody had tried" not in project.run("--rabbitmq", broker.url).output


@pytest.mark.parametrize(
    ("strict", "arguments", "code"),
    [(False, [], 0), (True, [], 1), (True, ["--claim", "chapter.claim"], 0)],
    ids=["lenient", "strict", "left-out-by-the-user"],
)
def test_claim_that_stands_without_its_control_is_reported(
    project: Project, broker: Broker, strict: bool, arguments: list[str], code: int
) -> None:
    """It holds, but so might anything: nothing came out the other way. Who runs it alone has wanted that."""
    controlled = CATALOGUE + 'control = ["chapter.other"]\n'
    project.catalogue(controlled + OTHER + NEED.format(when="version >= 99"))
    project.tests(
        '@claim("chapter.claim")\ndef test_claim(scene): pass\n@claim("chapter.other")\ndef test_other(scene): pass\n'
    )

    run = project.run("--rabbitmq", broker.url, *arguments, *(["--claims-strict"] if strict else []))

    assert run.code == code, run.output
    said = "its control chapter.other was not put to the test: not applicable, it came later"
    assert (said in " ".join(run.output.split())) is (not arguments)


def test_parameter_that_is_called_as_the_target_stays_in_the_cases_name(project: Project, broker: Broker) -> None:
    """Only the target itself is taken out, wherever else its name stands."""
    target = parse(broker.url).id
    project.tests(
        '@claim("chapter.claim")\n@pytest.mark.parametrize("turn_to", ["left", "right"])\n'
        f'@pytest.mark.parametrize("address", [1], ids=["{target}"])\ndef test_it(scene, address, turn_to): pass\n'
    )

    project.run("--rabbitmq", broker.url)

    assert [case.case for case in project.results.cases] == [f"test_it[{target}-left]", f"test_it[{target}-right]"]


CONF = 'conf = ["heartbeat = 33"]\n'


def test_claims_with_the_same_settings_share_one_more_broker(project: Project, target_name: str) -> None:
    """It is the same target to whoever reads the results; its restarts are not those of the other broker.

    Settings that a version does not know are not tried: whether such a claim applies is asked of the broker without
    them, also if it comes first. One with them would not start.
    """
    unknown = 'conf = ["no.such.setting = 33"]\n' + NEED.format(when="version >= 99")
    others = [OTHER.replace("other", name) for name in ("other", "third", "unknown")]
    project.catalogue(CATALOGUE + others[0] + CONF + others[1] + CONF + others[2] + unknown)
    project.tests(
        '@claim("chapter.unknown")\ndef test_unknown(scene): Path("ran").touch()\n'
        "def arrange(scene): return scene.queue()\n"
        '@claim("chapter.claim")\n@after_restart(arrange, Restart.APP)\n'
        "def test_claim(scene, arranged):\n"
        "    assert scene.heartbeat_proposed() == 60\n    assert len(scene.broker.restarts) == 1\n"
        '@claim("chapter.other")\ndef test_other(scene):\n'
        "    assert scene.heartbeat_proposed() == 33\n    assert not scene.broker.restarts\n"
        "    Path('other').write_text(scene.broker.url)\n"
        '@claim("chapter.third")\n@after_restart(arrange, Restart.APP)\n'
        "def test_third(scene, arranged):\n"
        "    assert scene.heartbeat_proposed() == 33\n    assert len(scene.broker.restarts) == 1\n"
        "    assert Path('other').read_text() == scene.broker.url\n"
    )

    run = project.run("--rabbitmq", target_name, "--claims-strict")

    assert run.code == 0, run.output
    assert not (project.folder / "ran").exists()
    assert "and 2 more with settings that claims need" in run.output
    found = project.results
    assert [target.name for target in found.targets] == [target_name]
    assert [restart.kind for restart in found.targets[0].restarts] == ["app"]
    assert {(case.claim, case.target, case.conf, case.verdict, case.expected) for case in found.cases} == {
        ("chapter.claim", target_name, (), "holds", "holds"),
        ("chapter.other", target_name, ("heartbeat = 33",), "holds", "holds"),
        ("chapter.third", target_name, ("heartbeat = 33",), "holds", "holds"),
        ("chapter.unknown", target_name, ("no.such.setting = 33",), "not applicable", "not applicable"),
    }


def test_claim_that_needs_settings_does_not_apply_to_somebody_elses_broker(project: Project, broker: Broker) -> None:
    """Nobody changes its settings, and that is as expected."""
    project.catalogue(CATALOGUE + CONF)
    project.tests('@claim("chapter.claim")\ndef test_it(scene): Path("ran").touch()\n')

    run = project.run("--rabbitmq", broker.url, "--claims-strict")

    assert run.code == 0, run.output
    assert "it needs heartbeat = 33, and the broker is somebody else's" in project.results.cases[0].reason
    assert not (project.folder / "ran").exists()
