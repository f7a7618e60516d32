import json
import shlex
import shutil
from pathlib import Path

import pytest
from harness import TINY, Kd

SMALL = ("gen-data", "--n-samples", "40", "--n-test", "20")


@pytest.fixture
def two(tiny: Path) -> Path:
    """The run `two` beside the current run `tiny`."""
    shutil.copytree(tiny, tiny.parent / "two")
    return tiny.parent / "two"


def current(outputs: Path) -> str:
    return (outputs / "current").read_text()


def test_a_run_is_made_current_and_later_commands_work_on_it(kd: Kd, two: Path, outputs: Path) -> None:
    assert kd("use", "two").out == "run two is now the current run instead of tiny: outputs/two\n"
    assert current(outputs) == "two\n"
    assert kd("train-teacher").out.startswith("run two: ")
    assert kd("use", "two").out.startswith("run two is already the current run")
    document = json.loads(kd("use", "tiny", "--json").out)
    assert document == {"run": "tiny", "path": str(outputs / "tiny"), "before": "two"}


@pytest.mark.parametrize("name", ["tinny", "", "current", "../outputs/tiny"])
def test_no_other_name_is_made_current(kd: Kd, tiny: Path, name: str) -> None:
    outcome = kd("use", name)
    assert outcome.code == 2
    assert current(tiny.parent) == "tiny\n"
    assert "did you mean tiny?" in outcome.err or name != "tinny"


def test_a_shell_has_a_run_of_its_own(
    kd: Kd, two: Path, outputs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KD_RUN", "two")
    outcome = kd("train-teacher")
    assert outcome.out.startswith("run two: ")
    assert outcome.err == "working on run two (set by KD_RUN)\n"
    assert json.loads(kd("show", "--json").out)["run"] == "two"
    outcome = kd("train-teacher", "--run", "tiny")
    assert outcome.out.startswith("run tiny: ")
    assert outcome.err == "working on run tiny, not two set by KD_RUN\n"
    assert "but KD_RUN names run two" in kd("use", "tiny").out
    (two / "teacher/model.safetensors").unlink()  # a command that is named is one for this shell
    assert "`kd train-teacher`" in kd("plot").err


def test_the_run_of_a_shell_is_made_under_its_name_and_leaves_the_current_one(
    kd: Kd, tiny: Path, outputs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KD_RUN", "mine")
    assert kd(*SMALL).out.startswith("run mine: gaussians")
    assert kd(*SMALL, "--run", "other").out.startswith("run other: ")
    assert current(outputs) == "tiny\n"
    # A dataset that is not that of the run is refused.
    assert 'dataset = "gaussians", not "moons"' in kd("gen-data", "--recipe", "moons").err


@pytest.mark.parametrize("name", ["mine", "tiny"])
def test_the_single_commands_of_a_run_are_those_of_the_shell(
    kd: Kd, outputs: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("KD_RUN", "mine")
    Path("tiny.toml").write_text(TINY)
    outcome = kd("run", "tiny.toml", "--json", *([] if name == "mine" else ["--run", name]))
    assert [path.name for path in outputs.iterdir() if path.name != ".locks"] == [name]
    for command in json.loads(outcome.out)["commands"]:
        again = kd(*shlex.split(command)[1:])
        assert again.code == 0
        assert f"run {name}" in again.err
    assert [path.name for path in outputs.iterdir() if path.name != ".locks"] == [name]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("tinny", "no run 'tinny'; did you mean tiny?"),
        ("../x", "'../x' cannot name a run, as KD_RUN must"),
        ("current", "a run cannot be named 'current'"),
    ],
)
def test_a_shell_that_names_no_run(
    kd: Kd, tiny: Path, monkeypatch: pytest.MonkeyPatch, name: str, words: str
) -> None:
    monkeypatch.setenv("KD_RUN", name)
    outcome = kd("train-teacher")
    assert outcome.code == 2
    assert words in outcome.err
    assert "KD_RUN" in outcome.err or name == "current"
    monkeypatch.setenv("KD_RUN", "")  # counts as not set
    assert kd("train-teacher").code == 0


def test_which_run_is_said_before_the_work_and_never_on_stdout_of_a_document(
    kd: Kd, tiny: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said: list[str] = []

    def stage(*arguments: object, **options: object) -> None:
        said.append(capsys.readouterr().err)
        raise KeyboardInterrupt

    for module, name in (
        ("train_teacher", "train_teacher"),
        ("distill", "distill"),
        ("plot", "plot"),
        ("compare", "compare"),
        ("gen_data", "gen_data"),
    ):
        monkeypatch.setattr(f"kdcli.stages.{module}.{name}", stage)
        command = name.replace("_", "-")
        run = ["--run", "tiny"] if command == "gen-data" else []
        assert kd(command, *run).code == 130
        assert kd(command, *run, "--json").out.startswith("{")
        assert kd(command, *run, "--quiet").code == 130
        assert said == ["working on run tiny, the current one\n", "", ""]
        said.clear()


@pytest.mark.parametrize("command", ["show", "check", "compare", "delete"])
def test_a_run_is_named_as_an_argument_or_by_an_option(kd: Kd, two: Path, command: str) -> None:
    others = ["--yes"] if command == "delete" else []
    refused = kd(command, "two", "--run", "tiny", *others)
    assert refused.code == 2
    assert "two runs are named, two and --run tiny" in refused.err
    for words in (["two"], ["--run", "two"], ["two", "--run", "two"]):
        if command == "delete":
            shutil.copytree(two.parent / "tiny", two, dirs_exist_ok=True)
        outcome = kd(command, *words, *others)
        assert outcome.code == 0
        assert "two" in outcome.out + outcome.err
        assert "tiny" not in outcome.out
    assert (two.parent / "tiny/teacher").is_dir()


def test_only_a_run_that_is_named_is_deleted(kd: Kd, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KD_RUN", "tiny")
    outcome = kd("delete", "--yes")
    assert outcome.code == 2
    assert "name the run to delete" in outcome.err
    assert tiny.is_dir()
