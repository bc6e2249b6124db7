"""What is published in docs/ and in the README is what the catalogue and the last published run say."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.version import Version

from fixtures.claims.catalogue import Catalogue
from fixtures.housekeeping.commands import PROJECT
from fixtures.report import controls, docs, kills, matrix, results
from tests.harness import samples
from tests.harness.samples import case, target

AGAIN = "the published results are not those of this catalogue; run: make docs"


@pytest.fixture(scope="module")
def published() -> results.Results:
    """The run in docs/."""
    return results.read(PROJECT / "docs" / "results.json")


def test_published_claims_are_those_of_the_catalogue(published: results.Results) -> None:
    """Each with its sentence, its reason, its control and its deviations, in the same order."""

    def facts(claim: object) -> list[object]:
        names = ("id", "section", "sentence", "why", "source", "document", "about", "control", "refuted_by", "conf")
        needs = [(n.when, n.because, n.source, n.cases) for n in claim.needs]  # type: ignore[attr-defined]
        deviations = [(d.when, d.because, d.source, d.may) for d in claim.deviations]  # type: ignore[attr-defined]
        return [*(getattr(claim, name) for name in names), needs, deviations]

    catalogue = Catalogue(PROJECT / "claims")

    claims = [facts(claim) for chapter in catalogue.chapters.values() for claim in chapter.claim]
    assert [facts(claim) for claim in published.claims()] == claims, AGAIN


def test_every_claim_was_put_to_the_test_on_every_published_version(published: results.Results) -> None:
    """No claim was left out, none came out otherwise than expected, and the versions span 3.8 to 4.3."""
    versions = [Version(found.version) for found in published.honest().targets]

    assert published.complete
    assert versions[0] < Version("3.9"), versions
    assert versions[-1] >= Version("4.3"), versions
    for found in published.honest().targets:
        for claim in published.claims():
            cases = published.cases_of(claim.id, found.name)
            assert cases, f"{claim.id} on {found.name}: {AGAIN}"
            assert all(one.as_expected and not one.left_out for one in cases), claim.id
    assert list(controls.unproven(published)) == []


def test_every_claim_was_refuted_by_the_broken_brokers_that_it_names(published: results.Results) -> None:
    """And the pages show what such a broker looks like."""
    found = kills.kills(published)

    assert found.surprises == []
    for claim in published.claims():
        assert {pair.sabotage for pair in found.refuting(claim.id)} == set(claim.refuted_by), f"{claim.id}: {AGAIN}"
        assert any(case.ledger for pair in found.refuting(claim.id) for case in pair.cases), claim.id


def test_every_published_difference_has_its_source(published: results.Results) -> None:
    """Nobody has to believe us."""
    differences = matrix.differences(published)

    assert differences
    assert [found.sentence for found in differences if not found.source.startswith("https://")] == []


def test_readme_and_docs_are_made_from_the_published_results(published: results.Results) -> None:
    """Nobody edited them by hand, and nobody forgot to make them anew."""
    readme = (PROJECT / "README.md").read_text()

    assert docs.with_matrix(readme, published) == readme, AGAIN
    for name, text in docs.pages(published).items():
        assert (PROJECT / "docs" / name).read_text() == text, f"docs/{name}: {AGAIN}"


def test_nothing_of_the_machine_is_published() -> None:
    """No path, no host, no user of whoever made them."""
    text = (PROJECT / "docs" / "results.json").read_text()

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


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (samples.of([target("4.3.6")], [case("a.one", "4.3.6")], complete=False), "that run was cut short"),
        (
            samples.of([target("4.3.6")], [case("a.one", "4.3.6", "refuted", expected="holds")]),
            "not as expected: a.one",
        ),
        (samples.of([target("4.3.6")], [case("a.one", "4.3.6", "not applicable")]), "not as expected: a.one"),
        (
            samples.of(
                [target("4.3.6")],
                [case("a.one", "4.3.6"), case("a.two", "4.3.6", "not applicable", expected="not applicable")],
                controls={"a.one": ["a.two"]},
            ),
            "its control a.two was not put to the test",
        ),
    ],
    ids=["cut-short", "not-as-expected", "not-applicable", "without-control"],
)
def test_half_a_run_is_not_published(tmp_path: Path, found: results.Results, words: str) -> None:
    """One line says why, and nothing is written."""
    results.write(found, tmp_path / "results.json")
    shutil.copy(PROJECT / "README.md", tmp_path)

    run = subprocess.run(
        [sys.executable, "-m", "fixtures.report.docs", "results.json"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert run.returncode == 2
    assert words in run.stderr
    assert not (tmp_path / "docs").exists()
