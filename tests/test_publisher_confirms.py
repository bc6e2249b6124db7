"""Publisher confirms and returns: what the broker says of a message to whoever has published it.

From RabbitMQ's pages on confirms, publishers and queue length limits.
"""

import pytest
from pika import spec

from fixtures.vocabulary import (
    Closed,
    Confirmed,
    Nacked,
    QueueType,
    Returned,
    Scene,
    claim,
    numbered,
    queue_types,
    refusal,
)


@claim("publisher-confirms.unroutable-is-confirmed")
def test_a_message_that_reaches_no_queue_is_confirmed(scene: Scene) -> None:
    """No queue has the name that the routing key says, and the broker acks the message."""
    nowhere = scene.undeclared_queue()

    [outcome] = nowhere.try_publish("to nobody")

    assert outcome == Confirmed()


@claim("publisher-confirms.comes-back-before-its-confirm")
def test_a_mandatory_message_comes_back_and_is_confirmed_then(scene: Scene) -> None:
    """First basic.return, then basic.ack."""
    nowhere = scene.undeclared_queue()

    [outcome] = nowhere.try_publish("come back", mandatory=True)

    assert isinstance(outcome, Returned)
    assert (outcome.code, outcome.then) == (312, Confirmed())


@claim("publisher-confirms.mandatory-needs-no-confirms")
def test_a_mandatory_message_comes_back_without_confirms(scene: Scene) -> None:
    """The same on a channel that is not in confirm mode."""
    nowhere = scene.undeclared_queue()

    message = scene.sender.send(nowhere, "come back", mandatory=True, confirm=False)

    scene.wait_until(lambda: scene.sender.returned, "the message has come back")
    assert message.outcome == Returned(312)


@claim("publisher-confirms.each-is-answered-once")
@queue_types
def test_each_of_several_messages_in_flight_is_confirmed_once(scene: Scene, queue_type: QueueType) -> None:
    """Ten messages are sent before the first confirm is looked for."""
    queue = scene.queue(queue_type)

    outcomes = queue.try_publish(*numbered(10), in_flight=True)

    assert outcomes == [Confirmed()] * 10
    assert scene.sender.stray_answers == []
    late = queue.drain()
    assert late.numbers == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]


@claim("publisher-confirms.full-queue-nacks")
@queue_types
def test_a_full_queue_rejects_a_message(scene: Scene, queue_type: QueueType) -> None:
    """It takes some messages, and then nacks one; those that it took are still there."""
    queue = scene.queue(queue_type, max_length=2, overflow="reject-publish")

    outcomes = queue.try_publish(*numbered(8))

    rejected = [number for number, outcome in enumerate(outcomes, start=1) if outcome == Nacked()]
    taken = [number for number, outcome in enumerate(outcomes, start=1) if outcome == Confirmed()]
    assert sorted(rejected + taken) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert rejected[-1:] == [8]
    late = queue.drain()
    assert late.numbers == taken


@claim("publisher-confirms.one-full-queue-nacks")
@queue_types
def test_one_full_queue_of_two_nacks_and_the_other_keeps_the_message(scene: Scene, queue_type: QueueType) -> None:
    """Both are bound to one exchange; the message is nacked, and is in the queue that had room."""
    full = scene.queue(queue_type, max_length=1, overflow="reject-publish")
    roomy = scene.queue(queue_type)
    exchange = scene.exchange("fanout")
    roomy.bind(exchange)
    full.bind(exchange)
    outcomes = exchange.try_publish(*numbered(5))

    assert outcomes[-1] == Nacked()
    late = roomy.drain()
    assert late.numbers == [1, 2, 3, 4, 5]


@claim("publisher-confirms.missing-exchange-closes-the-channel")
def test_a_missing_exchange_closes_the_channel(scene: Scene) -> None:
    """With confirms the sender learns of it at once; another channel of the connection is still open."""
    missing = scene.undeclared_exchange()

    [outcome] = missing.try_publish("astray", key="any")

    assert outcome == Closed("channel", 404)
    assert scene.sender.settle() is None


@claim("publisher-confirms.immediate-closes-the-connection")
def test_immediate_closes_the_connection(scene: Scene) -> None:
    """Whether somebody is ready for the message or not."""
    queue = scene.queue()
    scene.receiver("ready", queue)

    [outcome] = queue.try_publish("now", immediate=True)

    assert outcome == Closed("connection", 540)


@claim("publisher-confirms.too-large-is-refused")
@pytest.mark.parametrize("size", [17 * 1024 * 1024], ids=["17 MiB"])
def test_a_message_that_is_too_large_is_refused(scene: Scene, size: int) -> None:
    """The broker closes the channel instead of taking it."""
    queue = scene.queue()

    [outcome] = queue.try_publish(b"x" * size, persistent=False)

    assert outcome == Closed("channel", 406)


@claim("publisher-confirms.exclude-transactions")
def test_a_transactional_channel_cannot_have_confirms(scene: Scene) -> None:
    """confirm.select after tx.select is refused."""
    scene.sender.begin()

    refused = refusal(lambda: scene.sender.raw(spec.Confirm.Select(), spec.Confirm.SelectOk))

    assert refused == Closed("channel", 406)


