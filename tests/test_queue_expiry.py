"""Queues that expire: what counts as use of a queue, and what becomes of what was in it.

From RabbitMQ's page on time-to-live. All queues wait for the same eight seconds. A quorum queue looks only every five
seconds whether it was used.
"""

import time
from collections.abc import Callable, Generator, Iterator
from typing import TypeVar

import pytest

from fixtures.vocabulary import (
    Closed,
    NotEstablished,
    Queue,
    QueueType,
    Receiver,
    Scene,
    Taken,
    after_time,
    claim,
    numbered,
    queue_types,
    refusal,
)

T = TypeVar("T")

#: How long a queue may be unused, in milliseconds: a quorum queue, which is looked at every five seconds.
SOON = 1000
#: The same for one that is used every 0.8 s, or that would be if that were a use of it; and for a classic queue.
LEASE = 2500
#: One that no test lives to see.
LATER = 600_000
#: For so many seconds a queue is used: a quorum queue with an expiry of `SOON` that was not used is gone by then.
LONG = 7.0


def soon(queue_type: QueueType) -> int:
    """How many milliseconds a queue may be unused that expires in these eight seconds, and not while it is arranged."""
    return LEASE if queue_type == "classic" else SOON


def again_and_again(use: Callable[[], object]) -> Iterator[None]:
    """Do it every 0.8 s, for `LONG`.

    Raises:
        NotEstablished: it was done too late, so that the queue may have expired.
    """
    began = last = time.monotonic()
    while last - began < LONG:
        use()
        yield
        now = time.monotonic()
        if now - last > LEASE / 1000:
            raise NotEstablished(f"the queue was not used for {now - last:.1f} s: the machine is too busy")
        last = now


def begins_now(scene: Scene) -> Iterator[None]:
    """Wait until all others have arranged what they have to, and do what takes long before that."""
    scene.sender.settle()  # it has its connection
    yield


def established(looked: T | None) -> T:
    """What an arrangement saw when it had used its queue for long enough.

    Raises:
        NotEstablished: it did not get that far.
    """
    if looked is None:
        raise NotEstablished("the queue was not used for long enough: the machine is too busy")
    return looked


def becomes_gone(scene: Scene, queue: Queue) -> None:
    """See it gone, or, if the broker has been busy, wait a little more."""
    scene.wait_until(lambda: not queue.exists, f"{queue.name} is gone", within=3.0)


# A queue that is not used.


def unused(scene: Scene, queue_type: QueueType) -> Queue:
    queue = scene.queue(queue_type, expires=soon(queue_type))
    queue.publish(*numbered(3))
    return queue


@claim("queue-expiry.unused-is-deleted")
@queue_types
@after_time(unused)
def test_a_queue_that_is_not_used_is_deleted(scene: Scene, arranged: Queue) -> None:
    """Declared with an expiry of a second or two, it is not there any more, and neither are its three messages."""
    becomes_gone(scene, arranged)

    scene.queue(arranged.type, same_as=arranged)
    late = arranged.drain()
    assert late.numbers == []


def unused_with_dead_letters(scene: Scene, queue_type: QueueType) -> tuple[Queue, Queue]:
    end = scene.queue(queue_type)
    queue = scene.queue(queue_type, expires=soon(queue_type), dead_letters_to=end)
    queue.publish(*numbered(3))
    return queue, end


@claim("queue-expiry.no-dead-letters")
@queue_types
@after_time(unused_with_dead_letters)
def test_what_was_in_an_expired_queue_is_no_dead_letter(scene: Scene, arranged: tuple[Queue, Queue]) -> None:
    """The queue had three messages and a dead letter exchange; nothing has arrived there."""
    queue, end = arranged
    becomes_gone(scene, queue)

    late = end.drain()

    assert late.numbers == []


def policy_for_longer(scene: Scene) -> tuple[Queue, Queue]:
    queue = scene.undeclared_queue("quorum")
    scene.operator.policy(queue, {"expires": LATER})
    scene.queue("quorum", expires=SOON, same_as=queue)
    return queue, scene.queue("quorum", expires=SOON)


