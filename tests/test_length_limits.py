"""Length limits: what a full queue does, and what counts.

From RabbitMQ's page on queue length limits. Every message is confirmed before the next one is sent, so what is dropped
does not depend on how fast somebody is.
"""

import pytest

from fixtures.vocabulary import Closed, Confirmed, QueueType, Scene, claim, numbered, queue_types, refusal


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
