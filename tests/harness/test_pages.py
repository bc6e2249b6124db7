"""The pages, in a real Chromium: rendered, filtered, followed; nothing is fetched from elsewhere."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, Page, expect, sync_playwright

from fixtures.brokers import Broker
from fixtures.ledger.declaring import Declares
from fixtures.report import pages, published
from fixtures.report.profiles import Fact
from fixtures.report.results import Report, Results, merge, read
from tests.harness import samples
from tests.harness.conftest import Project
from tests.harness.samples import broken, case, profile, target

RESULTS = samples.of(
    [target("3.10.8"), target("4.3.6")],
    [
        case("load-balancing.round-robin", "3.10.8"),
        case("load-balancing.round-robin", "4.3.6"),
        case("load-balancing.priority", "3.10.8"),
        case("load-balancing.priority", "4.3.6", "refuted", reason="it <b>differs</b> here"),
        case("durable-queue.kept", "3.10.8", "not applicable", reason="no rabbitmqctl", ledger=[]),
        case("durable-queue.kept", "4.3.6", "refuted", expected="holds", reason="assert [] == ['<i>kept</i>']"),
    ],
)
CLAIMS = ["load-balancing.round-robin", "load-balancing.priority", "durable-queue.kept"]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The machine's own Chromium, which talks to nobody."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        pytest.skip("there is no Chromium on this machine")
    quiet = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=quiet)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def tab(chromium: Browser) -> Iterator[tuple[Page, list[str]]]:
    """What all pages are opened in, and what goes wrong there: a tab for each would be some processes more."""
    with chromium.new_context() as context:
        tab = context.new_page()
        wrong: list[str] = []
        tab.on("console", lambda message: wrong.append(message.text))
        tab.on("pageerror", lambda error: wrong.append(str(error)))
        tab.on("request", lambda request: None if request.url.startswith("file:") else wrong.append(request.url))
        yield tab, wrong


@pytest.fixture
def page(tab: tuple[Page, list[str]]) -> Iterator[Page]:
    """A page on which nothing goes wrong and nothing is asked of anybody."""
    page, wrong = tab
    page.goto("about:blank")
    page.set_viewport_size({"width": 1280, "height": 720})
    page.emulate_media(media="null", color_scheme="null")
    wrong.clear()
    yield page
    assert wrong == []


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages of a few results."""
    return written(RESULTS, tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def broken_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages of broken brokers alone."""
    return written(samples.kill_run(), tmp_path_factory.mktemp("broken"))


@pytest.fixture(scope="module")
def both_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages of honest brokers and of broken ones."""
    return written(merge([samples.kill_run(), RESULTS]), tmp_path_factory.mktemp("both"))


@pytest.fixture(scope="module")
def queues_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of somebody's queues."""
    found = samples.of([target("3.10.8"), target("4.3.6")], [])
    found.profiles = [
        profile("calm", "3.10.8", Fact("full", "has no limit")),
        profile("<b>", "3.10.8", Fact("given back", "a message comes again"), Fact("full", "has no limit")),
        profile("<b>", "4.3.6", Fact("given back", "a message is dropped", "lost")),
    ]
    found.queues_left_out = ["`fed` in `/`: it is federated"]
    return written(found, tmp_path_factory.mktemp("queues"))


def written(found: Results, folder: Path) -> Path:
    pages.write(found, folder)
    (folder / "results.json").write_text("{}")
    return folder


def assert_usable(page: Page) -> None:
    """There is no fault on it that axe knows; of what is right, axe would hand over a megabyte."""
    found = Axe().run(page, options={"resultTypes": ["violations"]})
    assert found.violations_count == 0, found.generate_report()


def shown_claims(page: Page) -> list[str]:
    rows = page.locator("#claims tr[data-claim]:visible")
    return [row.get_attribute("data-claim") or "" for row in rows.all()]


def test_matrix_comes_first_with_a_word_per_verdict(page: Page, report: Path) -> None:
    """Never colour alone; what is not as expected says so."""
    page.goto(f"file://{report}/index.html")

    assert shown_claims(page) == CLAIMS
    assert page.locator("main > section").first.get_by_role("heading").inner_text() == "Matrix"
    cells = page.locator("#claims td").all_inner_texts()
    assert cells == ["✓ holds", "✓ holds", "✓ holds", "✗ refuted", "- not applicable", "✗ refuted not as expected"]


def test_reasons_are_text(page: Page, report: Path) -> None:
    """Markup in what a broker said is shown, not obeyed."""
    page.goto(f"file://{report}/index.html")

    assert "it <b>differs</b> here" in page.locator("#differences ~ ul").first.inner_text()
    assert page.locator("main b, main i").count() == 0


@pytest.mark.parametrize(
    ("field", "value", "claims"),
    [
        ("chapter", "durable-queue", ["durable-queue.kept"]),
        ("verdict", "refuted", ["load-balancing.priority", "durable-queue.kept"]),
        ("verdict", "not applicable", ["durable-queue.kept"]),
        ("target", "0", CLAIMS),
    ],
)
def test_filters(page: Page, report: Path, field: str, value: str, claims: list[str]) -> None:
    """Matrix and chapters show what was asked for, and everything again after a reset."""
    page.goto(f"file://{report}/index.html")

    page.locator(f"select[name={field}]").select_option(value)

    assert shown_claims(page) == claims
    assert [a.get_attribute("id") for a in page.locator("article:visible").all()] == claims
    page.get_by_role("button", name="Show all").first.click()
    expect(page.locator("#claims tr[data-claim]:visible")).to_have_count(3)


@pytest.mark.parametrize(
    ("words", "claims"),
    [
        ("PRIORITY", ["load-balancing.priority"]),
        ("kept durable", CLAIMS[2:]),
        ("round-robin nowhere", []),
        ("1, 3", []),
    ],
)
def test_search(page: Page, report: Path, words: str, claims: list[str]) -> None:
    """All words are somewhere in what is written of a claim; what its pictures show is not looked through."""
    page.goto(f"file://{report}/index.html")

    page.get_by_label("Search").fill(words)

    assert shown_claims(page) == claims
    assert [a.get_attribute("id") for a in page.locator("article:visible").all()] == claims


def test_contents_list_the_chapters_by_document(page: Page, report: Path) -> None:
    """A book: each document's title, and its chapters with the number of their claims."""
    page.goto(f"file://{report}/index.html")

    contents = page.get_by_role("navigation", name="Contents")

    assert contents.inner_text().split("\n") == ["Load_Balancing 2", "Durable_Queue 1"]
    contents.get_by_role("link", name="Durable_Queue").click()
    assert page.url.endswith("#durable-queue")


def test_what_people_reported_leads_to_the_claims(page: Page, tmp_path: Path) -> None:
    """And the claim leads to the report."""
    found = samples.of([target("4.3.6")], [case("a.one", "4.3.6"), case("a.two", "4.3.6")])
    report = Report("Messages were gone", "https://github.com/rabbitmq/rabbitmq-server/issues/1")
    found.claim("a.two").reports = (report,)
    page.goto(f"file://{written(found, tmp_path)}/index.html")

    told = page.locator("#reports + ul li")

    assert told.count() == 1
    assert [a.get_attribute("href") for a in told.locator("a").all()] == [report.link, "#a.two"]
    assert page.locator(f'article a[href="{report.link}"]').count() == 1


def test_only_what_differs(page: Page, report: Path) -> None:
    """A tick leaves the claims that do not come out alike."""
    page.goto(f"file://{report}/index.html")

    page.get_by_label("only what differs").check()

    assert shown_claims(page) == CLAIMS[1:]
    assert page.locator("output").inner_text() == "2 of 3 claims"


def test_filters_together_ask_for_one_broker_and_its_verdict(page: Page, report: Path) -> None:
    """Refuted on 3.10 is nothing: the page says so and offers the way back."""
    page.goto(f"file://{report}/index.html")

    page.locator("select[name=target]").select_option(label="3.10.8")
    page.locator("select[name=verdict]").select_option("refuted")

    assert shown_claims(page) == []
    assert page.locator("#nothing").is_visible()
    page.locator("#nothing button").click()
    expect(page.locator("#claims tr[data-claim]:visible")).to_have_count(3)


def test_link_to_a_claim_leads_there_whatever_is_hidden(page: Page, report: Path) -> None:
    """Somebody's link works, and it is not swallowed by a filter."""
    page.goto(f"file://{report}/index.html#durable-queue.kept")
    assert page.locator("article:target").get_attribute("id") == "durable-queue.kept"

    page.locator("select[name=chapter]").select_option("durable-queue")
    page.evaluate("location.hash = 'load-balancing.round-robin'")

    expect(page.locator("article:target")).to_be_visible()
    assert page.locator("article:target").get_attribute("id") == "load-balancing.round-robin"


def test_keyboard_alone_is_enough(page: Page, report: Path) -> None:
    """The first Tab offers to skip to the content; a filter can be chosen without a mouse."""
    page.goto(f"file://{report}/index.html")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"

    page.get_by_label("only what differs").focus()
    page.keyboard.press("Space")

    assert shown_claims(page) == CLAIMS[1:]


@pytest.mark.parametrize("kind", ["report", "broken_report", "both_report"])
def test_every_link_leads_somewhere(page: Page, kind: str, request: pytest.FixtureRequest) -> None:
    """On the index and on every page of evidence."""
    report: Path = request.getfixturevalue(kind)
    for file in [report / "index.html", *(report / "evidence").iterdir()]:
        page.goto(f"file://{file}")
        for link in page.evaluate("[...new Set([...document.querySelectorAll('a')].map(a => a.getAttribute('href')))]"):
            path, _, anchor = link.partition("#")
            if link.startswith("https://"):
                continue
            goal = (file.parent / path).resolve() if path else file
            assert goal.exists(), f"{file.name}: {link}"
            assert not anchor or f'id="{anchor}"' in goal.read_text(), f"{file.name}: {link}"


def test_picture_shows_who_got_what(page: Page, report: Path) -> None:
    """As a drawing, with a title and a description for those who do not see it, and as text."""
    page.goto(f"file://{report}/index.html#load-balancing.round-robin")
    article = page.locator("article:target")

    assert article.locator("svg.sequence").is_visible()
    assert article.locator("svg .body").all_text_contents() == ["1", "2", "3", "1", "3", "2", "↻2"]
    assert article.locator("svg > desc").text_content() == "idle got 1, 3, 2*; busy got 2"
    article.get_by_text("The same as text").click()
    assert "socket aborted" in article.locator("pre").first.inner_text()


def test_evidence_shows_cases_that_look_the_same_once(page: Page, report: Path) -> None:
    """And names the others."""
    page.goto(f"file://{report}/evidence/load-balancing.round-robin.html")

    assert page.locator("svg.sequence").count() == 1
    page.get_by_text("1 more case looks the same").click()
    assert page.get_by_text("test_it on 3.10.8").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize(
    "file", ["both_report/index.html", "both_report/evidence/a.one.html", "queues_report/index.html"]
)
def test_everybody_can_use_the_page(
    page: Page, width: int, scheme: str, file: str, request: pytest.FixtureRequest
) -> None:
    """No fault that axe knows (contrast, labels, structure), on a phone and on a desk; no scrolling sideways."""
    report, _, within = file.partition("/")
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(f"file://{request.getfixturevalue(report)}/{within}")

    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.evaluate("document.querySelectorAll('details').forEach((details) => { details.open = true; })")
    assert_usable(page)


def test_matrix_of_many_brokers_has_marks(page: Page, tmp_path: Path) -> None:
    """With a legend, and with words for those who do not see the marks; the page itself does not scroll sideways."""
    written(samples.many(20), tmp_path)
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(f"file://{tmp_path}/index.html")

    assert page.locator("#claims thead th").all_inner_texts()[:3] == ["Claim", "3.0.0", "3.1.1"]
    cells = page.locator("#claims tr[data-claim='odd.differs'] td")
    assert [cell.locator(".verdict").inner_text() for cell in cells.all()][17:] == ["✓", "✓", "±!"]
    assert "- 1 not applicable, ? 1 not established not as expected" in (cells.last.text_content() or "")
    assert page.get_by_text("✓ holds; ± not alike in all cases; ! not as expected").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert_usable(page)


def test_pages_of_published_results_claim_nothing_that_is_not_kept(page: Page, tmp_path: Path) -> None:
    """No times, no sources, no pictures of what simply holds: the page does not say that there was nothing."""
    published.write(merge([samples.kill_run(), RESULTS]), None, tmp_path / "docs" / "results")
    written(read(tmp_path / "docs"), tmp_path)
    page.goto(f"file://{tmp_path}/index.html#load-balancing.round-robin")

    article = page.locator("article:target")
    assert article.locator("svg").count() == 0
    assert article.get_by_text("How it is tested: test_it").is_visible()
    assert page.locator("#targets").locator("xpath=..").get_by_role("row").nth(1).inner_text().count("not kept") == 2
    page.goto(f"file://{tmp_path}/evidence/load-balancing.round-robin.html")
    assert page.get_by_text("Nothing happened").count() == 0


def test_print_shows_all_and_no_controls(page: Page, report: Path) -> None:
    """Filters and links for jumping are of no use on paper."""
    page.goto(f"file://{report}/index.html")
    page.emulate_media(media="print")

    assert not page.locator("#filters").is_visible()
    assert page.locator("article:visible").count() == len(CLAIMS)


def test_page_works_without_javascript(chromium: Browser, report: Path) -> None:
    """Everything is there; the filters, which would do nothing, are not."""
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"file://{report}/index.html")

    assert shown_claims(page) == CLAIMS
    assert not page.locator("#filters").is_visible()
    context.close()


