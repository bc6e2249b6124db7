"""The user's own queues: how an export is read, which queues share their tests, and what profiles say."""

import json
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from fixtures.brokers import Broker
from fixtures.brokers.administrator import import_definitions
from fixtures.brokers.node import DisposableNode
from fixtures.configuration import Configuration
from fixtures.configuration.definitions import Definitions
from fixtures.housekeeping.commands import PROJECT
from fixtures.report import markdown, profiles
from fixtures.report.compare import profiles_changed
from fixtures.report.profiles import Fact
from fixtures.report.results import Results
from fixtures.suite import yours
from fixtures.your_queues.export import Export
from fixtures.your_queues.routing import Address, fits, misfits, routes
from fixtures.your_queues.shapes import chosen, shapes, surroundings
from fixtures.your_queues.subjects import YourQueues
from tests.harness import samples
from tests.harness.conftest import Project
from tests.harness.samples import profile, target

EXPORTS = PROJECT / "tests" / "harness" / "exports"


def export(**content: Any) -> Export:
    """What definitions say in which everything stands in `/`."""
    return Export.of([Definitions(Path("export.json"), content).in_vhost("/")])


def queue(name: str, **arguments: Any) -> dict[str, Any]:
    """A durable queue with these arguments, without their x-."""
    given = {f"x-{key.replace('_', '-')}": value for key, value in arguments.items()}
    return {"name": name, "durable": True, "auto_delete": False, "arguments": given}


def exchange(name: str, kind: str = "direct", **arguments: Any) -> dict[str, Any]:
    """A durable exchange with these arguments."""
    given = {key.replace("_", "-"): value for key, value in arguments.items()}
    return {"name": name, "type": kind, "durable": True, "arguments": given}


def binding(source: str, to: str, key: str = "", kind: str = "queue", **arguments: Any) -> dict[str, Any]:
    """A binding with these arguments."""
    given = {name.replace("_", "-"): value for name, value in arguments.items()}
    there = {"source": source, "destination": to, "destination_type": kind, "routing_key": key}
    return there | {"arguments": given}


def policy(name: str, pattern: str, priority: int = 0, apply_to: str = "all", **definition: Any) -> dict[str, Any]:
    """A policy with this definition."""
    given = {key.replace("_", "-"): value for key, value in definition.items()}
    return {"name": name, "pattern": pattern, "priority": priority, "apply-to": apply_to, "definition": given}


# Policies.


#: Queues, in a virtual host of their own, and policies of users and operators of which none, one or several match.
POLICIES: dict[str, list[dict[str, Any]]] = {
    "queues": [
        *(
            queue(name)
            for name in ("none", "user.low", "user.high", "user.other", "operator", "both.ttl", "both.ranked")
        ),
        queue("quorum", queue_type="quorum"),
        queue("stream", queue_type="stream"),
    ],
    "policies": [
        policy("low", "low$", max_length=3),
        policy("high", "high$", max_length=5),
        policy("other", "other$", message_ttl=9, overflow="drop-head"),
        policy("ttl", "ttl$", message_ttl=90_000, dead_letter_exchange="x"),
        policy("ranked", "ranked$", 1, max_length=9, expires=99_999),
        policy("outranked", "^both", -1, max_length=1, queue_mode="lazy"),
        policy("exchanges", "^(none|operator)$", 9, "exchanges", alternate_exchange="x"),
        policy("quorum", "^quorum$", 3, "quorum_queues", delivery_limit=2),
        policy("quorum too", "^quorum$", 1, "queues", delivery_limit=7),
        policy("classic", "^stream$", 3, "classic_queues", max_age="1D"),
        policy("stream", "^stream$", 1, "all", max_age="2D"),
    ],
    "operators": [
        policy("limits", "^user", 0, "queues", max_length=4, expires=88_888),
        policy("alone", "^operator$", 0, "queues", max_length=7),
        policy("both", "^both", 1, "queues", max_length=12, message_ttl=80_000),
        policy("both outranked", "^both", 0, "queues", max_length=2),
        policy("quorum", "^quorum$", 0, "queues", delivery_limit=4),
        policy("overflow", "ranked$", 2, "queues", overflow="reject-publish"),
    ],
}

