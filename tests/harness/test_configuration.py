"""The user's configuration: what is read, what is taken over, and what is refused before anything starts."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from fixtures.claims.conditions import IsSet
from fixtures.configuration import Configuration, Setting
from fixtures.configuration.complaints import complaints
from fixtures.configuration.configuration import TakenOver
from fixtures.configuration.decisions import decisions
from fixtures.configuration.erlang import TermError, parse
from fixtures.configuration.known import versions_that_know
from tests.harness.conftest import Project

#: The plugins that are installed.
PLUGINS = ("rabbitmq_management", "rabbitmq_mqtt")

HERE = "this node listens on 127.0.0.1 only, on a port of ours"
NO_TLS = "the suite's clients connect without TLS"
NO_FILE = "no such file here"
NO_PEERS = "this node has no peers"
WHO = "the suite's clients log in with a user and a password that the node itself knows"
LOGS = "this node logs to where the suite reads it"


def configured(folder: Path, conf: str = "", advanced: str = "", **definitions: Any) -> Configuration:
    """The configuration of files with these texts."""
    (folder / "my.conf").write_text(conf)
    (folder / "advanced.config").write_text(advanced)
    (folder / "export.json").write_text(json.dumps(definitions))
    return Configuration.read(
        [folder / "my.conf"] if conf else [],
        [folder / "advanced.config"] if advanced else [],
        [folder / "export.json"] if definitions else [],
    )


def taken(folder: Path, conf: str = "", advanced: str = "") -> TakenOver:
    """What is taken over of them."""
    return configured(folder, conf, advanced).taken_over(PLUGINS)


# What is not taken over.


@pytest.mark.parametrize(
    ("line", "because"),
    [
        ("listeners.tcp.1 = 5672", HERE),
        ("listeners.tcp.other=0.0.0.0:5672", HERE),
        ("  listeners.tcp = none", HERE),
        ("listeners.ssl.default = 5671", HERE),
        ("distribution.listener.interface = 0.0.0.0", HERE),
        ("erlang.distribution.interface = 0.0.0.0", HERE),
        ("mqtt.listeners.tcp.1 = :::1883", HERE),
        ("stream.listeners.ssl.1 = 5551", HERE),
        ("tcp_listen_options.port = 5672", HERE),
        ("management.tcp.port = 15672", HERE),
        ("management.listener.ip = 0.0.0.0", HERE),
        ("prometheus.ssl.port = 15691", HERE),
        ("web_stomp.port = 15674", HERE),
        ("web_mqtt.tcp.listener = 0.0.0.0:15675", HERE),
        ("proxy_protocol = true", HERE),
        ("ssl_options.cacertfile = /nowhere/ca.pem", NO_FILE),
        ("ssl_options.verify = verify_peer", NO_TLS),
        ("ssl_cert_login_from = common_name", NO_TLS),
        ("cluster_formation.classic_config.nodes.1 = rabbit@a", NO_PEERS),
        ("cluster_formation.peer_discovery_backend = k8s", NO_PEERS),
        ("auth_backends.1 = ldap", WHO),
        ("management.oauth_enabled = true", WHO),
        ("auth_mechanisms.1 = EXTERNAL", WHO),
        ("auth_ldap.servers.1 = ldap.example", WHO),
        ("log.file = /var/log/mine", LOGS),
        ("log.console.level = warning", LOGS),
        ("log.connection.level = none", LOGS),
        ("include /nowhere/*.conf", NO_FILE),
        ("stomp.default_user = guest", "rabbitmq_stomp is not installed here"),
        ("load_definitions = /nowhere/d.json", "no such file here, nor beside it: --rabbitmq-definitions names one"),
    ],
)
def test_what_belongs_to_another_machine_is_not_taken_over(tmp_path: Path, line: str, because: str) -> None:
    """It is named with its place and the reason, and all around it is taken over."""
    found = taken(tmp_path, f"# mine\n{line}\r\nheartbeat = 33")

    assert found.rabbitmq_conf() == "heartbeat = 33\n"
    name = "include" if line.startswith("include") else line.partition("=")[0].strip()
    assert [str(setting) for setting in found.left_out] == [f"not taken over: `{name}` (my.conf:2): {because}"]


@pytest.mark.parametrize(
    "line",
    [
        "num_acceptors.tcp = 5",
        "tcp_listen_options.backlog = 128",
        "management.rates_mode = none",
        "mqtt.exchange = amq.topic",
        "log.exchange = true",
        "default_user = me",
        "loopback_users.guest = false",
        "vm_memory_high_watermark.relative = 0.6",
        "cluster_partition_handling = pause_minority",
        "default_pass = 'a = # b'",
        "listeners of mine",
        "no_such_setting = 1",
    ],
)
def test_what_decides_over_messages_is_taken_over_to_the_letter(tmp_path: Path, line: str) -> None:
    """Also what looks like a listener and is none, and what RabbitMQ is to reject."""
    assert taken(tmp_path, line) == TakenOver(
        conf=configured(tmp_path, line).conf,
        plugins=tuple(plugin for plugin in PLUGINS if line.startswith(plugin.removeprefix("rabbitmq_"))),
    )
    assert taken(tmp_path, line).rabbitmq_conf(["ours = 1"]) == f"{line}\nours = 1\n"


def test_advanced_config_is_taken_over_without_what_listens(tmp_path: Path) -> None:
    """Ours comes in front; the user's terms stay as they are, with their comments gone."""
    found = taken(
        tmp_path,
        advanced="""%% mine
        [{rabbit, [{tcp_listeners, [5672]}, % here
                   {default_consumer_prefetch, {false, 1}},
                   {'quoted', #{<<"a">> => [1, 2.5e3, $x]}}]},
         {rabbitmq_shovel, [{shovels, []}]},
         {kernel, [{inet_dist_listen_min, 9100}, {net_ticktime, 30}]}].""",
    )

    assert found.advanced_config({"rabbit": ["{ssl_listeners, []}"]}).splitlines() == [
        "[",
        """  {rabbit, [{ssl_listeners, []}, {default_consumer_prefetch, {false, 1}}, """
        """{'quoted', #{<<"a">> => [1, 2.5e3, $x]}}]},""",
        "  {kernel, [{net_ticktime, 30}]}",
        "].",
    ]
    assert [str(each) for each in found.left_out] == [
        f"not taken over: `rabbit.tcp_listeners` (advanced.config:2): {HERE}",
        "not taken over: `rabbitmq_shovel.shovels` (advanced.config:5): rabbitmq_shovel is not installed here",
        f"not taken over: `kernel.inet_dist_listen_min` (advanced.config:6): {HERE}",
    ]