# Somebody's own queues.


def test_queues_have_a_row_each_the_most_dangerous_first(page: Page, queues_report: Path) -> None:
    """What is dangerous or differs is in sight, all else a click away; names are names, whatever is in them."""
    page.goto(f"file://{queues_report}/index.html")

    rows = page.locator("#rows tr")

    assert [row.locator("th").inner_text() for row in rows.all()] == ["<b>", "calm"]
    assert rows.first.locator("td").first.inner_text() == (
        "Messages are lost, and nothing asks for it: on 4.3.6 a message is dropped (on 3.10.8: a message comes again)"
    )
    rows.first.get_by_text("1 fact").click()
    assert rows.first.locator("td").last.get_by_role("listitem").all_inner_texts() == ["on 3.10.8 has no limit"]
    assert page.get_by_text("it is federated").is_visible()


def test_queues_are_searched_and_those_that_are_told_of_picked_out(page: Page, queues_report: Path) -> None:
    """Words are looked for in names and in facts, also in those that are a click away."""
    page.goto(f"file://{queues_report}/index.html")
    shown = page.locator("#rows th:visible")

    page.get_by_label("Search").fill("NO limit calm")
    assert shown.all_inner_texts() == ["calm"]
    assert page.locator("output").inner_text() == "1 of 2 queues and exchanges"
    page.get_by_role("button", name="Show all").click()
    expect(shown).to_have_count(2)
    page.get_by_label("only what is dangerous or differs").check()
    assert shown.all_inner_texts() == ["<b>"]


