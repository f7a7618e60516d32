"""The Typer app: kd's own options, and how commands are added to it."""

from collections.abc import Callable, Mapping, Sequence
from inspect import Signature
from typing import Annotated, Any

import typer
from typer.completion import completion_init, install_callback, show_callback  # type: ignore[attr-defined]
from typer.core import TyperOption

from kdcli import workers
from kdcli.cli.calls import Call
from kdcli.cli.help import HelpCommand, HelpGroup, show_page
from kdcli.cli.options import Options
from kdcli.cli.parameters import parameters, recipe_parameters
from kdcli.errors import UsageError
from kdcli.version import __version__

OPTIONS = parameters(Options)

Function = Callable[[Call], None]


def _version(wanted: bool) -> None:
    if wanted:
        print(f"kd {__version__}")
        raise typer.Exit


def _kd(
    show_help: Annotated[
        bool, typer.Option("--help", "-h", help="show this page", callback=show_page, is_eager=True)
    ] = False,
    version: Annotated[
        bool, typer.Option("--version", help="print the version", callback=_version, is_eager=True)
    ] = False,
    install_completion: Annotated[
        bool,
        typer.Option(
            "--install-completion", help="set up completion in this shell", callback=install_callback
        ),
    ] = False,
    show_completion: Annotated[
        bool,
        typer.Option(
            "--show-completion", help="print this shell's completion script", callback=show_callback
        ),
    ] = False,
) -> None:
    """Knowledge distillation in the terminal: from data to a small student, and whether distilling helped."""


class StrictCommand(HelpCommand):
    """A command that refuses a single-valued option given twice, instead of taking the last value."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse a command line as Typer does; raises `UsageError` for an option that is given twice."""
        rest: list[str] = super().parse_args(ctx, list(args))
        if not ctx.resilient_parsing:  # true during shell completion
            _, _, given = self.make_parser(ctx).parse_args(list(args))
            for option in self.params:
                single = isinstance(option, TyperOption) and not (option.is_flag or option.multiple)
                if single and given.count(option) > 1:
                    raise UsageError(
                        f"{option.opts[0]} is given {given.count(option)} times but takes one value",
                        f"keep one of them; see `{ctx.command_path} --help`",
                    )
        return rest


class App(typer.Typer):
    """kd's app; each command is a function of one `Call`."""

    def __init__(self) -> None:
        super().__init__(
            name="kd",
            cls=HelpGroup,
            epilog="kd run\nkd run moons\nkd distill --help",
            # Declared on `_kd` instead: Typer converts its own options with pydantic even when they are not
            # given, and importing pydantic takes longer than the rest of a help page.
            add_completion=False,
            add_help_option=False,
            pretty_exceptions_enable=False,
            context_settings={"help_option_names": ["-h", "--help"]},
        )
        completion_init()
        self.callback()(_kd)

    def add(
        self,
        name: str,
        *options: str,
        settings: Mapping[str, type] | None = None,
        examples: Sequence[str] = (),
    ) -> Callable[[Function], Function]:
        """Add a function as the command `name`; its docstring is the command's purpose.

        `settings` maps names to the classes that a section of the recipe may have. The command gets an option
        for each of their settings, then the named `options` of `Options`, in the order of that class.
        """
        of_recipe = list(recipe_parameters(settings or {}).values())
        others = [OPTIONS[option] for option in sorted(options, key=list(OPTIONS).index)]

        def add(function: Function) -> Function:
            def entry(**given: Any) -> None:
                call = Call.from_line(given, of_recipe, others)
                workers.allow(call.options.jobs)
                function(call)

            declared = [p for parameter in (*of_recipe, *others) for p in parameter.declared()]
            entry.__signature__ = Signature(declared)  # type: ignore[attr-defined]
            entry.__doc__ = function.__doc__
            self.command(name, cls=StrictCommand, epilog="\n".join(examples))(entry)
            return function

        return add