# Several files, and what one says of another.


def test_files_of_a_folder_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    """As RabbitMQ reads a conf.d; what they include stands where they include it."""
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "more").write_text("heartbeat = 2\n")
    (tmp_path / "conf.d" / "90-b.conf").write_text("heartbeat = 3\n")
    (tmp_path / "conf.d" / "10-a.conf").write_text("heartbeat = 1\ninclude ../more\n")
    (tmp_path / "conf.d" / "notes.txt").write_text("no setting")

    found = Configuration.read([tmp_path / "conf.d"], [], []).taken_over(())

    assert found.rabbitmq_conf() == "heartbeat = 1\nheartbeat = 2\nheartbeat = 3\n"


@pytest.mark.parametrize(
    ("conf", "advanced"),
    [
        ("load_definitions = /etc/rabbitmq/d.json", ""),
        ("management.load_definitions = '/etc/rabbitmq/d.json'", ""),
        ("definitions.local.path = /etc/rabbitmq/d.json", ""),
        ("", '[{rabbit, [{load_definitions, "/etc/rabbitmq/d.json"}]}].'),
        ("", '[{rabbitmq_management, [{load_definitions, "/etc/rabbitmq/d.json"}]}].'),
    ],
)
def test_definitions_come_from_beside_the_file_that_names_them(tmp_path: Path, conf: str, advanced: str) -> None:
    """Where the file says they are is on another machine."""
    (tmp_path / "d.json").write_text('{"vhosts": [{"name": "mine"}]}')

    found = configured(tmp_path, conf, advanced)

    assert [definitions.content for definitions in found.definitions] == [{"vhosts": [{"name": "mine"}]}]
    assert found.files == (tmp_path / ("my.conf" if conf else "advanced.config"), tmp_path / "d.json")
    assert found.taken_over(PLUGINS).advanced == ()
    assert found.taken_over(PLUGINS).left_out == ()


