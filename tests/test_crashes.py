"""Crashes: what the node's being killed may take, and what it may not.

From RabbitMQ's pages on reliability, confirms, streams and semantics. The node is killed (SIGKILL) three seconds after
the arrangements were made; what an arrangement does behind its `yield` is done in the instant before.
"""

import re
from collections.abc import Generator

from fixtures.vocabulary import (
    Confirmed,
    Exchange,
    NotEstablished,
    Queue,
    QueueType,
    Receiver,
    Restart,
    Scene,
    after_restart,
    claim,
    numbered,
    queue_types,
    refusal,
)

# What was confirmed.


def confirmed_in_two_queues(scene: Scene) -> Generator[None, None, tuple[Queue, Queue]]:
    exchange, classic, quorum = scene.exchange("fanout"), scene.queue("classic"), scene.queue("quorum")
    classic.bind(exchange)
    quorum.bind(exchange)
    yield  # the kill comes right after this
    exchange.publish(*numbered(5))
    yield  # and now the node is frozen
    return classic, quorum


@claim("crashes.confirmed-is-in-every-queue")
@after_restart(confirmed_in_two_queues, Restart.KILL)
def test_a_confirmed_message_is_in_each_queue_that_it_went_to(arranged: tuple[Queue, Queue]) -> None:
    """Messages that were confirmed in the instant before are in the classic queue and in the quorum queue."""
    found = [queue.drain().numbers for queue in arranged]

    lost = [[number for number in range(1, 6) if number not in numbers] for numbers in found]
    assert lost == [[], []]


def confirmed_in_a_stream(scene: Scene) -> Generator[None, None, Queue]:
    stream = scene.queue("stream")
    yield  # the kill comes right after this
    stream.publish(*numbered(5))
    yield  # and now the node is frozen
    return stream


def reader(scene: Scene, stream: Queue) -> Receiver:
    """Somebody who reads a stream from its first message, as soon as that can be read again after a restart."""
    readers: list[Receiver] = []

    def subscribe() -> None:
        readers.append(scene.receiver("late", stream, prefetch=100, arguments={"x-stream-offset": "first"}))

    scene.wait_until(lambda: refusal(subscribe) is None, "the stream can be read")
    return readers[0]


@claim("crashes.streams-keep-what-they-confirm")
@after_restart(confirmed_in_a_stream, Restart.KILL)
def test_a_stream_keeps_what_it_has_confirmed(scene: Scene, arranged: Queue) -> None:
    """Messages that were confirmed in the instant before are there."""
    late = reader(scene, arranged)
    scene.wait_for_deliveries(5)

    assert sorted(late.numbers) == [1, 2, 3, 4, 5]


def committed_and_not(scene: Scene, queue_type: QueueType) -> Generator[None, None, Queue]:
    queue = scene.queue(queue_type)
    scene.sender.begin()
    yield  # the kill comes right after this
    queue.publish(*numbered(3), confirm=False)
    scene.sender.commit()
    queue.publish("no 4 is not committed", confirm=False)
    scene.sender.settle()
    yield  # and now the node is frozen
    return queue


@claim("crashes.committed-is-never-lost")
@queue_types
@after_restart(committed_and_not, Restart.KILL)
def test_what_was_committed_is_there(arranged: Queue) -> None:
    """Three messages were committed in the instant before."""
    late = arranged.drain()

    lost = [number for number in (1, 2, 3) if number not in late.numbers]
    assert lost == []


@claim("crashes.uncommitted-never-happened")
@queue_types
@after_restart(committed_and_not, Restart.KILL)
def test_what_was_not_committed_never_happened(arranged: Queue) -> None:
    """A fourth message was published in the next transaction, and its commit never came."""
    arranged.needs()

    late = arranged.drain()
    assert 4 not in late.numbers


def sent_before_the_kill(scene: Scene, queue_type: QueueType) -> Queue:
    queue = scene.queue(queue_type)
    queue.publish("no 1 is sent", message_id="the same")
    return queue


@claim("crashes.sent-again-comes-twice")
@queue_types
@after_restart(sent_before_the_kill, Restart.KILL)
def test_what_is_sent_again_comes_twice(arranged: Queue) -> None:
    """A sender that does not know whether its message was stored sends it again, with the same message id."""
    arranged.needs(messages=1)
    first = arranged.drain()

    arranged.publish("no 1 is sent", message_id="the same")

    again = arranged.drain()
    assert first.numbers + again.numbers == [1, 1]


# What a confirm waits for. A kill cannot show it: the operating system keeps what it was given.

#: Asked of the node: how often it has synced a file since it was asked last, and whether it is to go on counting.
SYNCS = """Counts = [erlang:trace_info({{prim_file, F, 1}}, call_count) || F <- [sync, datasync]],
[erlang:trace_pattern({{prim_file, F, 1}}, {go_on}, [local, call_count]) || F <- [sync, datasync]],
{{syncs, lists:sum([N || {{call_count, N}} <- Counts, is_integer(N)])}}."""


def syncs(scene: Scene, go_on: str = "restart") -> int:
    """How often the node has synced a file since this was asked last; 0 at the first time."""
    ran = scene.operator.run("eval", SYNCS.format(go_on=go_on))
    found = re.search(r"{syncs, *([0-9]+)}", ran.output)
    if not found:
        raise NotEstablished(f"the node does not say how often it has synced, but: {ran.output.strip()}")
    return int(found[1])


