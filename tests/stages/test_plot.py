import json
from pathlib import Path

import pytest
from harness import Kd


def test_all_figures_and_the_same_bytes_twice(kd: Kd, tiny: Path) -> None:
    for file_format, magic in (("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")):
        document = json.loads(kd("plot", "--format", file_format, "--json").out)
        contents = [Path(path).read_bytes() for path in document["figures"]]
        assert [Path(path).stem for path in document["figures"]] == [
            "learning-curves",
            "decision-boundaries",
            "differences",
            "reliability",
            "accuracy-by-agreement",
            "cost-accuracy",
            "confusion-matrices",
        ]
        assert all(content.startswith(magic) for content in contents)
        kd("plot", "--format", file_format)
        assert [Path(path).read_bytes() for path in document["figures"]] == contents


def test_stale_students_are_left_out_and_named(kd: Kd, tiny: Path) -> None:
    kd("train-teacher", "--epochs", "3", "--force")
    outcome = kd("plot", "learning-curves")
    assert outcome.code == 0
    assert "left out students/soft-T4-mlp4: stale" in outcome.out
    assert "kd distill --target soft --temperature 4 --force" in outcome.out


def test_what_a_figure_leaves_out_is_said(kd: Kd, tiny: Path) -> None:
    kd("distill", "--model", "tree", "--model", "tree:max_leaf_nodes=3", "--model", "tree:max_depth=2")
    document = json.loads(kd("plot", "--json").out)
    missing = {"draws", "metrics-by-temperature", "dark-knowledge", "disagreements", "column-importance"}
    assert set(document["left_out"]) == missing
    assert document["notes"] == {
        "learning-curves": "leaves out 6 student sets not trained by gradients",
        "accuracy-by-leaves": "leaves out 2 student sets of trees with limits other than max_leaf_nodes",
    }
    out = kd("plot", "learning-curves").out
    assert "learning-curves leaves out 6 student sets" in out


def test_the_figure_of_draws_is_drawn_where_there_are_several(kd: Kd, two_draws: Path) -> None:
    document = json.loads(kd("plot", "--json").out)
    assert str(two_draws / "figures/draws.png") in document["figures"]
    assert "draws" not in document["left_out"]


def test_only_some_models(kd: Kd, tiny: Path) -> None:
    kd("distill", "--model", "tree:max_depth=2,min_samples_leaf=3")
    whole = json.loads(kd("plot", "--json").out)
    assert whole["notes"]["learning-curves"].startswith("leaves out 2")
    networks = json.loads(kd("plot", "--model", "mlp:4", "--json").out)
    assert networks["notes"] == {}
    assert Path(networks["figures"][0]).name == "learning-curves-mlp4.png"  # beside that of all students
    both = json.loads(kd("plot", "--model", "mlp:4,tree:max_depth=2,min_samples_leaf=3", "--json").out)
    assert both["notes"] == whole["notes"]
    # Another spelling of the same tree.
    assert kd("plot", "--model", "tree:min_samples_leaf=3,max_depth=2", "decision-boundaries").code == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["learning-curve"], "did you mean learning-curves?"),
        (["--format", "gif"], "must be one of png, svg, pdf, not 'gif'"),
        (["--model", "tree"], "`kd distill --model tree` trains it"),
        (["--model", "tre"], "no model 'tre'; did you mean tree?"),
        (["accuracy-by-leaves"], "cannot draw accuracy-by-leaves: it needs trees"),
    ],
)
def test_bad_input(kd: Kd, tiny: Path, arguments: list[str], words: str) -> None:
    outcome = kd("plot", *arguments)
    assert outcome.code == 2
    assert words in outcome.err


def test_nothing_to_draw(kd: Kd) -> None:
    kd("gen-data", "--n-samples", "60", "--n-test", "40")
    outcome = kd("plot")
    assert outcome.code == 1
    assert "kd train-teacher" in outcome.err


def test_show_opens_what_was_drawn(kd: Kd, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("typer.launch", lambda path: opened.append(path))
    assert kd("plot", "learning-curves", "--show").code == 0
    assert [Path(path).name for path in opened] == ["learning-curves.png"]
