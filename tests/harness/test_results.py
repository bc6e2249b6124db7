"""Results files: what every run leaves, merged and compared."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from fixtures.brokers import Broker
from fixtures.housekeeping.commands import PROJECT
from fixtures.housekeeping.waiting import wait_until
from fixtures.report import compare, controls, markdown, matrix, results
from fixtures.report.results import Case, Results
from tests.harness import samples
from tests.harness.conftest import CATALOGUE, Project
from tests.harness.samples import case, target

SCHEMA = json.loads((PROJECT / "docs" / "results.schema.json").read_text())


def test_schema_in_docs_is_that_of_the_code() -> None:
    """Whoever reads results files elsewhere is told the truth."""
    assert results.schema() == SCHEMA, "run: make docs"


def test_run_leaves_results_that_the_schema_accepts(project: Project, broker: Broker) -> None:
    """Every verdict, with what it stands on, and the broker as it states itself."""
    project.tests(
        '@claim("chapter.claim")\n@pytest.mark.parametrize("count", [1, 2])\ndef test_it(scene, count):\n'
        "    queue = scene.queue()\n    queue.publish('no 1 Hello')\n"
        "    assert len(queue.drain().bodies) == count\n"
        '@claim("chapter.claim")\ndef test_other(scene): raise NotApplicable("not this broker")\n'
    )

    run = project.run("--rabbitmq", broker.url, "--junit-xml", "junit.xml")

    written = json.loads((project.folder / "report" / "results.json").read_text())
    jsonschema.validate(written, SCHEMA)
    assert run.code == 1
    assert written["complete"]
    assert written["targets"][0]["version"] == str(broker.version)
    assert written["targets"][0]["erlang"] == broker.erlang
    found = {c["case"]: c for c in written["cases"]}
    assert {name: c["verdict"] for name, c in found.items()} == {
        "test_it[1]": "holds",
        "test_it[2]": "refuted",
        "test_other": "not applicable",
    }
    assert found["test_it[1]"]["parameters"] == {"count": "1"}
    assert [e["what"] for e in found["test_it[1]"]["ledger"]][:3] == ["declares", "publishes", "is confirmed"]
    assert found["test_it[2]"]["observed"] == "late got 1"
    assert "assert 1 == 2" in found["test_it[2]"]["reason"]
    assert '<property name="claim" value="chapter.claim"' in (project.folder / "junit.xml").read_text()


@pytest.mark.parametrize("ends", [signal.SIGINT, signal.SIGKILL], ids=lambda ends: ends.name)
def test_run_that_is_cut_short_leaves_what_it_found_out(project: Project, broker: Broker, ends: signal.Signals) -> None:
    """Readable, and marked as incomplete."""
    project.tests(
        '@claim("chapter.claim")\ndef test_first(scene): assert scene.queue()\n'
        '@claim("chapter.claim")\ndef test_second(scene):\n    Path("here").touch()\n    time.sleep(60)\n'
    )

    run = project.start("--rabbitmq", broker.url)
    wait_until((project.folder / "here").exists, "the second test runs", within=60)
    os.kill(run.pid, ends)
    run.communicate(timeout=60)

    assert not project.results.complete
    assert [(c.case, c.verdict) for c in project.results.cases][:1] == [("test_first", "holds")]


def test_results_of_all_workers_are_in_one_file(project: Project, broker: Broker, target_name: str) -> None:
    """Two targets on two workers: each boots once, wherever its tests run; one file, with the time that both took."""
    project.tests(
        '@claim("chapter.claim")\n@pytest.mark.parametrize("n", range(3))\ndef test_it(scene, n): scene.queue()\n'
    )

    run = project.run("-n", "2", "--rabbitmq", target_name, "--rabbitmq", broker.url)

    assert run.code == 0, run.output
    assert len(project.results.targets) == 2
    assert [len(project.results.cases_of("chapter.claim", t.name)) for t in project.results.targets] == [3, 3]
    assert project.results.time["boot"] > 0
    assert run.output.count(", ready in ") == 2, run.output


def test_github_gets_its_summary(project: Project, broker: Broker) -> None:
    """Where GitHub Actions asks for a summary, it is written."""
    project.tests('@claim("chapter.claim")\ndef test_it(scene): assert not scene.queue()\n')
    page = project.folder / "summary.md"

    project.run("--rabbitmq", broker.url, GITHUB_STEP_SUMMARY=str(page))

    assert "1 claims are not as expected: `chapter.claim`" in page.read_text()
    assert "| `chapter.claim` | ✗ refuted **!** |" in page.read_text()


# Files that are none.


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "No such file"),
        (b"", "is no results file"),
        (b"\xff\xfe", "is no results file"),
        (b"[1]", "is no results file"),
        (b"{}", "its schema is None"),
        (b'{"schema": 99}', f"its schema is 99, this version of the suite reads {results.SCHEMA}"),
        (f'{{"schema": {results.SCHEMA}, "cases": 3}}'.encode(), "is no results file"),
    ],
)
def test_what_is_no_results_file_is_refused(tmp_path: Path, content: bytes | None, words: str) -> None:
    """One line that says which file and why; exit code 2."""
    file = tmp_path / "results.json"
    if content is not None:
        file.write_bytes(content)

    run = report(file)

    assert run.returncode == 2
    assert words in run.stderr.splitlines()[-1]
    assert "Traceback" not in run.stderr


# Comparison.


def report(*arguments: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "fixtures.report", *map(str, arguments)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def saved(folder: Path, name: str, found: Results) -> Path:
    results.write(found, folder / name)
    return folder / name


def run_of(version: str, *cases: Case) -> Results:
    return samples.of([target(version)], cases)


OLD = run_of("4.0.5", case("a.one", "4.0.5"), case("a.two", "4.0.5"))


@pytest.mark.parametrize(
    ("new", "code", "said"),
    [
        (run_of("4.0.5", case("a.one", "4.0.5"), case("a.two", "4.0.5")), 0, "Nothing changed."),
        (run_of("4.3.6", case("a.one", "4.3.6"), case("a.two", "4.3.6")), 0, "Nothing changed."),
        (
            run_of("4.3.6", case("a.one", "4.3.6"), case("a.two", "4.3.6", "refuted", reason="it <b>differs</b> here")),
            1,
            "worse: a.two is refuted on 4.3.6; on 4.0.5 it held: it <b>differs</b> here",
        ),
        (
            run_of("4.0.5", case("a.one", "4.0.5"), case("a.two", "4.0.5", "not established", reason="no restart")),
            1,
            "worse: a.two is not established on 4.0.5; before, it held: no restart",
        ),
        (
            run_of("4.0.5", case("a.one", "4.0.5"), case("b.new", "4.0.5")),
            0,
            "b.new is new\na.two is not checked any more",
        ),
        (
            run_of("4.0.5", case("a.one", "4.0.5"), case("b.new", "4.0.5", "refuted", expected="holds")),
            1,
            "worse: b.new is refuted on 4.0.5, expected was holds",
        ),
        (
            run_of("4.0.5", case("a.one", "4.0.5"), case("a.two", "4.0.5", "refuted", expected="either")),
            1,
            "worse: a.two is refuted at times on 4.0.5; before, it held",
        ),
    ],
    ids=["same", "newer-same", "flipped", "not-established", "new-and-gone", "new-and-red", "race"],
)
def test_comparison_says_what_changed(tmp_path: Path, new: Results, code: int, said: str) -> None:
    """Exit code 1 only if something changed for the worse."""
    run = report(saved(tmp_path, "old.json", OLD), saved(tmp_path, "new.json", new))

    assert said in run.stdout
    assert run.returncode == code, run.stdout + run.stderr


def test_comparison_writes_merged_results_and_their_pages(tmp_path: Path) -> None:
    """One matrix of both runs, targets in the order of their versions."""
    new = saved(tmp_path, "new.json", run_of("4.0.5", case("a.one", "4.0.5")))
    old = saved(tmp_path, "old.json", run_of("3.10.8", case("a.one", "3.10.8")))

    run = report(new, old, "--markdown", "--report", tmp_path / "both")

    assert "| claim | 3.10.8 | 4.0.5 |" in run.stdout
    assert [t.version for t in results.read(tmp_path / "both").targets] == ["3.10.8", "4.0.5"]
    assert "a.one" in (tmp_path / "both" / "index.html").read_text()


def test_merging_keeps_the_last_run_of_a_target() -> None:
    """And claims that only an earlier run has."""
    merged = results.merge(
        [
            run_of("4.0.5", case("a.one", "4.0.5"), case("a.old", "4.0.5")),
            run_of("4.0.5", case("a.one", "4.0.5", "refuted")),
        ]
    )

    assert [(c.claim, c.verdict) for c in merged.cases] == [("a.one", "refuted")]
    assert [claim.id for claim in merged.claims()] == ["a.one", "a.old"]
    assert merged.seconds == 25.0


def test_a_race_that_went_another_way_is_no_change() -> None:
    """Nor is one that is over anything bad; but a claim that is always refuted now is."""
    lost = run_of("4.0.5", case("a.one", "4.0.5", "refuted", expected="either"))
    won = run_of("4.0.5", case("a.one", "4.0.5", "holds", expected="either"))
    over = run_of("4.0.5", case("a.one", "4.0.5"))
    refuted = run_of("4.0.5", case("a.one", "4.0.5", "refuted"))

    assert compare.changes(lost, won) == compare.changes(won, lost) == []
    assert [change.worse for change in compare.changes(lost, over)] == [False]
    assert [change.worse for change in compare.changes(won, refuted)] == [True]


# What differs.


@pytest.mark.parametrize(
    ("verdicts", "sentence"),
    [
        (["holds", "holds", "holds"], None),
        (["not applicable"] * 3, None),
        (["refuted"] * 3, "On every target a.one is refuted"),
        (["holds", "refuted", "refuted"], "Since 4.0.5 a.one is refuted; before, on 3.8.9, it holds"),
        (["refuted", "refuted", "holds"], "Since 4.3.6 a.one holds; before, on 3.8.9 and 4.0.5, it is refuted"),
        (["holds", "refuted", "holds"], "a.one holds on 3.8.9 and 4.3.6, is refuted on 4.0.5"),
        (["won", "lost", "holds"], "Since 4.3.6 a.one holds; before, on 3.8.9 and 4.0.5, it is refuted at times"),
        (["won", "won", "won"], "On every target a.one is refuted at times"),
    ],
)
def test_differences_are_sentences(verdicts: Sequence[str], sentence: str | None) -> None:
    """From which version on something is otherwise; nothing where all are alike and hold.

    Which way a race went, says nothing.
    """
    races: dict[str, dict[str, Any]] = {
        "won": {"verdict": "holds", "expected": "either"},
        "lost": {"verdict": "refuted", "expected": "either"},
    }
    versions = ["3.8.9", "4.0.5", "4.3.6"]
    found = samples.of(
        [target(version) for version in versions],
        [
            case("a.one", on, reason="", **races.get(verdict, {"verdict": verdict}))
            for on, verdict in zip(versions, verdicts, strict=True)
        ],
    )

    assert [difference.sentence for difference in matrix.differences(found)] == ([sentence] if sentence else [])


def test_difference_between_configurations_is_a_sentence() -> None:
    """Of one version twice, nothing is so "since"; whose setting it is, is said with its source and the file's name."""
    setting = results.Setting("policy.expires", "it is deleted", "https://www.rabbitmq.com/docs/ttl")
    mine = msgspec.structs.replace(target("4.3.6", "mine"), files=["my.conf"])
    why = "because of your policy `p` (expires 1, my.json): it is deleted"
    found = samples.of(
        [target("4.3.6", "plain"), mine],
        [case("a.one", "plain"), case("a.one", "mine", "refuted", expected="anything", reason=why)],
    )
    [chapter] = found.chapters
    chapter.claims[:] = [msgspec.structs.replace(claim, settings=(setting,)) for claim in chapter.claims]

    [difference] = matrix.differences(found)

    assert difference.sentence == f"On mine 4.3.6 with my.conf a.one is refuted; on plain 4.3.6 it holds: {why}"
    assert difference.source == setting.source


