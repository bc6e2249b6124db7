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


@claim("prefetch.next-one-waits")
@queue_types
def test_the_next_one_waits(scene: Scene, queue_type: QueueType) -> None:
    """It may hold two of five messages, and gets the third for one that it acknowledges."""
    queue = scene.queue(queue_type)
    receiver = scene.receiver("receiver", queue, acks=False, prefetch=2)
    queue.publish(*numbered(5))
    scene.wait_for_deliveries(2)
    waiting = queue.ready

    receiver.ack(1)

    scene.wait_for_deliveries(3)
    assert (waiting, queue.ready) == (3, 2)
    assert receiver.numbers == [1, 2, 3]


@claim("prefetch.multiple-makes-as-much-room")
@queue_types
def test_one_acknowledgement_makes_room_for_several(scene: Scene, queue_type: QueueType) -> None:
    """It holds three messages, acknowledges them with `multiple`, and gets three more."""
    queue = scene.queue(queue_type)
    receiver = scene.receiver("receiver", queue, acks=False, prefetch=3)
    queue.publish(*numbered(7))
    scene.wait_for_deliveries(3)

    receiver.ack(3, multiple=True)

    scene.wait_for_deliveries(6)
    assert queue.ready == 1
    assert receiver.numbers == [1, 2, 3, 4, 5, 6]


@claim("prefetch.zero-is-no-limit")
@queue_types
def test_a_limit_of_zero_is_none(scene: Scene, queue_type: QueueType) -> None:
    """Its channel had a limit of one before; it subscribes with zero, and gets five messages."""
    queue = scene.queue(queue_type)
    receiver = scene.receiver("receiver", queue, acks=False, prefetch=0, consumes=False)
    receiver.raw(spec.Basic.Qos(prefetch_count=1), spec.Basic.QosOk)
    receiver.consume()

    queue.publish(*numbered(5))

    scene.wait_for_deliveries(5)
    assert receiver.numbers == [1, 2, 3, 4, 5]


@claim("prefetch.next-consumer-has-the-new-one")
@queue_types
def test_the_next_consumer_has_the_new_limit(scene: Scene, queue_type: QueueType) -> None:
    """The first subscribed with a limit of one, the second, on the same channel, with three; one of five is ready."""
    queue = scene.queue(queue_type)
    one = scene.receiver("one", queue, acks=False, prefetch=1)
    two = scene.receiver("two", queue, acks=False, prefetch=3, beside=one, same_channel=True)

    queue.publish(*numbered(5))

    scene.wait_until(
        lambda: len(one.numbers) + len(two.numbers) + queue.ready == 5, "each message is ready or with somebody"
    )
    assert (len(one.numbers), len(two.numbers)) == (1, 3)


@claim("prefetch.not-for-get")
@queue_types
def test_there_is_no_limit_for_get(scene: Scene, queue_type: QueueType) -> None:
    """With a limit of one it takes three messages by basic.get, and acknowledges none."""
    queue = scene.queue(queue_type)
    queue.publish(*numbered(3))
    receiver = scene.receiver("receiver", queue, consumes=False)
    receiver.raw(spec.Basic.Qos(prefetch_count=1), spec.Basic.QosOk)

    for _ in range(3):
        receiver.get()

    assert receiver.numbers == [1, 2, 3]


@claim("prefetch.what-get-takes-does-not-count")
@queue_types
def test_what_get_takes_does_not_count(scene: Scene, queue_type: QueueType) -> None:
    """It holds message 1 by basic.get, subscribes with a limit of one, and gets message 2; message 3 is ready."""
    queue = scene.queue(queue_type)
    queue.publish(*numbered(3))
    receiver = scene.receiver("receiver", queue, acks=False, prefetch=1, consumes=False)
    receiver.get()

    receiver.consume()

    scene.wait_for_deliveries(2)
    assert queue.ready == 1
    assert receiver.numbers == [1, 2]


@claim("prefetch.global-with-quorum-queues")
def test_a_limit_of_the_channel_goes_with_quorum_queues(scene: Scene) -> None:
    """It subscribes, and is not refused."""
    queue = scene.queue("quorum")

    refused = refusal(lambda: scene.receiver("receiver", queue, acks=False, prefetch=2, prefetch_of_channel=True))

    assert refused is None
