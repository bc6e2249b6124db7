"""Exclusive and auto-delete queues: whose a queue is, and when it goes by itself.

From RabbitMQ's pages on queues. The owner of an exclusive queue is a connection, so an owner here is somebody with a
connection of his own.
"""

from collections.abc import Callable

import pytest
from pika import spec

from fixtures.vocabulary import (
    Closed,
    NotEstablished,
    Queue,
    QueueType,
    Receiver,
    Scene,
    after_silence,
    claim,
    refusal,
)


def exclusive_queue(scene: Scene, durable: bool = True, heartbeat: int = 0) -> tuple[Receiver, Queue]:
    """An owner, and his exclusive queue; what is done with the queue is done by somebody else."""
    queue = scene.undeclared_queue()
    owner = scene.receiver("owner", queue, consumes=False, heartbeat=heartbeat)
    declares(owner, queue.name, durable=durable, exclusive=True)
    return owner, queue


def declares(who: Receiver, name: str, durable: bool = True, exclusive: bool = False, auto_delete: bool = False) -> str:
    """Somebody declares a classic queue on his own connection; returns its name."""
    method = spec.Queue.Declare(
        queue=name,
        durable=durable,
        exclusive=exclusive,
        auto_delete=auto_delete,
        arguments={"x-queue-type": "classic"},
    )
    return str(who.raw(method, spec.Queue.DeclareOk).queue)


def becomes_gone(scene: Scene, queue: Queue) -> None:
    """Wait until it does not exist; an exclusive one is refused for another reason before."""
    scene.wait_until(lambda: refusal(lambda: queue.exists) is None and not queue.exists, f"{queue.name} is gone")


# Whose it is.

#: What somebody else may try with a queue.
TRIES: dict[str, Callable[[Scene, Queue], object]] = {
    "declare": lambda scene, queue: scene.queue(exclusive=True, same_as=queue),
    "look": lambda _scene, queue: queue.ready,
    "consume": lambda scene, queue: scene.receiver("other", queue),
    "get": lambda _scene, queue: queue.get(),
    "bind": lambda scene, queue: queue.bind(scene.predeclared_exchange("amq.fanout")),
    "purge": lambda _scene, queue: queue.purge(),
    "delete": lambda _scene, queue: queue.delete(),
}


@claim("exclusive-queues.others-are-refused")
@pytest.mark.parametrize("tries", TRIES)
def test_nobody_else_can_use_an_exclusive_queue(scene: Scene, tries: str) -> None:
    """Whatever another connection tries with it, its channel is closed."""
    _owner, queue = exclusive_queue(scene)

    assert refusal(lambda: TRIES[tries](scene, queue)) == Closed("channel", 405)


@claim("exclusive-queues.others-may-publish")
def test_everybody_may_publish_to_an_exclusive_queue(scene: Scene) -> None:
    """The owner gets what somebody else has sent."""
    owner, queue = exclusive_queue(scene)
    owner.consume()

    queue.publish("no 1 from somebody else")

    scene.wait_for_deliveries(1)
    assert owner.numbers == [1]


@claim("exclusive-queues.owner-is-a-connection")
def test_the_owner_is_a_connection(scene: Scene) -> None:
    """It is declared again, and read, on another channel of the same connection, with what is in it."""
    owner, queue = exclusive_queue(scene)
    queue.publish("no 1 is waiting")

    second = scene.receiver("second channel", queue, consumes=False, beside=owner)
    declared = refusal(lambda: declares(second, queue.name, exclusive=True))
    consumes = refusal(second.consume)

    assert (declared, consumes) == (None, None)
    scene.wait_for_deliveries(1)
    assert second.numbers == [1]


@claim("exclusive-queues.is-so-from-the-beginning")
@pytest.mark.parametrize("first", [True, False], ids=["no longer", "later"])
def test_a_queue_is_exclusive_from_the_beginning_or_never(scene: Scene, first: bool) -> None:
    """Its own connection cannot declare it again as what it was not."""
    queue = scene.undeclared_queue()
    owner = scene.receiver("owner", queue, consumes=False)
    declares(owner, queue.name, exclusive=first)

    refused = refusal(lambda: declares(owner, queue.name, exclusive=not first))

    assert refused == Closed("channel", 405)


@claim("exclusive-queues.names-of-the-broker-are-for-all")
def test_a_queue_that_the_broker_has_named_is_not_exclusive(scene: Scene) -> None:
    """Somebody declares one without a name; somebody else, who has heard of its name, gets what is published to it."""
    declarer = scene.receiver("declarer", scene.undeclared_queue(), consumes=False)

    queue = scene.somebodys_queue(declares(declarer, "", auto_delete=True))

    other = scene.receiver("other", queue, consumes=False)
    assert refusal(other.consume) is None
    queue.publish("no 1 for anybody")
    scene.wait_for_deliveries(1)
    assert queue.name.startswith("amq.gen-")
    assert other.numbers == [1]


# When it goes.


