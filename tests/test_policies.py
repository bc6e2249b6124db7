"""Policies: what an administrator says of queues and exchanges, and what it does to their messages.

From RabbitMQ's page on policies. What is planned in an arrangement is done by rabbitmqctl's own functions, for all
tests at once. Where a queue is declared after that, the policy is in force from its beginning.
"""

from typing import Any

import pytest

from fixtures.vocabulary import (
    Exchange,
    Policy,
    Queue,
    QueueType,
    Receiver,
    Scene,
    after_policies,
    claim,
    numbered,
    queue_types,
)

# Whose word counts.


def a_length_limit(scene: Scene, queue_type: QueueType, limits: tuple[int, int]) -> Queue:
    queue = scene.undeclared_queue(queue_type)
    scene.operator.plan_policy(queue, {"max-length": limits[1]})
    return queue


@claim("policies.lower-limit-counts")
@pytest.mark.parametrize("limits", [(2, 4), (4, 2)], ids=["the-declaration's", "the-policy's"])
@queue_types
@after_policies(a_length_limit)
def test_the_lower_limit_counts(scene: Scene, arranged: Queue, limits: tuple[int, int]) -> None:
    """Of two and four, two: the last two of six messages are left."""
    queue = scene.queue(arranged.type, same_as=arranged, max_length=limits[0])

    queue.publish(*numbered(6))

    assert queue.drain().numbers == [5, 6]


def limits_of_both(scene: Scene, queue_type: QueueType, limits: tuple[int, int]) -> Queue:
    queue = scene.undeclared_queue(queue_type)
    scene.operator.plan_policy(queue, {"max-length": limits[0]})
    scene.operator.plan_policy(queue, {"max-length": limits[1]}, by_operator=True)
    return queue


@claim("policies.operator-policies-cap")
@pytest.mark.parametrize("limits", [(2, 4), (4, 2)], ids=["the-policy's", "the-operator's"])
@queue_types
@after_policies(limits_of_both)
def test_an_operator_policy_caps(scene: Scene, arranged: Queue) -> None:
    """The declaration says five; of the two policies one says two and one four. Two messages are left."""
    queue = scene.queue(arranged.type, same_as=arranged, max_length=5)

    queue.publish(*numbered(6))

    assert queue.drain().numbers == [5, 6]


def two_ends(scene: Scene, queue_type: QueueType) -> tuple[Queue, Queue, Queue]:
    by_policy, by_declaration = scene.queue(queue_type), scene.queue(queue_type)
    queue = scene.undeclared_queue(queue_type)
    dead_letters = {"dead-letter-exchange": "", "dead-letter-routing-key": by_policy.name}
    scene.operator.plan_policy(queue, dead_letters | {"max-length": 1})
    return queue, by_policy, by_declaration


@claim("policies.dead-letters-by-policy")
@queue_types
@after_policies(two_ends)
def test_a_policy_says_where_dead_letters_go(scene: Scene, arranged: tuple[Queue, Queue, Queue]) -> None:
    """The queue is declared without anything; what it drops arrives where its policy says."""
    undeclared, by_policy, _ = arranged
    queue = scene.queue(undeclared.type, same_as=undeclared)

    queue.publish("no 1 dies", "no 2 is one too many")

    buries = scene.receiver("buries", by_policy)
    scene.wait_for_deliveries(1)
    assert buries.numbers == [1]


@claim("policies.declared-dead-letter-exchange-counts")
@queue_types
@after_policies(two_ends)
def test_the_declared_dead_letter_exchange_counts(scene: Scene, arranged: tuple[Queue, Queue, Queue]) -> None:
    """The queue's declaration names another end than its policy; what it drops arrives there."""
    undeclared, by_policy, by_declaration = arranged
    queue = scene.queue(undeclared.type, same_as=undeclared, dead_letters_to=by_declaration)
    one, other = scene.receiver("the policy's", by_policy), scene.receiver("the declaration's", by_declaration)

    queue.publish("no 1 dies", "no 2 is one too many")

    scene.wait_for_deliveries(1)
    assert (one.numbers, other.numbers) == ([], [1])


# Which policy applies.


def two_policies(scene: Scene, queue_type: QueueType) -> tuple[Queue, Queue]:
    end, queue = scene.queue(queue_type), scene.undeclared_queue(queue_type)
    dead_letters = {"dead-letter-exchange": "", "dead-letter-routing-key": end.name}
    scene.operator.plan_policy(queue, dead_letters | {"max-length": 1}, priority=1001)
    scene.operator.plan_policy(queue, {"max-length": 2}, priority=1002)
    return queue, end


