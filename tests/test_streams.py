"""Streams: what a queue is that keeps what was read.

From RabbitMQ's page on streams. Streams are read here over AMQP 0-9-1, as queues are. A reader says where it begins by
the argument x-stream-offset; a body's size, where it matters, is more than that of all that is stored beside it.
"""

from typing import Any

import pytest

from fixtures.vocabulary import Closed, Queue, Receiver, Scene, after_restart, claim, numbered, refusal

#: How many messages a reader may hold: more than there are in any test that does not say another number.
PREFETCH = 100


def reader(
    scene: Scene,
    name: str,
    stream: Queue,
    begins: str | int | None = "first",
    prefetch: int = PREFETCH,
    acks: bool = True,
    prefetch_of_channel: bool = False,
) -> Receiver:
    """Somebody who reads a stream from where it says; None if it says nothing."""
    arguments = {} if begins is None else {"x-stream-offset": begins}
    return scene.receiver(
        name, stream, prefetch=prefetch, acks=acks, arguments=arguments, prefetch_of_channel=prefetch_of_channel
    )


def offsets(receiver: Receiver) -> list[int]:
    """The offsets of the messages that it got."""
    return [int(delivery.headers["x-stream-offset"]) for delivery in receiver.deliveries]


def large(first: int, last: int) -> list[str]:
    """Messages of 1000 bytes."""
    return [f"no {n} ".ljust(1000, "x") for n in range(first, last + 1)]


# What a reader may, and may not.


@claim("streams.need-a-prefetch")
def test_a_reader_needs_a_prefetch(scene: Scene) -> None:
    """The channel of one without is closed with 406."""
    stream = scene.queue("stream")

    assert refusal(lambda: reader(scene, "reads", stream, prefetch=0)) == Closed("channel", 406)


@claim("streams.need-acknowledgements")
def test_a_reader_has_to_acknowledge(scene: Scene) -> None:
    """The connection of one that consumes with `no_ack` is closed with 540."""
    stream = scene.queue("stream")

    refused = refusal(lambda: scene.receiver("reads", stream, prefetch=PREFETCH, auto_ack=True))

    assert refused == Closed("connection", 540)


@claim("streams.no-single-messages")
def test_no_single_message_can_be_taken(scene: Scene) -> None:
    """The connection of whoever tries is closed with 540."""
    stream = scene.queue("stream")
    stream.publish("no 1 stays")

    assert refusal(stream.get) == Closed("connection", 540)


@claim("streams.no-purge")
def test_a_stream_cannot_be_purged(scene: Scene) -> None:
    """The connection of whoever tries is closed with 540."""
    stream = scene.queue("stream")
    stream.publish("no 1 stays")

    assert refusal(stream.purge) == Closed("connection", 540)


@claim("streams.channel-prefetch")
def test_a_prefetch_of_the_channel_counts(scene: Scene) -> None:
    """A reader that says it for its whole channel gets two messages, and no third one before it acknowledges."""
    stream = scene.queue("stream")
    stream.publish(*numbered(3))

    refused = refusal(lambda: reader(scene, "reads", stream, prefetch=2, acks=False, prefetch_of_channel=True))

    assert refused is None
    scene.wait_for_deliveries(2)
    [reads] = scene.receivers
    reads.settle()
    assert reads.numbers == [1, 2]


# What reading does.


@claim("streams.reading-takes-nothing-away")
def test_reading_takes_nothing_away(scene: Scene) -> None:
    """Who comes later gets the same messages with the same offsets, and not as redelivered ones."""
    stream = scene.queue("stream")
    stream.publish(*numbered(5))
    early = reader(scene, "early", stream)
    scene.wait_for_deliveries(5)
    early.settle()
    early.close()

    late = reader(scene, "late", stream)

    scene.wait_for_deliveries(10)
    assert late.numbers == early.numbers == [1, 2, 3, 4, 5]
    assert offsets(late) == offsets(early) == [0, 1, 2, 3, 4]
    assert late.redelivered == []


