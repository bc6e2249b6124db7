"""What the suite's own tests stand on: small projects of their own, on which pytest runs for real."""

import io
import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fixtures.brokers import BrokerError, container
from fixtures.housekeeping.commands import PROJECT
from fixtures.report import results
from fixtures.report.results import Results
from fixtures.suite import options
from fixtures.suite.run import run_of
from fixtures.suite.workers import is_worker
from tests.harness import forked, leftovers

CATALOGUE = """
title = "Chapter"
introduction = "A chapter."
[[claim]]
id = "chapter.claim"
section = "1"
sentence = "Something is so."
why = "Because."
source = "nowhere"
"""


_HERE = Path(__file__).parent

#: What a test asks for that boots a broker of its own.
_BOOTS = {"target_name", "own_broker"}


def pytest_configure(config: pytest.Config) -> None:
    """Name the marker."""
    config.addinivalue_line("markers", 'slow: takes seconds; the fast ones alone: -m "not slow"')


def pytest_itemcollected(item: pytest.Item) -> None:
    """Whatever boots a broker of its own is slow."""
    if _BOOTS.intersection(_fixtures(item)):
        item.add_marker(pytest.mark.slow)


#: The modules that take longest, by what their tests stand on: brokers of their own, and the run's.
_LONGEST = [
    "test_your_queues",
    "test_clean_up",
    "test_restarts",
    "test_pages",
    "test_sabotage",
    "test_configured_brokers",
    "test_two_runs",
    "test_verdicts",
]
_LONGEST_ON_A_BROKER = [
    "test_injected_faults",
    "test_findings",
    "test_scene",
    "test_timeouts",
    "test_hostile_brokers",
    "test_terminal",
    "test_results",
]


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Generator[None]:
    """Fast tests first, slow ones last: what is broken shows in the first seconds.

    What shares a broker stays together as it is: in the middle. Among workers the claims go first, and then the longest
    modules, or one worker would still be at it when the others are done.
    """

    def place(item: pytest.Item) -> int:
        if "broker" in _fixtures(item):
            return 2
        if item.get_closest_marker("slow"):
            return 3
        return int("project" in _fixtures(item))

    def place_among_workers(item: pytest.Item) -> tuple[int, int]:
        name = item.path.stem
        if item.path.parent != _HERE:
            return 0, 0
        if "broker" in _fixtures(item):
            return 2, [*_LONGEST_ON_A_BROKER, name].index(name)
        return (1, _LONGEST.index(name)) if name in _LONGEST else (3, 0)

    yield
    items.sort(key=place_among_workers if is_worker(config) else place)


def _fixtures(item: pytest.Item) -> list[str]:
    return getattr(item, "fixturenames", [])


#: Every process of a run, worker or not, writes down its id, so that what it leaves can be told from that of others.
NOTES_ITS_PROCESSES = f"""
import os
if "{leftovers.MARK}" in os.environ:
    with open(os.path.join(os.path.dirname(__file__), "pids"), "a") as pids:
        print(os.getpid(), file=pids)
"""

#: Hypothesis's plugin takes a third of the time in which pytest starts, and complains in a process that has used it.
_BARE = ("-p", "no:hypothesispytest")

#: What tells pytest how to print, whether there is a terminal or not.
_PRINTING = {"BUILD_NUMBER", "CI", "COLUMNS", "FORCE_COLOR", "LINES", "NO_COLOR", "PY_COLORS"}


@dataclass
class Run:
    """A pytest run that has ended."""

    code: int
    output: str
    error: str

    @property
    def error_lines(self) -> list[str]:
        """The lines of its one error message, which pytest writes to standard error."""
        return self.error.strip().removeprefix("ERROR: ").splitlines()

    def assert_one_clear_error(self, *words: str) -> None:
        """It ended with pytest's usage code and one message of at most ten lines that says these words."""
        assert self.code == pytest.ExitCode.USAGE_ERROR, self.output
        assert 1 <= len(self.error_lines) <= 10, self.error
        assert self.error.startswith("ERROR: "), self.error
        assert "Traceback" not in self.output
        for word in words:
            assert word in " ".join(self.error_lines), self.error


def _is_for_the_outer_run(variable: str) -> bool:
    """Whether this environment variable is an option of the run around a project's, or says how to print.

    With CI, pytest's summary has every message a second time and whole.
    """
    return variable in _PRINTING or variable.startswith(("RABBITMQ", "UPGRADE", "CLAIMS", "PYTEST", "GITHUB"))


