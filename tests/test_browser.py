"""Reports in a real browser: legible at any width, in any light and on paper, whatever the names are."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import CHROMIUM, PAPER, Browser, browsing
from harness import finished
from sweeping import SEEDS, TEMPERATURES, made

from kdcli.report.page.render import plain
from kdcli.runs.experiment import Experiment
from kdcli.stages.report import report
from kdcli.store import Store
from kdcli.sweeps.report import report_study

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")

MEASURE = Path(__file__).with_name("measuring.js").read_text(encoding="utf-8")
NAMES = ("</script><script>hacked = 1</script>", "\"quotes\" & 'more'", "👩‍🔬 \u202eturned", "עברית")
COLUMNS = ("<img src=x onerror='hacked=2'>", "ünï code", "\u200fmark", "a" * 60)
SCHEMES = [(390, "light"), (390, "dark"), (1440, "light"), (1440, "dark"), (PAPER, "print")]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browsing(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


def table_of_nasty_names(path: Path) -> list[list[str]]:
    """Write a table whose columns and classes have nasty names, and return its rows."""
    rows = [
        [
            f"{1000 + (17 * k) % 101 / 7 + k % 4:.4f}",
            f"{3000 + (29 * k) % 97 / 3:.4f}",
            f"K{k:05}",
            NAMES[k % 3],
            NAMES[k % 4],
        ]
        for k in range(120)
    ]
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([[*COLUMNS, "label"], *rows])
    return rows


RECIPE = """
[data]
dataset = "table"
file = "{file}"
label = "label"
draws = 1
[teacher]
model = "mlp:8"
epochs = 5
[students]
models = ["mlp:4", "tree:max_leaf_nodes=4"]
targets = ["labels", "hard", "soft"]
seeds = 2
epochs = 5
"""


@pytest.fixture(scope="module")
def pages(two_draws_run: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Reports of a run, of a table with nasty names, and of a study."""
    folder = tmp_path_factory.mktemp("pages")
    table_of_nasty_names(folder / "nasty.csv")
    nasty = finished(RECIPE.format(file=folder / "nasty.csv"), folder)
    runs = {"run": Store(two_draws_run).run("tiny"), "table": Store(nasty).run("tiny")}
    reports = {name: report(Experiment.open(run)).path for name, run in runs.items()}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        study = made(folder / "studies", SEEDS + TEMPERATURES)
    return {**reports, "study": report_study(study).path}


@pytest.mark.parametrize(("width", "scheme"), SCHEMES)
@pytest.mark.parametrize("page", ["run", "table", "study"])
def test_nothing_is_cut_or_faint(
    browser: Browser, pages: dict[str, Path], page: str, width: int, scheme: str
) -> None:
    browser.open(pages[page], width=width, scheme=scheme)
    measured = browser.ask(MEASURE)
    assert {what: wrong for what, wrong in measured.items() if wrong} == {}
    assert browser.ask("document.querySelectorAll('figure svg').length") > 0


@pytest.mark.parametrize("page", ["run", "table", "study"])
def test_a_page_asks_nothing_of_anybody_and_reports_no_error(
    browser: Browser, pages: dict[str, Path], page: str
) -> None:
    browser.open(pages[page], width=1440)
    asked = [event["request"]["url"] for event in browser.of("Network.requestWillBeSent")]
    assert [url for url in asked if not url.startswith("data:")] == [pages[page].as_uri()]
    for trouble in ("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled"):
        assert browser.of(trouble) == []


def test_the_measure_sees_what_is_wrong(browser: Browser, tmp_path: Path) -> None:
    page = tmp_path / "wrong.html"
    page.write_text(
        "<h1>a</h1><h3>skipped</h3><p style='color:#999;background:#fff'>faint</p><a href='#none'>dead</a>"
        "<p style='width:1900px'>wide</p>"
        "<p style='position:absolute;top:9px;left:9px' id=x>over</p><i id=x></i>"
        "<p style='width:20px;overflow:hidden'>Donaudampfschifffahrt</p><figure><svg></svg></figure>"
    )
    browser.open(page, width=390)
    measured = browser.ask(MEASURE)
    assert {what for what, wrong in measured.items() if wrong} >= {
        *("sideways", "cut", "overlaps", "faint", "headings", "twice", "dead", "unnamed")
    }


def test_names_are_text(browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["table"], width=1440)
    text = browser.ask("document.body.textContent")
    for name in (*NAMES, *COLUMNS):
        assert plain(name) in text
    assert browser.ask("typeof hacked") == "undefined"
    assert browser.ask("document.scripts.length") == 1
    assert browser.ask("document.images.length") == 0
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200e\u200f]", text)


def test_no_row_of_the_data_is_in_a_report(browser: Browser, pages: dict[str, Path], tmp_path: Path) -> None:
    rows = table_of_nasty_names(tmp_path / "same.csv")
    browser.open(pages["table"], width=1440)
    text = browser.ask("document.documentElement.textContent")
    assert not any(row[2] in text for row in rows)  # which tells rows apart
    for column in (0, 1):
        values = {row[column] for row in rows}
        assert len(values) > 90
        assert sum(value in text for value in values) <= 2  # the ends of the range
    assert browser.ask("document.querySelector('[id^=decision-boundaries], [id^=disagreements-]')") is None


def test_it_is_read_without_scripts_and_sorted_with_them(browser: Browser, pages: dict[str, Path]) -> None:
    column = (
        "[...document.querySelector('table').tBodies[1].rows].slice(1).map(r => r.cells[1].dataset.value)"
    )
    browser.open(pages["run"], width=1440, scripts=False)
    assert browser.ask("document.querySelectorAll('thead button').length") == 0
    unsorted = browser.ask(column)
    browser.open(pages["run"], width=1440)
    assert browser.ask(column) == unsorted
    for order in (1, -1):
        browser.ask("document.querySelectorAll('thead button')[1].click()")
        assert browser.ask(column) == sorted(unsorted, key=lambda value: order * float(value))
    assert browser.ask("document.querySelector('table').tBodies[1].rows[0].className") == "group"


def test_it_prints_on_a4_with_all_that_is_folded(browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["run"], width=PAPER, scheme="print", scripts=False)
    assert browser.ask("document.querySelectorAll('details:not([open])').length") > 0
    assert browser.ask("document.querySelector('details:not([open]) pre').getBoundingClientRect().height") > 0
    printed = browser.printed()
    assert printed.startswith(b"%PDF")
    boxes = {tuple(map(float, box)) for box in re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", printed)}
    (box,) = boxes
    assert box == pytest.approx((595, 842), abs=1)  # points


def test_a_figure_can_be_enlarged_without_scripts(browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["run"], width=390)
    size = "document.querySelector('figure svg').getBoundingClientRect().width"
    assert browser.ask(size) < 390
    browser.ask("document.querySelector('figure label').click()")
    assert browser.ask(size) > 1000
    assert browser.ask("document.documentElement.scrollWidth") <= 390
