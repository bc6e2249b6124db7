"""What a test holds in its hands does what it says on the wire, tells what became of it, and leaves nothing."""

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from packaging.version import Version
from pika import spec

from fixtures.brokers import Broker
from fixtures.housekeeping.deadlines import Deadline
from fixtures.housekeeping.waiting import NotEstablished, wait_until
from fixtures.ledger.declaring import Refused
from fixtures.ledger.receiving import Drains
from fixtures.sabotage import SABOTAGES
from fixtures.sabotage.broker import SabotagedBroker
from fixtures.sabotage.proxy import Proxies
from fixtures.scene.outcomes import Confirmed, Nacked, Returned, Sent, refusal
from fixtures.scene.queue import Queue, QueueType
from fixtures.scene.receiver import numbered
from fixtures.scene.scene import Scene
from fixtures.scene.verdicts import Refuted
from fixtures.wire.connection import Closed, Connection, RefusedError


@pytest.fixture
def scene(broker: Broker) -> Iterator[Scene]:
    """A scene that belongs to no claim."""
    scene = Scene(broker)
    yield scene
    scene.close()


# A drain changes nothing that it looks at.


@pytest.mark.parametrize(
    "arguments",
    [
        {"max_length": 2},
        {"max_length": 2, "overflow": "reject-publish"},
        {"max_priority": 5},
        {"single_active": True},
        {"delivery_limit": 1, "queue_type": "quorum"},
        {"queue_type": "quorum"},
    ],
    ids=lambda arguments: ", ".join(f"{name} {value}" for name, value in arguments.items()),
)
def test_drain_takes_what_is_there_and_adds_nothing(scene: Scene, arguments: dict[str, Any]) -> None:
    """A full queue loses no message to it, and rejects nothing."""
    queue = scene.queue(**arguments)
    queue.publish(*numbered(2))

    late = queue.drain()

    assert late.numbers == [1, 2]
    assert queue.ready == 0
    assert [event.how for event in scene.ledger.events if isinstance(event, Drains)] == ["get"]


def test_drain_of_a_queue_whose_messages_expire_at_once(scene: Scene) -> None:
    """Nothing is there, and that is what it finds."""
    queue = scene.queue(message_ttl=0)
    queue.publish("no 1 expires")
    queue.becomes_empty()

    assert queue.drain().numbers == []


def test_drain_waits_for_those_who_still_consume(scene: Scene) -> None:
    """A receiver that has just died could take messages along: it is over only when the broker has noticed."""
    queue = scene.queue()
    receiver = scene.receiver("dies", queue, acks=False)
    queue.publish(*numbered(3))
    scene.wait_for_deliveries(3)

    receiver.crash()

    queue.wait_for(3)
    assert queue.drain().redelivered == [1, 2, 3]


def test_drain_soon_after_a_restart_of_an_old_broker_has_a_marker(scene: Scene) -> None:
    """Where "empty" cannot be trusted; the marker is in the ledger as what it is, and in nobody's messages."""
    queue = scene.queue()
    queue.publish(*numbered(2))
    scene.was_restarted("clean", "as if")

    late = queue.drain()

    expected = "marker" if scene.broker.version < Version("4.0") else "get"
    assert late.numbers == [1, 2]
    assert [event.how for event in scene.ledger.events if isinstance(event, Drains)] == [expected]


def test_stream_is_read_from_its_first_message_to_its_last(scene: Scene) -> None:
    """Again and again: reading takes nothing away."""
    refused = refusal(lambda: scene.queue("stream"))
    if refused:
        assert scene.broker.version < Version("3.9"), refused
        return
    queue = scene.queue("stream")
    queue.publish(*numbered(3))
    # RabbitMQ counts a stream's messages a moment after it has confirmed them.
    queue.wait_for(3)

    assert queue.drain("first").numbers == [1, 2, 3]
    assert queue.drain("second").numbers == [1, 2, 3]
    assert [event.how for event in scene.ledger.events if isinstance(event, Drains)] == ["stream", "stream"]


