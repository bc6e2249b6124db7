"""What a private node takes over: of a rabbitmq.conf all but where to listen, of the server all that it is made of."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from fixtures.brokers.conf import Conf
from fixtures.brokers.disposable import DisposableBroker
from fixtures.brokers.local import LocalNode, _without_plugins, find_server
from fixtures.brokers.ports import free_ports
from fixtures.housekeeping import owners
from fixtures.housekeeping.waiting import wait_until
from fixtures.suite.run import run_of


@pytest.mark.parametrize(
    "line",
    [
        "listeners.tcp.1 = 5672",
        "listeners.tcp.other=0.0.0.0:5672",
        "  listeners.tcp = none",
        "listeners.ssl.default = 5671",
        "distribution.listener.interface = 0.0.0.0",
        "erlang.distribution.interface = 0.0.0.0",
        "mqtt.listeners.tcp.1 = :::1883",
        "stream.listeners.ssl.1 = 5551",
        "tcp_listen_options.port = 5672",
        "management.tcp.port = 15672",
        "management.listener.ip = 0.0.0.0",
        "prometheus.ssl.port = 15691",
        "web_stomp.port = 15674",
        "web_mqtt.tcp.listener = 0.0.0.0:15675",
    ],
)
def test_what_says_where_to_listen_is_not_taken_over(tmp_path: Path, line: str) -> None:
    """It becomes a comment in its own line, and is named with the reason."""
    conf = taken(tmp_path, f"# mine\n{line}\r\nheartbeat = 33")

    assert conf.text.decode().replace("# " + line.strip(), "") == "# mine\n" + line[: -len(line.strip())] + (
        "\r\nheartbeat = 33"
    )
    assert conf.left_out == (
        f"not taken over: `{line.strip()}`: this node listens on 127.0.0.1 only, on a port of ours",
    )


def test_everything_else_is_taken_over_to_the_letter(tmp_path: Path) -> None:
    """Also what looks like a listener and is none, comments in any encoding, and what RabbitMQ is to reject."""
    text = (
        b"# listeners.tcp.1 = 5672, f\xfcr alle\r\n"
        b"num_acceptors.tcp = 5\n"
        b"tcp_listen_options.backlog = 128\n"
        b"management.rates_mode = none\n"
        b"ssl_options.verify = verify_none\n"
        b"listeners of mine"
    )
    (tmp_path / "my.conf").write_bytes(text)

    assert Conf.read(tmp_path / "my.conf") == Conf(text, ())


def taken(folder: Path, text: str) -> Conf:
    """What is taken over of a file with this text."""
    (folder / "my.conf").write_bytes(text.encode())
    return Conf.read(folder / "my.conf")


@pytest.fixture
def node(tmp_path: Path, pytestconfig: pytest.Config) -> Iterator[LocalNode]:
    """A private node whose rabbitmq.conf opens ports to the whole machine, in itself and in a file that it includes."""
    scripts = find_server()
    if scripts is None:
        pytest.skip("no rabbitmq-server is installed")
    first, second, third, fourth, fifth = free_ports(5)
    (tmp_path / "more.conf").write_text(
        f"listeners.tcp.2 = {first}\nlisteners.ssl.2 = {second}\ndistribution.listener.interface = 0.0.0.0\n"
    )
    conf = taken(
        tmp_path,
        f"loopback_users = none\nlisteners.tcp.1 = {third}\nlisteners.tcp.other = 0.0.0.0:{fourth}\n"
        f"listeners.ssl.default = {fifth}\ninclude {tmp_path}/more.conf\n",
    )
    settings = replace(run_of(pytestconfig).options.settings, conf=conf)
    node = LocalNode(settings, scripts)
    broker = DisposableBroker(settings, node)
    try:
        broker.start(lambda _: None)
        # It is ready when it listens for AMQP, and opens what else it listens on after that.
        wait_until(lambda: "Server startup complete" in node.log(), "the node's boot is over", within=10)
        yield node
    finally:
        broker.close()


def test_a_private_node_listens_on_loopback_only(node: LocalNode) -> None:
    """Whatever its rabbitmq.conf says: every socket of its processes, its epmd among them."""
    assert node._folder is not None

    listening = {
        (process.name(), connection.laddr.ip)
        for process in owners._processes(node._folder.path)
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }

    assert {name for name, _ in listening} == {"epmd", "beam.smp"}
    assert {address for _, address in listening} <= {"127.0.0.1", "::1"}


def installed(home: Path, apps: dict[str, str]) -> Path:
    """The scripts of a server that is installed with these Erlang applications, each with those that it needs."""
    for name, needs in apps.items():
        ebin = home / "plugins" / f"{name}-1.0" / "ebin"
        ebin.mkdir(parents=True)
        (ebin / f"{name}.app").write_text(f'{{application,{name},\n [{{vsn,"1.0"}},{{applications,[{needs}]}}]}}.\n')
    (home / "sbin").mkdir()
    for script in ("rabbitmq-server", "rabbitmqctl"):
        (home / "sbin" / script).touch()
    (home / "escript").mkdir()
    return home / "sbin"


def test_a_node_sees_what_the_server_is_made_of_and_no_other_plugins(tmp_path: Path) -> None:
    """Also what is needed by what it needs; all else of the installation is there."""
    scripts = installed(
        tmp_path / "home", {"rabbit": "kernel,\n  ra", "ra": "aten,rabbit", "aten": "", "rabbitmq_stomp": "rabbit"}
    )

    seen = _without_plugins(scripts, tmp_path / "view")

    assert seen == tmp_path / "view" / "sbin"
    assert (seen / "rabbitmq-server").resolve() == scripts / "rabbitmq-server"
    assert (tmp_path / "view" / "escript").is_dir()
    plugins = list((tmp_path / "view" / "plugins").iterdir())
    assert {plugin.name for plugin in plugins} == {"rabbit-1.0", "ra-1.0", "aten-1.0"}
    assert all((plugin / "ebin").is_dir() for plugin in plugins)


def test_a_server_that_is_installed_in_another_way_is_used_as_it_is(tmp_path: Path) -> None:
    """Nobody can tell what it is made of."""
    scripts = installed(tmp_path / "home", {"rabbitmq_stomp": "rabbit"})

    assert _without_plugins(scripts, tmp_path / "view") == scripts
    assert not (tmp_path / "view").exists()
