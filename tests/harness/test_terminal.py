"""What a run prints in its end: the matrix, whatever the number of brokers, and each failing claim once."""

import io
import re

import pytest
from rich.console import Console

from fixtures.brokers import Broker
from fixtures.report import matrix
from fixtures.report.results import Deviation, Results
from fixtures.suite import failures, terminal
from tests.harness import samples
from tests.harness.conftest import CATALOGUE, Project
from tests.harness.samples import target


def printed(found: Results, width: int = 80, everything: bool = False, color: bool = False) -> str:
    text = io.StringIO()
    console = Console(
        file=text,
        force_terminal=color,
        no_color=not color,
        color_system="standard" if color else None,
        width=width,
        highlight=False,
        markup=False,
    )
    terminal.print_matrix(console, found, everything)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines())


def table(text: str) -> list[str]:
    """The lines between what each column is about and what differs."""
    return text[text.index("Plain (2)") :].partition("\nWhat ")[0].splitlines()


# The matrix.


@pytest.mark.parametrize("everything", [False, True])
@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("count", [1, 4, 8, 20, 60])
def test_matrix_fits_the_terminal(count: int, width: int, everything: bool) -> None:
    """Nothing is wider; every target is named; columns that do not fit side by side are a table of their own."""
    found = samples.many(count)

    text = printed(found, width, everything)

    assert max(map(len, text.splitlines())) <= width
    for one in found.targets if count > 1 else ():
        assert text.count(f"RabbitMQ {one.version},") == 1
    lines = table(text)
    tables = len([line for line in lines if line.startswith("Plain (2)")])
    assert tables == (1 if count <= 20 else 4 if width == 80 else 2)
    assert len([line for line in lines if line[2:].startswith("differs")]) == tables
    assert len([line for line in lines if line.startswith("  holds")]) == (2 * tables if everything else 0)
    if count >= 8:  # a claim is two lines at the most, a chapter one; above them the keys, between two tables nothing
        assert len(lines) <= tables * (1 + 2 + 2 * 4 + 1)


def test_few_targets_have_words() -> None:
    """As long as there is room for them, under the names they were asked for by."""
    lines = printed(samples.many(4, prefix="")).splitlines()

    assert lines[0] == "3.0: RabbitMQ 3.0.0, container an image, ready in 6.2 s"
    assert lines[5].split() == ["3.0", "3.1", "3.2", "3.3"]
    assert any(line.split()[:4] == ["Plain", "(2)", "✓", "all"] for line in lines)
    at = next(n for n, line in enumerate(lines) if line.startswith("! a-claim-whose-name-"))
    assert [line[:24].rstrip() for line in lines[at + 1 : at + 3]] == ["    is-as-long-as-…", ""]


def test_no_word_is_broken_for_a_long_title() -> None:
    """It has as many lines as it takes; the cells keep their width."""
    found = samples.many(4, prefix="")
    found.chapters[0].title = "A chapter with a title that is long"

    lines = printed(found).splitlines()

    at = lines.index(next(line for line in lines if line.startswith("A chapter with a title ")))
    assert lines[at + 1] == "that is long (2)"
    assert [
        line.split() for line in lines[at : lines.index("What differs between the targets:")] if "applicabl" in line
    ] == [["applicable", "established"]]


def test_of_many_differences_those_that_cost_messages_are_told() -> None:
    """The others are counted, and told by -v."""
    names = [f"a.number-{n}" for n in range(30)]
    cases = [samples.case(name, "3.8") for name in names]
    cases += [samples.case(name, "4.0", "refuted", reason="") for name in names]
    found = samples.of([target("3.8"), target("4.0")], cases)
    found.claim(names[7]).deviations = (Deviation("version >= 4", "", "https://there", risk="lost"),)

    text, everything = printed(found), printed(found, everything=True)

    assert "  Messages can be lost:\n  - Since 4.0 a.number-7 is refuted" in text
    assert text.count("Since 4.0") == 1
    assert "  and others (-v shows them): A 29" in text
    assert everything.count("Since 4.0") == 30


def test_many_targets_have_marks_and_a_legend() -> None:
    """A short key above each column says which broker it is, a legend what the marks mean."""
    text = printed(samples.many(20))

    assert "A: 3.0, RabbitMQ 3.0.0, container an image, ready in 6.2 s\n" in text
    assert "image:my.registry" not in text
    assert f"\n{' ' * 40}A B C D E F G H I J K L M N O P Q R S T\n" in text
    rows = {line[:40].strip(): line[40:].split() for line in table(text)}
    assert rows["Plain (2)"] == ["✓"] * 20
    assert rows["! differs"] == ["✓", "±", "✓"] * 6 + ["✓", "±!"]
    assert rows["! a-claim-whose-name-is-as-long-as-"] == ["✓"] * 19 + ["±!"]
    assert "✓ holds  ± not alike in all cases  ↓ not all hold, see below  ! not as expected" in " ".join(
        text.split("\n")
    )


