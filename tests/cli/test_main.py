import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from harness import TINY, Kd

from kdcli import __version__
from kdcli.cli import calls, main


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

    monkeypatch.setattr(calls, "Store", broken)
    with pytest.raises(RuntimeError, match="a bug"):
        main.main(["gen-data"])


def test_interrupted(kd: Kd, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("kdcli.training.parts.fit", interrupt)
    before = (tiny / "teacher/meta.json").read_bytes()
    outcome = kd("train-teacher", "--epochs", "3", "--force")
    assert outcome.code == 130
    assert "finished work is kept" in outcome.err
    assert (tiny / "teacher/meta.json").read_bytes() == before
    assert not list(tiny.glob(".*"))


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
