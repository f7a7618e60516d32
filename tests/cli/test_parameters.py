import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from harness import TINY, Kd

from kdcli.cli.app import App
from kdcli.cli.calls import Call
from kdcli.cli.parameters import recipe_parameters, split
from kdcli.data.gaussians import Gaussians
from kdcli.data.mnist import MNIST
from kdcli.errors import UsageError
from kdcli.models import FAMILIES
from kdcli.runs.recipe import Students
from kdcli.settings import override, setting


@dataclass(frozen=True)
class MoreStudents(Students):
    weight_decay: float = setting(0.0, "decay of the weights", minimum=0, below=1, panel="Training")
    optimizer: str = setting("adam", "how steps are taken", choices=("adam", "adagrad", "sgd"), short="-o")
    layers: tuple[int, ...] = setting((1, 2), "layers to match", flag="--layer", minimum=1)
    hints: tuple[str, ...] = setting(("none",), "what else is taught", choices=("none", "noise", "maps"))
    nesterov: bool = setting(True, "whether steps look ahead")
    chain: str = setting("a", "what follows what", joined_by=">")


@dataclass(frozen=True)
class Spirals:
    turns: int = setting(2, "turns of each spiral", minimum=1, maximum=9)
    seed: int = setting(3, "random seed of the data", minimum=0)
    shape: str = setting("round", "shape of the spirals", choices=("round", "square"))


DATA = {"gaussians": Gaussians, "mnist": MNIST, "spirals": Spirals}


