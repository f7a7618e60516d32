from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from harness import forge, opened, write_again

from kdcli.commands import text
from kdcli.errors import KdError
from kdcli.runs.experiment import Experiment
from kdcli.runs.records import DataRecord, Record, TeacherRecord
from kdcli.runs.reuse import reusable
from kdcli.runs.stored import TrainedTeacher
from kdcli.store import FORMAT, OlderError

LABELS, SOFT = "students/labels-mlp4", "students/soft-T4-mlp4"
NAMES = ["data", "teacher", LABELS, SOFT]


@pytest.fixture
def experiment(tiny: Path) -> Experiment:
    return opened(tiny)


@pytest.mark.parametrize("name", NAMES)
def test_an_artefact_of_the_same_record_is_reused(tiny: Path, experiment: Experiment, name: str) -> None:
    stored = experiment.stored(name)
    assert stored is not None
    assert reusable(experiment, name, stored.record, force=False)
    assert reusable(experiment, name, stored.record, force=True)
    sorted((tiny / name).glob("*.safetensors"))[0].unlink()  # what lost a file is made again
    assert not reusable(experiment, name, stored.record, force=False)
    (tiny / name / "meta.json").unlink()
    assert not reusable(opened(tiny), name, stored.record, force=False)


@pytest.mark.parametrize(
    ("name", "given", "words", "hint"),
    [
        ("teacher", None, "epochs = 20, not 6", "`kd gen-data gaussians --run NAME` starts another run"),
        ("teacher", (), "epochs = 20, not 6 as recipe.toml says", "starts another run"),
        ("teacher", ("epochs",), "epochs = 20, not 6", "starts another run"),
        ("data", None, "n_test = 400, not 6", "--run NAME keeps both"),
        ("data", (), "n_test = 400, not 6 as recipe.toml says", "recipe.toml --run NAME` keeps both"),
        (SOFT, None, "label_weight = 0.0, not 0.5", "--name NAME, for one target at a time, keeps both"),
    ],
)
def test_another_one_under_the_name_is_refused_unless_by_force(
    experiment: Experiment, name: str, given: Any, words: str, hint: str
) -> None:
    recipe = experiment.recipe
    soft = experiment.students()[1].set
    others: dict[str, Record] = {
        "data": DataRecord("gaussians", replace(recipe.data, n_test=6)),
        "teacher": TeacherRecord.of(replace(recipe.teacher, epochs=6)),
        SOFT: replace(soft, settings=replace(soft.settings, label_weight=0.5)),
    }
    with pytest.raises(KdError, match=rf"was made with {words}$") as refused:
        reusable(experiment, name, others[name], force=False, given=given)
    assert text(refused.value.hint).startswith("--force replaces it; ")
    assert hint in text(refused.value.hint)
    assert not reusable(experiment, name, others[name], force=True, given=given)


def test_what_is_stale_or_of_an_earlier_kd_is_replaced_by_force_alone(tiny: Path) -> None:
    write_again(opened(tiny), "data")
    experiment = opened(tiny)
    teacher = experiment.stored("teacher")
    assert isinstance(teacher, TrainedTeacher)
    with pytest.raises(KdError, match="is stale"):
        reusable(experiment, "teacher", teacher.record, force=False)
    assert not reusable(experiment, "teacher", teacher.record, force=True)
    forge(tiny / "teacher", format=FORMAT - 1)
    with pytest.raises(OlderError) as refused:
        reusable(opened(tiny), "teacher", teacher.record, force=False)
    assert text(refused.value.hint) == "make it again with `kd train-teacher --force`"
    assert not reusable(opened(tiny), "teacher", teacher.record, force=True)