#: What a broker says that applies to each queue of a virtual host, by name.
EFFECTIVE = """
Said = fun(Queue) ->
    [{{_, {{resource, _, queue, Name}}}}, {{_, Definition}}] =
        rabbit_amqqueue:info(Queue, [name, effective_policy_definition]),
    {{Name, case Definition of '' -> #{{}}; _ -> rabbit_data_coercion:to_map(Definition) end}}
end,
Queues = rabbit_amqqueue:list(<<"{vhost}">>),
io:format("claims:~ts~n", [rabbit_json:encode(maps:from_list([Said(Queue) || Queue <- Queues]))]).
"""


def test_policies_apply_and_are_merged_as_on_the_broker(broker: Broker) -> None:
    """The same definitions are read by us and imported by it. What it refuses of them does not apply."""
    if broker.out_of_reach:
        pytest.skip(broker.out_of_reach)
    vhost = f"claims {secrets.token_hex(4)}"
    content: dict[str, Any] = {
        "vhosts": [{"name": vhost}],
        "queues": [{"vhost": vhost, **each} for each in POLICIES["queues"]],
        "policies": [{"vhost": vhost, **each} for each in POLICIES["policies"]],
        "parameters": [
            {
                "vhost": vhost,
                "component": "operator_policy",
                "name": each["name"],
                "value": {key: value for key, value in each.items() if key != "name"},
            }
            for each in POLICIES["operators"]
        ],
    }
    definitions = Definitions(Path("export.json"), content)
    assert isinstance(broker.node, DisposableNode)

    refused = import_definitions(broker, broker.node, definitions)
    try:
        printed = broker.rabbitmqctl("eval", EFFECTIVE.format(vhost=vhost))
    finally:
        broker.rabbitmqctl("delete_vhost", vhost)

    said = json.loads(printed.partition("claims:")[2].splitlines()[0])
    ours = {each.name: dict(each.policy) for each in Export.of([definitions]).without(refused).queues}
    assert {name: ours[name] for name in said} == said
    assert len(said) >= len(POLICIES["queues"]) - 1  # before 3.9 there are no streams
    assert said["user.low"] == {"max-length": 3, "expires": 88_888}
    assert said["user.high"] == {"max-length": 4, "expires": 88_888}


def test_the_policy_of_the_highest_priority_applies_alone() -> None:
    """What only the other one says is not said; each type of queue has those that are for it."""
    found = export(
        queues=[queue("a"), queue("b", queue_type="quorum"), queue("c", queue_type="stream")],
        policies=[
            policy("low", "", max_length=5, message_ttl=9),
            policy("high", "^a", 2, "queues", max_length=7),
            policy("quorum", "", 3, "quorum_queues", delivery_limit=2),
            policy("exchanges", "", 9, "exchanges", alternate_exchange="x"),
        ],
        parameters=[
            {"component": "operator_policy", "name": "op", "value": policy("op", "a", 0, "queues", max_length=1)}
        ],
    )

    assert [dict(each.policy) for each in found.queues] == [
        {"max-length": 1},
        {"delivery-limit": 2},
        {"max-length": 5, "message-ttl": 9},
    ]
    assert found.queues[0].policies == ("high", "op")


def test_policies_of_the_same_priority_are_rivals() -> None:
    """Which of them applies, no export says; a lower one has nothing to do with it, nor has an operator's."""
    found = export(
        queues=[queue("a"), queue("b")],
        policies=[policy("one", "", 2), policy("two", "a", 2), policy("low", "", 1)],
        operator_policies=[policy("op", "a", 2)],
    )

    assert [each.rivals for each in found.queues] == [("one", "two"), ()]


def test_an_operators_policies_of_either_kind_of_export_are_read() -> None:
    """Some exports have them among the parameters, some in a list of their own."""
    found = export(queues=[queue("a")], operator_policies=[policy("op", "a", 0, "queues", expires=9)])

    assert dict(found.queues[0].policy) == {"expires": 9}


# What is left out.


def test_what_is_not_the_users_or_talks_to_others_is_left_out_and_said() -> None:
    """Federated and shovelled queues, and those of plugins; each with the reason."""
    found = export(
        queues=[queue(name) for name in ("kept", "fed.a", "moved", "amq.gen-Xy", "mqtt-subscription-aqos1")],
        policies=[policy("up", "^fed", federation_upstream_set="all")],
        parameters=[{"component": "shovel", "name": "mover", "value": {"src-queue": "moved", "src-uri": "amqp://x"}}],
    )

    assert [each.name for each in found.queues] == ["kept"]
    assert list(found.left_out) == [
        "`fed.a` in `/`: it is federated with another broker, by the policy `up`",
        "`moved` in `/`: the shovel `mover` moves its messages from or to another broker",
        "`amq.gen-Xy` in `/`: the broker has named it, for one connection",
        "`mqtt-subscription-aqos1` in `/`: it is an MQTT session's",
    ]