@claim("streams.every-reader-gets-all")
def test_every_reader_gets_all(scene: Scene) -> None:
    """Two readers at a time; both get five of five."""
    stream = scene.queue("stream")
    one, other = reader(scene, "one", stream), reader(scene, "other", stream)

    stream.publish(*numbered(5))

    scene.wait_for_deliveries(10)
    assert (one.numbers, other.numbers) == ([1, 2, 3, 4, 5], [1, 2, 3, 4, 5])


@claim("streams.acknowledging-asks-for-more")
def test_acknowledging_asks_for_more(scene: Scene) -> None:
    """With a prefetch of two the third message comes when the first is acknowledged."""
    stream = scene.queue("stream")
    stream.publish(*numbered(5))
    reads = reader(scene, "reads", stream, prefetch=2, acks=False)
    scene.wait_for_deliveries(2)
    reads.settle()
    before = list(reads.numbers)

    reads.ack(1)

    scene.wait_for_deliveries(3)
    reads.settle()
    assert (before, reads.numbers) == ([1, 2], [1, 2, 3])


@claim("streams.rejecting-asks-for-more")
@pytest.mark.parametrize("requeue", [True, False], ids=["requeue", "drop"])
def test_rejecting_asks_for_more(scene: Scene, requeue: bool) -> None:
    """What is rejected does not come again; what comes is the next."""
    stream = scene.queue("stream")
    stream.publish(*numbered(4))
    reads = reader(scene, "reads", stream, prefetch=2, acks=False)
    scene.wait_for_deliveries(2)

    reads.reject(1, requeue=requeue)
    reads.nack(2, requeue=requeue)

    assert reads.settle() is None
    scene.wait_for_deliveries(4)
    assert reads.numbers == [1, 2, 3, 4]


# Where a reader begins.


@claim("streams.begin-with-what-is-new")
@pytest.mark.parametrize("begins", [None, "next"], ids=["nothing-said", "next"])
def test_a_reader_begins_with_what_is_new(scene: Scene, begins: str | None) -> None:
    """Three messages are there; it gets the fourth."""
    stream = scene.queue("stream")
    stream.publish(*numbered(3))
    reads = reader(scene, "reads", stream, begins)

    stream.publish("no 4 new")

    scene.wait_for_deliveries(1)
    assert reads.numbers == [4]


@claim("streams.begin-at-an-offset")
def test_a_reader_begins_at_an_offset(scene: Scene) -> None:
    """At offset 3 is the fourth message."""
    stream = scene.queue("stream")
    stream.publish(*numbered(6))

    reads = reader(scene, "reads", stream, 3)

    scene.wait_until(lambda: 6 in reads.numbers, "message 6 is there")
    assert (reads.numbers, offsets(reads)) == ([4, 5, 6], [3, 4, 5])


@claim("streams.begin-with-the-last")
def test_a_reader_begins_with_the_last(scene: Scene) -> None:
    """Each message was confirmed before the next was sent, so that the last one came alone."""
    stream = scene.queue("stream")
    stream.publish(*numbered(3))

    reads = reader(scene, "reads", stream, "last")

    scene.wait_until(lambda: 3 in reads.numbers, "message 3 is there")
    assert reads.numbers == [3]


@claim("streams.readers-are-not-remembered")
def test_a_reader_is_not_remembered(scene: Scene) -> None:
    """What it held when it closed does not come to it again: it begins with what is new, as anybody."""
    stream = scene.queue("stream")
    stream.publish(*numbered(3))
    before = reader(scene, "reads", stream, prefetch=2, acks=False)
    scene.wait_for_deliveries(2)
    before.close()
    after = reader(scene, "reads again", stream, None)

    stream.publish("no 4 new")

    scene.wait_until(lambda: 4 in after.numbers, "message 4 is there")
    assert after.numbers == [4]