def test_what_is_so_nearly_everywhere_is_not_a_list_of_twenty() -> None:
    """The others are named."""
    text = " ".join(printed(samples.many(20)).split())

    assert "odd.differs (test_it[a]) is not applicable on 3.1.1, 3.4.4, 3.7.7" in text
    assert "holds elsewhere: no rabbitmqctl" in text
    assert "Since 4.9.19 odd.differs (test_it[b]) is not established; before, it holds: no restart" in text


def test_matrix_is_plain_in_a_pipe() -> None:
    """No colour there; where there is colour the text is the same."""
    for count in (4, 20):
        coloured = printed(samples.many(count), color=True)

        assert "\x1b[" in coloured
        assert "\x1b[" not in printed(samples.many(count))
        plain = "\n".join(line.rstrip() for line in re.sub(r"\x1b\[[\d;]*m", "", coloured).splitlines())
        assert plain == printed(samples.many(count))


@pytest.mark.parametrize(
    ("names", "short"),
    [
        (["image:a/b:3.8", "image:a/b:3.10"], ["3.8", "3.10"]),
        (["image:a/b:3.8", "image:c/b:3.8"], ["a/b:3.8", "c/b:3.8"]),
        (["3.8", "3.10"], ["3.8", "3.10"]),
        (["3.8", "3.8.9"], ["3.8", "3.8.9"]),
        (["local", "image:a/b:3.8"], ["local", "image:a/b:3.8"]),
        (["image:a/b", "image:a/b:3.8"], ["b", "b:3.8"]),
        (["amqp://localhost:5672/%2F"], ["amqp://localhost:5672/%2F"]),
    ],
)
def test_names_are_without_what_they_have_in_common(names: list[str], short: list[str]) -> None:
    """As long as they can be told apart; never in the middle of a word or a version."""
    targets = [target("3.8.9", name) for name in names]

    assert list(matrix.short_names(targets).values()) == short
    assert len(set(matrix.headings(targets).values())) == len(names)


# What failed.

FAILING = """
@pytest.mark.parametrize("n", range(6))
@claim("chapter.claim")
def test_it(scene, n):
    queue = scene.queue()
    queue.publish(*(f"no {k} Hello" for k in range(20)))
    assert queue.drain().numbers == [n]
"""


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "two-workers"])
def test_failing_claim_is_printed_once_and_its_further_cases_are_lines(
    project: Project, broker: Broker, workers: tuple[str, ...]
) -> None:
    """With target, verdict and reason; pytest's own summary names all of them."""
    project.tests(FAILING)

    run = project.run("--rabbitmq", broker.url, *workers)

    assert run.code == 1
    assert run.output.count(" the claim --") == run.output.count(" the ledger's last lines --") == 1
    assert run.output.count(">       assert queue.drain()") == 1
    _, _, further = run.output.partition("- 5 further cases (-v shows all) -")
    lines = further.splitlines()[1:6]
    assert len({re.sub(r" on .*", "", line) for line in lines}) == 5
    for line in lines:
        assert re.fullmatch(r"chapter\.claim: test_it\[\d\] on \S+: refuted: assert \[0, 1, .*\] == \[\d\]", line)
    assert run.output.count("\nFAILED tests/test_chapter.py") == 6
    assert " 6 failed in" in run.output


def test_verbose_run_prints_every_case_in_full(project: Project, broker: Broker) -> None:
    """For whoever wants to see what their ledgers have in common."""
    project.tests(FAILING)

    assert project.run("--rabbitmq", broker.url, "-v").output.count(" the claim --") == 6


def test_what_keeps_claims_from_being_put_to_the_test_is_one_failure(project: Project, broker: Broker) -> None:
    """A restart that fails, for one, is the same for all that wait for it, whatever they claim."""
    project.catalogue(CATALOGUE + CATALOGUE[CATALOGUE.index("[[claim]]") :].replace("chapter.claim", "chapter.other"))
    project.tests(
        "@pytest.fixture\ndef restarted(): raise RuntimeError('there was no restart')\n"
        '@claim("chapter.claim")\n@pytest.mark.parametrize("n", range(3))\ndef test_it(scene, restarted, n): ...\n'
        '@claim("chapter.other")\ndef test_other(scene, restarted): ...\n'
    )

    output = project.run("--rabbitmq", broker.url).output

    assert output.count("ERROR at setup of") == 1
    assert "- 3 further cases (-v shows all) -" in output
    assert re.search(r"\nchapter\.other: test_other on \S+: not established: there was no restart\n", output)
    assert " 4 errors in" in output


def test_what_is_no_claim_is_printed_as_ever() -> None:
    """The suite's own tests: each is a failure of its own, though they say the same."""
    reports = [
        pytest.TestReport(f"tests/{n}", ("", 0, ""), {}, "failed", "assert 0", "call", start=0, stop=0, duration=0)
        for n in range(2)
    ]

    assert failures.once_each(reports) == reports
    assert [report.sections for report in reports] == [[], []]
