"""Load balancing: how a queue deals its messages to several receivers, and what becomes of a busy one's share.

From the document's third section: two receivers on one durable queue, one of which is busy for ever with its first
message. In each test the receivers subscribe in the order in which they are named.
"""

from collections.abc import Callable, Generator

import pytest

from fixtures.vocabulary import (
    Closed,
    Queue,
    QueueType,
    Receiver,
    Scene,
    after_silence,
    claim,
    numbered,
    queue_types,
)

#: The heartbeats that are missed here, in seconds. The default of 60 would take three minutes.
heartbeats = pytest.mark.parametrize("heartbeat", [1, 2], ids=["1 s", "2 s"])


# Round-robin.


@claim("load-balancing.round-robin")
@queue_types
@pytest.mark.parametrize("receivers", [2, 3])
@pytest.mark.parametrize("messages", [6, 10])
def test_messages_are_dealt_in_turn(scene: Scene, queue_type: QueueType, receivers: int, messages: int) -> None:
    """Of two receivers the first gets 1, 3, 5 and the second 2, 4, 6; three are dealt to in the same way."""
    queue = scene.queue(queue_type)
    dealt_to = [scene.receiver(f"receiver {n + 1}", queue) for n in range(receivers)]

    queue.publish(*numbered(messages))

    scene.wait_for_deliveries(messages)
    everything = list(range(1, messages + 1))
    assert [receiver.numbers for receiver in dealt_to] == [everything[n::receivers] for n in range(receivers)]


@claim("load-balancing.round-robin-goes-on")
@queue_types
def test_a_second_batch_goes_on_where_the_first_stopped(scene: Scene, queue_type: QueueType) -> None:
    """After three messages the fourth is the second receiver's, and after eleven the twelfth."""
    queue = scene.queue(queue_type)
    first, second = scene.receiver("first", queue), scene.receiver("second", queue)

    queue.publish(*numbered(3))
    scene.wait_for_deliveries(3)
    queue.publish(*numbered(8, start=4))
    scene.wait_for_deliveries(11)
    queue.publish(*numbered(3, start=12))

    scene.wait_for_deliveries(14)
    assert first.numbers == [1, 3, 5, 7, 9, 11, 13]
    assert second.numbers == [2, 4, 6, 8, 10, 12, 14]


@claim("load-balancing.backlog-goes-to-the-first")
@queue_types
def test_a_backlog_goes_to_the_first_that_subscribes(scene: Scene, queue_type: QueueType) -> None:
    """Messages that were there before anybody subscribed all go to the first, however busy it is."""
    queue = scene.queue(queue_type)
    queue.publish(*numbered(10))

    first, second = scene.receiver("first", queue, acks=False), scene.receiver("second", queue)

    scene.wait_for_deliveries(10)
    assert first.numbers == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
    assert second.numbers == []


@claim("load-balancing.priority-takes-all")
@queue_types
def test_a_receiver_with_priority_takes_all(scene: Scene, queue_type: QueueType) -> None:
    """While the one with the higher priority can take messages, the other gets none."""
    queue = scene.queue(queue_type)
    ordinary, preferred = scene.receiver("ordinary", queue), scene.receiver("preferred", queue, priority=10)

    queue.publish(*numbered(10))

    scene.wait_for_deliveries(10)
    assert ordinary.numbers == []
    assert preferred.numbers == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]


# A busy receiver.


def one_idle_one_busy(scene: Scene, queue_type: QueueType, heartbeat: int = 0) -> tuple[Queue, Receiver, Receiver]:
    queue = scene.queue(queue_type)
    idle = scene.receiver("idle", queue)
    busy = scene.receiver("busy", queue, acks=False, heartbeat=heartbeat)
    queue.publish(*numbered(10))
    scene.wait_until(lambda: len(idle.bodies + busy.bodies) == 10, "both have got messages, ten in all")
    return queue, idle, busy


@claim("load-balancing.busy-share-piles-up")
@queue_types
def test_the_busy_ones_share_piles_up(scene: Scene, queue_type: QueueType) -> None:
    """The busy receiver is dealt its five messages, though the idle one has long acknowledged its own."""
    _queue, idle, busy = one_idle_one_busy(scene, queue_type)

    assert idle.numbers == [1, 3, 5, 7, 9]
    assert busy.numbers == [2, 4, 6, 8, 10]


def one_busy_with_each_queue_type(scene: Scene) -> list[Queue]:
    return [one_idle_one_busy(scene, "classic")[0], one_idle_one_busy(scene, "quorum")[0]]


