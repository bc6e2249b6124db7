"""Brokers with a configuration of the user's: real ones, with files after the kinds that people have."""

import io
import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from fixtures.brokers import Broker, BrokerError, prepare
from fixtures.brokers.disposable import DisposableBroker
from fixtures.brokers.external import ExternalBroker
from fixtures.brokers.local import LocalNode, _view, find_server
from fixtures.brokers.node import DisposableNode
from fixtures.brokers.targets import parse
from fixtures.configuration import Configuration
from fixtures.faults import restart
from fixtures.faults.register import Restart
from fixtures.housekeeping import owners
from fixtures.housekeeping.waiting import NotEstablished
from fixtures.scene.scene import Scene
from fixtures.suite.run import run_of
from tests.harness.conftest import CATALOGUE, Project

#: Settings after the kinds that people have, by what they are about. All boot one broker together, as a conf.d.
KINDS = {
    "listeners": "listeners.tcp.default = 5672\nnum_acceptors.tcp = 10\ntcp_listen_options.backlog = 128\n",
    "tls": "listeners.ssl.default = 5671\nssl_options.cacertfile = /nowhere/ca.pem\nssl_options.verify = verify_peer\n",
    "external": "auth_mechanisms.1 = EXTERNAL\nssl_cert_login_from = common_name\n",
    "ldap": "auth_backends.1 = ldap\nauth_ldap.servers.1 = ldap.example\nauth_ldap.log = network\n",
    "proxy": "proxy_protocol = true\n",
    "peers": "cluster_formation.peer_discovery_backend = classic_config\n"
    "cluster_formation.classic_config.nodes.1 = rabbit@somewhere\ncluster_name = ours\n",
    "partition": "cluster_partition_handling = pause_minority\n",
    "loopback": "loopback_users.guest = true\n",
    "sockets": "tcp_listen_options.nodelay = true\ntcp_listen_options.exit_on_close = false\n",
    "distribution": "distribution.listener.port_range.min = 25672\nnet_ticktime = 30\n",
    "everywhere": "listeners.tcp.1 = 5673\nlisteners.tcp.other = 0.0.0.0:5674\nlisteners.ssl.2 = 5675\n"
    "distribution.listener.interface = 0.0.0.0\n",
    "user": "default_user = ops\ndefault_pass = $(OPS_PASSWORD)\n",
    "vhost": "default_vhost = shop\n",
    "tags": "default_user_tags.administrator = true\n",
    "permissions": "".join(f"default_permissions.{may} = .*\n" for may in ("configure", "read", "write")),
    "quiet": "log.console.level = warning\nlog.connection.level = error\n",
    "files": "log.dir = /var/log/shop\nlog.file = shop.log\nlog.file.rotation.size = 10485760\n",
    "exchange": "log.exchange = true\n",
    "elsewhere": "load_definitions = /etc/rabbitmq/definitions.json\n",
    "comments": "# a comment\n" * 100_000 + "reverse_dns_lookups = false\n",
    "locator": "queue_master_locator = min-masters\n",
    "memory": "vm_memory_high_watermark.relative = 0.7\nvm_memory_high_watermark_paging_ratio = 0.8\n",
    "disk": "disk_free_limit.absolute = 1MB\n",
    "heartbeat": "heartbeat = 25\n",
    "channels": "channel_max = 128\nframe_max = 131072\n",
    "timeout": "consumer_timeout = 7200000\n",
    "statistics": "collect_statistics_interval = 10000\n",
    "management": "management.tcp.port = 15672\nmanagement.tcp.ip = 0.0.0.0\nmanagement.rates_mode = none\n",
    "mqtt": "mqtt.listeners.tcp.default = 1883\nmqtt.exchange = amq.topic\nmqtt.prefetch = 10\n",
    "prometheus": "prometheus.tcp.port = 15692\nprometheus.path = /metrics\n",
    "stomp": "stomp.default_user = guest\n",
    "streams": "stream.listeners.tcp.1 = 5552\nstream.initial_credits = 50000\n",
    "windows": "handshake_timeout = 15000\r\nqueue_index_embed_msgs_below = 4096\r\n",
}
#: And what opens ports to the whole machine in Erlang's own words.
ADVANCED = '[{rabbit, [{tcp_listeners, [{"0.0.0.0", 5676}]}]}, {kernel, [{inet_dist_use_interface, {0,0,0,0}}]}].'
#: What must be seen of them: settings of the application `rabbit`, as Erlang prints them.
SEEN = {
    "cluster_partition_handling": "pause_minority",
    "default_vhost": '<<"shop">>',
    "reverse_dns_lookups": "false",
    "heartbeat": "25",
    "channel_max": "128",
    "handshake_timeout": "15000",
}