@claim("streams.words-that-are-no-offset")
def test_a_word_that_is_no_offset_is_refused(scene: Scene) -> None:
    """The channel is closed with 406."""
    stream = scene.queue("stream")

    assert refusal(lambda: reader(scene, "reads", stream, "the-beginning")) == Closed("channel", 406)


# What it keeps.


def transient_messages(scene: Scene) -> Queue:
    stream = scene.queue("stream")
    stream.publish(*numbered(5), persistent=False)
    return stream


@claim("streams.keep-transient-messages")
@after_restart(transient_messages)
def test_transient_messages_survive(scene: Scene, arranged: Queue) -> None:
    """All five are read after it, in order, as soon as the stream can be read again."""
    late: list[Receiver] = []
    scene.wait_until(
        lambda: refusal(lambda: late.append(reader(scene, "late", arranged))) is None, "the stream can be read"
    )

    scene.wait_for_deliveries(5)
    assert late[0].numbers == [1, 2, 3, 4, 5]


@claim("streams.nothing-expires")
def test_nothing_expires(scene: Scene) -> None:
    """A message with an expiration of 0 is read, after one that comes later was confirmed."""
    stream = scene.queue("stream")
    stream.publish("no 1 would expire", expiration=0)
    stream.publish("no 2 would not")

    late = reader(scene, "late", stream)

    scene.wait_until(lambda: 2 in late.numbers, "message 2 is there")
    assert late.numbers == [1, 2]


def first_of(scene: Scene, stream: Queue, last: int) -> int:
    """The number of the first message of a stream that ends with `last`."""
    late = reader(scene, "late", stream)
    scene.wait_until(lambda: last in late.numbers, f"message {last} is there")
    late.close()
    return late.numbers[0]


@claim("streams.too-long-loses-the-oldest")
def test_a_stream_that_is_too_long_loses_the_oldest(scene: Scene) -> None:
    """Of 42 KB in segments of 4 KB, with a limit of 20 KB, the first are gone and the last is there."""
    stream = scene.queue("stream", max_length_bytes=20_000, arguments={"x-stream-max-segment-size-bytes": 4_000})

    stream.publish(*large(1, 42))

    scene.wait_until(lambda: first_of(scene, stream, last=42) > 1, "message 1 is gone")


@claim("streams.shorter-than-a-segment-lose-nothing")
def test_a_stream_of_one_segment_loses_nothing(scene: Scene) -> None:
    """With a limit of 1 KB all 10 KB are read: a segment has 500 MB if nothing else is said."""
    stream = scene.queue("stream", max_length_bytes=1_000)

    stream.publish(*large(1, 10))

    late = reader(scene, "late", stream)
    scene.wait_until(lambda: 10 in late.numbers, "message 10 is there")
    assert late.numbers == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]


# What a stream cannot be.


@claim("streams.are-durable-and-shared")
@pytest.mark.parametrize(
    "how",
    [{"durable": False}, {"exclusive": True}, {"auto_delete": True}],
    ids=["not-durable", "exclusive", "auto-delete"],
)
def test_a_stream_is_durable_and_shared(scene: Scene, how: dict[str, Any]) -> None:
    """The declaration of another one is refused with 406."""
    assert refusal(lambda: scene.queue("stream", **how)) == Closed("channel", 406)


@claim("streams.know-no-other-arguments")
@pytest.mark.parametrize(
    "argument",
    [
        {"x-dead-letter-exchange": "amq.fanout"},
        {"x-message-ttl": 60_000},
        {"x-expires": 60_000},
        {"x-max-length": 5},
        {"x-overflow": "reject-publish"},
        {"x-max-priority": 5},
        {"x-delivery-limit": 5},
        {"x-single-active-consumer": True},
    ],
    ids=lambda argument: next(iter(argument)).removeprefix("x-"),
)
def test_a_stream_knows_no_such_argument(scene: Scene, argument: dict[str, Any]) -> None:
    """The declaration is refused with 406."""
    assert refusal(lambda: scene.queue("stream", arguments=argument)) == Closed("channel", 406)