# A quorum queue's counts are up to 5 s old in rabbitmqctl: the silence that other claims need has passed by then.
@claim("load-balancing.busy-share-shows-as-unacknowledged")
@after_silence(one_busy_with_each_queue_type)
def test_the_busy_ones_share_shows_as_unacknowledged(scene: Scene, arranged: list[Queue]) -> None:
    """In list_queues its share is unacknowledged, and nothing is ready."""
    expected = dict.fromkeys(arranged, (0, 5))

    listed = scene.operator.list_queues_until(expected)
    assert listed == expected


# Heartbeats.


@claim("load-balancing.heartbeat-of-a-minute-is-proposed")
def test_a_heartbeat_of_a_minute_is_proposed(scene: Scene) -> None:
    """The broker proposes a heartbeat of 60 s to a client that has no wish of its own."""
    assert scene.heartbeat_proposed() == 60


def three_that_wait(
    scene: Scene, queue_type: QueueType, heartbeat: int
) -> Generator[None, None, tuple[Receiver, bool, bool]]:
    queue = scene.queue(queue_type)
    beating = scene.receiver("beating", queue, heartbeat=heartbeat)
    silent = scene.receiver("silent", queue, heartbeat=heartbeat)
    without = scene.receiver("without heartbeat", queue)
    silent.fall_silent()
    without.fall_silent()
    yield  # until the broker has closed the silent connections, or has had all the time that it may take
    return silent, without.answers(), beating.answers()


@claim("load-balancing.silent-connection-is-closed")
@queue_types
@heartbeats
@after_silence(three_that_wait)
def test_a_silent_connection_is_closed_after_two_to_three_heartbeats(
    arranged: tuple[Receiver, bool, bool], heartbeat: int
) -> None:
    """The broker closes it when it has heard nothing for two to three times the negotiated heartbeat, not for one."""
    silent, _, _ = arranged

    assert silent.kept_open is not None, "the broker left the silent connection open"
    at_least, at_most = silent.kept_open
    assert at_most >= 2 * heartbeat - 0.3
    assert at_least <= 3 * heartbeat + 1.5


@claim("load-balancing.no-heartbeat-no-close")
@queue_types
@heartbeats
@after_silence(three_that_wait)
def test_without_heartbeats_the_same_silence_closes_nothing(arranged: tuple[Receiver, bool, bool]) -> None:
    """A receiver with heartbeats off is as silent for as long, and its connection still answers."""
    silent, without_heartbeat_answers, _ = arranged

    assert silent.ended
    assert without_heartbeat_answers


@claim("load-balancing.heartbeats-keep-it-open")
@queue_types
@heartbeats
@after_silence(three_that_wait)
def test_heartbeats_alone_keep_a_connection_open(arranged: tuple[Receiver, bool, bool]) -> None:
    """A receiver that does nothing but send heartbeats outlives the silent one."""
    silent, _, beating_answers = arranged

    assert silent.ended
    assert beating_answers


# What becomes of the busy receiver's messages.


@claim("load-balancing.unacknowledged-go-to-the-other")
@queue_types
@pytest.mark.parametrize(
    "end", [Receiver.crash, Receiver.close, Receiver.close_channel], ids=["crash", "close", "close-channel"]
)
def test_what_the_busy_one_held_goes_to_the_other(
    scene: Scene, queue_type: QueueType, end: Callable[[Receiver], None]
) -> None:
    """However the busy receiver ends, the idle one then gets 2, 4, 6, 8, 10, marked redelivered."""
    _queue, idle, busy = one_idle_one_busy(scene, queue_type)

    end(busy)

    scene.wait_until(lambda: len(idle.numbers) >= 10, "idle has all ten")
    assert idle.numbers == [1, 3, 5, 7, 9, 2, 4, 6, 8, 10]
    assert idle.redelivered == [2, 4, 6, 8, 10]


@claim("load-balancing.unacknowledged-go-to-the-other")
def test_what_the_busy_one_held_goes_to_the_other_when_the_operator_closes_it(scene: Scene) -> None:
    """The same when an operator closes the busy receiver's connection by rabbitmqctl."""
    _queue, idle, busy = one_idle_one_busy(scene, "classic")

    scene.operator.close_connection(busy)

    scene.wait_until(lambda: len(idle.numbers) >= 10, "idle has all ten")
    scene.wait_until(lambda: busy.ended, "the busy one has heard of it")
    assert busy.closed == Closed("connection", 320)
    assert idle.numbers == [1, 3, 5, 7, 9, 2, 4, 6, 8, 10]
    assert idle.redelivered == [2, 4, 6, 8, 10]


