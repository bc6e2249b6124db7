"""Results made up for a test: small ones, and as many as are wanted."""

from collections.abc import Sequence
from typing import Any

from fixtures.report import results
from fixtures.report.results import Case, Chapter, Claim, Deviation, Results, Target, Verdict

#: What a ledger of two receivers looks like, one of which crashes.
LEDGER: list[dict[str, Any]] = [
    {"at": 0.0, "who": "sender", "what": "declares", "queue": "claims-1f-2-queue-1", "durable": True, "type": "quorum"},
    {"at": 0.01, "who": "idle", "what": "consumes", "queue": "claims-1f-2-queue-1", "acks": "each message"},
    {"at": 0.02, "who": "busy", "what": "consumes", "queue": "claims-1f-2-queue-1", "acks": "nothing by itself"},
    *(
        {"at": 0.03, "who": "sender", "what": "publishes, confirmed", "queue": "claims-1f-2-queue-1"}
        | {"body": f"no {n} Hello Basic Sender", "mode": 2}
        for n in (1, 2, 3)
    ),
    {"at": 0.04, "who": "idle", "what": "got", "queue": "claims-1f-2-queue-1", "body": "no 1 Hello Basic Sender"},
    {"at": 0.04, "who": "idle", "what": "acknowledged", "body": "no 1 Hello Basic Sender"},
    {"at": 0.04, "who": "idle", "what": "got", "queue": "claims-1f-2-queue-1", "body": "no 3 Hello Basic Sender"},
    {"at": 0.04, "who": "idle", "what": "acknowledged", "body": "no 3 Hello Basic Sender"},
    {"at": 0.05, "who": "busy", "what": "got", "queue": "claims-1f-2-queue-1", "body": "no 2 Hello Basic Sender"},
    {"at": 0.06, "who": "busy", "what": "crashed", "reason": "socket aborted"},
    {"at": 0.07, "who": "idle", "what": "got", "queue": "claims-1f-2-queue-1", "body": "no 2 Hello Basic Sender"}
    | {"redelivered": True},
    {"at": 0.08, "who": "broker", "what": "restarted", "how": "kill; exit code 137"},
]

DEVIATION = Deviation("version >= 4.3", "it <b>differs</b> here", "https://www.rabbitmq.com/release-information")


def target(version: str, name: str = "") -> Target:
    """A broker of this version."""
    return Target(name or version, "RabbitMQ", version, "Erlang/OTP 27", "container", "an image", "", 6.2)


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


def of(targets: Sequence[Target], cases: Sequence[Case], complete: bool = True) -> Results:
    """Results with the chapters and claims that the cases name."""
    chapters: dict[str, Chapter] = {}
    for claim in dict.fromkeys(case.claim for case in cases):
        name = claim.partition(".")[0].replace("-", "_")
        chapter = chapters.setdefault(name, Chapter(name, name.title(), f"About {name}.", []))
        chapter.claims.append(
            Claim(
                claim,
                "1",
                f"It is so with `{claim}`.",
                "Because.",
                "https://www.rabbitmq.com/docs",
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