NEVER: dict[str, Any] = {"verdict": "not applicable", "expected": "not applicable"}


@pytest.mark.parametrize(
    ("first", "second", "unproven"),
    [
        ({}, {}, []),
        (NEVER, {}, []),
        (NEVER, NEVER, ["a.two", "a.three"]),
        ({"verdict": "not applicable"}, {}, ["a.two"]),
        ({"verdict": "not established"}, {}, ["a.two"]),
        (NEVER, {"verdict": "not established"}, ["a.two", "a.three"]),
    ],
)
def test_claim_stands_on_its_controls(first: dict[str, Any], second: dict[str, Any], unproven: list[str]) -> None:
    """Each that applies to the broker was put to the test, and at least one is."""
    cases = [case("a.one", "4.0"), case("a.two", "4.0", **first), case("a.three", "4.0", **second)]
    found = samples.of([target("4.0")], cases, controls={"a.one": ["a.two", "a.three"]})

    assert [one.control for one in controls.unproven(found)] == unproven


def test_what_a_program_prints_is_no_difference_between_brokers() -> None:
    """A claim about the project's own programs says nothing about a broker."""
    found = samples.of([target("3.8.9"), target("4.0.5")], [case("a.one", "3.8.9"), case("a.one", "4.0.5", "refuted")])
    assert matrix.differences(found)

    found.claim("a.one").about = "the programs"

    assert matrix.differences(found) == []


