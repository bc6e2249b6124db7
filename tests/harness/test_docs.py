"""What is published in docs/ and in the README, and how a chapter of it is renewed."""

import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from packaging.version import Version

from fixtures.brokers import Broker
from fixtures.housekeeping.commands import PROJECT
from fixtures.ledger.ledger import from_json, to_json
from fixtures.report import compare, controls, docs, kills, matrix, published, results
from fixtures.report.results import Results
from tests.harness import samples
from tests.harness.conftest import Project
from tests.harness.samples import broken, case, target

AGAIN = "docs/ is not what a run has left there; run: make docs"

RESULTS = PROJECT / "docs" / "results"


@pytest.fixture(scope="module", name="there")
def published_results() -> Results:
    """What is in docs/."""
    return results.read(PROJECT / "docs")


def test_every_published_claim_was_put_to_the_test_on_every_published_version(there: Results) -> None:
    """No claim was left out, none came out otherwise than expected, and the versions span 3.8 to 4.3."""
    versions = [Version(found.version) for found in there.honest().targets]

    assert there.complete
    assert versions[0] < Version("3.9"), versions
    assert versions[-1] >= Version("4.3"), versions
    for found in there.honest().targets:
        for claim in there.claims():
            cases = there.cases_of(claim.id, found.name)
            assert cases, f"{claim.id} on {found.name}: {AGAIN}"
            assert all(one.as_expected and not one.left_out for one in cases), claim.id
    assert list(controls.unproven(there)) == []


def test_every_published_claim_was_refuted_by_the_broken_brokers_that_it_names(there: Results) -> None:
    """By these and no others, and in each case it is said what was observed; the newest version is what is broken."""
    found = kills.kills(there)
    newest = there.honest().targets[-1].name

    assert found.surprises == []
    for claim in there.claims():
        refuting = found.refuting(claim.id)
        applies = any(one.verdict != "not applicable" for one in there.cases_of(claim.id, newest))
        named = set(claim.refuted_by) if applies else set()
        assert {pair.sabotage for pair in refuting} == named, f"{claim.id}: {AGAIN}"
        assert all(case.reason for pair in refuting for case in pair.noticing), claim.id


def test_published_results_are_small_and_read_line_by_line(there: Results) -> None:
    """A change of one case is a change of one line; a claim takes less than 6 kB, with all its cases."""
    files = list(RESULTS.glob("*.json"))

    assert sum(file.stat().st_size for file in files) < 6_000 * len(list(there.claims()))
    for file in files:
        lines = file.read_text(encoding="utf-8").splitlines()
        assert max(map(len, lines)) < 1500, file
        assert sum('"verdict": ' in line for line in lines) == sum(line.count('"verdict": ') for line in lines), file


def test_every_published_difference_has_its_source(there: Results) -> None:
    """Nobody has to believe us."""
    differences = matrix.differences(there)

    assert differences
    assert [found.sentence for found in differences if not found.source.startswith("https://")] == []


def test_readme_and_docs_are_made_from_the_published_results(there: Results) -> None:
    """Nobody edited them by hand, and nobody forgot to make them anew."""
    readme = (PROJECT / "README.md").read_text()

    assert docs.with_matrix(readme, there) == readme, AGAIN
    for name, text in docs.pages(there).items():
        assert (PROJECT / "docs" / name).read_text() == text, f"docs/{name}: {AGAIN}"


def test_nothing_of_the_machine_is_published() -> None:
    """No path, no host, no user of whoever made them."""
    text = "".join(file.read_text(encoding="utf-8") for file in RESULTS.glob("*.json"))

    for word in (
        "/home/",
        "/root/",
        "/tmp/",
        "/usr/",
        "/.venv/",
        "/bin/python",
        str(PROJECT),
        "localhost",
        "rabbitmq-debian",
    ):
        assert word not in text, word


# Renewed.


CHAPTERS = ["a.one", "a.two", "b.three"]
MUST = {"a.one": ["acks-swallowed"], "b.three": ["acks-swallowed"]}


def run_of(*claims: str, version: str = "4.3.6", **more: Any) -> Results:
    """A run that has put these claims of a catalogue to the test, on an honest broker and on a broken one."""
    on = [target(version, "4.3"), broken("4.3", "acks-swallowed")]
    on[1].version = version
    cases = [case(claim, "4.3", name=f"test_it[{n}]", ledger=samples.LEDGER) for claim in claims for n in range(2)]
    noticed = [
        case(claim, on[1].name, "refuted", expected="holds", **{"reason": "idle got 1, 3; expected: idle got 1"} | more)
        for claim in claims
        if claim in MUST
    ]
    found = samples.of(on, [*cases, *noticed], refuted_by=MUST)
    found.chapters = samples.of(on, [case(claim, "4.3") for claim in CHAPTERS], refuted_by=MUST).chapters
    return found


