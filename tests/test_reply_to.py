"""Direct reply-to: requests whose replies come back without a queue.

From RabbitMQ's page on direct reply-to, and where that is silent, its code.
"""

from fixtures.vocabulary import Closed, Confirmed, NotEstablished, Queue, Receiver, Scene, claim, refusal

#: What somebody who asks consumes from; there is no queue of that name.
REPLY_TO = "amq.rabbitmq.reply-to"


def asks(scene: Scene, name: str) -> tuple[Receiver, Queue]:
    """Somebody who has sent a request, and where that wants its reply, as whoever got it can see."""
    requests = scene.queue()
    requester = scene.receiver(name, scene.somebodys_queue(REPLY_TO), auto_ack=True)
    requester.ask(requests, f"{name} asks")
    requests.needs(messages=1)
    request = requests.get("answers")
    if request is None or not request.properties.reply_to:
        raise NotEstablished(f"the request of {name} says nowhere where its reply is to go: {request}")
    return requester, scene.somebodys_queue(str(request.properties.reply_to))


@claim("reply-to.replies-come-to-who-asked")
def test_a_reply_comes_to_who_has_asked(scene: Scene) -> None:
    """Two ask, and the second is answered first: each gets the reply to its own request."""
    one, to_one = asks(scene, "one")
    other, to_other = asks(scene, "other")

    to_other.publish("no 2 for the other")
    to_one.publish("no 1 for the one")

    scene.wait_for_deliveries(2)
    assert one.numbers == [1]
    assert other.numbers == [2]


@claim("reply-to.mandatory-replies-do-not-come-back")
def test_a_mandatory_reply_to_who_is_there_does_not_come_back(scene: Scene) -> None:
    """It is confirmed, and arrives."""
    requester, to_requester = asks(scene, "asks")

    outcomes = to_requester.try_publish("no 1 arrives", mandatory=True)

    scene.wait_for_deliveries(1)
    assert requester.numbers == [1]
    assert outcomes == [Confirmed()]


@claim("reply-to.late-replies-are-dropped")
def test_a_reply_to_who_has_gone_is_dropped(scene: Scene) -> None:
    """It is confirmed, as if somebody got it."""
    requester, to_requester = asks(scene, "asks and goes")
    requester.close()

    outcomes = to_requester.try_publish("no 1 comes too late")

    assert outcomes == [Confirmed()]


@claim("reply-to.late-mandatory-replies-are-dropped-too")
def test_a_mandatory_reply_to_who_has_gone_is_dropped(scene: Scene) -> None:
    """It is confirmed, and does not come back."""
    requester, to_requester = asks(scene, "asks and goes")
    requester.close()

    outcomes = to_requester.try_publish("no 1 comes too late", mandatory=True)

    assert outcomes == [Confirmed()]


@claim("reply-to.can-be-looked-for")
def test_who_is_to_reply_can_look_whether_somebody_waits(scene: Scene) -> None:
    """By a passive declaration of where the reply is to go, before the requester goes and after."""
    requester, to_requester = asks(scene, "asks and goes")

    before = to_requester.exists
    requester.close()
    after = to_requester.exists

    assert (before, after) == (True, False)


@claim("reply-to.same-channel-only")
def test_a_request_on_another_channel_is_refused(scene: Scene) -> None:
    """Somebody consumes replies, and somebody else sends a request that wants one."""
    scene.receiver("waits for replies", scene.somebodys_queue(REPLY_TO), auto_ack=True)

    outcomes = scene.queue().try_publish("no 1 asks", reply_to=REPLY_TO)

    assert outcomes == [Closed("channel", 406)]


@claim("reply-to.not-acknowledged")
def test_replies_cannot_be_acknowledged(scene: Scene) -> None:
    """Whoever wants to acknowledge them may not consume them."""
    with_acks = refusal(lambda: scene.receiver("would acknowledge", scene.somebodys_queue(REPLY_TO)))
    without = refusal(lambda: scene.receiver("acknowledges nothing", scene.somebodys_queue(REPLY_TO), auto_ack=True))

    assert with_acks == Closed("channel", 406)
    assert without is None


@claim("reply-to.one-consumer-a-channel")
def test_a_channel_has_one_consumer_of_replies(scene: Scene) -> None:
    """A second one is refused on the same channel, and not on another."""
    replies = scene.somebodys_queue(REPLY_TO)
    first = scene.receiver("first", replies, auto_ack=True)

    elsewhere = refusal(lambda: scene.receiver("elsewhere", replies, auto_ack=True, beside=first))
    second = refusal(lambda: scene.receiver("second", replies, auto_ack=True, beside=first, same_channel=True))

    assert elsewhere is None
    assert second == Closed("channel", 406)