def test_drain_of_a_queue_that_is_gone_refutes(scene: Scene) -> None:
    """What was promised to be in it is not."""
    with pytest.raises(Refuted, match="the queue cannot be drained: 404 NOT_FOUND"):
        scene.undeclared_queue().drain()


# Outcomes and refusals.


def test_outcome_of_each_message_is_known(scene: Scene) -> None:
    """Confirmed, returned, refused; without confirms nobody knows."""
    queue, nowhere = scene.queue(), scene.undeclared_queue()

    assert queue.try_publish("kept") == [Confirmed()]
    assert queue.try_publish("kept", confirm=False) == [Sent()]
    assert nowhere.try_publish("back", mandatory=True) == [Returned(312)]
    assert scene.undeclared_exchange().try_publish("refused") == [Closed("channel", 404)]
    assert queue.try_publish("kept") == [Confirmed()]


def test_rejected_message_is_nacked(scene: Scene) -> None:
    """By a queue that is full."""
    queue = scene.queue(max_length=1, overflow="reject-publish")

    outcomes = queue.try_publish(*numbered(4))

    assert outcomes[0] == Confirmed()
    assert outcomes[-1] == Nacked()


def test_publish_insists_on_a_confirm(scene: Scene) -> None:
    """Whatever a claim needs to be there is there, or the test goes no further."""
    full = scene.queue(max_length=1, overflow="reject-publish")
    with pytest.raises(Refuted, match="was nacked"):
        full.publish(*numbered(4))
    with pytest.raises(RefusedError, match="404 on the channel"):
        scene.undeclared_exchange().publish("astray")


def test_refusal_is_a_value_and_in_the_ledger(scene: Scene) -> None:
    """Level, code and text; what was tried stands before it."""
    queue = scene.queue()

    refused = refusal(lambda: scene.queue(durable=False, auto_delete=True, same_as=queue))

    assert refused == Closed("channel", 406)
    assert "inequivalent arg" in refused.text
    attempt, result = scene.ledger.events[-2:]
    assert attempt.what == "declares"
    assert isinstance(result, Refused)
    assert (result.level, result.code) == ("channel", 406)
    assert refusal(lambda: scene.queue(same_as=queue)) is None


def test_connection_error_takes_no_other_scenes_connection(scene: Scene) -> None:
    """One scene is refused on the connection; another goes on with its own, and what is tied to it."""
    other = Scene(scene.broker)
    tied = other.queue(durable=False, exclusive=True)
    tied.publish("no 1 is there")

    [outcome] = scene.queue().try_publish("now", immediate=True)

    assert outcome == Closed("connection", 540)
    assert tied.drain().numbers == [1]
    assert scene.queue().try_publish("again") == [Confirmed()]
    other.close()


def test_confirm_that_never_comes_is_known_after_the_deadline(broker: Broker) -> None:
    """It refutes what publishes, and the connection goes to no other scene."""
    with Proxies() as proxies:
        broken = SabotagedBroker(broker, SABOTAGES["third-never-confirmed"](), proxies)
        scene = Scene(broken)
        queue = scene.queue()

        outcomes = queue.try_publish(*numbered(3), in_flight=True)

        assert [str(outcome).partition(" ")[0] for outcome in outcomes] == ["confirmed", "confirmed", "unanswered"]
        assert not scene.sender.client.healthy
        scene.close()
        broken.close()


# What receivers and publishers can do.


def unacknowledged(scene: Scene, queue: Queue) -> list[int]:
    """What comes back to a queue when those who hold it are gone."""
    for receiver in scene.receivers:
        receiver.close()
    scene.wait_until(lambda: queue.consumers == 0, "nobody consumes any more")
    return queue.drain().numbers


