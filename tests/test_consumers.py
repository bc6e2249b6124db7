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


@claim("consumers.declared-again-at-once")
@queue_types
def test_a_queue_that_is_declared_again_has_no_consumer(scene: Scene, queue_type: QueueType) -> None:
    """The consumer of the old queue is told."""
    queue = scene.queue(queue_type)
    receiver = scene.receiver("receiver", queue)

    queue.delete()
    again = scene.queue(queue_type, same_as=queue)

    scene.wait_until(lambda: receiver.cancelled or again.consumers, "the receiver was cancelled, or went over")
    assert (receiver.cancelled, again.consumers) == (True, 0)


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


@claim("consumers.lower-priority-gets-the-rest")
@queue_types
def test_a_lower_priority_gets_what_the_higher_cannot_take(scene: Scene, queue_type: QueueType) -> None:
    """The one with the higher priority may hold two messages of four."""
    queue = scene.queue(queue_type)
    low = scene.receiver("low", queue)
    high = scene.receiver("high", queue, acks=False, prefetch=2, priority=5)

    queue.publish(*numbered(4))

    scene.wait_for_deliveries(4)
    assert (high.numbers, low.numbers) == ([1, 2], [3, 4])


@claim("consumers.next-one-gets-what-was-held")
@queue_types
def test_the_next_one_gets_what_the_active_one_held(scene: Scene, queue_type: QueueType) -> None:
    """The active one dies with two messages; the next one gets these before message 3."""
    queue = scene.queue(queue_type, single_active=True)
    active = scene.receiver("active", queue, acks=False, prefetch=2)
    following = scene.receiver("following", queue)
    queue.publish(*numbered(3))
    scene.wait_for_deliveries(2)

    active.crash()

    scene.wait_for_deliveries(5)
    assert (active.numbers, following.numbers) == ([1, 2], [1, 2, 3])
    assert [delivery.redelivered for delivery in following.deliveries] == [True, True, False]


@claim("consumers.cancelling-hands-over")
@queue_types
def test_the_active_one_hands_over_by_a_cancel(scene: Scene, queue_type: QueueType) -> None:
    """The active one cancels; message 2 goes to the next one."""
    queue = scene.queue(queue_type, single_active=True)
    active, following = scene.receiver("active", queue), scene.receiver("following", queue)
    queue.publish("no 1 for the active one")
    scene.wait_for_deliveries(1)

    active.cancel()

    queue.publish("no 2 for the next one")
    scene.wait_for_deliveries(2)
    assert (active.numbers, following.numbers) == ([1], [2])


@claim("consumers.higher-priority-waits-for-no-requeue")
def test_a_higher_priority_takes_over_though_the_active_one_gives_back(scene: Scene) -> None:
    """The active one holds two of four messages and gives them back when the other is there."""
    queue = scene.queue("quorum", single_active=True)
    low = scene.receiver("low", queue, acks=False, prefetch=2, priority=1)
    queue.publish(*numbered(4))
    scene.wait_for_deliveries(2)

    high = scene.receiver("high", queue, priority=5)
    low.nack(2, requeue=True, multiple=True)

    scene.wait_until(lambda: len(low.numbers) > 2 or len(high.numbers) == 4, "somebody has got what was given back")
    assert (low.numbers, sorted(high.numbers)) == ([1, 2], [1, 2, 3, 4])


@claim("consumers.exclusive-needs-to-be-alone")
@queue_types
def test_an_exclusive_consumer_needs_to_be_alone(scene: Scene, queue_type: QueueType) -> None:
    """Somebody consumes already, and the exclusive one is refused."""
    queue = scene.queue(queue_type)
    scene.receiver("first", queue)

    refused = refusal(lambda: scene.receiver("exclusive", queue, exclusive=True))

    assert refused == Closed("channel", 403)


@claim("consumers.single-active-excludes-exclusive")
@queue_types
def test_a_single_active_consumer_cannot_be_exclusive(scene: Scene, queue_type: QueueType) -> None:
    """Nobody else is there, and it is refused."""
    queue = scene.queue(queue_type, single_active=True)

    refused = refusal(lambda: scene.receiver("exclusive", queue, exclusive=True))

    assert refused == Closed("channel", 403)


@claim("consumers.missing-queue-is-refused")
def test_nobody_consumes_from_a_missing_queue(scene: Scene) -> None:
    """The channel is closed."""
    missing = scene.undeclared_queue()

    refused = refusal(lambda: scene.receiver("receiver", missing))

    assert refused == Closed("channel", 404)


@claim("consumers.broker-chooses-a-tag")
@queue_types
def test_the_broker_chooses_a_tag(scene: Scene, queue_type: QueueType) -> None:
    """Two subscriptions without a tag get two."""
    queue = scene.queue(queue_type)
    receiver = scene.receiver("receiver", queue, consumes=False)
    nameless = spec.Basic.Consume(queue=queue.name)

    tags = [receiver.raw(nameless, spec.Basic.ConsumeOk).consumer_tag for _ in range(2)]

    assert all(tags)
    assert tags[0] != tags[1]


@claim("consumers.unknown-tag-is-cancelled")
@queue_types
def test_a_tag_that_nobody_has_is_cancelled(scene: Scene, queue_type: QueueType) -> None:
    """The broker says yes, and the receiver gets messages as before."""
    queue = scene.queue(queue_type)
    receiver = scene.receiver("receiver", queue)

    answer = receiver.raw(spec.Basic.Cancel(consumer_tag="nobody's"), spec.Basic.CancelOk)

    assert answer.consumer_tag == "nobody's"
    queue.publish("no 1 as before")
    scene.wait_for_deliveries(1)
    assert receiver.numbers == [1]


@claim("consumers.own-messages-too")
@queue_types
def test_a_consumer_gets_its_own_messages_too(scene: Scene, queue_type: QueueType) -> None:
    """The sender of four messages consumes with `no_local`, and has its turn: somebody else gets only every other."""
    queue = scene.queue(queue_type)
    scene.sender.keeps_connection = True
    scene.sender.raw(spec.Basic.Consume(queue=queue.name, consumer_tag="own", no_local=True), spec.Basic.ConsumeOk)
    other = scene.receiver("other", queue)

    queue.publish(*numbered(4))

    scene.wait_until(lambda: 4 in other.numbers, "message 4 has come to the other one")
    assert other.numbers == [2, 4]


@claim("consumers.cancelling-hands-over-at-work")
@queue_types
def test_the_active_one_hands_over_at_work(scene: Scene, queue_type: QueueType) -> None:
    """It cancels after some of sixty messages, which go on coming; the next one gets the rest, and message 61."""
    queue = scene.queue(queue_type, single_active=True)
    active, following = scene.receiver("active", queue, prefetch=1), scene.receiver("following", queue)
    for body in numbered(60):
        scene.sender.send(queue, body)
    scene.wait_for_deliveries(5)

    active.cancel()

    queue.publish("no 61 for the next one")
    scene.wait_for_deliveries(61)
    assert 61 in following.numbers
    assert sorted(active.numbers + following.numbers) == list(range(1, 62))
