from pathlib import Path

import pytest
from customers import customers
from harness import Kd, opened

from kdcli.evidence.conclusions import conclude
from kdcli.evidence.gather import gather
from kdcli.report.headline import headline
from kdcli.report.page.blocks import Block, Chapter, Facts, Page, Paragraph
from kdcli.report.page.figures import Figures
from kdcli.report.page.run import NO_FINDING, run_page
from kdcli.report.table import Table
from kdcli.runs.experiment import Experiment

NO_FIGURES = Figures({}, {}, {}, {})
TITLES = ["Finding", "Comparison", "Costs", "Data", "Teacher", "Cautions", "How to reproduce it"]


def page_of(run: Experiment) -> Page:
    return run_page(run, conclude(run, gather(run)), NO_FIGURES)


def chapter(page: Page, title: str) -> Chapter:
    (found,) = [chapter for chapter in page.chapters if chapter.title == title]
    return found


def tables(page: Page, title: str) -> list[Table]:
    return [block for block in chapter(page, title).blocks if isinstance(block, Table)]


def facts(page: Page, title: str) -> dict[str, object]:
    (found,) = [block for block in chapter(page, title).blocks if isinstance(block, Facts)]
    return dict(found.pairs)


def test_the_finding_comes_first_and_how_to_make_it_again_last(one_or_two_draws: Path) -> None:
    run = opened(one_or_two_draws)
    page = page_of(run)
    assert [chapter.title for chapter in page.chapters] == TITLES
    conclusions = conclude(run, gather(run))
    told = headline(conclusions.evidence, conclusions.groups)
    assert page.chapters[0].blocks == [Paragraph(told, "finding")]
    assert page.title == "tiny"
    assert "2 classes; 160 training, 40 validation and 400 test examples" in page.subtitle


def test_the_comparison_is_the_table_of_the_terminal(kd: Kd, tiny: Path) -> None:
    verdicts, means = tables(page_of(opened(tiny)), "Comparison")
    told = kd("compare", "--full").out
    assert verdicts.title in told
    for row in verdicts.rows():
        assert row.title.text in told
        assert all(cell.text in told for cell in row.cells)
    assert [column.title for column in means.columns][:2] == ["Brier score", "calibration error"]


def test_students_without_a_control_are_told_with_what_makes_one(kd: Kd, outputs: Path) -> None:
    kd("gen-data", "gaussians", "--n-samples", "60", "--n-test", "60")
    kd("train-teacher", "--model", "mlp:4", "--epochs", "2")
    kd("distill", "--target", "soft", "--epochs", "2", "--seeds", "2")
    page = page_of(opened(outputs / "gaussians"))
    assert page.chapters[0].blocks == [Paragraph(NO_FINDING, "finding")]
    assert "Not compared" in [getattr(block, "title", "") for block in chapter(page, "Comparison").blocks]


def test_stale_students_are_cautioned_of(kd: Kd, tiny: Path) -> None:
    kd("train-teacher", "--epochs", "3", "--force")
    blocks = chapter(page_of(opened(tiny)), "Cautions").blocks
    assert any("students/soft-T4-mlp4 is left out" in text_of(block) for block in blocks)


def text_of(block: Block) -> str:
    assert isinstance(block, Paragraph)
    return block.text if isinstance(block.text, str) else str(block.text[0])


@pytest.fixture
def of_customers(kd: Kd, outputs: Path) -> Experiment:
    customers()
    assert kd("gen-data", "customers.csv", "--label", "left", "--draws", "1").code == 0
    assert kd("train-teacher", "--model", "tree:max_leaf_nodes=4").code == 0
    arguments = ("--target", "labels,hard", "--model", "tree:max_leaf_nodes=3", "--seeds", "2")
    assert kd("distill", *arguments).code == 0
    return opened(outputs / "customers")


def test_a_table_is_told_with_its_columns_but_no_value_of_an_identifier(of_customers: Experiment) -> None:
    page = page_of(of_customers)
    classes, columns = tables(page, "Data")
    assert [row.title.text for row in classes.rows()] == ["no", "yes"]
    told = {row.title.text: [cell.text for cell in row.cells] for row in columns.rows()}
    assert set(told) == {"customerID", "age", "plan", "active", "spent"}
    assert "'basic'" in " ".join(told["plan"])
    assert "C-0" not in str(columns)
    assert "--" not in str([cell.text for row in columns.rows() for cell in row.cells])


@pytest.mark.parametrize("of", ["data", "teacher"])
def test_data_and_teacher_are_described(tiny: Path, of: str, request: pytest.FixtureRequest) -> None:
    page = page_of(opened(tiny))
    if of == "data":
        assert "overlapping Gaussian clusters" in str(facts(page, "Data")["Dataset"])
        assert facts(page, "Data")["One example"] == "2 numbers"
    else:
        assert facts(page, "Teacher")["Model"] == "mlp:8"
        assert "20 epochs" in str(facts(page, "Teacher")["Training"])
        assert facts(page, "Teacher")["Teachers"] == "1"


def test_several_draws_have_a_teacher_each(two_draws: Path) -> None:
    assert facts(page_of(opened(two_draws)), "Teacher")["Teachers"] == "2, one for each draw"
