"""Follow a page as a reader does, in the working folder: write its files, run its commands and its Python."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from customers import customers
from data.made import own_images
from harness import Kd, idx_files, write_files
from pages import NOT_RUN, SMALLER, SMALLER_FILES, Block, blocks, words_of

# What a page may take for granted, by the word that names it there.
STAND_INS: Mapping[str, Callable[[str], object]] = {
    "customers.csv": lambda name: customers(name, 400),
    "new.csv": lambda name: pl.read_csv(customers(name, 20, seed=1)).drop("left").write_csv(name),
    "mnist-files": lambda name: write_files(Path(name), idx_files(10)),
    "photos": lambda name: Path(own_images()).rename(name),
}

# What the environment of a job says where a page has a script for job arrays.
JOB = {"SLURM_ARRAY_TASK_ID": "1", "SLURM_ARRAY_TASK_MIN": "1", "SLURM_ARRAY_TASK_COUNT": "3"}


@dataclass
class Reader:
    """A reader who follows a page exactly or, if `quick`, with smaller commands and files."""

    kd: Kd
    environment: pytest.MonkeyPatch
    quick: bool
    printed: str = ""
    names: dict[str, Any] = field(default_factory=dict)

    def follow(self, page: str, text: str) -> None:
        """Follow a page from its top to its end."""
        for name, make in STAND_INS.items():
            if name in text:
                make(name)
        for block in blocks(page):
            try:
                self.take(block)
            except Exception as error:
                error.add_note(f"{block.page}:{block.line}")
                raise

    def take(self, block: Block) -> None:
        """Carry out a block: write the file, or run the commands or the Python."""
        if block.file:
            Path(block.file).parent.mkdir(parents=True, exist_ok=True)
            Path(block.file).write_text(self.edited(block), encoding="utf-8")
        for name, value in JOB.items() if block.text.startswith("#!") else ():
            self.environment.setenv(name, value)
        for command in block.commands:
            if command not in NOT_RUN:
                self.run(SMALLER.get(command, command) if self.quick else command)
        if block.language == "toml":
            tomllib.loads(block.text)
            assert block.file, "name the file in the first line, so that a reader knows where to put it"
        if block.language == "python" and not block.file:
            printed = StringIO()
            with redirect_stdout(printed):
                exec(compile(block.text, block.page, "exec"), self.names)  # noqa: S102 it is our own
            self.printed += printed.getvalue()

    def edited(self, block: Block) -> str:
        """Return the text of a file, smaller where this reader is quick."""
        text = block.text
        for old, new in SMALLER_FILES.get(block.file, {}).items() if self.quick else ():
            text = text.replace(old, new)
        return text

    def run(self, command: str) -> None:
        """Run a command line: kd in this process, anything else in one of its own."""
        line, _, file = command.partition(" > ")
        program, *arguments = words_of(line)
        if program == "export":
            name, _, value = arguments[0].partition("=")
            self.environment.setenv(name, value)
            return
        if program == "kd":
            outcome = self.kd(*arguments)
            assert outcome.code == 0, f"{command}\n{outcome.out}{outcome.err}"
            said = outcome.out
        else:
            assert program == "python", f"{command}: no test knows how to run it"
            done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True)
            assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
            said = done.stdout
        if file:
            Path(file).write_text(said, encoding="utf-8")
        self.printed += said


def told(text: str) -> set[str]:
    """Return the words of four letters or more in what a command prints."""
    return set(re.findall(r"[A-Za-zé]{4,}", text))
