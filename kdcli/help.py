"""Help pages: what a command is for, its options in panels with the common ones first, and examples."""

from pathlib import Path
from textwrap import wrap
from typing import Any, get_args

import typer
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from kdcli.report.layout import narrow
from kdcli.report.terminal import console, fitted

WIDEST = 100  # columns, beyond which lines are hard to read

# What most people leave as it is, and what commands have in common, stand below a command's own options.
PANELS = {
    "Training": (
        *("--transfer-size", "--smoothing", "--label-weight", "--batch-size", "--learning-rate"),
        *("--schedule", "--precision", "--device"),
    ),
    "Run": ("--name", "--recipe", "--run", "--outputs"),
    "Behaviour": ("--jobs", "--force", "--keep-going", "--no-wait", "--json", "--quiet", "--help"),
}
VALUES = {int: "N", float: "X", str: "NAME", Path: "PATH"}

Row = tuple[str, str]  # what is written on the command line, and what it means


class _Page:
    """Replaces the help pages of Typer, which cut options where the terminal is narrow."""

    def get_help_option(self, ctx: Any) -> TyperOption | None:
        option: TyperOption | None = super().get_help_option(ctx)  # type: ignore[misc]
        if option is not None:
            option.help = "show this page"
            option.callback = show_page
        return option


class HelpCommand(_Page, TyperCommand):
    """A command with a help page of kd's own."""


class HelpGroup(_Page, TyperGroup):
    """The commands of kd, with a help page that lists `run` first."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of the commands: first the one that stands for others, then in their order."""
        return sorted(self.commands, key=lambda name: name != "run")


def show_page(context: Any, _parameter: Any, wanted: bool) -> None:
    """Print the help page of a context's command and stop, if it is `wanted`."""
    if wanted and not context.resilient_parsing:
        _print(context)
        raise typer.Exit


def _print(context: Any) -> None:
    command = context.command
    terminal = console()
    width = min(terminal.width, WIDEST)
    parameters = [p for p in command.get_params(context) if not p.hidden]
    arguments = [p for p in parameters if isinstance(p, TyperArgument)]
    options = [p for p in parameters if isinstance(p, TyperOption)]
    commands = [command.get_command(context, name) for name in _names(command, context)]
    usage = [context.command_path, "[OPTIONS]", *map(_written, arguments)]
    usage += ["COMMAND ..."] if commands else []
    terminal.print(Text.assemble(("Usage: ", "yellow"), (" ".join(usage), "bold")), width=width)
    terminal.print()
    terminal.print(fitted(command.help), width=width)
    panels = {
        "Commands": [(one.name, one.help) for one in commands],
        "Arguments": [(_written(p), _meaning(p)) for p in arguments],
        **{title: [(_written(p), _meaning(p)) for p in group] for title, group in _grouped(options).items()},
    }
    for title, rows in panels.items():
        if rows:
            terminal.print()
            _print_panel(terminal, title, rows, width)
    if command.epilog:
        terminal.print(Text("\nExamples:", style="bold"))
        for example in command.epilog.strip().splitlines():
            terminal.print(Text(f"  {example}"), soft_wrap=True)


def _names(command: Any, context: Any) -> list[str]:
    return command.list_commands(context) if isinstance(command, TyperGroup) else []


def _grouped(options: list[TyperOption]) -> dict[str, list[TyperOption]]:
    """Return the options by the titles of their panels, those that are a command's own first."""
    panel_of = {flag: title for title, flags in PANELS.items() for flag in flags}
    groups: dict[str, list[TyperOption]] = {title: [] for title in ("Options", *PANELS)}
    for option in options:
        groups[panel_of.get(max(option.opts, key=len), "Options")].append(option)
    return groups


def _written(parameter: TyperArgument | TyperOption) -> str:
    """Write a parameter as it is given, such as "-t, --target NAME,..."."""
    if isinstance(parameter, TyperArgument):
        return parameter.display_name_raw
    names = ", ".join(sorted(parameter.opts, key=len))
    if parameter.is_flag:
        return names
    return f"{names} {parameter.metavar or _value(parameter.type_descriptor.annotation)}"


def _value(annotation: Any) -> str:
    """Return the word for an option's value: N is a whole number, X a number."""
    several = get_args(annotation)
    return f"{VALUES[several[0]]},..." if several else VALUES[annotation]


def _meaning(parameter: TyperArgument | TyperOption) -> str:
    """Return the help of a parameter, with its environment variable and default."""
    words = parameter.help or ""
    if parameter.envvar:
        words += f" [env: {parameter.envvar}]"
    default = parameter.show_default
    if default is True and parameter.default not in (None, False):
        default = str(parameter.default)
    return f"{words} [default: {default}]" if isinstance(default, str) and default else words


def _print_panel(terminal: Console, title: str, rows: list[Row], width: int) -> None:
    """Print a panel of two columns, or in a narrow terminal a list that cuts no word."""
    if narrow(terminal):
        terminal.print(Text(title, style="bold"))
        for written, meaning in rows:
            terminal.print(Text(written, style="cyan"), soft_wrap=True)
            lines = wrap(fitted(meaning).plain, width - 2, break_long_words=False, break_on_hyphens=False)
            for line in lines:
                terminal.print(f"  {line}", soft_wrap=True)
        return
    grid = Table.grid(padding=(0, 2), pad_edge=False)
    grid.add_column(no_wrap=True, style="cyan")
    grid.add_column()
    for written, meaning in rows:
        grid.add_row(fitted(written), fitted(meaning))
    terminal.print(Panel(grid, title=title, title_align="left", border_style="dim"), width=width)
