"""The durable queue: what it takes for a message to outlive its broker and its receiver.

From the document's second section. It names three safeguards (a durable queue, a persistent message, an acknowledging
receiver); the tests take away one at a time, and add the fourth that the document misses, publisher confirms.
"""

from collections.abc import Generator

import pytest

from fixtures.vocabulary import (
    Closed,
    Queue,
    QueueType,
    Restart,
    Scene,
    after_restart,
    claim,
    numbered,
    queue_types,
    refusal,
)

#: Bodies of 0 bytes, 100 bytes, 20 kB and 1 MiB: a classic queue keeps small and large ones in different files.
BODIES = ["x" * size for size in (0, 100, 20_000, 1_048_576)]


# All three safeguards, and then each one taken away.


def receiver_dies_with_four_messages(scene: Scene, queue_type: QueueType) -> Queue:
    queue = scene.queue(queue_type)
    receiver = scene.receiver("dies", queue, acks=False)
    queue.publish(*numbered(4), persistent=True)
    scene.wait_for_deliveries(4)
    receiver.crash()
    return queue


@claim("durable-queue.three-safeguards-lose-nothing")
@queue_types
@after_restart(receiver_dies_with_four_messages)
def test_three_safeguards_lose_nothing(arranged: Queue) -> None:
    """A receiver dies with all messages in hand, then the broker restarts: they are all there."""
    late = arranged.drain()
    lost = [number for number in (1, 2, 3, 4) if number not in late.numbers]
    assert lost == []


def receiver_dies_with_four_messages_in_a_non_durable_queue(scene: Scene) -> Queue:
    queue = scene.queue(durable=False)
    receiver = scene.receiver("dies", queue, acks=False)
    queue.publish(*numbered(4), persistent=True)
    scene.wait_for_deliveries(4)
    receiver.crash()
    return queue


@claim("durable-queue.needs-the-durable-queue")
@after_restart(receiver_dies_with_four_messages_in_a_non_durable_queue)
def test_without_the_durable_queue_all_is_lost(arranged: Queue) -> None:
    """The same in a non-durable queue: queue and messages are gone."""
    assert not arranged.exists


def receiver_without_acks_dies_with_four_messages(scene: Scene, queue_type: QueueType) -> Queue:
    queue = scene.queue(queue_type)
    receiver = scene.receiver("dies", queue, auto_ack=True)
    queue.publish(*numbered(4), persistent=True)
    scene.wait_for_deliveries(4)
    receiver.crash()
    return queue


@claim("durable-queue.needs-the-acknowledgement")
@queue_types
@after_restart(receiver_without_acks_dies_with_four_messages)
def test_without_acknowledgements_all_is_lost(arranged: Queue) -> None:
    """The same with a receiver that consumes with `no_ack`: the queue is there, and empty."""
    arranged.needs()

    late = arranged.drain()
    assert late.numbers == []


# The fourth safeguard.


def publishes_until_the_node_is_killed(scene: Scene, queue_type: QueueType) -> Generator[None, None, Queue]:
    queue = scene.queue(queue_type)
    yield  # the kill comes right after this
    queue.publish(*numbered(20))
    yield  # and now the node is frozen, as if it had died already
    queue.publish("unconfirmed", confirm=False)
    return queue


@claim("durable-queue.confirmed-is-never-lost")
@queue_types
@after_restart(publishes_until_the_node_is_killed, Restart.KILL)
def test_confirmed_messages_survive_the_kill(arranged: Queue) -> None:
    """Messages confirmed in the instant before the node is killed are all there afterwards."""
    late = arranged.drain()

    lost = [number for number in range(1, 21) if number not in late.numbers]
    assert lost == []


@claim("durable-queue.unconfirmed-may-be-lost")
@queue_types
@after_restart(publishes_until_the_node_is_killed, Restart.KILL)
def test_unconfirmed_message_dies_with_the_node(arranged: Queue) -> None:
    """All three safeguards hold, and a message whose confirm was not awaited is lost; its sender saw no error."""
    arranged.needs()

    late = arranged.drain()
    assert "unconfirmed" not in late.bodies


# Acknowledged or not.


def three_taken_one_acknowledged(scene: Scene, queue_type: QueueType) -> Queue:
    queue = scene.queue(queue_type)
    receiver = scene.receiver("keeps two", queue, acks=False)
    queue.publish(*numbered(3))
    scene.wait_for_deliveries(3)
    receiver.ack(2)
    receiver.settle()
    return queue


