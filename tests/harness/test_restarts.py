"""A restart that did not happen as it was named is found out: the claim is not established, never held."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pika.frame
import pytest
from pika import spec

from fixtures.brokers import Broker, Restart, base, prepare
from fixtures.brokers.container import ContainerBroker
from fixtures.brokers.local import LocalBroker
from fixtures.housekeeping.waiting import NotEstablished, wait_until
from fixtures.suite.options import OPTIONS


@pytest.fixture(scope="module")
def own_broker(pytestconfig: pytest.Config) -> Iterator[Broker]:
    """A broker that these tests may mistreat."""
    options = pytestconfig.stash[OPTIONS]
    broker = prepare(options.targets[0], options.settings, lambda _: None)
    try:
        broker.start(lambda _: None)
        yield broker
    finally:
        broker.close()


@pytest.mark.parametrize("kind", [Restart.CLEAN, Restart.KILL, Restart.APP])
def test_restart_happens_as_named_and_says_how_it_knows(own_broker: Broker, kind: Restart) -> None:
    """The report has the proof: exit code and log, and how old connections ended."""
    report = own_broker.restart(kind)

    assert report.kind is kind
    assert ("320 CONNECTION_FORCED" in report.proof) is (kind is not Restart.KILL)
    assert "old connections ended with" in report.proof


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="only Linux shows a process's threads")
def test_frozen_node_does_nothing_more(own_broker: Broker) -> None:
    """Not one of its threads goes on, however busy it was: what is sent to it now can't be read before the kill."""
    busy = own_broker.connect("keeps it busy")
    channel = busy.channel()
    noise = pika.frame.Method(channel.number, spec.Basic.Qos(prefetch_count=1)).marshal() * 500

    for _ in range(20):
        with suppress(BlockingIOError):
            busy.socket.send(noise)
        own_broker.freeze()
        try:
            states = threads(own_broker)
        finally:
            own_broker.resume()
        assert len(states) > 1
        assert set(states) <= {"T", "Z"}
        with suppress(BlockingIOError):
            busy.socket.recv(1 << 20)
    busy.abort()


def threads(broker: Broker) -> list[str]:
    """The state of every thread of the node, in the kernel's letters."""
    if isinstance(broker, LocalBroker):
        pids = [str(broker._beam.pid)]
    else:
        assert isinstance(broker, ContainerBroker)
        pids = [pid for [pid] in broker._running.top(ps_args="-eo pid")["Processes"]]
    states = []
    for file in (file for pid in pids for file in Path("/proc", pid, "task").glob("*/stat")):
        with suppress(OSError):  # it has just been collected
            states.append(file.read_text().rpartition(")")[2].split()[0])
    return states


def stop_that_is_a_kill(broker: Broker, patch: pytest.MonkeyPatch) -> Restart:
    patch.setattr(broker, "_terminate", broker._kill)
    return Restart.CLEAN


def kill_that_is_a_stop(broker: Broker, patch: pytest.MonkeyPatch) -> Restart:
    patch.setattr(broker, "freeze", lambda: None)
    patch.setattr(broker, "_kill", broker._terminate)
    return Restart.KILL


def stop_that_does_not_happen(broker: Broker, patch: pytest.MonkeyPatch) -> Restart:
    patch.setattr(broker, "_terminate", lambda: None)
    patch.setattr(broker, "_start_again", lambda: None)
    patch.setattr(broker, "_exit_code", lambda: 0)
    return Restart.CLEAN


def kill_that_does_not_happen(broker: Broker, patch: pytest.MonkeyPatch) -> Restart:
    patch.setattr(broker, "freeze", lambda: None)
    patch.setattr(broker, "_kill", lambda: None)
    patch.setattr(broker, "_start_again", lambda: None)
    patch.setattr(broker, "_exit_code", lambda: 137)
    return Restart.KILL


def kill_that_comes_late(broker: Broker, patch: pytest.MonkeyPatch) -> Restart:
    kill, usual = broker._kill, base._STOP

    def kill_at_last() -> None:
        patch.setattr(base, "_STOP", usual)
        kill()

    patch.setattr(broker, "_kill", lambda: patch.setattr(broker, "_kill", kill_at_last))
    patch.setattr(base, "_STOP", 1.0)
    return Restart.KILL


def kill_of_a_node_that_ends_by_itself(broker: Broker, patch: pytest.MonkeyPatch) -> Restart:
    def halt() -> None:
        with suppress(subprocess.CalledProcessError):  # rabbitmqctl gets no answer
            broker.rabbitmqctl("eval", "erlang:halt(3).")

    if broker.killed_with is None:
        pytest.skip("nobody knows how a node of this kind ended")
    patch.setattr(broker, "freeze", lambda: None)
    patch.setattr(broker, "_kill", halt)
    return Restart.KILL


def stop_of_a_node_that_the_engine_restarts(broker: Broker, patch: pytest.MonkeyPatch) -> Restart:
    stop = broker._stop

    def stop_and_start(kind: Restart, while_frozen: Callable[[], None], seen: int) -> base.Proof:
        proof = stop(kind, while_frozen, seen)
        broker._start_again()
        return proof

    patch.setattr(broker, "_stop", stop_and_start)
    return Restart.KILL


def app_that_only_hangs_up(broker: Broker, patch: pytest.MonkeyPatch) -> Restart:
    rabbitmqctl = broker.rabbitmqctl
    patch.setattr(
        broker,
        "rabbitmqctl",
        lambda command: rabbitmqctl("close_all_connections", "stopping") if command == "stop_app" else "",
    )
    return Restart.APP


def app_that_goes_on(broker: Broker, patch: pytest.MonkeyPatch) -> Restart:
    named = "has a client-provided name: witness"
    before = broker.log().count(named)

    def does_nothing(*_: str) -> str:
        # rabbitmqctl would take longer than such a line takes to the log; without one, nobody knows what is logged.
        wait_until(lambda: broker.log().count(named) > before, "the log has the witness's connection", within=10)
        return ""

    patch.setattr(broker, "rabbitmqctl", does_nothing)
    return Restart.APP


def app_that_goes_on_and_logs_nothing(broker: Broker, patch: pytest.MonkeyPatch) -> Restart:
    patch.setattr(broker, "log", lambda: "")
    patch.setattr(broker, "rabbitmqctl", lambda *_: "")
    patch.setattr(base, "_WITNESS", 1.0)
    return Restart.APP


def app_that_is_a_new_process(broker: Broker, patch: pytest.MonkeyPatch) -> Restart:
    restart = broker.restart
    patch.setattr(broker, "rabbitmqctl", lambda command: restart(Restart.CLEAN).said if command == "stop_app" else "")
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
    sabotage: Callable[[Broker, pytest.MonkeyPatch], Restart],
    found_out_by: str,
) -> None:
    """Neither a clean stop nor a kill nor stop_app is taken for another, nor nothing for one of them."""
    with monkeypatch.context() as patch:
        kind = sabotage(own_broker, patch)

        with pytest.raises(NotEstablished, match=found_out_by):
            own_broker.restart(kind)

    own_broker.wait_until_ready(lambda _: None)  # and the node is there again
