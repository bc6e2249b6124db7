"""Messages that expire: by their queue's TTL, by their own expiration, and when nobody looks.

From RabbitMQ's page on time-to-live. No test measures a time: each waits until a message of the same age has expired in
another queue.
"""

import pytest

from fixtures.vocabulary import Closed, Queue, QueueType, Scene, after_policies, claim, queue_types, refusal

#: A TTL that is over soon, and one that no test lives to see, in milliseconds.
SOON, LATER = 100, 60_000


def let_pass(scene: Scene, milliseconds: int) -> None:
    """Wait until a message that is published now has expired."""
    clock = scene.queue(message_ttl=milliseconds)
    clock.publish("tick")
    clock.becomes_empty()


@claim("message-ttl.expired-is-not-delivered")
@queue_types
def test_an_expired_message_is_not_delivered(scene: Scene, queue_type: QueueType) -> None:
    """It disappears from its queue, and a receiver that comes then gets only what comes after it."""
    queue = scene.queue(queue_type, message_ttl=SOON)
    queue.publish("no 1 expires")

    queue.becomes_empty()

    late = scene.receiver("late", queue)
    queue.publish("no 2 in time")
    scene.wait_for_deliveries(1)
    assert late.numbers == [2]


@claim("message-ttl.the-lower-one-counts")
@queue_types
@pytest.mark.parametrize(
    ("of_queue", "of_message"), [(SOON, LATER), (LATER, SOON)], ids=["queue-lower", "message-lower"]
)
def test_the_lower_of_two_times_counts(scene: Scene, queue_type: QueueType, of_queue: int, of_message: int) -> None:
    """The message is gone when the lower one is over."""
    queue = scene.queue(queue_type, message_ttl=of_queue)

    queue.publish("no 1 expires", expiration=of_message)

    queue.becomes_empty()
    late = queue.drain()
    assert late.numbers == []


@claim("message-ttl.expired-behind-the-head-is-counted")
@queue_types
def test_a_message_that_expires_behind_another_is_counted(scene: Scene, queue_type: QueueType) -> None:
    """Two messages are ready, and one of them is never delivered."""
    queue = scene.queue(queue_type)
    queue.publish("no 1 lives longer", expiration=LATER)
    queue.publish("no 2 expires", expiration=SOON)
    queue.wait_for(2)

    let_pass(scene, SOON)

    assert queue.ready == 2
    late = scene.receiver("late", queue)
    queue.publish("no 3 in time")
    scene.wait_for_deliveries(2)
    assert late.numbers == [1, 3]


@claim("message-ttl.zero-needs-a-ready-receiver")
@queue_types
def test_a_ttl_of_zero_needs_a_receiver_that_is_ready(scene: Scene, queue_type: QueueType) -> None:
    """Message 1 comes when nobody is ready, message 2 when somebody is."""
    queue = scene.queue(queue_type, message_ttl=0)
    queue.publish("no 1 too early")
    queue.becomes_empty()

    ready = scene.receiver("ready", queue)
    queue.publish("no 2 in time")

    scene.wait_for_deliveries(1)
    assert ready.numbers == [2]


@claim("message-ttl.expiration-is-a-number")
@queue_types
@pytest.mark.parametrize("expiration", ["10 s", "-1", ""], ids=["10 s", "-1", "empty"])
def test_an_expiration_that_is_no_number_is_refused(scene: Scene, queue_type: QueueType, expiration: str) -> None:
    """The broker closes the channel, and nothing is in the queue."""
    queue = scene.queue(queue_type)

    [outcome] = queue.try_publish("no 1 refused", expiration=expiration)

    assert outcome == Closed("channel", 406)
    late = queue.drain()
    assert late.numbers == []


