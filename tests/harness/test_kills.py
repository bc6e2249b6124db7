"""The kill matrix: what becomes of claims under sabotage, and what that says about the claims."""

import io
import re
from collections.abc import Iterable

import pytest
from rich.console import Console

from fixtures.claims.catalogue import Catalogue
from fixtures.housekeeping.commands import PROJECT
from fixtures.report import compare, docs, markdown, matrix, results
from fixtures.report.kills import Kills, Outcome, kills
from fixtures.report.results import Results, Verdict
from fixtures.sabotage import SABOTAGES
from fixtures.suite import terminal
from tests.harness import samples
from tests.harness.samples import broken, case, target

FOUND = kills(samples.kill_run())


def against(sabotages: list[str], refuting: set[str]) -> Results:
    """One claim, which is run against some sabotages, and refuted by some of them."""
    return samples.of(
        [broken("4.0", name) for name in sabotages],
        [
            case("a.one", f"4.0+{name}", "refuted" if name in refuting else "holds", expected="holds")
            for name in sabotages
        ],
    )


@pytest.mark.parametrize(
    ("claim", "sabotage", "outcome"),
    [
        ("a.one", "acks-swallowed", "refuted"),  # though one of its two cases holds
        ("a.two", "acks-swallowed", "survives"),
        ("a.two", "priority-ignored", "unrelated"),
        ("b.three", "priority-ignored", "refuted"),  # it holds where an honest broker deviates
        ("a.one", "priority-ignored", "holds"),
        ("a.two", "nobody-notices", "holds"),  # refuted, as it is on an honest broker
        ("b.three", "acks-swallowed", "not put to the test"),
        ("a.one", "cannot-be-run", "not put to the test"),
        ("b.three", "none", None),
    ],
)
def test_outcomes(claim: str, sabotage: str, outcome: Outcome | None) -> None:
    """One case that notices is enough; what was not run is nothing."""
    assert FOUND.outcome(claim, sabotage) == outcome


def test_sabotages_are_in_the_order_of_the_catalogue() -> None:
    """The control first, then as the claims name them, then those that no claim names."""
    names = [sabotage.name for sabotage in FOUND.sabotages]

    assert names == ["none", "acks-swallowed", "cannot-be-run", "priority-ignored", "nobody-notices"]


def test_score_counts_what_was_run() -> None:
    """Neither the control nor what cannot be run on this broker."""
    assert str(FOUND.sabotage_score) == "2 of 3"
    assert str(FOUND.pair_score) == "2 of 3"
    assert FOUND.survivors == ["nobody-notices"]


def test_surprises_are_sentences_with_what_was_observed() -> None:
    """Everything that makes a run red, and nothing else."""
    assert FOUND.surprises == [
        "a.two is refuted though nothing is broken: assert [] == [1]",
        "a.two survives acks-swallowed, which must refute it: idle got nothing",
        "a.two is refuted by priority-ignored, unrelated: idle got 2",
    ]


def test_a_claim_may_be_refuted_by_a_relative_of_what_must_refute_it() -> None:
    """A sabotage of a family of which the claim lists another: that is said, and the run stays green."""
    found = kills(
        samples.of(
            [broken("4.0", "acks-swallowed", "acknowledgements"), broken("4.0", "acks-forgotten", "acknowledgements")],
            [
                case("a.one", f"4.0+{name}", "refuted", expected="holds", reason="so")
                for name in ("acks-swallowed", "acks-forgotten")
            ],
            refuted_by={"a.one": ["acks-swallowed"]},
            families={"a.one": ["acknowledgements"]},
        )
    )

    assert found.outcome("a.one", "acks-forgotten") == "refuted too"
    assert found.surprises == []
    assert [(pair.claim, pair.sabotage) for pair in found.unlisted] == [("a.one", "acks-forgotten")]
    assert found.findings == [("Refuted, though the catalogue does not list it", ["a.one by acks-forgotten: so"])]
    assert str(found.pair_score) == "1 of 1"


def spoilt(verdict: Verdict) -> Kills:
    sabotaged = broken("4.0", "restart-ignored")
    sabotaged.spoils = ["kill"]
    return kills(samples.of([sabotaged], [case("a.one", sabotaged.name, verdict, parameters={"turn": "kill"})]))