# Broken brokers.


def test_kill_matrix_has_a_row_per_sabotage(page: Page, broken_report: Path) -> None:
    """What such a broker does as text, and what it refutes; what is not as it must be says so in words."""
    page.goto(f"file://{broken_report}/index.html")

    rows = {
        row.locator("th code").inner_text(): " ".join(row.locator("td").inner_text().split())
        for row in page.locator("#kills tbody tr").all()
    }
    assert rows == {
        "none": "# a.two refuted, though nothing is broken",
        "acks-swallowed": "✗ a.one ! a.two must be refuted, holds",
        "cannot-be-run": "nothing",
        "priority-ignored": "# a.two refuted, unrelated ✗ b.three",
        "nobody-notices": "nothing",
    }
    assert "It does <b>none</b>." in page.locator("#kills th[scope=row]").first.inner_text()
    assert page.get_by_text("2 of 3 sabotages are noticed").first.is_visible()


def test_broken_brokers_alone_have_no_matrix_of_honest_ones(page: Page, broken_report: Path) -> None:
    """Nor its filters, differences or list of brokers; the kill matrix comes first."""
    page.goto(f"file://{broken_report}/index.html")

    assert page.locator("main > section").first.get_by_role("heading").first.inner_text() == (
        "What a broken broker looks like"
    )
    assert page.locator("#claims, #filters, #differences, #targets").count() == 0
    assert [article.get_attribute("id") for article in page.locator("article").all()] == ["a.one", "a.two", "b.three"]


