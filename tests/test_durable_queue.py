"""The durable queue: what it takes for a message to outlive its broker and its receiver.

From the document's second section. It names three safeguards (a durable queue, a persistent message, an acknowledging
receiver); the tests take away one at a time, and add the fourth that the document misses, publisher confirms.
"""

from collections.abc import Generator

import pika.exceptions
import pytest

from fixtures.claims.catalogue import claim
from fixtures.faults.register import Restart
from fixtures.scene.receiver import numbered
from fixtures.scene.scene import QueueType, Scene
from fixtures.suite.turns import after_restart

queue_types = pytest.mark.parametrize("queue_type", ["classic", "quorum"])

#: Bodies of 0 bytes, 100 bytes, 20 kB and 1 MiB: a classic queue keeps small and large ones in different files.
BODIES = ["x" * size for size in (0, 100, 20_000, 1_048_576)]


# All three safeguards, and then each one taken away.


def receiver_dies_with_four_messages(scene: Scene, queue_type: QueueType) -> str:
    queue = scene.queue(durable=True, queue_type=queue_type)
    receiver = scene.receiver("dies", queue, acks=False)
    scene.publish(queue, *numbered(4), persistent=True)
    scene.wait_for_deliveries(4)
    receiver.crash()
    return queue


@claim("durable-queue.three-safeguards-lose-nothing")
@queue_types
@after_restart(receiver_dies_with_four_messages)
def test_three_safeguards_lose_nothing(scene: Scene, arranged: str) -> None:
    """A receiver dies with all messages in hand, then the broker restarts: they are all there."""
    late = scene.drain(arranged)
    lost = [number for number in (1, 2, 3, 4) if number not in late.numbers]
    assert lost == []


def receiver_dies_with_four_messages_in_a_non_durable_queue(scene: Scene) -> str:
    queue = scene.queue(durable=False)
    receiver = scene.receiver("dies", queue, acks=False)
    scene.publish(queue, *numbered(4), persistent=True)
    scene.wait_for_deliveries(4)
    receiver.crash()
    return queue


@claim("durable-queue.needs-the-durable-queue")
@after_restart(receiver_dies_with_four_messages_in_a_non_durable_queue)
def test_without_the_durable_queue_all_is_lost(scene: Scene, arranged: str) -> None:
    """The same in a non-durable queue: queue and messages are gone."""
    assert not scene.exists(arranged)


def receiver_without_acks_dies_with_four_messages(scene: Scene, queue_type: QueueType) -> str:
    queue = scene.queue(durable=True, queue_type=queue_type)
    receiver = scene.receiver("dies", queue, auto_ack=True)
    scene.publish(queue, *numbered(4), persistent=True)
    scene.wait_for_deliveries(4)
    receiver.crash()
    return queue


@claim("durable-queue.needs-the-acknowledgement")
@queue_types
@after_restart(receiver_without_acks_dies_with_four_messages)
def test_without_acknowledgements_all_is_lost(scene: Scene, arranged: str) -> None:
    """The same with a receiver that consumes with `no_ack`: the queue is there, and empty."""
    scene.needs(arranged)

    late = scene.drain(arranged)
    assert late.numbers == []


# The fourth safeguard.


def publishes_until_the_node_is_killed(scene: Scene, queue_type: QueueType) -> Generator[None, None, str]:
    queue = scene.queue(durable=True, queue_type=queue_type)
    yield  # the kill comes right after this
    scene.publish(queue, *numbered(20))
    yield  # and now the node is frozen, as if it had died already
    scene.publish(queue, "unconfirmed", confirm=False)
    return queue


@claim("durable-queue.confirmed-is-never-lost")
@queue_types
@after_restart(publishes_until_the_node_is_killed, Restart.KILL)
def test_confirmed_messages_survive_the_kill(scene: Scene, arranged: str) -> None:
    """Messages confirmed in the instant before the node is killed are all there afterwards."""
    late = scene.drain(arranged)

    lost = [number for number in range(1, 21) if number not in late.numbers]
    assert lost == []