@pytest.mark.parametrize(
    ("conf", "environment", "user", "password", "vhost"),
    [
        ("", {}, "guest", "guest", "/"),
        ("default_user = me\ndefault_pass = 'x#y'\ndefault_vhost = v", {}, "me", "x#y", "v"),
        ("default_user = me\ndefault_user = you", {}, "you", "guest", "/"),
        ("default_pass = $(PW)", {"PW": "secret"}, "guest", "secret", "/"),
        ("default_user = me", {"RABBITMQ_DEFAULT_USER": "you"}, "you", "guest", "/"),
    ],
)
def test_credentials_are_those_that_the_node_makes(
    tmp_path: Path, conf: str, environment: dict[str, str], user: str, password: str, vhost: str
) -> None:
    """Those of rabbitmq.conf, with the variables filled in."""
    (tmp_path / "my.conf").write_text(conf)

    found = Configuration.read([tmp_path / "my.conf"], [], [], environment=environment)

    assert (found.user, found.password, found.vhost, found.default_vhost) == (user, password, vhost, vhost)


def test_an_export_of_one_virtual_host_is_for_the_one_that_is_tested(tmp_path: Path) -> None:
    """Its entries do not say where they belong."""
    [definitions] = configured(tmp_path, queues=[{"name": "q"}, {"name": "r", "vhost": "there"}]).definitions

    assert definitions.in_vhost("here").content == {
        "queues": [{"vhost": "here", "name": "q"}, {"vhost": "there", "name": "r"}]
    }


def test_virtual_hosts_that_are_not_tested_are_known(tmp_path: Path) -> None:
    """Those in which something of the definitions decides over messages."""
    found = configured(
        tmp_path,
        vhosts=[{"name": "/"}, {"name": "a", "default_queue_type": "quorum"}, {"name": "b"}, {"name": "c"}],
        policies=[{"vhost": "/", "name": "p"}, {"vhost": "c", "name": "q"}, {"vhost": "c", "name": "r"}],
    )

    assert found.untested_vhosts == ["c", "a"]


def test_digest_tells_configurations_apart(tmp_path: Path) -> None:
    """By all that they say, and by nothing else."""
    found = [
        configured(tmp_path, conf, advanced, **definitions)
        for conf, advanced, definitions in (
            ("heartbeat = 1", "", {}),
            ("heartbeat = 2", "", {}),
            ("heartbeat = 1", "[{rabbit, [{x, 1}]}].", {}),
            ("heartbeat = 1", "", {"queues": [{"name": "q"}]}),
        )
    ]

    assert len({each.digest for each in found}) == 4
    assert configured(tmp_path, "# a comment\nheartbeat = 1").digest == found[0].digest
    assert Configuration().digest == ""


# What decides over messages.


def policy(name: str, priority: int = 0, vhost: str = "/", pattern: str = "^claims", to: str = "all") -> dict[str, Any]:
    """A policy that sets a message TTL of its priority."""
    definition = {"message-ttl": priority}
    return {
        "vhost": vhost, "name": name, "pattern": pattern, "priority": priority, "apply-to": to, "definition": definition
    }  # fmt: skip


SAMPLES = {"queues": "claims-1-queue-1", "exchanges": "claims-1-exchange-1"}


@pytest.mark.parametrize(
    ("policies", "where"),
    [
        ([policy("low", 1), policy("high", 2)], "your policy `high` (message-ttl 2, export.json)"),
        ([policy("queues", 1, to="quorum_queues")], "your policy `queues` (message-ttl 1, export.json)"),
        ([policy("elsewhere", 1, vhost="x")], ""),
        ([policy("of others", 1, pattern="^orders")], ""),
        ([policy("refused", 2), policy("low", 1)], "your policy `low` (message-ttl 1, export.json)"),
        ([policy("broken", 1, pattern="(")], ""),
    ],
)
def test_the_policy_that_applies_decides(tmp_path: Path, policies: list[dict[str, Any]], where: str) -> None:
    """Of several the one with the highest priority, of those that the broker has taken."""
    configuration = configured(tmp_path, policies=policies)

    found = decisions(configuration, SAMPLES, refused={"policy `refused` in `/`"})

    assert [decision.where for decision in found.values()] == ([where] if where else [])


