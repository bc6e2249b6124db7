"""The proxy's books are right: they know what the real broker behind the proxy does with a message."""

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pika
import pika.exceptions
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pika import spec
from pika.adapters.blocking_connection import BlockingChannel

from fixtures.brokers import Broker
from fixtures.housekeeping.waiting import wait_until
from fixtures.sabotage.books import Books, Message
from fixtures.sabotage.proxy import Proxies
from fixtures.wire.frames import Command

#: Examples share one connection, so one after the other; each takes some 20 ms on a real broker.
examples = settings(
    max_examples=25, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


class Witness(Books):
    """Books that write down of each message what it reaches."""

    def __init__(self) -> None:
        super().__init__()
        self.reaching: list[list[str]] = []

    def on_its_way(self, message: Message) -> Command | None:
        """Write it down."""
        self.reaching.append(sorted(queue.name for queue in message.queues))
        return message.command


class Bench:
    """A connection through a proxy that keeps books, with exchanges and queues that are gone after each example."""

    def __init__(self, url: str, books: Witness) -> None:
        self.books = books
        self._connection = pika.BlockingConnection(pika.URLParameters(url))
        self.channel = self._connection.channel()
        self.channel.confirm_delivery()
        self._exchanges: list[str] = []
        self._queues: list[str] = []

    def exchange(self, kind: str, **arguments: Any) -> str:
        """An exchange; the first one is claims-harness-0."""
        name = f"claims-harness-{len(self._exchanges)}"
        self._exchanges.append(name)
        self.channel.exchange_declare(name, kind, arguments=arguments)
        return name

    def queue(self) -> str:
        """A queue that the broker has named."""
        self._queues.append(str(self.channel.queue_declare("", exclusive=True).method.queue))
        return self._queues[-1]

    def publish(self, exchange: str, key: str = "", headers: dict[str, Any] | None = None) -> Counter[str]:
        """Send a message; returns which queues have got it, how often."""
        self.channel.basic_publish(exchange, key, b"x", pika.BasicProperties(headers=headers or {}))
        found: Counter[str] = Counter()
        for queue in self._queues:
            while self.channel.basic_get(queue, auto_ack=True)[0]:
                found[queue] += 1
        return found

    def clear(self) -> None:
        """Delete what was declared."""
        for queue in self._queues:
            self.channel.queue_delete(queue)
        for exchange in self._exchanges:
            self.channel.exchange_delete(exchange)
        self._queues.clear()
        self._exchanges.clear()

    def close(self) -> None:
        """Delete what is still there, and hang up."""
        self.clear()
        self._connection.close()


@pytest.fixture
def books() -> Witness:
    """The books of one proxy."""
    return Witness()


@pytest.fixture
def url(broker: Broker, books: Witness) -> Iterator[str]:
    """The proxy that keeps these books."""
    with Proxies() as proxies:
        yield proxies.open(broker.url, books)


@pytest.fixture
def bench(url: str, books: Witness) -> Iterator[Bench]:
    """Somebody who publishes and looks."""
    bench = Bench(url, books)
    yield bench
    bench.close()


def assert_known(bench: Bench, got: Counter[str]) -> None:
    """What the books said of the last message is what the broker did with it: each of these queues got it once."""
    assert bench.books.reaching[-1] == sorted(got)
    assert set(got.values()) <= {1}


# Routing.

WORDS = st.lists(st.sampled_from(["a", "b", ""]), max_size=3).map(".".join)
PATTERNS = st.lists(st.sampled_from(["a", "b", "", "*", "#"]), max_size=4).map(".".join)


@examples
@given(st.lists(PATTERNS, min_size=1, max_size=5), st.lists(WORDS, min_size=1, max_size=5))
def test_topics_match_as_on_the_broker(bench: Bench, patterns: list[str], keys: list[str]) -> None:
    """Empty words and patterns too."""
    exchange = bench.exchange("topic")
    for pattern in patterns:
        bench.channel.queue_bind(bench.queue(), exchange, pattern)

    for key in keys:
        assert_known(bench, bench.publish(exchange, key))

    bench.clear()


VALUES = st.sampled_from([1, 2, "1", True, 1 << 40, None])
HEADERS = st.dictionaries(st.sampled_from(["a", "b", "x-c"]), VALUES, max_size=3)


@examples
@given(
    st.lists(st.tuples(st.sampled_from(["all", "any", None]), HEADERS), min_size=1, max_size=4),
    st.lists(HEADERS, min_size=1, max_size=4),
)
@example([("all", {"a": 1}), ("any", {"a": True})], [{"a": 1}, {"a": True}, {"a": "1"}])
def test_headers_match_as_on_the_broker(
    bench: Bench, bindings: list[tuple[str | None, dict[str, Any]]], messages: list[dict[str, Any]]
) -> None:
    """All or any of them, each with its type; without a value a header only has to be there."""
    exchange = bench.exchange("headers")
    for match, headers in bindings:
        bench.channel.queue_bind(bench.queue(), exchange, arguments=headers | ({"x-match": match} if match else {}))

    for headers in messages:
        assert_known(bench, bench.publish(exchange, headers=headers))

    bench.clear()


KINDS = st.sampled_from(["direct", "fanout", "topic"])


@examples
@given(
    kinds=st.lists(KINDS, min_size=3, max_size=3),
    alternates=st.lists(st.sampled_from([None, 0, 1, 2]), min_size=3, max_size=3),
    between=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.sampled_from(["a", "#"])), max_size=4),
    queues=st.lists(st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["a", "b"])), max_size=3), max_size=3),
    copies=st.sampled_from([{}, {"CC": ["b"]}, {"BCC": ["b", "a"]}]),
)
@example(
    kinds=["direct", "fanout", "fanout"],
    alternates=[1, None, None],
    between=[],
    queues=[[(0, "a")], [(1, "a")]],
    copies={},
)
def test_messages_go_from_exchange_to_exchange_as_on_the_broker(
    bench: Bench,
    kinds: list[str],
    alternates: list[int | None],
    between: list[tuple[int, int, str]],
    queues: list[list[tuple[int, str]]],
    copies: dict[str, Any],
) -> None:
    """In circles too, and to alternate exchanges; a queue to which several ways lead gets one copy."""
    exchanges = [
        bench.exchange(kind, **({} if other is None else {"alternate-exchange": f"claims-harness-{other}"}))
        for kind, other in zip(kinds, alternates, strict=True)
    ]
    for source, destination, key in between:
        bench.channel.exchange_bind(exchanges[destination], exchanges[source], key)
    for bound in queues:
        queue = bench.queue()
        for source, key in bound:
            bench.channel.queue_bind(queue, exchanges[source], key)

    for key in ("a", "b"):
        assert_known(bench, bench.publish(exchanges[0], key, copies))

    bench.clear()


