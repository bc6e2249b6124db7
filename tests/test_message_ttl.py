"""Messages that expire: by their queue's TTL, by their own expiration, and when nobody looks.

From RabbitMQ's page on time-to-live. No test measures a time: each waits until a message of the same age has expired in
another queue.
"""

import pytest

from fixtures.vocabulary import Closed, QueueType, Scene, claim, queue_types

#: A TTL that is over soon, and one that no test lives to see, in milliseconds.
SOON, LATER = 100, 60_000


def let_pass(scene: Scene, milliseconds: int) -> None:
    """Wait until a message that is published now has expired."""
    clock = scene.queue(message_ttl=milliseconds)
    clock.publish("tick")
    clock.becomes_empty()


@claim("message-ttl.expired-is-not-delivered")
@queue_types
def test_an_expired_message_is_not_delivered(scene: Scene, queue_type: QueueType) -> None:
    """It disappears from its queue, and a receiver that comes then gets only what comes after it."""
    queue = scene.queue(queue_type, message_ttl=SOON)
    queue.publish("no 1 expires")

    queue.becomes_empty()

    late = scene.receiver("late", queue)
    queue.publish("no 2 in time")
    scene.wait_for_deliveries(1)
    assert late.numbers == [2]


@claim("message-ttl.the-lower-one-counts")
@queue_types
@pytest.mark.parametrize(
    ("of_queue", "of_message"), [(SOON, LATER), (LATER, SOON)], ids=["queue-lower", "message-lower"]
)
def test_the_lower_of_two_times_counts(scene: Scene, queue_type: QueueType, of_queue: int, of_message: int) -> None:
    """The message is gone when the lower one is over."""
    queue = scene.queue(queue_type, message_ttl=of_queue)

    queue.publish("no 1 expires", expiration=of_message)

    queue.becomes_empty()
    late = queue.drain()
    assert late.numbers == []


@claim("message-ttl.expired-behind-the-head-is-counted")
@queue_types
def test_a_message_that_expires_behind_another_is_counted(scene: Scene, queue_type: QueueType) -> None:
    """Two messages are ready, and one of them is never delivered."""
    queue = scene.queue(queue_type)
    queue.publish("no 1 lives longer", expiration=LATER)
    queue.publish("no 2 expires", expiration=SOON)
    queue.wait_for(2)

    let_pass(scene, SOON)

    assert queue.ready == 2
    late = scene.receiver("late", queue)
    queue.publish("no 3 in time")
    scene.wait_for_deliveries(2)
    assert late.numbers == [1, 3]


@claim("message-ttl.zero-needs-a-ready-receiver")
@queue_types
def test_a_ttl_of_zero_needs_a_receiver_that_is_ready(scene: Scene, queue_type: QueueType) -> None:
    """Message 1 comes when nobody is ready, message 2 when somebody is."""
    queue = scene.queue(queue_type, message_ttl=0)
    queue.publish("no 1 too early")
    queue.becomes_empty()

    ready = scene.receiver("ready", queue)
    queue.publish("no 2 in time")

    scene.wait_for_deliveries(1)
    assert ready.numbers == [2]


@claim("message-ttl.expiration-is-a-number")
@queue_types
@pytest.mark.parametrize("expiration", ["10 s", "-1", ""], ids=["10 s", "-1", "empty"])
def test_an_expiration_that_is_no_number_is_refused(scene: Scene, queue_type: QueueType, expiration: str) -> None:
    """The broker closes the channel, and nothing is in the queue."""
    queue = scene.queue(queue_type)

    [outcome] = queue.try_publish("no 1 refused", expiration=expiration)

    assert outcome == Closed("channel", 406)
    late = queue.drain()
    assert late.numbers == []


@claim("message-ttl.requeueing-renews-nothing")
@queue_types
def test_a_message_that_is_given_back_has_no_more_time(scene: Scene, queue_type: QueueType) -> None:
    """A receiver holds message 1 until its time is over and gives it back: it does not come again before message 2."""
    queue = scene.queue(queue_type, message_ttl=3 * SOON)
    holder = scene.receiver("holder", queue, acks=False)
    queue.publish("no 1 expires")
    scene.wait_for_deliveries(1)
    let_pass(scene, 3 * SOON)

    holder.nack(1, requeue=True)
    holder.settle()

    queue.publish("no 2 in time")
    scene.wait_for_deliveries(2)
    assert holder.numbers == [1, 2]