def test_a_spoilt_restart_is_noticed_where_nothing_is_established() -> None:
    """A node that does not restart shows nothing of claims about restarts."""
    found = spoilt("not established")

    assert found.outcome("a.one", "restart-ignored") == "not put to the test"
    assert str(found.sabotage_score) == "1 of 1"
    assert found.surprises == []
    assert found.otherwise("restart-ignored") == "nothing, but keeps 1 claim from being established, as it must"


def test_a_claim_that_holds_after_a_spoilt_restart_is_a_surprise() -> None:
    """It was never put to the test, and did not notice."""
    found = spoilt("holds")

    assert str(found.sabotage_score) == "0 of 1"
    [surprise] = found.surprises
    assert surprise.startswith("a.one holds under restart-ignored, which spoils its restart")


@pytest.mark.parametrize(("listed", "surprises"), [(True, 1), (False, 0)])
def test_a_claim_that_must_be_refuted_must_be_put_to_the_test(listed: bool, surprises: int) -> None:
    """A broken broker may keep other claims from it."""
    sabotaged = broken("4.0", "acks-swallowed")
    results = samples.of([sabotaged], [case("a.one", sabotaged.name, "not established", reason="no restart")])
    results.claim("a.one").refuted_by = ("acks-swallowed",) if listed else ()

    assert len(kills(results).surprises) == surprises


def test_what_is_not_as_it_should_be_is_at_hand_as_pairs() -> None:
    """For whoever wants to mend the catalogue or the tests."""
    assert [(pair.claim, pair.sabotage) for pair in FOUND.surviving_pairs] == [("a.two", "acks-swallowed")]
    assert [pair.claim for pair in FOUND.by_control] == ["a.two"]


@pytest.mark.parametrize("verdict", ["holds", "not applicable"])
def test_run_in_which_nothing_surprises(verdict: Verdict) -> None:
    """The control changes nothing; what does not apply to this broker is no survivor."""
    found = kills(
        samples.of(
            [broken("4.0", "none"), broken("4.0", "one")],
            [case("a.one", "4.0+none"), case("a.one", "4.0+one", verdict)],
            refuted_by={"a.one": ["one"]} if verdict == "not applicable" else {},
        )
    )

    assert found.surprises == []


def test_brokers_of_several_versions_are_judged_together() -> None:
    """A claim is refuted if it is on one of them."""
    found = kills(
        samples.of(
            [broken("3.8", "one"), broken("4.0", "one")],
            [case("a.one", "3.8+one"), case("a.one", "4.0+one", "refuted", expected="holds")],
            refuted_by={"a.one": ["one"]},
        )
    )

    assert found.outcome("a.one", "one") == "refuted"
    assert [sabotage.name for sabotage in found.sabotages] == ["one"]


def test_claim_that_no_sabotage_refutes_is_lonely_only_against_all() -> None:
    """One sabotage alone says nothing about the claims that others must refute."""
    names = ["none", "one", "two"]
    found = kills(against(names, {"none"}))
    assert [claim.id for claim in found.lonely] == ["a.one"]

    partly = against(names[:2], set())
    partly.chapters[0].claims[0].refuted_by = ("one", "two")

    assert kills(partly).lonely == []


@pytest.mark.parametrize(("count", "broad"), [(4, False), (5, True), (10, True)])
def test_claim_that_half_of_the_sabotages_refute_is_too_broad(count: int, broad: bool) -> None:
    """It checks too much at once."""
    names = [f"number-{n}" for n in range(10)]

    found = kills(against(names, set(names[:count]))).broad

    assert [(claim.id, str(score)) for claim, score in found] == ([("a.one", f"{count} of 10")] if broad else [])


def test_few_sabotages_do_not_make_a_claim_too_broad() -> None:
    """One of one is no share."""
    assert kills(against(["one"], {"one"})).broad == []


def test_honest_brokers_have_no_kill_matrix() -> None:
    """Nor do they disturb that of the others."""
    honest = samples.of([target("4.0")], [case("a.one", "4.0", "refuted", expected="holds")])
    assert not kills(honest)

    both = samples.of([target("4.0"), broken("4.0", "none")], [*honest.cases, case("a.one", "4.0+none")], refuted_by={})

    assert kills(both).surprises == []
    assert [case.target for case in both.honest().cases] == ["4.0"]


