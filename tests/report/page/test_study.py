from collections.abc import Callable
from pathlib import Path

import pytest
from harness import Kd
from sweeping import SEEDS, TEMPERATURES, digests, made, run_of

from kdcli.evidence.study import gather_study
from kdcli.report.page.blocks import Code, Facts, Fold, Page, Paragraph
from kdcli.report.page.figures import Figures
from kdcli.report.page.study import again, study_page
from kdcli.report.table import Table
from kdcli.runs.studies import Study
from kdcli.store import Store, StudyFolder

TITLES = ["Finding", "Comparison", "What varies", "Cautions", "How to reproduce it"]


@pytest.fixture
def study(outputs: Path) -> Study:
    return made(outputs, SEEDS + TEMPERATURES)


def page_of(study: Study) -> Page:
    return study_page(gather_study(study), Figures({}, {}, {}, {}))


def test_what_holds_over_the_runs_then_every_run(study: Study) -> None:
    page = page_of(study)
    assert [chapter.title for chapter in page.chapters] == TITLES
    assert all(isinstance(block, Paragraph) for block in page.chapters[0].blocks)
    by_seed, by_temperature, runs = (b for b in page.chapters[1].blocks if isinstance(b, Table))
    assert [table.head.title for table in (by_seed, by_temperature)] == ["seed", "temperatures"]
    assert len(list(runs.rows())) == len(study.runs) == 4
    assert page.chapters[2].blocks == [Facts([("data.seed", "1, 2"), ("students.temperatures", "1, 4")])]


def test_runs_that_are_not_there_are_cautioned_of(study: Study, kd: Kd) -> None:
    kd("delete", run_of(study).name, "--yes")
    (paragraph,) = page_of(study).chapters[3].blocks
    assert paragraph == Paragraph("1 run of the plan is still missing.", "caution")


def test_its_sweep_file_makes_the_same_runs(study: Study, kd: Kd, go_elsewhere: Callable[[], Path]) -> None:
    blocks = page_of(study).chapters[-1].blocks
    (command,) = [block.text for block in blocks if isinstance(block, Code)]
    assert command == "kd sweep many.toml"
    (fold,) = [block for block in blocks if isinstance(block, Fold)]
    (code,) = fold.blocks
    assert isinstance(code, Code)
    elsewhere = go_elsewhere()
    Path("many.toml").write_text(code.text)
    assert kd("sweep", "many.toml", "--jobs", "1").code == 0
    again = Study.open(StudyFolder(Store(elsewhere / "outputs"), "many"))
    assert digests(again) == digests(study)
    shown = [block for block in blocks if isinstance(block, Table)]
    repeated = [block for block in page_of(again).chapters[-1].blocks if isinstance(block, Table)]
    assert [list(table.rows()) for table in shown] == [list(table.rows()) for table in repeated]


def test_a_study_that_comes_with_kd_is_named(outputs: Path) -> None:
    study = Study.planned(StudyFolder(Store(outputs), "mine"), "moons-noise")
    assert Code("kd sweep moons-noise") in again(study).blocks
