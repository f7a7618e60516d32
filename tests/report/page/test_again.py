import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from customers import customers
from harness import Kd, opened

from kdcli.commands import spell
from kdcli.evidence.conclusions import conclude
from kdcli.evidence.gather import gather
from kdcli.report.page.again import TITLE, again, artefacts, commands_of, digests_table, versions_table
from kdcli.report.page.blocks import Code, Fold, Paragraph
from kdcli.report.page.figures import Figures
from kdcli.report.page.run import run_page

OWN = """
[data]
dataset = "table"
file = "{file}"
label = "left"
draws = 1
[teacher]
model = "mlp:4"
epochs = 3
[students]
models = ["mlp:2"]
targets = ["labels", "soft"]
seeds = 2
epochs = 3
"""


def digests(folder: Path) -> dict[str, str]:
    """The digests that a report of the run in a folder shows."""
    return {row.title.text: row.cells[0].text for row in digests_table(artefacts(opened(folder))).rows()}


def test_its_commands_and_recipe_make_the_same_digests(
    kd: Kd, one_or_two_draws: Path, go_elsewhere: Callable[[], Path]
) -> None:
    kd("distill", "--target", "hard", "--seeds", "3", "--epochs", "4")
    kd("distill", "--target", "soft", "--model", "tree:max_depth=2", "--name", "small")
    run = opened(one_or_two_draws)
    commands = list(map(spell, commands_of(run)))
    assert commands[0] == "kd run tiny.toml"
    assert len(commands) == 3
    (recipe,) = [block for block in again(run).blocks if isinstance(block, Fold)]
    (code,) = recipe.blocks
    assert isinstance(code, Code)
    elsewhere = go_elsewhere()
    Path("tiny.toml").write_text(code.text)
    for command in commands:
        assert kd(*shlex.split(command)[1:]).code == 0
    made = digests(elsewhere / "outputs" / "tiny")
    assert made == digests(one_or_two_draws)
    assert len(made) == 6


@pytest.mark.parametrize("more", [(), ("--target", "soft")])
def test_more_seeds_than_the_recipe_has_are_made_again(kd: Kd, tiny: Path, more: tuple[str, ...]) -> None:
    assert kd("distill", "--seeds", "3", *more).code == 0
    commands = list(map(spell, commands_of(opened(tiny))))
    of_soft = "kd distill --target soft --temperature 4 --seeds 3"
    assert commands == (["kd run tiny.toml", of_soft] if more else ["kd run tiny.toml --seeds 3"])


def test_files_of_ones_own_are_named_without_their_folders(
    kd: Kd, outputs: Path, tmp_path: Path, go_elsewhere: Callable[[], Path]
) -> None:
    customers()
    Path("tiny.toml").write_text(OWN.format(file=tmp_path / "customers.csv"))
    assert kd("run", "tiny.toml").code == 0
    before = digests(outputs / "tiny")
    run = opened(outputs / "tiny")
    page = run_page(run, conclude(run, gather(run)), Figures({}, {}, {}, {}))
    (chapter,) = [chapter for chapter in page.chapters if chapter.title == TITLE]
    instruction, command, _, _, fold, *_ = chapter.blocks
    assert instruction == Paragraph("Save the recipe below as tiny.toml beside the data, and run:")
    assert str(tmp_path) not in str([c.blocks for c in page.chapters if c.title in ("Data", "Teacher")])
    (code,) = fold.blocks
    assert str(tmp_path) not in code.text
    elsewhere = go_elsewhere()
    (tmp_path / "customers.csv").rename(elsewhere / "customers.csv")
    Path("tiny.toml").write_text(code.text)
    assert kd(*shlex.split(command.text)[1:]).code == 0
    assert digests(elsewhere / "outputs" / "tiny") == before


def test_a_recipe_that_comes_with_kd_is_named(kd: Kd, outputs: Path) -> None:
    assert kd("gen-data", "gaussians").code == 0
    assert [spell(command) for command in commands_of(opened(outputs / "gaussians"))] == ["kd run gaussians"]


def test_versions_are_in_one_column_where_all_were_made_alike(tiny: Path) -> None:
    stored = artefacts(opened(tiny))
    table = versions_table(stored)
    assert [column.title for column in table.columns] == ["version"]
    assert {"kdcli", "torch", "python"} <= {row.title.text for row in table.rows()}
    stored[1].meta.versions["torch"] = "1.0"
    titles = [column.title for column in versions_table(stored).columns]
    assert titles == ["version (data, students/labels-mlp4, students/soft-T4-mlp4)", "version (teacher)"]