@claim("queue-expiry.policy-prolongs-nothing")
@after_time(policy_for_longer)
def test_a_policy_does_not_prolong_a_queue(scene: Scene, arranged: tuple[Queue, Queue]) -> None:
    """Declared with one second, under a policy of ten minutes, it is gone like one without a policy, declared later."""
    queue, without_policy = arranged

    becomes_gone(scene, without_policy)

    scene.wait_until(lambda: not queue.exists, f"{queue.name} is gone", within=1.0)


# What is a use of a queue, and what is none.


def only_published_to(scene: Scene, queue_type: QueueType) -> Generator[None, None, bool]:
    yield from begins_now(scene)
    queue = scene.queue(queue_type, expires=soon(queue_type))
    queue.publish("no 1 is confirmed")
    yield from again_and_again(lambda: queue.try_publish("no 2 and all the others", confirm=False))
    return not queue.exists


@claim("queue-expiry.publishing-is-no-use")
@queue_types
@after_time(only_published_to)
def test_publishing_to_a_queue_is_no_use_of_it(arranged: bool | None) -> None:
    """Somebody has published to it every 0.8 s; it is gone."""
    assert established(arranged)


def with_a_receiver(scene: Scene, queue_type: QueueType) -> tuple[Queue, Receiver]:
    undeclared = scene.undeclared_queue(queue_type)
    waits = scene.receiver("waits", undeclared, consumes=False)  # it has its connection
    queue = scene.queue(queue_type, expires=soon(queue_type), same_as=undeclared)
    waits.consume()
    return queue, waits


@claim("queue-expiry.consumer-keeps-it")
@queue_types
@after_time(with_a_receiver)
def test_a_consumer_keeps_its_queue(scene: Scene, arranged: tuple[Queue, Receiver]) -> None:
    """It has waited in vain for far longer than the queue may be unused, and gets what comes now."""
    queue, waits = arranged

    queue.publish("no 1 at last", mandatory=True)

    scene.wait_for_deliveries(1)
    assert waits.numbers == [1]


def polled(scene: Scene, queue_type: QueueType) -> Generator[None, None, bool]:
    yield from begins_now(scene)
    queue = scene.queue(queue_type, expires=LEASE)
    yield from again_and_again(lambda: refusal(queue.get))
    return queue.exists


@claim("queue-expiry.getting-keeps-it")
@queue_types
@after_time(polled)
def test_asking_for_messages_keeps_a_queue(arranged: bool | None) -> None:
    """Somebody has asked every 0.8 s, and never found anything; the queue is still there."""
    assert established(arranged)


def declared_again(scene: Scene, queue_type: QueueType) -> Generator[None, None, Taken]:
    yield from begins_now(scene)
    queue = scene.queue(queue_type, expires=soon(queue_type))
    queue.publish("no 1 is confirmed")
    yield from again_and_again(lambda: scene.queue(queue_type, expires=soon(queue_type), same_as=queue))
    return queue.drain()


@claim("queue-expiry.declaring-again-keeps-it")
@queue_types
@after_time(declared_again)
def test_declaring_a_queue_again_keeps_it(arranged: Taken | None) -> None:
    """Somebody has declared it every 0.8 s; what was published to it in the beginning is still there."""
    late = established(arranged)

    assert late.numbers == [1]


# What is refused.


@claim("queue-expiry.zero-is-refused")
@queue_types
@pytest.mark.parametrize("expires", [0, -1])
def test_a_queue_cannot_expire_at_once(scene: Scene, queue_type: QueueType, expires: int) -> None:
    """The broker closes the channel."""
    assert refusal(lambda: scene.queue(queue_type, expires=expires)) == Closed("channel", 406)


@claim("queue-expiry.another-time-is-refused")
@queue_types
def test_a_queue_cannot_be_given_another_time(scene: Scene, queue_type: QueueType) -> None:
    """Declared with ten minutes, it cannot be declared again with twenty."""
    queue = scene.queue(queue_type, expires=LATER)

    refused = refusal(lambda: scene.queue(queue_type, expires=2 * LATER, same_as=queue))

    assert refused == Closed("channel", 406)