def test_what_is_undone_is_out_of_the_books(bench: Bench) -> None:
    """A binding, a queue, an exchange; and one that goes with its last binding."""
    exchange, queue = bench.exchange("fanout"), bench.queue()
    bench.channel.queue_bind(queue, exchange)
    assert_known(bench, bench.publish(exchange))
    bench.channel.queue_unbind(queue, exchange)
    assert_known(bench, bench.publish(exchange))
    assert_known(bench, bench.publish("", queue))

    bench.channel.queue_delete(queue)
    bench.channel.exchange_delete(exchange)
    bench.channel.exchange_declare("claims-harness-passing", "fanout", auto_delete=True)
    bench.channel.queue_bind(other := bench.queue(), "claims-harness-passing")
    assert "claims-harness-passing" in bench.books.topology.exchanges
    bench.channel.queue_unbind(other, "claims-harness-passing")

    assert queue not in bench.books.topology.queues
    assert not {exchange, "claims-harness-passing"} & bench.books.topology.exchanges.keys()
    assert bench.books.topology.bindings == []


def test_exclusive_queue_goes_with_its_connection(url: str, books: Witness) -> None:
    """And so does a queue that is found to be gone."""
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        channel = connection.channel()
        queue = str(channel.queue_declare("", exclusive=True).method.queue)
        books.topology.queues["gone"] = books.topology.queues[queue]
        with suppress(pika.exceptions.ChannelClosedByBroker):
            channel.queue_declare("gone", passive=True)
        assert "gone" not in books.topology.queues
        assert queue in books.topology.queues

    wait_until(lambda: not books.topology.queues, "the queue is out of the books", within=10)


