import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from harness import TINY, Kd

from kdcli import cli
from kdcli.data import DATASETS
from kdcli.figures import FIGURES
from kdcli.models import FAMILIES
from kdcli.options import split_models
from kdcli.targets import TARGETS
from kdcli.version import __version__

HEAVY = ("torch", "numpy", "scipy", "sklearn", "matplotlib")


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_help_has_a_purpose_and_three_examples_that_parse(
    kd: Kd, command: str, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = kd(command, "--help")
    assert outcome.code == 0
    examples = outcome.out.partition("Examples:")[2].strip().splitlines()
    assert len(examples) == 3
    # The parser accepts the example; the stage then stops at a run that is not there, or runs.
    monkeypatch.setattr(cli, "Store", lambda outputs: (_ for _ in ()).throw(cli.UsageError("parsed")))
    Path("mine.toml").write_text(TINY)
    for example in examples:
        program, *words = example.partition(" >")[0].split()
        assert (program, words[0]) == ("kd", command)
        stopped = kd(*words)
        assert "parsed" in stopped.err + stopped.out or (command == "recipe" and stopped.code == 0)


def test_help_has_the_common_options_first_and_shows_defaults(kd: Kd) -> None:
    out = kd("distill", "--help").out
    panels = re.findall(r"^╭─ (\S+) ─", out, flags=re.MULTILINE)
    assert panels == ["Options", "Training", "Run", "Behaviour"]
    assert out.index("--target") < out.index("--seeds") < out.index("Training") < out.index("--batch-size")
    assert out.index("Behaviour") < out.index("--json")
    shown = " ".join(out.replace("│", " ").split())
    assert "with seeds 0, 1, … (at least 1) [default: recipe, else 10]" in shown
    assert "[default: recipe, else labels,hard,soft]" in shown
    assert "[default: png]" in kd("plot", "--help").out
    assert not re.search(r"<\w+(\[\w+\])?>", out)


def test_run_stands_first_in_the_list_of_commands(kd: Kd) -> None:
    listed = re.findall(r"^│ (\S+) ", kd("--help").out.partition("╰")[0], flags=re.MULTILINE)
    assert tuple(listed) == cli.COMMANDS
    assert listed[0] == "run"


@pytest.mark.parametrize(
    ("command", "choices"),
    [
        ("gen-data", DATASETS),
        ("train-teacher", FAMILIES),
        ("distill", TARGETS),
        ("distill", FAMILIES),
        ("plot", FIGURES),
    ],
)
def test_help_lists_the_choices_of_the_library(kd: Kd, command: str, choices: dict[str, object]) -> None:
    words = kd(command, "--help").out
    assert all(name in words for name in choices)


def test_version(kd: Kd) -> None:
    outcome = kd("--version")
    assert (outcome.code, outcome.out) == (0, f"kd {__version__}\n")


def test_no_command_shows_the_help_and_nothing_else(kd: Kd) -> None:
    outcome = kd()
    assert outcome.code == 2
    assert outcome.out == kd("--help").out
    assert "train-teacher" in outcome.out
    assert outcome.err == ""


def test_a_mistyped_command_or_option_gets_a_suggestion(kd: Kd) -> None:
    assert "distill" in kd("distil").err
    outcome = kd("distill", "--targets", "soft")
    assert outcome.code == 2
    assert "--target" in outcome.err
    assert "kd distill --help" in outcome.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("runs", "--outputs", ""), "--outputs is empty"),
        (("gen-data", "--outputs="), "--outputs is empty"),
        (("gen-data", "mnist", "--source", ""), "--source is empty"),
        (("gen-data", "--run", ""), "--run is empty"),
        (("gen-data", "--recipe="), "--recipe is empty"),
        (("distill", "--recipe", ""), "--recipe is empty"),
        (("distill", "-t", ""), "-t is empty"),
        (("compare", "--metric="), "--metric is empty"),
        (("gen-data", ""), "one of the arguments is empty"),
        (("",), "one of the arguments is empty"),
    ],
)
def test_nothing_empty_is_taken_for_the_default(
    kd: Kd, outputs: Path, arguments: tuple[str, ...], words: str
) -> None:
    outcome = kd(*arguments)
    assert outcome.code == 2
    assert words in outcome.err
    assert kd(*arguments, "--json").code == 2
    assert list(outputs.parent.iterdir()) == []


def test_an_empty_variable_is_an_unset_one(
    kd: Kd, tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(tiny_run, tmp_path / "outputs")
    monkeypatch.setenv("KD_OUTPUTS", "")
    document = json.loads(kd("runs", "--json").out)
    assert (document["path"], document["current"]) == ("outputs", "tiny")


BYTES = os.fsdecode(b"x\xffy")  # an argument that is not UTF-8, as Python has it


@pytest.mark.parametrize(
    "arguments",
    [
        ("runs", "--outputs", BYTES),
        ("gen-data", "--n-samples", "40", "--n-test", "20", "--outputs", BYTES),
        ("gen-data", BYTES),
        ("gen-data", "mnist", "--source", BYTES),
        ("gen-data", "--recipe", f"{BYTES}.toml"),
        ("gen-data", "--n-samples", BYTES),
        ("run", BYTES),
        ("show", "--run", BYTES),
        ("distill", "--target", BYTES),
        ("distill", "--name", BYTES),
        ("compare", "--control", BYTES),
        ("plot", BYTES),
        ("delete", BYTES, "--yes"),
        ("runs", f"--{BYTES}"),
        (BYTES,),
    ],
)
def test_documents_are_utf_8_whatever_the_arguments_are(
    kd: Kd, tiny: Path, arguments: tuple[str, ...]
) -> None:
    outcome = kd(*arguments, "--json")
    assert outcome.code in (0, 1, 2)
    document = json.loads(outcome.out.encode())
    json.dumps(document, ensure_ascii=False).encode()  # without half a surrogate pair
    assert outcome.err == ""
    told = document.get("error", document.get("path", ""))
    assert r"x\udcffy" in told or "--n-samples" in told


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (("plot", "--run", "tiny", "--run", "tiny"), "--run"),
        (("plot", "--run=tiny", "--run=other"), "--run"),
        (("gen-data", "--run", "a", "--n-samples", "40", "--run", "b"), "--run"),
        (("train-teacher", "--epochs", "3", "--epochs", "3"), "--epochs"),
        (("show", "--outputs", "a", "tiny", "--outputs", "b"), "--outputs"),
    ],
)
def test_an_option_with_one_value_is_given_once(
    kd: Kd, tiny: Path, arguments: tuple[str, ...], option: str
) -> None:
    outcome = kd(*arguments)
    assert outcome.code == 2
    assert f"{option} is given 2 times, and takes one value" in outcome.err
    assert f"`kd {arguments[0]} --help`" in outcome.err
    assert kd(*arguments, "--help").code == 0