# On a terminal, and as Markdown.


def printed(found: Results, color: bool = False, width: int = 80) -> str:
    text = io.StringIO()
    console = Console(file=text, force_terminal=color, no_color=not color, width=width, highlight=False, markup=False)
    terminal.print_kills(console, kills(found))
    return text.getvalue()


HEARTBEATS = [f"heartbeat-of-{n}-seconds-proposed" for n in range(10, 70)]


def under(names: list[str], claims: Iterable[str]) -> Results:
    """Each of the claims under each of the sabotages, some of them refuted."""
    return samples.of(
        [broken("4.0", name) for name in names],
        [
            case(claim, f"4.0+{name}", "refuted" if (n * k) % 9 == 5 else "holds", expected="holds")
            for n, claim in enumerate(claims)
            for k, name in enumerate(names)
        ],
    )


def many() -> Results:
    """Five chapters of nine claims, which is what 80 columns can hold, under sabotages with long names."""
    return under(["none", *HEARTBEATS], [f"chapter-{c}.number-{n}-of-many" for c in range(5) for n in range(9)])


def test_sabotage_has_a_row_only_where_it_met_claims() -> None:
    """Chapters that do not fit side by side are a matrix each; one without a single mark in it says nothing."""
    first = [case("a.one", "4.0+acks-swallowed", "refuted", expected="holds")]
    others = [
        case(f"chapter-{c}.number-{n}", "4.0+prefetch-ignored", expected="holds") for c in range(6) for n in range(9)
    ]
    found = samples.of([broken("4.0", "acks-swallowed"), broken("4.0", "prefetch-ignored")], [*first, *others])

    lines = printed(found).splitlines()

    assert len([line for line in lines if line.startswith("acks-swallowed")]) == 1
    assert len([line for line in lines if line.startswith("prefetch-ignored")]) == 2


def test_every_outcome_has_a_mark_of_its_own_on_the_terminal() -> None:
    """A row per sabotage, a column per claim, chapters apart; blank is what was not run."""
    rows = dict(
        line.split(" ", 1) for line in printed(samples.kill_run()).splitlines() if re.match(r"[\w-]+ +\S", line)
    )

    assert {
        name: cells[-4:] for name, cells in rows.items() if name in ("none", "acks-swallowed", "nobody-notices")
    } == {
        "none": "·#  ",
        "acks-swallowed": "✗! ?",
        "nobody-notices": "··  ",
    }


def test_terminal_names_what_is_marked_and_what_is_wrong() -> None:
    """A column's number leads to its claim; what makes the run red is a sentence."""
    text = printed(samples.kill_run())

    assert "A: 1 one, 2 two\nB: 3 three\n" in text
    assert "2 of 3 sabotages are noticed, with 2 of the 3 refutations asked for." in text
    assert "a.two survives acks-swallowed, which must refute it: idle got nothing" in " ".join(text.split())
    assert "nobody-notices: It does <b>nobody-notices</b>." in text


def test_kill_matrix_fits_into_eighty_columns() -> None:
    """All claims side by side: the longest names of sabotages are cut."""
    lines = printed(many()).splitlines()

    assert max(map(len, lines)) <= 80
    assert sum(line.startswith("heartbeat-of-") for line in lines) == len(HEARTBEATS)


def test_kill_matrix_of_all_sabotages_and_claims_fits_into_eighty_columns() -> None:
    """However many there are by now: a row is as wide as all claims, and a long name makes it wider."""
    longest = sorted(SABOTAGES, key=len)[-10:]

    lines = printed(under(longest, Catalogue(PROJECT / "claims").claims)).splitlines()

    assert max(map(len, lines)) <= 80


def test_narrow_terminal_gets_the_chapters_one_below_the_other() -> None:
    """Rather than names that nobody can read."""
    lines = printed(many(), width=60).splitlines()

    assert max(map(len, lines)) <= 60
    assert sum(line.startswith("heartbeat-of-10-seconds") for line in lines) == 2


def test_kill_matrix_is_plain_in_a_pipe() -> None:
    """No colour there; where there is colour the marks are the same."""
    coloured = printed(samples.kill_run(), color=True)

    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured) == printed(samples.kill_run())