# Consumers, and what they hold.


def test_consumers_are_in_the_books(bench: Bench) -> None:
    """Until they are cancelled, by themselves or by the broker."""
    queue, other = bench.queue(), bench.queue()
    bench.channel.basic_consume(queue, lambda *_: None, consumer_tag="it")
    bench.channel.basic_consume(other, lambda *_: None, consumer_tag="other")
    assert [consumer.tag for consumer in bench.books.consumers] == ["it", "other"]

    bench.channel.basic_cancel("it")
    assert [consumer.tag for consumer in bench.books.consumers] == ["other"]
    bench.channel.queue_delete(other)

    wait_until(lambda: not bench.books.consumers, "the broker has cancelled the other", within=10)


def test_consumer_is_in_the_books_as_the_broker_names_it(bench: Bench) -> None:
    """Where its client does not: pika would, so this one goes past it."""
    queue = bench.queue()
    stream: Any = bench.channel._impl  # type: ignore[attr-defined]
    stream._send_method(spec.Basic.Consume(queue=queue))
    bench.channel.queue_declare(queue, passive=True)
    [consumer] = bench.books.of_queue(queue)
    # The queue answers that, and the channel answers the other: either may be first.
    wait_until(lambda: consumer.tag.startswith("amq.ctag-"), "the broker has named the consumer", within=10)

    stream._send_method(spec.Basic.Cancel(consumer.tag, nowait=True))
    bench.channel.queue_declare(queue, passive=True)

    assert bench.books.consumers == []


def held(books: Witness) -> list[int]:
    return sorted(tag for of_channel in books.unacked.values() for tag in of_channel)


@pytest.fixture
def holding(bench: Bench) -> BlockingChannel:
    """A channel that has taken five messages, and acknowledged none."""
    queue = bench.queue()
    for _ in range(5):
        bench.channel.basic_publish("", queue, b"x")
    channel = bench.channel.connection.channel()
    for _ in range(5):
        channel.basic_get(queue)
    return channel


@pytest.mark.parametrize(
    ("settle", "left"),
    [
        (lambda channel: channel.basic_ack(2), [1, 3, 4, 5]),
        (lambda channel: channel.basic_ack(2, multiple=True), [3, 4, 5]),
        (lambda channel: channel.basic_ack(0, multiple=True), []),
        (lambda channel: channel.basic_nack(3, multiple=True, requeue=False), [4, 5]),
        (lambda channel: channel.basic_nack(3, requeue=True), [1, 2, 4, 5]),
        (lambda channel: channel.basic_reject(3, requeue=True), [1, 2, 4, 5]),
        (lambda channel: channel.basic_recover(requeue=True), []),
    ],
    ids=["ack", "ack multiple", "ack all", "nack multiple", "nack", "reject", "recover"],
)
def test_books_know_what_is_held(bench: Bench, holding: BlockingChannel, settle: Any, left: list[int]) -> None:
    """Whatever a client does with it."""
    assert held(bench.books) == [1, 2, 3, 4, 5]

    settle(holding)
    holding.queue_declare(bench.queue(), passive=True)  # a round trip: the proxy has seen it

    assert held(bench.books) == left
    holding.close()
    assert held(bench.books) == []


def test_what_is_acknowledged_in_a_transaction_is_held_until_it_is_committed(
    bench: Bench, holding: BlockingChannel
) -> None:
    """After a rollback it can be acknowledged again, as on the broker."""
    holding.tx_select()
    holding.basic_ack(1)
    holding.tx_commit()
    holding.basic_ack(3, multiple=True)
    holding.tx_rollback()
    assert held(bench.books) == [2, 3, 4, 5]

    holding.basic_ack(3, multiple=True)
    holding.tx_commit()

    assert held(bench.books) == [4, 5]