@pytest.mark.parametrize(
    ("settle", "left"),
    [
        (lambda receiver: receiver.ack(2), [1, 3]),
        (lambda receiver: receiver.ack(2, multiple=True), [3]),
        (lambda receiver: receiver.reject(2, requeue=False), [1, 3]),
        (lambda receiver: receiver.nack(2, requeue=False, multiple=True), [3]),
    ],
    ids=["ack", "ack multiple", "reject", "nack multiple"],
)
def test_settled_messages_do_not_come_back(scene: Scene, settle: Callable[[Any], None], left: list[int]) -> None:
    """Whichever way they are settled."""
    queue = scene.queue()
    receiver = scene.receiver("receiver", queue, acks=False)
    queue.publish(*numbered(3))
    scene.wait_for_deliveries(3)

    settle(receiver)

    assert receiver.settle() is None
    assert unacknowledged(scene, queue) == left


def test_recovered_and_requeued_messages_come_again(scene: Scene) -> None:
    """To the same receiver, marked redelivered."""
    queue = scene.queue()
    receiver = scene.receiver("receiver", queue, acks=False)
    queue.publish(*numbered(2))
    scene.wait_for_deliveries(2)

    receiver.recover()
    scene.wait_for_deliveries(4)
    receiver.nack(1, requeue=True)
    scene.wait_for_deliveries(5)

    assert receiver.numbers == [1, 2, 1, 2, 1]
    assert receiver.redelivered == [1, 2, 1]


def test_receivers_share_a_connection_or_a_channel(scene: Scene) -> None:
    """Each gets its own messages; what closes the channel ends those who share it."""
    first, second, third = (scene.queue() for _ in range(3))
    one = scene.receiver("one", first, acks=False)
    same_channel = scene.receiver("same channel", second, acks=False, beside=one, same_channel=True)
    same_connection = scene.receiver("same connection", third, acks=False, beside=one)
    for number, queue in enumerate((first, second, third), start=1):
        queue.publish(*numbered(1, start=number))
    scene.wait_for_deliveries(3)

    one.ack(1)
    one.ack(1)

    assert one.settle() == Closed("channel", 406)
    assert same_channel.closed == Closed("channel", 406)
    assert same_connection.settle() is None
    assert [receiver.numbers for receiver in scene.receivers] == [[1], [2], [3]]


def test_cancelled_receiver_consumes_again_when_it_is_told_to(scene: Scene) -> None:
    """Its channel stays open meanwhile."""
    queue = scene.queue()
    receiver = scene.receiver("receiver", queue)

    receiver.cancel()
    queue.publish("no 1 waits")
    assert queue.ready == 1
    receiver.consume()

    scene.wait_for_deliveries(1)
    assert receiver.numbers == [1]


def test_receiver_is_told_that_its_queue_is_gone(scene: Scene) -> None:
    """By basic.cancel; its channel stays open."""
    queue = scene.queue()
    receiver = scene.receiver("receiver", queue)

    queue.delete()

    scene.wait_until(lambda: receiver.cancelled, "the broker has cancelled it")
    assert receiver.closed is None


def test_receiver_that_gets_messages_one_by_one(scene: Scene) -> None:
    """basic.get, with a message that is to be acknowledged, and one that is not there."""
    queue = scene.queue()
    receiver = scene.receiver("receiver", queue, consumes=False)
    queue.publish("no 1 is there")

    got = receiver.get()

    assert got is not None
    assert got.number == 1
    assert receiver.get() is None
    receiver.ack(1)
    assert receiver.settle() is None


def test_exclusive_receiver_keeps_others_away(scene: Scene) -> None:
    """They are refused on their channel."""
    queue = scene.queue()
    scene.receiver("alone", queue, exclusive=True)

    assert refusal(lambda: scene.receiver("second", queue)) == Closed("channel", 403)


def test_transaction_counts_when_it_is_committed(scene: Scene) -> None:
    """And not at all when it is rolled back."""
    queue = scene.queue()
    publisher = scene.publisher("careful")
    publisher.begin()

    publisher.publish(queue, "no 1 is rolled back", confirm=False)
    publisher.roll_back()
    publisher.publish(queue, "no 2 is committed", confirm=False)
    publisher.commit()

    assert queue.drain().numbers == [2]