@claim("publisher-confirms.exclude-transactions-later")
def test_a_channel_with_confirms_cannot_be_transactional(scene: Scene) -> None:
    """tx.select after confirm.select is refused."""
    refused = refusal(lambda: scene.sender.raw(spec.Tx.Select(), spec.Tx.SelectOk, kind="confirming"))

    assert refused == Closed("channel", 406)


@claim("publisher-confirms.count-from-the-request")
@queue_types
def test_confirms_count_from_the_request_on(scene: Scene, queue_type: QueueType) -> None:
    """Two messages are published before confirm.select, and one after it, whose confirm has the number 1."""
    queue = scene.queue(queue_type)
    scene.sender.keeps_connection = True
    queue.publish("no 1 before", "no 2 before", confirm=False)
    scene.sender.raw(spec.Confirm.Select(), spec.Confirm.SelectOk)

    queue.publish("no 3 after", confirm=False)

    scene.wait_until(lambda: scene.sender.stray_answers, "a confirm has come")
    assert scene.sender.stray_answers == [1]


@claim("publisher-confirms.once-for-all-queues")
def test_a_message_to_several_queues_is_confirmed_once(scene: Scene) -> None:
    """Five messages go to three queues, which all have them; five confirms come."""
    exchange = scene.exchange("fanout")
    queues = [scene.queue("classic"), scene.queue("quorum"), scene.queue("classic")]
    for queue in queues:
        queue.bind(exchange)

    outcomes = exchange.try_publish(*numbered(5), in_flight=True)

    assert outcomes == [Confirmed()] * 5
    assert scene.sender.stray_answers == []
    assert [queue.drain().numbers for queue in queues] == [[1, 2, 3, 4, 5]] * 3


@claim("publisher-confirms.mandatory-needs-no-consumer")
@queue_types
def test_a_mandatory_message_may_wait(scene: Scene, queue_type: QueueType) -> None:
    """Nobody consumes from its queue; it is confirmed, and does not come back."""
    queue = scene.queue(queue_type)

    [outcome] = queue.try_publish("no 1 can wait", mandatory=True)

    assert outcome == Confirmed()
    assert queue.drain().numbers == [1]


@claim("publisher-confirms.rejected-does-not-come-back")
@queue_types
def test_a_mandatory_message_that_is_rejected_does_not_come_back(scene: Scene, queue_type: QueueType) -> None:
    """The queue becomes full; the last message is nacked, and none has come back."""
    queue = scene.queue(queue_type, max_length=1, overflow="reject-publish")

    outcomes = queue.try_publish(*numbered(5), mandatory=True)

    assert outcomes[-1] == Nacked()
    assert scene.sender.returned == []


@claim("publisher-confirms.lost-behind-the-error")
@queue_types
def test_what_is_published_behind_the_error_is_lost(scene: Scene, queue_type: QueueType) -> None:
    """Message 1 goes to the queue, message 2 to an exchange that is missing, and message 3 to the queue again."""
    queue, missing = scene.queue(queue_type), scene.undeclared_exchange()

    scene.sender.send(queue, "no 1 before", confirm=False)
    scene.sender.send(missing, "no 2 astray", confirm=False)
    scene.sender.send(queue, "no 3 behind", confirm=False)

    closed = scene.sender.settle()
    queue.wait_for(1)
    late = queue.drain()
    assert closed == Closed("channel", 404)
    assert late.numbers == [1]


@claim("publisher-confirms.cut-off-and-confirmed")
@queue_types
def test_what_was_confirmed_before_the_cut_is_there(scene: Scene, queue_type: QueueType) -> None:
    """Of forty messages in flight some are confirmed when the connection is cut; these are in the queue."""
    queue = scene.queue(queue_type)
    sender = scene.publisher("cut off")
    messages = [sender.send(queue, body) for body in numbered(40)]
    scene.wait_until(lambda: sum(m.outcome == Confirmed() for m in messages) >= 10, "ten messages are confirmed")

    sender.crash()

    confirmed = {number for number, message in enumerate(messages, start=1) if message.outcome == Confirmed()}
    queue.needs()
    late = queue.drain()
    assert confirmed - set(late.numbers) == set()


@claim("publisher-confirms.answered-while-a-queue-goes")
@queue_types
def test_each_message_is_answered_while_a_queue_is_deleted(scene: Scene, queue_type: QueueType) -> None:
    """Twenty messages in flight go to two queues, of which one is being deleted; three times."""
    exchange, stays, deletes = scene.exchange("fanout"), scene.queue(), scene.publisher("deletes")
    stays.bind(exchange)

    for _ in range(3):
        goes = scene.queue(queue_type)
        goes.bind(exchange)
        deletes.raw(spec.Queue.Delete(queue=goes.name, nowait=True))
        outcomes = exchange.try_publish(*numbered(20), in_flight=True)

        assert {type(outcome) for outcome in outcomes} <= {Confirmed, Nacked}
