"""The transcripts: the document's programs as real processes, and what they print.

The document shows for each of its experiments what every program prints. Here the programs run, get their lines
typed, are blocked and killed for real, and must print the same.
"""

from fixtures.vocabulary import BUSY, Program, Scene, after_silence, claim


def bodies(*numbers: int) -> list[str]:
    """What a receiver prints for these messages."""
    return [f"b'no {number} Hello Basic Sender'" for number in numbers]


def sent(count: int) -> list[str]:
    """What a sender prints for this many lines."""
    return [f"{number} send success >>no {number} Hello Basic Sender" for number in range(1, count + 1)]


def enter(scene: Scene, sender: Program, times: int) -> None:
    """Press Enter this many times in a sender, and wait until it has said that all were sent."""
    sender.type(*[""] * times)
    scene.wait_for_lines(sender, times)


@claim("transcripts.basic-queue")
def test_basic_sender_and_receiver(scene: Scene) -> None:
    """Three lines typed: the sender reports three successes, the receiver prints three bodies as Python bytes."""
    queue = scene.queue(durable=False)
    sender = scene.program("basic_sender", queue)
    receiver = scene.subscribed_program("basic_receiver", queue)

    enter(scene, sender, 3)
    scene.wait_for_lines(receiver, 3)

    assert sender.end_of_input() == 0
    assert sender.printed == sent(3)
    assert receiver.printed == bodies(1, 2, 3)


@claim("transcripts.durable-queue")
def test_durable_sender_and_receiver(scene: Scene) -> None:
    """The durable programs print the same."""
    queue = scene.queue()
    sender = scene.program("durable_sender", queue)
    receiver = scene.subscribed_program("durable_receiver", queue)

    enter(scene, sender, 3)
    scene.wait_for_lines(receiver, 3)

    assert sender.end_of_input() == 0
    assert sender.printed == sent(3)
    assert receiver.printed == bodies(1, 2, 3)


@claim("transcripts.round-robin")
def test_two_receivers_take_turns(scene: Scene) -> None:
    """Of ten messages the first receiver prints 1, 3, 5, 7, 9 and the second 2, 4, 6, 8, 10."""
    queue = scene.queue()
    sender = scene.program("durable_sender", queue)
    first = scene.subscribed_program("durable_receiver", queue, name="first")
    second = scene.subscribed_program("durable_receiver", queue, name="second")

    enter(scene, sender, 10)
    scene.wait_until(lambda: len(first.printed + second.printed) >= 10, "the two have printed ten lines")

    assert first.printed == bodies(1, 3, 5, 7, 9)
    assert second.printed == bodies(2, 4, 6, 8, 10)


def busy_receiver_is_second(scene: Scene, heartbeat: int = 1) -> tuple[Program, Program]:
    queue = scene.queue()
    sender = scene.program("durable_sender", queue)
    idle = scene.subscribed_program("durable_receiver", queue, name="idle")
    busy = scene.subscribed_program("busy_receiver", queue, name="busy", heartbeat=heartbeat)
    enter(scene, sender, 10)
    scene.wait_for_lines(idle, 5)
    scene.wait_for_lines(busy, 2)
    return idle, busy


@claim("transcripts.busy-receiver")
@after_silence(busy_receiver_is_second)
def test_busy_receiver_loses_its_share_by_missed_heartbeats(scene: Scene, arranged: tuple[Program, Program]) -> None:
    """The busy one prints message 2 and that it is busy; the other prints its own five, and after a while the rest."""
    idle, busy = arranged

    with scene.waiting_for_heartbeats():
        scene.wait_for_lines(idle, 10)

    assert busy.printed == [*bodies(2), BUSY]
    assert idle.printed == bodies(1, 3, 5, 7, 9, 2, 4, 6, 8, 10)


@claim("transcripts.killed-receiver")
def test_killed_receiver_loses_its_share_at_once(scene: Scene) -> None:
    """When the busy one is killed the other prints the rest."""
    idle, busy = busy_receiver_is_second(scene, heartbeat=0)
    assert idle.printed == bodies(1, 3, 5, 7, 9)

    busy.kill()
    scene.wait_for_lines(idle, 10)

    assert busy.printed == [*bodies(2), BUSY]
    assert idle.printed == bodies(1, 3, 5, 7, 9, 2, 4, 6, 8, 10)


def balanced_receiver_is_first(scene: Scene) -> tuple[Program, Program, Program]:
    queue = scene.queue()
    sender = scene.program("durable_sender", queue)
    balanced = scene.subscribed_program("balanced_receiver", queue, name="balanced", heartbeat=1)
    idle = scene.subscribed_program("durable_receiver", queue, name="idle")
    enter(scene, sender, 10)
    scene.wait_for_lines(balanced, 2)
    return sender, balanced, idle


@claim("transcripts.balanced-receiver")
@after_silence(balanced_receiver_is_first)
def test_balanced_receiver_holds_one_message_only(scene: Scene, arranged: tuple[Program, Program, Program]) -> None:
    """The busy one prints message 1 only, the other 2 to 10, and after a while message 1."""
    sender, balanced, idle = arranged

    with scene.waiting_for_heartbeats():
        scene.wait_for_lines(idle, 10)

    sender.type("")  # what comes before the eleventh is all there was
    scene.wait_until(lambda: idle.printed[-1:] == bodies(11), "idle has printed the eleventh")
    assert balanced.printed == [*bodies(1), BUSY]
    assert idle.printed == bodies(2, 3, 4, 5, 6, 7, 8, 9, 10, 1, 11)