def test_difference_of_some_cases_names_what_they_have_in_common() -> None:
    """And the known deviation's reason and source."""
    rows: list[tuple[str, str, results.Verdict, str]] = [
        ("4.0.5", "classic", "holds", ""),
        ("4.0.5", "quorum", "holds", ""),
        ("4.3.6", "classic", "holds", ""),
        ("4.3.6", "quorum", "refuted", "it <b>differs</b> here"),
    ]
    found = samples.of(
        [target("4.0.5"), target("4.3.6")],
        [
            case("a.one", on, verdict, name=f"test_it[{kind}-{n}]", parameters={"kind": kind, "n": n}, reason=reason)
            for on, kind, verdict, reason in rows
            for n in ("1", "2")
        ],
    )

    [difference] = matrix.differences(found)

    expected = "Since 4.3.6 a.one (quorum) is refuted; before, on 4.0.5, it holds: it <b>differs</b> here"
    assert difference.sentence == expected
    assert difference.source == samples.DEVIATION.source


def test_difference_has_each_reason_once_and_the_worst_risk() -> None:
    """A claim that two versions refute for one reason each, and one of them in two cases."""
    known = [
        results.Deviation("version < 4.0", "before 4.0 it was absent", "https://www.rabbitmq.com/a", risk="doubled"),
        results.Deviation("version < 4.3", "before 4.3 it was broken", "https://www.rabbitmq.com/b", risk="lost"),
    ]
    rows: list[tuple[str, results.Verdict, str]] = [
        ("4.3.6", "holds", ""),
        ("4.0.5", "refuted", known[1].because),
        ("3.8.9", "refuted", known[0].because),
    ]
    found = samples.of(
        [target(version) for version in ("3.8.9", "4.0.5", "4.3.6")],
        [case("a.one", on, verdict, name=f"test_it[{n}]", reason=why) for on, verdict, why in rows for n in ("1", "2")],
    )
    found.claim("a.one").deviations = tuple(known)

    [difference] = matrix.differences(found)

    before = "before, on 3.8.9 and 4.0.5, it is refuted: before 4.0 it was absent; before 4.3 it was broken"
    assert difference.sentence == f"Since 4.3.6 a.one holds; {before}"
    assert (difference.source, difference.risk) == ("https://www.rabbitmq.com/a", "lost")


