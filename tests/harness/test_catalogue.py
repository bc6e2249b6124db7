"""The catalogue is held against the tests, and says what is wrong with it in one clear error."""

from pathlib import Path

import pytest
from packaging.version import Version

from fixtures.claims.catalogue import Catalogue, Deviation
from fixtures.housekeeping.commands import PROJECT
from fixtures.sabotage import SABOTAGES
from tests.harness.conftest import CATALOGUE, Project

TEST = '@claim("chapter.claim")\ndef test_claim(): pass\n'


def test_every_claim_of_this_project_has_a_test_and_every_test_a_claim(project: Project) -> None:
    """Collecting the project itself is accepted."""
    project.folder = PROJECT

    collected = project.run("--collect-only", "-q", "--ignore=tests/harness", "--rabbitmq", "local")

    assert collected.code == 0, collected.output


def test_claims_have_a_source_and_a_reason() -> None:
    """Every claim says where it comes from and why it matters, and ids begin with their chapter."""
    catalogue = Catalogue(PROJECT / "claims")

    for name, chapter in catalogue.chapters.items():
        for entry in chapter.claim:
            assert entry.source, entry.id
            assert entry.why, entry.id
            assert entry.id.startswith(name.replace("_", "-") + "."), entry.id


def test_claims_about_the_programs_are_those_that_come_from_them() -> None:
    """What no broker can make false has no source at RabbitMQ, and the other way round."""
    claims = Catalogue(PROJECT / "claims").claims.values()

    assert {entry.id for entry in claims if entry.about == "the programs"} == {
        entry.id for entry in claims if "fixtures/programs/" in entry.source
    }


def test_documents_and_chapters_are_read_in_the_order_in_which_they_are_listed(tmp_path: Path) -> None:
    """Not in that of their files' names."""
    catalogue = written(tmp_path, document("First", "b", "c") + document("Second", "a"), "a", "b", "c")

    assert [found.title for found in catalogue.documents] == ["First", "Second"]
    assert list(catalogue.chapters) == ["b", "c", "a"]


@pytest.mark.parametrize(
    ("contents", "chapters", "words"),
    [
        (None, "a", "claims/contents.toml is missing"),
        (["First", "a"], "ab", "claims/contents.toml: no document lists the chapter 'b'"),
        (["First", "a", "basic_qeue"], "a", "'First' lists 'basic_qeue', but there is no basic_qeue.toml"),
        (["First", "a"], ["basic_queue"], "'First' lists 'a', but there is no a.toml"),
        (["First", "a", "a"], "a", "the chapter 'a' is in 'First' and in 'First'"),
        (["First"], "", "the document 'First' has no chapter"),
    ],
    ids=["no-contents", "not-listed", "no-file", "no-file-like-it", "twice", "empty"],
)
def test_contents_that_do_not_fit_the_chapters_are_refused(
    tmp_path: Path, contents: list[str] | None, chapters: list[str], words: str
) -> None:
    """One line names the document and the file."""
    with pytest.raises(pytest.UsageError, match=words):
        written(tmp_path, document(*contents) if contents else None, *chapters)


def test_chapter_in_two_documents_is_refused(tmp_path: Path) -> None:
    """It belongs to one."""
    with pytest.raises(pytest.UsageError, match="the chapter 'a' is in 'First' and in 'Second'"):
        written(tmp_path, document("First", "a") + document("Second", "a"), "a")


def test_claim_names_its_section_where_the_document_has_sections(tmp_path: Path) -> None:
    """Elsewhere it has none to name."""
    assert written(tmp_path / "without", document("First", "a"), "a").claims["a.claim"].section == ""

    with pytest.raises(pytest.UsageError, match=r"claims/a.toml: claim 'a.claim' names no section of 'First'"):
        written(tmp_path / "with", document("First", "a") + "sections = true\n", "a")


@pytest.mark.parametrize("line", ["heartbeat", "heartbeat = ", "# heartbeat = 33", "heartbeat = 1\\nx = 2"])
def test_setting_that_is_no_line_of_a_configuration_is_refused(tmp_path: Path, line: str) -> None:
    """Before a broker stumbles over it."""
    with pytest.raises(
        pytest.UsageError, match="is no line such as 'heartbeat = 30' or '-rabbit channel_tick_interval 500'"
    ):
        written(tmp_path, document("First", "a"), "a", more=f'conf = ["{line}"]\n')


