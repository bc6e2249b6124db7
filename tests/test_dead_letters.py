"""Dead letters: what dies, what arrives at the dead letter exchange, and what is said of it.

From RabbitMQ's page on dead letter exchanges. No test measures a time: what is to expire is waited for where it
arrives.
"""

import pytest

from fixtures.vocabulary import (
    Queue,
    QueueType,
    Receiver,
    Restart,
    Scene,
    after_restart,
    after_time,
    claim,
    numbered,
    queue_types,
)

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


@claim("dead-letters.remember-the-last-death")
@queue_types
def test_a_message_that_dies_again_tells_of_its_last_death(scene: Scene, queue_type: QueueType) -> None:
    """It expires in one queue, then in a second one."""
    end = scene.queue(queue_type)
    second = scene.queue(queue_type, message_ttl=SOON, dead_letters_to=end)
    first = scene.queue(queue_type, message_ttl=SOON, dead_letters_to=second)
    buries = scene.receiver("buries", end)

    first.publish("no 1 dies twice")

    scene.wait_until(lambda: buries.numbers == [1], "message 1 has come to the end")
    headers = buries.deliveries[0].headers
    assert [headers.get(f"x-last-death-{what}") for what in ("reason", "queue")] == ["expired", second.name]


@claim("dead-letters.unroutable-are-dropped")
@queue_types
def test_a_dead_letter_without_a_way_is_dropped(scene: Scene, queue_type: QueueType) -> None:
    """The receiver that has refused it gets the next message, and a queue that is bound later does not get it."""
    exchange = scene.exchange("fanout")
    queue = scene.queue(queue_type, dead_letters_to=exchange)
    refuses = scene.receiver("refuses", queue, acks=False, prefetch=1)
    queue.publish("no 1 dies", "no 2 lives")
    scene.wait_for_deliveries(1)

    refuses.reject(1, requeue=False)

    scene.wait_for_deliveries(2)
    end = scene.queue(queue_type)
    end.bind(exchange)
    exchange.publish("no 3 lives")
    late = end.drain()
    assert (refuses.numbers, late.numbers) == ([1, 2], [3])


@claim("dead-letters.a-round-of-expiries-ends")
@queue_types
def test_a_message_that_only_expires_goes_round_once(scene: Scene, queue_type: QueueType) -> None:
    """Its queue's dead letters come back to the queue; each time a copy goes to the end."""
    end = scene.queue(queue_type)
    exchange = scene.exchange("fanout")
    queue = scene.queue(queue_type, message_ttl=SOON, dead_letters_to=exchange)
    queue.bind(exchange)
    end.bind(exchange)
    buries = scene.receiver("buries", end)
    queue.publish("no 1 expires")
    scene.wait_until(lambda: buries.numbers == [1], "message 1 has come to the end")

    queue.publish("no 2 expires later than message 1 could once more")

    scene.wait_until(lambda: 2 in buries.numbers, "message 2 has come to the end")
    assert buries.numbers == [1, 2]


def goes_round(scene: Scene, queue_type: QueueType, rounds: int) -> Receiver:
    """A receiver refuses message 1, which waits in another queue and comes again: so many times."""
    work = scene.undeclared_queue(queue_type)
    wait = scene.queue(queue_type, message_ttl=SOON, dead_letters_to=work)
    work = scene.queue(queue_type, dead_letters_to=wait, same_as=work)
    refuses = scene.receiver("refuses", work, acks=False)
    work.publish("no 1 goes round")
    for n in range(1, rounds + 1):
        scene.wait_until(lambda n=n: len(refuses.numbers) == n, f"message 1 has come {n} times")  # type: ignore[misc]
        if n < rounds:
            refuses.reject(1, requeue=False)
    return refuses


@claim("dead-letters.a-round-with-a-rejection-goes-on")
@queue_types
def test_a_message_that_is_rejected_goes_round_again(scene: Scene, queue_type: QueueType) -> None:
    """It is rejected, waits, and comes again: the fourth time too."""
    refuses = goes_round(scene, queue_type, rounds=4)

    assert refuses.numbers == [1] * 4


@claim("dead-letters.deaths-are-counted")
@queue_types
def test_deaths_are_counted(scene: Scene, queue_type: QueueType) -> None:
    """After two rounds it has died twice of each of the two reasons, the last time by expiring."""
    refuses = goes_round(scene, queue_type, rounds=3)

    deaths = refuses.deliveries[2].deaths
    assert [(death.reason, death.count) for death in deaths] == [("expired", 2), ("rejected", 2)]


