"""Brokers that are broken on purpose: what a run makes of them, and the proxy that breaks them."""

import os
import socket
import sys
import threading
from collections.abc import Iterator

import pika
import pika.exceptions
import pytest
from pika import spec

from fixtures.brokers import Broker, container
from fixtures.housekeeping.waiting import NotEstablished, wait_until
from fixtures.sabotage import SABOTAGES, Sabotage
from fixtures.sabotage.behaviour import Behaviour
from fixtures.sabotage.broker import ProxiedBroker
from fixtures.sabotage.link import Channel
from fixtures.sabotage.proxy import Proxies
from fixtures.scene.scene import Scene
from fixtures.wire.connection import AccessRefusedError, Closed, ConnectError, Connection
from fixtures.wire.frames import Command
from tests.harness.conftest import CATALOGUE, Project

PREFETCH = """
@claim("chapter.claim")
def test_prefetch(scene):
    queue = scene.queue()
    busy, idle = scene.receiver("busy", queue, acks=False, prefetch=1), scene.receiver("idle", queue)
    queue.publish(*[f"no {n} Hello" for n in (1, 2, 3, 4)])
    scene.wait_for_deliveries(4)
    assert busy.numbers == [1]
"""

SURVIVES = """
def message(scene):
    queue = scene.queue()
    queue.publish("here")
    return queue

@claim("chapter.claim")
@after_restart(message, Restart.KILL)
def test_survives(scene, arranged):
    with Path("restarts").open("a") as restarts:
        restarts.write(f"{len(scene.broker.honest.restarts)}\\n")
    late = arranged.drain()
    assert late.bodies == ["here"]
"""


def refuted_by(*names: str) -> str:
    listed = ", ".join(f'"{name}"' for name in names)
    return f"{CATALOGUE}refuted_by = [{listed}]\n"


# The run.


def test_claim_that_is_refuted_as_it_must_be_is_as_expected(project: Project, broker: Broker) -> None:
    """The kill matrix says so, with what was observed."""
    project.catalogue(refuted_by("prefetch-ignored"))
    project.tests(PREFETCH)

    run = project.run("--rabbitmq", broker.url, "--sabotage", "prefetch-ignored", "--sabotage", "none")

    assert run.code == 0, run.output
    assert "1 of 1 sabotages are noticed, with 1 of the 1 refutations asked for." in run.output
    [case] = [case for case in project.results.cases if case.notices]
    assert case.reason == "busy got 1, 3; expected: busy got 1"
    assert case.ledger
    assert [case.ledger for case in project.results.cases if not case.notices] == [[]]


def test_claim_that_survives_what_must_refute_it_makes_the_run_red(project: Project, broker: Broker) -> None:
    """Though no single test failed."""
    project.catalogue(refuted_by("acks-swallowed"))
    project.tests(PREFETCH)

    run = project.run("--rabbitmq", broker.url, "--sabotage", "acks-swallowed")

    assert run.code == 1, run.output
    assert "chapter.claim survives acks-swallowed, which must refute it" in " ".join(run.output.split())


def test_claim_that_is_refuted_by_what_is_unrelated_makes_the_run_red(project: Project, broker: Broker) -> None:
    """So a sabotage that breaks more than it should is found out, and a claim that checks too much."""
    project.catalogue(refuted_by("acks-swallowed"))
    project.tests(PREFETCH)

    run = project.run("--rabbitmq", broker.url, "--sabotage", "prefetch-doubled")

    assert run.code == 1, run.output
    assert "chapter.claim is refuted by prefetch-doubled, unrelated" in " ".join(run.output.split())


def test_claim_that_is_refuted_by_a_relative_of_what_it_names_is_a_note(project: Project, broker: Broker) -> None:
    """Both are about dealing: it need not name every one of them."""
    project.catalogue(refuted_by("prefetch-ignored"))
    project.tests(PREFETCH)

    run = project.run("--rabbitmq", broker.url, "--sabotage", "prefetch-doubled")

    assert run.code == 0, run.output
    assert "chapter.claim by prefetch-doubled: busy got 1, 3; expected: busy got 1" in " ".join(run.output.split())


def test_must_runs_what_must_refute_and_nothing_else(project: Project, broker: Broker) -> None:
    """Two of all sabotages, for they are the ones that the claim names."""
    project.catalogue(refuted_by("prefetch-ignored", "prefetch-doubled"))
    project.tests(PREFETCH)

    run = project.run("--rabbitmq", broker.url, "--sabotage", "must")

    assert run.code == 0, run.output
    assert "deselected" not in run.output
    assert {target.sabotage for target in project.results.targets} == {"prefetch-ignored", "prefetch-doubled"}