def test_what_is_left_out_still_gets_what_comes_to_it() -> None:
    """Dead letters go to a shovelled queue; to one that the broker has named nothing can be bound."""
    found = export(
        queues=[queue("work", dead_letter_exchange="dead"), queue("moved"), queue("amq.gen-Xy")],
        exchanges=[exchange("dead", "fanout")],
        bindings=[binding("dead", "moved"), binding("dead", "amq.gen-Xy")],
        parameters=[{"component": "shovel", "name": "mover", "value": {"src-queue": "moved", "src-uri": "amqp://x"}}],
    )

    there = surroundings(found, found.queues[0])

    assert (there.graves, [each.name for each in there.others]) == (("moved",), ["moved"])
    assert [each.to for each in there.bindings] == ["moved"]
    assert found.dangling == ()


def test_bindings_without_both_ends_are_known_at_the_one_that_is_there() -> None:
    """Exports that people write have such; those of the default exchange are everybody's, and no bindings of theirs."""
    found = export(
        queues=[queue("q", dead_letter_exchange="x")],
        exchanges=[exchange("x", "fanout")],
        bindings=[binding("", "q", "q"), binding("gone", "q", "a"), binding("x", "gone", "b")],
    )

    assert found.bindings == ()
    assert [each.key for each in found.dangling_at(found.queues[0])] == ["a"]
    assert [each.key for each in found.dangling_at(found.exchanges["/", "x"])] == ["b"]
    assert surroundings(found, found.queues[0]).graves == ()


def test_nothing_of_the_users_is_contacted(tmp_path: Path) -> None:
    """No shovel, no upstream, no user and no password comes to a disposable broker."""
    file = tmp_path / "export.json"
    secret = "amqp://user:secret@home"
    content = {
        "users": [{"name": "me", "password_hash": "secret"}],
        "queues": [{"vhost": "/"} | queue("kept"), {"vhost": "/"} | queue("fed")],
        "exchanges": [{"vhost": "/"} | exchange("kept")],
        "policies": [{"vhost": "/"} | policy("up", "", federation_upstream="home", max_length=7)],
        "parameters": [
            {"component": "shovel", "vhost": "/", "name": "mover", "value": {"src-queue": "x", "src-uri": secret}},
            {"component": "federation-upstream", "vhost": "/", "name": "home", "value": {"uri": secret}},
            {"component": "operator_policy", "vhost": "/", "name": "op", "value": policy("op", "", expires=99_999)},
        ],
    }
    content["policies"][0]["pattern"] = "^kept$"
    content["policies"][0]["apply-to"] = "exchanges"
    file.write_text(json.dumps(content))
    given = Configuration.read([], [], [file])

    [made] = YourQueues.of(given, []).configuration(given).definitions

    assert "secret" not in made.bytes.decode()
    assert "upstream" not in made.bytes.decode()
    assert {entry["name"] for entry in made.content["parameters"]} == {"op"}


# Routing.


@pytest.mark.parametrize(
    ("pattern", "key", "taken"),
    [
        ("a.*.c", "a.b.c", True),
        ("a.*.c", "a.c", False),
        ("#", "", True),
        ("a.#", "a", True),
        ("a.#", "a.b.c", True),
        ("a.#.d", "a.d", True),
        ("*", "", False),  # an empty key has no word: split_topic_key in rabbit_exchange_type_topic.erl
        ("a", "a.b", False),
    ],
)
def test_topics(pattern: str, key: str, taken: bool) -> None:
    """As RabbitMQ matches them."""
    found = export(queues=[queue("q")], exchanges=[exchange("x", "topic")], bindings=[binding("x", "q", pattern)])

    assert routes(found, "/", "x", Address(key)) == ({"q"} if taken else set())


@pytest.mark.parametrize(
    ("how", "headers", "taken"),
    [
        ("all", {"a": 1, "b": 2}, True),
        ("all", {"a": 1}, False),
        ("any", {"a": 1}, True),
        ("any", {"a": 2}, False),
    ],
)
def test_headers(how: str, headers: Mapping[str, Any], taken: bool) -> None:
    """All of them, or any."""
    found = export(
        queues=[queue("q")],
        exchanges=[exchange("x", "headers")],
        bindings=[binding("x", "q", x_match=how, a=1, b=2)],
    )

    assert routes(found, "/", "x", Address("", headers)) == ({"q"} if taken else set())