@pytest.fixture
def booted(pytestconfig: pytest.Config, target_name: str) -> Iterator[Callable[..., Broker]]:
    """Boots a broker of the run's target with a configuration; it is removed in the end."""
    brokers: list[Broker] = []

    def boot(configuration: Configuration, target: str = target_name) -> Broker:
        settings = replace(run_of(pytestconfig).options.settings, configuration=configuration)
        broker = prepare(parse(target), settings, lambda _: None)
        brokers.append(broker)
        broker.start(lambda _: None)
        return broker

    yield boot
    for broker in brokers:
        broker.close()


def written(folder: Path, **files: str) -> list[Path]:
    """Files with these texts, by their names without the ending `.conf`, or with another."""
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / (name if "." in name else f"{name}.conf")).write_text(text)
    return [folder]


@pytest.fixture(scope="module")
def of_all_kinds(tmp_path_factory: pytest.TempPathFactory) -> Configuration:
    """The configuration of all kinds, in a folder with a name of its own."""
    files = written(tmp_path_factory.mktemp("configuration") / "grün", **KINDS, **{"advanced.config": ADVANCED})
    environment = {"OPS_PASSWORD": "correct horse", "LC_ALL": "C"}
    return Configuration.read(files, [files[0] / "advanced.config"], [], environment=environment)


@pytest.fixture(scope="module")
def configured(pytestconfig: pytest.Config, of_all_kinds: Configuration) -> Iterator[DisposableBroker]:
    """A broker of the run's target with it."""
    options = run_of(pytestconfig).options
    broker = prepare(options.targets[0], replace(options.settings, configuration=of_all_kinds), lambda _: None)
    if not isinstance(broker, DisposableBroker):
        pytest.skip("somebody else's broker has a configuration of its own")
    try:
        broker.start(lambda _: None)
        yield broker
    finally:
        broker.close()


def test_configurations_of_all_kinds_start(configured: Broker) -> None:
    """What decides over messages reaches the node; what is for another machine is named, and keeps nobody out."""
    asked = f"[element(2, application:get_env(rabbit, S)) || S <- [{', '.join(SEEN)}]]."
    assert "".join(configured.rabbitmqctl("eval", asked).split()) == f"[{','.join(SEEN.values())}]"
    left_out = {note.split("`")[1] for note in configured.notes if note.startswith("not taken over: ")}
    assert left_out >= {
        line.partition(" ")[0]
        for name in ("listeners", "tls", "external", "ldap", "proxy", "quiet", "files", "elsewhere")
        for line in KINDS[name].splitlines()
        if not line.startswith(("num_acceptors.tcp", "tcp_listen_options"))
    }


#: Of a virtual host `shop`: guest may not log in any more, a policy decides over every queue, a part is no good here.
DEFINITIONS = {
    "users": [{"name": "guest", "password": "changed", "tags": ""}],
    "vhosts": [{"name": "/"}, {"name": "shop"}],
    "policies": [
        {
            "vhost": "shop",
            "name": "short",
            "pattern": ".*",
            "apply-to": "queues",
            "priority": 0,
            "definition": {"max-length": 1},
        },
        {"vhost": "shop", "name": "bad", "pattern": "x", "apply-to": "all", "definition": {"no-such-key": 1}},
    ],
    "queues": [{"vhost": "shop", "name": "mine", "durable": True, "auto_delete": False, "arguments": {}}],
    "parameters": [{"vhost": "shop", "component": "shovel", "name": "moves", "value": {}}],
    "permissions": [{"user": "nobody", "vhost": "shop", "configure": ".*", "write": ".*", "read": ".*"}],
}

TESTS = """
TWO = ['no 1 x', 'no 2 x']

def full(scene):
    queue = scene.queue()
    queue.publish(*TWO)
    return queue

@claim("chapter.claim")
@after_restart(full, Restart.CLEAN)
def test_decided(arranged): assert arranged.drain().bodies == TWO

@claim("chapter.other")
def test_not_decided(scene): assert full(scene).drain().bodies == TWO

@claim("chapter.third")
def test_prefetch(scene):
    queues = [scene.queue() for _ in range(3)]
    for queue in queues:
        queue.publish("no 1 x")
    assert [queue.drain().bodies for queue in queues] == [["no 1 x"]] * 3
    assert scene.heartbeat_proposed() == 25
    assert scene.somebodys_queue("mine").exists
"""