def test_one_restart_serves_many_sabotages_but_those_that_break_it(project: Project, target_name: str) -> None:
    """The broker boots once. A restart that does not happen establishes nothing, one that empties the store refutes."""
    verdicts = {
        "persistence-dropped": "refuted",
        "durability-dropped": "refuted",
        "restart-ignored": "not established",
        "store-forgotten": "refuted",
    }
    project.catalogue(refuted_by(*(name for name, verdict in verdicts.items() if verdict == "refuted")))
    project.tests(SURVIVES)

    run = project.run("--rabbitmq", target_name, *(f"--sabotage={name}" for name in verdicts))

    assert run.code == 0, run.output
    assert {case.target.partition("+")[2]: case.verdict for case in project.results.cases} == verdicts
    # The honest broker's own: one, that the first two share. The others restart in their own way.
    assert (project.folder / "restarts").read_text().split() == ["1", "1", "1"]
    assert "4 of 4 sabotages are noticed" in run.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["--sabotage", "prefetch-ignord"],
            ["'prefetch-ignord' is none", "near it: prefetch-ignored", "There are: all"],
        ),
        (["--sabotage", "must", "--sabotage", "none"], ["'must'"]),
        (["--sabotage", "none", "--rabbitmq", "amqps://host"], ["amqps://host", "use amqp://"]),
        (["--sabotage", "none", "--strain", "busy"], ["--strain and --sabotage"]),
        (["--rounds", "0"], ["--rounds '0'", "from 1 to 9999"]),
    ],
    ids=" ".join,
)
def test_what_cannot_be_is_one_clear_error(project: Project, arguments: list[str], words: list[str]) -> None:
    """What was given, what is allowed."""
    project.tests(PREFETCH)

    project.run(*arguments).assert_one_clear_error(*words)


def test_strain_that_a_broker_cannot_be_put_under_is_one_clear_error(project: Project, broker: Broker) -> None:
    """Nobody limits the CPU of a broker that somebody else runs."""
    project.tests(PREFETCH)

    project.run("--rabbitmq", broker.url, "--strain", "quota").assert_one_clear_error("--strain", "somebody else's")


def test_rounds_put_every_claim_to_the_test_again_and_again(project: Project, target_name: str) -> None:
    """They share their restarts, and end in a table of waits."""
    project.tests(SURVIVES.replace(".honest", ""))

    run = project.run("--rabbitmq", target_name, "--rounds", "3", "--strain", "pulses")

    assert run.code == 0, run.output
    assert (project.folder / "restarts").read_text().split() == ["1", "1", "1"]
    assert [case.verdict for case in project.results.cases] == ["holds"] * 3
    assert "after 3 rounds" in run.output
    slowest = project.results.cases[0].slowest
    assert slowest
    assert 0 <= slowest.took < slowest.within


def test_strained_network_is_slower(project: Project, broker: Broker) -> None:
    """Every round trip takes 20 ms more, also the quickest, and on a busy machine too."""
    project.tests(
        '@claim("chapter.claim")\ndef test_it(scene):\n    queue, times = scene.queue(), [time.monotonic()]\n'
        "    for _ in range(20):\n        queue.publish('x', persistent=False)\n"
        "        times.append(time.monotonic())\n"
        "    assert min(after - before for before, after in zip(times, times[1:])) >= 0.02\n"
    )

    assert project.run("--rabbitmq", broker.url).code == 1
    assert project.run("--rabbitmq", broker.url, "--strain", "latency", "--strain", "busy").code == 0


def test_docker_is_asked_without_a_look_at_the_environment(docker_daemon: None) -> None:
    """Pulses ask it from another thread, while pytest changes the environment from test to test."""
    daemon, over = container.daemon(), threading.Event()

    def change_it() -> None:
        while not over.is_set():
            os.environ["CLAIMS_HARNESS_CHANGES"] = "yes"
            del os.environ["CLAIMS_HARNESS_CHANGES"]

    changing, interval = threading.Thread(target=change_it), sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    changing.start()
    try:
        for _ in range(100):
            assert daemon.ping()
    finally:
        over.set()
        changing.join()
        sys.setswitchinterval(interval)


# What a sabotage is.


