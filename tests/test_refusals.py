"""What is refused, and how far it reaches: a channel, a whole connection, or the one who wants to come in.

From RabbitMQ's pages on channels and connections, and its release notes. What no client library would send is sent by a
visitor, who has a connection of its own.
"""

from collections.abc import Callable, Generator

import pytest
from pika import frame, spec

from fixtures.vocabulary import (
    Closed,
    Confirmed,
    NotEstablished,
    Queue,
    QueueType,
    Receiver,
    Scene,
    after_time,
    claim,
    queue_types,
    refusal,
)

#: More than one frame may have, in bytes.
TOO_LARGE = 140_000


# A channel.


@claim("refusals.missing-queue")
@pytest.mark.parametrize("wish", ["consume", "get", "purge"])
def test_a_missing_queue_closes_the_channel(scene: Scene, wish: str) -> None:
    """404, whatever is wanted of it."""
    missing = scene.undeclared_queue()
    wishes: dict[str, Callable[[], object]] = {
        "consume": lambda: scene.receiver("receiver", missing),
        "get": missing.get,
        "purge": missing.purge,
    }

    assert refusal(wishes[wish]) == Closed("channel", 404)


@claim("refusals.other-channels-go-on")
@queue_types
def test_an_error_on_one_channel_leaves_the_other_alone(scene: Scene, queue_type: QueueType) -> None:
    """The receiver on the other channel keeps message 1, gets message 2, and acknowledges both."""
    queue = scene.queue(queue_type)
    first = scene.receiver("first", queue, acks=False)
    second = scene.receiver("second", scene.queue(queue_type), beside=first)
    queue.publish("no 1 before")
    scene.wait_until(lambda: first.numbers == [1], "first has message 1")

    second.raw(spec.Basic.Ack(delivery_tag=99))
    scene.wait_until(lambda: second.closed, "the channel of second is closed")

    queue.publish("no 2 after")
    scene.wait_until(lambda: first.numbers == [1, 2], "first has message 2")
    first.ack(2, multiple=True)
    assert (second.closed, first.settle()) == (Closed("channel", 406), None)
    assert [delivery.redelivered for delivery in first.deliveries] == [False, False]


@claim("refusals.gives-back-what-the-channel-held")
@queue_types
def test_what_a_refused_channel_held_comes_back(scene: Scene, queue_type: QueueType) -> None:
    """Message 1, which had nothing to do with the error, comes to somebody else, marked redelivered."""
    queue = scene.queue(queue_type)
    refused = scene.receiver("refused", queue, acks=False)
    queue.publish("no 1 unacknowledged")
    scene.wait_until(lambda: refused.numbers == [1], "message 1 is there")

    refused.raw(spec.Basic.Ack(delivery_tag=99))
    scene.wait_until(lambda: refused.closed, "the channel is closed")

    other = scene.receiver("other", queue)
    scene.wait_until(lambda: other.numbers == [1], "message 1 has come to the other")
    assert (refused.closed, other.deliveries[0].redelivered) == (Closed("channel", 406), True)


@claim("refusals.ack-on-another-channel")
@queue_types
def test_an_ack_on_another_channel_is_refused_there(scene: Scene, queue_type: QueueType) -> None:
    """The channel on which it came stays open, and takes the ack."""
    queue = scene.queue(queue_type)
    got = scene.receiver("got", queue, acks=False)
    other = scene.receiver("other", scene.queue(queue_type), beside=got)
    queue.publish("no 1 Hello")
    scene.wait_until(lambda: got.numbers == [1], "message 1 is there")

    other.raw(spec.Basic.Ack(got.deliveries[0].tag))

    scene.wait_until(lambda: other.closed, "the channel of the other is closed")
    got.ack(1)
    assert (other.closed, got.settle()) == (Closed("channel", 406), None)