@pytest.mark.parametrize("seen", ["4.0.5", "4.0.5, 3.10.8", "new, newer", "3.10.8, 3.10.8", "3.8.9, 4.0.5, 3.10.8"])
def test_boundary_lies_between_two_versions(tmp_path: Path, seen: str) -> None:
    """The older one first."""
    deviation = '[[claim.deviations]]\nwhen = "version < 4"\nbecause = "other"\nsource = "there"\n'
    with pytest.raises(pytest.UsageError, match=r"claims/a.toml: claim 'a.claim': seen = .*'3\.10\.8, 4\.0\.5'"):
        written(tmp_path, document("First", "a"), "a", more=f'{deviation}seen = "{seen}"\n')


def test_word_for_settings_that_is_none_is_refused(tmp_path: Path) -> None:
    """It is not in claims/settings.toml, which names what it stands for."""
    (tmp_path / "claims").mkdir()
    (tmp_path / "claims" / "settings.toml").write_text(
        '[[settings.waiting]]\nwhen = "policy.expires"\nbecause = "it goes"\nsource = "there"\n'
    )

    catalogue = written(tmp_path, document("First", "a"), "a", more='settings = ["waiting"]\n')
    with pytest.raises(pytest.UsageError, match=r"'wating' is not in claims/settings\.toml; near it: waiting"):
        written(tmp_path, document("First", "a"), "a", more='settings = ["wating"]\n')

    assert [setting.because for setting in catalogue.settings(catalogue["a.claim"])] == ["it goes"]


def test_every_word_for_settings_is_used() -> None:
    """One that no claim names stands for nothing."""
    catalogue = Catalogue(PROJECT / "claims")

    assert {word for entry in catalogue.claims.values() for word in entry.settings} == catalogue.settings_words


#: What people have reported of messages that were lost, doubled or stuck, and that one node can show.
REPORTED = [
    *(f"rabbitmq/rabbitmq-server/issues/{n}" for n in (1425, 1449, 5460, 5894, 5927, 8495, 10327, 10949, 10962)),
    *(f"rabbitmq/rabbitmq-server/issues/{n}" for n in (14141, 14926, 15333)),
    "celery/celery/issues/5410",
    "celery/celery/issues/9867",
    "pika/pika/issues/327",
    "amqp-node/amqplib/issues/641",
    "vyuldashev/laravel-queue-rabbitmq/issues/627",
    "Particular/NServiceBus.RabbitMQ/issues/1688",
]


def test_every_report_is_told_by_a_claim() -> None:
    """Who had read the catalogue would have been warned."""
    catalogue = Catalogue(PROJECT / "claims")

    told = {report.link for entry in catalogue.claims.values() for report in entry.reports}

    assert told >= {f"https://github.com/{report}" for report in REPORTED}


def document(title: str, *chapters: str) -> str:
    """An entry of contents.toml."""
    return (
        f'[[document]]\ntitle = "{title}"\nsource = "nowhere"\nintroduction = "A document."\n'
        f"chapters = {list(chapters)}\n"
    )


def written(folder: Path, contents: str | None, *chapters: str, more: str = "") -> Catalogue:
    """A catalogue of these chapters, with one claim each and without sections; `more` is written behind the claims."""
    claims = folder / "claims"
    claims.mkdir(parents=True, exist_ok=True)
    if contents:
        (claims / "contents.toml").write_text(contents)
    for name in chapters:
        text = CATALOGUE.replace("chapter.claim", f"{name}.claim").replace('section = "1"\n', "")
        (claims / f"{name}.toml").write_text(text + more)
    return Catalogue(claims)


def test_every_claim_has_a_sabotage_made_for_it_and_every_sabotage_a_claim() -> None:
    """A claim that no broken broker refutes proves nothing; a sabotage that no claim names is of no use."""
    named = {name: entry.refuted_by for name, entry in Catalogue(PROJECT / "claims").claims.items()}

    assert [claim for claim, sabotages in named.items() if not sabotages] == []
    unused = SABOTAGES.keys() - {name for sabotages in named.values() for name in sabotages}
    assert {name for name in unused if not SABOTAGES[name].spoils} == {"none"}


@pytest.mark.parametrize("name", ["prefetch-ignord", "none"])
def test_claim_that_names_no_sabotage_is_refused(project: Project, name: str) -> None:
    """A misspelt one gets the names that are near it."""
    project.catalogue(f'{CATALOGUE}refuted_by = ["{name}"]\n')
    project.tests(TEST)

    project.run("--rabbitmq", "local").assert_one_clear_error("'chapter.claim'", f"'{name}'", "is no sabotage")


