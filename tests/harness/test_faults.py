"""What can go wrong in getting a broker: one clear error each, in bounded time, and nothing left behind."""

import socket
import time
from pathlib import Path

import pytest

from fixtures.brokers import Broker, BrokerError, prepare
from fixtures.brokers.targets import Target
from fixtures.suite.run import run_of
from tests.harness.conftest import Project

TEST = '@claim("chapter.claim")\ndef test_claim(scene): scene.queue()\n'


@pytest.fixture
def project(project: Project) -> Project:
    """A project with one test that needs a broker."""
    project.tests(TEST)
    return project


def scripts(folder: Path, server: str) -> Path:
    """A folder with a `rabbitmq-server` that does what is said, and a `rabbitmqctl`."""
    for name, body in (("rabbitmq-server", server), ("rabbitmqctl", "exit 69")):
        script = folder / name
        script.write_text(f"#!/bin/sh\n{body}\n")
        script.chmod(0o755)
    return folder


def test_image_that_does_not_exist(project: Project, docker_daemon: None) -> None:
    """The image is named, and the ways out."""
    run = project.run("--rabbitmq", "image:no-such-image-anywhere:1")

    run.assert_one_clear_error("no-such-image-anywhere:1", "cannot be pulled", "--rabbitmq local")


@pytest.mark.parametrize("answer", ["refuses", "hangs"])
def test_daemon_that_does_not_answer(project: Project, answer: str) -> None:
    """The daemon's address is named, and the ways out; a daemon that hangs costs seconds."""
    with socket.socket() as daemon:
        daemon.bind(("127.0.0.1", 0))
        if answer == "hangs":
            daemon.listen()
        began = time.monotonic()

        run = project.run("--rabbitmq", "4.1", DOCKER_HOST=f"tcp://127.0.0.1:{daemon.getsockname()[1]}")

        assert time.monotonic() - began < 30
        run.assert_one_clear_error("no Docker daemon answers", "DOCKER_HOST", "--rabbitmq local")


def test_local_without_a_server(project: Project, tmp_path: Path) -> None:
    """The folder is named, and the ways out."""
    run = project.run("--rabbitmq", f"local:{tmp_path}")

    run.assert_one_clear_error("no rabbitmq-server", str(tmp_path), "apt-get install rabbitmq-server")


def test_server_that_exits_at_once(project: Project, tmp_path: Path, pytestconfig: pytest.Config) -> None:
    """It is noticed in under 2 s, with exit code and log."""
    folder = scripts(tmp_path, f"echo I cannot go on >&2; touch {tmp_path}/exits; exit 3")
    broker = prepare(Target("local", str(folder)), run_of(pytestconfig).options.settings, lambda _: None)

    with pytest.raises(BrokerError, match="exited with 3"):
        broker.start(lambda _: None)
    noticed = time.time() - (tmp_path / "exits").stat().st_mtime
    broker.close()
    run = project.run("--rabbitmq", f"local:{folder}")

    assert noticed < 2
    run.assert_one_clear_error("exited with 3", "I cannot go on")


def test_container_that_exits_at_once(project: Project, exiting_image: str) -> None:
    """The same for a container."""
    run = project.run("--rabbitmq", f"image:{exiting_image}")

    run.assert_one_clear_error("exited with 3", "I cannot go on")


def test_server_that_never_gets_ready(project: Project, tmp_path: Path) -> None:
    """After the deadline that was asked for, with the last attempt's reason and the log."""
    folder = scripts(tmp_path, "echo still thinking; exec sleep 600")

    run = project.run("--rabbitmq", f"local:{folder}", "--rabbitmq-boot-timeout", "4")

    run.assert_one_clear_error("not ready within 4 s", "ConnectionRefused", "still thinking")


def test_wrong_credentials(project: Project, broker: Broker) -> None:
    """The user is named, the password is not."""
    url = broker.url.replace("guest:guest", "somebody:s3cret")

    run = project.run("--rabbitmq", url)

    run.assert_one_clear_error("refuses user 'somebody'", "ACCESS_REFUSED")
    assert "s3cret" not in run.output


def test_host_that_refuses(project: Project) -> None:
    """A port that nobody listens on."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))

        run = project.run("--rabbitmq", f"amqp://127.0.0.1:{unused.getsockname()[1]}")

    run.assert_one_clear_error("cannot be reached", "ConnectionRefused", "Is it running")


def test_config_that_rabbitmq_rejects(project: Project, target_name: str, tmp_path: Path) -> None:
    """The setting and its place in the user's file are in the error, with what RabbitMQ has that is like it."""
    conf = tmp_path / "broken.conf"
    conf.write_text("# mine\nheartbeats = 1\n")

    run = project.run("--rabbitmq", target_name, f"--rabbitmq-conf={conf}")

    run.assert_one_clear_error("does not start", "broken.conf:2", "`heartbeats`", "near it: heartbeat")