@pytest.fixture
def usual_port_taken() -> Iterator[None]:
    """Somebody listens on 5672: it is no hindrance to a disposable broker, which has a port of its own."""
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError):  # it is taken already, by a broker of this machine's or by this test of another run
            taken.bind(("127.0.0.1", 5672))
            taken.listen()
        yield


def test_verdict_knows_whose_setting_it_was(
    project: Project, target_name: str, tmp_path: Path, usual_port_taken: None
) -> None:
    """A policy that decides over a claim is the reason; where none is known to, it is shown, and the run is red.

    Also: the configuration comes from a pipe and is gone when a worker boots the broker; the restart is proved although
    the node is not to log; the suite's own instruments say their own prefetch; the user and a part of the definitions
    are refused; it listens where it is expected, whatever the configuration says.
    """
    claim = CATALOGUE[CATALOGUE.index("[[claim]]") :]
    project.catalogue(
        CATALOGUE + 'settings = ["waiting"]\n' + claim.replace(".claim", ".other") + claim.replace(".claim", ".third")
    )
    (project.folder / "claims" / "settings.toml").write_text(
        '[[settings.waiting]]\nwhen = "policy.max-length < 10"\nbecause = "it is full"\nsource = "there"\n'
    )
    project.tests(TESTS)
    conf, advanced, pipe = tmp_path / "my.conf", tmp_path / "advanced.config", tmp_path / "export.json"
    conf.write_text("heartbeat = 25\nlog.console.level = warning\nlisteners.tcp.default = 5673\n")
    advanced.write_text("[{rabbit, [{default_consumer_prefetch, {false, 1}}]}].")
    os.mkfifo(pipe)

    run = project.start(
        "--rabbitmq", target_name, f"--rabbitmq-conf={conf}", f"--rabbitmq-definitions={pipe}",
        f"--rabbitmq-advanced={advanced}", "--rabbitmq-vhost=shop", "-n", "1",
    )  # fmt: skip
    pipe.write_text(json.dumps(DEFINITIONS))  # which is read last
    for file in (conf, advanced, pipe):
        file.unlink()
    output, error = run.communicate(timeout=120)

    verdicts = {case.case: (case.verdict, case.as_expected) for case in project.results.cases}
    assert verdicts == {
        "test_decided[clean]": ("refuted", True),
        "test_not_decided": ("refuted", False),
        "test_prefetch": ("holds", True),
    }, output + error
    [decided] = [case for case in project.results.cases if case.claim == "chapter.claim"]
    assert decided.reason == "because of your policy `short` (max-length 1, export.json): it is full"
    for words in (
        "yours:    your policy `short` (max-length 1, export.json)",
        "with my.conf, advanced.config, export.json",
        "- not taken over: `log.console.level` (my.conf:2): this node logs to where the suite reads it",
        "- not taken over: `listeners.tcp.default` (my.conf:3): ",
        "- not imported: policy `bad` in `shop` (export.json): ",
        "- not imported: parameter `shovel` `moves` in `shop` (export.json): ",
        "- not imported: permission of `nobody` in `shop` (export.json): ",
        "- connects as 'rabbitmq-claims', made for this run, because 'guest' is refused: ",
    ):
        assert words in " ".join(output.split()) or words in output, output


# What keeps everything from being put to the test is one clear error, at once. It is met behind the boot: of the broker
# that has booted already.


def set_up_again(broker: DisposableBroker, vhost: str) -> None:
    """What follows a boot, as if it had been one to test this virtual host."""
    configuration = replace(broker.settings.configuration, vhost=vhost)
    node = broker.node
    assert isinstance(node, DisposableNode)
    DisposableBroker(replace(broker.settings, configuration=configuration), node).set_up(lambda _: None)


