"""Length limits: what a full queue does, and what counts.

From RabbitMQ's page on queue length limits. Every message is confirmed before the next one is sent, so what is dropped
does not depend on how fast somebody is.
"""

import pytest

from fixtures.vocabulary import (
    Closed,
    Confirmed,
    Nacked,
    Queue,
    QueueType,
    Scene,
    claim,
    numbered,
    queue_types,
    refusal,
)


@claim("length-limits.oldest-is-dropped")
@queue_types
def test_a_full_queue_drops_its_oldest_message(scene: Scene, queue_type: QueueType) -> None:
    """Of five confirmed messages the last three are there."""
    queue = scene.queue(queue_type, max_length=3)

    outcomes = queue.try_publish(*numbered(5))

    assert outcomes == [Confirmed()] * 5
    late = queue.drain()
    assert late.numbers == [3, 4, 5]


@claim("length-limits.only-ready-count")
@queue_types
def test_what_is_unacknowledged_does_not_count(scene: Scene, queue_type: QueueType) -> None:
    """A receiver holds two messages, and two more are ready; of a third one the oldest is dropped."""
    queue = scene.queue(queue_type, max_length=2)
    keeps = scene.receiver("keeps two", queue, acks=False, prefetch=2)
    queue.publish(*numbered(2))
    scene.wait_for_deliveries(2)
    queue.publish(*numbered(3, start=3))

    queue.wait_for(2)
    keeps.ack(2, multiple=True)

    scene.wait_for_deliveries(4)
    assert keeps.numbers == [1, 2, 4, 5]


@claim("length-limits.bytes-are-those-of-bodies")
@queue_types
def test_bytes_are_those_of_bodies(scene: Scene, queue_type: QueueType) -> None:
    """Three bodies of 100 bytes fit into 300, with headers of 1000 bytes each; a fourth one drops the first."""
    queue = scene.queue(queue_type, max_length_bytes=300)

    for number in range(1, 5):
        queue.publish(f"no {number} ".ljust(100, "."), headers={"more": "." * 1000})

    late = queue.drain()
    assert late.numbers == [2, 3, 4]


@claim("length-limits.negative-is-refused")
@pytest.mark.parametrize("limit", ["max_length", "max_length_bytes"])
@queue_types
def test_a_limit_below_0_is_refused(scene: Scene, queue_type: QueueType, limit: str) -> None:
    """The queue is not declared."""
    refused = refusal(lambda: scene.queue(queue_type, **{limit: -1}))  # type: ignore[arg-type]

    assert refused == Closed("channel", 406)


@claim("length-limits.both-at-once")
@pytest.mark.parametrize("reached", ["messages", "bytes"])
@queue_types
def test_of_two_limits_the_one_that_is_reached_counts(scene: Scene, queue_type: QueueType, reached: str) -> None:
    """With 2 messages and 10000 bytes, or 100 messages and 450 bytes, the last two of four messages are there."""
    messages, size = (2, 10_000) if reached == "messages" else (100, 450)
    queue = scene.queue(queue_type, max_length=messages, max_length_bytes=size)

    queue.publish(*(f"no {number} ".ljust(200, ".") for number in range(1, 5)))

    late = queue.drain()
    assert late.numbers == [3, 4]


@claim("length-limits.zero-needs-a-ready-receiver")
@queue_types
def test_a_limit_of_0_needs_a_receiver_that_is_ready(scene: Scene, queue_type: QueueType) -> None:
    """Message 1 is dropped while nobody is there; message 2 comes to a receiver."""
    queue = scene.queue(queue_type, max_length=0)
    queue.publish("no 1 too early")

    ready = scene.receiver("ready", queue)
    queue.publish("no 2 in time")

    scene.wait_for_deliveries(1)
    assert ready.numbers == [2]


