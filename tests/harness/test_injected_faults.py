"""A fault that was not there is found out: the claim that rests on it is not established, neither held nor refuted.

Each fault is taken away here in the ways in which it could get lost: a receiver that beats though it is to be silent, a
goodbye instead of a reset, a program that is not blocked, an end that is another than the one named.
"""

import os
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
from pika import frame

from fixtures.brokers import Broker
from fixtures.faults import proofs as faults
from fixtures.faults.alarm import Alarm
from fixtures.faults.fault import Occasion
from fixtures.faults.proofs import BUSY
from fixtures.faults.register import ALARMS, POLICIES
from fixtures.housekeeping.waiting import NotEstablished
from fixtures.ledger.operating import Runs
from fixtures.ledger.receiving import Answers, Crashes, IsKilled
from fixtures.sabotage import SABOTAGES
from fixtures.sabotage.broker import SabotagedBroker
from fixtures.sabotage.proxy import Proxies
from fixtures.scene import program
from fixtures.scene.program import Program
from fixtures.scene.queue import Queue
from fixtures.scene.receiver import Receiver
from fixtures.scene.scene import Scene
from fixtures.scene.verdicts import Refuted
from fixtures.wire import connection
from tests.harness.conftest import Project

HEARTBEAT = frame.Heartbeat().marshal()

#: Asks a node for the alarms that it has.
ALARMED = "rabbit_alarm:get_alarms()."

linux = pytest.mark.skipif(not Path("/proc/self/net/tcp").exists(), reason="only Linux shows its connections")


@pytest.fixture
def scene(broker: Broker) -> Iterator[Scene]:
    """A scene that belongs to no claim."""
    scene = Scene(broker)
    yield scene
    scene.close()


@pytest.fixture
def receiver(scene: Scene) -> Receiver:
    """A receiver with a heartbeat, for whatever is to happen to it."""
    return scene.receiver("receiver", scene.queue(), heartbeat=60)


# Silence.


def test_silence_is_proved(scene: Scene, receiver: Receiver) -> None:
    """A silent receiver has sent nothing, as the ledger keeps it, and may speak again when it is asked."""
    receiver.fall_silent()
    scene.pump()
    scene.prove_faults()

    assert receiver.answers()
    scene.prove_faults()
    answered = scene.ledger.events[-1]
    assert isinstance(answered, Answers)
    assert answered.silent.endswith(" s, sent nothing")


def goes_on(receiver: Receiver) -> None:
    receiver._connection.silent = False
    receiver._connection.send_bytes(HEARTBEAT)


def beats_past_the_client(receiver: Receiver) -> None:
    receiver._connection.socket.send(HEARTBEAT)


@pytest.mark.parametrize("does", [goes_on, pytest.param(beats_past_the_client, marks=linux)])
@pytest.mark.parametrize("looks", [Receiver.prove_faults, Receiver.answers], ids=["in the end", "when it answers"])
def test_silence_that_was_none_is_found_out(
    receiver: Receiver, does: Callable[[Receiver], None], looks: Callable[[Receiver], object]
) -> None:
    """A heartbeat is enough, also one that the client knows nothing of."""
    receiver.fall_silent()
    does(receiver)

    with pytest.raises(NotEstablished, match="receiver was to be silent, but sent 8 bytes"):
        looks(receiver)


