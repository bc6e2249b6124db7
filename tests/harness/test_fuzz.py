"""Whatever a file or an option says: a right answer, or one error that names it. Never another exception.

Examples are the same in every run. `FUZZ=5000` looks at as many new ones, which is how to find what nobody thought of.
"""

import json
import os
import tempfile
import tomllib
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, get_args, get_type_hints
from unittest.mock import Mock

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from packaging.version import Version

from fixtures.brokers.targets import parse
from fixtures.claims.catalogue import Catalogue, Deviation
from fixtures.claims.conditions import conditions
from fixtures.housekeeping import waiting
from fixtures.ledger.event import Body, Event, LongBody
from fixtures.ledger.ledger import AnyEvent, to_json
from fixtures.report import compare, diagram, markdown, matrix, pages, reproduce, results
from fixtures.report.results import Results
from fixtures.suite import options
from fixtures.wire import connection
from tests.harness import samples
from tests.harness.conftest import CATALOGUE, Project
from tests.harness.samples import case, target

_WANTED = int(os.environ.get("FUZZ", "0"))

settings.register_profile(
    "claims",
    derandomize=not _WANTED,
    max_examples=_WANTED or 60,
    database=None,
    phases=[Phase.explicit, Phase.generate],  # making an example smaller takes minutes, where pages are made of each
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
settings.load_profile("claims")

#: For what makes pages of each example.
few = settings(settings.get_profile("claims"), max_examples=_WANTED or 25)

#: Text as it comes from anywhere: line ends, quotes, what is no character, what is more than one.
TEXT = st.text(st.characters(codec=None) | st.sampled_from("\n\r\0\"'\\`{}@<>|_-.#*"), max_size=30)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


def refusal(do: Callable[[], object], kind: type[Exception]) -> str:
    """The message of the one error of this kind; empty if there is none."""
    message = ""
    try:
        do()
    except kind as error:
        message = str(error) or "without a message"
    assert message != "without a message"
    assert len(message.splitlines()) <= 10
    return message


def places(tree: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where something stands in a tree of dicts and lists."""
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in inner:
        yield (*at, key)
        yield from places(value, (*at, key))


def _like(value: Any) -> st.SearchStrategy[Any]:
    """Other values of the same type."""
    match value:
        case bool():
            return st.booleans()
        case int() | float():
            return st.integers() | st.floats(allow_nan=False, allow_infinity=False)
        case str():
            return TEXT
    return JSON


@st.composite
def mutated(draw: st.DrawFn, tree: Any, values: st.SearchStrategy[Any] = JSON) -> Any:
    """A tree with something in it replaced, removed, renamed or added."""
    changed = json.loads(json.dumps(tree))
    for _ in range(draw(st.integers(1, 3))):
        left = list(places(changed))
        if not left:
            break
        *way, last = draw(st.sampled_from(left))
        inner = changed
        for key in way:
            inner = inner[key]
        match draw(st.sampled_from(["replace", "replace", "remove", "rename", "add"])):
            case "replace":
                inner[last] = draw(values if draw(st.booleans()) else _like(inner[last]))
            case "remove":
                with suppress(KeyError, IndexError):
                    del inner[last]
            case "rename" if isinstance(inner, dict):
                inner[draw(TEXT)] = inner.pop(last, None)
            case _ if isinstance(inner, dict):
                inner[draw(TEXT)] = draw(values)
            case _:
                inner.append(draw(values))
    return changed


# The catalogue.

CHAPTER: dict[str, Any] = {
    "title": "Chapter",
    "introduction": "A chapter.",
    "claim": [
        {
            "id": "chapter.claim",
            "section": "1",
            "sentence": "Something is so.",
            "why": "Because.",
            "source": "nowhere",
            "control": ["chapter.claim"],
            "refuted_by": [],
            "needs": [{"when": "streams == supported", "because": "so", "source": "there"}],
            "deviations": [{"when": "version >= 4.3", "because": "so", "source": "there"}],
        }
    ],
}


CONTENTS = """
[[document]]
title = "Document"
source = "nowhere"
introduction = "A document."
chapters = ["chapter"]
"""


def read_catalogue(content: bytes, contents: bytes = CONTENTS.encode()) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "contents.toml").write_bytes(contents)
        (Path(folder) / "chapter.toml").write_bytes(content)
        refused = refusal(lambda: Catalogue(Path(folder)), pytest.UsageError)
    assert not refused or "chapter.toml" in refused or "contents.toml" in refused or refused.startswith("claim '")


@given(st.binary(max_size=200) | TEXT.map(lambda text: text.encode(errors="surrogatepass")))
@example(b"\xff\xfe")
@example(b"a=" + b"[" * 5000)
@example(b"title = " + b"9" * 5000)
def test_any_bytes_for_a_catalogue(content: bytes) -> None:
    """They are refused by name, or are a chapter."""
    read_catalogue(content)


@given(
    st.lists(
        st.sampled_from([*CATALOGUE.splitlines(keepends=True), "[", "]", "=", '"', "'''", "1e999", "\n", "claim"])
        | TEXT,
        max_size=20,
    )
)
def test_any_text_like_a_catalogue(parts: list[str]) -> None:
    """The same for what looks like one."""
    read_catalogue("".join(parts).encode(errors="surrogatepass"))


def as_toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {as_toml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(as_toml, value)) + "]"
    return json.dumps(value).lower() if isinstance(value, float) else json.dumps(value)


@given(mutated(CHAPTER))
def test_a_catalogue_with_anything_in_it_changed(chapter: Any) -> None:
    """The same for a valid one that somebody has edited."""
    if isinstance(chapter, dict):
        text = "".join(f"{json.dumps(key)} = {as_toml(value)}\n" for key, value in chapter.items())
        read_catalogue(text.encode())


@given(mutated(tomllib.loads(CONTENTS)))
def test_contents_with_anything_in_them_changed(contents: Any) -> None:
    """The same for the list of documents."""
    if isinstance(contents, dict):
        text = "".join(f"{json.dumps(key)} = {as_toml(value)}\n" for key, value in contents.items())
        read_catalogue(CATALOGUE.encode(), text.encode())


FACTS = {"version": Version("4.0.5"), "queue_type": "quorum"}

WHEN = st.lists(
    st.sampled_from(
        [
            "version",
            "queue_type",
            ">=",
            "<",
            "==",
            "!=",
            " and ",
            "and",
            " ",
            "4.3",
            "4.*",
            "4.3rc1",
            "~=",
            "1.2.3.4",
            "\n",
        ]
    )
    | TEXT,
    max_size=9,
).map("".join)


@given(WHEN)
@example("version >= 4.3.*")
@example("version == 4.3.*")
@example("version < 4.3+local")
@example("version >= " + "9" * 5000)
def test_any_condition(when: str) -> None:
    """It can be put to the test, or it is said what is wrong with it."""
    if not refusal(lambda: conditions(when), ValueError):
        assert Deviation(when=when, because="", source="").applies(FACTS) in (True, False)
        assert Deviation(when=when, because="", source="").applies({}) is False


# Options.


@given(
    TEXT
    | st.lists(
        st.sampled_from(
            ["amqp://", "amqps://", "image:", "local:", "auto", "@", ":", "/", "[", "]", "::1", "5672", "%", "~", "x"]
        )
        | TEXT,
        max_size=6,
    ).map("".join)
)
@example("amqp://[::1")
@example("amqp://host:99999")
@example("amqp://host:²")
@example("local:~nobody-of-this-name/x")
@example("amqp://a\u2100b")
@example('amqp://@%@"S')
def test_any_target(text: str) -> None:
    """It is one, and can be shown on a line; or it is quoted in the error."""
    if refused := refusal(lambda: parse(text), pytest.UsageError):
        assert "is no target" in refused
        return
    found = parse(text)
    assert found.name.isprintable()
    if found.kind == "external":
        refusal(lambda: connection.parameters_of(text), ValueError)


@pytest.mark.parametrize("name", ["rabbitmq_patience", "rabbitmq_boot_timeout"])
@given(
    st.floats().map(str) | TEXT | st.sampled_from(["nan", "inf", "-inf", "1e400", "1_0", "٣", "0x10", " 1 ", "1e-320"])
)
def test_any_number_of_seconds(name: str, text: str) -> None:
    """It is above 0 and finite, or it is quoted in the error."""
    config = Mock(spec=["getoption", "getini", "invocation_params"])
    config.getoption = {name: text, "rabbitmq": ["4.1"]}.get
    config.getini = {option.name: option.default for option in options.TABLE}.get
    before = waiting.patient(1)
    try:
        with pytest.MonkeyPatch.context() as patch:
            for option in options.TABLE:
                patch.delenv(option.variable, raising=False)
            found: list[options.Options] = []
            refused = refusal(lambda: found.append(options.read(config)), pytest.UsageError)
        if refused:
            assert refused.startswith(f"--{name.replace('_', '-')} {text!r}: a number above 0")
        else:
            assert 0 < waiting.patient(1) < 86_400
            assert 0 < found[0].settings.boot_timeout < 86_400
    finally:
        waiting.set_patience(before)


# Results files.


def write_everything(found: Results) -> None:
    """Make all that is made of results, and look whether it can be what it says."""
    merged = results.merge([found, found])
    compare.changes(found, merged)
    matrix.differences(found)
    for text in (markdown.table(found), markdown.overview(found), markdown.summary(found)):
        assert isinstance(text, str)
    with tempfile.TemporaryDirectory() as folder:
        results.write(found, Path(folder) / "results.json")
        pages.write(found, Path(folder) / "pages")
        made = {path.relative_to(folder).parts[0] for path in Path(folder).rglob("*")}
        assert made == {"results.json", "pages"}


def read_results(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "old.json"
        file.write_bytes(content)
        if refused := refusal(lambda: results.read(file), ValueError):
            assert "old.json" in refused
            assert len(refused.splitlines()) == 1
            return
        write_everything(results.read(file))


VALID: Any = msgspec.to_builtins(
    samples.of(
        [target("4.0.5"), target("4.3.6")],
        [case("a.one", "4.0.5"), case("a.one", "4.3.6", "refuted", reason="so"), case("b.two", "4.3.6")],
    )
)


@given(st.binary(max_size=100) | JSON.map(lambda tree: json.dumps(tree).encode()))
@example(b"[" * 100_000)
@example(b'{"schema": 1' + b"0" * 5000 + b"}")
@example(b'{"schema": true}')
def test_any_bytes_for_results(content: bytes) -> None:
    """They are refused by name."""
    read_results(content)


@few
@given(mutated(VALID))
def test_results_with_anything_in_them_changed(tree: Any) -> None:
    """They are refused by name, or all can be made of them that is made of results."""
    read_results(json.dumps(tree).encode())


@few
@given(
    mutated(VALID, st.sampled_from(["", "4.0.5", "a.one", "../../x", "x" * 300, "refuted", [], {}, 0, 1e300]) | TEXT)
)
def test_results_with_any_names(tree: Any) -> None:
    """The same where what is changed is more often still valid."""
    read_results(json.dumps(tree).encode())


# Ledgers.

SOME = st.sampled_from(["claims-1f-2-queue-1", "no 1 Hello", "marker 0f", "class", "1", "@steps@", '"', "\\"]) | TEXT
WHO = st.sampled_from(["sender", "idle", "class", ""]) | TEXT

#: Values of each type that a field of an event can have.
VALUES: dict[Any, st.SearchStrategy[Any]] = {
    str: SOME,
    int: st.integers(-(2**63), 2**63 - 1),
    float: st.floats(0, 100),
    bool: st.booleans(),
    int | None: st.none() | st.integers(-(2**63), 2**63 - 1),
    Body: SOME | st.builds(LongBody, size=st.integers(0, 2**40), sha256=SOME),
    list[str]: st.lists(SOME, max_size=3),
    dict[str, Any]: st.dictionaries(SOME, JSON, max_size=3),
}

#: What else is asked of some of them.
SPECIAL = {"acks": st.sampled_from(["automatic", "each message", "nothing by itself"])}


def events(kind: type[Event]) -> st.SearchStrategy[Event]:
    """Events of one kind, whatever they are about."""
    types = get_type_hints(kind)
    fields = {field.name: field for field in msgspec.structs.fields(kind) if field.name not in ("who", "at")}
    values = {name: SPECIAL[name] if name in SPECIAL else VALUES[types[name]] for name in fields}
    optional = {name for name, field in fields.items() if not field.required}
    return st.fixed_dictionaries(
        {"who": WHO, "at": st.floats(0, 100)} | {name: values[name] for name in fields if name not in optional},
        optional={name: values[name] for name in optional},
    ).map(lambda about: kind(**about))


def test_every_kind_of_event_can_be_made_up() -> None:
    """So that none is left out below."""
    assert [events(kind) for kind in get_args(AnyEvent)]


ANY_EVENT = st.sampled_from(get_args(AnyEvent)).flatmap(events)
LEDGERS = st.lists(ANY_EVENT, max_size=12).map(to_json) | mutated(to_json(samples.LEDGER)).filter(
    lambda tree: isinstance(tree, list)
)


@few
@given(LEDGERS, TEXT, TEXT)
def test_any_ledger_can_be_shown_and_done_again(ledger: list[Any], text: str, other: str) -> None:
    """As a picture that is XML, as pages, and as a script that is Python; or its file is refused."""
    tree = json.loads(json.dumps(VALID))
    tree["cases"][0] |= {"ledger": ledger, "observed": text, "reason": other}
    content = json.dumps(tree).encode()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "results.json").write_bytes(content)
        if refusal(lambda: results.read(Path(folder)), ValueError):
            return
        found = results.read(Path(folder))
    write_everything(found)
    found_case = found.cases[0]
    if picture := diagram.svg(found_case.ledger, text, other):
        ElementTree.fromstring(picture)
    compile(reproduce.script(text, found_case, other), "reproduce.py", "exec")


# The command line.


def test_what_fuzzing_finds_is_one_error_on_the_command_line(project: Project) -> None:
    """Spot checks that the errors above reach the user as they are."""
    project.run("--rabbitmq-patience", "nan").assert_one_clear_error("--rabbitmq-patience 'nan'", "a number above 0")

    (project.folder / "claims" / "chapter.toml").write_bytes(b"\xff\xfe")
    project.run("--rabbitmq", "local").assert_one_clear_error("claims/chapter.toml")