@claim("message-ttl.requeueing-renews-nothing")
@queue_types
def test_a_message_that_is_given_back_has_no_more_time(scene: Scene, queue_type: QueueType) -> None:
    """A receiver holds message 1 until its time is over and gives it back: it does not come again before message 2."""
    queue = scene.queue(queue_type, message_ttl=3 * SOON)
    holder = scene.receiver("holder", queue, acks=False)
    queue.publish("no 1 expires")
    scene.wait_for_deliveries(1)
    let_pass(scene, 3 * SOON)

    holder.nack(1, requeue=True)
    holder.settle()

    queue.publish("no 2 in time")
    scene.wait_for_deliveries(2)
    assert holder.numbers == [1, 2]


@claim("message-ttl.held-past-its-time-dies-when-given-back")
@queue_types
def test_a_message_that_is_held_past_its_time_is_a_dead_letter_in_the_end(scene: Scene, queue_type: QueueType) -> None:
    """Message 1 arrives at the dead letter exchange when it is given back, and its holder does not get it again."""
    end = scene.queue(queue_type)
    queue = scene.queue(queue_type, message_ttl=3 * SOON, dead_letters_to=end)
    buries = scene.receiver("buries", end)
    holder = scene.receiver("holder", queue, acks=False)
    queue.publish("no 1 expires")
    scene.wait_for_deliveries(1)
    let_pass(scene, 3 * SOON)
    too_early = buries.numbers

    holder.nack(1, requeue=True)

    scene.wait_for_deliveries(2)
    assert too_early == []
    assert buries.numbers == [1]
    assert [death.reason for death in buries.deliveries[0].deaths] == ["expired"]


@claim("message-ttl.whatever-its-priority")
@queue_types
def test_an_expired_message_of_high_priority_is_not_delivered(scene: Scene, queue_type: QueueType) -> None:
    """Message 2 would overtake message 1, but expires before anybody looks."""
    queue = scene.queue(queue_type, max_priority=10 if queue_type == "classic" else None)
    queue.publish("no 1 can wait", priority=0)
    queue.publish("no 2 is urgent, and expires", priority=9, expiration=SOON)

    let_pass(scene, SOON)

    late = queue.drain()
    assert late.numbers == [1]


def policy_for_what_comes(scene: Scene) -> Queue:
    queue = scene.queue()
    queue.publish("no 1 was there before")
    scene.operator.plan_policy(queue, {"message-ttl": SOON})
    return queue


@claim("message-ttl.policy-is-for-what-comes")
@after_policies(policy_for_what_comes)
def test_a_policy_is_for_what_is_published_under_it(scene: Scene, arranged: Queue) -> None:
    """Message 1 was there before the policy and stays; message 2 expires."""
    arranged.publish("no 2 expires")

    let_pass(scene, SOON)

    late = arranged.drain()
    assert late.numbers == [1]


@claim("message-ttl.streams-keep-all")
def test_nothing_expires_in_a_stream(scene: Scene) -> None:
    """A message with an expiration is read after it is over, before the next one."""
    stream = scene.queue("stream")
    stream.publish("no 1 would expire elsewhere", expiration=SOON)

    let_pass(scene, SOON)

    stream.publish("no 2 has no expiration")
    late = scene.receiver("late", stream, prefetch=10, arguments={"x-stream-offset": "first"})
    scene.wait_until(lambda: 2 in late.numbers, "late has read message 2")
    assert late.numbers == [1, 2]


@claim("message-ttl.streams-have-none")
def test_a_stream_cannot_have_a_ttl(scene: Scene) -> None:
    """The broker closes the channel of who wants one."""
    assert refusal(lambda: scene.queue("stream", message_ttl=LATER)) == Closed("channel", 406)


@claim("message-ttl.negative-is-refused")
@queue_types
def test_a_negative_ttl_is_refused(scene: Scene, queue_type: QueueType) -> None:
    """The broker closes the channel of who declares the queue."""
    assert refusal(lambda: scene.queue(queue_type, message_ttl=-1)) == Closed("channel", 406)