def test_silence_that_was_none_is_found_out_by_the_clients_count(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the kernel tells nothing, what the client has sent is known."""
    monkeypatch.setattr(faults, "tcp_info", lambda _wire: None)
    receiver.fall_silent()
    goes_on(receiver)

    with pytest.raises(NotEstablished, match="receiver was to be silent, but sent 8 bytes"):
        receiver.prove_faults()


def test_silence_needs_a_connection_that_is_kept_open(receiver: Receiver) -> None:
    """A receiver that hangs up is none that the broker has to wait for."""
    receiver.fall_silent()
    receiver._connection.socket.close()

    with pytest.raises(NotEstablished, match="receiver was to be silent, but closed its socket"):
        receiver.prove_faults()


def test_receiver_is_not_silent_while_rabbitmqctl_runs(scene: Scene) -> None:
    """A command may take longer than the broker waits for heartbeats; they are sent meanwhile."""
    receiver = scene.receiver("receiver", scene.queue(), heartbeat=2)
    before = receiver._connection.bytes_sent
    scene.broker.rabbitmqctl("eval", "timer:sleep(4000).")

    assert receiver._connection.bytes_sent > before
    assert receiver.answers()


# The abort.


class Relay:
    """Passes on what one client and the broker say to each other, and keeps how the client's connection ended."""

    def __init__(self, broker: Broker) -> None:
        there = urlsplit(broker.url)
        self.end = ""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._upstream = socket.create_connection((there.hostname or "", there.port or 5672))
        self.url = there._replace(netloc=f"guest:guest@127.0.0.1:{self._listener.getsockname()[1]}").geturl()
        self._threads = [threading.Thread(target=self._to_broker)]
        self._threads[0].start()

    def _to_broker(self) -> None:
        client, _ = self._listener.accept()
        self._threads.append(threading.Thread(target=self._to_client, args=(client,)))
        self._threads[1].start()
        try:
            while said := client.recv(65536):
                self._upstream.sendall(said)
            self.end = "goodbye"
        except ConnectionResetError:
            self.end = "reset"
        with suppress(OSError):
            self._upstream.shutdown(socket.SHUT_RDWR)

    def _to_client(self, client: socket.socket) -> None:
        # What the broker makes of the end, which may be a reset too, is not looked at.
        with client, self._upstream, self._listener, suppress(OSError):
            while said := self._upstream.recv(65536):
                client.sendall(said)

    def ended(self) -> str:
        """How it ended: "reset" or "goodbye"."""
        for thread in self._threads:
            thread.join(10)
        return self.end


def test_crash_is_a_reset_for_the_other_end(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes is a reset, with no goodbye (FIN) before it, which would make it an orderly end."""
    queue, relay = scene.queue(), Relay(scene.broker)
    with monkeypatch.context() as patch:
        patch.setattr(scene.broker, "url", relay.url)
        receiver = scene.receiver("receiver", queue)

    receiver.crash()

    assert relay.ended() == "reset"


@pytest.fixture
def undo() -> Iterator[list[Callable[[], None]]]:
    """What a test has to put right in the end."""
    undo: list[Callable[[], None]] = []
    yield undo
    for step in undo:
        step()


Undo = list[Callable[[], None]]


def closes_without_a_reset(_receiver: Receiver, patch: pytest.MonkeyPatch, _undo: Undo) -> None:
    patch.setattr(connection, "RESET", (0, 0))


def says_goodbye_first(receiver: Receiver, _patch: pytest.MonkeyPatch, _undo: Undo) -> None:
    # If the broker is quick to answer the goodbye, nobody is connected any more when the socket is closed.
    receiver._connection.socket.shutdown(socket.SHUT_WR)


def is_held_open_elsewhere(receiver: Receiver, _patch: pytest.MonkeyPatch, undo: Undo) -> None:
    other = os.dup(receiver._connection.socket.fileno())
    undo.append(lambda: os.close(other))


def is_not_closed(receiver: Receiver, patch: pytest.MonkeyPatch, _undo: Undo) -> None:
    patch.setattr(receiver._connection, "abort", lambda **_: None)


def closes_before(receiver: Receiver, _patch: pytest.MonkeyPatch, _undo: Undo) -> None:
    receiver.close()


@pytest.mark.parametrize(
    ("fault", "found"),
    [
        (closes_without_a_reset, r"its socket was set to say goodbye \(FIN\)"),
        pytest.param(says_goodbye_first, "its connection was in .* before|nobody saw its socket", marks=linux),
        pytest.param(is_held_open_elsewhere, "its connection is in ESTABLISHED", marks=linux),
        (is_not_closed, "nobody saw its socket being closed"),
        (closes_before, "connection closed: by itself"),
    ],
)
@pytest.mark.parametrize("books", ["netlink", "proc"])
def test_crash_that_was_none_is_found_out(
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    undo: Undo,
    fault: Callable[[Receiver, pytest.MonkeyPatch, Undo], None],
    found: str,
    books: str,
) -> None:
    """A goodbye is no crash, nor is a connection that lives on in another process or had ended before."""
    with monkeypatch.context() as patch:
        if books == "proc":
            patch.setattr(faults, "_netlink", lambda *_: 0)
        fault(receiver, patch, undo)

        with pytest.raises(NotEstablished, match=f"receiver was to crash, but:? ({found})"):
            receiver.crash()


@pytest.mark.parametrize("hidden", [(), ("_netlink",), ("_netlink", "_proc"), ("_netlink", "_proc", "tcp_info")])
def test_crash_is_proved_by_what_the_system_tells(
    scene: Scene, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, hidden: tuple[str, ...]
) -> None:
    """Where the kernel shows no connections, a socket that is set to be reset is enough; the ledger has the proof."""
    for name in hidden:
        monkeypatch.setattr(faults, name, lambda *_: None)

    receiver.crash()

    assert receiver.ended == "crashed: socket aborted"
    crashed = scene.ledger.events[-1]
    assert isinstance(crashed, Crashes)
    shown = "as its socket was set to do" if "_proc" in hidden else "its connection was gone at once"
    assert crashed.proof == f"reset, {shown}"


# The block.

PROGRAM = f"""
import time
print({BUSY!r}, flush=True)
while True:
    time.sleep(0.02)
    print("a beat", flush=True)
"""


def other_programs(folder: Path, source: str) -> Path:
    """A folder in which there is another program than the document's."""
    programs = folder / "other" / "fixtures" / "programs"
    programs.mkdir(parents=True)
    (programs.parent / "__init__.py").touch()
    (programs / "__init__.py").touch()
    (programs / "other.py").write_text(source)
    return folder / "other"


def test_blocked_program_is_proved(scene: Scene) -> None:
    """The document's busy program does nothing from then on, and may be killed."""
    queue = scene.queue()
    busy = busy_with_heartbeat(scene, queue, 60)

    scene.prove_faults()
    busy.kill()
    scene.prove_faults()
    (killed,) = (event for event in scene.ledger.events if isinstance(event, IsKilled))
    assert killed.blocked.startswith("it woke ")


@pytest.mark.parametrize("looks", [Program.prove_faults, Program.kill], ids=["in the end", "before it is killed"])
def test_program_that_goes_on_is_found_out(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, looks: Callable[[Program], object]
) -> None:
    """One that only says that it is busy, and looks after its connection, is not blocked."""
    monkeypatch.setattr(program, "PROJECT", other_programs(tmp_path, PROGRAM))
    busy = scene.run_program("other", name="busy")
    scene.wait_for_lines(busy, 1)
    wakes = psutil.Process(busy._process.pid).num_ctx_switches
    before = wakes().voluntary
    scene.wait_until(lambda: wakes().voluntary > before + 5, "it has gone on")

    with pytest.raises(NotEstablished, match=r"busy was to be blocked, but it woke \d+ times"):
        looks(busy)


def test_program_that_dies_is_found_out(scene: Scene, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Messages that come back because the busy program is dead are not those of a busy one; killing it is too late."""
    monkeypatch.setattr(program, "PROJECT", other_programs(tmp_path, f"print({BUSY!r})"))
    busy = scene.run_program("other", name="busy")
    assert busy.wait() == 0

    with pytest.raises(NotEstablished, match="busy was to be blocked, but it has ended"):
        busy.prove_faults()
    with pytest.raises(NotEstablished, match="busy was to be blocked, but it has ended"):
        busy.kill()


def busy_with_heartbeat(scene: Scene, queue: Queue, heartbeat: int) -> Program:
    busy = scene.subscribed_program("busy_receiver", queue, name="busy", heartbeat=heartbeat)
    queue.publish("no 1 Hello")
    scene.wait_for_lines(busy, 2)
    return busy


def test_missed_heartbeats_are_the_reason_in_the_brokers_log(scene: Scene) -> None:
    """The broker closes a blocked program's connection, and says why."""
    queue = scene.queue()
    busy_with_heartbeat(scene, queue, 2)

    queue.wait_for(1)

    scene.prove_faults()
    said = rf"closing AMQP connection .*- busy of {queue}.*\n.*missed heartbeats"
    scene.wait_until(lambda: re.search(said, scene.broker_log()), "the broker has logged why")
    scene.prove_reasons()


def test_connection_that_ends_for_another_reason_is_found_out(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who lost its connection by an accident has missed no heartbeats."""
    queue = scene.queue()
    busy_with_heartbeat(scene, queue, 60)
    said = f"closing AMQP connection <0.1.0> (1.2.3.4:1 -> 1.2.3.4:2 - busy of {queue}):\nthe cable was cut\n"
    monkeypatch.setattr(scene.broker, "log", lambda _since: said)

    with pytest.raises(NotEstablished, match="busy was to miss heartbeats, but the broker's log says: the cable"):
        scene.prove_reasons()


# The alarm.


@pytest.mark.slow
def test_alarm_is_there_for_a_while(broker: Broker) -> None:
    """The node says so while those go on who wait for it; afterwards its limits are its own again."""
    limits = "{vm_memory_monitor:get_vm_memory_high_watermark(), rabbit_disk_monitor:get_disk_free_limit()}."
    before, during = broker.rabbitmqctl("eval", limits), list[str]()

    for alarm in ALARMS:
        alarm.happen(Occasion(broker, go_on=lambda: during.append(broker.rabbitmqctl("eval", ALARMED))))

    assert [re.findall("memory|disk", said) for said in during] == [["memory"], ["disk"]]
    assert broker.rabbitmqctl("eval", ALARMED).strip() == "[]"
    assert broker.rabbitmqctl("eval", limits) == before


@pytest.mark.slow
@pytest.mark.parametrize(("alarm", "enough"), [(ALARMS[0], "0.9"), (ALARMS[1], "1")], ids=["memory", "disk"])
def test_alarm_that_was_none_is_found_out(
    broker: Broker, monkeypatch: pytest.MonkeyPatch, alarm: Alarm, enough: str
) -> None:
    """A limit that the node is not beyond raises none, and nobody goes on."""
    monkeypatch.setattr(type(alarm), "beyond", enough)
    monkeypatch.setattr("fixtures.faults.alarm._NOTICES", 0.1)
    went_on: list[bool] = []

    with pytest.raises(NotEstablished, match=f"to have a {alarm.resource} alarm for a while, but has none"):
        alarm.happen(Occasion(broker, go_on=lambda: went_on.append(True)))

    assert not went_on


@pytest.mark.slow
def test_alarm_that_ends_too_early_is_found_out(broker: Broker) -> None:
    """Those who went on may have done so when it was over."""
    end_it = "vm_memory_monitor:set_vm_memory_high_watermark(0.9), timer:sleep(100), rabbit_alarm:get_alarms()."

    def end() -> None:
        broker.rabbitmqctl("eval", end_it)

    with pytest.raises(NotEstablished, match="to have a memory alarm for a while, but it was over too early"):
        ALARMS[0].happen(Occasion(broker, go_on=end))


@pytest.mark.slow
def test_alarm_is_nothing_for_somebody_elses_broker(project: Project, broker: Broker) -> None:
    """It would keep all from publishing who use it."""
    project.tests(
        "def waits(scene):\n    yield\n\n"
        '@claim("chapter.claim")\n@after_alarm(waits)\ndef test_it(arranged):\n    assert arranged is None\n'
    )

    run = project.run("--rabbitmq", broker.url)

    assert [case.verdict for case in project.results.cases] == ["not applicable"] * 2, run.output
    assert broker.rabbitmqctl("eval", ALARMED).strip() == "[]"


# The orderly ends.


def aborts(receiver: Receiver, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(receiver._connection, "close", receiver._connection.abort)


def does_nothing(receiver: Receiver, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(receiver._connection, "close", lambda: None)


@pytest.mark.parametrize(("fault", "found"), [(aborts, "aborted"), (does_nothing, "it is still open")])
def test_close_that_was_none_is_found_out(
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    fault: Callable[[Receiver, pytest.MonkeyPatch], None],
    found: str,
) -> None:
    """A connection that is not closed, or not with a goodbye, is not closed as AMQP wants it."""
    fault(receiver, monkeypatch)

    with pytest.raises(NotEstablished, match=f"was to close its connection as AMQP wants it, but: .*{found}"):
        receiver.close()


def channel_stays(receiver: Receiver, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(receiver._channel, "close", lambda: None)


def connection_goes_too(receiver: Receiver, patch: pytest.MonkeyPatch) -> None:
    close: Any = receiver._channel.close

    def close_both() -> None:
        close()
        receiver._connection.close()

    patch.setattr(receiver._channel, "close", close_both)


@pytest.mark.parametrize("fault", [channel_stays, connection_goes_too])
def test_close_of_a_channel_that_was_none_is_found_out(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, fault: Callable[[Receiver, pytest.MonkeyPatch], None]
) -> None:
    """The channel is closed, and the connection is not."""
    fault(receiver, monkeypatch)

    with pytest.raises(NotEstablished, match="was to close its channel, and not its connection, but did not"):
        receiver.close_channel()


def test_operator_closes_no_connection_that_has_ended(scene: Scene, receiver: Receiver) -> None:
    """Whoever died by another's hand was not closed by the operator."""
    receiver.crash()

    with pytest.raises(NotEstablished, match=r"the operator was to close .* of receiver, but: crashed"):
        scene.operator.close_connection(receiver)


# A broken broker is to be refuted: the fault was there, and it is for the broker to answer it.


@pytest.fixture
def broken(broker: Broker) -> Iterator[Callable[[str], Scene]]:
    """Makes a scene on a broker that breaks its word in the way named."""
    scenes: list[Scene] = []
    with Proxies() as proxies:

        def make(sabotage: str) -> Scene:
            scenes.append(Scene(SabotagedBroker(broker, SABOTAGES[sabotage](), proxies)))
            return scenes[-1]

        yield make
        for scene in scenes:
            scene.close()
            scene.broker.close()


def test_silence_that_the_broker_tolerates_was_one(broken: Callable[[str], Scene]) -> None:
    """The receiver was silent for long enough; that it is still connected refutes the broker."""
    scene = broken("silence-tolerated")
    receiver = scene.receiver("receiver", scene.queue(), heartbeat=1)
    receiver.fall_silent()

    with pytest.raises(Refuted):
        scene.wait_until(lambda: receiver.ended, "the broker has hung up", within=4.5)

    scene.prove_faults()


def test_operator_whom_the_broker_ignores_has_closed_the_connection(broken: Callable[[str], Scene]) -> None:
    """The connection was closed by rabbitmqctl's own words; that it is still open refutes the broker."""
    scene = broken("close-connection-closes-nothing")
    receiver = scene.receiver("receiver", scene.queue())

    scene.operator.close_connection(receiver)

    with pytest.raises(Refuted):
        scene.wait_until(lambda: receiver.ended, "the connection is closed", within=0.5)
    scene.prove_faults()


# Policies.


def done(scene: Scene, go_on: Callable[[], None]) -> None:
    """Have all that is planned done by the broker."""
    if reason := POLICIES.not_on(scene.broker):
        pytest.skip(reason)
    POLICIES.happen(Occasion(scene.broker, scenes=[scene], go_on=go_on))


def test_policies_that_are_planned_later_are_set_too(scene: Scene) -> None:
    """A policy is set, then changed, then removed; the ledger has each."""
    queue = scene.queue()
    policy = scene.operator.plan_policy(queue, {"max-length": 2})
    later: list[Callable[[], None]] = [
        lambda: scene.operator.plan_change(policy, {"max-length": 1}),
        lambda: scene.operator.plan_removal(policy),
        lambda: None,
    ]

    def go_on() -> None:
        scene.see_plans_done()
        later.pop(0)()

    done(scene, go_on)

    commands = [event.command[0] for event in scene.ledger.events if isinstance(event, Runs)]
    assert commands == ["set_policy", "set_policy", "clear_policy"]
    assert not later
    assert queue.name not in scene.broker.rabbitmqctl("-q", "list_policies")


def test_policy_that_is_refused_was_not_set(scene: Scene) -> None:
    """Whoever needs it has not got it; whoever asks whether it is refused has the broker's words."""
    wanted = scene.operator.plan_policy(scene.queue(), {"no-such-key": 1})
    asked = scene.operator.plan_policy(scene.queue(), {"max-length": "many"}, may_be_refused=True)
    with pytest.raises(NotEstablished, match="was not set yet"):
        print(asked.refused)

    with pytest.raises(NotEstablished, match=r"the broker refuses set_policy .*no-such-key.*not recognised"):
        done(scene, scene.see_plans_done)

    assert "no-such-key" in wanted.refused
    assert "many" in asked.refused


def test_policies_that_cannot_be_set_are_not(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """The call of rabbitmqctl fails: nothing is done, and nobody goes on."""
    scene.operator.plan_policy(scene.queue(), {"max-length": 1})
    monkeypatch.setattr(scene.broker, "rabbitmqctl_command", lambda: ["sh", "-c", "echo no node; exit 69"])

    with pytest.raises(NotEstablished, match="no policies could be set: no node"):
        done(scene, lambda: pytest.fail("somebody goes on"))


# The verdict.

SILENT = """
def falls_silent(scene):
    receiver = scene.receiver("receiver", scene.queue(), heartbeat=1)
    receiver.fall_silent()
    return receiver

@claim("chapter.claim")
@after_silence(falls_silent)
def test_it(scene, arranged):
    assert {expected}
"""

CRASHED = """
@claim("chapter.claim")
def test_it(scene):
    scene.receiver("receiver", scene.queue()).crash()
"""

BLOCKED = """
import psutil

@claim("chapter.claim")
def test_it(scene):
    busy = scene.run_program("other", name="busy")
    scene.wait_for_lines(busy, 1)
    wakes = psutil.Process(busy._process.pid).num_ctx_switches
    before = wakes().voluntary
    scene.wait_until(lambda: wakes().voluntary > before + 5, "it has gone on")
    assert {expected}
"""

BEATS_ON = f"""
fall_silent = Receiver.fall_silent

def beats(self):
    fall_silent(self)
    self._connection.silent = False
    self._connection.send_bytes({HEARTBEAT!r})

Receiver.fall_silent = beats
"""
NO_RESET = "connection.RESET = (0, 0)"
OTHER_PROGRAM = "program.PROJECT = Path(__file__).parent / 'other'"


@pytest.mark.parametrize(
    ("test", "fault", "reason"),
    [
        (SILENT.format(expected="arranged.ended"), BEATS_ON, "receiver was to be silent, but sent"),
        (SILENT.format(expected="not arranged.ended"), BEATS_ON, "receiver was to be silent, but sent"),
        (CRASHED, NO_RESET, "receiver was to crash, but its socket was set to say goodbye"),
        (BLOCKED.format(expected="not busy.printed"), OTHER_PROGRAM, "busy was to be blocked, but it woke"),
        (BLOCKED.format(expected="busy.printed"), OTHER_PROGRAM, "busy was to be blocked, but it woke"),
    ],
    ids=["silence-held", "silence-refuted", "crash-held", "block-refuted", "block-held"],
)
def test_claim_on_a_fault_that_was_not_there_is_not_established(
    project: Project, broker: Broker, test: str, fault: str, reason: str
) -> None:
    """Whatever the test would have said: the broker has not met what the claim is about."""
    project.tests(test)
    other_programs(project.folder, PROGRAM)
    project.plugin(
        "from pathlib import Path\nfrom fixtures.scene import program\nfrom fixtures.wire import connection\n"
        f"from fixtures.scene.receiver import Receiver\n\n{fault}\n"
    )

    run = project.run("--rabbitmq", broker.url)

    assert [case.verdict for case in project.results.cases] == ["not established"], run.output
    assert reason in project.results.cases[0].reason
    assert run.code == 1


def test_heartbeats_go_on_while_others_are_silent(project: Project, broker: Broker) -> None:
    """Also while arrangements only grow old: a receiver that beats is still there when the silent one is not."""
    project.tests(
        "def one_is_silent(scene):\n"
        '    beating, silent = (scene.receiver(name, scene.queue(), heartbeat=1) for name in ("beating", "silent"))\n'
        "    silent.fall_silent()\n"
        "    return beating, silent\n"
        '@claim("chapter.claim")\n@after_silence(one_is_silent)\n'
        "def test_it(arranged):\n"
        "    beating, silent = arranged\n"
        "    assert silent.ended\n"
        "    assert beating.answers()\n"
    )

    run = project.run("--rabbitmq", broker.url)

    assert [case.verdict for case in project.results.cases] == ["holds"], run.output
