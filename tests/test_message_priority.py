"""Message priority: which message comes first, and what counts as a priority.

From RabbitMQ's pages on priorities. All messages wait before anybody looks, and come out one by one.
"""

import pytest

from fixtures.vocabulary import Closed, Queue, QueueType, Scene, claim, numbered, queue_types, refusal


def with_priorities(scene: Scene, queue_type: QueueType) -> Queue:
    """A queue that observes priorities up to 10."""
    return scene.queue(queue_type, max_priority=10 if queue_type == "classic" else None)


@claim("message-priority.higher-comes-first")
@queue_types
def test_a_higher_priority_comes_first(scene: Scene, queue_type: QueueType) -> None:
    """Message 2 overtakes message 1."""
    queue = with_priorities(scene, queue_type)
    queue.publish("no 1 can wait", priority=0)
    queue.publish("no 2 is urgent", priority=9)

    late = queue.drain()

    assert late.numbers == [2, 1]


@claim("message-priority.every-step-counts")
@queue_types
def test_every_step_counts(scene: Scene, queue_type: QueueType) -> None:
    """The messages are named by their priorities."""
    queue = with_priorities(scene, queue_type)
    for priority in (1, 3, 2):
        queue.publish(f"no {priority} by its priority", priority=priority)

    late = queue.drain()

    assert late.numbers == [3, 2, 1]


@claim("message-priority.none-is-zero")
@queue_types
def test_no_priority_is_the_lowest(scene: Scene, queue_type: QueueType) -> None:
    """Message 2 has priority 1, and overtakes message 1, which has none."""
    queue = with_priorities(scene, queue_type)
    queue.publish("no 1 has none")
    queue.publish("no 2 has a low one", priority=1)

    late = queue.drain()

    assert late.numbers == [2, 1]


@claim("message-priority.above-the-highest-is-the-highest")
def test_a_priority_above_the_highest_is_the_highest(scene: Scene) -> None:
    """Message 2 overtakes message 1."""
    queue = with_priorities(scene, "classic")
    queue.publish("no 1 has 5", priority=5)
    queue.publish("no 2 has 200", priority=200)

    late = queue.drain()

    assert late.numbers == [2, 1]


@claim("message-priority.needs-the-argument")
def test_a_queue_without_the_argument_observes_none(scene: Scene) -> None:
    """Message 1 comes first, whatever message 2 says."""
    queue = scene.queue("classic")
    queue.publish("no 1 can wait", priority=0)
    queue.publish("no 2 is urgent", priority=9)

    late = queue.drain()

    assert late.numbers == [1, 2]


@claim("message-priority.quorum-queues-refuse-the-argument")
def test_a_quorum_queue_refuses_the_argument(scene: Scene) -> None:
    """It is not declared."""
    assert refusal(lambda: scene.queue("quorum", max_priority=10)) == Closed("channel", 406)


@claim("message-priority.low-waits-for-all-high")
@queue_types
def test_a_low_priority_waits_for_all_high_ones(scene: Scene, queue_type: QueueType) -> None:
    """Messages 1 and 2 come after six others that were sent later."""
    queue = with_priorities(scene, queue_type)
    queue.publish(*numbered(2), priority=1)
    queue.publish(*numbered(6, start=3), priority=9)

    late = queue.drain()

    assert late.numbers == [3, 4, 5, 6, 7, 8, 1, 2]


@claim("message-priority.none-is-four-in-quorum-queues")
def test_no_priority_is_four_in_a_quorum_queue(scene: Scene) -> None:
    """Message 3 has none, and comes between two of priority 4, as it was sent."""
    queue = scene.queue("quorum")
    for number, priority in enumerate((3, 4, None, 4, 5), start=1):
        how = {} if priority is None else {"priority": priority}
        queue.publish(f"no {number} has {priority}", **how)  # type: ignore[arg-type]

    late = queue.drain()

    assert late.numbers == [5, 2, 3, 4, 1]


@claim("message-priority.thirty-one-is-the-highest-in-quorum-queues")
def test_31_is_the_highest_in_a_quorum_queue(scene: Scene) -> None:
    """Message 1 has 30, and is overtaken; message 2 has 31, and is not overtaken by message 3, which has 200."""
    queue = scene.queue("quorum")
    for number, priority in enumerate((30, 31, 200), start=1):
        queue.publish(f"no {number} has {priority}", priority=priority)

    late = queue.drain()

    assert late.numbers == [2, 3, 1]


@claim("message-priority.full-queue-drops-the-urgent")
@queue_types
def test_a_full_queue_drops_the_urgent(scene: Scene, queue_type: QueueType) -> None:
    """Of an urgent message and two that can wait, which are sent later, the urgent one is dropped."""
    queue = scene.queue(queue_type, max_priority=10 if queue_type == "classic" else None, max_length=2)
    queue.publish("no 1 can wait", priority=1)
    queue.publish("no 2 is urgent", priority=9)
    queue.publish("no 3 can wait", priority=1)

    late = queue.drain()

    assert late.numbers == [1, 3]


@claim("message-priority.given-back-keeps-its-priority")
@queue_types
def test_a_message_that_is_given_back_keeps_its_priority(scene: Scene, queue_type: QueueType) -> None:
    """Message 1 can wait, and is given back when message 2 is ready, which is urgent: that comes next."""
    queue = with_priorities(scene, queue_type)
    receiver = scene.receiver("gives back", queue, acks=False, prefetch=1)
    queue.publish("no 1 can wait", priority=1)
    scene.wait_for_deliveries(1)
    queue.publish("no 2 is urgent", priority=9)

    receiver.reject(1, requeue=True)

    scene.wait_for_deliveries(2)
    assert receiver.numbers == [1, 2]


@claim("message-priority.what-is-held-is-not-overtaken")
@queue_types
def test_what_a_receiver_holds_is_not_overtaken(scene: Scene, queue_type: QueueType) -> None:
    """A receiver holds messages 1 and 2 when an urgent one comes; message 3 waits behind that."""
    queue = with_priorities(scene, queue_type)
    receiver = scene.receiver("holds two", queue, acks=False, prefetch=2)
    queue.publish(*numbered(3), priority=1)
    scene.wait_for_deliveries(2)
    queue.publish("no 4 is urgent", priority=9)

    receiver.ack(2, multiple=True)

    scene.wait_for_deliveries(4)
    assert receiver.numbers == [1, 2, 4, 3]


@claim("message-priority.highest-is-255")
@pytest.mark.parametrize("highest", [256, -1])
def test_255_is_the_highest(scene: Scene, highest: int) -> None:
    """256 is refused, and so is -1."""
    assert refusal(lambda: scene.queue("classic", max_priority=highest)) == Closed("channel", 406)


@claim("message-priority.highest-of-0-is-1")
def test_a_highest_priority_of_0_is_1(scene: Scene) -> None:
    """Message 2 overtakes message 1."""
    queue = scene.queue("classic", max_priority=0)
    queue.publish("no 1 can wait", priority=0)
    queue.publish("no 2 is urgent", priority=9)

    late = queue.drain()

    assert late.numbers == [2, 1]