@claim("crashes.only-quorum-queues-wait-for-the-disk")
def test_only_quorum_queues_wait_for_the_disk(scene: Scene) -> None:
    """Of 50 messages, each confirmed before the next, a quorum queue has synced each, a classic queue has not."""
    classic, quorum = scene.queue("classic"), scene.queue("quorum")

    syncs(scene, go_on="true")
    classic.publish(*numbered(50))
    of_the_classic = syncs(scene)
    quorum.publish(*numbered(50))
    of_the_quorum = syncs(scene, go_on="false")

    assert of_the_quorum >= 50
    assert of_the_classic < 50


@claim("crashes.streams-do-not-wait-for-the-disk")
def test_a_stream_does_not_wait_for_the_disk(scene: Scene) -> None:
    """It has confirmed 50 messages, one after the other, and has not synced each."""
    stream = scene.queue("stream")

    syncs(scene, go_on="true")
    stream.publish(*numbered(50))
    of_the_stream = syncs(scene, go_on="false")

    assert of_the_stream < 50


# What was delivered, and acknowledged.


def acknowledged_at_the_last_moment(scene: Scene, queue_type: QueueType) -> Generator[None, None, Queue]:
    queue = scene.queue(queue_type)
    receiver = scene.receiver("acknowledges", queue, acks=False, prefetch=2)
    queue.publish(*numbered(3))
    scene.wait_until(lambda: receiver.numbers == [1, 2], "it holds two")
    yield  # the kill comes right after this
    receiver.ack(1)
    receiver.ack(2)
    receiver.get()  # the queue answers this when it has heard the acknowledgement
    yield  # and now the node is frozen
    return queue


@claim("crashes.acknowledged-at-the-last-moment-stays-gone")
@queue_types
@after_restart(acknowledged_at_the_last_moment, Restart.KILL)
def test_what_was_acknowledged_in_the_instant_before_stays_gone(arranged: Queue) -> None:
    """Of three messages the first two were acknowledged, and the third was not."""
    arranged.needs(messages=1)

    back = arranged.drain()
    assert [number for number in (1, 2) if number in back.numbers] == []


def two_of_four_delivered(scene: Scene, queue_type: QueueType) -> Queue:
    queue = scene.queue(queue_type)
    receiver = scene.receiver("holds two", queue, acks=False, prefetch=2)
    queue.publish(*numbered(4))
    scene.wait_until(lambda: receiver.numbers == [1, 2], "it holds two")
    return queue


@claim("crashes.what-was-delivered-is-marked")
@queue_types
@after_restart(two_of_four_delivered, Restart.KILL)
def test_what_was_delivered_before_is_marked_redelivered(arranged: Queue) -> None:
    """Of four messages a receiver held the first two when the node was killed."""
    arranged.needs(messages=4)

    late = arranged.drain()

    assert [number for number in (1, 2) if number not in late.redelivered] == []


@claim("crashes.what-was-not-delivered-is-not-marked")
@queue_types
@after_restart(two_of_four_delivered, Restart.KILL)
def test_what_was_not_delivered_before_is_not_marked(arranged: Queue) -> None:
    """The last two nobody had got."""
    arranged.needs(messages=4)

    late = arranged.drain()

    assert [number for number in (3, 4) if number in late.redelivered] == []


def held_when_the_node_dies(scene: Scene) -> Queue:
    queue = scene.queue("quorum", delivery_limit=1)
    receiver = scene.receiver("holds it", queue, acks=False)
    queue.publish("no 1 is held")
    scene.wait_until(lambda: receiver.numbers == [1], "it holds the message")
    return queue


@claim("crashes.a-kill-is-a-failed-delivery")
@after_restart(held_when_the_node_dies, Restart.KILL)
def test_a_kill_counts_as_a_failed_delivery(arranged: Queue) -> None:
    """A message was held by a receiver when the node was killed."""
    arranged.needs(messages=1)

    [message] = arranged.drain().deliveries

    assert message.headers.get("x-delivery-count") == 1


# What was declared, deleted and purged.


def declared_in_time(scene: Scene) -> Generator[None, None, tuple[Exchange, Queue]]:
    exchange, queue = scene.exchange("fanout"), scene.queue("classic")
    queue.bind(exchange)
    yield  # the kill comes right after this
    exchange.publish("no 1 was there before")
    yield  # and now the node is frozen
    return exchange, queue


@claim("crashes.declared-is-there")
@after_restart(declared_in_time, Restart.KILL)
def test_what_was_declared_in_time_is_there(arranged: tuple[Exchange, Queue]) -> None:
    """An exchange, a classic queue that is bound to it, and the message that it has confirmed."""
    exchange, queue = arranged

    outcomes = exchange.try_publish("no 2 goes the same way", mandatory=True)

    assert outcomes == [Confirmed()]
    assert queue.drain().numbers == [1, 2]


def deleted_in_time(scene: Scene, queue_type: QueueType) -> Queue:
    queue = scene.queue(queue_type)
    queue.publish(*numbered(3))
    queue.delete()
    return queue


@claim("crashes.deleted-stays-deleted")
@queue_types
@after_restart(deleted_in_time, Restart.KILL)
def test_a_deleted_queue_stays_deleted(arranged: Queue) -> None:
    """It was deleted some seconds before, with three messages."""
    assert not arranged.exists


def purged_in_time(scene: Scene, queue_type: QueueType) -> Queue:
    queue = scene.queue(queue_type)
    queue.publish(*numbered(3))
    queue.wait_for(3)
    queue.purge()
    queue.publish("no 4 comes later")
    queue.wait_for(1)
    return queue


@claim("crashes.purged-stays-purged")
@queue_types
@after_restart(purged_in_time, Restart.KILL)
def test_what_was_purged_stays_purged(arranged: Queue) -> None:
    """Three messages were purged some seconds before, and a fourth came later."""
    arranged.needs(messages=1)

    assert arranged.drain().numbers == [4]
