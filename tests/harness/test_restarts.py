"""A restart that did not happen as it was named is found out: the claim is not established, never held."""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pika.frame
import pytest
from pika import spec

from fixtures.brokers import Broker, NotApplicable, prepare
from fixtures.brokers.container import ContainerNode
from fixtures.brokers.local import LocalNode
from fixtures.faults import restart
from fixtures.faults.fault import Fault, Occasion
from fixtures.faults.register import Restart
from fixtures.housekeeping.waiting import NotEstablished, wait_until
from fixtures.sabotage import SABOTAGES
from fixtures.sabotage.broker import SabotagedBroker
from fixtures.sabotage.proxy import Proxies
from fixtures.scene.scene import Scene
from fixtures.suite.run import run_of


@pytest.fixture(scope="module")
def own_broker(pytestconfig: pytest.Config) -> Iterator[Broker]:
    """A broker that these tests may mistreat."""
    options = run_of(pytestconfig).options
    broker = prepare(options.targets[0], options.settings, lambda _: None)
    try:
        broker.start(lambda _: None)
        yield broker
    finally:
        broker.close()


@pytest.mark.parametrize("kind", [Restart.CLEAN, Restart.APP])
def test_restart_happens_as_named_and_says_how_it_knows(own_broker: Broker, kind: Fault) -> None:
    """The report has the proof: exit code and log, and how old connections ended."""
    kind.happen(Occasion(own_broker))

    assert_says_how_it_knows(own_broker, kind)


def assert_says_how_it_knows(broker: Broker, kind: Fault) -> None:
    report = broker.restarts[-1]
    assert report.kind == kind.name
    assert ("320 CONNECTION_FORCED" in report.proof) is (kind is not Restart.KILL)
    assert "old connections ended with" in report.proof


def test_what_receivers_held_is_drained_soon_after_a_kill_that_says_how_it_knows(own_broker: Broker) -> None:
    """Many quorum queues elect their leaders at once, and some are asked before they know that their receivers died."""
    scene = Scene(own_broker)
    queues = [scene.queue("quorum") for _ in range(30)]
    first = scene.receiver("first", queues[0], acks=False)
    for queue in queues[1:]:
        scene.receiver("another", queue, acks=False, beside=first)
    for queue in queues:
        queue.publish("no 1 is held")
    scene.wait_for_deliveries(len(queues))
    held = time.monotonic()
    wait_until(lambda: time.monotonic() - held >= Restart.KILL.settled, "the queues have settled", within=60)

    Restart.KILL.happen(Occasion(own_broker, scenes=[scene]))

    assert [queue.drain().numbers for queue in queues] == [[1]] * len(queues)
    assert_says_how_it_knows(own_broker, Restart.KILL)
    scene.close()


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="only Linux shows a process's threads")
def test_frozen_node_does_nothing_more(own_broker: Broker) -> None:
    """Not one of its threads goes on, however busy it was: what is sent to it now can't be read before the kill."""
    busy = own_broker.connect("keeps it busy")
    channel = busy.channel()
    noise = pika.frame.Method(channel.number, spec.Basic.Qos(prefetch_count=1)).marshal() * 500

    for _ in range(20):
        with suppress(BlockingIOError):
            busy.socket.send(noise)
        own_broker.node.freeze()
        try:
            states = threads(own_broker)
        finally:
            own_broker.node.resume()
        assert len(states) > 1
        assert set(states) <= {"T", "Z"}
        with suppress(BlockingIOError):
            busy.socket.recv(1 << 20)
    busy.abort()


def threads(broker: Broker) -> list[str]:
    """The state of every thread of the node, in the kernel's letters."""
    if isinstance(broker.node, LocalNode):
        pids = [str(broker.node._beam.pid)]
    else:
        assert isinstance(broker.node, ContainerNode)
        pids = [pid for [pid] in broker.node._running.top(ps_args="-eo pid")["Processes"]]
    states = []
    for file in (file for pid in pids for file in Path("/proc", pid, "task").glob("*/stat")):
        with suppress(OSError):  # it has just been collected
            states.append(file.read_text().rpartition(")")[2].split()[0])
    return states


@pytest.mark.parametrize("sabotage", ["none", "stop-is-a-kill"])
def test_node_behind_a_proxy_dies_and_stands_still_as_it_does_without(own_broker: Broker, sabotage: str) -> None:
    """How it ends when it is killed is known, and what strains a node strains this one."""
    with Proxies() as proxies:
        node = SabotagedBroker(own_broker, SABOTAGES[sabotage](), proxies).node

        assert node.killed_with == own_broker.node.killed_with
        assert node.steady is own_broker.node.steady
        node.pause()
        try:
            wait_until(lambda: set(threads(own_broker)) <= {"T", "Z"}, "the node stands still", within=10)
        finally:
            node.resume()
        wait_until(lambda: not set(threads(own_broker)) <= {"T", "Z"}, "the node goes on", within=10)
        if isinstance(own_broker.node, ContainerNode):
            node.limit_cpu(2)
            own_broker.node._running.reload()
            assert own_broker.node._running.attrs["HostConfig"]["CpuQuota"] == 200_000
        else:
            with pytest.raises(NotApplicable, match="only that of a container"):
                node.limit_cpu(2)


def stop_that_is_a_kill(broker: Broker, patch: pytest.MonkeyPatch) -> Fault:
    patch.setattr(broker.node, "terminate", broker.node.kill)
    return Restart.CLEAN