@claim("dead-letters.published-again-go-the-same-way")
@queue_types
def test_a_dead_letter_that_is_published_again_goes_the_same_way(scene: Scene, queue_type: QueueType) -> None:
    """It has expired in two queues on its way; published again with its headers, it comes by the same two queues."""
    end = scene.queue(queue_type)
    second = scene.queue(queue_type, message_ttl=SOON, dead_letters_to=end)
    first = scene.queue(queue_type, message_ttl=SOON, dead_letters_to=second)
    buries = scene.receiver("buries", end)
    first.publish("no 1 makes two trips")
    scene.wait_until(lambda: buries.numbers == [1], "message 1 has come to the end")

    first.publish("no 1 makes two trips", headers=buries.deliveries[0].headers)
    first.publish("no 2 follows")

    scene.wait_until(lambda: 2 in buries.numbers, "message 2 has come to the end")
    assert buries.numbers == [1, 1, 2]


@claim("dead-letters.at-least-once-waits")
def test_dead_letters_wait_for_a_way(scene: Scene) -> None:
    """Three dead letters have nowhere to go, so a queue with a limit of three has no room for three new ones."""
    queue = scene.queue(
        "quorum",
        max_length=3,
        overflow="reject-publish",
        dead_letters_to=scene.exchange("fanout"),
        arguments={"x-dead-letter-strategy": "at-least-once"},
    )
    refuses = scene.receiver("refuses", queue, acks=False)
    queue.publish(*numbered(3))
    scene.wait_for_deliveries(3)
    refuses.cancel()

    refuses.nack(3, requeue=False, multiple=True)

    refuses.settle()
    queue.try_publish(*numbered(6, start=4))
    late = queue.drain()
    assert len(late.numbers) < 3


def dead_letters_of_both_modes(scene: Scene, queue_type: QueueType) -> Queue:
    """A durable classic queue with a transient and a persistent dead letter."""
    end = scene.queue("classic")
    queue = scene.queue(queue_type, dead_letters_to=end)
    refuses = scene.receiver("refuses", queue, acks=False)
    queue.publish("no 1 transient", persistent=False)
    queue.publish("no 2 persistent", persistent=True)
    scene.wait_for_deliveries(2)
    refuses.nack(2, requeue=False, multiple=True)
    end.needs(2)
    return end


@claim("dead-letters.keep-their-mode")
@queue_types
@after_restart(dead_letters_of_both_modes, Restart.CLEAN)
def test_dead_letters_keep_their_mode(arranged: Queue) -> None:
    """After a restart the persistent one is there, and the transient one is not."""
    late = arranged.drain()

    assert late.numbers == [2]


@claim("dead-letters.keep-their-key")
@queue_types
def test_a_dead_letter_keeps_its_key(scene: Scene, queue_type: QueueType) -> None:
    """It was published with the key `order.new`, and arrives with it."""
    end, exchange, deaths = scene.queue(queue_type), scene.exchange(), scene.exchange("fanout")
    end.bind(deaths)
    queue = scene.queue(queue_type, dead_letters_to=deaths)
    queue.bind(exchange, "order.new")
    refuses, buries = scene.receiver("refuses", queue, acks=False), scene.receiver("buries", end)
    exchange.publish("no 1 dies", key="order.new")
    scene.wait_until(lambda: refuses.numbers == [1], "message 1 is there to be refused")

    refuses.reject(1, requeue=False)

    scene.wait_until(lambda: buries.numbers == [1], "message 1 has come to the end")
    assert buries.deliveries[0].key == "order.new"


@claim("dead-letters.another-key")
@queue_types
def test_a_queue_can_give_its_dead_letters_another_key(scene: Scene, queue_type: QueueType) -> None:
    """It arrives with the key `dead`; x-death has the one with which it was published."""
    end, exchange, deaths = scene.queue(queue_type), scene.exchange(), scene.exchange("fanout")
    end.bind(deaths)
    queue = scene.queue(queue_type, dead_letters_to=deaths, dead_letter_key="dead")
    queue.bind(exchange, "order.new")
    refuses, buries = scene.receiver("refuses", queue, acks=False), scene.receiver("buries", end)
    exchange.publish("no 1 dies", key="order.new")
    scene.wait_until(lambda: refuses.numbers == [1], "message 1 is there to be refused")

    refuses.reject(1, requeue=False)

    scene.wait_until(lambda: buries.numbers == [1], "message 1 has come to the end")
    [letter] = buries.deliveries
    assert (letter.key, letter.deaths[0].routing_keys) == ("dead", ("order.new",))


