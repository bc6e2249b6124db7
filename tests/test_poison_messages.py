"""Poison messages: how often one that is given back again and again is delivered.

From RabbitMQ's pages on quorum queues. A receiver gives message 1 back each time, and another message shows when it is
gone.
"""

import pytest

from fixtures.vocabulary import Queue, Receiver, Scene, claim, numbered


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


def next_two(scene: Scene, queue: Queue, receiver: Receiver) -> list[int]:
    """What it gets when two more messages are sent. Where message 1 is put at the queue's end, it is the second one."""
    came = len(receiver.numbers)
    queue.publish("no 2 wholesome")
    scene.wait_for_deliveries(came + 1)
    receiver.ack(receiver.numbers[-1])
    queue.publish("no 3 wholesome too")
    scene.wait_for_deliveries(came + 2)
    return receiver.numbers[came:]


@claim("poison-messages.limit-and-one-more")
def test_a_message_comes_once_more_than_the_limit(scene: Scene) -> None:
    """Three times with a limit of two; what comes next are other messages."""
    queue = scene.queue("quorum", delivery_limit=2)

    receiver = gives_back(scene, queue, times=3)

    assert next_two(scene, queue, receiver) == [2, 3]


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
    """21 times, and then other messages."""
    queue = scene.queue("quorum")

    receiver = gives_back(scene, queue, times=21)

    assert next_two(scene, queue, receiver) == [2, 3]


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


@claim("poison-messages.zero-is-one-delivery")
def test_with_a_limit_of_0_it_comes_once(scene: Scene) -> None:
    """It comes once; what comes next are other messages."""
    queue = scene.queue("quorum", delivery_limit=0)

    receiver = gives_back(scene, queue, times=1)

    assert next_two(scene, queue, receiver) == [2, 3]


@claim("poison-messages.minus-one-comes-again")
def test_with_a_limit_of_minus_1_it_comes_again(scene: Scene) -> None:
    """It comes again, before another message or after it."""
    queue = scene.queue("quorum", delivery_limit=-1)

    receiver = gives_back(scene, queue, times=1)

    assert 1 in next_two(scene, queue, receiver)


@claim("poison-messages.minus-one-is-no-limit")
def test_a_limit_of_minus_1_is_none(scene: Scene) -> None:
    """It was given back 25 times, and comes again."""
    queue = scene.queue("quorum", delivery_limit=-1)

    receiver = gives_back(scene, queue, times=25)

    scene.wait_for_deliveries(26)
    assert receiver.numbers == [1] * 26


@claim("poison-messages.counted-in-a-header")
@pytest.mark.parametrize("how", ["consume", "get"])
def test_a_header_says_how_often_it_came_back(scene: Scene, how: str) -> None:
    """x-delivery-count is not there the first time, then 1, then 2."""
    queue = scene.queue("quorum", delivery_limit=5)
    receiver = scene.receiver("gives back", queue, acks=False, consumes=how == "consume")
    queue.publish("no 1 poison")

    for n in (1, 2, 3):
        if n > 1:
            receiver.reject(1, requeue=True)
        if how == "get":
            queue.needs(1)
            receiver.get()
        scene.wait_until(lambda n=n: len(receiver.numbers) == n, f"message 1 has come {n} times")  # type: ignore[misc]

    assert [delivery.headers.get("x-delivery-count") for delivery in receiver.deliveries] == [None, 1, 2]


@claim("poison-messages.acquired-counts-all")
def test_a_header_says_how_often_it_was_delivered(scene: Scene) -> None:
    """x-acquired-count is not there the first time, then 1, then 2, though it was given back by basic.nack."""
    queue = scene.queue("quorum")

    receiver = gives_back(scene, queue, times=2, nack=True)

    scene.wait_for_deliveries(3)
    assert [delivery.headers.get("x-acquired-count") for delivery in receiver.deliveries] == [None, 1, 2]


@claim("poison-messages.a-crash-counts-for-all-held")
def test_a_crash_counts_for_all_that_a_receiver_held(scene: Scene) -> None:
    """It held three messages; to the next receiver each of them comes with a count of 1."""
    queue = scene.queue("quorum", delivery_limit=5)
    crashes = scene.receiver("crashes", queue, acks=False, prefetch=3)
    queue.publish(*numbered(3))
    scene.wait_for_deliveries(3)

    crashes.crash()

    heir = scene.receiver("heir", queue)
    scene.wait_for_deliveries(6)
    counts = [(delivery.number, delivery.headers.get("x-delivery-count")) for delivery in heir.deliveries]
    assert sorted(counts) == [(1, 1), (2, 1), (3, 1)]


@claim("poison-messages.lost-connections-count")
def test_a_message_that_lost_its_receivers_is_a_dead_letter(scene: Scene) -> None:
    """With a limit of one two receivers crash over message 1; then it arrives where dead letters go."""
    end = scene.queue("quorum")
    queue = scene.queue("quorum", delivery_limit=1, dead_letters_to=end)
    buries = scene.receiver("buries", end)
    queue.publish("no 1 poison")

    for name in ("first", "second"):
        victim = scene.receiver(name, queue, acks=False)
        scene.wait_until(lambda: victim.numbers == [1], f"message 1 has come to {name}")  # noqa: B023
        victim.crash()

    scene.wait_until(lambda: buries.numbers == [1], "message 1 has come to the end")
    assert [death.reason for death in buries.deliveries[0].deaths] == ["delivery_limit"]


@claim("poison-messages.retry-can-wait")
def test_a_message_that_is_rejected_can_wait(scene: Scene) -> None:
    """Message 1 is rejected when message 2 is ready, and comes after it."""
    delayed = {"x-delayed-retry-type": "failed", "x-delayed-retry-min": 100}
    queue = scene.queue("quorum", arguments=delayed)
    receiver = scene.receiver("gives back", queue, acks=False, prefetch=1)
    queue.publish(*numbered(2))
    scene.wait_for_deliveries(1)

    receiver.reject(1, requeue=True)

    scene.wait_for_deliveries(2)
    receiver.ack(receiver.numbers[1])
    scene.wait_for_deliveries(3)
    assert receiver.numbers == [1, 2, 1]