def kill_that_is_a_stop(broker: Broker, patch: pytest.MonkeyPatch) -> Fault:
    patch.setattr(broker.node, "freeze", lambda: None)
    patch.setattr(broker.node, "kill", broker.node.terminate)
    return Restart.KILL


def stop_that_does_not_happen(broker: Broker, patch: pytest.MonkeyPatch) -> Fault:
    patch.setattr(broker.node, "terminate", lambda: None)
    patch.setattr(broker.node, "start", lambda: None)
    patch.setattr(broker.node, "exit_code", lambda: 0)
    return Restart.CLEAN


def kill_that_does_not_happen(broker: Broker, patch: pytest.MonkeyPatch) -> Fault:
    patch.setattr(broker.node, "freeze", lambda: None)
    patch.setattr(broker.node, "kill", lambda: None)
    patch.setattr(broker.node, "start", lambda: None)
    patch.setattr(broker.node, "exit_code", lambda: 137)
    return Restart.KILL


def kill_that_comes_late(broker: Broker, patch: pytest.MonkeyPatch) -> Fault:
    kill, usual = broker.node.kill, restart._STOP

    def kill_at_last() -> None:
        patch.setattr(restart, "_STOP", usual)
        kill()

    patch.setattr(broker.node, "kill", lambda: patch.setattr(broker.node, "kill", kill_at_last))
    patch.setattr(restart, "_STOP", 1.0)
    return Restart.KILL


def kill_of_a_node_that_ends_by_itself(broker: Broker, patch: pytest.MonkeyPatch) -> Fault:
    def halt() -> None:
        with suppress(subprocess.CalledProcessError):  # rabbitmqctl gets no answer
            broker.rabbitmqctl("eval", "erlang:halt(3).")

    if broker.node.killed_with is None:
        pytest.skip("nobody knows how a node of this kind ended")
    patch.setattr(broker.node, "freeze", lambda: None)
    patch.setattr(broker.node, "kill", halt)
    return Restart.KILL


def stop_of_a_node_that_the_engine_restarts(broker: Broker, patch: pytest.MonkeyPatch) -> Fault:
    strike = Restart.KILL.strike

    def strike_and_start(broker: Broker, go_on: Callable[[], None]) -> restart.Evidence:
        evidence = strike(broker, go_on)
        broker.node.start()
        return evidence

    patch.setattr(Restart.KILL, "strike", strike_and_start)
    return Restart.KILL


def app_that_only_hangs_up(broker: Broker, patch: pytest.MonkeyPatch) -> Fault:
    rabbitmqctl = broker.rabbitmqctl
    patch.setattr(
        broker,
        "rabbitmqctl",
        lambda command: rabbitmqctl("close_all_connections", "stopping") if command == "stop_app" else "",
    )
    return Restart.APP


def app_that_goes_on(broker: Broker, patch: pytest.MonkeyPatch) -> Fault:
    named = "has a client-provided name: witness"
    before = broker.log().count(named)

    def does_nothing(*_: str) -> str:
        # rabbitmqctl would take longer than such a line takes to the log; without one, nobody knows what is logged.
        wait_until(lambda: broker.log().count(named) > before, "the log has the witness's connection", within=10)
        return ""

    patch.setattr(broker, "rabbitmqctl", does_nothing)
    return Restart.APP


def app_that_goes_on_and_logs_nothing(broker: Broker, patch: pytest.MonkeyPatch) -> Fault:
    patch.setattr(broker.node, "log", lambda: "")
    patch.setattr(broker, "rabbitmqctl", lambda *_: "")
    patch.setattr(restart, "_WITNESS", 1.0)
    return Restart.APP


def app_that_is_a_new_process(broker: Broker, patch: pytest.MonkeyPatch) -> Fault:
    def rabbitmqctl(command: str) -> str:
        if command == "stop_app":
            Restart.CLEAN.happen(Occasion(broker))
        return ""

    patch.setattr(broker, "rabbitmqctl", rabbitmqctl)
    return Restart.APP


@pytest.mark.parametrize(
    ("sabotage", "found_out_by"),
    [
        (stop_that_is_a_kill, "was to be clean, but: .* no shutdown"),
        (kill_that_is_a_stop, "was to be killed, but its log says that it shut down"),
        (stop_that_does_not_happen, "was to be clean, but: exit code 0, no shutdown"),
        (kill_that_does_not_happen, "the same process as before"),
        (kill_that_comes_late, "until the node has stopped"),
        (kill_of_a_node_that_ends_by_itself, "was to be killed, but ended with exit code [03]"),
        (stop_of_a_node_that_the_engine_restarts, "somebody else has started the node again"),
        (app_that_only_hangs_up, "its log knows of no stop"),
        (app_that_goes_on, "its log knows of no stop"),
        (app_that_goes_on_and_logs_nothing, "until a connection from before the restart"),
        (app_that_is_a_new_process, "another process"),
    ],
)
def test_restart_that_is_something_else_is_found_out(
    own_broker: Broker,
    monkeypatch: pytest.MonkeyPatch,
    sabotage: Callable[[Broker, pytest.MonkeyPatch], Fault],
    found_out_by: str,
) -> None:
    """Neither a clean stop nor a kill nor stop_app is taken for another, nor nothing for one of them."""
    with monkeypatch.context() as patch:
        kind = sabotage(own_broker, patch)

        with pytest.raises(NotEstablished, match=found_out_by):
            kind.happen(Occasion(own_broker))

    own_broker.wait_until_ready(lambda _: None)  # and the node is there again