@pytest.mark.parametrize(
    ("setting", "values", "words"),
    [
        (
            "rabbit_disk_monitor:set_disk_free_limit({}), rabbit_alarm:get_alarms().",
            ("50000000000000000", "1000000"),  # bytes
            ["blocks publishers from the start", "low on disk", "1MB` (disk.conf:1)"],
        ),
        (
            "application:set_env(rabbit, channel_max, {}).",
            ("1", "128"),
            ["it allows 1 channel(s) on a connection", "claims need"],
        ),
    ],
    ids=["alarm", "channels"],
)
def test_broker_on_which_nothing_can_be_tested(
    configured: DisposableBroker, setting: str, values: tuple[str, str], words: list[str]
) -> None:
    """It says why; of an alarm, which of the user's settings it may come from."""
    bad, usual = values
    configured.rabbitmqctl("eval", setting.format(bad))
    try:
        with pytest.raises(BrokerError) as error:
            set_up_again(configured, "shop")
    finally:
        configured.rabbitmqctl("eval", setting.format(usual))

    for word in words:
        assert word in str(error.value)


def test_virtual_host_that_is_not_there(configured: DisposableBroker) -> None:
    """Those that are there are named."""
    with pytest.raises(BrokerError, match=r"no virtual host 'shoop'; there are: .*shop"):
        set_up_again(configured, "shoop")


def test_limit_of_connections_says_what_the_run_needs(broker: Broker) -> None:
    """The broker's words, and how many connections this run has."""
    scene = Scene(broker)
    try:
        vhost = scene.operator.virtual_host()
        scene.operator.run("set_vhost_limits", f"--vhost={vhost}", '{"max-connections": 0}')
        limited = ExternalBroker(broker.settings, parse(broker.url.rpartition("/")[0] + f"/{vhost}"))

        with pytest.raises(NotEstablished, match=r"limit \(0\) is reached; this run has \d+ open and needs more"):
            limited.connect("one too many")
    finally:
        scene.close()


# Images.


@pytest.fixture
def image(docker_daemon: None, pytestconfig: pytest.Config, target_name: str) -> Iterator[Callable[[str], str]]:
    """Makes an image out of that of the run's target, with these lines of a Dockerfile; it is removed in the end."""
    from docker.models.images import Image

    from fixtures.brokers import container

    client = container.daemon()
    base = run_of(pytestconfig).options.settings.image.replace("{tag}", target_name)
    made: list[Image] = []

    def make(lines: str) -> str:
        built, _ = client.images.build(fileobj=io.BytesIO(f"FROM {base}\nUSER root\n{lines}".encode()))
        made.append(built)
        assert built.id
        built.tag(name := f"claims-{built.id[7:19]}")
        return f"image:{name}"

    yield make
    for each in made:
        client.images.remove(str(each.id), force=True)


def test_image_that_reads_its_settings_elsewhere(
    image: Callable[[str], str], booted: Callable[..., Broker], tmp_path: Path
) -> None:
    """A configuration that the node has not read is an error: nothing would be said of it."""
    configuration = Configuration.read(written(tmp_path / "conf.d", my="heartbeat = 25"), [], [])

    with pytest.raises(BrokerError, match=r"has not read your rabbitmq\.conf.*RABBITMQ_CONFIG_FILES"):
        booted(configuration, image("ENV RABBITMQ_CONFIG_FILES=/nowhere/*.conf\nUSER rabbitmq"))


def test_image_that_listens_elsewhere(image: Callable[[str], str], booted: Callable[..., Broker]) -> None:
    """Nobody waits for it: its boot is over."""
    terms = "[{rabbit,[{tcp_listeners,[5999]}]}]."

    with pytest.raises(BrokerError, match=r"has started, but does not listen on 5672.*:5999"):
        booted(Configuration(), image(f"RUN echo '{terms}' > /etc/rabbitmq/advanced.config\nUSER rabbitmq"))


