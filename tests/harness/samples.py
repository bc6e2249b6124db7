"""Results made up for a test: small ones, and as many as are wanted."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import msgspec

from fixtures.ledger.declaring import Declares
from fixtures.ledger.ledger import AnyEvent
from fixtures.ledger.operating import Restarted
from fixtures.ledger.publishing import Confirmed, Publishes
from fixtures.ledger.receiving import Consumes, Crashes, Got, Settles
from fixtures.report import results
from fixtures.report.profiles import Fact, Profile
from fixtures.report.results import Case, Chapter, Claim, Deviation, Results, Target, Verdict

#: What a ledger of two receivers looks like, one of which crashes.
QUEUE = "claims-1f-2-queue-1"


def _published(number: int) -> list[AnyEvent]:
    body = f"no {number} Hello Basic Sender"
    published = Publishes(at=0.03, who="sender", message=number, key=QUEUE, body=body)
    return [published, Confirmed(at=0.03, who="sender", message=number)]


def _got(at: float, who: str, number: int, redelivered: bool = False) -> Got:
    return Got(at=at, who=who, queue=QUEUE, body=f"no {number} Hello Basic Sender", redelivered=redelivered)


LEDGER: list[AnyEvent] = [
    Declares(at=0.0, who="sender", queue=QUEUE, durable=True, type="quorum"),
    Consumes(at=0.01, who="idle", queue=QUEUE, acks="each message"),
    Consumes(at=0.02, who="busy", queue=QUEUE, acks="nothing by itself"),
    *_published(1),
    *_published(2),
    *_published(3),
    _got(0.04, "idle", 1),
    Settles(at=0.04, who="idle", body="no 1 Hello Basic Sender", each=True),
    _got(0.04, "idle", 3),
    Settles(at=0.04, who="idle", body="no 3 Hello Basic Sender", each=True),
    _got(0.05, "busy", 2),
    Crashes(at=0.06, who="busy", proof="reset, its connection was gone at once"),
    _got(0.07, "idle", 2, redelivered=True),
    Restarted(at=0.08, who="broker", how="kill", proof="exit code 137"),
]

DEVIATION = Deviation("version >= 4.3", "it <b>differs</b> here", "https://www.rabbitmq.com/release-information")


def target(version: str, name: str = "") -> Target:
    """A broker of this version."""
    return Target(name or version, "RabbitMQ", version, "Erlang/OTP 27", "container", "an image", "", 6.2)


def profile(name: str, target: str, *facts: Fact) -> Profile:
    """A profile of a queue in `/`."""
    return Profile("queue", "/", name, target, list(facts))


def broken(version: str, sabotage: str, family: str = "") -> Target:
    """A sabotaged broker of this version."""
    name = f"{version}+{sabotage}"
    does = f"It does <b>{sabotage}</b>."
    return msgspec.structs.replace(target(version, name), sabotage=sabotage, does=does, family=family)


def case(claim: str, on: str, verdict: Verdict = "holds", name: str = "test_it", **more: Any) -> Case:
    """What became of a claim on a target; as expected, unless `expected` says otherwise."""
    facts: dict[str, Any] = {
        "parameters": {},
        "expected": "refuted" if verdict == "refuted" else "holds",
        "reason": "",
        "observed": "idle got 1, 3, 2*; busy got 2",
        "seconds": 0.01,
        "ledger": LEDGER,
    }
    return Case(claim=claim, case=name, target=on, verdict=verdict, **facts | more)


def of(
    targets: Sequence[Target],
    cases: Sequence[Case],
    complete: bool = True,
    refuted_by: Mapping[str, Sequence[str]] = MappingProxyType({}),
    controls: Mapping[str, Sequence[str]] = MappingProxyType({}),
    families: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> Results:
    """Results with the chapters and claims that the cases name; by claim what must refute it, and its control."""
    chapters: dict[str, Chapter] = {}
    for claim in dict.fromkeys(case.claim for case in cases):
        name = claim.partition(".")[0].replace("-", "_")
        chapter = chapters.setdefault(name, Chapter(name, name.title(), f"About {name}.", []))
        chapter.claims.append(
            Claim(
                claim,
                f"It is so with `{claim}`.",
                "Because.",
                "https://www.rabbitmq.com/docs",
                section="1",
                control=tuple(controls.get(claim, ())),
                refuted_by=tuple(refuted_by.get(claim, ())),
                families=tuple(families.get(claim, ())),
                deviations=(DEVIATION,),
                tests=[results.Test("test_it", "def test_it(scene):\n    assert scene\n")],
            )
        )
    return Results(
        schema=results.SCHEMA,
        suite="0.1",
        began="2026-01-02T03:04:05+00:00",
        seconds=12.5,
        complete=complete,
        targets=list(targets),
        chapters=list(chapters.values()),
        cases=list(cases),
        time={"boot": 6.2, "everything else": 1.0},
    )


def many(count: int, prefix: str = "image:my.registry/rabbitmq:") -> Results:
    """Two chapters on as many brokers as are wanted; here and there something is not as everywhere else."""
    names = [f"{3 + n // 10}.{n % 10}" for n in range(count)]
    targets = [target(f"{name}.{n}", prefix + name) for n, name in enumerate(names)]
    claims = ["plain.holds", "plain.holds-too", "odd.differs", "odd.a-claim-whose-name-is-as-long-as-names-get-here"]
    found = of(
        targets, [case(claim, on.name, name=f"test_it[{k}]") for on in targets for claim in claims for k in "ab"]
    )
    for n, on in enumerate(targets):
        one, other = found.cases_of("odd.differs", on.name)
        one.verdict, one.reason = ("not applicable", "no rabbitmqctl") if n % 3 == 1 else ("holds", "")
        long, _ = found.cases_of(claims[-1], on.name)
        if n == count - 1:
            long.verdict, long.reason = "refuted", "assert [1] == [2]"
            other.verdict, other.reason = "not established", "no restart"
    return found


def kill_run() -> Results:
    """A run in which everything comes up that can become of a claim under a sabotage."""
    names = ["none", "acks-swallowed", "priority-ignored", "nobody-notices", "cannot-be-run"]
    noticed: dict[str, Any] = {"verdict": "refuted", "expected": "holds"}
    return of(
        [broken("4.0", name) for name in names],
        [
            case("a.one", "4.0+none"),
            case("a.two", "4.0+none", reason="assert [] == [1]\nand more", **noticed),
            case("a.one", "4.0+acks-swallowed", reason="assert <i>1</i> == 2\nand more", **noticed),
            case("a.one", "4.0+acks-swallowed", name="test_it[other]", ledger=[]),
            case("a.two", "4.0+acks-swallowed", observed="idle got nothing"),
            case("b.three", "4.0+acks-swallowed", "not established", reason="no restart"),
            case("a.one", "4.0+priority-ignored"),
            case("a.two", "4.0+priority-ignored", "refuted", expected="holds", reason="", observed="idle got 2"),
            case("b.three", "4.0+priority-ignored", "holds", expected="refuted", observed="busy got 3"),
            case("a.one", "4.0+nobody-notices", ledger=[]),
            case("a.two", "4.0+nobody-notices", "refuted", ledger=[]),
            case("a.one", "4.0+cannot-be-run", "not applicable", reason="no rabbitmqctl", ledger=[]),
        ],
        refuted_by={
            "a.one": ["acks-swallowed", "cannot-be-run"],
            "a.two": ["acks-swallowed"],
            "b.three": ["priority-ignored"],
        },
    )
