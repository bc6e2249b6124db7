"""What `docs/findings/` says is so: the script on each page is run, and sees it on the versions that the page names."""

import ast
import os
import re
import select
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from fixtures.brokers import Broker, BrokerError, prepare
from fixtures.brokers.targets import Target, parse
from fixtures.claims.catalogue import Catalogue
from fixtures.housekeeping.commands import PROJECT
from fixtures.housekeeping.waiting import patient, wait_until
from fixtures.suite.run import run_of

FOLDER = PROJECT / "docs" / "findings"
VERSIONS = ("3.8.9", "3.10.8", "4.0.5", "4.3.6")
#: What a page says of a version, and what its script may end with there.
CODES = {"happens": {0}, "may happen": {0, 1}, "does not happen": {1}}

#: The newest of the versions: its brokers are booted for what happens on no older one.
NEWEST = "4.3"

#: Seconds in which a script ends that runs no command, and one that does: a restart, or rabbitmqctl several times.
_ENDS, _ENDS_WITH_COMMANDS = 60, 150
#: A page says what can be seen: once is enough. A busy machine may be too slow to kill a node half a second after
#: something, or to read what a client has sent before that hangs up.
_ATTEMPTS = 3


@dataclass(frozen=True)
class Finding:
    """A page."""

    name: str
    title: str
    says: Mapping[str, str]  #: by version: one of `CODES`
    script: str
    command: str  #: what its script wants of whoever runs it: "rabbitmqctl", "kill" or nothing
    claims: tuple[str, ...]
    text: str

    def on(self, broker: Broker) -> set[int]:
        """What its script may end with on a broker: on one that no page names, either."""
        series = broker.version.release[:2]
        told = [self.says[version] for version in self.says if version.split(".")[:2] == [str(n) for n in series]]
        return CODES[told[0]] if told else {0, 1}

    @property
    def is_new(self) -> bool:
        """Whether it happens on the newest version only."""
        return [version for version, said in self.says.items() if said != "does not happen"] == [VERSIONS[-1]]


def read(page: Path) -> Finding:
    text = page.read_text()
    tables = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    command = re.search(r"`COMMAND` is a command that (runs rabbitmqctl|kills)", text)
    return Finding(
        page.stem,
        text.partition("\n")[0].removeprefix("# "),
        dict(zip(tables[0], tables[2], strict=True)),
        "\n\n".join(re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)),
        {"runs rabbitmqctl": "rabbitmqctl", "kills": "kill", "": ""}[command[1] if command else ""],
        tuple(re.findall(r"^Claim: `(.*)`$", text, re.MULTILINE)),
        text,
    )


FINDINGS = [read(page) for page in sorted(FOLDER.glob("*.md")) if page.name != "README.md"]
each = pytest.mark.parametrize("finding", FINDINGS, ids=lambda finding: finding.name)