@pytest.mark.parametrize("kind", ["direct", "topic", "headers"])
def test_samples_fit_and_misfit(kind: str) -> None:
    """What is tried with a binding comes by it, and what is not to come comes by no other."""
    found = export(
        queues=[queue("q")],
        exchanges=[exchange("x", kind)],
        bindings=[binding("x", "q", "a.*.#", x_match="all", a=1), binding("x", "q", "claims.#", x_match="any", b=2)],
    )
    for each in found.bindings:
        fit, misfit = fits(kind, each), misfits(found, found.exchanges["/", "x"], each)

        assert fit
        assert routes(found, "/", "x", fit) == {"q"}
        assert misfit
        assert routes(found, "/", "x", misfit) == set()


def test_where_everything_matches_there_is_no_misfit() -> None:
    """Neither for a fanout nor for a topic of everything."""
    found = export(
        queues=[queue("q")],
        exchanges=[exchange("x", "topic"), exchange("f", "fanout")],
        bindings=[binding("x", "q", "#"), binding("f", "q")],
    )

    assert misfits(found, found.exchanges["/", "x"]) is None
    assert misfits(found, found.exchanges["/", "f"], found.bindings[1]) is None


def test_routes_go_over_exchanges_and_alternates() -> None:
    """From exchange to exchange, and where nothing matches to the alternate one."""
    found = export(
        queues=[queue("q"), queue("rest")],
        exchanges=[
            exchange("x", "direct", alternate_exchange="alt"),
            exchange("y", "fanout"),
            exchange("alt", "fanout"),
        ],
        bindings=[binding("x", "y", "k", "exchange"), binding("y", "q"), binding("alt", "rest")],
    )

    assert routes(found, "/", "x", Address("k")) == {"q"}
    assert routes(found, "/", "x", Address("other")) == {"rest"}
    assert routes(found, "/", "", Address("q")) == {"q"}


# Shapes.


def test_queues_that_differ_in_their_names_share_their_tests() -> None:
    """Each with a dead letter queue of its own; one with another limit does not."""
    pairs = [
        each
        for name in ("a", "b")
        for each in (
            queue(name, dead_letter_exchange="", dead_letter_routing_key=f"{name}.dead"),
            queue(f"{name}.dead"),
        )
    ]
    found = export(queues=[*pairs, queue("c", max_length=1)])

    grouped = shapes(found, found.queues)

    assert [[member.queue.name for member in each.members] for each in grouped] == [
        ["a", "b"],
        ["a.dead", "b.dead"],
        ["c"],
    ]
    assert grouped[0].surroundings.names_for(grouped[0].members[1]) == {"a": "b", "a.dead": "b.dead"}


def test_a_policy_makes_another_shape() -> None:
    """What a policy says counts as what is declared."""
    found = export(queues=[queue("a"), queue("b")], policies=[policy("p", "b", max_length=1)])

    assert len(shapes(found, found.queues)) == 2


def test_dead_letters_that_go_round_are_found() -> None:
    """By way of a queue where they wait: how long they are away is known."""
    found = export(
        queues=[
            queue("work", dead_letter_exchange="", dead_letter_routing_key="retry"),
            queue("retry", dead_letter_exchange="", dead_letter_routing_key="work", message_ttl=2000),
        ]
    )
    there = surroundings(found, found.queues[0])

    assert there.round == ("work", "retry")
    assert there.round_trip == 2.0
    assert there.takes_time


@pytest.mark.parametrize(
    ("globs", "names"), [([], ["a", "b"]), (["a"], ["a"]), (["//b"], ["b"]), (["[ab]"], ["a", "b"]), (["c*"], [])]
)
def test_globs_choose_by_name_or_with_the_virtual_host(globs: list[str], names: list[str]) -> None:
    """`/` is a virtual host too."""
    found = export(queues=[queue("a"), queue("b")])

    assert [each.name for each in chosen(found, globs)] == names


# Profiles.


def test_dangers_come_first_and_say_where_it_is_not_so() -> None:
    """The sentence that a user reads."""
    dropped = Fact("given back", "after 21 deliveries a message is dropped", "lost")
    found = [profile("orders", "4.3", dropped), profile("orders", "3.10", Fact("given back", "a message comes again"))]

    [[answer]] = profiles.dangers(found).values()

    assert answer.told({"3.10": "3.10.8", "4.3": "4.3.6"}) == (
        "`orders`: on 4.3.6 after 21 deliveries a message is dropped (on 3.10.8: a message comes again)"
    )
    assert profiles.differences(found) == [answer]


