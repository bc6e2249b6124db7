"""Prefetch: whom a limit is for, and when it begins.

From RabbitMQ's page on consumer prefetch. What a limit keeps back is ready in the queue, and is counted there.
"""

from pika import spec

from fixtures.vocabulary import Closed, Queue, QueueType, Receiver, Scene, claim, numbered, queue_types, refusal


def two_on_a_channel(scene: Scene, queue: Queue, of_channel: bool = False) -> tuple[Receiver, Receiver]:
    """Two consumers that acknowledge nothing, on the same channel, with a prefetch of two."""
    one = scene.receiver("one", queue, acks=False, prefetch=2, prefetch_of_channel=of_channel)
    two = scene.receiver(
        "two", queue, acks=False, prefetch=2, prefetch_of_channel=of_channel, beside=one, same_channel=True
    )
    return one, two


@claim("prefetch.each-consumer-has-its-own")
@queue_types
def test_each_consumer_has_a_limit_of_its_own(scene: Scene, queue_type: QueueType) -> None:
    """Of six messages each gets two, and two are ready."""
    queue = scene.queue(queue_type)
    one, two = two_on_a_channel(scene, queue)

    queue.publish(*numbered(6))

    scene.wait_for_deliveries(4)
    assert queue.ready == 2
    assert (len(one.numbers), len(two.numbers)) == (2, 2)


@claim("prefetch.later-ones-come-too-late")
@queue_types
def test_a_limit_that_is_set_later_comes_too_late(scene: Scene, queue_type: QueueType) -> None:
    """It subscribed with a prefetch of one; that its channel has ten now changes nothing."""
    queue = scene.queue(queue_type)
    receiver = scene.receiver("receiver", queue, acks=False, prefetch=1)
    receiver.raw(spec.Basic.Qos(prefetch_count=10), spec.Basic.QosOk)

    queue.publish(*numbered(5))

    scene.wait_for_deliveries(1)
    assert queue.ready == 4
    assert receiver.numbers == [1]


@claim("prefetch.none-without-acknowledgements")
@queue_types
def test_there_is_no_limit_without_acknowledgements(scene: Scene, queue_type: QueueType) -> None:
    """With a prefetch of one it gets five messages."""
    queue = scene.queue(queue_type)
    receiver = scene.receiver("receiver", queue, auto_ack=True, prefetch=1)

    queue.publish(*numbered(5))

    scene.wait_for_deliveries(5)
    assert receiver.numbers == [1, 2, 3, 4, 5]


@claim("prefetch.global-is-for-each-too")
def test_a_limit_of_the_channel_is_for_each(scene: Scene) -> None:
    """Of six messages each gets two, and two are ready."""
    queue = scene.queue("classic")
    one, two = two_on_a_channel(scene, queue, of_channel=True)

    queue.publish(*numbered(6))

    scene.wait_until(
        lambda: len(one.numbers) + len(two.numbers) + queue.ready == 6, "each message is ready or with somebody"
    )
    assert (len(one.numbers), len(two.numbers)) == (2, 2)


@claim("prefetch.not-in-bytes")
def test_a_limit_in_bytes_is_refused(scene: Scene) -> None:
    """The connection is closed."""
    receiver = scene.receiver("receiver", scene.queue())

    refused = refusal(lambda: receiver.raw(spec.Basic.Qos(prefetch_size=1000), spec.Basic.QosOk))

    assert refused == Closed("connection", 540)