@claim("policies.highest-priority-alone")
@queue_types
@after_policies(two_policies)
def test_the_highest_priority_alone_applies(scene: Scene, arranged: tuple[Queue, Queue]) -> None:
    """The other one's lower limit is not observed, and its dead letter exchange gets nothing."""
    undeclared, end = arranged
    queue = scene.queue(undeclared.type, same_as=undeclared)

    queue.publish(*numbered(5))

    assert queue.drain().numbers == [4, 5]
    assert end.drain().numbers == []


def part_of_a_name(scene: Scene) -> Queue:
    queue = scene.undeclared_queue()
    all_but_the_first_letter = queue.name[1:].replace("-", "[-]")
    scene.operator.plan_policy(queue, {"max-length": 1}, pattern=all_but_the_first_letter)
    return queue


@claim("policies.patterns-are-found-anywhere")
@after_policies(part_of_a_name)
def test_a_pattern_is_found_anywhere(scene: Scene, arranged: Queue) -> None:
    """The pattern is an expression for a part of the queue's name: the policy applies."""
    queue = scene.queue(same_as=arranged)

    queue.publish(*numbered(2))

    assert queue.drain().numbers == [2]


def a_policy_for_exchanges(scene: Scene, queue_type: QueueType) -> Queue:
    queue = scene.undeclared_queue(queue_type)
    scene.operator.plan_policy(queue, {"max-length": 1}, apply_to="exchanges")
    return queue


@claim("policies.apply-to-their-kind")
@queue_types
@after_policies(a_policy_for_exchanges)
def test_a_policy_applies_to_its_kind(scene: Scene, arranged: Queue) -> None:
    """A limit that is set for exchanges limits no queue, though the pattern matches its name."""
    queue = scene.queue(arranged.type, same_as=arranged)

    queue.publish(*numbered(2))

    assert queue.drain().numbers == [1, 2]


def an_alternate_exchange(scene: Scene) -> tuple[Exchange, Queue]:
    exchange, alternate, queue = scene.exchange(), scene.exchange("fanout"), scene.queue()
    queue.bind(alternate)
    scene.operator.plan_policy(exchange, {"alternate-exchange": alternate.name}, apply_to="exchanges")
    return exchange, queue


@claim("policies.alternate-exchange")
@after_policies(an_alternate_exchange)
def test_a_policy_gives_an_alternate_exchange(scene: Scene, arranged: tuple[Exchange, Queue]) -> None:
    """The exchange was there before the policy; what matches no binding of it arrives at the other one's queue."""
    exchange, queue = arranged
    gets = scene.receiver("gets", queue)

    exchange.publish("no 1 matches nothing", key="nowhere", confirm=False)

    scene.wait_for_deliveries(1)
    assert gets.numbers == [1]


# Queues that are there already.


def five_waiting(scene: Scene, queue_type: QueueType) -> tuple[Queue, Queue]:
    end = scene.queue(queue_type)
    queue = scene.queue(queue_type, dead_letters_to=end)
    queue.publish(*numbered(5))
    scene.operator.plan_policy(queue, {"max-length": 1})
    return queue, end


@claim("policies.length-limit-drops-at-once")
@queue_types
@after_policies(five_waiting)
def test_a_length_limit_drops_at_once(arranged: tuple[Queue, Queue]) -> None:
    """Of five messages that wait four are dropped, though nothing new comes; the last is left."""
    queue, end = arranged

    end.wait_for(4)

    assert queue.drain().numbers == [5]


@claim("policies.dropped-oldest-first")
@queue_types
@after_policies(five_waiting)
def test_what_is_dropped_dies_oldest_first(scene: Scene, arranged: tuple[Queue, Queue]) -> None:
    """Four messages are dropped together, and arrive at the dead letter exchange in their order."""
    _, end = arranged
    end.wait_for(4)

    buries = scene.receiver("buries", end)

    scene.wait_for_deliveries(4)
    assert buries.numbers == [1, 2, 3, 4]


def a_limit_that_is_lowered(scene: Scene, queue_type: QueueType) -> Any:
    queue = scene.queue(queue_type)
    policy = scene.operator.plan_policy(queue, {"max-length": 5})
    yield
    queue.publish(*numbered(5))
    scene.operator.plan_change(policy, {"max-length": 1})
    yield
    return queue


