"""Options: one name each, three places, and one clear line for what cannot be."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
from _pytest.config import get_config

from fixtures.brokers.targets import parse
from fixtures.suite import options
from fixtures.suite.options import TABLE, Option
from tests.harness.conftest import Project


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("auto", "auto"),
        ("4.1", "4.1"),
        ("3.13-management", "3.13-management"),
        ("image:registry.example/rabbitmq:4", "image:registry.example/rabbitmq:4"),
        ("local", "local"),
        ("local:/opt/rabbitmq", "local:/opt/rabbitmq"),
        ("amqp://user:secret@host:5673/shop", "amqp://host:5673/shop"),
        ("amqps://host", "amqps://host"),
        ("4.1+my.conf", "4.1+my.conf"),
        ("local:/opt/x+y+etc/conf.d+a.config+b.json", "local:/opt/x+y+etc/conf.d+a.config+b.json"),
    ],
)
def test_targets_are_shown_as_they_were_given_but_for_passwords(text: str, name: str) -> None:
    """A target's name is what the user typed, without what must not be in a log."""
    assert parse(text).name == name


def test_target_may_have_files_of_its_own() -> None:
    """They are told by their endings: what else has a plus in it is a part of the target."""
    assert parse("4.1+my.conf+export.json").files == ("my.conf", "export.json")
    assert parse("local:/opt/x+y").value == "/opt/x+y"
    assert parse("local:/opt/x+y").files == parse("amqp://host/a+b.conf").files == ()


@pytest.mark.parametrize(
    "text",
    ["", "4,1", "4,1+my.conf", "+my.conf", "lokal:/x", "local:", "image:", "amqp://", "http://host", "amqp://host:x"],
)
def test_what_is_no_target_is_refused(text: str) -> None:
    """The error quotes what was given and says what is allowed."""
    with pytest.raises(pytest.UsageError, match=r"is no target\. A target is one of: auto; "):
        parse(text)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--rabbitmq", "4,1"], ["'4,1'", "A target is one of"]),
        (["--rabbitmq-boot-timeout", "soon"], ["--rabbitmq-boot-timeout 'soon'", "a number above 0"]),
        (["--rabbitmq-patience", "-1"], ["--rabbitmq-patience '-1'"]),
        (["--rabbitmq-conf", "nowhere.conf"], ["'nowhere.conf'", "no such file"]),
        (["--rabbitmq", "local+nowhere.conf"], ["--rabbitmq 'nowhere.conf'", "no such file"]),
        (["--rabbitmq-definitions", "nowhere.json"], ["'nowhere.json'", "no such file"]),
        (["--rabbitmq-image", "rabbitmq"], ["'rabbitmq'", "{tag}"]),
        (["--strain", "bussy"], ["--strain 'bussy' is none", "near it: busy", "latency"]),
        (["-o", "claims_strict=perhaps"], ["--claims-strict 'perhaps'", "yes or no"]),
    ],
    ids=lambda value: value[0] if str(value[0]).startswith("--") else "",
)
def test_bad_option_is_one_clear_error(project: Project, arguments: list[str], words: list[str]) -> None:
    """The usage exit code of pytest, the option and its value, what is needed."""
    project.run(*arguments).assert_one_clear_error(*words)


def test_several_targets_are_separated_by_spaces_in_the_environment(project: Project) -> None:
    """And each test runs on each of them."""
    project.tests('@claim("chapter.claim")\ndef test_it(scene): pass\n')

    output = project.run("--collect-only", "-q", RABBITMQ="4.1 4.2").output

    assert "test_it[4.1]" in output
    assert "test_it[4.2]" in output


PLACES = ("command line", "environment", "settings")


def given(option: Option, places: Sequence[str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is understood of an option that is given in these places, each with a value that names the place."""
    settings = folder / "pytest.ini"
    switch = option.kind == "yes or no"
    said = {place: "yes" if switch else place.replace(" ", "-") for place in places}
    settings.write_text("[pytest]\n" + (f"{option.name} = {said['settings']}\n" if "settings" in said else ""))
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    monkeypatch.delenv(option.variable, raising=False)
    if "environment" in said:
        monkeypatch.setenv(option.variable, said["environment"])
    arguments = ["-c", str(settings), "--rootdir", str(folder), "--noconftest", "-p", "no:hypothesispytest"]
    if "command line" in said:
        arguments += [option.flag] if switch else [f"{option.flag}={said['command line']}"]
    config = get_config(arguments)
    config.pluginmanager.register(SimpleNamespace(pytest_addoption=options.add_all))
    config.parse(arguments)
    return ["yes"] * option.is_on(config) if switch else option.values(config)


@pytest.mark.parametrize("option", TABLE, ids=lambda option: option.name)
@pytest.mark.parametrize("first", range(3), ids=PLACES)
def test_every_option_has_three_places(
    option: Option, first: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command line goes before the environment, the environment before the settings."""
    nearest = PLACES[first].replace(" ", "-")

    found = given(option, PLACES[first:], tmp_path, monkeypatch)

    assert found == ["yes" if option.kind == "yes or no" else nearest]


@pytest.mark.parametrize("option", TABLE, ids=lambda option: option.name)
def test_option_that_is_given_nowhere_has_its_default(
    option: Option, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has one value, or none."""
    assert given(option, [], tmp_path, monkeypatch) == option.default.split()


def test_every_option_is_in_the_table(pytestconfig: pytest.Config) -> None:
    """But for --list-claims, which does something else than to put claims to the test."""
    [group] = [group for group in pytestconfig._parser._groups if group.name == "rabbitmq-claims"]

    flags = {flag for option in group.options for flag in option.names()}

    assert flags == {option.flag for option in TABLE} | {"--list-claims"}
