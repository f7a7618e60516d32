"""The pages of the documentation, as a reader follows them: blocks, commands, and how each is tested.

`python tests/pages.py` prints every command of every page with how it is tested.
"""

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
}
REFERENCE, GALLERY = "docs/reference/", "docs/gallery.md"  # which are made from the code
LANGUAGES = ("sh", "python", "toml", "text")
GATE = PAGES["README.md"].split("```")[1].strip().splitlines()  # the block without a language


@dataclass(frozen=True)
class Instead:
    """How a command is handled that no test can run as it is on a page: why, and what tests it instead."""

    reason: str
    tested_by: str


TO_THE_LETTER = "docs/tutorials/"  # pages that `pytest -m letter` follows without any change

# Commands that take long, and what a quick test runs in their place.
SMALLER: Mapping[str, str] = {
    "kd run gaussians": "kd run gaussians --draws 2 --seeds 1 --n-samples 100 --n-test 200",
    "kd gen-data gaussians": "kd gen-data gaussians --draws 2 --n-samples 100 --n-test 200",
    "kd gen-data gaussians --n-samples 400 --draws 20 --run few": "kd gen-data gaussians --n-samples 400 "
    "--draws 2 --n-test 200 --run few",
    "kd distill --target labels,hard,bayes,soft": "kd distill --target labels,hard,bayes,soft --epochs 200",
    "kd run gaussians --draws 5": "kd run gaussians --draws 2 --seeds 1 --n-samples 100 --n-test 200",
    "kd run moons --draws 5": "kd run moons --draws 2 --seeds 1 --n-samples 100 --n-test 200",
    "kd run digits --draws 5": "kd run digits --draws 2 --seeds 1 --n-val 600 --n-test 900",
    "kd run wine": "kd run wine --draws 1 --seeds 1",
    "kd run moons": "kd run moons --draws 2 --seeds 1 --n-samples 100 --n-test 200",
    "kd run digits": "kd run digits --draws 2 --seeds 1 --n-val 600 --n-test 900",
    "kd distill --model mlp:100 --target labels,smooth,hard,shuffled,spread,self,soft --temperature 4 "
    "--transfer train:200 --epochs 300 --seeds 2": "kd distill --model mlp:100 --target labels,smooth,hard,"
    "shuffled,spread,self,soft --temperature 4 --transfer train:200 --epochs 2 --seeds 2",
    "kd run train.csv --label churned --val val.csv --test test.csv --from teacher.py:predict --seeds 20": ""
    "kd run train.csv --label churned --val val.csv --test test.csv --from teacher.py:predict --seeds 2",
    "kd gen-data mnist --source mnist-files": "kd gen-data mnist --source mnist-files --n-val 50",
    "kd run customers.csv --label left": "kd run customers.csv --label left --draws 1 --seeds 1",
    "kd run customers.csv --label left --draws 10": "kd run customers.csv --label left --draws 1 --seeds 1",
    "kd run mine.toml": "kd run mine.toml --draws 1 --seeds 1",
    "kd sweep mine.toml --shard slurm --jobs 4 --outputs /shared/outputs": "kd sweep mine.toml --shard slurm "
    "--jobs 1 --outputs shared",
    "kd sweep mine.toml --jobs 4": "kd sweep mine.toml --jobs 1",
}

# What a quick test changes in the files of pages.
SMALLER_FILES: Mapping[str, Mapping[str, str]] = {
    "sizes.toml": {
        "[students]": "[data]\ndraws = 2\nn_val = 600\nn_test = 900\n\n[students]",
        "epochs = 300": "epochs = 2",
        "[50, 100, 200, 400, 800]": "[50, 100]",
    },
    "trees.toml": {
        "draws = 5": "draws = 1\nn_samples = 100\nn_test = 200\n\n[teacher]\nepochs = 2",
        "[0.1, 0.2, 0.3, 0.4]": "[0.1, 0.2]",
    },
    "mine.toml": {
        "[students]": "[data]\ndraws = 1\nn_samples = 1500\nn_test = 200\n\n[students]",
        "[vary]": "[teacher]\nepochs = 2\n\n[vary]",
    },
    "train_big.py": {"RandomForestClassifier(1000,": "RandomForestClassifier(20,"},
}

