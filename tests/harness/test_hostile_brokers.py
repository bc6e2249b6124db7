"""Brokers that misbehave, at once or in the middle of a claim: an error or a verdict in bounded time, never a hang."""

import socket
import socketserver
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest
from pika import frame, spec

from fixtures.brokers import Broker, BrokerError
from fixtures.brokers.external import ExternalBroker
from fixtures.brokers.targets import parse
from fixtures.configuration import Configuration
from fixtures.housekeeping import waiting
from fixtures.housekeeping.waiting import wait_until
from fixtures.ledger.declaring import Declares
from fixtures.sabotage.behaviour import Behaviour
from fixtures.sabotage.broker import ProxiedBroker
from fixtures.sabotage.link import Channel, Link
from fixtures.sabotage.proxy import Proxies
from fixtures.scene.receiver import Receiver, Subscription
from fixtures.scene.scene import Scene
from fixtures.suite.run import run_of
from fixtures.wire import connection
from fixtures.wire.frames import Command, cut
from tests.harness.conftest import Project

#: Every deadline is a tenth of what it is for somebody who waits for a broker.
HURRY = ("--rabbitmq-patience", "0.1")

#: Seconds that a run may take on a busy machine; what hangs takes for ever.
BOUND = 30.0

GARBAGE = b"HTTP/1.1 400 Bad Request\r\n\r\n"

#: The header of a body frame of 256 MiB, and its first bytes.
OVERSIZED = struct.pack(">BHL", spec.FRAME_BODY, 1, 1 << 28) + b"x" * 4096

HEARTBEATS = frame.Heartbeat().marshal() * 1000


# When the run starts.


class Client:
    """The client's connection as a broker sees it, with as much of the handshake as is wanted."""

    def __init__(self, wire: socket.socket) -> None:
        self.socket = wire
        self._heard = bytearray()

    def send(self, *methods: Any) -> None:
        """Send methods, all at once."""
        self.socket.sendall(b"".join(frame.Method(0, method).marshal() for method in methods))

    def hears(self, frames: int = 1) -> None:
        """Take the next frames of the client."""
        while frames > 0:
            data = self.socket.recv(65536)
            if not data:
                raise ConnectionError("the client has gone")
            self._heard += data
            frames -= len(cut(self._heard))

    def until_start_ok(self, version: str = "4.0.0", mechanisms: str = "PLAIN") -> None:
        """The handshake up to the client's credentials."""
        self.hears()
        properties = {"product": "RabbitMQ", "version": version}
        self.send(spec.Connection.Start(0, 9, properties, mechanisms, "en_US"))
        self.hears()

    def until_open(self, version: str = "4.0.0") -> None:
        """The handshake up to the client's wish for a virtual host."""
        self.until_start_ok(version)
        self.send(spec.Connection.Tune(2047, 131072, 60))
        self.hears(frames=2)

    def waits(self) -> None:
        """Say nothing until the client has gone."""
        with suppress(OSError):
            while self.socket.recv(65536):
                pass


def closes(client: Client) -> None:
    pass


def resets(client: Client) -> None:
    client.hears()
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def answers_garbage(client: Client) -> None:
    client.socket.sendall(GARBAGE)
    client.waits()


def speaks_another_amqp(client: Client) -> None:
    client.hears()
    client.socket.sendall(b"AMQP\x00\x01\x00\x00")


def wants_other_credentials(client: Client) -> None:
    client.until_start_ok(mechanisms="EXTERNAL")


def never_starts(client: Client) -> None:
    client.waits()


def never_tunes(client: Client) -> None:
    client.until_start_ok()
    client.waits()


def never_opens(client: Client) -> None:
    client.until_open()
    client.waits()


def never_closes(client: Client) -> None:
    client.until_open()
    client.send(spec.Connection.OpenOk())
    client.waits()


def hangs_up_when_it_is_open(client: Client) -> None:
    client.until_open()
    # At once: a close-ok that came after the client's close would be a goodbye as it should be.
    client.send(spec.Connection.OpenOk(), spec.Connection.CloseOk())


def disappears_when_it_is_open(client: Client) -> None:
    client.until_open()
    client.send(spec.Connection.OpenOk())


def refuses(client: Client) -> None:
    client.until_start_ok()
    client.send(spec.Connection.Close(403, "ACCESS_REFUSED - Login was refused", 0, 0))
    client.waits()