def test_difference_has_the_source_of_what_a_claim_needs() -> None:
    """Without what the broker said of itself, which its cases have."""
    found = samples.of(
        [target("3.8.9"), target("4.0.5")],
        [case("a.one", "3.8.9", **NEVER, reason="it is new in 3.10 (version is 3.8.9 here)"), case("a.one", "4.0.5")],
    )
    found.claim("a.one").needs = (results.Need("version >= 3.10", "it is new in 3.10", "https://www.rabbitmq.com"),)

    [difference] = matrix.differences(found)

    before = "before, on 3.8.9, it is not applicable: it is new in 3.10"
    assert difference.sentence == f"Since 4.0.5 a.one holds; {before}"
    assert difference.source == "https://www.rabbitmq.com"


def test_cases_that_differ_alike_are_one_difference_in_whatever_order_they_came() -> None:
    """Targets that run side by side record their cases as they come."""
    cases = [("4.0.5", "a"), ("3.8.9", "a"), ("3.8.9", "b"), ("4.0.5", "b"), ("3.8.9", "c"), ("4.0.5", "c")]
    found = samples.of(
        [target("3.8.9"), target("4.0.5")],
        [case("a.one", on, "holds" if name == "c" else "refuted", name=f"test_it[{name}]") for on, name in cases],
    )

    assert len(matrix.differences(found)) == 1