class Project:
    """A folder with the suite's plugins, a catalogue and tests of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._started: list[forked.Started] = []
        self._anew: list[subprocess.Popen[str]] = []
        (folder / "claims").mkdir(parents=True)
        (folder / "tests").mkdir()
        (folder / "pyproject.toml").write_text('[tool.pytest.ini_options]\nclaims_report = "report"\n')
        self._pids = folder / "pids"
        self._pids.touch()
        (folder / "conftest.py").write_text(f"{NOTES_ITS_PROCESSES}\n{(PROJECT / 'conftest.py').read_text()}")
        self.catalogue(CATALOGUE)

    def catalogue(self, text: str, name: str = "chapter") -> None:
        """Write a chapter of the catalogue; its document has all chapters there are."""
        claims = self.folder / "claims"
        (claims / f"{name}.toml").write_text(text)
        chapters = sorted(file.stem for file in claims.glob("*.toml") if file.stem != "contents")
        (claims / "contents.toml").write_text(
            '[[document]]\ntitle = "Document"\nsource = "nowhere"\nintroduction = "A document."\n'
            f"chapters = {json.dumps(chapters)}\n"
        )

    def plugin(self, source: str) -> None:
        """Have its runs do this too, in every process: the end of its conftest.py."""
        with (self.folder / "conftest.py").open("a") as conftest:
            conftest.write(f"\n{source}")

    def tests(self, body: str, name: str = "chapter") -> None:
        """Write a chapter's test module; what chapters import is imported already."""
        (self.folder / "tests" / f"test_{name}.py").write_text(
            "import time\nimport pytest\nfrom pathlib import Path\nfrom fixtures.vocabulary import *\n\n" + body
        )

    def _environment(self) -> dict[str, str]:
        inherited = {
            name: value
            for name, value in os.environ.items()
            if name == options.IMAGE.variable or not _is_for_the_outer_run(name)
        }
        return inherited | {"PYTHONPATH": str(PROJECT), leftovers.MARK: str(self.folder)}

    def start(self, *arguments: str, **environment: str) -> forked.Started:
        """Start pytest on the project, in a process of its own."""
        started = forked.Started(self.folder, [*_BARE, *arguments], self._environment() | environment)
        self._started.append(started)
        return started

    def start_anew(self, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
        """The same from the beginning, where that is asked: Python starts, too, which takes a second."""
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest", *_BARE, *arguments],
            cwd=self.folder,
            env=self._environment() | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A shell ignores Ctrl-C for what it runs in the background, these tests perhaps.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        self._anew.append(process)
        return process

    @property
    def results(self) -> Results:
        """What its last run has written."""
        return results.read(self.folder / "report")

    def left(self) -> set[str]:
        """What its runs have left on this machine, but for processes that were forked: `Started` knows of those."""
        return leftovers.of_runs(str(self.folder), [int(pid) for pid in self._pids.read_text().split()])

    def end(self) -> None:
        """End what still runs, because the test that started it has failed or was ended itself."""
        for started in self._started:
            started.end()
        for process in self._anew:
            if process.poll() is None:
                process.terminate()
                process.communicate(timeout=60)

    def run(self, *arguments: str, **environment: str) -> Run:
        """Run pytest on the project to its end."""
        started = self.start(*arguments, **environment)
        output, error = started.communicate(120)
        assert started.returncode is not None
        return Run(started.returncode, output + error, error)


@pytest.fixture(scope="session")
def target_name(pytestconfig: pytest.Config) -> str:
    """The first target of this run, for runs that boot a broker of their own."""
    return run_of(pytestconfig).options.targets[0].name


@pytest.fixture
def docker_daemon() -> None:
    """There is a Docker daemon.

    A machine without one tests local brokers; `.ci/run` runs these tests on one that has it.
    """
    try:
        container.daemon()
    except BrokerError as error:
        pytest.skip(str(error).splitlines()[0])


@pytest.fixture
def exiting_image(docker_daemon: None, target_name: str, pytestconfig: pytest.Config) -> Iterator[str]:
    """An image whose command says something and ends with 3, made from the image under test."""
    if target_name.startswith(("local", "amqp", "auto")):
        pytest.skip("no image is under test")
    base = run_of(pytestconfig).options.settings.image.replace("{tag}", target_name).removeprefix("image:")
    client = container.daemon()
    dockerfile = f'FROM {base}\nENTRYPOINT []\nCMD ["sh", "-c", "echo I cannot go on; exit 3"]\n'
    image, _ = client.images.build(fileobj=io.BytesIO(dockerfile.encode()), rm=True)
    assert image.id
    name, tag = "rabbitmq-claims-harness", f"exits-{secrets.token_hex(4)}"
    image.tag(name, tag=tag)
    yield f"{name}:{tag}"
    client.images.remove(f"{name}:{tag}")


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """A project with a catalogue of one claim, and no test yet. What its runs leave on the machine fails the test."""
    project = Project(tmp_path / "project")
    yield project
    project.end()
    assert project.left() == set()