def those(findings: list[Finding]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("finding", findings, ids=lambda finding: finding.name)


# The pages.


@each
def test_page_has_its_parts(finding: Finding) -> None:
    """It says what happens, on which versions, what it does to messages, what one may read of it, and what one sees."""
    assert re.fullmatch(r"[A-Z`p].*[^.]", finding.title)
    assert tuple(finding.says) == VERSIONS
    assert set(finding.says.values()) <= set(CODES)
    assert {"happens", "may happen"} & set(finding.says.values())
    headings = re.findall(r"^## (.*)$", finding.text, re.MULTILINE)
    assert headings == ["What it does to messages", "What the documentation says", "Script"]
    assert "https://www.rabbitmq.com/docs/" in finding.text
    assert finding.text.count("```python\n") == 1
    assert re.search(r"^On \d[.\d]+ it prints:\n\n```text\n.", finding.text, re.MULTILINE)


@each
def test_script_can_be_attached_to_an_issue(finding: Finding) -> None:
    """It is short, and needs nothing but Python and pika."""
    assert len(finding.script.splitlines()) <= 40
    imports = [node for node in ast.walk(ast.parse(finding.script)) if isinstance(node, ast.Import | ast.ImportFrom)]
    modules = {alias.name for node in imports if isinstance(node, ast.Import) for alias in node.names}
    assert not [node for node in imports if isinstance(node, ast.ImportFrom)]
    assert "pika" in modules
    assert modules - {"pika"} <= sys.stdlib_module_names


@each
def test_claims_of_a_finding_are_in_the_catalogue(finding: Finding) -> None:
    """What tells it there can be found."""
    assert set(finding.claims) <= set(Catalogue(PROJECT / "claims").claims)


def test_index_names_each_page() -> None:
    """By its title, with its versions."""
    rows = [line for line in (FOLDER / "README.md").read_text().splitlines() if line.startswith("| [")]

    assert sorted(rows) == sorted(
        f"| [{finding.title}]({finding.name}.md) | {' | '.join(finding.says.values())} |" for finding in FINDINGS
    )


# The scripts.


@dataclass(frozen=True)
class Ended:
    """A script that has ended."""

    code: int | None  #: None if it did not end in time
    said: str


def run(finding: Finding, url: str, *command: str, within: float = _ENDS) -> Ended:
    try:
        ended = subprocess.run(
            [sys.executable, "-c", finding.script, url, *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=patient(within),
        )
    except subprocess.TimeoutExpired as error:
        return Ended(None, f"it has not ended after {error.timeout:g} s")
    return Ended(ended.returncode, ended.stdout)


def assert_sees(finding: Finding, broker: Broker, ended: Ended) -> None:
    assert ended.code in finding.on(broker), f"{broker}: {ended.said}"
    assert "Traceback" not in ended.said
    assert ended.said.strip()


class Scripts:
    """Scripts on their way, some at a time: most of what they do is waiting."""

    def __init__(self, config: pytest.Config, pool: ThreadPoolExecutor) -> None:
        self._options = run_of(config).options
        self._pool = pool
        self._ended: dict[tuple[str, Broker], Future[Ended]] = {}
        self._booted: list[Broker] = []
        #: A broker of the newest version, or why there is none.
        self.newest: Broker | str | None = None

    def begin(self, finding: Finding, broker: Broker) -> Future[Ended]:
        """Have it run; what runs already goes on."""
        if (finding.name, broker) not in self._ended:
            self._ended[finding.name, broker] = self._pool.submit(run, finding, broker.url)
        return self._ended[finding.name, broker]

    def boot(self, target: Target) -> Broker:
        """Boot a broker that nobody else has.

        Raises:
            BrokerError: there is none to be had.
        """
        broker = prepare(target, self._options.settings, lambda _: None)
        self._booted.append(broker)
        broker.start(lambda _: None)
        return broker

    def find_newest(self, broker: Broker) -> None:
        """Have a broker of the newest version: the given one if it is."""
        try:
            self.newest = broker if str(broker.version).startswith(f"{NEWEST}.") else self.boot(parse(NEWEST))
        except BrokerError as error:
            self.newest = str(error).splitlines()[0]

    def close(self) -> None:
        """Remove what was booted."""
        for broker in self._booted:
            broker.close()


@pytest.fixture(scope="module")
def scripts(pytestconfig: pytest.Config) -> Iterator[Scripts]:
    with ThreadPoolExecutor(4) as pool:
        scripts = Scripts(pytestconfig, pool)
        try:
            yield scripts
        finally:
            pool.shutdown(cancel_futures=True)
            scripts.close()


@pytest.fixture
def begun(broker: Broker, scripts: Scripts, request: pytest.FixtureRequest) -> Scripts:
    """All that were asked for are on their way, but for those that want their node for themselves."""

    def asked_for(test: str) -> list[Finding]:
        items = [item for item in request.session.items if isinstance(item, pytest.Function)]
        names = {item.callspec.id for item in items if item.originalname == test}
        return [finding for finding in FINDINGS if any(finding.name in name.split("-") for name in names)]

    for finding in asked_for(test_script_sees_what_its_page_says.__name__):
        scripts.begin(finding, broker)
    new = asked_for(test_script_sees_what_is_new.__name__)
    if new and scripts.newest is None:
        scripts.find_newest(broker)
    if isinstance(scripts.newest, Broker):
        for finding in new:
            scripts.begin(finding, scripts.newest)
    return scripts


@pytest.fixture(scope="module")
def own_broker(scripts: Scripts, pytestconfig: pytest.Config) -> Broker:
    """A broker that scripts may kill, and on which nothing else runs."""
    target = run_of(pytestconfig).options.targets[0]
    if target.kind == "external":
        pytest.skip("nobody may kill a broker that is somebody else's")
    return scripts.boot(target)


@contextmanager
def kills(broker: Broker, folder: Path) -> Iterator[tuple[str, Callable[[], None]]]:
    """A shell command that kills the broker's node and starts it again, and what has to be called for that meanwhile.

    The command asks for it on a pipe, and waits at another one: the node is this process's.
    """
    request, answer = folder / "request", folder / "answer"
    os.mkfifo(request)
    os.mkfifo(answer)
    # Opened for both ways, a pipe neither blocks nor ends.
    asks, answers = os.open(request, os.O_RDWR), os.open(answer, os.O_RDWR)

    def serve() -> None:
        if not select.select([asks], [], [], 0.1)[0]:
            return
        os.read(asks, 100)
        broker.node.kill()
        wait_until(lambda: broker.node.exit_code() is not None, "the node is dead", within=60)
        broker.node.start()
        os.write(answers, b"done\n")

    try:
        yield f"echo kill > {shlex.quote(str(request))}; read done < {shlex.quote(str(answer))}", serve
    finally:
        os.close(asks)
        os.close(answers)


@pytest.mark.slow
@those([finding for finding in FINDINGS if finding.command])
def test_script_with_a_node_of_its_own_sees_what_its_page_says(
    finding: Finding, begun: Scripts, own_broker: Broker, tmp_path: Path
) -> None:
    """It is handed a shell command that runs rabbitmqctl, or one that kills the node."""
    with kills(own_broker, tmp_path) as (kill, serve), ThreadPoolExecutor(1) as pool:
        command = kill if finding.command == "kill" else shlex.join(own_broker.rabbitmqctl_command())
        for _ in range(_ATTEMPTS):
            running = pool.submit(run, finding, own_broker.url, command, within=_ENDS_WITH_COMMANDS)
            while not running.done():
                serve()
            own_broker.wait_until_ready(lambda _: None)
            if (ended := running.result()).code in (0, None) or 0 not in finding.on(own_broker):
                break
    assert_sees(finding, own_broker, ended)


@pytest.mark.slow
@those([finding for finding in FINDINGS if finding.is_new and not finding.command])
def test_script_sees_what_is_new(finding: Finding, begun: Scripts) -> None:
    """What happens on the newest version only is seen on one, whatever is under test."""
    if isinstance(begun.newest, str):
        pytest.skip(begun.newest)
    assert begun.newest

    assert_sees(finding, begun.newest, begun.begin(finding, begun.newest).result())


@pytest.mark.slow
@those([finding for finding in FINDINGS if not finding.command])
def test_script_sees_what_its_page_says(finding: Finding, begun: Scripts, broker: Broker) -> None:
    """On the broker under test it ends as the page says of its version."""
    assert_sees(finding, broker, begun.begin(finding, broker).result())
