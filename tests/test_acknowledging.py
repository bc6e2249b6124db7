"""Acknowledging, rejecting, order: what settles several messages, and where messages come back to.

From RabbitMQ's pages on acknowledgements and on order. A second receiver shows what comes back, and in which order.
"""

from collections.abc import Callable, Generator
from functools import partial

import pytest
from pika import spec

from fixtures.vocabulary import (
    Closed,
    NotEstablished,
    Queue,
    QueueType,
    Receiver,
    Scene,
    after_time,
    claim,
    numbered,
    queue_types,
    refusal,
)


def holds(scene: Scene, queue: Queue, count: int) -> Receiver:
    """A receiver that holds the first messages of five."""
    receiver = scene.receiver("holds", queue, acks=False, prefetch=count)
    queue.publish(*numbered(5))
    scene.wait_for_deliveries(count)
    return receiver


@claim("acknowledging.multiple-takes-all-before")
@queue_types
def test_multiple_takes_all_before(scene: Scene, queue_type: QueueType) -> None:
    """Of five messages it acknowledges the third, with `multiple`; two come back."""
    queue = scene.queue(queue_type)
    leaves = holds(scene, queue, 5)
    leaves.ack(3, multiple=True)
    leaves.settle()
    leaves.close()

    following = scene.receiver("following", queue)

    scene.wait_for_deliveries(7)
    assert following.numbers == [4, 5]


@claim("acknowledging.given-back-in-place")
@queue_types
def test_what_is_given_back_together_comes_back_in_place(scene: Scene, queue_type: QueueType) -> None:
    """It holds three of five messages and gives them back with one nack."""
    queue = scene.queue(queue_type)
    leaves = holds(scene, queue, 3)
    leaves.cancel()
    leaves.nack(3, requeue=True, multiple=True)
    leaves.settle()
    queue.wait_for(5)

    following = scene.receiver("following", queue)

    scene.wait_for_deliveries(8)
    assert following.numbers == [1, 2, 3, 4, 5]


@claim("acknowledging.order-of-publishing")
@queue_types
def test_what_is_given_back_one_by_one_comes_as_published(scene: Scene, queue_type: QueueType) -> None:
    """It gives back message 3, then 1, then 2."""
    queue = scene.queue(queue_type, delivery_limit=100 if queue_type == "quorum" else None)
    leaves = holds(scene, queue, 3)
    leaves.cancel()
    for number in (3, 1, 2):
        leaves.reject(number, requeue=True)
    leaves.settle()
    queue.wait_for(5)

    following = scene.receiver("following", queue)

    scene.wait_for_deliveries(8)
    assert following.numbers == [1, 2, 3, 4, 5]


@claim("acknowledging.cancel-gives-nothing-back")
@queue_types
def test_who_cancels_keeps_what_it_holds(scene: Scene, queue_type: QueueType) -> None:
    """Two of five messages stay with it, and are acknowledged later; somebody else gets the other three."""
    queue = scene.queue(queue_type)
    leaves = holds(scene, queue, 2)
    leaves.cancel()

    following = scene.receiver("following", queue)

    scene.wait_for_deliveries(5)
    assert following.numbers == [3, 4, 5]
    leaves.ack(2, multiple=True)
    assert leaves.settle() is None


@claim("acknowledging.recover-gives-all-back")
@queue_types
def test_recover_brings_all_of_it_again(scene: Scene, queue_type: QueueType) -> None:
    """It has acknowledged the first of three messages, and gets the other two again."""
    queue = scene.queue(queue_type)
    recovers = scene.receiver("recovers", queue, acks=False)
    queue.publish(*numbered(3))
    scene.wait_for_deliveries(3)
    recovers.ack(1)

    recovers.recover()

    scene.wait_for_deliveries(5)
    assert recovers.numbers == [1, 2, 3, 2, 3]
    assert [delivery.redelivered for delivery in recovers.deliveries] == [False, False, False, True, True]


@claim("acknowledging.twice-is-refused")
@queue_types
def test_a_second_acknowledgement_is_refused(scene: Scene, queue_type: QueueType) -> None:
    """The channel is closed."""
    queue = scene.queue(queue_type)
    receiver = scene.receiver("acks twice", queue, acks=False)
    queue.publish("no 1 once")
    scene.wait_for_deliveries(1)
    receiver.ack(1)

    receiver.ack(1)

    assert receiver.settle() == Closed("channel", 406)


# Where it goes, and where it comes back to.


@claim("acknowledging.end-gives-back-in-place")
@queue_types
@pytest.mark.parametrize(
    "end", [Receiver.crash, Receiver.close, Receiver.close_channel], ids=["crash", "close", "close-channel"]
)
def test_what_an_end_gives_back_comes_back_in_place(
    scene: Scene, queue_type: QueueType, end: Callable[[Receiver], None]
) -> None:
    """It holds three of five messages when it ends, and they come before the other two."""
    queue = scene.queue(queue_type)
    leaves = holds(scene, queue, 3)

    end(leaves)
    queue.wait_for(5)

    following = scene.receiver("following", queue)
    scene.wait_for_deliveries(8)
    assert following.numbers == [1, 2, 3, 4, 5]


