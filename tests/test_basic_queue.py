"""The basic queue: the least it takes to send and to receive, and the ways in which that loses messages.

From the document's first section, whose sender declares a non-durable queue and whose receiver consumes without
acknowledgements.
"""

from collections.abc import Callable

import pika.exceptions
import pytest

from fixtures.claims.catalogue import claim
from fixtures.scene.receiver import Receiver, numbered
from fixtures.scene.scene import QueueType, Scene
from fixtures.suite.turns import after_restart

queue_types = pytest.mark.parametrize("queue_type", ["classic", "quorum"])

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
    named, other = scene.queue(queue_type=queue_type), scene.queue(queue_type=queue_type)
    receiver = scene.receiver("receiver", named)

    scene.publish(named, "x" * size)

    scene.wait_for_deliveries(1)
    assert [len(body) for body in receiver.bodies] == [size]
    late = scene.drain(other)
    assert late.bodies == []


@claim("basic-queue.unknown-key-reaches-nobody")
@queue_types
def test_a_key_that_names_no_queue_reaches_nobody(scene: Scene, queue_type: QueueType) -> None:
    """A message whose routing key is nearly a queue's name is not in that queue."""
    queue = scene.queue(queue_type=queue_type)

    scene.publish(f"{queue}-", "astray")
    scene.publish(queue, "on its way")

    late = scene.drain(queue)
    assert late.bodies == ["on its way"]


def message_in_a_non_durable_queue(scene: Scene, persistent: bool) -> str:
    queue = scene.queue(durable=False)
    scene.publish(queue, "gone", persistent=persistent)
    assert scene.exists(queue)
    return queue


@claim("basic-queue.non-durable-queue-is-lost")
@pytest.mark.parametrize("persistent", [False, True], ids=["mode1", "mode2"])
@after_restart(message_in_a_non_durable_queue)
def test_non_durable_queue_is_lost_with_its_messages(scene: Scene, arranged: str) -> None:
    """After a restart the queue is gone, whatever the delivery mode of what was in it."""
    assert not scene.exists(arranged)


def empty_durable_queue(scene: Scene, queue_type: QueueType) -> str:
    return scene.queue(queue_type=queue_type)


@claim("basic-queue.durable-queue-remains")
@queue_types
@after_restart(empty_durable_queue)
def test_durable_queue_remains(scene: Scene, arranged: str) -> None:
    """A durable queue is still there after the same restart."""
    assert scene.exists(arranged)


@claim("basic-queue.no-queue-yet-drops")
@queue_types
@pytest.mark.parametrize("persistent", [False, True], ids=["mode1", "mode2"])
def test_message_sent_before_its_queue_exists_is_dropped(scene: Scene, queue_type: QueueType, persistent: bool) -> None:
    """A message sent to a queue that is declared later is confirmed all the same, and never arrives."""
    later = scene.name()

    scene.publish(later, "too early", persistent=persistent)
    scene.queue(name=later, queue_type=queue_type)

    late = scene.drain(later)
    assert late.bodies == []


@claim("basic-queue.mandatory-comes-back")
def test_mandatory_message_without_a_queue_comes_back(scene: Scene) -> None:
    """With `mandatory` the sender gets the message back, with 312 NO_ROUTE."""
    with pytest.raises(pika.exceptions.UnroutableError) as unroutable:
        scene.publish(scene.name(), "come back", mandatory=True)

    [returned] = unroutable.value.messages
    assert (returned.method.reply_code, returned.body) == (312, b"come back")


@claim("basic-queue.waits-for-receiver")
@queue_types
def test_message_waits_in_the_queue_for_a_receiver(scene: Scene, queue_type: QueueType) -> None:
    """Messages sent while nobody receives are all there, in order, for the first receiver that comes."""
    queue = scene.queue(queue_type=queue_type)

    scene.publish(queue, *numbered(5))

    late = scene.drain(queue)
    assert late.numbers == [1, 2, 3, 4, 5]


@claim("basic-queue.automatic-ack-loses")
@queue_types
@deaths
def test_receiver_without_acknowledgements_takes_its_messages_along(
    scene: Scene, queue_type: QueueType, dies: Callable[[Receiver], None]
) -> None:
    """What was sent to a `no_ack` receiver is gone when that ends."""
    queue = scene.queue(queue_type=queue_type)
    receiver = scene.receiver("receiver", queue, auto_ack=True)
    scene.publish(queue, *numbered(5))
    scene.wait_for_deliveries(5)

    dies(receiver)

    late = scene.drain(queue)
    assert late.numbers == []


@claim("basic-queue.manual-ack-gives-back")
@queue_types
@deaths
def test_messages_of_a_receiver_that_acknowledges_come_back(
    scene: Scene, queue_type: QueueType, dies: Callable[[Receiver], None]
) -> None:
    """What a receiver has not acknowledged when it ends is in the queue again, in order, marked redelivered."""
    queue = scene.queue(queue_type=queue_type)
    receiver = scene.receiver("receiver", queue, acks=False)
    scene.publish(queue, *numbered(5))
    scene.wait_for_deliveries(5)

    dies(receiver)
    scene.wait_for_messages(queue, 5)

    late = scene.drain(queue)
    assert late.numbers == [1, 2, 3, 4, 5]
    assert late.redelivered == [1, 2, 3, 4, 5]


@claim("basic-queue.ack-under-automatic-ack-is-refused")
@queue_types
def test_acknowledging_what_needs_no_acknowledgement_closes_the_channel(scene: Scene, queue_type: QueueType) -> None:
    """The document's own receiver: its first basic_ack under `no_ack` ends it, and takes the other messages along."""
    queue = scene.queue(queue_type=queue_type)
    receiver = scene.receiver("document's", queue, auto_ack=True)
    scene.publish(queue, *numbered(5))
    scene.wait_for_deliveries(5)

    receiver.ack(1)
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as closed:
        receiver.settle()

    assert closed.value.reply_code == 406
    assert "PRECONDITION_FAILED - unknown delivery tag" in closed.value.reply_text
    late = scene.drain(queue)
    assert late.numbers == []


@claim("basic-queue.ack-once-is-accepted")
@queue_types
def test_the_same_acknowledgement_is_accepted_where_one_is_due(scene: Scene, queue_type: QueueType) -> None:
    """With manual acknowledgements the same basic_ack leaves the channel open and deletes the message."""
    queue = scene.queue(queue_type=queue_type)
    receiver = scene.receiver("receiver", queue, acks=False)
    scene.publish(queue, *numbered(2))
    scene.wait_for_deliveries(2)

    receiver.ack(1)

    assert receiver.answers()

    receiver.close()
    scene.needs(queue, messages=1)

    late = scene.drain(queue)
    assert 1 not in late.numbers