@claim("load-balancing.unacknowledged-go-to-the-other")
def test_what_a_killed_process_held_goes_to_the_other(scene: Scene) -> None:
    """The same for a busy receiver in a process of its own that is killed."""
    queue = scene.queue()
    idle = scene.receiver("idle", queue)
    busy = scene.subscribed_program("busy_receiver", queue)
    queue.publish(*numbered(10))
    scene.wait_until(lambda: len(idle.numbers) >= 5 and busy.busy, "idle has its share, and the other is busy")

    busy.kill()

    scene.wait_until(lambda: len(idle.numbers) >= 10, "idle has all ten")
    assert idle.numbers == [1, 3, 5, 7, 9, 2, 4, 6, 8, 10]
    assert idle.redelivered == [2, 4, 6, 8, 10]


def busy_one_falls_silent(scene: Scene, queue_type: QueueType) -> tuple[Receiver, Receiver]:
    _queue, idle, busy = one_idle_one_busy(scene, queue_type, heartbeat=1)
    assert idle.numbers == [1, 3, 5, 7, 9]
    busy.fall_silent()
    return idle, busy


@claim("load-balancing.unacknowledged-go-to-the-other")
@queue_types
@after_silence(busy_one_falls_silent)
def test_what_a_silent_one_held_goes_to_the_other(scene: Scene, arranged: tuple[Receiver, Receiver]) -> None:
    """The same for a busy receiver whose connection the broker closes for want of heartbeats."""
    idle, busy = arranged

    assert busy.ended
    scene.wait_until(lambda: len(idle.numbers) >= 10, "idle has all ten")
    assert idle.numbers == [1, 3, 5, 7, 9, 2, 4, 6, 8, 10]
    assert idle.redelivered == [2, 4, 6, 8, 10]


# Prefetch.


@claim("load-balancing.prefetch-redirects")
@queue_types
@pytest.mark.parametrize("prefetch", [1, 2, 3])
def test_prefetch_redirects_to_the_idle_receiver(scene: Scene, queue_type: QueueType, prefetch: int) -> None:
    """With a prefetch of 1 the busy receiver holds message 1 only, and the other gets 2 to 10."""
    queue = scene.queue(queue_type)
    busy = scene.receiver("busy", queue, acks=False, prefetch=prefetch)
    idle = scene.receiver("idle", queue)

    queue.publish(*numbered(10))

    scene.wait_for_deliveries(10)
    held = [1, 3, 5][:prefetch]
    assert busy.numbers == held
    assert idle.numbers == [number for number in range(1, 11) if number not in held]


@claim("load-balancing.without-prefetch-the-split-is-even")
@queue_types
def test_without_prefetch_the_split_is_even(scene: Scene, queue_type: QueueType) -> None:
    """Without a prefetch the same busy receiver holds 1, 3, 5, 7, 9."""
    queue = scene.queue(queue_type)
    busy = scene.receiver("busy", queue, acks=False)
    idle = scene.receiver("idle", queue)

    queue.publish(*numbered(10))

    scene.wait_for_deliveries(10)
    assert busy.numbers == [1, 3, 5, 7, 9]
    assert idle.numbers == [2, 4, 6, 8, 10]


def busy_one_with_prefetch_falls_silent(scene: Scene, queue_type: QueueType) -> tuple[Queue, Receiver, Receiver]:
    queue = scene.queue(queue_type)
    busy = scene.receiver("busy", queue, acks=False, prefetch=1, heartbeat=1)
    idle = scene.receiver("idle", queue)
    queue.publish(*numbered(10))
    scene.wait_for_deliveries(10)
    busy.fall_silent()
    return queue, busy, idle


@claim("load-balancing.prefetched-message-goes-to-the-other")
@queue_types
@after_silence(busy_one_with_prefetch_falls_silent)
def test_the_one_message_held_goes_to_the_other(scene: Scene, arranged: tuple[Queue, Receiver, Receiver]) -> None:
    """When the busy receiver's connection is closed for want of heartbeats, message 1 goes to the other, once."""
    queue, busy, idle = arranged

    assert busy.ended
    scene.wait_until(lambda: len(idle.numbers) >= 10, "idle has all ten")
    queue.publish("no 11 Hello")  # what comes before it is all there was
    scene.wait_until(lambda: 11 in idle.numbers, "idle has the eleventh")
    assert idle.numbers == [2, 3, 4, 5, 6, 7, 8, 9, 10, 1, 11]
    assert idle.redelivered == [1]
    idle.close()
    late = queue.drain()
    assert late.numbers == []