@pytest.fixture
def make_docs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Results], int]:
    """What `make docs` does with a run, in a project with nothing but this README."""
    shutil.copy(PROJECT / "README.md", tmp_path)
    monkeypatch.chdir(tmp_path)

    def publish(found: Results) -> int:
        results.write(found, tmp_path / "report" / "results.json")
        monkeypatch.setattr("sys.argv", ["docs", "report"])
        return docs.main()

    return publish


def files() -> dict[str, str]:
    """What is in docs/ and the README, by name."""
    return {str(file): file.read_text() for file in (Path("README.md"), *Path("docs").rglob("*.*"))}


def test_published_results_say_what_the_run_said(make_docs: Callable[[Results], int]) -> None:
    """The same verdicts, the same kill matrix; one picture of a claim on a broken broker, none of what simply holds."""
    run = run_of(*CHAPTERS)

    make_docs(run)

    there = results.read(Path("docs"))
    assert [chapter.name for chapter in there.chapters] == ["a", "b"]
    assert {(c.claim, c.case, c.target, c.verdict) for c in there.cases} == {
        (c.claim, c.case, c.target, c.verdict) for c in run.cases
    }
    assert compare.changes(run, there) == compare.changes(there, run) == []
    assert kills.kills(there).summary == kills.kills(run).summary
    assert {(found.detail, found.boot) for found in there.targets} == {("", 0.0)}
    assert {(c.claim, c.target) for c in there.cases if c.ledger} == {
        ("a.one", "4.3+acks-swallowed"),
        ("b.three", "4.3+acks-swallowed"),
    }


def test_a_known_difference_keeps_one_picture(make_docs: Callable[[Results], int]) -> None:
    """Of the cases that are refuted for one reason the one that is the least to look at."""
    run = run_of("a.one", "a.two")
    for n, one in enumerate(run.cases_of("a.two")):
        one.verdict = one.expected = "refuted"
        one.reason, one.ledger = samples.DEVIATION.because, samples.LEDGER[: 9 - n]

    make_docs(run)

    [shown] = [c for c in results.read(Path("docs")).cases_of("a.two") if c.ledger]
    assert len(shown.ledger) == 8


def test_renewing_what_is_as_it_was_changes_nothing(make_docs: Callable[[Results], int]) -> None:
    """Whatever it took, and whatever the queues were called: what a person sees is the same."""
    make_docs(run_of(*CHAPTERS, reason="claims-1f-2-queue-1 has [1, 3] after 0.21 s"))
    before = files()
    again = run_of(
        *CHAPTERS,
        seconds=7.0,
        reason="claims-77e-8-queue-1 has [1, 3] after 0.3 s",
        ledger=[
            from_json([entry | {"at": 1.5} | ({"queue": "claims-77-8-queue-1"} if "queue" in entry else {})])[0]
            for entry in to_json(samples.LEDGER)
        ],
    )

    make_docs(again)

    assert files() == before


def test_renewing_what_came_out_otherwise_shows_it(make_docs: Callable[[Results], int]) -> None:
    """Another picture is another line, in its chapter only."""
    make_docs(run_of(*CHAPTERS))
    before = files()
    again = run_of(*CHAPTERS)
    [noticed] = again.cases_of("b.three", "4.3+acks-swallowed")
    noticed.ledger = samples.LEDGER[:-1]

    make_docs(again)

    after = files()
    assert {name for name in after if after[name] != before[name]} == {"docs/results/b.json"}


def test_renewing_a_chapter_leaves_the_others_alone(make_docs: Callable[[Results], int]) -> None:
    """Byte for byte; the README and docs/README.md are about all of them."""
    make_docs(run_of("a.one", "a.two"))
    before = files()
    assert "b.three" not in before["docs/README.md"]

    make_docs(run_of("b.three", version="4.3.7"))

    after = files()
    assert after["docs/results/a.json"] == before["docs/results/a.json"]
    assert {"docs/results/b.json", "docs/README.md", "README.md"} <= {
        name for name in after if after[name] != before.get(name)
    }
    assert "`a.one`" in after["docs/README.md"]
    assert "`b.three`" in after["docs/README.md"]
    # The chapters have met 4.3.6 and 4.3.7: what is said of both is true of both.
    assert "\n- RabbitMQ 4.3 on Erlang/OTP 27\n" in after["docs/README.md"]
    assert json.loads(after["docs/results/b.json"])["targets"][0]["version"] == "4.3.7"


