"""The rooms of `fixtures/`: arrows go in one direction only, and there is no circle."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from pathlib import Path

import pytest

from fixtures.housekeeping.commands import PROJECT

#: From the ground up: a room may import from those before it.
ROOMS = (
    "housekeeping",
    "wire",
    "ledger",
    "configuration",
    "brokers",
    "faults",
    "scene",
    "report",
    "your_queues",
    "sabotage",
    "claims",
    "suite",
    "vocabulary",
)

#: Rooms that may import less than that: results are read without a broker, programs are what a reader would write.
NARROW = {"report": ("housekeeping", "ledger"), "programs": ()}


@dataclass(frozen=True, order=True)
class Arrow:
    """A module imports another."""

    importer: str
    imported: str
    for_types: bool = False  #: under TYPE_CHECKING, so that there is nothing of it at run time

    def __str__(self) -> str:
        return f"{self.importer} imports {self.imported}"


def modules(project: Path) -> dict[str, Path]:
    """The files of `fixtures/`, and the chapters' tests, by the name under which they are imported."""
    files = [*project.glob("fixtures/**/*.py"), *project.glob("tests/test_*.py")]
    named = {".".join(file.relative_to(project).with_suffix("").parts): file for file in files}
    return {name.removesuffix(".__init__"): file for name, file in named.items()}


def arrows(importer: str, source: str, known: Iterable[str]) -> Iterator[Arrow]:
    """What a module imports of `fixtures`, at its top or later on; a relative import is taken for what it means."""
    known = set(known)
    tree = ast.parse(source)
    typing = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                found = [name.name for name in names]
            case ast.ImportFrom(module=module, names=names, level=0):
                found = [f"{module}.{name.name}" if f"{module}.{name.name}" in known else str(module) for name in names]
            case ast.ImportFrom():
                raise ValueError(f"{importer}: write out what a relative import imports")
            case _:
                continue
        for name in found:
            if name.partition(".")[0] == "fixtures":
                yield Arrow(importer, name, id(node) in typing)


def room(module: str) -> str:
    """In which room a module is; `chapters` for the chapters' tests."""
    top, _, rest = module.partition(".")
    return rest.partition(".")[0] if top == "fixtures" else "chapters"


def is_allowed(arrow: Arrow) -> bool:
    """Whether an arrow stays in its room or goes down."""
    start, end = room(arrow.importer), room(arrow.imported)
    if start == "chapters":
        return end == "vocabulary"
    if start == end and start != "programs":
        return True
    return end in NARROW.get(start, ROOMS[: ROOMS.index(start)] if start in ROOMS else ())


def circle(found: Iterable[Arrow]) -> list[str]:
    """Modules that import one another at run time, in a circle; empty if there is none."""
    graph: dict[str, set[str]] = {}
    for arrow in found:
        if not arrow.for_types:
            graph.setdefault(arrow.importer, set()).add(arrow.imported)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(reversed(error.args[1]))
    return []


@pytest.fixture(scope="module")
def all_arrows() -> list[Arrow]:
    """All arrows of this project."""
    files = modules(PROJECT)
    return [arrow for name, file in files.items() for arrow in arrows(name, file.read_text(), files)]


def test_every_module_is_in_a_room(all_arrows: list[Arrow]) -> None:
    """A new one has its place in the list, or nobody knows what may import it."""
    there = {room(name) for name in modules(PROJECT)}

    assert there == {*ROOMS, "programs", "chapters", ""}  # the package `fixtures` itself is empty
    assert {room(arrow.importer) for arrow in all_arrows} == {*ROOMS, "chapters"}


def test_arrows_go_down(all_arrows: list[Arrow]) -> None:
    """Those for types too: who names a type of another room knows that room."""
    wrong = [str(arrow) for arrow in sorted(all_arrows) if not is_allowed(arrow)]

    assert not wrong, "\n".join(wrong)


def test_there_is_no_circle(all_arrows: list[Arrow]) -> None:
    """Within a room neither; an import in a function closes a circle as well as any other."""
    assert not (found := circle(all_arrows)), " -> ".join(found)


def test_only_the_plugin_has_hooks() -> None:
    """What happens in which order is to be seen in one place."""
    with_hooks = {
        name
        for name, file in modules(PROJECT).items()
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("pytest_")
    }

    assert with_hooks == {"fixtures.suite.plugin"}


# The check itself.

KNOWN = ("fixtures.wire", "fixtures.wire.loop", "fixtures.scene", "fixtures.scene.scene", "fixtures.vocabulary")


@pytest.mark.parametrize(
    ("importer", "source"),
    [
        ("fixtures.wire.loop", "from fixtures.scene.scene import Scene"),
        ("fixtures.wire.loop", "from fixtures.scene import scene"),
        ("fixtures.wire.loop", "import fixtures.scene.scene"),
        ("fixtures.wire.loop", "def late():\n    from fixtures.scene.scene import Scene"),
        ("fixtures.wire.loop", "if TYPE_CHECKING:\n    from fixtures.scene.scene import Scene"),
        ("fixtures.report.pages", "from fixtures.wire.loop import LOOP"),
        ("fixtures.programs.durable_receiver", "from fixtures.programs import reset"),
        ("fixtures.suite.turns", "from fixtures.vocabulary import Scene"),
        ("fixtures.attic.trunk", "from fixtures.housekeeping import owners"),
        ("tests.test_chapter", "from fixtures.scene.scene import Scene"),
    ],
)
def test_wrong_arrow_is_found(importer: str, source: str) -> None:
    """However it is written."""
    [arrow] = arrows(importer, source, KNOWN)

    assert not is_allowed(arrow)


@pytest.mark.parametrize(
    ("importer", "source"),
    [
        ("fixtures.scene.scene", "from fixtures.wire.loop import LOOP"),
        ("fixtures.scene.scene", "if TYPE_CHECKING:\n    from fixtures.scene.queue import Queue"),
        ("fixtures.report.pages", "from fixtures.ledger.event import Event"),
        ("fixtures.vocabulary", "from fixtures.suite.turns import after"),
        ("tests.test_chapter", "from fixtures.vocabulary import Scene"),
    ],
)
def test_right_arrow_is_none_of_them(importer: str, source: str) -> None:
    """Down, or within a room."""
    [arrow] = arrows(importer, source, KNOWN)

    assert is_allowed(arrow)


@pytest.mark.parametrize(
    ("names", "found"),
    [("ab", False), ("aba", True), ("abca", True), ("abcb", True)],
)
def test_circle_is_found(names: str, found: bool) -> None:
    """Of two modules, of three, and behind a straight way into it."""
    assert bool(circle(Arrow(*pair) for pair in pairwise(names))) is found


def test_circle_of_types_alone_is_none() -> None:
    """Nothing of it is there when the modules are imported."""
    there = Arrow("a", "b")

    assert circle([there, Arrow("b", "a")])
    assert not circle([there, Arrow("b", "a", for_types=True)])
