"""Options: one name each, three places, and one clear line for what cannot be."""

import os
import sys
from pathlib import Path

import pytest

from fixtures.brokers.targets import parse
from fixtures.housekeeping import waiting
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
    ],
)
def test_targets_are_shown_as_they_were_given_but_for_passwords(text: str, name: str) -> None:
    """A target's name is what the user typed, without what must not be in a log."""
    assert parse(text).name == name


@pytest.mark.parametrize("text", ["", "4,1", "lokal:/x", "local:", "image:", "amqp://", "http://host", "amqp://host:x"])
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
        (["--rabbitmq-definitions", "nowhere.json"], ["'nowhere.json'", "no such file"]),
        (["--rabbitmq-image", "rabbitmq"], ["'rabbitmq'", "{tag}"]),
    ],
    ids=lambda value: value[0] if str(value[0]).startswith("--") else "",
)
def test_bad_option_is_one_clear_error(project: Project, arguments: list[str], words: list[str]) -> None:
    """The usage exit code of pytest, the option and its value, what is needed."""
    project.ask(*arguments).assert_one_clear_error(*words)


def test_command_line_goes_before_environment_and_environment_before_settings(project: Project) -> None:
    """The nearest to the user wins."""
    project.tests('@claim("chapter.claim")\ndef test_it(scene): pass\n')
    project.folder.joinpath("pyproject.toml").write_text('[tool.pytest.ini_options]\nrabbitmq = ["3.13", "4.0"]\n')

    by_settings = project.ask("--collect-only", "-q").output
    by_environment = project.ask("--collect-only", "-q", RABBITMQ="4.1 4.2").output
    by_command_line = project.ask("--collect-only", "-q", "--rabbitmq", "latest", RABBITMQ="4.1 4.2").output

    assert "test_it[3.13]" in by_settings
    assert "test_it[4.0]" in by_settings
    assert "test_it[4.1]" in by_environment
    assert "test_it[4.2]" in by_environment
    assert "test_it[4.0]" not in by_environment
    assert "test_it[latest]" in by_command_line
    assert "test_it[4.1]" not in by_command_line


def test_what_is_asked_in_this_process_leaves_it_as_it_was(project: Project) -> None:
    """Or one of these tests would change what the next ones, and the run that they are part of, stand on."""
    project.tests('@claim("chapter.claim")\ndef test_it(scene): pass\n')

    def state() -> list[object]:
        return [waiting.patient(1), Path.cwd(), os.environ.copy(), sys.path.copy(), sys.modules["conftest"]]

    before = state()

    assert project.ask("--collect-only", "--rabbitmq-patience=7", RABBITMQ="4.1").code == 0

    assert state() == before
    assert "test_chapter" not in sys.modules
