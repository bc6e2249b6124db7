"""Acknowledging, rejecting, order: what settles several messages, and where messages come back to.

From RabbitMQ's pages on acknowledgements and on order. A second receiver shows what comes back, and in which order.
"""

from fixtures.vocabulary import Closed, Queue, QueueType, Receiver, Scene, claim, numbered, queue_types


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
