"""Consumers: who may consume, who of several gets the messages, and what they are told.

From RabbitMQ's page on consumers.
"""

from pika import spec

from fixtures.vocabulary import Closed, QueueType, Scene, claim, numbered, queue_types, refusal


@claim("consumers.one-active-at-a-time")
@queue_types
def test_one_is_active_at_a_time(scene: Scene, queue_type: QueueType) -> None:
    """The first of three gets three messages, leaves, and the second gets the next one."""
    queue = scene.queue(queue_type, single_active=True)
    first, second, third = (scene.receiver(name, queue) for name in ("first", "second", "third"))
    queue.publish(*numbered(3))
    scene.wait_for_deliveries(3)
    first.settle()

    first.close()

    queue.publish("no 4 comes next")
    scene.wait_for_deliveries(4)
    assert (first.numbers, second.numbers, third.numbers) == ([1, 2, 3], [4], [])


@claim("consumers.higher-priority-takes-over")
def test_a_higher_priority_takes_over(scene: Scene) -> None:
    """The second to subscribe has the higher priority, and gets the message."""
    queue = scene.queue("quorum", single_active=True)
    low = scene.receiver("low", queue, priority=1)
    high = scene.receiver("high", queue, priority=5)

    queue.publish("no 1 for the active one")

    scene.wait_for_deliveries(1)
    assert (low.numbers, high.numbers) == ([], [1])


@claim("consumers.exclusive-keeps-others-out")
@queue_types
def test_an_exclusive_consumer_keeps_others_out(scene: Scene, queue_type: QueueType) -> None:
    """The second one is refused."""
    queue = scene.queue(queue_type)
    scene.receiver("first", queue, exclusive=True)

    refused = refusal(lambda: scene.receiver("second", queue))

    assert refused == Closed("channel", 403)


@claim("consumers.deleted-queue-cancels")
@queue_types
def test_a_consumer_is_told_that_its_queue_is_gone(scene: Scene, queue_type: QueueType) -> None:
    """It gets a basic.cancel, and its channel can still be used."""
    queue, other = scene.queue(queue_type), scene.queue(queue_type)
    receiver = scene.receiver("receiver", queue)

    queue.delete()

    scene.wait_until(lambda: receiver.cancelled, "the receiver was cancelled")
    assert receiver.raw(spec.Queue.Declare(queue=other.name, passive=True), spec.Queue.DeclareOk).queue == other.name


@claim("consumers.tag-once-a-channel")
@queue_types
def test_a_tag_is_used_once_a_channel(scene: Scene, queue_type: QueueType) -> None:
    """The second subscription closes the connection."""
    queue = scene.queue(queue_type)
    receiver = scene.receiver("receiver", queue)
    again = spec.Basic.Consume(queue=queue.name, consumer_tag=receiver.tag)

    refused = refusal(lambda: receiver.raw(again, spec.Basic.ConsumeOk))

    assert refused == Closed("connection", 530)


@claim("consumers.are-counted")
@queue_types
def test_consumers_are_counted(scene: Scene, queue_type: QueueType) -> None:
    """None, and then two."""
    queue = scene.queue(queue_type)
    before = queue.consumers

    scene.receiver("first", queue)
    scene.receiver("second", queue)

    assert (before, queue.consumers) == (0, 2)