def test_broken_brokers_are_no_columns_of_the_matrix(page: Page, both_report: Path) -> None:
    """Their claims have chapters all the same, which no filter means."""
    page.goto(f"file://{both_report}/index.html")
    assert shown_claims(page) == CLAIMS
    assert page.locator("#claims thead th").all_inner_texts() == ["Claim", "3.10.8", "4.3.6"]
    assert page.locator("select[name=chapter] option").all_inner_texts() == ["all", "Load_Balancing", "Durable_Queue"]
    assert page.locator("article:visible").count() == len(CLAIMS) + 3

    page.locator("select[name=chapter]").select_option("durable-queue")

    assert [a.get_attribute("id") for a in page.locator("article:visible").all()] == ["durable-queue.kept"]


def test_claim_shows_what_a_broker_that_breaks_it_looks_like(page: Page, both_report: Path) -> None:
    """A closed part per sabotage that refutes it: one picture, and the reason as text."""
    page.goto(f"file://{both_report}/index.html#a.one")
    parts = page.locator("article:target details.broken")
    assert parts.count() == 1
    assert not parts.locator("svg").is_visible()

    parts.locator("summary").click()

    assert parts.locator("svg.sequence").is_visible()
    assert "assert <i>1</i> == 2" in parts.inner_text()
    assert "refuted on 4.0 with acks-swallowed" in " ".join(parts.inner_text().split())
    parts.get_by_role("link", name="All that acks-swallowed refutes").click()
    assert page.locator("tr:target").get_attribute("id") == "sabotage-acks-swallowed"


