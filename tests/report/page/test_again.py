import shlex
from pathlib import Path

import pytest
from harness import Kd, opened

from kdcli.commands import spell
from kdcli.report.page.again import again, artefacts, commands_of, digests_table, versions_table
from kdcli.report.page.blocks import Code, Fold


def digests(folder: Path) -> dict[str, str]:
    """The digests that a report of the run in a folder shows."""
    return {row.title.text: row.cells[0].text for row in digests_table(artefacts(opened(folder))).rows()}


def test_its_commands_and_recipe_make_the_same_digests(
    kd: Kd, one_or_two_draws: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("KD_OUTPUTS", str(elsewhere / "outputs"))
    Path("tiny.toml").write_text(code.text)
    for command in commands:
        assert kd(*shlex.split(command)[1:]).code == 0
    made = digests(elsewhere / "outputs" / "tiny")
    assert made == digests(one_or_two_draws)
    assert len(made) == 6


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
