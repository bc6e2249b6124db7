"""Exchanges that come and go: what a restart keeps of them, when they are deleted, and what their bindings do then.

From RabbitMQ's pages on exchanges, exchange-to-exchange bindings and internal exchanges; AMQP 0-9-1 for the rest.
"""

from collections.abc import Callable
from typing import Any

import pytest

from fixtures.vocabulary import (
    Closed,
    Confirmed,
    Exchange,
    NotEstablished,
    Queue,
    Restart,
    Returned,
    Scene,
    after_restart,
    claim,
    refusal,
)

# What a restart keeps.


def durable_and_bound(scene: Scene) -> tuple[Exchange, Queue]:
    exchange, queue = scene.exchange("direct"), scene.queue()
    queue.bind(exchange, "key")
    return exchange, queue


@claim("exchanges.durable-ones-survive-with-their-bindings")
@after_restart(durable_and_bound, Restart.KILL)
def test_a_durable_exchange_survives_with_its_bindings(arranged: tuple[Exchange, Queue]) -> None:
    """After a restart it leads where it led before, and by the same key only."""
    exchange, queue = arranged

    outcomes = [
        *exchange.try_publish("no 1 by the key", key="key", mandatory=True),
        *exchange.try_publish("no 2 by another one", key="other", mandatory=True),
    ]

    assert outcomes == [Confirmed(), Returned(312)]
    assert queue.drain().numbers == [1]


def two_durable_ones(scene: Scene) -> tuple[Exchange, Queue]:
    first, second, queue = scene.exchange("topic"), scene.exchange("topic"), scene.queue()
    second.bind(first, "a.#")
    queue.bind(second, "#.z")
    return first, queue


@claim("exchanges.lead-to-exchanges-after-a-restart")
@after_restart(two_durable_ones, Restart.KILL)
def test_a_binding_between_exchanges_survives(arranged: tuple[Exchange, Queue]) -> None:
    """After a restart what matches at both of two exchanges still goes through both."""
    first, queue = arranged

    [outcome] = first.try_publish("no 1 matches", key="a.z", mandatory=True)

    assert outcome == Confirmed()
    assert queue.drain().numbers == [1]


def not_durable(scene: Scene) -> Exchange:
    exchange, queue = scene.exchange("direct", durable=False), scene.queue()
    queue.bind(exchange, "key")
    return exchange


@claim("exchanges.transient-ones-survive")
@after_restart(not_durable, Restart.KILL)
def test_an_exchange_that_is_not_durable_survives(arranged: Exchange) -> None:
    """It is there after a restart."""
    assert arranged.exists


def bound_to_what_is_not_durable(scene: Scene) -> tuple[Exchange, Exchange]:
    lasting, passing, queue = scene.exchange("direct"), scene.exchange("fanout", durable=False), scene.queue()
    passing.bind(lasting, "key")
    queue.bind(passing)
    return lasting, passing


@claim("exchanges.transient-ones-keep-their-bindings")
@after_restart(bound_to_what_is_not_durable, Restart.KILL)
def test_a_binding_to_an_exchange_that_is_not_durable_survives(arranged: tuple[Exchange, Exchange]) -> None:
    """A message goes from a durable exchange through one that is not into a durable queue; none is declared again."""
    lasting, _ = arranged

    [outcome] = lasting.try_publish("no 1 goes through", key="key", mandatory=True)

    assert outcome == Confirmed()


def bound_queue_that_is_not_durable(scene: Scene) -> tuple[Exchange, Queue]:
    exchange, queue = scene.exchange("fanout"), scene.queue(durable=False)
    queue.bind(exchange)
    exchange.publish("no 1 arrives", mandatory=True)
    return exchange, queue


@claim("exchanges.forget-queues-that-are-gone")
@after_restart(bound_queue_that_is_not_durable, Restart.KILL)
def test_a_queue_that_went_in_a_restart_is_bound_no_more(scene: Scene, arranged: tuple[Exchange, Queue]) -> None:
    """It is declared again under its name, and gets nothing from the exchange that it was bound to."""
    exchange, queue = arranged
    if not exchange.exists:
        raise NotEstablished("the exchange is gone, with everything that could be bound to it")
    scene.queue(durable=False, same_as=queue)

    [outcome] = exchange.try_publish("no 2 after the restart", mandatory=True)

    assert outcome == Returned(312)


# How an exchange goes.


def unbound(exchange: Exchange, queue: Queue) -> None:
    queue.unbind(exchange, "key")


def queue_deleted(exchange: Exchange, queue: Queue) -> None:  # noqa: ARG001
    queue.delete()


