import json
from pathlib import Path

import pytest
from customers import customers
from exporting import NASTY
from harness import Kd
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from kdcli.report.card import intended_use, mark_of, markdown, plain_file
from kdcli.runs.experiment import Experiment
from kdcli.runs.predictor import students_of
from kdcli.store import Store


@pytest.fixture
def own(kd: Kd) -> None:
    customers(rows=300)
    assert kd("gen-data", "customers.csv", "--label", "left").code == 0
    assert kd("train-teacher", "--model", "forest:5").code == 0
    assert kd("distill", "--model", "tree:max_depth=2", "--target", "labels,soft", "--seeds", "2").code == 0


def card(kd: Kd, folder: str, *more: str) -> str:
    made = kd("export", folder, *more, "--out", "out/student.py", "--force")
    assert made.code == 0, made.err
    return Path("out/MODEL_CARD.md").read_text(encoding="utf-8")


def test_it_says_what_who_does_not_know_it_needs(kd: Kd, own: None) -> None:
    text = card(kd, "soft-T1-tree-depth2", "--seed", "1")
    headings = [line[3:] for line in text.splitlines() if line.startswith("## ")]
    assert headings == [
        *(
            "Performance",
            "Calibration",
            "Parity with kd",
            "How to run it",
            "Inputs",
            "Intended use",
            "Provenance",
        )
    ]
    assert text.startswith(mark_of("student.py"))
    assert "Predicts column left of customers: no, yes." in text
    assert (
        "Its target was **soft, T = 1** (the teacher's probabilities at temperature T) by forest:5." in text
    )
    assert "Always predicting no would be right in " in text
    assert "Recall of this student by class: no " in text
    assert "Compared with its control, labels-tree-depth2" in text
    assert "| this student |" in text
    assert "| teacher |" in text
    assert "spec_from_file_location('student', 'student.py')" in text
    assert "| spent | number |" in text
    assert "| active | yes/no |" in text
    assert "Classes, in order: no, yes." in text
    assert "seed 1, draw 0" in text
    assert "To be filled in" in text


def test_its_figures_are_those_of_the_student(kd: Kd, own: None) -> None:
    text = card(kd, "soft-T1-tree-depth2", "--seed", "1")
    experiment = Experiment.open(Store().existing_run(None))
    trained = students_of(experiment, "soft-T1-tree-depth2")
    p = trained.load_tested()[0, 1].double().softmax(-1)
    right = (p.argmax(1) == experiment.data.pool.labels("test")).double()
    assert f"| this student | {100 * right.mean():.2f} % |" in text
    assert f"Mean confidence is {100 * p.amax(1).mean():.1f} %, accuracy {100 * right.mean():.1f} %" in text


def test_no_row_of_the_data_is_in_what_leaves(kd: Kd, own: None) -> None:
    card(kd, "soft-T1-tree-depth2")
    pool = {tuple(row) for row in Experiment.open(Store().existing_run(None)).data.pool.x.tolist()}
    golden = json.loads(Path("out/student.py.golden.json").read_text())["rows"]
    assert golden
    assert not [row for row in golden if tuple(row["x"]) in pool]
    identifiers = [line.split(",")[0] for line in Path("customers.csv").read_text().splitlines()[1:]]
    everything = "".join(path.read_text(encoding="utf-8") for path in Path("out").iterdir())
    assert not [name for name in identifiers if name in everything]


def test_what_somebody_wrote_on_the_intended_use_stays(kd: Kd, own: None) -> None:
    text = card(kd, "soft-T1-tree-depth2")
    assert "Decisions it is meant to support: …" in intended_use(text)
    Path("out/MODEL_CARD.md").write_text(
        text.replace("Decisions it is meant to support: …", "For letters, not for prices.")
    )
    assert "For letters, not for prices." in intended_use(card(kd, "soft-T1-tree-depth2", "--seed", "1"))
    assert "For letters" not in card(kd, "labels-tree-depth2")
    assert "This student set is a control" in card(kd, "labels-tree-depth2")


def test_a_teacher_from_elsewhere_is_not_named(kd: Kd, own: None) -> None:
    rows = Path("customers.csv").read_text().splitlines()[1:]
    Path("secret.csv").write_text(
        "p_yes\n" + "".join(f"{0.9 if row.endswith('yes') else 0.1}\n" for row in rows)
    )
    assert kd("train-teacher", "--from", "secret.csv", "--force").code == 0
    assert kd("distill", "--model", "linear", "--target", "soft", "--seeds", "1", "--epochs", "2").code == 0
    text = card(kd, "soft-T1-linear")
    assert "secret" not in text
    assert "by an external model." in text


def test_a_control_is_called_one(kd: Kd, own: None) -> None:
    assert "This student set is a control" in card(kd, "labels-tree-depth2")
    assert "Its target was **labels** (" in card(kd, "labels-tree-depth2")


def words_of(html: str) -> list[str]:
    """The tags of a page."""
    return [part.split(">")[0] for part in html.split("<")[1:]]


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1) | st.sampled_from(NASTY))
def test_a_name_is_a_name_in_what_markdown_becomes(name: str) -> None:
    told = markdown(name)
    assert told.isprintable()
    page = MarkdownIt("commonmark").enable("table").render(f"| name |\n|---|\n| a {told} b |\n")
    assert words_of(page) == [
        *("table", "thead", "tr", "th", "/th", "/tr", "/thead"),
        *("tbody", "tr", "td", "/td", "/tr", "/tbody", "/table"),
    ]


def test_names_of_files_that_could_end_a_line_of_code_do_not_stand_in_it() -> None:
    assert plain_file("my_model-1.py", ".py") == "my_model-1.py"
    for name in ("a'b.py", "`a`.py", "my model.py", "model"):
        assert plain_file(name, ".py") == "FILE.py"


@pytest.mark.parametrize("name", ["-->.py", "--!>.py", "a\nb", "x" * 300])
def test_the_mark_is_one_comment(name: str) -> None:
    mark = mark_of(name)
    assert mark.startswith("<!-- model card of ")
    assert mark.index("-->") == len(mark) - 3
    assert "--" not in mark[4:-3]
    assert mark != mark_of("other" + name)
