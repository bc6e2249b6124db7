"""Transactions: what happens when they are committed, and what does not when they are rolled back.

From RabbitMQ's page on semantics. Each transaction is on one channel and goes to one queue: more is not promised.
"""

from pika import spec

from fixtures.vocabulary import QueueType, Scene, claim, numbered, queue_types


@claim("transactions.nothing-before-the-commit")
@queue_types
def test_nothing_is_there_before_the_commit(scene: Scene, queue_type: QueueType) -> None:
    """Message 4 is published by another one after the three and before their commit, and comes before them."""
    queue = scene.queue(queue_type)
    scene.sender.begin()
    queue.publish(*numbered(3), confirm=False)
    scene.sender.settle()
    scene.publisher("another one").publish(queue, "no 4 meanwhile")

    scene.sender.commit()

    late = queue.drain()
    assert late.numbers == [4, 1, 2, 3]


@claim("transactions.rollback-takes-back")
@queue_types
def test_what_is_rolled_back_is_gone(scene: Scene, queue_type: QueueType) -> None:
    """Of what is published before and after the rollback only the latter is there."""
    queue = scene.queue(queue_type)
    scene.sender.begin()
    queue.publish("no 1 is taken back", confirm=False)
    scene.sender.roll_back()
    queue.publish("no 2 stays", confirm=False)

    scene.sender.commit()

    late = queue.drain()
    assert late.numbers == [2]


@claim("transactions.acknowledgements-too")
@queue_types
def test_an_acknowledgement_that_is_rolled_back_does_not_count(scene: Scene, queue_type: QueueType) -> None:
    """The first is committed, the second rolled back: when the receiver leaves, the second message comes back."""
    queue = scene.queue(queue_type)
    leaves = scene.receiver("leaves", queue, acks=False)
    queue.publish(*numbered(2))
    scene.wait_for_deliveries(2)
    leaves.raw(spec.Tx.Select(), spec.Tx.SelectOk)
    leaves.ack(1)
    leaves.raw(spec.Tx.Commit(), spec.Tx.CommitOk)
    leaves.ack(2)
    leaves.raw(spec.Tx.Rollback(), spec.Tx.RollbackOk)
    leaves.close()
    queue.wait_for(1)

    following = scene.receiver("following", queue)
    queue.publish("no 3 comes next")

    scene.wait_until(lambda: 3 in following.numbers, "message 3 has come")
    assert following.numbers == [2, 3]