@claim("acknowledging.delivery-limit-keeps-the-place")
def test_with_a_delivery_limit_it_comes_back_in_place(scene: Scene) -> None:
    """It holds three of five messages and gives them back with one nack."""
    queue = scene.queue("quorum", delivery_limit=100)
    leaves = holds(scene, queue, 3)
    leaves.cancel()
    leaves.nack(3, requeue=True, multiple=True)
    leaves.settle()
    queue.wait_for(5)

    following = scene.receiver("following", queue)

    scene.wait_for_deliveries(8)
    assert following.numbers == [1, 2, 3, 4, 5]


@claim("acknowledging.another-one-gets-it")
@queue_types
def test_another_one_gets_what_is_given_back(scene: Scene, queue_type: QueueType) -> None:
    """One gives the message back, and the other, which is as ready, gets it."""
    queue = scene.queue(queue_type)
    one = scene.receiver("one", queue, acks=False)
    other = scene.receiver("other", queue)
    queue.publish("no 1 for somebody else")
    scene.wait_for_deliveries(1)

    one.nack(1, requeue=True)

    scene.wait_for_deliveries(2)
    assert (one.numbers, other.numbers) == ([1], [1])
    assert other.redelivered == [1]


@claim("acknowledging.alone-gets-it-again")
@queue_types
def test_who_is_alone_gets_it_again(scene: Scene, queue_type: QueueType) -> None:
    """It gives message 1 back twice, and gets it three times; message 2 waits."""
    queue = scene.queue(queue_type)
    queue.publish(*numbered(2))
    alone = scene.receiver("alone", queue, acks=False, prefetch=1)
    scene.wait_for_deliveries(1)
    alone.nack(alone.numbers[-1], requeue=True)
    scene.wait_for_deliveries(2)

    alone.nack(alone.numbers[-1], requeue=True)

    scene.wait_for_deliveries(3)
    assert alone.numbers == [1, 1, 1]


@claim("acknowledging.marked-when-it-comes-again")
@queue_types
def test_a_message_is_marked_when_it_comes_again(scene: Scene, queue_type: QueueType) -> None:
    """By basic.get: the first time it is not marked, and after a nack it is."""
    queue = scene.queue(queue_type)
    queue.publish("no 1 twice")
    receiver = scene.receiver("receiver", queue, consumes=False)
    receiver.get()
    receiver.nack(1, requeue=True)
    receiver.settle()
    queue.wait_for(1)

    receiver.get()

    assert [delivery.redelivered for delivery in receiver.deliveries] == [False, True]


# To a receiver that does not read, without acknowledgements.

#: At a time so many messages of half a megabyte, which fill the buffers on the way, and small ones behind them: a
#: classic queue sends some hundred messages more.
LARGE, SMALL = 40, 500


#: So many times are certainly too much for all buffers on the way.
TOO_MUCH = 5


def hangs(scene: Scene, queue_type: QueueType) -> Generator[None, None, tuple[Queue, Receiver, int]]:
    """A receiver that reads nothing, and messages for it, more whenever none is left; how often there were some."""
    queue = scene.queue(queue_type)
    receiver = scene.receiver("hangs", queue, auto_ack=True)
    receiver.hang()
    times = 0
    for _ in range(8):
        if not times or (queue_type == "classic" and times < TOO_MUCH and not queue.ready):
            bodies = numbered(LARGE + SMALL, start=times * (LARGE + SMALL) + 1)
            queue.publish(*(body.ljust(500_000) for body in bodies[:LARGE]), *bodies[LARGE:], confirm=False)
            times += 1
        yield
    return queue, receiver, times


@claim("acknowledging.classic-queues-stop-at-a-full-socket")
@after_time(partial(hangs, queue_type="classic"))
def test_a_classic_queue_stops_at_a_full_socket(arranged: tuple[Queue, Receiver, int]) -> None:
    """After some seconds it still has the last ones of its messages, and keeps them when the receiver crashes."""
    queue, receiver, times = arranged
    receiver.crash()

    late = queue.drain()

    if not late.numbers and times < TOO_MUCH:
        raise NotEstablished(f"the buffers on the way hold all that was published: {times * LARGE} messages of 500 kB")
    last = times * (LARGE + SMALL)
    assert late.numbers[-1:] == [last]
    assert late.numbers == list(range(late.numbers[0], last + 1))


@claim("acknowledging.quorum-queues-deliver-to-a-full-socket")
@after_time(partial(hangs, queue_type="quorum"))
def test_a_quorum_queue_does_not_stop_at_a_full_socket(arranged: tuple[Queue, Receiver, int]) -> None:
    """After some seconds nothing is left in it, and nothing comes back when the receiver crashes."""
    queue, receiver, _ = arranged
    queue.becomes_empty()
    receiver.crash()

    late = queue.drain()

    assert late.numbers == []