@claim("refusals.declared-again-with-other-arguments")
@pytest.mark.parametrize("other", [None, 70_000], ids=["without", "another"])
@queue_types
def test_a_queue_declared_again_with_other_arguments_is_refused(
    scene: Scene, queue_type: QueueType, other: int | None
) -> None:
    """Without the length limit that it has, or with another one."""
    queue = scene.queue(queue_type, max_length=80_000)

    assert refusal(lambda: scene.queue(queue_type, max_length=other, same_as=queue)) == Closed("channel", 406)


@claim("refusals.old-queue-version")
def test_a_classic_queue_of_version_1_is_refused(scene: Scene) -> None:
    """406 on the channel."""
    assert refusal(lambda: scene.queue(arguments={"x-queue-version": 1})) == Closed("channel", 406)


def holds_for_longer_than_it_may(scene: Scene) -> tuple[Queue, Receiver]:
    """A receiver that holds message 1, and may do so for three seconds."""
    queue = scene.queue("quorum")
    receiver = scene.receiver("slow", queue, acks=False, arguments={"x-consumer-timeout": 3000})
    queue.publish("no 1 takes long")
    scene.wait_until(lambda: receiver.numbers == [1], "message 1 is there")
    return queue, receiver


@claim("refusals.consumer-timeout-cancels")
@after_time(holds_for_longer_than_it_may)
def test_a_receiver_that_takes_too_long_is_cancelled(scene: Scene, arranged: tuple[Queue, Receiver]) -> None:
    """Its channel stays open, and somebody else gets the message, marked redelivered."""
    queue, slow = arranged

    other = scene.receiver("other", queue)

    scene.wait_until(lambda: other.numbers == [1], "message 1 has come to the other")
    scene.wait_until(lambda: slow.cancelled, "the slow one is cancelled")
    assert (slow.settle(), other.deliveries[0].redelivered) == (None, True)


def hold_two_for_longer_than_they_may(scene: Scene) -> Generator[None, None, list[Receiver]]:
    """Four receivers, who take message 2 a moment after message 1: now and then the broker forgets to look again."""
    queues = [scene.queue("quorum") for _ in range(4)]
    how = {"x-consumer-timeout": 5000}
    slow = [scene.receiver(f"slow {n}", queue, acks=False, arguments=how) for n, queue in enumerate(queues, 1)]
    for body in ("no 1 takes long", "no 2 takes long too"):
        for queue in queues:
            queue.publish(body)
        yield
    return slow


@claim("refusals.each-late-message-cancels")
@after_time(hold_two_for_longer_than_they_may)
def test_each_late_message_cancels_its_receiver(scene: Scene, arranged: list[Receiver]) -> None:
    """One of the four, at least, has been cancelled twice."""
    if not any(slow.numbers == [1, 2] for slow in arranged):
        raise NotEstablished("nobody got message 2 within 5 s after message 1: the machine is too busy")

    scene.wait_until(lambda: any(slow.cancelled == 2 for slow in arranged), "one is cancelled twice")

    assert [slow.settle() for slow in arranged] == [None, None, None, None]


@claim("refusals.timeout-on-a-classic-queue")
def test_a_consumer_timeout_on_a_classic_queue_is_refused(scene: Scene) -> None:
    """406 on the channel of whoever wants one."""
    queue = scene.queue()

    refused = refusal(lambda: scene.receiver("receiver", queue, arguments={"x-consumer-timeout": 60_000}))

    assert refused == Closed("channel", 406)


@claim("refusals.consumer-timeout-closes-the-channel")
def test_a_receiver_that_takes_too_long_loses_its_channel(scene: Scene) -> None:
    """406 for those who hold messages of both queue types; the one on a channel beside them goes on."""
    idle = scene.receiver("idle", scene.queue())
    queues = [scene.queue("classic"), scene.queue("quorum")]
    slow = [scene.receiver(f"slow at {queue.type}", queue, acks=False, beside=idle) for queue in queues]
    for queue in queues:
        queue.publish("no 1 takes long")

    scene.wait_until(lambda: all(receiver.closed for receiver in slow), "the channels of both are closed")

    others = [scene.receiver(f"other at {queue.type}", queue) for queue in queues]
    scene.wait_until(lambda: all(other.numbers == [1] for other in others), "the others have got the messages")
    assert [receiver.closed for receiver in slow] == [Closed("channel", 406), Closed("channel", 406)]
    assert [other.deliveries[0].redelivered for other in others] == [True, True]
    assert idle.settle() is None