def test_everything_else_that_decides_has_its_place(tmp_path: Path) -> None:
    """Settings of both files, an operator's policy, a policy for exchanges, the virtual host's type of queues."""
    operator = {"pattern": "", "apply-to": "queues", "definition": {"max-length": 3}, "priority": 0}
    found = decisions(
        configured(
            tmp_path,
            "heartbeat =  10\nheartbeat = 20",
            "[{rabbit, [{default_consumer_prefetch, {false, 1}}]}].",
            vhosts=[{"name": "/", "default_queue_type": "quorum"}],
            policies=[
                {
                    "vhost": "/",
                    "name": "ae",
                    "pattern": "x",
                    "apply-to": "exchanges",
                    "definition": {"alternate-exchange": "a"},
                }
            ],
            parameters=[{"vhost": "/", "component": "operator_policy", "name": "most", "value": operator}],
        ),
        SAMPLES,
    )

    assert {name: (decision.value, decision.where) for name, decision in found.items()} == {
        "heartbeat": ("20", "your `heartbeat = 20` (my.conf:2)"),
        "default_consumer_prefetch": (
            "{false, 1}",
            "your `{default_consumer_prefetch, {false, 1}}` (advanced.config:1)",
        ),
        "policy.max-length": ("3", "your operator policy `most` (max-length 3, export.json)"),
        "policy.alternate-exchange": ("a", "your policy `ae` (alternate-exchange a, export.json)"),
        "default_queue_type": ("quorum", "your virtual host `/` (default queue type quorum, export.json)"),
    }


@pytest.mark.parametrize(
    ("condition", "value", "met"),
    [
        ("policy.expires", "1", True),
        ("policy.expires", None, False),
        ("heartbeat != 60", "60", False),
        ("heartbeat != 60", "0", True),
        ("heartbeat != 60", None, False),
        ("queue_type == quorum", "quorum", True),
        ("policy.max-length < 10", "9", True),
        ("policy.max-length < 10", "10", False),
        ("policy.max-length <= 10", "10", True),
        ("policy.max-length > 10", "11", True),
        ("policy.max-length >= 10", "9", False),
        ("policy.max-length < 10", "many", False),
    ],
)
def test_condition_on_a_setting(condition: str, value: str | None, met: bool) -> None:
    """What the user has not set meets none."""
    assert IsSet.read(condition).met(value) is met


@pytest.mark.parametrize("condition", ["", "a b", "a ==", "a < b", "a = 1"])
def test_condition_on_a_setting_that_is_none(condition: str) -> None:
    """It is quoted."""
    with pytest.raises(ValueError, match=re.escape(repr(condition))):
        IsSet.read(condition)


# What is refused.


@pytest.mark.parametrize(
    ("option", "content", "words"),
    [
        ("conf", b"\xef\xbb\xbfheartbeat = 1", ["byte order mark", "UTF-8"]),
        ("conf", b"heartbeat = 1\n# gr\xfc\xdfe\n", ["line 2", "not UTF-8", "0xfc"]),
        ("conf", b"%% old\n[\n {rabbit, []}\n].\n", ["old format", "--rabbitmq-advanced"]),
        ("conf", b"include file", ["includes itself"]),
        ("advanced", b"heartbeat = 1", ["no advanced.config", "line 1"]),
        ("advanced", b"", ["no advanced.config", "empty"]),
        ("advanced", b"[{rabbit, [{a, 1}]}]", ["full stop"]),
        ("advanced", b"[{rabbit, [{a, 1}].", ["`{` of line 1 is not closed"]),
        ("advanced", b"[{rabbit, 3}].", ["{application, [settings]}"]),
        ("advanced", b"[\n{rabbit, []},\n&].", ["line 3", "`&].`"]),
        ("definitions", b"[]", ["JSON object", "[]"]),
        ("definitions", b'"text"', ["JSON object", '"text"']),
        ("definitions", b'{"queues": [', ["no JSON", "line 1, column"]),
        ("definitions", b'{"queues": {}}', ["queues must be a list of objects"]),
        ("definitions", b'\xef\xbb\xbf{"queues": []}', ["byte order mark"]),
    ],
)
def test_file_that_rabbitmq_cannot_read_is_one_clear_error(
    project: Project, option: str, content: bytes, words: list[str]
) -> None:
    """It names the user's file, what it is, and what to do; nothing starts."""
    (project.folder / "file").write_bytes(content)

    project.run(f"--rabbitmq-{option}=file").assert_one_clear_error(str(project.folder / "file"), *words)