def test_terminal_is_short_when_all_is_well() -> None:
    """A row per sabotage and the score, without headings that nothing follows."""
    found = samples.of(
        [broken("4.0", "none"), broken("4.0", "one")],
        [case("a.one", "4.0+none"), case("a.one", "4.0+one", "refuted", expected="holds")],
        refuted_by={"a.one": ["one"]},
    )

    assert printed(found).splitlines()[1:] == [
        "",
        "     1",
        "none ·",
        "one  ✗",
        "",
        "A: 1 one",
        "",
        "1 of 1 sabotages are noticed, with 1 of the 1 refutations asked for.",
    ]


def test_markdown_has_a_row_per_sabotage() -> None:
    """With what it refutes and what survives it; there is no matrix of honest brokers without these."""
    text = markdown.summary(samples.kill_run())

    assert "| `acks-swallowed` | It does &lt;b>acks-swallowed&lt;/b>. | `a.one`, `a.two` **!** |" in text
    assert "| `nobody-notices` | It does &lt;b>nobody-notices&lt;/b>. | nothing |" in text
    assert "as expected" not in text
    assert "| claim |" not in text


def test_markdown_of_honest_brokers_is_as_it_was() -> None:
    """Sabotaged brokers are no columns of their matrix."""
    honest = samples.of([target("4.0")], [case("a.one", "4.0")])
    both = samples.of([target("4.0"), broken("4.0", "one")], [*honest.cases, case("a.one", "4.0+one", "refuted")])

    assert "## What a broken broker looks like" not in markdown.summary(honest)
    assert markdown.summary(both).startswith(markdown.summary(honest))
    assert markdown.overview(both) == markdown.overview(honest)


# Compared, and published.


ONE = {"a.one": ["one"]}


def under_one(verdict: Verdict) -> Results:
    """A claim under the sabotage that must refute it."""
    return samples.of(
        [broken("4.0", "one")], [case("a.one", "4.0+one", verdict, expected="holds", reason="so")], refuted_by=ONE
    )


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("refuted", "refuted", []),
        (
            "refuted",
            "holds",
            [
                "worse: a.one under one: before refuted, now survives: idle got 1, 3, 2*; busy got 2",
            ],
        ),
        ("holds", "refuted", ["a.one under one: before survives, now refuted: so"]),
        ("refuted", "not established", ["worse: a.one under one: before refuted, now not put to the test: so"]),
    ],
)
def test_comparison_says_which_pairs_flipped(before: Verdict, after: Verdict, said: list[str]) -> None:
    """For the worse only if the run is red by it."""
    changes = compare.changes(under_one(before), under_one(after))

    assert [("worse: " if change.worse else "") + change.sentence for change in changes] == said


def test_honest_brokers_are_not_compared_with_sabotaged_ones() -> None:
    """Not even where each of two runs has one of both: no claim is new, gone or worse."""
    honest = samples.of([target("4.0")], [case("a.one", "4.0")])

    assert compare.changes(honest, under_one("holds")) == []
    assert compare.changes(under_one("holds"), honest) == []


def test_new_sabotage_that_surprises_is_worse() -> None:
    """Also where the older run does not have it."""
    older = samples.of([broken("4.0", "none")], [case("a.one", "4.0+none")], refuted_by=ONE)

    [change] = compare.changes(older, under_one("holds"))

    assert change.worse
    assert change.sentence.startswith("a.one survives one, which must refute it")


def test_merged_results_have_both_kinds_of_brokers() -> None:
    """Each in its own matrix."""
    both = results.merge([samples.of([target("4.0")], [case("a.one", "4.0")]), under_one("refuted")])

    assert str(kills(both).pair_score) == "1 of 1"
    assert [target.name for target in both.honest().targets] == ["4.0"]
    assert matrix.differences(both) == []
    assert "| `one` |" in docs.pages(both)["README.md"]
    assert "4.0+one" not in docs.pages(both)["README.md"]


def test_merged_results_are_judged_by_the_catalogue_of_the_sabotaged_run() -> None:
    """A later run of honest brokers may know nothing of what must be refuted."""
    both = results.merge([under_one("refuted"), samples.of([target("4.0")], [case("a.one", "4.0")])])

    assert kills(both).outcome("a.one", "one") == "refuted"