def test_properties_and_headers_arrive(scene: Scene) -> None:
    """As they were sent."""
    queue = scene.queue()
    queue.publish("message", headers={"a": 1, "b": ["x"]}, priority=3, correlation_id="c", expiration=60_000)

    [delivery] = queue.drain().deliveries

    assert delivery.headers == {"a": 1, "b": ["x"]}
    properties = delivery.properties
    assert (properties.priority, properties.correlation_id, properties.expiration) == (3, "c", "60000")
    assert properties.delivery_mode == 2


def test_dead_letters_say_why(scene: Scene) -> None:
    """The reason, the queue and how often."""
    graves = scene.queue()
    queue = scene.queue(dead_letters_to=graves)
    picky = scene.receiver("picky", queue, acks=False)
    queue.publish("no 1 is rejected")
    scene.wait_for_deliveries(1)

    picky.reject(1, requeue=False)

    graves.wait_for(1)
    [dead] = graves.drain().deliveries
    [death] = dead.deaths
    assert (death.reason, death.queue, death.count) == ("rejected", queue.name, 1)


def test_blocked_publisher_knows_why_and_since_when(scene: Scene) -> None:
    """The broker runs out of memory, or believes so; what was sent meanwhile is confirmed when that is over."""
    if scene.broker.out_of_reach:
        pytest.skip(scene.broker.out_of_reach)
    queue = scene.queue()
    queue.publish("no 1 in time")
    try:
        scene.operator.run("set_vm_memory_high_watermark", "0.00001")
        message = scene.sender.send(queue, "no 2 has to wait")
        scene.wait_until(lambda: scene.sender.blocked, "it is blocked")
        assert message.outcome == Sent()
    finally:
        scene.operator.run("set_vm_memory_high_watermark", "0.4")

    assert scene.sender.wait_for(message) == [Confirmed()]
    scene.wait_until(lambda: not scene.sender.blocked, "it is not blocked any more")
    told = [event.what for event in scene.ledger.events if event.what in ("is blocked", "is unblocked")]
    assert told == ["is blocked", "is unblocked"]


def test_raw_method_is_sent_as_it_is(scene: Scene) -> None:
    """One that no client library sends: AMQP's own access.request, which RabbitMQ answers or refuses."""
    receiver = scene.receiver("receiver", scene.queue())

    assert isinstance(receiver.raw(spec.Basic.Qos(prefetch_count=7), spec.Basic.QosOk), spec.Basic.QosOk)
    receiver.raw(spec.Basic.Ack(99))
    assert receiver.settle() == Closed("channel", 406)


def test_what_an_operator_sets_is_there(scene: Scene, broker: Broker) -> None:
    """A policy, a virtual host and a user do what they are for."""
    if broker.out_of_reach:
        pytest.skip(broker.out_of_reach)
    queue = scene.queue()
    queue.publish(*numbered(3))
    scene.operator.policy(queue, {"max-length": 1})
    host, user = scene.operator.virtual_host(), scene.operator.user("secret")

    scene.wait_until(lambda: queue.ready == 1, "the policy limits the queue")
    there = urlsplit(broker.url)
    for url in (
        there._replace(path=f"/{host}"),
        there._replace(netloc=f"{user}:secret@{there.hostname}:{there.port}"),
    ):
        Connection(url.geturl(), "looks whether it can").close()


def test_operators_command_that_fails_is_a_value(scene: Scene) -> None:
    """Its exit code and its words; what must succeed says so instead."""
    if scene.broker.out_of_reach:
        pytest.skip(scene.broker.out_of_reach)

    ran = scene.operator.run("no_such_command")

    assert ran.code == 64
    assert "no_such_command" in ran.output
    with pytest.raises(NotEstablished, match="rabbitmqctl set_policy ended with"):
        scene.operator.policy(scene.queue(), {"no-such-key": 1})


# Whoever waits no longer.


def test_publisher_that_gives_up_leaves_what_it_has_sent(scene: Scene) -> None:
    """Its connection is closed behind the message; the next one has a connection again."""
    queue, impatient = scene.queue(), scene.publisher("impatient")
    impatient.send(queue, "no 1 given up")

    impatient.give_up()

    queue.wait_for(1)
    impatient.publish(queue, "no 2 later")
    assert queue.drain().numbers == [1, 2]