def test_image_that_stays_when_it_is_asked_to_stop(
    image: Callable[[str], str], booted: Callable[..., Broker], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What keeps it is named, with what to do."""
    monkeypatch.setattr(restart, "_STOP", 1.0)
    command = """["sh", "-c", "trap '' TERM; /usr/lib/rabbitmq/bin/rabbitmq-server; true"]"""
    broker = booted(Configuration(), image(f"USER rabbitmq\nCMD {command}"))

    with pytest.raises(NotEstablished, match=r"PID 1 of the container is `sh -c trap '' TERM; .*exec"):
        Restart.CLEAN.restart(broker, lambda: None)


#: A real broker that has no rabbitmqctl, and calls itself otherwise.
OTHER_BROKER = r"""
RUN find / -xdev -name "rabbitmqctl*" -not -path "/proc/*" -delete
RUN printf '%s%s' '[{rabbit,[{server_properties,[{<<"product">>,longstr,<<"OtherMQ">>},' \
    '{<<"version">>,longstr,<<"1.2">>}]}]}].' > /etc/rabbitmq/advanced.config
USER rabbitmq
"""


def test_broker_that_is_no_rabbitmq(project: Project, image: Callable[[str], str]) -> None:
    """Everything that needs AMQP and a restart is put to the test; what needs rabbitmqctl is not applicable, and why.

    What entries say of versions is about RabbitMQ's.
    """
    needs = '[[claim.needs]]\nwhen = "version >= 3.8"\nbecause = "it is new"\nsource = "there"\n'
    deviates = '[[claim.deviations]]\nwhen = "version < 3.8"\nbecause = "it was not so"\nsource = "there"\n'
    project.catalogue(CATALOGUE + needs + deviates)
    project.tests(
        "def stored(scene):\n    queue = scene.queue()\n    queue.publish('no 1 x')\n    return queue\n"
        '@claim("chapter.claim")\n@after_restart(stored, Restart.CLEAN, Restart.KILL, Restart.APP, Restart.RESET)\n'
        "def test_stored(arranged): assert arranged.drain().bodies == ['no 1 x']\n"
        '@claim("chapter.claim")\ndef test_listed(scene): scene.operator.list_queues(scene.queue())\n'
    )

    run = project.run("--rabbitmq", image(OTHER_BROKER))

    assert run.code == 0, run.output
    assert "OtherMQ 1.2, container " in run.output
    assert {case.case: case.verdict for case in project.results.cases} == {
        "test_stored[clean]": "holds",
        "test_stored[kill]": "holds",
        "test_stored[app]": "not applicable",
        "test_stored[reset]": "not applicable",
        "test_listed": "not applicable",
    }
    assert {case.reason for case in project.results.cases} == {
        "", f"container {project.results.targets[0].detail} has no rabbitmqctl"
    }  # fmt: skip


# Nothing on this machine is opened by a private node.


@pytest.fixture
def node(configured: DisposableBroker, of_all_kinds: Configuration) -> Iterator[LocalNode]:
    """A private node whose configuration opens ports to the whole machine, for itself and for its plugins."""
    if isinstance(configured.node, LocalNode):
        yield configured.node
        return
    scripts = find_server()
    if scripts is None:
        pytest.skip("no rabbitmq-server is installed")
    settings = replace(configured.settings, configuration=of_all_kinds)
    node = LocalNode(settings, scripts)
    broker = DisposableBroker(settings, node)
    try:
        broker.start(lambda _: None)
        yield node
    finally:
        broker.close()


def test_a_private_node_listens_on_loopback_only(node: LocalNode) -> None:
    """Whatever its configuration says: every socket of its processes, its epmd among them."""
    assert node._folder is not None

    listening = {
        (process.name(), connection.laddr.ip)
        for process in owners._processes(node._folder.path)
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }

    assert node.taken_over.plugins == (
        "rabbitmq_management", "rabbitmq_mqtt", "rabbitmq_prometheus", "rabbitmq_stomp", "rabbitmq_stream"
    )  # fmt: skip
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
    """Also those that are enabled, and what is needed by what it needs; all else of the installation is there."""
    apps = {"rabbit": "kernel,\n  ra", "ra": "aten,rabbit", "aten": "", "rabbitmq_stomp": "rabbit", "rabbitmq_top": "x"}
    apps["x"] = ""
    scripts = installed(tmp_path / "home", apps)

    seen = _view(scripts, tmp_path / "view", plugins=["rabbitmq_top"])

    assert seen == tmp_path / "view" / "sbin"
    assert (seen / "rabbitmq-server").resolve() == scripts / "rabbitmq-server"
    assert (tmp_path / "view" / "escript").is_dir()
    plugins = list((tmp_path / "view" / "plugins").iterdir())
    assert {plugin.name for plugin in plugins} == {"rabbit-1.0", "ra-1.0", "aten-1.0", "rabbitmq_top-1.0", "x-1.0"}
    assert all((plugin / "ebin").is_dir() for plugin in plugins)


def test_a_server_that_is_installed_in_another_way_is_used_as_it_is(tmp_path: Path) -> None:
    """Nobody can tell what it is made of."""
    scripts = installed(tmp_path / "home", {"rabbitmq_stomp": "rabbit"})

    assert _view(scripts, tmp_path / "view", plugins=()) == scripts
    assert not (tmp_path / "view").exists()