@claim("dead-letters.go-where-copies-go")
@queue_types
def test_a_dead_letter_goes_where_its_copies_go(scene: Scene, queue_type: QueueType) -> None:
    """It was published with the key `order` and a copy to `audit`, and arrives by both."""
    exchange, deaths = scene.exchange(), scene.exchange()
    order, audit = scene.queue(queue_type), scene.queue(queue_type)
    order.bind(deaths, "order")
    audit.bind(deaths, "audit")
    queue = scene.queue(queue_type, dead_letters_to=deaths)
    queue.bind(exchange, "order")
    refuses = scene.receiver("refuses", queue, acks=False)
    exchange.publish("no 1 dies", key="order", headers={"CC": ["audit"]})
    scene.wait_for_deliveries(1)

    refuses.reject(1, requeue=False)

    order.wait_for(1)
    audit.wait_for(1)


@claim("dead-letters.another-key-has-no-copies")
@queue_types
def test_with_another_key_a_dead_letter_has_no_copies(scene: Scene, queue_type: QueueType) -> None:
    """It has a copy to `audit`, and dies where all dead letters get the key `dead`: `audit` has message 2 alone."""
    exchange, deaths = scene.exchange(), scene.exchange()
    dead, audit = scene.queue(queue_type), scene.queue(queue_type)
    dead.bind(deaths, "dead")
    audit.bind(deaths, "audit")
    queue = scene.queue(queue_type, dead_letters_to=deaths, dead_letter_key="dead")
    queue.bind(exchange, "order")
    refuses = scene.receiver("refuses", queue, acks=False)
    exchange.publish("no 1 dies", key="order", headers={"CC": ["audit"]})
    scene.wait_for_deliveries(1)

    refuses.reject(1, requeue=False)

    scene.wait_until(lambda: dead.ready or audit.ready, "message 1 has come to an end")
    deaths.publish("no 2 lives", key="audit")
    late = audit.drain()
    assert late.numbers == [2]


@claim("dead-letters.refused-together")
@queue_types
def test_messages_that_are_refused_together_die_together(scene: Scene, queue_type: QueueType) -> None:
    """A receiver refuses three of four messages by one basic.nack; they arrive in their order."""
    end = scene.queue(queue_type)
    queue = scene.queue(queue_type, dead_letters_to=end)
    refuses = scene.receiver("refuses", queue, acks=False)
    queue.publish(*numbered(4))
    scene.wait_for_deliveries(4)

    refuses.nack(3, requeue=False, multiple=True)

    end.wait_for(3)
    late = end.drain()
    assert late.numbers == [1, 2, 3]
    assert [letter.deaths[0].reason for letter in late.deliveries] == ["rejected"] * 3


@claim("dead-letters.purged-are-none")
@pytest.mark.parametrize("how", ["purged", "deleted"])
@queue_types
def test_what_is_purged_or_deleted_is_no_dead_letter(scene: Scene, queue_type: QueueType, how: str) -> None:
    """A queue loses messages 1 and 2; what arrives where its dead letters go is message 3, which is refused later."""
    end = scene.queue(queue_type)
    queue = scene.queue(queue_type, dead_letters_to=end)
    queue.publish(*numbered(2))

    if how == "purged":
        queue.purge()
    else:
        queue.delete()
        queue = scene.queue(queue_type, dead_letters_to=end, same_as=queue)

    refuses = scene.receiver("refuses", queue, acks=False)
    queue.publish("no 3 dies")
    scene.wait_for_deliveries(1)
    refuses.reject(3, requeue=False)
    end.wait_for(1)
    late = end.drain()
    assert late.numbers == [3]


def queue_that_nobody_uses(scene: Scene, queue_type: QueueType) -> tuple[Queue, Queue]:
    """A queue that expires with two messages, and where its dead letters go."""
    end = scene.queue(queue_type)
    queue = scene.queue(queue_type, expires=2000, dead_letters_to=end)
    queue.publish(*numbered(2))
    return queue, end


@claim("dead-letters.expired-queues-have-none")
@queue_types
@after_time(queue_that_nobody_uses)
def test_what_was_in_a_queue_that_expires_is_no_dead_letter(scene: Scene, arranged: tuple[Queue, Queue]) -> None:
    """When the queue is gone nothing has arrived where its dead letters go."""
    queue, end = arranged
    scene.wait_until(lambda: not queue.exists, "the queue has expired")
    end.needs()

    late = end.drain()

    assert late.numbers == []
