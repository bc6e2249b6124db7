"""Dead letters: what dies, what arrives at the dead letter exchange, and what is said of it.

From RabbitMQ's page on dead letter exchanges. No test measures a time: what is to expire is waited for where it
arrives.
"""

import pytest

from fixtures.vocabulary import QueueType, Scene, claim, queue_types

#: An expiration that is over soon, in milliseconds.
SOON = 50


@claim("dead-letters.say-why")
@pytest.mark.parametrize("death", ["rejected", "expired", "maxlen"])
@queue_types
def test_a_dead_letter_says_why(scene: Scene, queue_type: QueueType, death: str) -> None:
    """It arrives at the end of its way with one entry in x-death: the reason, the queue, and that it died once."""
    end = scene.queue(queue_type)
    limit, ttl = (1 if death == "maxlen" else None), (SOON if death == "expired" else None)
    queue = scene.queue(queue_type, max_length=limit, message_ttl=ttl, dead_letters_to=end)
    buries = scene.receiver("buries", end)
    refuses = scene.receiver("refuses", queue, acks=False) if death == "rejected" else None

    queue.publish("no 1 dies", *(["no 2 is one too many"] if death == "maxlen" else []))
    if refuses:
        scene.wait_until(lambda: refuses.numbers == [1], "message 1 is there to be refused")
        refuses.reject(1, requeue=False)

    scene.wait_until(lambda: buries.numbers == [1], "message 1 has come to the end")
    [found] = buries.deliveries[0].deaths
    assert (found.reason, found.queue, found.count) == (death, queue.name, 1)


@claim("dead-letters.are-new-messages")
@queue_types
def test_a_dead_letter_is_a_new_message(scene: Scene, queue_type: QueueType) -> None:
    """It has expired; where it arrives it is as if it had just been sent."""
    end = scene.queue(queue_type)
    queue = scene.queue(queue_type, dead_letters_to=end)
    buries = scene.receiver("buries", end)

    queue.publish("no 1 expires", expiration=SOON)

    scene.wait_until(lambda: buries.numbers == [1], "message 1 has come to the end")
    [letter] = buries.deliveries
    assert (letter.redelivered, letter.properties.expiration) == (False, None)
    assert letter.deaths[0].original_expiration == str(SOON)


@claim("dead-letters.nowhere-to-go")
@queue_types
def test_a_dead_letter_with_nowhere_to_go_is_dropped(scene: Scene, queue_type: QueueType) -> None:
    """The queue is empty, and the receiver that has refused the message gets the next one."""
    queue = scene.queue(queue_type, arguments={"x-dead-letter-exchange": "claims-no-such-exchange"})
    refuses = scene.receiver("refuses", queue, acks=False, prefetch=1)
    queue.publish("no 1 dies")
    scene.wait_for_deliveries(1)

    refuses.reject(1, requeue=False)

    queue.publish("no 2 lives")
    scene.wait_for_deliveries(2)
    assert refuses.numbers == [1, 2]


@claim("dead-letters.remember-the-first-death")
@queue_types
def test_a_message_that_dies_again_remembers_its_first_death(scene: Scene, queue_type: QueueType) -> None:
    """It is rejected in one queue, then dropped by another one, which is full."""
    end = scene.queue(queue_type)
    second = scene.queue(queue_type, max_length=1, dead_letters_to=end)
    first = scene.queue(queue_type, dead_letters_to=second)
    refuses = scene.receiver("refuses", first, acks=False)
    buries = scene.receiver("buries", end)
    first.publish("no 1 dies twice")
    scene.wait_until(lambda: refuses.numbers == [1], "message 1 is there to be refused")
    refuses.reject(1, requeue=False)
    second.wait_for(1)

    second.publish("no 2 is one too many")

    scene.wait_until(lambda: buries.numbers == [1], "message 1 has come to the end")
    [letter] = buries.deliveries
    remembered = (str(letter.headers["x-first-death-reason"]), str(letter.headers["x-first-death-queue"]))
    assert remembered == ("rejected", first.name)
    assert [death.reason for death in letter.deaths] == ["maxlen", "rejected"]


@claim("dead-letters.published-again-count-anew")
@queue_types
def test_a_dead_letter_that_is_published_again_counts_anew(scene: Scene, queue_type: QueueType) -> None:
    """It dies, is published again with the headers that it had, and dies again: each time it has died once."""
    end = scene.queue(queue_type)
    queue = scene.queue(queue_type, dead_letters_to=end)
    refuses = scene.receiver("refuses", queue, acks=False, prefetch=1)
    buries = scene.receiver("buries", end)
    queue.publish("no 1 dies")
    scene.wait_until(lambda: refuses.numbers == [1], "message 1 is there to be refused")
    refuses.reject(1, requeue=False)
    scene.wait_until(lambda: buries.numbers == [1], "message 1 has come to the end")

    queue.publish("no 1 dies", headers=buries.deliveries[0].headers)
    scene.wait_until(lambda: refuses.numbers == [1, 1], "message 1 is there to be refused again")
    refuses.reject(1, requeue=False)

    scene.wait_until(lambda: buries.numbers == [1, 1], "message 1 has come to the end again")
    assert [letter.deaths[0].count for letter in buries.deliveries] == [1, 1]