TESTED = "the gate, line by line: .ci/run"
DASK = "tests/sweeps/test_on_dask.py, which starts a scheduler and workers"

MNIST = "docs/tasks/own-images.md, which reads such files, and `kd run digits`, which does the same with less"

# Commands that no test runs from the page.
NOT_RUN: Mapping[str, Instead] = {
    GATE[0]: Instead("installs packages", TESTED),
    GATE[1]: Instead("runs this very test", TESTED),
    "pytest": Instead("runs this very test", TESTED),
    "pytest -m 'not long'": Instead("runs this very test", TESTED),
    "kd run mnist-few --source mnist-files": Instead("takes minutes and 1.5 GB of memory", MNIST),
    "kd distill --recipe mnist-few --target smooth,shuffled": Instead("needs that run", MNIST),
    "pip install 'kdcli[dask]'": Instead("installs packages", "test_extras_exist"),
    "dask scheduler": Instead("does not end", DASK),
    "dask worker tcp://HOST:8786 --nthreads 1": Instead("does not end", DASK),
    "kd sweep mine.toml --engine dask --address tcp://HOST:8786": Instead("needs a scheduler", DASK),
    "pytest -m letter": Instead(
        "takes minutes", "tests/test_docs.py, whose other tests follow the same pages"
    ),
    "python benchmarks/structure.py": Instead("counts the checkout", "tests/test_structure.py"),
    "python tests/reference.py": Instead(
        "writes into the checkout", "test_the_reference_is_in_step_with_the_code"
    ),
    "python tests/pages.py": Instead("reads the checkout", "test_the_list_says_how_each_command_is_tested"),
}


@dataclass(frozen=True)
class Block:
    """A fenced block of a page: its language, its text, and the line of the page on which it starts."""

    page: str
    language: str
    text: str
    line: int

    @property
    def file(self) -> str:
        """The name of the file that the block is, if its first line is a comment with nothing but a name."""
        named = re.match(r"(?:#!.*\n)?# (\S+\.\w+)\n", self.text)
        return named[1] if named and self.language != "text" else ""

    @property
    def commands(self) -> list[str]:
        """The command lines of a block of commands, without comments."""
        if self.language not in ("sh", "") or self.file:
            return []
        lines = re.sub(r"\s*\\\n\s*", " ", self.text).splitlines()
        return [words for line in lines if (words := without_comment(line))]


def without_comment(line: str) -> str:
    """Return a command line without the comment behind it."""
    return re.sub(r"(^|\s+)#.*$", "", line).strip()


def blocks(page: str) -> Iterator[Block]:
    """Yield the fenced blocks of a page, from the top."""
    text = PAGES[page]
    for found in re.finditer(r"^```(.*)\n((?:(?!```).*\n)*)```$", text, flags=re.MULTILINE):
        yield Block(page, found[1].strip(), found[2], text.count("\n", 0, found.start()) + 1)


def commands(page: str) -> list[str]:
    """Return the command lines of a page, from the top."""
    return [command for block in blocks(page) for command in block.commands]


def followed() -> list[str]:
    """Return the pages that have something to run."""
    written = [page for page in PAGES if not page.startswith((REFERENCE, GALLERY))]
    return [page for page in written if any(block.language != "text" for block in blocks(page))]


def words_of(command: str) -> list[str]:
    """Split a command line into words, as a shell does."""
    return shlex.split(command)


def how(page: str, command: str) -> str:
    """Return one line on how a command of a page is tested."""
    if page == GALLERY:
        return "run by benchmarks/gallery.py when the page is made anew; a test looks up its options"
    if page.startswith(REFERENCE):
        return "an example of a help page, whose options are looked up there"
    if command in NOT_RUN:
        instead = NOT_RUN[command]
        return f"not run from the page, since it {instead.reason}; tested by {instead.tested_by}"
    if command in SMALLER and page.startswith(TO_THE_LETTER):
        return f"run as written by `pytest -m letter`, and smaller by `pytest`: `{SMALLER[command]}`"
    return f"run smaller: `{SMALLER[command]}`" if command in SMALLER else "run as written"


def main() -> None:
    """Print every command of every page, and how it is tested."""
    for page in PAGES:
        listed = commands(page)
        if listed:
            print(f"\n{page}")
            for command in listed:
                print(f"  {command}\n      {how(page, command)}")


if __name__ == "__main__":
    main()
