"""Several workers say what one process would have said."""

import pytest

from fixtures.brokers import Broker
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