def hangs_up_on_credentials(client: Client) -> None:
    client.until_start_ok()


def sends_too_large_a_frame(client: Client) -> None:
    client.until_open()
    client.socket.sendall(OVERSIZED)
    client.waits()


def floods(client: Client) -> None:
    client.until_start_ok()
    while True:
        client.socket.sendall(HEARTBEATS)


@contextmanager
def listening(behave: Callable[[Client], None]) -> Iterator[str]:
    """A server that treats each client in that way; yields its URL, and ends with the block."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.settimeout(BOUND)
            with suppress(OSError):
                behave(Client(self.request))

        def finish(self) -> None:
            self.request.close()

    class Server(socketserver.ThreadingTCPServer):
        def shutdown_request(self, request: Any) -> None:
            """No end of the stream before its time: it would spare a client the reset."""
            request.close()

    with Server(("127.0.0.1", 0), Handler) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        serving.start()
        try:
            yield f"amqp://somebody:s3cret@127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            serving.join()


@pytest.fixture
def hurry() -> Iterator[None]:
    """Deadlines of this process are short while the test runs."""
    before = waiting.patient(1)
    waiting.set_patience(0.1)
    yield
    waiting.set_patience(before)


@pytest.mark.parametrize(
    ("behave", "words"),
    [
        (closes, "cannot be reached"),
        (resets, "cannot be reached"),
        (answers_garbage, "no AMQP: b'HTTP/1.1 400"),
        (speaks_another_amqp, "cannot be reached"),
        (wants_other_credentials, "refuses user 'somebody'"),
        (refuses, "refuses user 'somebody'"),
        (hangs_up_on_credentials, "refuses user 'somebody'"),
        (hangs_up_when_it_is_open, "cannot be reached"),
        (disappears_when_it_is_open, "cannot be reached"),
        (sends_too_large_a_frame, "a frame of 268435464 bytes"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_broker_that_cannot_be_used_is_said_to_be(
    pytestconfig: pytest.Config, behave: Callable[[Client], None], words: str
) -> None:
    """Whatever it does in the handshake: an error of few lines, soon, without the password."""
    cannot_be_used(pytestconfig, behave, words)


@pytest.mark.usefixtures("hurry")
@pytest.mark.parametrize("behave", [never_starts, never_tunes, never_opens, floods], ids=lambda b: b.__name__)
def test_handshake_that_does_not_end(pytestconfig: pytest.Config, behave: Callable[[Client], None]) -> None:
    """The same of a broker that goes on without an end, or says nothing."""
    cannot_be_used(pytestconfig, behave, "has not finished the AMQP handshake within 1 s")


def test_reset_before_the_first_look(pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same of one that is reached, and gone before anything is said, as a proxy is of a broker that boots."""
    reach = connection._reach
    is_reached = threading.Event()

    def reaches_and_waits_for_the_reset(*arguments: Any) -> socket.socket:
        wire = reach(*arguments)
        is_reached.set()
        wait_until(lambda: not connected(wire), "the connection is reset", within=BOUND)
        return wire

    def resets_when_reached(client: Client) -> None:
        is_reached.wait(BOUND)
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    monkeypatch.setattr(connection, "_reach", reaches_and_waits_for_the_reset)
    cannot_be_used(pytestconfig, resets_when_reached, "cannot be reached: ")


def connected(wire: socket.socket) -> bool:
    try:
        wire.getpeername()
    except OSError:
        return False
    return True