# A connection.


@claim("refusals.connection-error-ends-every-channel")
@queue_types
def test_a_connection_error_ends_every_channel(scene: Scene, queue_type: QueueType) -> None:
    """The bystander's channel ends with the other's, and message 1, that he held, comes to somebody else."""
    queue = scene.queue(queue_type)
    bystander = scene.receiver("bystander", queue, acks=False)
    culprit = scene.receiver("culprit", scene.queue(queue_type), beside=bystander)
    queue.publish("no 1 unacknowledged")
    scene.wait_until(lambda: bystander.numbers == [1], "message 1 is there")

    culprit.raw(spec.Channel.Open())
    scene.wait_until(lambda: culprit.closed, "the culprit is closed")

    assert (culprit.closed, bystander.closed) == (Closed("connection", 504), Closed("connection", 504))
    other = scene.receiver("other", queue)
    scene.wait_until(lambda: other.numbers == [1], "message 1 has come to the other")
    assert other.deliveries[0].redelivered


@claim("refusals.unopened-channel")
def test_a_method_on_a_channel_that_is_not_open_closes_the_connection(scene: Scene) -> None:
    """Nobody has opened channel 7."""
    visitor = scene.visitor("visitor")

    visitor.send(spec.Basic.Qos(prefetch_count=1), channel=7)

    scene.wait_until(lambda: visitor.closed, "the connection is closed")
    assert visitor.closed == Closed("connection", 504)


@claim("refusals.servers-method")
def test_a_method_that_only_a_broker_sends_closes_the_connection(scene: Scene) -> None:
    """A client says queue.declare-ok."""
    visitor = scene.visitor("visitor")

    visitor.send(spec.Queue.DeclareOk("any", 0, 0), channel=visitor.channel)

    scene.wait_until(lambda: visitor.closed, "the connection is closed")
    assert visitor.closed == Closed("connection", 503)


@claim("refusals.broken-frame")
def test_a_broken_frame_closes_the_connection(scene: Scene) -> None:
    """Its last byte is another than the one that ends every frame."""
    visitor = scene.visitor("visitor")
    whole = frame.Method(1, spec.Channel.Open()).marshal()

    visitor.send_bytes(whole[:-1] + b"\0", "a frame without its end")

    scene.wait_until(lambda: visitor.closed, "the connection is closed")
    assert visitor.closed == Closed("connection", 501)


@claim("refusals.headers-in-one-frame")
def test_headers_that_do_not_fit_in_one_frame_close_the_connection(scene: Scene) -> None:
    """One header of 140 kB, in a message without a body."""
    queue = scene.queue()
    visitor = scene.visitor("visitor")
    large = spec.BasicProperties(headers={"large": "x" * TOO_LARGE})

    visitor.send(spec.Basic.Publish(routing_key=queue.name), channel=visitor.channel, properties=large)

    scene.wait_until(lambda: visitor.closed or queue.ready, "the broker has done something about it")
    assert visitor.closed == Closed("connection", 501)


@claim("refusals.denied-feature")
def test_a_deprecated_feature_that_is_denied_closes_the_connection(scene: Scene) -> None:
    """A queue says by an argument of former days where it wants to live."""
    refused = refusal(lambda: scene.queue(arguments={"x-queue-master-locator": "client-local"}))

    assert refused == Closed("connection", 541)


@claim("refusals.more-channels-than-agreed")
def test_more_channels_than_were_agreed_on_close_the_connection(scene: Scene) -> None:
    """Two were; the third is too many."""
    visitor = scene.visitor("visitor", channel_max=2)

    for number in (11, 12, 13):
        visitor.send(spec.Channel.Open(), channel=number)

    scene.wait_until(lambda: visitor.closed, "the connection is closed")
    assert visitor.closed == Closed("connection", 530)