def test_differences_that_cost_messages_come_first_and_the_others_by_chapter() -> None:
    """Who upgrades reads those if nothing else; what a kind of queue does on every version comes last."""
    cases = [case(claim, "3.8.9") for claim in ("a.plain", "b.doubles", "b.loses")]
    cases += [
        case(claim, "4.0.5", "refuted", reason="it is otherwise") for claim in ("a.plain", "b.doubles", "b.loses")
    ]
    cases += [case("a.everywhere", on, "refuted", reason="") for on in ("3.8.9", "4.0.5")]
    found = samples.of([target("3.8.9"), target("4.0.5")], cases)
    known = results.Deviation("version >= 4.0", "it is otherwise", "https://www.rabbitmq.com")
    for name, risk in {"b.loses": "lost", "b.doubles": "doubled", "a.plain": ""}.items():
        found.claim(name).deviations = (msgspec.structs.replace(known, risk=risk),)

    groups = matrix.grouped(matrix.differences(found))

    assert {heading: [one.claim.id for one in differences] for heading, differences in groups.items()} == {
        "Messages can be lost": ["b.loses"],
        "Messages can come twice": ["b.doubles"],
        "A": ["a.plain"],
        "The same on every version": ["a.everywhere"],
    }
    [[first], *_] = groups.values()
    assert first.in_words == "Since 4.0.5 this is not true; before, on 3.8.9, it is true: it is otherwise"


def test_markdown_escapes_what_is_not_markdown() -> None:
    """Reasons come from brokers and may be anything."""
    found = run_of("4.3.6", case("a.one", "4.3.6", "refuted", reason="<script>|"))

    assert "&lt;script>\\|" in markdown.summary(found)


def test_changes_put_the_worst_first() -> None:
    """Whoever reads the first line only reads the right one."""
    new = run_of("4.0.5", case("b.new", "4.0.5"), case("a.one", "4.0.5", "not established"), case("a.two", "4.0.5"))

    assert [change.worse for change in compare.changes(OLD, new)] == [True, False]


def test_a_claim_of_the_catalogue_keeps_its_deviation_in_the_results(project: Project, broker: Broker) -> None:
    """So that pages and differences can be made from the file alone."""
    deviation = '[[claim.deviations]]\nwhen = "version >= 0"\nbecause = "different"\nsource = "there"\n'
    project.catalogue(CATALOGUE + deviation)
    project.tests('@claim("chapter.claim")\ndef test_it(scene): assert not scene.queue()\n')

    assert project.run("--rabbitmq", broker.url).code == 0

    [found] = matrix.differences(project.results)
    assert found.sentence.endswith("chapter.claim is refuted: different")
    assert found.source == "there"