def test_claim_that_a_sabotage_must_refute_names_it_if_it_does_not(page: Page, broken_report: Path) -> None:
    """And what refutes it without having to do with it is marked."""
    page.goto(f"file://{broken_report}/index.html#a.two")

    article = page.locator("article:target")
    assert article.get_by_text("Not noticed, though it must be: acks-swallowed").is_visible()
    assert article.locator("summary").get_by_text("refuted, unrelated").count() == 1
    assert article.locator("summary").get_by_text("refuted, though nothing is broken").count() == 1


def test_evidence_shows_broken_brokers_apart(page: Page, both_report: Path) -> None:
    """One case of each sabotage that the claim notices, linkable; how many were tried."""
    page.goto(f"file://{both_report}/evidence/b.three.html#priority-ignored")

    assert page.locator("main > article").count() == 0
    assert (
        page.locator("#broken + p").inner_text().startswith("2 ways of being broken were tried; 1 of them is noticed")
    )
    assert "on an honest broker: refuted" in page.locator("article:target figcaption").inner_text()


@pytest.mark.parametrize("file", ["index.html", "evidence/load-balancing.round-robin.html"])
def test_picture_on_a_phone_begins_with_the_queue(page: Page, report: Path, file: str) -> None:
    """One sees to whom messages go, left and right of it."""
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(f"file://{report}/{file}")
    picture = page.locator("svg.sequence").first

    picture.scroll_into_view_if_needed()

    for name in ("queue 1", "idle", "busy"):
        expect(picture.get_by_text(name, exact=True)).to_be_in_viewport()