# Whoever wants to come in.


@claim("refusals.wrong-password")
def test_a_wrong_password_is_refused(scene: Scene) -> None:
    """With the right one he is let in."""
    welcome = scene.visitor("welcome")

    stranger = scene.visitor("stranger", password="a wrong one")

    assert (welcome.closed, stranger.closed) == (None, Closed("connection", 403))


@claim("refusals.unknown-virtual-host")
def test_an_unknown_virtual_host_is_refused(scene: Scene) -> None:
    """530, and not 404."""
    lost = scene.visitor("lost", vhost="claims-no-such-virtual-host")

    assert lost.closed == Closed("connection", 530)


@claim("refusals.small-frames")
def test_frames_of_4096_bytes_are_refused(scene: Scene) -> None:
    """The broker hangs up on whoever wants them."""
    modest = scene.visitor("modest", frame_max=4096)

    assert modest.closed == Closed("connection", 0)


@claim("refusals.permissions")
def test_what_a_user_has_no_permission_for_is_refused(scene: Scene) -> None:
    """Somebody who may do nothing declares, publishes and consumes; 403 on the channel each time."""
    queue = scene.queue()
    user = scene.operator.user("secret", configure="", write="", read="")
    stranger = scene.visitor("stranger", user=user, password="secret")
    other = scene.undeclared_queue().name

    declares = refusal(lambda: stranger.ask(spec.Queue.Declare(queue=other, durable=True), spec.Queue.DeclareOk))
    consumes = refusal(lambda: stranger.ask(spec.Basic.Consume(queue=queue.name), spec.Basic.ConsumeOk))
    publishes = refusal(lambda: stranger.publish(queue, "no 1 from outside"))

    assert [declares, consumes, publishes] == [Closed("channel", 403)] * 3


@claim("refusals.looking-needs-permission")
def test_who_has_no_permission_cannot_look(scene: Scene) -> None:
    """A passive declaration of a queue that is there; 403 on the channel."""
    queue = scene.queue()
    user = scene.operator.user("secret", configure="", write="", read="")
    stranger = scene.visitor("stranger", user=user, password="secret")

    refused = refusal(lambda: stranger.ask(spec.Queue.Declare(queue=queue.name, passive=True), spec.Queue.DeclareOk))

    assert refused == Closed("channel", 403)


@claim("refusals.transient-queues-where-denied")
def test_a_queue_that_is_neither_durable_nor_exclusive_is_denied(scene: Scene) -> None:
    """541 on the connection of whoever declares it."""
    visitor = scene.visitor("visitor")

    declared = spec.Queue.Declare(queue=scene.undeclared_queue().name, durable=False), spec.Queue.DeclareOk

    assert refusal(lambda: visitor.ask(*declared)) == Closed("connection", 541)


@claim("refusals.exclusive-queues-where-denied")
@pytest.mark.parametrize("durable", [False, True])
def test_an_exclusive_queue_is_not_denied(scene: Scene, durable: bool) -> None:
    """It can be declared."""
    visitor = scene.visitor("visitor")

    queue = scene.undeclared_queue().name
    declared = spec.Queue.Declare(queue=queue, durable=durable, exclusive=True), spec.Queue.DeclareOk

    assert refusal(lambda: visitor.ask(*declared)) is None


@claim("refusals.as-large-as-is-allowed")
def test_a_message_may_be_as_large_as_is_allowed(scene: Scene) -> None:
    """1024 bytes are confirmed, with a header of 500 more, and 1025 close the channel."""
    queue = scene.queue()

    outcomes = [queue.try_publish(b"x" * size, headers={"more": "x" * 500}) for size in (1024, 1025)]

    assert outcomes == [[Confirmed()], [Closed("channel", 406)]]
