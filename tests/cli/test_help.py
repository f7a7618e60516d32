import re
import subprocess
import sys
from pathlib import Path

import pytest
from harness import TINY, Kd

from kdcli.cli import calls
from kdcli.cli.main import COMMANDS
from kdcli.data import DATASETS
from kdcli.errors import UsageError
from kdcli.figures import FIGURES
from kdcli.metrics import METRICS
from kdcli.models import FAMILIES
from kdcli.targets import TARGETS

HEAVY = ("torch", "numpy", "scipy", "sklearn", "matplotlib", "pydantic")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_a_purpose_and_three_examples_that_parse(
    kd: Kd, command: str, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = kd(command, "--help")
    assert outcome.code == 0
    examples = outcome.out.partition("Examples:")[2].strip().splitlines()
    assert len(examples) == 3
    # The parser accepts the example; the stage then finds no run, or succeeds.
    monkeypatch.setattr(calls, "Store", lambda outputs: (_ for _ in ()).throw(UsageError("parsed")))
    Path("mine.toml").write_text(TINY)
    Path("customers.csv").touch()
    for example in examples:
        program, *words = example.partition(" >")[0].split()
        assert (program, words[0]) == ("kd", command)
        stopped = kd(*words)
        needs_no_store = command in ("recipe", "explain")
        assert "parsed" in stopped.err + stopped.out or (needs_no_store and stopped.code == 0)


def test_help_has_the_common_options_first_and_shows_defaults(kd: Kd) -> None:
    out = kd("distill", "--help").out
    panels = re.findall(r"^╭─ (\S+) ─", out, flags=re.MULTILINE)
    assert panels == ["Options", "Training", "Run", "Behaviour"]
    assert out.index("--target") < out.index("--seeds") < out.index("Training") < out.index("--batch-size")
    assert out.index("Behaviour") < out.index("--json")
    shown = " ".join(out.replace("│", " ").split())
    assert "with seeds 0, 1, …; each sets initial weights and batch order (mlp, cnn, linear); " in shown
    assert "drawn for each round (gbdt) (at least 1) [default: recipe, else 10]" in shown
    assert "[default: recipe, else labels,hard,soft]" in shown
    assert "[default: png]" in kd("plot", "--help").out
    assert not re.search(r"<\w+(\[\w+\])?>", out)


@pytest.mark.parametrize("command", COMMANDS)
def test_panels_stand_in_one_order(kd: Kd, command: str) -> None:
    panels = re.findall(r"^╭─ (\S+) ─", kd(command, "--help").out, flags=re.MULTILINE)
    order = ["Arguments", "Options", "Training", "Run", "Behaviour"]
    assert panels == [panel for panel in order if panel in panels]


def test_run_stands_first_in_the_list_of_commands(kd: Kd) -> None:
    listed = re.findall(r"^│ (\S+) ", kd("--help").out.partition("╰")[0], flags=re.MULTILINE)
    assert tuple(listed) == COMMANDS
    assert listed[0] == "run"


@pytest.mark.parametrize(
    ("command", "choices"),
    [
        ("gen-data", DATASETS),
        ("train-teacher", FAMILIES),
        ("distill", TARGETS),
        ("distill", FAMILIES),
        ("plot", FIGURES),
        ("compare", {name: metric for name, metric in METRICS.items() if metric.inferred}),
    ],
)
def test_help_lists_the_choices_of_the_library(kd: Kd, command: str, choices: dict[str, object]) -> None:
    words = kd(command, "--help").out
    assert all(name in words for name in choices)


@pytest.mark.parametrize("arguments", [["--help"], ["distill", "--help"], ["run", "--help"], ["--version"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    script = (
        "import sys\nfrom kdcli.cli.main import main\n"
        f"try: main({arguments!r})\nexcept SystemExit as stopped: assert not stopped.code\n"
        f"print([m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
