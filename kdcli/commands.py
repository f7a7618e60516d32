"""The text of commands: the one place that spells them.

Library code names a remedy as data (`errors.Command`). Here it becomes text that a person can copy, with the
flags of the run and the outputs folder if they differ from the defaults.
"""

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kdcli.errors import Command, KdError, Text
from kdcli.runs.recipe import Students, Teacher
from kdcli.settings import flag, rules
from kdcli.store import Store, default_root

SECTIONS = {"train-teacher": Teacher, "distill": Students}  # commands with a section's settings as options
LAST = ("force",)  # options that are written last, where a person would add them


def spell(command: Command) -> str:
    """Write a command as it is typed."""
    words = ["kd", command.name, *map(shlex.quote, command.arguments)]
    options = {key: value for key, value in command.options.items() if key not in LAST}
    last = {key: value for key, value in command.options.items() if key in LAST}
    words += _options(command.name, options)
    words += _place(command)
    words += _options(command.name, last)
    return " ".join(words)


def text(parts: Text) -> str:
    """Write a text with its commands between backquotes."""
    if isinstance(parts, str):
        return parts
    return "".join(part if isinstance(part, str) else f"`{spell(part)}`" for part in parts)


def _options(command: str, options: Any) -> Iterator[str]:
    section = SECTIONS.get(command)
    for key, value in options.items():
        known = section is not None and key in rules(section)
        if value is None or value == "" or value == () or (value is False and not known):
            continue
        spelled = flag(section, key) if section and known else "--" + key.replace("_", "-")
        yield spelled if value is not False else spelled.replace("--", "--no-", 1)
        if not isinstance(value, bool):
            yield shlex.quote(_value(value))


def _value(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ",".join(map(_value, value))
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return str(value)


def _place(command: Command) -> Iterator[str]:
    """Yield the flags of the run and the outputs folder, if they differ from the command's defaults."""
    root = command.outputs or default_root()
    if command.run and (command.name == "gen-data" or command.run != _chosen(root)):
        yield from ("--run", command.run)
    if root != default_root():
        yield from ("--outputs", shlex.quote(str(root)))


def _chosen(root: Path) -> str:
    try:
        return Store(root).chosen
    except KdError:
        return ""