def test_picture_that_is_wide_is_not_made_to_fit(page: Page, tmp_path: Path) -> None:
    """It scrolls instead: nobody can read ten queues on the width of one page."""
    ledger = [Declares(who="sender", queue=f"queue-{n}", durable=True) for n in range(10)]
    written(samples.of([target("4.3.6")], [case("a.one", "4.3.6", ledger=ledger)]), tmp_path)

    page.goto(f"file://{tmp_path}/index.html")

    picture = page.locator("svg.sequence")
    assert picture.evaluate("picture => picture.getBoundingClientRect().width") == float(
        picture.get_attribute("width") or 0
    )
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def large(cases: int) -> Results:
    """50 claims on five brokers, with this many cases each, and 60 sabotages that refute every sixth claim."""
    versions = ["3.8.9", "3.10.8", "3.13.7", "4.0.5", "4.3.6"]
    ledger = samples.LEDGER * 3
    claims = [f"chapter-{n % 5}.claim-{n}" for n in range(50)]
    many = samples.of(
        [target(version) for version in versions],
        [
            case(claim, version, name=f"test_it[{k}]", ledger=ledger[: 12 + k % 8])
            for version in versions
            for claim in claims
            for k in range(cases)
        ],
    )
    sabotages = [f"sabotage-{n}" for n in range(60)]
    against = samples.of(
        [broken("4.3.6", name) for name in sabotages],
        [
            # Each refutes every sixth claim, which is twice as many as there are.
            case(claim, f"4.3.6+{name}", "refuted", expected="holds", name=f"test_it[{k}]", ledger=ledger)
            if (n + m) % 6 == 0
            else case(claim, f"4.3.6+{name}", name=f"test_it[{k}]", ledger=[])
            for m, name in enumerate(sabotages)
            for n, claim in enumerate(claims[:48])
            for k in range(cases)
        ],
    )
    return merge([against, many])


def test_page_of_two_thousand_cases_is_quick(page: Page, tmp_path: Path) -> None:
    """It takes less than a second of computing to open, however long that is by the clock of a busy machine."""
    written(large(cases=8), tmp_path)
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    page.goto(f"file://{tmp_path}/index.html")

    took = {metric["name"]: metric["value"] for metric in session.send("Performance.getMetrics")["metrics"]}
    assert 0 < took["TaskDuration"] < 1  # seconds of the thread that draws the page
    assert page.locator("details.broken").count() == 48 * 60 // 6  # one picture each, not one per case


def test_cut_short_run_says_so(page: Page, tmp_path: Path) -> None:
    """Nobody takes half a run for a whole one."""
    written(samples.of([target("4.3.6")], [case("a.one", "4.3.6")], complete=False), tmp_path)

    page.goto(f"file://{tmp_path}/index.html")

    assert page.get_by_text("This run was cut short").is_visible()


def test_real_run_writes_its_pages(page: Page, project: Project, broker: Broker) -> None:
    """What pytest leaves opens, with the evidence of what happened on the broker."""
    project.tests(
        '@claim("chapter.claim")\ndef test_it(scene):\n    queue = scene.queue()\n'
        "    queue.publish('no 7 Hello')\n"
        "    assert queue.drain().numbers == [7]\n"
    )
    assert project.run("--rabbitmq", broker.url).code == 0

    page.goto(f"file://{project.folder}/report/index.html#chapter.claim")

    assert page.locator("article:target svg .body").all_text_contents() == ["7", "7"]
    assert "queue.publish(" in (page.locator("article:target .source-code").text_content() or "")
