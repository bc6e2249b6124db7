"""Selecting claims by id, and listing them."""

import re

import pytest

from fixtures.sabotage import SABOTAGES
from tests.harness.conftest import CATALOGUE, Project

CLAIMS = CATALOGUE + "".join(
    CATALOGUE[CATALOGUE.index("[[claim]]") :].replace("chapter.claim", f"chapter.{name}") for name in ("other", "third")
)
TESTS = "".join(
    f'@claim("chapter.{name}")\n@pytest.mark.parametrize("n", range({cases}))\ndef test_{name}(scene, n): pass\n'
    for name, cases in (("claim", 1), ("other", 2), ("third", 3))
)


@pytest.fixture
def chapter(project: Project) -> Project:
    """A chapter of three claims with one, two and three cases."""
    project.catalogue(CLAIMS)
    project.tests(TESTS)
    return project


@pytest.mark.parametrize(
    ("arguments", "claims"),
    [
        (["--claim", "chapter.other"], {"chapter.other"}),
        (["--claim", "*.t*", "--claim", "*claim"], {"chapter.claim", "chapter.third"}),
        (["--not-claim", "*other"], {"chapter.claim", "chapter.third"}),
        (["--claim", "chapter.*", "--not-claim", "*other", "--not-claim", "*third"], {"chapter.claim"}),
    ],
)
def test_claims_are_selected_by_id(chapter: Project, arguments: list[str], claims: set[str]) -> None:
    """All claims that one of the globs matches, without those that are not wanted."""
    run = chapter.run("--collect-only", "-q", *arguments)

    assert run.code == 0, run.output
    assert {f"chapter.{name}" for name in re.findall("::test_([a-z]+)", run.output)} == claims


def test_only_wanted_pairs_are_made(chapter: Project) -> None:
    """A claim that is not wanted is made for one target, however many there are, so that its test is seen."""
    run = chapter.run("--collect-only", "-q", "--rabbitmq", "local", "--sabotage", "all", "--claim", "chapter.other")

    wanted, unwanted = 2 * len(SABOTAGES), 1 + 3
    assert f"{wanted}/{wanted + unwanted} tests collected ({unwanted} deselected)" in run.output


@pytest.mark.parametrize("option", ["--claim", "--not-claim"])
def test_id_that_matches_nothing_is_refused(chapter: Project, option: str) -> None:
    """One clear error with the nearest ids, before anything starts."""
    run = chapter.run("--rabbitmq", "local", option, "chapter.thrid")

    run.assert_one_clear_error(option, "'chapter.thrid' matches no claim", "near it: chapter.third", "--list-claims")


@pytest.mark.parametrize("more", [[], ["-n", "2"], ["--rabbitmq", "4.1", "--rabbitmq", "4.0"]], ids=" ".join)
def test_listing_starts_nothing(chapter: Project, more: list[str]) -> None:
    """Id, number of cases and sentence of each claim under its chapter's title; no broker is needed."""
    run = chapter.run("--list-claims", *more, DOCKER_HOST="tcp://127.0.0.1:1", PATH="/nowhere")

    assert run.output.strip().splitlines() == [
        "Chapter",
        "  chapter.claim  (1 case)",
        "      Something is so.",
        "  chapter.other  (2 cases)",
        "      Something is so.",
        "  chapter.third  (3 cases)",
        "      Something is so.",
    ]
    assert run.code == 0


def test_list_is_of_what_is_selected(chapter: Project) -> None:
    """So one sees what a glob matches before running it."""
    output = chapter.run("--list-claims", "--not-claim", "*other").output

    assert "chapter.other" not in output
    assert "chapter.third" in output