@claim("length-limits.given-back-is-dropped")
@queue_types
def test_what_is_given_back_to_a_full_queue_is_dropped(scene: Scene, queue_type: QueueType) -> None:
    """A receiver gives messages 1 and 2 back when 3 and 4 fill the queue; two are dropped, and 3 and 4 are there."""
    dropped = scene.queue(queue_type)
    queue = scene.queue(queue_type, max_length=2, dead_letters_to=dropped)
    keeps = scene.receiver("keeps two", queue, acks=False)
    queue.publish(*numbered(2))
    scene.wait_for_deliveries(2)
    keeps.cancel()
    queue.publish(*numbered(2, start=3))

    keeps.nack(2, requeue=True, multiple=True)

    dropped.wait_for(2)
    late = queue.drain()
    assert late.numbers == [3, 4]


@claim("length-limits.reject-publish-is-exact")
@queue_types
def test_reject_publish_is_exact(scene: Scene, queue_type: QueueType) -> None:
    """With a limit of three the fourth message is the first to be rejected."""
    queue = scene.queue(queue_type, max_length=3, overflow="reject-publish")

    outcomes = queue.try_publish(*numbered(5))

    assert outcomes == [Confirmed()] * 3 + [Nacked()] * 2


@claim("length-limits.rejected-is-no-dead-letter")
@queue_types
def test_what_is_rejected_is_no_dead_letter(scene: Scene, queue_type: QueueType) -> None:
    """A full queue has rejected messages; what arrives where its dead letters go is the one that is refused later."""
    end = scene.queue(queue_type)
    full = scene.queue(queue_type, max_length=1, overflow="reject-publish", dead_letters_to=end)
    full.try_publish(*numbered(4))

    refuses = scene.receiver("refuses", full, acks=False, prefetch=1)
    scene.wait_for_deliveries(1)
    refuses.reject(1, requeue=False)

    end.needs(1)
    late = end.drain()
    assert late.numbers == [1]


@claim("length-limits.rejected-is-a-dead-letter-too")
@queue_types
def test_what_is_rejected_can_be_a_dead_letter_too(scene: Scene, queue_type: QueueType) -> None:
    """The second message is nacked, and arrives where dead letters go."""
    end = scene.queue(queue_type)
    queue = scene.queue(queue_type, max_length=1, overflow="reject-publish-dlx", dead_letters_to=end)
    buries = scene.receiver("buries", end)

    outcomes = queue.try_publish(*numbered(2))

    scene.wait_for_deliveries(1)
    assert outcomes == [Confirmed(), Nacked()]
    assert [(letter.number, letter.deaths[0].reason) for letter in buries.deliveries] == [(2, "maxlen")]


def dead_letters_for_a_full(scene: Scene, queue_type: QueueType) -> Queue:
    """A queue with a limit of two messages and `reject-publish`, to which four messages came as dead letters."""
    full = scene.queue(queue_type, max_length=2, overflow="reject-publish")
    every = scene.queue()
    exchange = scene.exchange("fanout")
    full.bind(exchange)
    every.bind(exchange)
    queue = scene.queue(dead_letters_to=exchange)
    refuses = scene.receiver("refuses", queue, acks=False)
    queue.publish(*numbered(4))
    scene.wait_for_deliveries(4)
    refuses.nack(4, requeue=False, multiple=True)
    every.needs(4)
    return full


@claim("length-limits.dead-letters-are-dropped")
def test_a_full_classic_queue_drops_dead_letters(scene: Scene) -> None:
    """Of four dead letters the first two are there."""
    full = dead_letters_for_a_full(scene, "classic")

    late = full.drain()

    assert late.numbers == [1, 2]


@claim("length-limits.dead-letters-are-too-many")
def test_a_full_quorum_queue_takes_dead_letters(scene: Scene) -> None:
    """All four dead letters are there."""
    full = dead_letters_for_a_full(scene, "quorum")

    full.wait_for(4)

    late = full.drain()
    assert late.numbers == [1, 2, 3, 4]