def test_goodbye_that_does_not_end(pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same of one that can be talked to, and does not let go."""
    monkeypatch.setattr(connection, "ANSWERS", 0.1)
    cannot_be_used(pytestconfig, never_closes, "has not answered Connection.Close within 0.1 s")


def cannot_be_used(pytestconfig: pytest.Config, behave: Callable[[Client], None], words: str) -> None:
    settings = replace(run_of(pytestconfig).options.settings, configuration=Configuration())
    began = time.monotonic()

    with listening(behave) as url, pytest.raises(BrokerError) as error:
        ExternalBroker(settings, parse(url)).start(lambda _: None)

    assert time.monotonic() - began < BOUND / 3
    assert words in str(error.value)
    assert len(str(error.value).splitlines()) <= 10
    assert "s3cret" not in str(error.value)


@pytest.mark.parametrize("behave", [answers_garbage, never_starts, floods], ids=lambda behave: behave.__name__)
def test_run_on_a_broker_that_cannot_be_used_is_one_clear_error(
    project: Project, behave: Callable[[Client], None]
) -> None:
    """The run ends soon with pytest's usage exit code, and says nothing else."""
    project.tests('@claim("chapter.claim")\ndef test_it(scene): scene.queue()\n')
    began = time.monotonic()

    with listening(behave) as url:
        run = project.run("--rabbitmq", url, *HURRY)

    assert time.monotonic() - began < BOUND
    run.assert_one_clear_error("amqp://127.0.0.1:", "cannot be reached")
    assert "s3cret" not in run.output


@pytest.mark.parametrize(
    ("stated", "version"),
    [
        ("4.1.0", "4.1.0"),
        ("3.13.0-rc.1", "3.13.0rc1"),
        ("4.0.5+2.gdeadbee", "4.0.5"),
        ("nightly", "0"),
        ("", "0"),
        ("4.1.x-dirty", "4.1"),
        ("9" * 5000, "9" * 9),
    ],
    ids=lambda value: value[:20] or "empty",
)
def test_any_version_that_a_broker_states_is_read(pytestconfig: pytest.Config, stated: str, version: str) -> None:
    """As far as it is one."""

    def states_it(client: Client) -> None:
        client.until_open(stated)
        client.send(spec.Connection.OpenOk())
        client.hears()
        client.send(spec.Connection.CloseOk())

    with listening(states_it) as url:
        broker = ExternalBroker(
            replace(run_of(pytestconfig).options.settings, configuration=Configuration()), parse(url)
        )
        broker.start(lambda _: None)

    assert str(broker.version) == version


# In the middle of a claim.


class Misbehaving(Behaviour):
    """Once in answer to a message that asks for it, and once in delivering one: says nothing, floods, or worse."""

    def __init__(self, fault: Callable[[Link], None]) -> None:
        self._fault = fault
        self._left = {b"misbehave at once", b"misbehave later"}

    def client_basic_publish(self, channel: Channel, command: Command) -> Command | None:
        """Instead of the message's confirm."""
        return self._strikes(channel, command, b"misbehave at once")

    def broker_basic_deliver(self, channel: Channel, command: Command) -> Command | None:
        """Instead of the message."""
        return self._strikes(channel, command, b"misbehave later")

    def _strikes(self, channel: Channel, command: Command, body: bytes) -> Command | None:
        if command.body != body or body not in self._left:
            return command
        self._left.remove(body)
        self._fault(channel.link)
        return None


def says_nothing(link: Link) -> None:
    link.broker.transport.pause_reading()


def hangs_up(link: Link) -> None:
    link.cut()


def talks_garbage(link: Link) -> None:
    link.client.write(GARBAGE)


def talks_nonsense(link: Link) -> None:
    """What is AMQP, and of no sense here: the body of no message, an unknown method."""
    link.client.write(frame.Body(1, b"?").marshal() + struct.pack(">BHLHHB", 1, 1, 4, 999, 999, spec.FRAME_END))


def sends_oversized(link: Link) -> None:
    link.client.write(OVERSIZED)


def keeps_flooding(link: Link) -> None:
    def more() -> None:
        if link.client.transport.get_write_buffer_size() < len(HEARTBEATS):
            link.client.write(HEARTBEATS)

    link.broker.transport.pause_reading()
    link.every(0.0005, more)


CLAIMS = """
@claim("chapter.claim")
def test_publishing(scene):
    queue = scene.queue()
    queue.publish("misbehave at once")
    assert queue.drain().bodies == ["misbehave at once"]

@claim("chapter.claim")
def test_receiving(scene):
    queue = scene.queue()
    receiver = scene.receiver("receiver", queue)
    queue.publish("misbehave later")
    scene.wait_until(lambda: receiver.bodies == ["misbehave later"], "it has come", within=0.5)

@claim("chapter.claim")
def test_next(scene):
    queue = scene.queue()
    queue.publish("no 1 as usual")
    assert queue.drain().numbers == [1]
"""


FAULTS = (says_nothing, hangs_up, talks_garbage, talks_nonsense, sends_oversized, keeps_flooding)


def test_broker_that_breaks_down_costs_a_claim_and_not_the_run(project: Project, broker: Broker) -> None:
    """The claim is not established or refuted, the next one is put to the test, and the queues of all are gone."""
    project.tests(CLAIMS)
    project.plugin(
        "from fixtures.brokers import base\nfrom fixtures.housekeeping.deadlines import Deadline\n\n"
        "base.Deadline = lambda at_most: Deadline(4.0)\n"
    )
    began = time.monotonic()

    with Proxies() as proxies:
        urls = {fault.__name__: proxies.open(broker.url, Misbehaving(fault)) for fault in FAULTS}
        run = project.run(*(f"--rabbitmq={url}" for url in urls.values()))

    assert time.monotonic() - began < 2 * BOUND
    assert run.code == pytest.ExitCode.TESTS_FAILED, run.output
    assert "INTERNALERROR" not in run.output
    found = project.results
    verdicts = {
        fault: {case.case: case.verdict for case in found.cases_of("chapter.claim", parse(url).name)}
        for fault, url in urls.items()
    }
    # A confirm that never comes is a broken promise. A connection that breaks keeps a claim from being put to the test.
    unanswered = {"says_nothing", "keeps_flooding"}
    assert verdicts == {
        fault: {
            "test_publishing": "refuted" if fault in unanswered else "not established",
            "test_receiving": "refuted",
            "test_next": "holds",
        }
        for fault in urls
    }
    queues = {event.queue for case in found.cases for event in case.ledger if isinstance(event, Declares)}
    assert len(queues) == 3 * len(urls)
    if not broker.out_of_reach:
        assert not queues & set(broker.rabbitmqctl("-q", "list_queues", "name").split())


class FloodsTheSilent(Behaviour):
    """Floods a client as soon as that has asked for a queue that is there, as a receiver does before its silence."""

    def broker_queue_declare_ok(self, channel: Channel, command: Command) -> Command | None:
        """The flood comes behind the answer."""
        channel.link.later(0, lambda: keeps_flooding(channel.link))
        return command


def test_flood_does_not_hold_up_whoever_watches_a_silent_receiver(broker: Broker) -> None:
    """A silent receiver reads past what arrives, and others have their turn all the same."""
    scene = Scene(broker)
    queue = scene.queue()

    with Proxies() as proxies:
        url = proxies.open(broker.url, FloodsTheSilent())
        receiver = Receiver(
            "silent", queue.name, scene.record, lambda name: connection.Connection(url, name), Subscription()
        )
        receiver.consume()
        receiver.fall_silent()
        began = time.monotonic()
        wait_until(lambda: time.monotonic() - began > 0.5, "half a second has passed", within=BOUND, between=scene.pump)

    assert time.monotonic() - began < 5
    receiver.abandon()
    scene.close()


def test_broker_that_agrees_to_nothing_is_not_waited_for(pytestconfig: pytest.Config) -> None:
    """It knows the user and hangs up all the same, as RabbitMQ does from 4.1 with `frame_max = 4096`."""
    settings = replace(run_of(pytestconfig).options.settings, configuration=Configuration())
    began = time.monotonic()

    with (
        listening(lambda client: client.until_open()) as url,
        pytest.raises(BrokerError, match=r"ends every connection before it is open: it has hung up"),
    ):
        ExternalBroker(settings, parse(url)).wait_until_ready(lambda _: None)

    assert time.monotonic() - began < BOUND / 3


class StartsOnceMore(Behaviour):
    """Ends the connection of whoever publishes a marker with 541, the first two times: it has taken the second one."""

    def __init__(self) -> None:
        self.times = 0

    def client_basic_publish(self, channel: Channel, command: Command) -> Command | None:
        """Instead of the marker's confirm."""
        if not command.body.startswith(b"marker") or self.times == 2:
            return command
        self.times += 1
        close = spec.Connection.Close(541, "INTERNAL_ERROR", 0, 0)
        channel.link.client.write(Command(close).marshal(0, 131072))
        return command if self.times == 2 else None


def test_node_that_starts_something_once_more_is_drained_all_the_same(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RabbitMQ 3.8 and 3.10 do, soon after a kill. Nothing is lost by it, and no marker is taken for a message."""
    monkeypatch.setattr(Scene, "empty_is_unsure", True)
    behaviour = StartsOnceMore()

    with Proxies() as proxies:
        scene = Scene(ProxiedBroker(broker, behaviour, proxies))
        try:
            queue = scene.queue()
            queue.publish("no 1 x", "no 2 x")
            late = queue.drain()
        finally:
            scene.close()

    assert behaviour.times == 2
    assert late.bodies == ["no 1 x", "no 2 x"]