# What was taken by basic.get.


@claim("acknowledging.what-get-took-comes-back")
@queue_types
def test_what_get_took_comes_back(scene: Scene, queue_type: QueueType) -> None:
    """Two of three messages were taken by basic.get when the channel is closed."""
    queue = scene.queue(queue_type)
    queue.publish(*numbered(3))
    polls = scene.receiver("polls", queue, consumes=False)
    polls.get()
    polls.get()

    polls.close_channel()
    queue.wait_for(3)

    late = queue.drain()
    assert late.numbers == [1, 2, 3]
    assert late.redelivered == [1, 2]


@claim("acknowledging.does-not-come-back")
@queue_types
def test_what_is_acknowledged_does_not_come_back(scene: Scene, queue_type: QueueType) -> None:
    """Fifty messages are taken by basic.get, and acknowledged just before the channel is closed."""
    queue = scene.queue(queue_type)
    queue.try_publish(*numbered(50), in_flight=True)
    polls = scene.receiver("polls", queue, consumes=False)
    while polls.get():
        pass
    polls.ack(50, multiple=True)

    polls.close_channel()

    queue.needs()
    late = queue.drain()
    assert late.numbers == []


# Several at once.


@claim("acknowledging.zero-means-all")
@queue_types
def test_the_tag_zero_means_all(scene: Scene, queue_type: QueueType) -> None:
    """Of the five that it held none comes back."""
    queue = scene.queue(queue_type)
    leaves = holds(scene, queue, 5)
    leaves.raw(spec.Basic.Ack(delivery_tag=0, multiple=True))
    leaves.settle()
    leaves.close()

    queue.publish("no 6 for the next one")

    following = scene.receiver("following", queue)
    scene.wait_for_deliveries(6)
    assert following.numbers == [6]


@claim("acknowledging.nack-takes-several-too")
@queue_types
def test_a_nack_takes_several_too(scene: Scene, queue_type: QueueType) -> None:
    """Of five messages it refuses three with one nack, without requeue; two come back."""
    queue = scene.queue(queue_type)
    leaves = holds(scene, queue, 5)
    leaves.nack(3, requeue=False, multiple=True)
    leaves.settle()
    leaves.close()

    following = scene.receiver("following", queue)

    scene.wait_for_deliveries(7)
    assert following.numbers == [4, 5]


@claim("acknowledging.cancelling-again-and-again")
@queue_types
def test_to_cancel_again_and_again_loses_and_doubles_nothing(scene: Scene, queue_type: QueueType) -> None:
    """Eight times it subscribes, gets five messages, cancels, and acknowledges them."""
    queue = scene.queue(queue_type)
    queue.try_publish(*numbered(40), in_flight=True)
    receiver = scene.receiver("receiver", queue, acks=False, prefetch=5, consumes=False)

    def pauses() -> None:
        for received in range(5, 41, 5):
            receiver.consume()
            scene.wait_for_deliveries(received)
            receiver.cancel()
            receiver.ack(receiver.numbers[-1], multiple=True)

    assert refusal(pauses) is None
    assert receiver.settle() is None
    assert receiver.numbers == list(range(1, 41))


# What is refused, and what is not.


@claim("acknowledging.unknown-is-refused")
@queue_types
def test_a_tag_that_was_never_given_is_refused(scene: Scene, queue_type: QueueType) -> None:
    """It has got one message, and acknowledges a hundredth."""
    queue = scene.queue(queue_type)
    receiver = scene.receiver("receiver", queue, acks=False)
    queue.publish("no 1 the only one")
    scene.wait_for_deliveries(1)

    receiver.raw(spec.Basic.Ack(delivery_tag=100))

    assert receiver.settle() == Closed("channel", 406)


@claim("acknowledging.queue-may-be-gone")
@queue_types
def test_the_queue_of_what_is_acknowledged_may_be_gone(scene: Scene, queue_type: QueueType) -> None:
    """It acknowledges a message whose queue was deleted, and its channel stays open."""
    queue = scene.queue(queue_type)
    receiver = scene.receiver("receiver", queue, acks=False)
    queue.publish("no 1 the last one")
    scene.wait_for_deliveries(1)
    queue.delete()
    scene.wait_until(lambda: receiver.cancelled, "the receiver was cancelled")

    receiver.ack(1)

    assert refusal(lambda: receiver.raw(spec.Basic.Qos(), spec.Basic.QosOk)) is None


@claim("acknowledging.recover-needs-requeue")
@queue_types
def test_recover_without_requeue_is_refused(scene: Scene, queue_type: QueueType) -> None:
    """The connection is closed."""
    receiver = scene.receiver("recovers", scene.queue(queue_type))

    refused = refusal(lambda: receiver.recover(requeue=False))

    assert refused == Closed("connection", 540)