@claim("exclusive-queues.go-with-their-connection")
@pytest.mark.parametrize("ending", ["close", "crash"])
@pytest.mark.parametrize("durable", [True, False], ids=["durable", "not durable"])
def test_an_exclusive_queue_goes_with_its_connection(scene: Scene, durable: bool, ending: str) -> None:
    """With its message, and without a restart."""
    owner, queue = exclusive_queue(scene, durable)
    queue.publish("no 1 goes too")

    if ending == "close":
        owner.close()
    else:
        owner.crash()

    becomes_gone(scene, queue)
    scene.queue(same_as=queue)
    late = queue.drain()
    assert late.numbers == []


def owner_falls_silent(scene: Scene) -> tuple[Receiver, Queue, Closed | None]:
    owner, queue = exclusive_queue(scene, heartbeat=1)
    queue.publish("no 1 is waiting")
    owner.fall_silent()
    refused = refusal(lambda: scene.queue(exclusive=True, same_as=queue))
    scene.pump()
    if owner.ended:
        raise NotEstablished("the broker has noticed the silence before anybody else could ask")
    return owner, queue, refused


@claim("exclusive-queues.silent-owner-keeps-it")
@after_silence(owner_falls_silent)
def test_an_owner_that_is_silent_keeps_its_queue(scene: Scene, arranged: tuple[Receiver, Queue, Closed | None]) -> None:
    """Who comes back is refused; when the broker has noticed, he gets a queue without the message that he left."""
    owner, queue, refused = arranged

    assert refused == Closed("channel", 405)
    assert owner.ended
    becomes_gone(scene, queue)
    scene.queue(exclusive=True, same_as=queue)
    late = queue.drain()
    assert late.numbers == []


@claim("exclusive-queues.others-outlive-their-connection")
@pytest.mark.parametrize("durable", [True, False], ids=["durable", "not durable"])
def test_a_queue_that_is_not_exclusive_outlives_its_connection(scene: Scene, durable: bool) -> None:
    """Durable or not: its client connects again, and finds what it left in it."""
    client = scene.publisher("client")
    queue = scene.queue(durable=durable, by=client)
    queue.publish("no 1 is waiting")

    client.close()

    late = queue.drain()
    assert late.numbers == [1]


# Auto-delete queues.


@claim("exclusive-queues.auto-delete-with-the-last-consumer")
@pytest.mark.parametrize("ending", ["cancel", "close_channel", "close", "crash"])
def test_an_auto_delete_queue_goes_with_its_last_consumer(scene: Scene, ending: str) -> None:
    """Two receivers leave: after the first one the queue is there, after the second it is not."""
    queue = scene.queue(auto_delete=True)
    first = scene.receiver("first", queue)
    last = scene.receiver("last", queue)

    first.cancel()

    queue.publish("no 1 in between")
    scene.wait_until(lambda: last.numbers == [1], "the last one has got message 1")
    getattr(last, ending)()
    becomes_gone(scene, queue)


@claim("exclusive-queues.auto-delete-takes-all-along")
@pytest.mark.parametrize("gives_back", [True, False], ids=["given back", "held"])
def test_an_auto_delete_queue_takes_its_messages_along(scene: Scene, gives_back: bool) -> None:
    """The only receiver cannot cope with message 1 and leaves: both messages are lost, and are no dead letters."""
    end = scene.queue()
    queue = scene.queue(auto_delete=True, dead_letters_to=end)
    leaves = scene.receiver("leaves", queue, acks=False, prefetch=1)
    queue.publish("no 1 is too much", "no 2 waits behind it")
    scene.wait_for_deliveries(1)

    if gives_back:
        leaves.nack(1, requeue=True)
    leaves.close()

    becomes_gone(scene, queue)
    scene.queue(auto_delete=True, same_as=queue)
    late, dead = queue.drain(), end.drain("end")
    assert late.numbers == []
    assert dead.numbers == []


@claim("exclusive-queues.auto-delete-needs-a-consumer")
def test_an_auto_delete_queue_that_had_no_consumer_stays(scene: Scene) -> None:
    """Message 1 is taken from it by basic.get, its client connects again, and message 2 is still there."""
    client = scene.publisher("client")
    queue = scene.queue(auto_delete=True, by=client)
    queue.publish("no 1 is taken", "no 2 stays")
    queue.get()

    client.close()

    late = queue.drain()
    assert late.numbers == [2]


@claim("exclusive-queues.auto-delete-from-the-beginning")
@pytest.mark.parametrize("first", [True, False], ids=["no longer", "later"])
def test_a_queue_is_auto_delete_from_the_beginning_or_never(scene: Scene, first: bool) -> None:
    """It cannot be declared again as what it was not."""
    queue = scene.queue(auto_delete=first)

    refused = refusal(lambda: scene.queue(auto_delete=not first, same_as=queue))

    assert refused == Closed("channel", 406)


# Queues that are for longer.


@claim("exclusive-queues.replicated-are-for-longer")
@pytest.mark.parametrize("queue_type", ["quorum", "stream"])
@pytest.mark.parametrize("wanted", ["exclusive", "auto-delete", "not durable"])
def test_a_quorum_queue_or_a_stream_goes_by_itself_never(scene: Scene, queue_type: QueueType, wanted: str) -> None:
    """The broker closes the channel of who wants one that does."""
    refused = refusal(
        lambda: scene.queue(
            queue_type,
            exclusive=wanted == "exclusive",
            auto_delete=wanted == "auto-delete",
            durable=wanted != "not durable",
        )
    )

    assert refused == Closed("channel", 406)
