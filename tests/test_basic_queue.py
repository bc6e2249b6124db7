"""The basic queue: the least it takes to send and to receive, and the ways in which that loses messages.

From the document's first section, whose sender declares a non-durable queue and whose receiver consumes without
acknowledgements.
"""

from collections.abc import Callable

import pytest

from fixtures.vocabulary import (
    Closed,
    Queue,
    QueueType,
    Receiver,
    Returned,
    Scene,
    after_restart,
    claim,
    numbered,
    queue_types,
)

#: Around the sizes at which a broker handles a body differently: empty, one frame (128 KiB), several frames.
sizes = pytest.mark.parametrize("size", [0, 1, 131_072, 1_048_576], ids=["0 B", "1 B", "128 KiB", "1 MiB"])

deaths = pytest.mark.parametrize(
    "dies", [Receiver.crash, Receiver.close, Receiver.close_channel], ids=["crash", "close", "close-channel"]
)


@claim("basic-queue.routed-by-queue-name")
@queue_types
@sizes
def test_default_exchange_routes_by_queue_name(scene: Scene, queue_type: QueueType, size: int) -> None:
    """A body sent with a queue's name as its routing key reaches that queue unchanged, and no other."""
    named, other = scene.queue(queue_type), scene.queue(queue_type)
    receiver = scene.receiver("receiver", named)

    named.publish("x" * size)

    scene.wait_for_deliveries(1)
    assert [len(body) for body in receiver.bodies] == [size]
    late = other.drain()
    assert late.bodies == []


@claim("basic-queue.unknown-key-reaches-nobody")
@queue_types
def test_a_key_that_names_no_queue_reaches_nobody(scene: Scene, queue_type: QueueType) -> None:
    """A message whose routing key is nearly a queue's name is not in that queue."""
    queue = scene.queue(queue_type)

    scene.default_exchange.publish("astray", key=f"{queue}-")
    queue.publish("on its way")

    late = queue.drain()
    assert late.bodies == ["on its way"]


def message_in_a_non_durable_queue(scene: Scene, persistent: bool) -> Queue:
    queue = scene.queue(durable=False)
    queue.publish("gone", persistent=persistent)
    assert queue.exists
    return queue


@claim("basic-queue.non-durable-queue-is-lost")
@pytest.mark.parametrize("persistent", [False, True], ids=["mode1", "mode2"])
@after_restart(message_in_a_non_durable_queue)
def test_non_durable_queue_is_lost_with_its_messages(arranged: Queue) -> None:
    """After a restart the queue is gone, whatever the delivery mode of what was in it."""
    assert not arranged.exists


def empty_durable_queue(scene: Scene, queue_type: QueueType) -> Queue:
    return scene.queue(queue_type)


@claim("basic-queue.durable-queue-remains")
@queue_types
@after_restart(empty_durable_queue)
def test_durable_queue_remains(arranged: Queue) -> None:
    """A durable queue is still there after the same restart."""
    assert arranged.exists


@claim("basic-queue.no-queue-yet-drops")
@queue_types
@pytest.mark.parametrize("persistent", [False, True], ids=["mode1", "mode2"])
def test_message_sent_before_its_queue_exists_is_dropped(scene: Scene, queue_type: QueueType, persistent: bool) -> None:
    """A message sent to a queue that is declared later is confirmed all the same, and never arrives."""
    later = scene.undeclared_queue(queue_type)

    later.publish("too early", persistent=persistent)
    scene.queue(queue_type, same_as=later)

    late = later.drain()
    assert late.bodies == []


@claim("basic-queue.mandatory-comes-back")
def test_mandatory_message_without_a_queue_comes_back(scene: Scene) -> None:
    """With `mandatory` the sender gets the message back, with 312 NO_ROUTE."""
    nowhere = scene.undeclared_queue()

    [outcome] = nowhere.try_publish("come back", mandatory=True)

    assert outcome == Returned(312)
    assert scene.sender.returned == ["come back"]


@claim("basic-queue.waits-for-receiver")
@queue_types
def test_message_waits_in_the_queue_for_a_receiver(scene: Scene, queue_type: QueueType) -> None:
    """Messages sent while nobody receives are all there, in order, for the first receiver that comes."""
    queue = scene.queue(queue_type)

    queue.publish(*numbered(5))

    late = scene.receiver("late", queue)
    scene.wait_for_deliveries(5)
    assert late.numbers == [1, 2, 3, 4, 5]


@claim("basic-queue.automatic-ack-loses")
@queue_types
@deaths
def test_receiver_without_acknowledgements_takes_its_messages_along(
    scene: Scene, queue_type: QueueType, dies: Callable[[Receiver], None]
) -> None:
    """What was sent to a `no_ack` receiver is gone when that ends."""
    queue = scene.queue(queue_type)
    receiver = scene.receiver("receiver", queue, auto_ack=True)
    queue.publish(*numbered(5))
    scene.wait_for_deliveries(5)

    dies(receiver)

    late = queue.drain()
    assert late.numbers == []


@claim("basic-queue.manual-ack-gives-back")
@queue_types
@deaths
def test_messages_of_a_receiver_that_acknowledges_come_back(
    scene: Scene, queue_type: QueueType, dies: Callable[[Receiver], None]
) -> None:
    """What a receiver has not acknowledged when it ends is in the queue again, in order, marked redelivered."""
    queue = scene.queue(queue_type)
    receiver = scene.receiver("receiver", queue, acks=False)
    queue.publish(*numbered(5))
    scene.wait_for_deliveries(5)

    dies(receiver)
    queue.wait_for(5)

    late = scene.receiver("late", queue)
    scene.wait_for_deliveries(10)
    assert late.numbers == [1, 2, 3, 4, 5]
    assert late.redelivered == [1, 2, 3, 4, 5]


@claim("basic-queue.ack-under-automatic-ack-is-refused")
@queue_types
def test_acknowledging_what_needs_no_acknowledgement_closes_the_channel(scene: Scene, queue_type: QueueType) -> None:
    """The document's own receiver: its first basic_ack under `no_ack` ends it, and takes the other messages along."""
    queue = scene.queue(queue_type)
    receiver = scene.receiver("document's", queue, auto_ack=True)
    queue.publish(*numbered(5))
    scene.wait_for_deliveries(5)

    receiver.ack(1)

    refused = receiver.settle()
    assert refused == Closed("channel", 406)
    assert "PRECONDITION_FAILED - unknown delivery tag" in refused.text
    late = queue.drain()
    assert late.numbers == []


@claim("basic-queue.ack-once-is-accepted")
@queue_types
def test_the_same_acknowledgement_is_accepted_where_one_is_due(scene: Scene, queue_type: QueueType) -> None:
    """With manual acknowledgements the same basic_ack leaves the channel open and deletes the message."""
    queue = scene.queue(queue_type)
    receiver = scene.receiver("receiver", queue, acks=False)
    queue.publish(*numbered(2))
    scene.wait_for_deliveries(2)

    receiver.ack(1)

    assert receiver.answers()

    receiver.close()
    queue.needs(messages=1)

    late = queue.drain()
    assert 1 not in late.numbers
