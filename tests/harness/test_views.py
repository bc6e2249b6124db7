"""A ledger is enough to judge again: who got what is rebuilt from it, without a broker."""

import json
from collections.abc import Callable

import pytest

from fixtures.brokers import Broker
from fixtures.ledger.event import LongBody, body_of
from fixtures.ledger.ledger import from_json, to_json
from fixtures.ledger.receiving import Got
from fixtures.ledger.views import observed, views
from fixtures.report.results import Case
from tests.harness.conftest import Project
from tests.harness.samples import LEDGER

ROUND_ROBIN = """
@claim("chapter.claim")
@pytest.mark.parametrize("messages", [6, 10])
def test_it(scene, messages):
    queue = scene.queue()
    first, second = scene.receiver("first", queue), scene.receiver("second", queue, acks=False)
    queue.publish(*numbered(messages))
    scene.wait_for_deliveries(messages)
    first.close()
    second.close()
    queue.wait_for(messages // 2)
    queue.drain()
    assert len(first.numbers) == len(second.numbers)
"""


def test_views_are_those_of_the_receivers() -> None:
    """By name, in the order in which they began."""
    found = views(LEDGER)

    assert list(found) == ["idle", "busy"]
    assert found["idle"].numbers == [1, 3, 2]
    assert found["idle"].redelivered == [2]
    assert found["busy"].bodies == ["no 2 Hello Basic Sender"]
    assert observed(LEDGER) == "idle got 1, 3, 2*; busy got 2 (crashes: socket aborted)"


def round_robin(case: Case) -> bool:
    """The claim, judged by what a file says: each second message is the second receiver's."""
    found = views(case.ledger)
    everything = list(range(1, int(case.parameters["messages"]) + 1))
    return found["first"].numbers == everything[::2] and found["second"].numbers == everything[1::2]


def in_pairs(case: Case) -> bool:
    """Another claim, which this broker does not keep: messages are dealt two at a time."""
    return views(case.ledger)["first"].numbers[:3] == [1, 2, 5]


def test_of_very_many_messages_the_first_and_the_last_are_named() -> None:
    """A sentence stays one that somebody reads."""
    got = next(event for event in LEDGER if isinstance(event, Got))

    said = observed([got] * 1000)

    assert said.startswith("idle got 1, 1, ")
    assert "1, … 950 more …, 1" in said
    assert len(said) < 200


@pytest.mark.parametrize(("judge", "verdict"), [(round_robin, True), (in_pairs, False)])
def test_claim_is_judged_again_from_a_stored_ledger(
    project: Project, broker: Broker, judge: Callable[[Case], bool], verdict: bool
) -> None:
    """A run's file is all that it takes; it says the same as the run did."""
    project.tests(ROUND_ROBIN)
    project.run("--rabbitmq", broker.url)

    cases = project.results.cases

    assert [judge(case) for case in cases] == [verdict, verdict]
    assert [observed(case.ledger) for case in cases] == [case.observed for case in cases]
    assert all(case.observed for case in cases)


def test_ledger_in_a_file_is_the_ledger() -> None:
    """Nothing is lost on the way into JSON and back."""
    assert from_json(json.loads(json.dumps(to_json(LEDGER)))) == LEDGER


@pytest.mark.parametrize("content", [b"x" * 61, b"y" * 61, b"\xff", b"\xfe"], ids=repr)
def test_bodies_that_are_shortened_keep_an_identity(content: bytes) -> None:
    """Two of the same size are told apart, and the same one is known again; short texts are kept as they are."""
    kept = body_of(content)

    assert isinstance(kept, LongBody)
    assert kept.size == len(content)
    assert kept == body_of(content)
    others = [other for other in (b"x" * 61, b"y" * 61, b"\xff", b"\xfe") if other != content]
    assert kept not in [body_of(other) for other in others]
    assert body_of(b"x" * 60) == "x" * 60