def test_unknown_key_is_refused(project: Project) -> None:
    """A misspelt key names the file and the key."""
    project.catalogue(CATALOGUE.replace("why =", "wy ="))
    project.tests(TEST)

    project.run("--rabbitmq", "local").assert_one_clear_error("claims/chapter.toml", "wy")


def test_duplicate_id_is_refused(project: Project) -> None:
    """An id that is there twice is named."""
    project.catalogue(CATALOGUE, name="again")
    project.tests(TEST)

    project.run("--rabbitmq", "local").assert_one_clear_error("'chapter.claim'", "twice")


def test_broken_toml_is_refused(project: Project) -> None:
    """What is no TOML is named with its line."""
    project.catalogue(CATALOGUE + "\nid = = 1\n")
    project.tests(TEST)

    project.run("--rabbitmq", "local").assert_one_clear_error("claims/chapter.toml", "line")


def test_claim_without_a_test_is_refused(project: Project) -> None:
    """A claim that nothing tests is named."""
    project.catalogue(CATALOGUE + CATALOGUE[CATALOGUE.index("[[claim]]") :].replace("chapter.claim", "chapter.orphan"))
    project.tests(TEST)

    project.run("--rabbitmq", "local").assert_one_clear_error("'chapter.orphan'", "no test")


def test_chapter_without_a_module_is_refused(project: Project) -> None:
    """A chapter whose claims nobody tests is as bad as a claim that nobody tests."""
    project.catalogue(CATALOGUE.replace("chapter.claim", "other.claim"), name="other")
    project.tests(TEST)

    project.run("--rabbitmq", "local").assert_one_clear_error("'other.claim'", "no test")


def test_test_without_a_claim_is_refused(project: Project) -> None:
    """A chapter's test that names no claim is named."""
    project.tests(TEST + "\ndef test_nothing(): pass\n")

    project.run("--rabbitmq", "local").assert_one_clear_error("test_nothing", "@claim")


def test_unknown_claim_is_refused_with_the_nearest_ids(project: Project) -> None:
    """A misspelt id gets the ids that are near it."""
    project.tests(TEST.replace("chapter.claim", "chapter.clam"))

    project.run("--rabbitmq", "local").assert_one_clear_error("'chapter.clam'", "near it: chapter.claim")


@pytest.mark.parametrize(
    ("when", "word"),
    [
        ("", "no condition"),
        ("version ~ 4", "no condition"),
        ("version >= four", "no version"),
        ("queue_type > classic", "order"),
        ("stream == supported", "near it: streams"),
    ],
)
@pytest.mark.parametrize("entry", ["deviations", "needs"])
def test_bad_condition_is_refused(project: Project, entry: str, when: str, word: str) -> None:
    """A condition that cannot be read, or asks what no broker can be asked, is quoted."""
    project.catalogue(CATALOGUE + f'[[claim.{entry}]]\nwhen = "{when}"\nbecause = "so"\nsource = "there"\n')
    project.tests(TEST)

    project.run("--rabbitmq", "local").assert_one_clear_error("chapter.claim", word)


@pytest.mark.parametrize(
    ("when", "applies"),
    [
        ("version >= 4.0", True),
        ("version >= 4.1", False),
        ("version < 4.10 and queue_type == quorum", True),
        ("queue_type != quorum", False),
        ("queue_type == quorum and restart == kill", False),
    ],
)
def test_conditions_compare_versions_as_versions(when: str, applies: bool) -> None:
    """4.0.5 is before 4.10, and a fact that a case does not have meets nothing."""
    deviation = Deviation(when=when, because="so", source="there")

    assert deviation.applies({"version": Version("4.0.5"), "queue_type": "quorum"}) is applies


@pytest.mark.parametrize(("queue_type", "says"), [("quorum", True), ("classic", False)])
def test_boundary_of_quorum_queues_is_not_blamed_for_a_classic_one(queue_type: str, says: bool) -> None:
    """Where nobody had tried the version, the hint names the deviations that are about the case."""
    deviation = Deviation(when="version < 4.2 and queue_type == quorum", because="", source="", seen="4.0.5, 4.3.6")

    hint = deviation.misplaced({"version": Version("4.2.1"), "queue_type": queue_type})

    assert ("Nobody had tried 4.2.1" in hint) is says
