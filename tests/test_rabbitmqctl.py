"""rabbitmqctl: look at the queues, and wipe the node.

The document's prerequisites: the command that shows what is ready and what is unacknowledged, and the three commands
that erase everything.
"""

import shlex

from fixtures.vocabulary import (
    Queue,
    QueueType,
    Restart,
    Scene,
    after_restart,
    after_silence,
    claim,
    numbered,
    queue_types,
)


def queues_in_five_states(scene: Scene) -> dict[Queue, tuple[int, int]]:
    expected: dict[Queue, tuple[int, int]] = {}
    both: tuple[QueueType, ...] = ("classic", "quorum")
    for n, queue_type in enumerate(both, start=1):
        published, delivered, limited, partly, acknowledged = (scene.queue(queue_type) for _ in range(5))
        scene.receiver("keeps all", delivered, acks=False)
        scene.receiver("keeps one", limited, acks=False, prefetch=1)
        partly_acked = scene.receiver("acks one", partly, acks=False)
        scene.receiver("acks all", acknowledged)
        for queue in (published, delivered, limited, partly, acknowledged):
            queue.publish(*numbered(3))
        scene.wait_for_deliveries(n * (3 + 1 + 3 + 3))
        partly_acked.ack(1)
        expected |= {published: (3, 0), delivered: (0, 3), limited: (2, 1), partly: (0, 2), acknowledged: (0, 0)}
    for receiver in scene.receivers:
        receiver.settle()
    return expected


# A quorum queue's counts are up to 5 s old in rabbitmqctl: the silence that other claims need has passed by then.
@claim("rabbitmqctl.list-queues-counts")
@after_silence(queues_in_five_states)
def test_ready_and_unacknowledged_move_separately(scene: Scene, arranged: dict[Queue, tuple[int, int]]) -> None:
    """Publishing makes messages ready, delivering makes them unacknowledged, acknowledging neither; for both types."""
    listed = scene.operator.list_queues_until(arranged)
    assert listed == arranged


def durable_with_a_message(scene: Scene, queue_type: QueueType) -> Queue:
    queue = scene.queue(queue_type)
    queue.publish("here")
    assert queue.exists
    return queue


@claim("rabbitmqctl.reset-erases-queues")
@queue_types
@after_restart(durable_with_a_message, Restart.RESET)
def test_reset_erases_queues(arranged: Queue) -> None:
    """After stop_app, reset, start_app a durable queue is gone."""
    assert not arranged.exists


@claim("rabbitmqctl.stop-and-start-keep-queues")
@queue_types
@after_restart(durable_with_a_message, Restart.APP)
def test_stop_and_start_without_reset_keep_queues(arranged: Queue) -> None:
    """After stop_app, start_app a durable queue is there with its persistent message."""
    late = arranged.drain()

    assert late.bodies == ["here"]


@claim("rabbitmqctl.reset-refused-while-running")
def test_reset_of_a_running_node_is_refused(scene: Scene) -> None:
    """`reset` without `stop_app` fails, and erases nothing."""
    queue = durable_with_a_message(scene, "classic")

    reset = scene.operator.run("reset")

    assert reset.code != 0
    assert "stop_app" in reset.output or "running" in reset.output
    late = queue.drain()
    assert late.bodies == ["here"]


def nothing(scene: Scene) -> None:
    """The restart itself is what the test looks at."""


@claim("rabbitmqctl.program-resets")
@after_restart(nothing, Restart.RESET)
def test_program_prints_what_the_three_commands_said(scene: Scene) -> None:
    """The program runs the three commands in order and prints what each said."""
    [*_, said] = [restart.output for restart in scene.broker.restarts if restart.kind == Restart.RESET.name]

    assert [line.split()[0] for line in said.splitlines()] == ["Stopping", "Resetting", "Starting"]


@claim("rabbitmqctl.program-fails-loudly")
def test_program_fails_with_the_words_of_rabbitmqctl(scene: Scene) -> None:
    """When a command fails the program exits with its code and rabbitmqctl's message, and runs no further command."""
    command = [*scene.broker.rabbitmqctl_command(), "--no-such-option"]

    reset = scene.run_program("reset", "--rabbitmqctl", shlex.join(command))
    assert reset.wait("rabbitmqctl") == 64  # EX_USAGE of rabbitmqctl
    complaint = "\n".join(reset.complained)
    assert "Invalid options for this command" in complaint  # rabbitmqctl's own words
    assert "stop_app" in complaint
    assert "start_app" not in complaint