@claim("policies.changes-are-for-all")
@queue_types
@after_policies(a_limit_that_is_lowered)
def test_a_change_is_for_queues_that_are_there(scene: Scene, arranged: Queue) -> None:
    """The limit was five and is one: of five messages the last is left."""
    scene.wait_until(lambda: arranged.ready == 1, "one message is left")

    assert arranged.drain().numbers == [5]


def a_limit_that_is_removed(scene: Scene, queue_type: QueueType) -> Any:
    queue = scene.queue(queue_type)
    policy = scene.operator.plan_policy(queue, {"max-length": 1})
    yield
    scene.operator.plan_removal(policy)
    yield
    return queue


@claim("policies.removed-is-forgotten")
@queue_types
@after_policies(a_limit_that_is_removed)
def test_a_policy_that_is_removed_is_forgotten(scene: Scene, arranged: Queue) -> None:
    """A limit of one was set and removed; soon two messages are in the queue."""

    def one_more() -> bool:
        arranged.publish("one more")
        return arranged.ready > 1

    scene.wait_until(one_more, "more than one message is ready")


# Deliveries.


def gives_back(scene: Scene, queue: Queue, times: int) -> Receiver:
    """A receiver that gets message 1 so many times and gives it back each time."""
    receiver = scene.receiver("gives back", queue, acks=False, prefetch=1)
    queue.publish("no 1 poison")
    for n in range(1, times + 1):
        scene.wait_until(lambda n=n: len(receiver.numbers) == n, f"message 1 has come {n} times")  # type: ignore[misc]
        receiver.reject(1, requeue=True)
    return receiver


def a_delivery_limit(scene: Scene, limits: tuple[int, int]) -> Queue:
    queue = scene.undeclared_queue("quorum")
    scene.operator.plan_policy(queue, {"delivery-limit": limits[1]})
    return queue


@claim("policies.lower-delivery-limit-counts")
@pytest.mark.parametrize("limits", [(1, 3), (3, 1)], ids=["the-declaration's", "the-policy's"])
@after_policies(a_delivery_limit)
def test_the_lower_delivery_limit_counts(scene: Scene, arranged: Queue, limits: tuple[int, int]) -> None:
    """Of one and three, one: the message is delivered twice."""
    queue = scene.queue("quorum", same_as=arranged, delivery_limit=limits[0])

    receiver = gives_back(scene, queue, times=2)

    queue.publish("no 2 wholesome")
    scene.wait_for_deliveries(3)
    assert receiver.numbers == [1, 1, 2]


def no_delivery_limit(scene: Scene) -> tuple[Queue, Policy]:
    queue = scene.undeclared_queue("quorum")
    return queue, scene.operator.plan_policy(queue, {"delivery-limit": -1}, may_be_refused=True)


@claim("policies.no-delivery-limit")
@after_policies(no_delivery_limit)
def test_a_policy_takes_the_delivery_limit_away(scene: Scene, arranged: tuple[Queue, Policy]) -> None:
    """With a limit of -1 a message comes a 22nd time, and so on; by default it would have come 21 times."""
    undeclared, policy = arranged
    assert policy.refused == ""
    queue = scene.queue("quorum", same_as=undeclared)

    receiver = gives_back(scene, queue, times=22)

    scene.wait_for_deliveries(23)
    assert receiver.numbers == [1] * 23


# What is refused.


def what_is_fixed(scene: Scene, definition: dict[str, Any]) -> Policy:
    queue = scene.undeclared_queue()
    return scene.operator.plan_policy(queue, definition, may_be_refused=True)


@claim("policies.not-for-what-is-fixed")
@pytest.mark.parametrize(
    "definition",
    [{"single-active-consumer": True}, {"max-priority": 5}, {"queue-type": "quorum"}],
    ids=lambda definition: next(iter(definition)),
)
@after_policies(what_is_fixed)
def test_a_policy_cannot_say_what_is_fixed(arranged: Policy) -> None:
    """It is refused."""
    assert arranged.refused


def mirrored(scene: Scene) -> Policy:
    queue = scene.undeclared_queue()
    return scene.operator.plan_policy(queue, {"ha-mode": "all"}, may_be_refused=True)


@claim("policies.mirrors-are-refused")
@after_policies(mirrored)
def test_a_policy_of_mirrors_is_refused(arranged: Policy) -> None:
    """It is refused."""
    assert arranged.refused