def test_a_list_or_a_switch_may_be_repeated(kd: Kd, tiny: Path) -> None:
    assert kd("distill", "-t", "labels", "--target", "soft", "-q", "--quiet").code == 0


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(("distill",), 1), (("distill", "--epochs", "x"), 2), (("gen-data", "moonz"), 2), (("nothing",), 2)],
)
def test_errors_with_json_are_one_document(kd: Kd, arguments: tuple[str, ...], code: int) -> None:
    outcome = kd(*arguments, "--json")
    assert outcome.code == code
    assert set(json.loads(outcome.out)) == {"error", "hint"}
    assert outcome.err == ""


def test_json_is_the_only_thing_on_stdout_and_quiet_prints_nothing(kd: Kd) -> None:
    Path("tiny.toml").write_text(TINY)
    made = kd("gen-data", "--recipe", "tiny.toml", "--json")
    document = json.loads(made.out)
    assert document["run"] == "tiny"
    assert Path(document["path"], "meta.json").is_file()
    for command in ("train-teacher", "distill", "plot"):
        outcome = kd(command, "--json")
        document = json.loads(outcome.out)
        assert document["run"] == "tiny"
        assert outcome.err == ""
        again = kd(command, "--quiet")
        assert (again.code, again.out, again.err) == (0, "", "")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("kd dis", {"distill"}),
        ("kd distill --target ba", {"bayes", "bayes-soft"}),
        ("kd gen-data g", {"gaussians"}),
        ("kd recipe mo", {"moons"}),
        ("kd plot --run t", {"tiny"}),
        ("kd use t", {"tiny"}),
        ("kd plot l", {"learning-curves"}),
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


def test_models_may_be_comma_separated() -> None:
    assert split_models(["mlp:64,64,tree, tree:max_depth=2,min_samples_leaf=3", "mlp:4"]) == (
        "mlp:64,64",
        "tree",
        "tree:max_depth=2,min_samples_leaf=3",
        "mlp:4",
    )


def test_completion_script(kd: Kd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("typer.completion._get_shell_name", lambda: "bash")
    outcome = kd("--show-completion")
    assert outcome.code == 0
    assert "_KD_COMPLETE=complete_bash" in outcome.out


def test_every_command_says_which_run_it_used(kd: Kd, tiny: Path) -> None:
    for command in ("train-teacher", "distill", "plot"):
        assert kd(command).out.startswith("run tiny: ")


def test_outputs_option_moves_the_root(kd: Kd, tmp_path: Path) -> None:
    assert kd("gen-data", "--n-samples", "40", "--n-test", "20", "--outputs", "elsewhere").code == 0
    assert (tmp_path / "elsewhere/current").read_text() == "gaussians\n"
    assert kd("plot", "--outputs", "elsewhere").code == 1


def test_a_broken_recipe_of_a_run_is_named(kd: Kd, tiny: Path) -> None:
    (tiny / "recipe.toml").write_text("[data]\ndataset = 1\n[teacher]\nepochs = 'x'\n")
    outcome = kd("distill")
    assert outcome.code == 2
    assert "recipe.toml has 2 problems" in outcome.err


def test_a_programming_error_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(outputs: Path | None) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(cli, "Store", broken)
    with pytest.raises(RuntimeError, match="a bug"):
        cli.main(["gen-data"])


def test_interrupted(kd: Kd, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("kdcli.training.parts.fit", interrupt)
    before = (tiny / "teacher/meta.json").read_bytes()
    outcome = kd("train-teacher", "--epochs", "3", "--force")
    assert outcome.code == 130
    assert "what was finished is kept" in outcome.err
    assert (tiny / "teacher/meta.json").read_bytes() == before
    assert not list(tiny.glob(".*"))


@pytest.mark.parametrize("arguments", [["--help"], ["distill", "--help"], ["run", "--help"], ["--version"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    script = (
        "import sys\nfrom kdcli.cli import main\n"
        f"try: main({arguments!r})\nexcept SystemExit as stopped: assert not stopped.code\n"
        f"print([m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_ctrl_c_in_a_real_process(tmp_path: Path) -> None:
    Path("long.toml").write_text(TINY.replace("epochs = 20", "epochs = 10000000"))
    process = subprocess.Popen(
        [sys.executable, "-m", "kdcli", "run", "long.toml"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONWARNINGS": "error"},
        # A shell that starts the tests in the background has them ignore it, and what they start too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        deadline = time.monotonic() + 60
        while not (tmp_path / "outputs/current").exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130
    assert "Traceback" not in err
    assert "interrupted" in err
    assert "\x1b" not in out + err  # not a terminal: no colours, no progress