def test_chapter_that_the_catalogue_has_no_more_is_published_no_more(make_docs: Callable[[Results], int]) -> None:
    """Its file goes with it."""
    make_docs(run_of(*CHAPTERS))
    without = run_of("a.one", "a.two")
    without.chapters = without.chapters[:1]

    make_docs(without)

    assert [file.name for file in Path("docs/results").iterdir() if file.name != "contents.json"] == ["a.json"]
    assert "b.three" not in files()["docs/README.md"]


def surprising() -> Results:
    found = run_of(*CHAPTERS)
    found.cases[0].verdict = "refuted"
    return found


def untested() -> Results:
    found = run_of(*CHAPTERS)
    found.cases = [
        c for c in found.cases if (c.claim, c.target) not in (("a.two", "4.3"), ("b.three", "4.3+acks-swallowed"))
    ]
    return found


def not_applicable() -> Results:
    found = run_of(*CHAPTERS)
    found.cases[0].verdict = "not applicable"
    return found


def without_control() -> Results:
    found = run_of(*CHAPTERS)
    found.claim("b.three").control = ("a.one",)
    for one in found.cases_of("a.one", "4.3"):
        one.verdict = one.expected = "not applicable"
    return found


def cut_short() -> Results:
    found = run_of(*CHAPTERS)
    found.complete = False
    return found


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (cut_short, "that run was cut short"),
        (surprising, "not as expected: a.one"),
        (not_applicable, "not as expected: a.one"),
        (without_control, "its control a.one was not put to the test"),
        (untested, "not put to the test: a.two on 4.3, b.three under acks-swallowed"),
    ],
)
def test_half_a_run_is_not_published(
    make_docs: Callable[[Results], int], capsys: pytest.CaptureFixture[str], run: Callable[[], Results], words: str
) -> None:
    """One line says why, and nothing is written."""
    with pytest.raises(SystemExit, match="2"):
        make_docs(run())

    assert words in capsys.readouterr().err.splitlines()[-1]
    assert not Path("docs").exists()


def test_a_chapter_is_renewed_on_the_brokers_of_the_others(
    make_docs: Callable[[Results], int], capsys: pytest.CaptureFixture[str]
) -> None:
    """Or there would be holes in the matrix."""
    make_docs(run_of("a.one", "a.two"))
    before = files()
    other = run_of("b.three")
    for found in other.targets:
        found.name = found.name.replace("4.3", "4.0")
    for one in other.cases:
        one.target = one.target.replace("4.3", "4.0")

    with pytest.raises(SystemExit, match="2"):
        make_docs(other)

    assert "other chapters were put to the test on 4.3, not on 4.0" in capsys.readouterr().err
    assert files() == before


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        ("[]", "contents.json leaves out a"),
        ('["b"]', "contents.json leaves out a"),
        ("{}", "contents.json is no results file"),
    ],
)
def test_published_results_that_are_none_are_refused(tmp_path: Path, contents: str, words: str) -> None:
    """One line names the file."""
    published.write(run_of("a.one", "a.two"), None, tmp_path)
    (tmp_path / "contents.json").write_text(contents)

    with pytest.raises(ValueError, match=words) as refused:
        results.read(tmp_path)

    assert str(refused.value).startswith(str(tmp_path))
    assert len(str(refused.value).splitlines()) == 1


# Not yet published.


def test_claims_that_are_not_published_as_they_are_now_are_named() -> None:
    """Those that are new, and those that say something else; where and by which tests does not matter."""
    run = run_of(*CHAPTERS)
    there = copy.deepcopy(run)
    there.claim("a.one").tests = []
    assert published.unpublished(run, there) == {}

    there.claim("a.two").sentence = "It was otherwise."
    there.chapters = there.chapters[:1]

    assert published.unpublished(run, there) == {"a": ["a.two"], "b": ["b.three"]}


def test_run_names_what_is_not_yet_published_and_is_not_red(project: Project, broker: Broker) -> None:
    """At its end, with the command that publishes it."""
    published.write(
        samples.of([target("4.3")], [case("chapter.claim", "4.3")]), None, project.folder / "docs" / "results"
    )
    project.tests('@claim("chapter.claim")\ndef test_it(scene): assert scene.queue()\n')

    run = project.run("--rabbitmq", broker.url)

    assert run.code == 0, run.output
    assert "\nnot yet published: chapter.claim: make docs CHAPTER=chapter\n" in run.output