@pytest.mark.parametrize(("name", "sentence"), [("AcksSwallowed", "A second one."), ("NothingSaid", "")])
def test_sabotage_has_a_name_of_its_own_and_a_sentence(name: str, sentence: str) -> None:
    """Two of one name, or one that does not say what such a broker does, are found when they are written."""
    with pytest.raises(TypeError, match=f"{name}: a sabotage has a name of its own and a sentence"):
        type(name, (Sabotage,), {"__doc__": sentence})


def test_sabotage_is_named_and_described_by_its_class() -> None:
    """Its module is its family."""
    sabotage = SABOTAGES["acks-swallowed"]

    assert sabotage.sentence == "A receiver's acknowledgements are not heard."
    assert sabotage.family == "acknowledgements"


class FailsByItself(Behaviour):
    """A sabotage with a mistake in it."""

    def client_basic_publish(self, channel: Channel, command: Command) -> Command:
        """Take it for another method."""
        channel.to_broker(command.with_fields(queue="another"))
        return command


def test_a_sabotage_that_fails_by_itself_refutes_nothing(proxies: Proxies, broker: Broker) -> None:
    """It ends the connection, which would refute any claim: such a claim is not established, and that is said once."""
    scene = Scene(ProxiedBroker(broker, FailsByItself(), proxies))

    [outcome] = scene.queue().try_publish("lost", in_flight=True)

    assert isinstance(outcome, Closed)
    with pytest.raises(NotEstablished, match=r"failed by itself: AttributeError.*has no queue.* \(frames\.py:\d+\)"):
        scene.prove_faults()
    scene.prove_faults()
    scene.close()


# The proxy.


@pytest.fixture
def proxies() -> Iterator[Proxies]:
    """Proxies that end with the test."""
    with Proxies() as proxies:
        yield proxies


def test_proxy_passes_on_what_client_and_broker_say(proxies: Proxies, broker: Broker) -> None:
    """Large and empty bodies, properties, and a refusal of the broker's."""
    with pika.BlockingConnection(pika.URLParameters(proxies.open(broker.url))) as connection:
        channel = connection.channel()
        queue = str(channel.queue_declare("", exclusive=True).method.queue)
        for body in (b"", b"x" * 1_000_000):
            channel.basic_publish("", queue, body, pika.BasicProperties(headers={"a": 1}))

        got = [channel.basic_get(queue, auto_ack=True) for _ in range(2)]
        with pytest.raises(pika.exceptions.ChannelClosedByBroker) as refused:
            channel.queue_declare("no such queue", passive=True)

    assert [body and len(body) for _, _, body in got] == [b"", 1_000_000]
    assert [properties and properties.headers for _, properties, _ in got] == [{"a": 1}, {"a": 1}]
    assert refused.value.reply_code == 404


def test_proxy_passes_on_a_refusal_of_credentials(proxies: Proxies, broker: Broker) -> None:
    """As the broker gives it."""
    url = proxies.open(broker.url).replace("guest:guest", "somebody:else")

    with pytest.raises(AccessRefusedError, match="ACCESS_REFUSED"):
        Connection(url, "through the proxy")


def test_proxy_passes_on_that_a_client_is_gone(proxies: Proxies, broker: Broker) -> None:
    """What a crashed client had in hand is in the queue again."""
    with pika.BlockingConnection(pika.URLParameters(broker.url)) as witness:
        seen = witness.channel()
        queue = str(seen.queue_declare("", auto_delete=False, durable=True).method.queue)
        crashes = Connection(proxies.open(broker.url), "crashes")
        channel = crashes.channel()
        channel.send(spec.Basic.Publish(routing_key=queue), body=b"x")
        get = spec.Basic.Get(queue=queue), spec.Basic.GetOk, spec.Basic.GetEmpty
        wait_until(lambda: isinstance(channel.call(*get), spec.Basic.GetOk), "the message was delivered", within=10)

        crashes.abort()

        wait_until(lambda: seen.queue_declare(queue, passive=True).method.message_count, "it is back", within=10)
        seen.queue_delete(queue)


def test_proxy_of_a_broker_that_is_down_hangs_up(proxies: Proxies) -> None:
    """As the broker's own port would, and at once."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = proxies.open(f"amqp://127.0.0.1:{nobody.getsockname()[1]}")

        with pytest.raises(ConnectError):
            Connection(url, "through the proxy", patience=5)


def test_proxy_reads_only_what_is_not_encrypted(proxies: Proxies) -> None:
    """amqps:// is refused before anything is opened."""
    with pytest.raises(ValueError, match="amqp:// only"):
        proxies.open("amqps://host")