@claim("durable-queue.unacknowledged-is-kept")
@queue_types
@after_restart(three_taken_one_acknowledged)
def test_unacknowledged_messages_outlive_a_restart(arranged: Queue) -> None:
    """After a restart the messages that were delivered and not acknowledged are in the queue again."""
    late = arranged.drain()

    lost = [number for number in (1, 3) if number not in late.numbers]
    assert lost == []


@claim("durable-queue.acknowledged-is-deleted")
@queue_types
@after_restart(three_taken_one_acknowledged)
def test_acknowledged_message_does_not_come_back(arranged: Queue) -> None:
    """After a restart the one that was acknowledged is not."""
    arranged.needs()

    late = arranged.drain()
    assert 2 not in late.numbers


@claim("durable-queue.unacknowledged-is-kept")
@queue_types
def test_unacknowledged_messages_outlive_their_receiver(scene: Scene, queue_type: QueueType) -> None:
    """When the receiver goes the messages it did not acknowledge are in the queue again, marked redelivered."""
    queue = three_taken_one_acknowledged(scene, queue_type)

    scene.receivers[0].close()
    queue.wait_for(2)

    late = queue.drain()
    lost = [number for number in (1, 3) if number not in late.numbers]
    unmarked = [number for number in (1, 3) if number not in late.redelivered]
    assert lost == []
    assert unmarked == []


@claim("durable-queue.acknowledged-is-deleted")
@queue_types
def test_acknowledged_message_is_gone_for_good(scene: Scene, queue_type: QueueType) -> None:
    """When the receiver goes the message it did acknowledge is not in the queue again."""
    queue = three_taken_one_acknowledged(scene, queue_type)

    scene.receivers[0].close()
    queue.needs(messages=2)

    late = queue.drain()
    assert 2 not in late.numbers


# The truth table: queue durable or not, delivery mode 1 or 2, each restart, each queue type.


def persistent_messages(scene: Scene, queue_type: QueueType) -> Queue:
    queue = scene.queue(queue_type)
    queue.publish(*BODIES, persistent=True)
    return queue


@claim("durable-queue.persistent-survives")
@queue_types
@after_restart(persistent_messages)
def test_persistent_messages_survive(scene: Scene, arranged: Queue) -> None:
    """Persistent messages (delivery mode 2) in a durable queue are there after a restart, unchanged and in order."""
    assert arranged.exists

    late = scene.receiver("late", arranged)
    scene.wait_for_deliveries(len(BODIES))

    sizes = [len(body) for body in late.bodies]
    assert sizes == [len(body) for body in BODIES]
    assert late.bodies == BODIES


def confirmed_at_the_last_moment(scene: Scene, queue_type: QueueType) -> Generator[None, None, Queue]:
    queue = scene.queue(queue_type)
    yield
    queue.publish(*numbered(4), persistent=True)
    return queue


@claim("durable-queue.survivors-need-no-acknowledgement")
@queue_types
@after_restart(confirmed_at_the_last_moment)
def test_survivors_need_no_acknowledgement(scene: Scene, arranged: Queue) -> None:
    """Messages that were confirmed right before the restart come to a receiver that consumes with `no_ack`."""
    refused = refusal(lambda: scene.receiver("late", arranged, auto_ack=True))

    assert refused is None
    scene.wait_for_deliveries(4)
    [late] = scene.receivers
    assert late.numbers == [1, 2, 3, 4]


def transient_messages(scene: Scene, queue_type: QueueType) -> Queue:
    queue = scene.queue(queue_type)
    queue.publish(*BODIES, persistent=False)
    return queue


@claim("durable-queue.transient-is-deleted")
@queue_types
@after_restart(transient_messages)
def test_transient_messages_are_deleted(arranged: Queue) -> None:
    """Transient messages (delivery mode 1) in a durable queue are not."""
    arranged.needs()

    late = arranged.drain()
    assert late.bodies == []


# Following the document to the letter.


@claim("durable-queue.redeclaring-is-refused")
@pytest.mark.parametrize("first", [False, True], ids=["non-durable-first", "durable-first"])
def test_declaring_a_queue_again_with_another_durability_is_refused(scene: Scene, first: bool) -> None:
    """The second declaration closes the channel with 406; the first queue and its message stay as they are."""
    queue = scene.queue(durable=first)
    queue.publish("untouched")

    refused = refusal(lambda: scene.queue(durable=not first, same_as=queue))

    assert refused == Closed("channel", 406)
    assert "inequivalent arg 'durable'" in refused.text
    late = queue.drain()
    assert late.bodies == ["untouched"]