def test_what_does_not_come_true_is_a_value(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """For arrangements, which refute nothing."""
    monkeypatch.setattr(scene.broker, "delivers_within", Deadline(0.1))

    assert scene.comes_true(lambda: True, "it is so")
    assert not scene.comes_true(lambda: False, "it is not so")


# Visitors, who may be refused altogether.


def test_visitor_goes_on_after_a_refusal(scene: Scene) -> None:
    """Its channel is closed, the next thing is asked on another one; what is refused is in the ledger."""
    visitor, queue = scene.visitor("visitor"), scene.queue()

    refused = refusal(lambda: visitor.ask(spec.Basic.Get(queue=f"{queue}-other"), spec.Basic.GetEmpty))
    found = visitor.ask(spec.Basic.Get(queue=queue.name), spec.Basic.GetOk, spec.Basic.GetEmpty)

    assert (refused, visitor.closed) == (Closed("channel", 404), None)
    assert isinstance(found, spec.Basic.GetEmpty)
    assert [event.code for event in scene.ledger.events if isinstance(event, Refused)] == [404]


def test_visitor_that_is_refused_has_no_connection(scene: Scene) -> None:
    """How it was refused is a value; what it cannot do then is not established."""
    visitor = scene.visitor("visitor", vhost="claims no such/host")

    assert visitor.closed == Closed("connection", 530)
    with pytest.raises(NotEstablished, match="visitor has no connection: 530"):
        visitor.publish(scene.queue(), "Hello")


def test_visitor_whom_nobody_refuses_needs_a_broker(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that nobody listens on refutes nothing."""
    monkeypatch.setattr(scene.broker, "url", "amqp://guest:guest@127.0.0.1:1/")

    with pytest.raises(NotEstablished, match="no connection for visitor: ConnectionRefused"):
        scene.visitor("visitor")


# The end.


@pytest.mark.parametrize("queue_type", ["classic", "quorum"])
def test_scene_deletes_exactly_what_it_declared(broker: Broker, queue_type: QueueType) -> None:
    """Queues and exchanges, also behind one that the broker does not let it delete; nothing of anybody else's."""
    witness = Scene(broker)
    kept = witness.queue()
    scene = Scene(broker)
    owner = scene.publisher("owner")
    exclusive = scene.queue(durable=False, exclusive=True, by=owner)
    locked = witness.somebodys_queue(exclusive.name)
    queue, exchange = scene.queue(queue_type), scene.exchange("fanout")
    queue.bind(exchange)

    scene.close()

    declared = witness.somebodys_queue(queue.name)
    wait_until(lambda: not declared.exists, "its queue is deleted", within=10)
    wait_until(lambda: not locked.exists, "its exclusive queue is gone", within=10)
    gone = witness.predeclared_exchange(exchange.name)
    wait_until(lambda: not gone.exists, "its exchange is deleted", within=10)
    assert kept.exists
    witness.close()


def test_what_cannot_be_deleted_keeps_nothing_else(broker: Broker) -> None:
    """The first of three things to be deleted is somebody else's exclusive queue."""
    witness = Scene(broker)
    theirs = witness.queue(durable=False, exclusive=True)
    first, second = witness.queue(), witness.queue()

    def others_are_gone() -> bool:
        broker.clients.delete(spec.Queue.Delete(queue=second.name))
        return not (first.exists or second.exists)

    for queue in (theirs, first):
        broker.clients.delete(spec.Queue.Delete(queue=queue.name))

    witness.wait_until(others_are_gone, "the others are deleted")
    assert theirs.exists
    witness.close()


def test_nobody_consumes_from_names_that_are_used_again(scene: Scene, broker: Broker) -> None:
    """Such a scene's receivers have gone when it ends, and not some time after it."""
    queue = scene.queue()
    visiting = Scene(broker)
    visiting.names_are_used_again = True
    for n in range(5):
        visiting.receiver(f"receiver {n}", visiting.somebodys_queue(queue.name))
    assert queue.consumers == 5

    visiting.close()

    assert queue.consumers == 0
