"""Several workers say what one process would have said."""

import pytest

from fixtures.brokers import Broker
from fixtures.suite.workers import scope
from tests.harness.conftest import Project

TEST = '@claim("chapter.claim")\ndef test_it(scene): scene.queue()\n'


def test_what_workers_refuse_is_one_clear_error(project: Project) -> None:
    """Each of them has noticed; it is said once, and nothing is started."""
    project.tests(TEST.replace("chapter.claim", "chapter.clam"))

    project.run("--rabbitmq", "local", "-n", "2").assert_one_clear_error("'chapter.clam'", "near it: chapter.claim")


@pytest.mark.parametrize("workers", [[], ["-n", "1"]], ids=["alone", "with workers"])
def test_the_broker_is_named_once(project: Project, broker: Broker, workers: list[str]) -> None:
    """In the header, or with the matrix where no header could know it yet."""
    project.tests(TEST)

    run = project.run("--rabbitmq", broker.url, *workers)

    assert run.code == 0, run.output
    assert run.output.count(f"{broker.product} {broker.version}") == 1, run.output


def test_a_partys_claims_go_to_one_worker_and_the_suites_own_tests_by_module() -> None:
    """Whatever broken broker of it they are put to the test on: they share its restarts, and nothing else does."""
    parties = {"4.0": "4.0", "4.0+none": "4.0", "4.0+none-of-it": "4.0", "local": "local"}
    together = ["tests/test_a.py::test_one[4.0]", "tests/test_b.py::test_two[4.0+none-of-it-classic]"]
    apart = [
        "tests/test_a.py::test_one[local]",
        "tests/harness/test_a.py::test_one[4.0]",
        "tests/harness/test_b.py::test_two[4.0-x]",
        "tests/harness/test_a.py::test_one",
    ]

    assert {scope(nodeid, parties) for nodeid in together} == {"4.0"}
    assert len({scope(nodeid, parties) for nodeid in together[:1] + apart}) == 1 + len(apart)
    assert scope(apart[3], parties) == scope("tests/harness/test_a.py::test_other[x]", parties)