def test_what_is_the_same_of_many_queues_is_one_line() -> None:
    """With their names, as far as anybody reads them."""
    found = [profile(f"q{n}", "4.3", Fact("full", f"`q{n}` is full", "lost")) for n in range(5)]

    [answer] = profiles.answers(found)

    assert answer.told({"4.3": "4.3.6"}) == "`q0`, `q1` and 3 more: `q0` is full"


def test_what_is_not_as_it_was_is_told() -> None:
    """A target that is new is compared with the one that is named for it; what is new is no change."""
    old = [profile("a", "3.10", Fact("full", "drops"), Fact("gone", "x"))]
    new = [profile("a", "4.3", Fact("full", "rejects"), Fact("new", "y"))]

    [answer] = profiles.changes(old, new, {"4.3": "3.10"})

    assert answer.told({}) == "`a`: on 4.3 now rejects (on 3.10 before: drops)"


def test_a_pull_request_is_told_dangers_differences_and_changes() -> None:
    """In Markdown, which names cannot break."""
    found = samples.of([target("4.3.6")], [])
    found.profiles = [profile("a", "4.3.6", Fact("full", "drops <all>", "lost"))]
    old = samples.of([target("3.10.8")], [])
    old.profiles = [profile("a", "3.10.8", Fact("full", "has no limit"))]

    text = markdown.profile_of_queues(found, profiles_changed(old, found))

    assert "- `a`: drops &lt;all>" in text
    assert "- `a`: on 4.3.6 now drops &lt;all> (on 3.10.8 before: has no limit)" in text


@pytest.mark.parametrize(
    ("facts", "baseline", "strict", "red"),
    [
        ({"4.3.6": "x"}, "x", False, False),
        ({"4.3.6": "x"}, "y", False, True),
        ({"3.10.8": "x", "4.3.6": "y"}, None, False, True),
        ({"4.3.6": "lost"}, None, False, False),
        ({"4.3.6": "lost"}, None, True, True),
        ({"4.3.6": "dropped"}, None, True, False),
    ],
)
def test_what_makes_a_run_red(facts: Mapping[str, str], baseline: str | None, strict: bool, red: bool) -> None:
    """A difference between targets, or to what was; in a strict run what is dangerous, unless it is asked for."""

    def made(said: Mapping[str, str]) -> Results:
        found = samples.of([target(version) for version in said], [])
        found.profiles = [
            profile("a", version, Fact("full", text, text if text in ("lost", "dropped") else ""))  # type: ignore[arg-type]
            for version, text in said.items()
        ]
        return found

    was = made({"4.3.6": baseline}) if baseline else None

    assert yours.fails(made(facts), was, strict) is red


# Runs.


@pytest.fixture
def with_profiles(project: Project) -> Project:
    """A project that has the tests of the user's queues."""
    project.tests('@claim("chapter.claim")\ndef test_it():\n    pass\n')
    shutil.copytree(PROJECT / "tests" / "your_queues", project.folder / "tests" / "your_queues")
    return project


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--your-queues"], ["--your-queues needs --rabbitmq-definitions=FILE"]),
        (["--claims-baseline=x.json"], ["--claims-baseline: ", "x.json: No such file"]),
        (
            ["--your-queues=ordres", f"--rabbitmq-definitions={EXPORTS / 'limits.json'}"],
            ["--your-queues 'ordres' matches no queue of", "near it: orders", "//orders"],
        ),
    ],
)
def test_what_cannot_be_asked_for_is_one_clear_error(project: Project, arguments: list[str], words: list[str]) -> None:
    """Before anything is started."""
    project.run(*arguments).assert_one_clear_error(*words)


def test_a_run_tells_each_queues_profile(with_profiles: Project, target_name: str) -> None:
    """Its dangers on the terminal, all of it in the results."""
    run = with_profiles.run(
        f"--rabbitmq={target_name}", "--your-queues=limited", f"--rabbitmq-definitions={EXPORTS / 'limits.json'}"
    )

    assert run.code == 0, run.output
    [found] = [each for each in with_profiles.results.profiles if each.kind == "queue"]
    said = {fact.question: fact.sentence for fact in found.facts}
    assert found.name == "limited"
    assert said["rejected"] == "a message that is rejected for good is dead-lettered to `graves`"
    assert said["given back by basic.reject"].startswith("after 4 deliveries")
    assert said["when the node is killed"] == "when the node is killed, persistent and transient messages stay"
    assert all(fact.established for fact in found.facts)


