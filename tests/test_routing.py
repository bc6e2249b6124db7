"""Exchanges and routing: which queues a message reaches, by the type of its exchange and by its bindings.

From RabbitMQ's pages on exchanges, alternate exchanges, exchange-to-exchange bindings and sender-selected distribution.
"""

from typing import Any

import pytest

from fixtures.vocabulary import Closed, Confirmed, Exchange, Queue, Returned, Scene, claim, numbered, refusal


def bound(scene: Scene, exchange: Exchange, *keys: str, **headers: Any) -> Queue:
    """A queue that is bound to an exchange by these keys, or by headers."""
    queue = scene.queue()
    for key in keys or ("",):
        queue.bind(exchange, key, headers)
    return queue


@claim("routing.direct-compares-the-whole-key")
def test_direct_exchange_compares_the_whole_key(scene: Scene) -> None:
    """Two queues with the message's key get it; one with a longer key and one with a pattern do not."""
    exchange = scene.exchange("direct")
    same, same_too, longer, pattern = (bound(scene, exchange, key) for key in ("a", "a", "a.b", "#"))

    exchange.publish("message", key="a")

    assert [queue.drain().bodies for queue in (same, same_too, longer, pattern)] == [["message"], ["message"], [], []]


@claim("routing.fanout-ignores-the-key")
def test_fanout_exchange_ignores_the_key(scene: Scene) -> None:
    """A queue that is bound with another key gets the message all the same."""
    exchange = scene.exchange("fanout")
    without_key, other_key = bound(scene, exchange, ""), bound(scene, exchange, "other")

    exchange.publish("message", key="key")

    assert [queue.drain().bodies for queue in (without_key, other_key)] == [["message"], ["message"]]


@claim("routing.hash-matches-any-number-of-words")
@pytest.mark.parametrize(
    ("pattern", "matching"),
    [("a.#", ["a", "a.b", "a.b.c"]), ("#", ["", "a", "a.b", "a.b.c", "b"])],
    ids=["a.#", "#"],
)
def test_hash_stands_for_any_number_of_words(scene: Scene, pattern: str, matching: list[str]) -> None:
    """The body says which key was used."""
    exchange = scene.exchange("topic")
    queue = bound(scene, exchange, pattern)

    for key in ("", "a", "a.b", "a.b.c", "b"):
        exchange.publish(key, key=key)

    assert queue.drain().bodies == matching


@claim("routing.star-matches-one-word")
@pytest.mark.parametrize(
    ("pattern", "matching"), [("a.*", ["a.b"]), ("*", ["a", "b"]), ("*.*.c", ["a.b.c"])], ids=["a.*", "*", "*.*.c"]
)
def test_star_stands_for_one_word(scene: Scene, pattern: str, matching: list[str]) -> None:
    """The body says which key was used."""
    exchange = scene.exchange("topic")
    queue = bound(scene, exchange, pattern)

    for key in ("a", "a.b", "a.b.c", "b"):
        exchange.publish(key, key=key)

    assert queue.drain().bodies == matching


@claim("routing.headers-all-or-any")
def test_headers_exchange_asks_for_all_headers_or_for_any(scene: Scene) -> None:
    """The body says which headers the message has."""
    exchange = scene.exchange("headers")
    every = bound(scene, exchange, **{"x-match": "all", "colour": "red", "size": "large"})
    some = bound(scene, exchange, **{"x-match": "any", "colour": "red", "size": "large"})

    exchange.publish("both", headers={"colour": "red", "size": "large", "more": "yes"})
    exchange.publish("one", headers={"colour": "red"})
    exchange.publish("none", headers={"colour": "blue"})

    assert every.drain().bodies == ["both"]
    assert some.drain().bodies == ["both", "one"]


@claim("routing.headers-have-types")
def test_a_number_is_not_the_text_that_reads_like_it(scene: Scene) -> None:
    """The binding asks for the number 1."""
    exchange = scene.exchange("headers")
    queue = bound(scene, exchange, **{"x-match": "all", "version": 1})

    exchange.publish("number", headers={"version": 1})
    exchange.publish("text", headers={"version": "1"})

    assert queue.drain().bodies == ["number"]


@claim("routing.headers-with-x-are-left-out")
def test_headers_that_begin_with_x_are_left_out(scene: Scene) -> None:
    """The body says which header of the two that the bindings name the message has."""
    exchange = scene.exchange("headers")
    without, with_x = (
        bound(scene, exchange, **{"x-match": match, "colour": "red", "x-size": "large"})
        for match in ("all", "all-with-x")
    )

    exchange.publish("both", headers={"colour": "red", "x-size": "large"})
    exchange.publish("colour", headers={"colour": "red"})

    assert without.drain().bodies == ["both", "colour"]
    assert with_x.drain().bodies == ["both"]


@claim("routing.one-copy-a-queue")
def test_a_queue_gets_one_copy_however_many_bindings_match(scene: Scene) -> None:
    """Three patterns match the message's key."""
    exchange = scene.exchange("topic")
    queue = bound(scene, exchange, "a.b", "a.*", "#")

    exchange.publish(*numbered(2), key="a.b")

    assert queue.drain().numbers == [1, 2]


