from dataclasses import fields
from typing import Any

import pytest
import typer
from harness import Kd

from kdcli.cli.commands import app
from kdcli.cli.main import COMMANDS
from kdcli.cli.options import Options
from kdcli.data import DATASETS
from kdcli.runs.recipe import Students, Teacher
from kdcli.settings import flag, rules

SECTIONS = [
    *(("gen-data", dataset.config) for dataset in DATASETS.values()),
    ("train-teacher", Teacher),
    ("distill", Students),
]


def spellings(command: str) -> list[str]:
    """Return how a command's options and arguments are written."""
    group: Any = typer.main.get_command(app)
    return [name for parameter in group.commands[command].params for name in parameter.opts]


@pytest.mark.parametrize(("command", "config"), SECTIONS)
def test_every_setting_of_a_recipe_is_an_option(command: str, config: type) -> None:
    assert {flag(config, key) for key in rules(config)} <= set(spellings(command))


def test_every_option_is_one_of_some_command() -> None:
    known = {word for command in COMMANDS for word in spellings(command)}
    for key, rule in rules(Options).items():
        assert flag(Options, key) in known or rule.argument, key
        assert not rule.short or rule.short in known


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_share_the_options_of_the_screen(command: str) -> None:
    assert {"--json", "--quiet", "-q"} <= set(spellings(command))
    assert ("--outputs" in spellings(command)) == (command not in ("recipe", "explain"))


def test_all_that_is_optional_has_a_default() -> None:
    assert [field.name for field in fields(Options) if field.default is ...] == [
        "run_to_use",
        "sweep_file",
        "student_set",
        "rows_file",
    ]


def test_arguments_that_are_missing_or_too_many_are_answered_with_what_the_command_takes(kd: Kd) -> None:
    for line in ("predict new.csv", "predict soft-T4 new.csv other.csv"):
        outcome = kd(*line.split())
        assert outcome.code == 2
        assert "usage: `kd predict [OPTIONS] SET FILE`; see `kd predict --help`" in outcome.err


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("distill --jobs 0", "--jobs: must be at least 1, not 0"),
        ("run --draws 0", "--draws: must be at least 1 and at most 1000, not 0"),
        ("run --draws 1001", "--draws: must be at least 1 and at most 1000, not 1001"),
        ("run --seeds 0", "--seeds: must be at least 1, not 0"),
        ("gen-data --draws 0", "--draws: must be at least 1 and at most 1000, not 0"),
        ("run --format gif", "--format: must be one of png, svg, pdf, not 'gif'"),
        ("use", "Missing argument 'RUN'"),
    ],
)
def test_what_an_option_does_not_take_is_refused(kd: Kd, line: str, problem: str) -> None:
    outcome = kd(*line.split())
    assert outcome.code == 2
    assert problem in outcome.err