def test_an_export_that_somebody_has_written_is_told_what_is_wrong_with_it(
    with_profiles: Project, target_name: str
) -> None:
    """What the broker refuses, what leads nowhere, what is left out; all the rest is tried."""
    run = with_profiles.run(
        f"--rabbitmq={target_name}",
        "--your-queues",
        f"--rabbitmq-definitions={EXPORTS / 'by_hand.json'}",
        "-k=declaration or rejected or bindings or unroutable",
    )

    assert run.code == 0, run.output
    said = {
        (each.name, fact.question.partition(" in `")[0]): fact.sentence
        for each in with_profiles.results.profiles
        for fact in each.facts
    }
    assert said["work", "rejected"] == "a message that is rejected for good is dead-lettered to `moved`"
    assert said["work", "policy `misspelt`"].startswith("its policy `misspelt` is refused: ")
    assert said["work", "binding `a` to `gone`"] == (
        "its binding `a` to `gone` is of an exchange that the export does not have"
    )
    assert "cannot be: the exchange is refused" in said["work", "binding `c` to `plugged`"]
    assert said["strange", "declaration"].startswith("cannot be declared: 406 PRECONDITION_FAILED")
    assert "nothing is bound to the exchange `loose`" in said["lost", "rejected"]
    assert said["loose", "binding by `b` to `nowhere`"] == (
        "its binding by `b` leads to `nowhere`, a queue that the export does not have"
    )
    assert [line.partition(":")[0] for line in with_profiles.results.queues_left_out] == ["`moved` in `/`"]


#: For each kind of question a sabotage that makes another fact of it, by the tests that ask it, and of which queues.
NOTICED = {
    ("at_once or given_back", "plain"): {
        "rejected": "dead-letters-dropped",
        "given back by basic.reject": "delivery-limit-ignored",
        "given back by basic.nack": "limit-counts-deliveries",
        "receiver crashes": "crash-takes-messages-along",
        "receiver closes its connection": "redelivered-never-set",
    },
    ("at_once", "few single temporary urgent"): {
        "last receiver": "auto-delete-ignored",
        "full": "length-limit-ignored",
        "several receivers": "single-active-ignored",
        "priority of receivers": "priority-ignored",
        "priority of messages": "message-priority-ignored",
    },
    ("declaration or bindings or unroutable", "few impossible"): {
        "declaration": "replicated-are-anything",
        "binding `few` to `in`": "direct-ignores-the-key",
        "matches no binding": "alternate-exchange-ignored",
    },
    ("reading", "log"): {"several receivers": "streams-read-once"},
    ("some_time", "brief unused work"): {
        "message expires": "queue-ttl-ignored",
        "queue expires": "queue-expiry-ignored",
        "goes round": "queue-ttl-ignored",
    },
    ("a_restart", "graves"): {
        "when the node is killed": "persistence-dropped",
        "when the node restarts": "everything-persistent",
    },
}


@pytest.mark.slow
@pytest.mark.parametrize(("tests", "queues"), NOTICED)
def test_a_broken_broker_has_another_profile(with_profiles: Project, target_name: str, tests: str, queues: str) -> None:
    """Each kind of fact is another one on a broker that breaks what it says than on all those that do not."""
    noticed = NOTICED[tests, queues]
    sabotages = dict.fromkeys(noticed.values())
    # Those that break something else are as good as an honest broker, which would cost a turn more.
    targets = [*sabotages, *(["none"] if len(sabotages) == 1 else [])]

    run = with_profiles.run(
        f"--rabbitmq={target_name}",
        *(f"--your-queues={name}" for name in queues.split()),
        f"--rabbitmq-definitions={EXPORTS / 'everything.json'}",
        *(f"--sabotage={name}" for name in targets),
        f"-k={tests}",
    )

    # A broken broker may keep something from being found out; that targets differ is for honest ones to be red.
    assert run.code in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED), run.output
    assert "Traceback" not in run.output
    said: dict[str, dict[tuple[str, str], str]] = {name: {} for name in targets}
    for found in with_profiles.results.profiles:
        for fact in found.facts:
            said[found.target.partition("+")[2]][found.name, fact.question] = fact.sentence
    for question, sabotage in noticed.items():
        others = [said[name] for name in targets if name != sabotage]
        asked = {key for other in others for key in other if key[1] == question}
        assert asked, question
        broken = said[sabotage]
        assert any(key in broken and all(broken[key] != other.get(key) for other in others) for key in asked), (
            f"{sabotage}: {question}\n{run.output}"
        )