@claim("routing.alternate-gets-what-matches-nothing")
def test_alternate_exchange_gets_what_matches_nothing(scene: Scene) -> None:
    """One message matches and one does not; neither comes back, although both are mandatory."""
    alternate = scene.exchange("fanout")
    exchange = scene.exchange("direct", alternate=alternate)
    matching, rest = bound(scene, exchange, "known"), bound(scene, alternate)

    outcomes = [
        *exchange.try_publish("known", key="known", mandatory=True),
        *exchange.try_publish("unknown", key="unknown", mandatory=True),
    ]

    assert outcomes == [Confirmed(), Confirmed()]
    assert matching.drain().bodies == ["known"]
    assert rest.drain().bodies == ["unknown"]


@claim("routing.mandatory-comes-back-from-the-alternate-too")
def test_a_mandatory_message_comes_back_that_matches_at_no_alternate_either(scene: Scene) -> None:
    """Once the alternate exchange leads nowhere, and once there is none of its name."""
    leads_nowhere = scene.exchange("direct", alternate=scene.exchange("fanout"))
    is_missing = scene.exchange("direct", alternate=scene.undeclared_exchange())

    outcomes = [
        *leads_nowhere.try_publish("no 1 comes back", mandatory=True),
        *is_missing.try_publish("no 2 comes back", mandatory=True),
    ]

    assert outcomes == [Returned(312), Returned(312)]


@claim("routing.missing-alternate-drops")
def test_a_message_for_an_alternate_exchange_that_is_missing_is_dropped(scene: Scene) -> None:
    """It is confirmed, and the channel goes on: the next message arrives."""
    exchange = scene.exchange("direct", alternate=scene.undeclared_exchange())
    queue = bound(scene, exchange, "known")

    outcomes = [
        *exchange.try_publish("no 1 matches nothing", key="unknown"),
        *exchange.try_publish("no 2 matches", key="known"),
    ]

    assert outcomes == [Confirmed(), Confirmed()]
    assert queue.drain().numbers == [2]


@claim("routing.exchanges-lead-to-exchanges")
def test_a_message_must_match_at_both_exchanges(scene: Scene) -> None:
    """The first exchange asks for `a.#`, the second for `#.z`."""
    first, second = scene.exchange("topic"), scene.exchange("topic")
    second.bind(first, "a.#")
    queue = bound(scene, second, "#.z")

    for key in ("a.z", "a.b", "b.z"):
        first.publish(key, key=key)

    assert queue.drain().bodies == ["a.z"]


@claim("routing.unbinding-ends-it")
def test_a_removed_binding_leads_nowhere(scene: Scene) -> None:
    """Of two bindings one is removed."""
    exchange = scene.exchange("direct")
    queue = bound(scene, exchange, "stays", "goes")

    queue.unbind(exchange, "goes")

    exchange.publish("goes", key="goes")
    exchange.publish("stays", key="stays")
    assert queue.drain().bodies == ["stays"]


@claim("routing.copies-by-header")
def test_copies_go_to_the_keys_in_the_headers(scene: Scene) -> None:
    """Three queues get the message; what they see of its headers is the CC."""
    exchange = scene.exchange("direct")
    addressed, copied, hidden = (bound(scene, exchange, key) for key in ("to", "cc", "bcc"))

    exchange.publish("message", key="to", headers={"CC": ["cc"], "BCC": ["bcc"]})

    taken = [queue.drain() for queue in (addressed, copied, hidden)]
    assert [one.bodies for one in taken] == [["message"]] * 3
    assert [sorted(delivery.headers) for one in taken for delivery in one.deliveries] == [["CC"]] * 3


@claim("routing.default-exchange-is-fixed")
def test_default_exchange_can_neither_be_bound_nor_deleted(scene: Scene) -> None:
    """Both are refused on the channel."""
    queue = scene.queue()

    bind = refusal(lambda: queue.bind(scene.default_exchange, "another name"))
    delete = refusal(lambda: scene.default_exchange.delete())

    assert bind == Closed("channel", 403)
    assert delete == Closed("channel", 403)


@claim("routing.reserved-names-are-refused")
def test_names_that_begin_with_amq_are_refused(scene: Scene) -> None:
    """For an exchange and for a queue."""
    exchange = refusal(lambda: scene.exchange("direct", name="amq.mine"))
    queue = refusal(lambda: scene.queue(name="amq.mine"))

    assert exchange == Closed("channel", 403)
    assert queue == Closed("channel", 403)


@claim("routing.unknown-type-is-refused")
def test_an_exchange_of_an_unknown_type_is_refused(scene: Scene) -> None:
    """On the channel, and not on the connection."""
    refused = refusal(lambda: scene.exchange("no-such-type"))

    assert refused == Closed("channel", 406)


@claim("routing.user-id-is-the-publishers-own")
def test_a_message_with_somebody_elses_user_id_is_refused(scene: Scene) -> None:
    """With the publisher's own it arrives."""
    queue = scene.queue()

    own = queue.try_publish("no 1 says who sends it", user_id=scene.broker.user)
    others = queue.try_publish("no 2 says somebody else", user_id="somebody else")

    assert others == [Closed("channel", 406)]
    assert own == [Confirmed()]
    assert queue.drain().numbers == [1]
