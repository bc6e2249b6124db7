"""Message priority: which message comes first, and what counts as a priority.

From RabbitMQ's pages on priorities. All messages wait before anybody looks, and come out one by one.
"""

from fixtures.vocabulary import Closed, Queue, QueueType, Scene, claim, queue_types, refusal


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
