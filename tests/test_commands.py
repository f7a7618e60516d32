import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from harness import Kd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import STUDENTS, TEACHERS

from kdcli.cli.main import main
from kdcli.commands import spell, text
from kdcli.errors import Command
from kdcli.runs.experiment import Experiment
from kdcli.runs.recipe import Recipe, Students, Teacher
from kdcli.settings import rules
from kdcli.store import Store

FEW = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,9}", fullmatch=True)


class StageCalled(Exception):  # noqa: N818 it is no error
    """A stage was called on this run, with these settings and options."""

    def __init__(self, run: str, given: Mapping[str, Any], options: Mapping[str, Any]) -> None:
        super().__init__()
        self.run = run
        self.given = {key: value for key, value in given.items() if value is not None}
        self.options = {key: value for key, value in options.items() if value}


@pytest.fixture
def called(kd: Kd, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Type the text of a command, and return what its stage is called with in place of its work."""

    def stage(experiment: Experiment, given: Mapping[str, Any], **options: Any) -> None:
        raise StageCalled(experiment.run.name, given, options)

    monkeypatch.setattr("kdcli.stages.train_teacher.train_teacher", stage)
    monkeypatch.setattr("kdcli.stages.distill.distill", stage)

    def typed(line: str) -> StageCalled:
        program, *words = shlex.split(line)
        assert program == "kd"
        with pytest.raises(StageCalled) as stopped:
            main(words)
        return stopped.value

    return typed


@FEW
@given(st.data())
def test_what_is_spelled_is_read_back_as_the_same_settings(called: Any, data: st.DataObject) -> None:
    name, kind, configs = data.draw(
        st.sampled_from([("distill", Students, STUDENTS), ("train-teacher", Teacher, TEACHERS)])
    )
    keys = data.draw(st.lists(st.sampled_from(list(rules(kind))), unique=True))
    config = data.draw(configs)
    options = {key: value for key in keys if (value := getattr(config, key)) != ""}
    force = data.draw(st.booleans())
    stopped = called(spell(Command(name, options={**options, "force": force})))
    assert stopped.given == options
    assert stopped.options.get("force", False) is force
    assert stopped.run == "tiny"


@FEW
@given(name=NAMES, keep_going=st.booleans())
def test_options_that_are_no_settings_are_read_back_too(called: Any, name: str, keep_going: bool) -> None:
    stopped = called(
        spell(Command("distill", options={"name": name, "keep_going": keep_going, "targets": ()}))
    )
    assert stopped.given == {}
    assert stopped.options["name"] == name
    assert stopped.options.get("keep_going", False) is keep_going


@FEW
@given(draws=st.none() | st.integers(1, 1000), seeds=st.none() | st.integers(1, 10**9), name=NAMES)
def test_a_whole_run_is_read_back_with_its_draws_and_seeds(
    kd: Kd, tiny: Path, draws: int | None, seeds: int | None, name: str
) -> None:
    def stage(experiment: Experiment, recipe: Recipe, **options: Any) -> None:
        raise StageCalled(experiment.run.name, {}, options)

    recipe = tiny / "recipe.toml"
    line = spell(Command("run", (str(recipe),), {"draws": draws, "seeds": seeds}, run=name))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kdcli.stages.run.WholeRun", stage)
        with pytest.raises(StageCalled) as stopped:
            main(shlex.split(line)[1:])
    assert stopped.value.run == name
    options = stopped.value.options
    given = {} if draws is None else {"draws": draws}
    assert (options.get("settings", {}), options.get("given", {})) == (given, given)
    assert options.get("seeds") == seeds
    assert options["source"] == str(recipe)


def test_the_run_is_named_only_where_another_is_the_current_one(
    called: Any, kd: Kd, tiny: Path, outputs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert spell(Command("distill", run="tiny")) == "kd distill"
    assert spell(Command("distill", run="other")) == "kd distill --run other"
    assert spell(Command("gen-data", run="tiny")) == "kd gen-data --run tiny"  # which would make another
    Store(outputs).make_current("other")
    assert called(spell(Command("distill", run="tiny"))).run == "tiny"
    monkeypatch.setenv("KD_RUN", "tiny")
    assert spell(Command("distill", run="tiny")) == "kd distill"
    monkeypatch.delenv("KD_RUN")
    (outputs / "current").unlink()
    (outputs / "current").mkdir()  # cannot be read
    assert spell(Command("distill", run="tiny")) == "kd distill --run tiny"


def test_the_outputs_folder_is_named_only_where_it_is_another(
    called: Any, outputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert spell(Command("runs", outputs=outputs)) == "kd runs"
    assert spell(Command("runs")) == "kd runs"
    assert spell(Command("runs", outputs=Path("else where"))) == "kd runs --outputs 'else where'"
    monkeypatch.delenv("KD_OUTPUTS")
    assert spell(Command("runs", outputs=Path("outputs"))) == "kd runs"
    outputs.rename(tmp_path / "moved")
    line = spell(Command("distill", run="tiny", outputs=Path("moved"), options={"force": True}))
    assert line == "kd distill --outputs moved --force"
    assert called(line).run == "tiny"


@given(st.text(max_size=20).filter(lambda word: not word.startswith("-")))
def test_whatever_an_argument_is_the_shell_reads_it_back(word: str) -> None:
    line = spell(Command("gen-data", (word,), {"source": word or None, "recipe": word, "n_samples": 4}))
    expected = ["kd", "gen-data", word, *(["--source", word, "--recipe", word] if word else [])]
    assert shlex.split(line) == [*expected, "--n-samples", "4"]


def test_numbers_are_spelled_as_people_type_them() -> None:
    options = {"temperatures": (4.0, 0.5), "learning_rate": 1e-05, "seeds": 3, "label_weight": 0.0}
    assert spell(Command("distill", options=options)) == (
        "kd distill --temperature 4,0.5 --learning-rate 1e-05 --seeds 3 --label-weight 0"
    )


def test_a_text_has_its_commands_between_backquotes() -> None:
    assert text("remove it") == "remove it"
    command = Command("train-teacher", options={"force": True})
    assert text(("renew it with ", command, ", or not")) == "renew it with `kd train-teacher --force`, or not"
