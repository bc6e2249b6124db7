"""The picture of a ledger: what is in it, whatever the ledger holds."""

from collections.abc import Sequence
from xml.etree import ElementTree

import msgspec
import pytest

from fixtures.ledger.declaring import HasNoQueue
from fixtures.ledger.ledger import AnyEvent
from fixtures.ledger.operating import ClosesConnectionOf, Lists, ProposesHeartbeat, SendsRaw
from fixtures.ledger.publishing import Confirmed, NotConfirmed, Publishes, Returned
from fixtures.ledger.receiving import ConnectionClosed, Consumes, FallsSilent, Got, Prints, Settles
from fixtures.report import diagram
from tests.harness.samples import LEDGER, QUEUE


def got(who: str, body: str) -> Got:
    return Got(who=who, queue=QUEUE, body=body)


def drawn(ledger: Sequence[AnyEvent]) -> ElementTree.Element:
    return ElementTree.fromstring(diagram.svg(ledger, "<title>", "what & how"))


def texts(picture: ElementTree.Element, kind: str) -> list[str]:
    return ["".join(found.itertext()) for found in picture.iter("text") if kind in found.get("class", "").split()]


def test_receivers_stand_on_both_sides_of_their_queue() -> None:
    """Sender, first receiver, queue, second receiver, from left to right."""
    heads = {text.text: float(text.get("x", 0)) for text in drawn(LEDGER).iter("text") if text.get("class") == "name"}

    assert sorted(heads, key=lambda name: heads[name]) == ["sender", "idle", "queue 1", "busy"]


def test_messages_that_go_the_same_way_in_a_row_are_one_row() -> None:
    """Each as a number; what was acknowledged at once is marked; a redelivered one has its sign."""
    rows = [(step.who, step.to, step.messages, step.acknowledged) for step in diagram.steps(LEDGER) if step.messages]

    assert rows == [
        ("sender", "queue 1", ["1", "2", "3"], False),
        ("queue 1", "idle", ["1", "3"], True),
        ("queue 1", "busy", ["2"], False),
        ("queue 1", "idle", ["↻2"], False),
    ]
    assert texts(drawn(LEDGER), "body") == ["1", "2", "3", "1", "3", "2", "↻2"]
    assert len(texts(drawn(LEDGER), "ack")) == 1


def test_an_acknowledgement_of_one_of_several_does_not_mark_them_all() -> None:
    """It is a row of its own."""
    ledger = [
        got("idle", "no 1 x"),
        got("idle", "no 2 x"),
        Settles(who="idle", body="no 2 x"),
    ]

    assert [(step.messages, step.acknowledged, step.text) for step in diagram.steps(ledger)] == [
        (["1", "2"], False, ""),
        (["2"], False, "acknowledges"),
    ]


def test_lifeline_shows_silence_and_death() -> None:
    """Dotted from the silence on, all but gone from the end on, which has a cross."""
    picture = drawn(
        [
            Consumes(who="silent", queue=QUEUE, acks="each message", heartbeat=1),
            FallsSilent(who="silent", heartbeat=1),
            ConnectionClosed(who="silent", reason="by the broker"),
        ]
    )

    classes = [path.get("class") for path in picture.iter("path")]
    assert "life silent" in classes
    assert "life dead" in classes
    assert classes.count("end") == 1


def test_every_message_of_many_is_in_the_tooltip() -> None:
    """The picture shows the first ones and the last one."""
    picture = drawn([got("late", f"no {n} x") for n in range(1, 101)])

    assert texts(picture, "more") == ["…"]
    assert texts(picture, "body")[-1] == "100"
    tooltips = [title.text or "" for title in picture.iter("title")]
    assert any("100 messages: 1, 2, 3" in text and "99, 100" in text for text in tooltips)


def test_long_ledger_is_cut_in_the_middle() -> None:
    """And says by how much."""
    picture = drawn([Prints(who="program", text=f"line {n}") for n in range(100)])

    assert "40 more steps, which the ledger has" in "".join(picture.itertext())
    assert "“line 99”" in "".join(picture.itertext())


@pytest.mark.parametrize(
    "event",
    [
        Returned(who="sender", key=QUEUE, body="", code=312, text="NO_ROUTE"),
        HasNoQueue(who="broker", queue=QUEUE),
        ClosesConnectionOf(who="operator", of="busy"),
        Lists(who="rabbitmqctl", queue=QUEUE, ready=1, unacknowledged=2),
        ProposesHeartbeat(who="broker", seconds=60),
        Settles(who="idle", body="no 3 x"),
        SendsRaw(who="nobody", method="Basic.Qos", fields={"why": "<&>"}),
        Got(who="idle", queue=QUEUE, body="<script>alert(1)</script>"),
    ],
    ids=lambda event: event.what,
)
def test_whatever_happened_is_in_the_picture(event: AnyEvent) -> None:
    """Nothing is left out for want of a way to draw it, and nothing is markup that was not meant to be."""
    picture = drawn([event])

    assert len(list(picture.iter("g"))) == 1
    assert not list(picture.iter("script"))


def test_publish_that_is_never_confirmed_is_not_drawn_as_one_that_is() -> None:
    """Its row says so, and what is answered otherwise has a row of its own."""
    sent = [Publishes(who="sender", message=n, key=QUEUE, body=f"no {n} x") for n in (1, 2, 3)]

    rows = [(step.text, step.messages) for step in diagram.steps([*sent, Confirmed(who="sender", message=1)])]
    nacked = [step.text for step in diagram.steps([sent[0], NotConfirmed(who="sender", message=1)])]

    assert rows == [("no confirm", ["1", "2", "3"])]
    assert nacked == ["", "nacked by the broker"]


def test_picture_without_a_step_is_none() -> None:
    """A case that failed before anything happened has no picture."""
    assert diagram.svg([], "", "") == ""


def test_ledgers_that_differ_in_time_only_look_the_same() -> None:
    """So that a page shows them once."""
    later = [msgspec.structs.replace(event, at=event.at + 3) for event in LEDGER]

    assert diagram.appearance(later) == diagram.appearance(LEDGER)
    assert diagram.appearance(LEDGER[:-1]) != diagram.appearance(LEDGER)
