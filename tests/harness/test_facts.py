"""Facts: what a broker is asked that its version does not say."""

import pytest
from packaging.version import Version

from fixtures.brokers import Broker
from fixtures.brokers.external import ExternalBroker
from fixtures.brokers.targets import parse
from fixtures.claims import facts
from fixtures.claims.conditions import conditions
from fixtures.claims.facts import UNKNOWN, Facts

#: A member of each family.
FAMILIES = {"deprecated.*": "deprecated.global_qos", "plugin.*": "plugin.rabbitmq_stream"}
NAMES = [FAMILIES.get(fact.name, fact.name) for fact in facts.FACTS]


@pytest.fixture
def somebody_elses(broker: Broker) -> Broker:
    """The same broker, as somebody else's: there is no rabbitmqctl."""
    found = ExternalBroker(broker.settings, parse(broker.url))
    found.start(lambda _: None)
    return found


def test_broker_is_what_its_release_notes_say(broker: Broker) -> None:
    """Streams came with 3.9; Khepri is what new nodes have from 4.2 on; global prefetch is denied from 4.3 on."""
    found = Facts(broker)

    assert found["product"] == "RabbitMQ"
    assert found["quorum"] == "supported"
    assert found["default_queue_type"] == "classic"
    assert found["plugin.rabbitmq_stream"] == "disabled"
    assert found["streams"] == ("supported" if broker.version >= Version("3.9") else "unsupported")
    assert found["metadata_store"] == ("khepri" if broker.version >= Version("4.2") else "mnesia")
    assert found["deprecated.global_qos"] == ("denied" if broker.version >= Version("4.3") else "permitted")


def test_client_and_node_agree_on_transient_queues(broker: Broker) -> None:
    """What a client finds out by declaring one is what the node says of the deprecated feature."""
    [family] = [fact for fact in facts.FACTS if fact.name == "deprecated.*"]
    name = "deprecated.transient_nonexcl_queues"
    found = Facts(broker)

    assert found[name] == found._of_the_node(family, name)


def test_asking_leaves_no_queue(broker: Broker) -> None:
    """Whatever queue was declared to find out is deleted, whether the broker has taken it or not."""
    found = Facts(broker)
    unknown = [name for name in NAMES if found.get(name) is None]

    assert unknown == ["upgraded_from"]  # it was not upgraded
    assert "claims-fact" not in broker.rabbitmqctl("list_queues", "name")


def test_broker_is_asked_once(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fact stays as it was found, and all that the node is asked is one call of rabbitmqctl."""
    found = Facts(broker)
    first = [found.get(name) for name in NAMES if not name.startswith("plugin")]

    def asked_again(*_: object) -> None:
        raise AssertionError("the broker is asked again")

    monkeypatch.setattr(broker, "connect", asked_again)
    monkeypatch.setattr(broker, "rabbitmqctl", asked_again)
    assert [found.get(name) for name in NAMES if not name.startswith("plugin")] == first
    assert found["plugin.rabbitmq_stream"] == "disabled"


def test_what_cannot_be_found_out_meets_nothing(somebody_elses: Broker) -> None:
    """Somebody else's broker tells a client what it can do, not what it has inside."""
    found = Facts(somebody_elses)

    assert found["quorum"] == "supported"
    assert found["deprecated.transient_nonexcl_queues"] in ("permitted", "denied")
    for when in ("metadata_store == mnesia", "metadata_store != mnesia", "metadata_store == khepri"):
        assert not any(condition.met(found) for condition in conditions(when))
    assert found.found["metadata_store"] == UNKNOWN


def test_default_queue_type_is_that_of_the_virtual_host(broker: Broker) -> None:
    """Whoever names no type gets what the virtual host says."""
    if broker.version < Version("3.11"):
        pytest.skip("virtual hosts have a default queue type from RabbitMQ 3.11 on")
    broker.rabbitmqctl("add_vhost", "claims-quorum", "--default-queue-type", "quorum")
    try:
        broker.rabbitmqctl("set_permissions", "-p", "claims-quorum", "guest", ".*", ".*", ".*")
        there = ExternalBroker(broker.settings, parse(broker.url.replace("%2F", "claims-quorum")))

        assert Facts(there)["default_queue_type"] == "quorum"
    finally:
        broker.rabbitmqctl("delete_vhost", "claims-quorum")


@pytest.mark.parametrize(
    ("when", "words"),
    [
        ("stream == supported", "'stream' is no fact of a broker and no parameter of its tests; near it: streams"),
        ("streams == suported", "'streams == suported' is never so: streams is one of supported, unsupported"),
        ("plugin. == enabled", "'plugin.' is no fact"),
        ("turn == clean", "'turn' is no fact"),
    ],
)
def test_question_that_nobody_can_answer_is_refused(when: str, words: str) -> None:
    """It would never be met, and nobody would notice."""
    [condition] = conditions(when)

    with pytest.raises(ValueError, match=words):
        facts.check(condition, {"queue_type"})
