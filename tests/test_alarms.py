"""Alarms: what a broker that is low on memory or disk space does to those who publish, and to those who do not.

From RabbitMQ's pages on alarms and on blocked connections. An alarm is raised once for all these tests, by a limit that
the broker is beyond already; each arrangement goes on at its `yield`, while the alarm is there. Whoever declares and
looks there publishes nothing, because a connection that is blocked is not answered either.
"""

from collections.abc import Generator
from dataclasses import dataclass

from fixtures.vocabulary import (
    Closed,
    Confirmed,
    Message,
    Outcome,
    Publisher,
    Queue,
    QueueType,
    Scene,
    Sent,
    after_alarm,
    claim,
    queue_types,
    refusal,
)


def connected(scene: Scene, name: str) -> Publisher:
    """A publisher whose connection is open."""
    publisher = scene.publisher(name)
    publisher.settle()
    return publisher


def is_told(scene: Scene, publisher: Publisher) -> str:
    """What the broker says to a publisher that it blocks; empty if it says nothing."""
    scene.comes_true(lambda: publisher.blocked, f"{publisher.name} is told that it is blocked")
    return publisher.blocked


def is_blocked(scene: Scene, publisher: Publisher) -> None:
    """Waits until a publisher is told that it is blocked, which shows that the alarm is there."""
    scene.wait_until(lambda: publisher.blocked, f"{publisher.name} is told that it is blocked")


# Those who publish.


def two_publish_one_after_the_other(scene: Scene) -> Generator[None, None, tuple[str, str, str]]:
    """What the first is told after it has published, and the second before and after."""
    queue = scene.queue()
    first, second = connected(scene, "first"), connected(scene, "second")
    yield
    first.send(queue, "no 1 Hello")
    first_is_told = is_told(scene, first)
    second.settle()
    before = second.blocked
    second.send(queue, "no 2 Hello")
    return first_is_told, before, is_told(scene, second)


@claim("alarms.told-at-the-first-publish")
@after_alarm(two_publish_one_after_the_other)
def test_a_publisher_is_told_when_it_publishes(arranged: tuple[str, str, str]) -> None:
    """The second hears nothing of it before it publishes too, though the broker answers it."""
    first, before, second = arranged

    assert (first != "", before, second != "") == (True, "", True)


@claim("alarms.say-what-is-low")
@after_alarm(two_publish_one_after_the_other)
def test_a_publisher_is_told_what_is_low(arranged: tuple[str, str, str], turn: str) -> None:
    """Memory in the one alarm, disk in the other."""
    first, _, second = arranged

    assert (first, second) == (f"low on {turn.removesuffix('-alarm')}",) * 2


@dataclass
class During:
    """A message that was published during the alarm, and how things stood when its publisher was blocked."""

    publisher: Publisher
    queue: Queue
    message: Message
    outcome: Outcome
    ready: int


def one_publishes(scene: Scene, queue_type: QueueType) -> Generator[None, None, During]:
    """It is blocked; somebody else looks whether its message is in the queue."""
    queue = scene.queue(queue_type)
    publisher = connected(scene, "publisher")
    yield
    message = publisher.send(queue, "no 1 during the alarm")
    is_blocked(scene, publisher)
    return During(publisher, queue, message, message.outcome, queue.ready)


@claim("alarms.confirms-wait")
@queue_types
@after_alarm(one_publishes)
def test_a_confirm_waits_for_the_end_of_the_alarm(arranged: During) -> None:
    """During the alarm the message is neither confirmed nor in its queue; after it, it is both."""
    [then] = arranged.publisher.wait_for(arranged.message)

    assert (arranged.outcome, arranged.ready) == (Sent(), 0)
    assert then == Confirmed()
    assert arranged.queue.drain().numbers == [1]


@claim("alarms.told-when-over")
@queue_types
@after_alarm(one_publishes)
def test_a_publisher_is_told_that_the_alarm_is_over(scene: Scene, arranged: During) -> None:
    """connection.unblocked, and then messages are confirmed as ever."""
    publisher = arranged.publisher

    scene.wait_until(lambda: not publisher.blocked, "it is told that it is blocked no more")

    assert publisher.try_publish(arranged.queue, "no 2 after the alarm") == [Confirmed()]


def one_gives_up(scene: Scene, queue_type: QueueType) -> Generator[None, None, Queue]:
    """The queue to which it has published."""
    queue = scene.queue(queue_type)
    publisher = connected(scene, "publisher")
    yield
    publisher.send(queue, "no 1 given up")
    is_blocked(scene, publisher)
    publisher.give_up()
    return queue


@claim("alarms.given-up-comes-after-all")
@queue_types
@after_alarm(one_gives_up)
def test_a_message_that_was_given_up_comes_after_all(scene: Scene, arranged: Queue) -> None:
    """Its sender has closed his connection without waiting for a confirm; after the alarm it is delivered."""
    receiver = scene.receiver("receiver", arranged)

    scene.wait_for_deliveries(1)

    assert receiver.numbers == [1]


# Those who do not.


def one_receives(scene: Scene, queue_type: QueueType) -> Generator[None, None, list[int]]:
    """What has come by the time when message 2 has, which waits for the acknowledgement of message 1."""
    queue, other = scene.queue(queue_type), scene.queue(queue_type)
    publisher = connected(scene, "publisher")
    queue.publish("no 1 before the alarm", "no 2 before the alarm")
    receiver = scene.receiver("receiver", queue, acks=False, prefetch=1)
    scene.wait_until(lambda: receiver.numbers == [1], "message 1 is there")
    yield
    publisher.send(other, "no 3 during the alarm")
    is_blocked(scene, publisher)
    receiver.ack(1)
    scene.comes_true(lambda: receiver.numbers == [1, 2], "message 2 is there")
    return receiver.numbers


@claim("alarms.receivers-go-on")
@queue_types
@after_alarm(one_receives)
def test_a_receiver_goes_on(arranged: list[int]) -> None:
    """During the alarm its ack is heard, and the next message comes."""
    assert arranged == [1, 2]


def one_declares(scene: Scene, queue_type: QueueType) -> Generator[None, None, tuple[Closed | None, str]]:
    """How he is refused, if he is, and what he is told."""
    queue = scene.queue(queue_type)
    publisher = connected(scene, "publisher")
    yield
    publisher.send(queue, "no 1 during the alarm")
    is_blocked(scene, publisher)
    other = connected(scene, "other")
    return refusal(lambda: scene.queue(queue_type, by=other).delete()), other.blocked


@claim("alarms.others-go-on")
@queue_types
@after_alarm(one_declares)
def test_who_publishes_nothing_goes_on(arranged: tuple[Closed | None, str]) -> None:
    """He connects, declares a queue and deletes it, during the alarm."""
    assert arranged == (None, "")