def test_folder_without_a_file_is_one_clear_error(project: Project) -> None:
    """A folder is a conf.d; for definitions and advanced.config it is nothing."""
    project.run("--rabbitmq-conf=tests").assert_one_clear_error("no *.conf in this folder")
    project.run("--rabbitmq-definitions=tests").assert_one_clear_error("tests", "Is a directory")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--rabbitmq-env=PASSWORD"], ["'PASSWORD'", "KEY=VALUE is needed"]),
        (["--rabbitmq-user=me"], ["'me'", "USER:PASSWORD is needed"]),
        (
            ["--rabbitmq=amqp://localhost", "--rabbitmq-plugins=rabbitmq_mqtt"],
            ["amqp://localhost", "are for brokers that the suite starts"],
        ),
    ],
)
def test_option_that_makes_no_sense_is_one_clear_error(
    project: Project, arguments: list[str], words: list[str]
) -> None:
    """Before anything starts."""
    project.tests('@claim("chapter.claim")\ndef test_it(scene): pass\n')

    project.run(*arguments).assert_one_clear_error(*words)


# What a node says against it.


def test_complaints_of_a_node_name_the_users_file(tmp_path: Path) -> None:
    """Its log names settings only, and knows a temporary copy."""
    found = taken(tmp_path, "# mine\nheartbeat = abc\ndefault_queue_type = quorum\nmore.x = $(X)\nno setting\n")
    log = (
        "2026-01-01 10:00:00.123456+00:00 [error] <0.130.0> You've tried to set default_queue_type, but there is no "
        "setting with that name.\n"
        "2026-01-01 10:00:00.123456+00:00 [error] <0.130.0>   Did you mean one of these?\n"
        "\nBOOT FAILED\n===========\n"
        "2026-01-01 10:00:00.123456+00:00 [error] <0.130.0>     default_user\n"
        "2026-01-01 10:00:00.123456+00:00 [error] <0.130.0>     default_vhost\n"
        "10:00:00.123 [error] Error transforming datatype for: heartbeat\n"
        "Error during startup: {error,failed_to_prepare_configuration}\n"
        '10:00:00.123 [error]   - "abc" cannot be converted to a(n) integer\n'
        "[error]   - Translation for 'rabbit.more' found invalid configuration: more.x is unsupported\n"
        "- 'more.x' substitution requires a config variable 'X' to be set\n"
        "Syntax error in /tmp/copy/rabbitmq.conf after line 4 column 1, parsing incomplete\n"
    )

    assert list(complaints(log, found)) == [
        "my.conf:3: this version knows no setting `default_queue_type`; RabbitMQ knows it since 3.12; near it: "
        "default_user, default_vhost",
        "my.conf:4: `more.x` needs the variable X: give it as --rabbitmq-env=X=VALUE",
        "my.conf:5: RabbitMQ cannot read `no setting`",
        'my.conf:2: Error transforming datatype for: heartbeat - "abc" cannot be converted to a(n) integer',
        "my.conf:4: Translation for 'rabbit.more' found invalid configuration: more.x is unsupported",
    ]


@pytest.mark.parametrize(
    ("setting", "versions"),
    [
        ("heartbeat", ""),
        ("default_queue_type", "RabbitMQ knows it since 3.12"),
        ("default_users.anybody.tags", "RabbitMQ knows it since 3.11"),
        ("management.enable_uaa", "RabbitMQ knows it until 3.11"),
        ("default_users.anybody.tags.more", ""),
    ],
)
def test_versions_that_know_a_setting(setting: str, versions: str) -> None:
    """Nothing of one that all know, or none."""
    assert versions_that_know(setting) == versions


# Erlang terms.


@pytest.mark.parametrize(
    "text",
    [
        "[].",
        "{f, fun m:f/1, m:f(https)}.",
        '"s" "t".',
        "%c\n{a, <<\"b\"/utf8>>, 'C d', -1, 16#ff}.\n%d",
        '["}", $}, #{a => b}].',
    ],
)
def test_term_is_read(text: str) -> None:
    """With brackets in texts, characters and comments."""
    assert parse(text).text == text.split("\n")[-2 if "%d" in text else -1].rstrip(".")


@pytest.mark.parametrize("text", ["", "[", "]", "[}.", "a b.", "a. b.", '"open', "A."])
def test_text_that_is_no_term_is_refused(text: str) -> None:
    """By one kind of error."""
    with pytest.raises(TermError):
        parse(text)


def test_setting_is_shown_without_its_value() -> None:
    """It may be a password."""
    assert str(Setting("default_pass", "s3cret", "default_pass = s3cret", Path("/x/my.conf"), 7)) == (
        "`default_pass` (my.conf:7)"
    )
