"""Help pages: what a command is for, its options in panels with the common ones first, and examples."""

from collections.abc import Sequence
from textwrap import wrap
from typing import Any

import typer
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from kdcli.report.layout import narrow
from kdcli.report.terminal import console, fitted

WIDEST = 100  # columns; longer lines are hard to read

# Panels of a command's own options and of Typer's --help; options name the other panels themselves.
OWN, OF_HELP = "Options", "Behaviour"

Row = tuple[str, str]  # a parameter as it is typed, and its meaning


class _Page:
    """Replaces Typer's help pages, which truncate options in a narrow terminal."""

    def get_help_option(self, ctx: Any) -> TyperOption | None:
        option: TyperOption | None = super().get_help_option(ctx)  # type: ignore[misc]
        if option is not None:
            option.help = "show this page"
            option.callback = show_page
            option.rich_help_panel = OF_HELP
        return option


class HelpCommand(_Page, TyperCommand):
    """A command with a help page of kd's own."""


class HelpGroup(_Page, TyperGroup):
    """The commands of kd, with a help page of kd's own."""


def show_page(context: Any, _parameter: Any, wanted: bool) -> None:
    """Print the help page of a context's command and stop, if it is `wanted`."""
    if wanted and not context.resilient_parsing:
        _print(context)
        raise typer.Exit


def _print(context: Any) -> None:
    command = context.command
    terminal = console()
    width = min(terminal.width, WIDEST)
    terminal.print(Text.assemble(("Usage: ", "yellow"), (usage(context), "bold")), width=width)
    terminal.print()
    terminal.print(fitted(command.help), width=width)
    for title, rows in panels(context).items():
        if rows:
            terminal.print()
            _print_panel(terminal, title, rows, width)
    if command.epilog:
        terminal.print(Text("\nExamples:", style="bold"))
        for example in command.epilog.splitlines():
            terminal.print(Text(f"  {example}"), soft_wrap=True)


def panels(context: Any) -> dict[str, list[Row]]:
    """Return the rows of each panel of the help page of a context's command, by its title."""
    command = context.command
    parameters = [parameter for parameter in command.get_params(context) if not parameter.hidden]
    options = [parameter for parameter in parameters if isinstance(parameter, TyperOption)]
    commands = list(command.commands.values()) if isinstance(command, TyperGroup) else []
    return {
        "Commands": [(str(subcommand.name), str(subcommand.help)) for subcommand in commands],
        "Arguments": _rows(_arguments(context)),
        **{title: _rows(group) for title, group in _grouped(options).items()},
    }


def usage(context: Any) -> str:
    """Return the usage line of a context's command: "kd predict [OPTIONS] SET FILE"."""
    words = [context.command_path, "[OPTIONS]", *map(_written, _arguments(context))]
    return " ".join([*words, *(["COMMAND ..."] if isinstance(context.command, TyperGroup) else [])])


def _arguments(context: Any) -> list[TyperArgument]:
    parameters = context.command.get_params(context)
    return [each for each in parameters if isinstance(each, TyperArgument) and not each.hidden]


def _rows(parameters: Sequence[TyperArgument | TyperOption]) -> list[Row]:
    return [(_written(parameter), _meaning(parameter)) for parameter in parameters]


def _grouped(options: list[TyperOption]) -> dict[str, list[TyperOption]]:
    """Group options by the title of their panel, the command's own options first."""
    groups: dict[str, list[TyperOption]] = {OWN: []}
    for option in options:
        groups.setdefault(option.rich_help_panel or OWN, []).append(option)
    return groups


def _written(parameter: TyperArgument | TyperOption) -> str:
    """Write a parameter as it is typed, such as "-t, --target NAME,..."."""
    if isinstance(parameter, TyperArgument):
        return parameter.display_name_raw
    names = ", ".join([*sorted(parameter.opts, key=len), *parameter.secondary_opts])
    return names if parameter.is_flag else f"{names} {parameter.metavar}"


def _meaning(parameter: TyperArgument | TyperOption) -> str:
    """Return the help of a parameter, with its default."""
    words = parameter.help or ""
    default = parameter.show_default
    if default is True and parameter.default not in (None, False):
        default = str(parameter.default)
    return f"{words} [default: {default}]" if isinstance(default, str) and default else words


def _print_panel(terminal: Console, title: str, rows: list[Row], width: int) -> None:
    """Print a panel of two columns; in a narrow terminal, a list that breaks no words."""
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
