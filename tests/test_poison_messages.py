"""Poison messages: how often one that is given back again and again is delivered.

From RabbitMQ's pages on quorum queues. A receiver gives message 1 back each time, and another message shows when it is
gone.
"""

from fixtures.vocabulary import Queue, Receiver, Scene, claim


def gives_back(scene: Scene, queue: Queue, times: int, nack: bool = False) -> Receiver:
    """A receiver that gets message 1 so many times and gives it back each time."""
    receiver = scene.receiver("gives back", queue, acks=False, prefetch=1)
    queue.publish("no 1 poison")
    for n in range(1, times + 1):
        scene.wait_until(lambda n=n: len(receiver.numbers) == n, f"message 1 has come {n} times")  # type: ignore[misc]
        if nack:
            receiver.nack(1, requeue=True)
        else:
            receiver.reject(1, requeue=True)
    return receiver


@claim("poison-messages.limit-and-one-more")
def test_a_message_comes_once_more_than_the_limit(scene: Scene) -> None:
    """Three times with a limit of two; what comes next is another message."""
    queue = scene.queue("quorum", delivery_limit=2)

    receiver = gives_back(scene, queue, times=3)

    queue.publish("no 2 wholesome")
    scene.wait_for_deliveries(4)
    assert receiver.numbers == [1, 1, 1, 2]


@claim("poison-messages.become-dead-letters")
def test_a_message_over_the_limit_is_a_dead_letter(scene: Scene) -> None:
    """It arrives at the dead letter exchange, with the reason."""
    end = scene.queue("quorum")
    queue = scene.queue("quorum", delivery_limit=1, dead_letters_to=end)
    buries = scene.receiver("buries", end)

    gives_back(scene, queue, times=2)

    scene.wait_until(lambda: buries.numbers == [1], "message 1 has come to the end")
    assert [death.reason for death in buries.deliveries[0].deaths] == ["delivery_limit"]


@claim("poison-messages.twenty-by-default")
def test_the_limit_is_twenty_by_default(scene: Scene) -> None:
    """21 times, and then another message."""
    queue = scene.queue("quorum")

    receiver = gives_back(scene, queue, times=21)

    queue.publish("no 2 wholesome")
    scene.wait_for_deliveries(22)
    assert receiver.numbers == [1] * 21 + [2]


@claim("poison-messages.nacks-do-not-count")
def test_a_nack_does_not_count(scene: Scene) -> None:
    """With a limit of two it comes a fourth time, before message 2."""
    queue = scene.queue("quorum", delivery_limit=2)

    receiver = gives_back(scene, queue, times=3, nack=True)

    queue.publish("no 2 wholesome")
    scene.wait_for_deliveries(4)
    assert receiver.numbers == [1, 1, 1, 1]


@claim("poison-messages.classic-queues-have-none")
def test_a_classic_queue_gives_it_back_for_ever(scene: Scene) -> None:
    """25 times here; message 2 waits behind it."""
    queue = scene.queue("classic")

    receiver = gives_back(scene, queue, times=25)

    queue.publish("no 2 wholesome")
    scene.wait_for_deliveries(26)
    assert receiver.numbers == [1] * 26