class Line:
    """Command lines of two commands that take the settings above, and their results."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.capsys, self.monkeypatch = capsys, monkeypatch
        self.calls: list[Call] = []
        self.app = App()
        self.app.add("distill", "run", "jobs", settings={"students": MoreStudents})(self.calls.append)
        self.app.add("gen-data", "dataset", "run_to_show", "force", settings=DATA)(self.calls.append)

    def call(self, *words: str) -> Call:
        self.app(words, prog_name="kd", standalone_mode=False)
        return self.calls.pop()

    def help(self, command: str) -> str:
        self.app([command, "--help"], prog_name="kd", standalone_mode=False)
        return " ".join(self.capsys.readouterr().out.replace("│", " ").split())

    def completed(self, words: str) -> list[str]:
        self.monkeypatch.setenv("_KD_COMPLETE", "complete_bash")
        self.monkeypatch.setenv("COMP_WORDS", words)
        self.monkeypatch.setenv("COMP_CWORD", str(len(words.split()) - 1))
        with pytest.raises(SystemExit):
            self.app([], prog_name="kd")
        return self.capsys.readouterr().out.split()


@pytest.fixture
def line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Line:
    return Line(capsys, monkeypatch)


def test_a_setting_that_is_added_to_a_class_is_an_option_with_help_and_completion(line: Line) -> None:
    words = ("--weight-decay", "0.25", "-o", "sgd", "--layer", "1,2", "--layer", "3", "--hints=maps")
    call = line.call("distill", *words, "--no-nesterov")
    assert override(MoreStudents(), call.settings) == MoreStudents(
        weight_decay=0.25, optimizer="sgd", layers=(1, 2, 3), hints=("maps",), nesterov=False
    )
    page = line.help("distill")
    assert "--weight-decay X decay of the weights (at least 0 and below 1) [default: recipe, else 0]" in page
    assert "-o, --optimizer NAME how steps are taken: adam, adagrad, sgd [default: recipe, else adam]" in page
    assert "--layer N,... layers to match (at least 1); repeat or comma-separate" in page
    assert "--nesterov, --no-nesterov whether steps look ahead [default: recipe, else True]" in page
    assert page.index("--layer") < page.index("Training") < page.index("--weight-decay")
    assert line.completed("kd distill --optimizer ad") == ["adam", "adagrad"]
    assert line.completed("kd distill --hints noise,m") == ["noise,maps"]
    assert line.completed("kd distill --wei") == ["--weight-decay"]


def test_values_of_an_option_given_several_times_are_joined_where_the_setting_says_how(line: Line) -> None:
    assert line.call("distill", "--chain", "b", "--chain", "c>d").settings == {"chain": "b>c>d"}
    assert line.call("distill", "--chain", "b").settings == {"chain": "b"}
    assert override(MoreStudents(), {"chain": "b>c"}).chain == "b>c"
    with pytest.raises(UsageError, match="--optimizer is given 2 times"):
        line.call("distill", "--optimizer", "sgd", "--optimizer", "adam")


def test_what_is_not_given_is_left_to_the_recipe(line: Line) -> None:
    assert line.call("distill").settings == {}
    assert line.call("distill", "--smoothing", "0.3", "--nesterov").settings == {
        "smoothing": 0.3,
        "nesterov": True,
    }


def test_a_dataset_with_a_class_of_its_own_has_its_options(line: Line) -> None:
    call = line.call("gen-data", "--turns", "4", "--seed", "1", "--shape", "square")
    assert override(Spirals(), call.settings) == Spirals(turns=4, seed=1, shape="square")
    with pytest.raises(UsageError, match="--turns does not apply here"):
        override(Gaussians(), call.settings)
    page = line.help("gen-data")
    assert (
        "turns of each spiral (at least 1 and at most 9); only for spirals [default: recipe, else 2]" in page
    )
    assert line.completed("kd gen-data --shape s") == ["square"]


def test_a_setting_of_several_datasets_is_one_option_that_says_where_they_differ(line: Line) -> None:
    page = line.help("gen-data")
    assert page.count("--seed N") == 1
    assert "[default: recipe, else 0 for gaussians and mnist, 3 for spirals]" in page

    @dataclass(frozen=True)
    class Few:
        n_test: int = setting(5, "number of test examples", maximum=9)

    merged = recipe_parameters({"gaussians": Gaussians, "few": Few, "mnist": MNIST})["n_test"]
    assert merged.help == "number of test examples (at least 2 for gaussians, at most 9 for few)"
    assert merged.recipe_default == "20000 for gaussians, 5 for few"

    @dataclass(frozen=True)
    class Half:
        n_test: float = setting(0.5, "share of test examples")

    with pytest.raises(TypeError, match="n_test differs in type or flag between few and half"):
        recipe_parameters({"few": Few, "half": Half})


def test_three_datasets_with_one_option_are_listed() -> None:
    shared = dict.fromkeys(("spirals", "coils", "springs"), Spirals)
    parameter = recipe_parameters({**shared, "gaussians": Gaussians})["turns"]
    assert parameter.help == (
        "turns of each spiral (at least 1 and at most 9); only for spirals, coils and springs"
    )


def test_a_flag_may_be_a_word_of_python(capsys: pytest.CaptureFixture[str]) -> None:
    @dataclass(frozen=True)
    class Config:
        source: str = setting("", "where it comes from", flag="--from")

    calls: list[Call] = []
    app = App()
    app.add("take", settings={"": Config})(calls.append)
    app(["take", "--from", "there"], prog_name="kd", standalone_mode=False)
    assert calls[0].settings == {"source": "there"}


def test_an_argument_may_be_given_as_an_option_but_not_contradict_it(line: Line) -> None:
    for words in (["mnist", "first"], ["mnist", "--run", "first"], ["mnist", "first", "--run", "first"]):
        options = line.call("gen-data", *words).options
        assert (options.dataset, options.run_to_show) == ("mnist", "first")
    with pytest.raises(UsageError, match="two runs are named, first and --run second"):
        line.call("gen-data", "mnist", "first", "--run", "second")


def test_a_list_of_numbers_is_nothing_else(line: Line) -> None:
    assert line.call("distill", "--temperature", "1, 4", "-T", "1e2").settings["temperatures"] == (1, 4, 100)
    assert line.call("distill", "-T", "auto,2").settings["temperatures"] == ("auto", 2)
    with pytest.raises(UsageError, match=r"--temperature: '1,x' is not a list of numbers or auto"):
        line.call("distill", "--temperature", "1,x")
    with pytest.raises(UsageError, match=r"--layer: '1,x' is not a list of numbers"):
        line.call("distill", "--layer", "1,x")


@pytest.mark.parametrize(("words", "problem"), [(("--jobs", "0"), "--jobs: must be at least 1, not 0")])
def test_an_option_out_of_range_is_refused(line: Line, words: tuple[str, ...], problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        line.call("distill", *words)


def test_models_may_be_comma_separated() -> None:
    text = "mlp:64,64,tree, tree:max_depth=2,min_samples_leaf=3"
    assert split(text, tuple(FAMILIES)) == ["mlp:64,64", "tree", "tree:max_depth=2,min_samples_leaf=3"]
    assert split("mlp:4, cnn", ()) == ["mlp:4", "cnn"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("kd dis", {"distill"}),
        ("kd distill --target ba", {"bayes", "bayes-soft"}),
        ("kd distill --temperature a", {"auto"}),
        ("kd gen-data g", {"gaussians"}),
        ("kd recipe mo", {"moons"}),
        ("kd plot --run t", {"tiny"}),
        ("kd use t", {"tiny"}),
        ("kd plot l", {"learning-curves"}),
        ("kd explain temperature", {"temperature", "temperature-scaling"}),
        ("kd explain dark-", {"dark-knowledge"}),
    ],
)
def test_completion_in_the_shell(kd: Kd, tiny: Path, words: str, expected: set[str]) -> None:
    environment = {
        **os.environ,
        "_KD_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }
    done = subprocess.run([sys.executable, "-m", "kdcli"], capture_output=True, text=True, env=environment)
    assert set(done.stdout.split()) == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("kd distill --target labels,ha", ["labels,hard"]),
        ("kd distill --target bayes,ba", ["bayes,bayes-soft"]),
        ("kd compare --metric nll,br", ["nll,brier"]),
        ("kd distill --model m", ["mlp:4", "mlp:64,64"]),
        ("kd distill --model mlp:64,6", ["mlp:64,64"]),
        ("kd distill --model mlp:4,tr", ["mlp:4,tree:max_depth=6"]),
        ("kd train-teacher --model c", ["cnn:32,1200,1200"]),
        ("kd plot --model m", ["mlp:4"]),
        ("kd compare --control soft", ["soft", "soft-T4-mlp4"]),
        ("kd plot --format s", ["svg"]),
        ("kd distill --recipe mi", ["mine.toml"]),
        ("kd plot --outputs elsewhere --run t", []),
        ("kd plot --run nowhere --model m", []),
    ],
)
def test_completion_of_lists_and_of_what_the_run_holds(
    kd: Kd, tiny: Path, monkeypatch: pytest.MonkeyPatch, words: str, expected: list[str]
) -> None:
    Path("mine.toml").write_text(TINY)
    monkeypatch.setenv("_KD_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split()) - 1))
    outcome = kd()
    assert (outcome.code, outcome.out.split(), outcome.err) == (0, expected, "")