@claim("durable-queue.unconfirmed-may-be-lost")
@queue_types
@after_restart(publishes_until_the_node_is_killed, Restart.KILL)
def test_unconfirmed_message_dies_with_the_node(scene: Scene, arranged: str) -> None:
    """All three safeguards hold, and a message whose confirm was not awaited is lost; its sender saw no error."""
    scene.needs(arranged)

    late = scene.drain(arranged)
    assert "unconfirmed" not in late.bodies


# Acknowledged or not.


def three_taken_one_acknowledged(scene: Scene, queue_type: QueueType) -> str:
    queue = scene.queue(queue_type=queue_type)
    receiver = scene.receiver("keeps two", queue, acks=False)
    scene.publish(queue, *numbered(3))
    scene.wait_for_deliveries(3)
    receiver.ack(2)
    receiver.settle()
    return queue


@claim("durable-queue.unacknowledged-is-kept")
@queue_types
@after_restart(three_taken_one_acknowledged)
def test_unacknowledged_messages_outlive_a_restart(scene: Scene, arranged: str) -> None:
    """After a restart the messages that were delivered and not acknowledged are in the queue again."""
    late = scene.drain(arranged)

    lost = [number for number in (1, 3) if number not in late.numbers]
    assert lost == []


@claim("durable-queue.acknowledged-is-deleted")
@queue_types
@after_restart(three_taken_one_acknowledged)
def test_acknowledged_message_does_not_come_back(scene: Scene, arranged: str) -> None:
    """After a restart the one that was acknowledged is not."""
    scene.needs(arranged)

    late = scene.drain(arranged)
    assert 2 not in late.numbers


@claim("durable-queue.unacknowledged-is-kept")
@queue_types
def test_unacknowledged_messages_outlive_their_receiver(scene: Scene, queue_type: QueueType) -> None:
    """When the receiver goes the messages it did not acknowledge are in the queue again, marked redelivered."""
    queue = three_taken_one_acknowledged(scene, queue_type)

    scene.receivers[0].close()
    scene.wait_for_messages(queue, 2)

    late = scene.drain(queue)
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
    scene.needs(queue, messages=2)

    late = scene.drain(queue)
    assert 2 not in late.numbers


# The truth table: queue durable or not, delivery mode 1 or 2, each restart, each queue type.


def persistent_messages(scene: Scene, queue_type: QueueType) -> str:
    queue = scene.queue(durable=True, queue_type=queue_type)
    scene.publish(queue, *BODIES, persistent=True)
    return queue


@claim("durable-queue.persistent-survives")
@queue_types
@after_restart(persistent_messages)
def test_persistent_messages_survive(scene: Scene, arranged: str) -> None:
    """Persistent messages (delivery mode 2) in a durable queue are there after a restart, unchanged and in order."""
    late = scene.drain(arranged)

    sizes = [len(body) for body in late.bodies]
    assert sizes == [len(body) for body in BODIES]
    assert late.bodies == BODIES


def transient_messages(scene: Scene, queue_type: QueueType) -> str:
    queue = scene.queue(durable=True, queue_type=queue_type)
    scene.publish(queue, *BODIES, persistent=False)
    return queue


@claim("durable-queue.transient-is-deleted")
@queue_types
@after_restart(transient_messages)
def test_transient_messages_are_deleted(scene: Scene, arranged: str) -> None:
    """Transient messages (delivery mode 1) in a durable queue are not."""
    scene.needs(arranged)

    late = scene.drain(arranged)
    assert late.bodies == []


# Following the document to the letter.


@claim("durable-queue.redeclaring-is-refused")
@pytest.mark.parametrize("first", [False, True], ids=["non-durable-first", "durable-first"])
def test_declaring_a_queue_again_with_another_durability_is_refused(scene: Scene, first: bool) -> None:
    """The second declaration closes the channel with 406; the first queue and its message stay as they are."""
    queue = scene.queue(durable=first)
    scene.publish(queue, "untouched")

    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as refused:
        scene.queue(durable=not first, name=queue)

    assert refused.value.reply_code == 406
    assert "inequivalent arg 'durable'" in refused.value.reply_text
    scene.reopen_channel()
    late = scene.drain(queue)
    assert late.bodies == ["untouched"]