@claim("exchanges.auto-delete-goes-with-its-last-binding")
@pytest.mark.parametrize("ends", [unbound, queue_deleted], ids=["unbound", "queue-deleted"])
def test_an_auto_delete_exchange_goes_with_its_last_binding(
    scene: Scene, ends: Callable[[Exchange, Queue], None]
) -> None:
    """Of two queues that are bound to it, one is no more, and then the other."""
    exchange, first, second = scene.exchange(auto_delete=True), scene.queue(), scene.queue()
    first.bind(exchange, "key")
    second.bind(exchange, "key")

    ends(exchange, first)
    after_one = exchange.exists
    ends(exchange, second)
    after_both = exchange.exists

    assert (after_one, after_both) == (True, False)


@claim("exchanges.auto-delete-stays-before-it-is-bound")
def test_an_auto_delete_exchange_that_was_never_bound_stays(scene: Scene) -> None:
    """Nothing was ever bound to it; it is there, also for others."""
    exchange = scene.exchange(auto_delete=True)

    outcomes = exchange.try_publish("no 1 is dropped")

    assert outcomes == [Confirmed()]
    assert exchange.exists


@claim("exchanges.if-unused-spares-what-is-bound")
def test_an_exchange_that_is_bound_is_not_deleted_if_unused(scene: Scene) -> None:
    """It is refused while a queue is bound, and done when none is any more."""
    exchange, queue = scene.exchange(), scene.queue()
    queue.bind(exchange, "key")

    used = refusal(lambda: exchange.delete(if_unused=True))
    still_there = exchange.exists
    queue.unbind(exchange, "key")
    unused = refusal(lambda: exchange.delete(if_unused=True))

    assert used == Closed("channel", 406)
    assert still_there
    assert unused is None
    assert not exchange.exists


@claim("exchanges.deleting-takes-the-bindings-along")
@pytest.mark.parametrize("deleted", ["queue", "exchange"])
def test_bindings_go_with_their_queue_or_exchange(scene: Scene, deleted: str) -> None:
    """It is deleted and declared again under its name, and the message finds no way any more."""
    exchange, queue = scene.exchange("fanout"), scene.queue()
    queue.bind(exchange)
    exchange.publish("no 1 arrives")
    queue.wait_for(1)

    if deleted == "queue":
        queue.delete()
        scene.queue(same_as=queue)
    else:
        exchange.delete()
        scene.exchange("fanout", same_as=exchange)

    assert exchange.try_publish("no 2 finds no way", mandatory=True) == [Returned(312)]


@claim("exchanges.deleting-what-is-not-there-is-no-error")
def test_deleting_what_is_not_there_is_no_error(scene: Scene) -> None:
    """An exchange and a queue, of which none was ever declared."""
    exchange = refusal(lambda: scene.undeclared_exchange().delete())
    queue = refusal(lambda: scene.undeclared_queue().delete())

    assert (exchange, queue) == (None, None)


@claim("exchanges.a-binding-is-there-once")
def test_the_same_binding_made_twice_is_one(scene: Scene) -> None:
    """It is made twice and removed once, and the message finds no way any more."""
    exchange, queue = scene.exchange(), scene.queue()
    queue.bind(exchange, "key")
    queue.bind(exchange, "key")

    queue.unbind(exchange, "key")

    assert exchange.try_publish("no 1 finds no way", key="key", mandatory=True) == [Returned(312)]


# What is refused.


@claim("exchanges.internal-ones-take-from-exchanges-only")
def test_an_internal_exchange_takes_from_exchanges_only(scene: Scene) -> None:
    """It is published to directly, and by way of an exchange that it is bound to."""
    internal, open_to_all, queue = scene.exchange("fanout", internal=True), scene.exchange("fanout"), scene.queue()
    internal.bind(open_to_all)
    queue.bind(internal)

    directly = internal.try_publish("no 1 is refused", mandatory=True)
    open_to_all.publish("no 2 arrives")

    assert directly == [Closed("channel", 403)]
    assert queue.drain().numbers == [2]


@claim("exchanges.redeclaring-otherwise-is-refused")
@pytest.mark.parametrize("other", ["type", "durable", "auto_delete", "internal", "arguments"])
def test_declaring_an_exchange_again_in_another_way_is_refused(scene: Scene, other: str) -> None:
    """The second declaration closes the channel; a third one like the first is no error."""
    exchange = scene.exchange("direct")
    differently: dict[str, dict[str, Any]] = {
        "type": {"exchange_type": "fanout"},
        "durable": {"durable": False},
        "auto_delete": {"auto_delete": True},
        "internal": {"internal": True},
        "arguments": {"arguments": {"alternate-exchange": "claims-no-such-exchange"}},
    }

    refused = refusal(lambda: scene.exchange(same_as=exchange, **differently[other]))
    same = refusal(lambda: scene.exchange("direct", same_as=exchange))

    assert refused == Closed("channel", 406)
    assert same is None
