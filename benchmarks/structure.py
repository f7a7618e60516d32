"""Counts of the structure of a checkout of kd: sizes, complexity, and knowledge in more than one place.

    python benchmarks/structure.py [FOLDER] [--before FOLDER] [--list]

Counts this checkout, or another FOLDER such as a git worktree of an older commit; `--before` adds a second
one for comparison, and `--list` prints every place that is counted. Nothing is imported from a checkout. It
needs ruff and import-linter, from the project's extra `test`. It counts:

lines               all lines; for functions from `def` on, without decorators. Complexity is ruff's C901
look-ups            `x["key"]` that is read, `x.get("key")` and `x.pop("key")`, except of the environment;
                    in records: `x`, or the attribute or function that returns it, has a name in RECORDS
family, kind asked  `isinstance`, a comparison or a `case` with a class of `models/`, or a class or string in
                    FAMILIES or KINDS, and `startswith("students/")`; what a target `needs` is not a kind
command texts       strings with `kd` and the name of a command, except docstrings
names               vague: every use of a name in VAGUE; private: names of other modules, also with `setattr`
import circles      modules that import themselves indirectly, also by imports inside functions
mirrored tests      tests/PACKAGE/test_MODULE.py; a test with the package's own name belongs to its `__init__`
"""

import argparse
import ast
import json
import re
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import grimp

LONG_MODULE, LONG_FUNCTION, COMPLEX = 300, 40, 10
RECORDS = {"config", "record", "metrics", "meta", "metadata", "versions", "options", "params", "task", "kept"}
RECORDS |= {"sections", "stored", "made", "bayes", "optimum", "values", "versus"}  # what comes from them
FAMILIES = {"Tree", "CNN", "MLP", "Network", "tree", "cnn", "mlp"}
KINDS = {"data", "teacher", "students", "students/"}
VAGUE = {"one", "found", "chosen", "there", "those", "of"}
WHOLE = {
    "browser",
    "docs",
    "fuzz",
    "gallery",
    "house",
    "kill",
    "no_room",
    "readme",
    "structure",
}  # tests of no single module
COMMANDS = "gen-data|train-teacher|distill|plot|compare|report|run|sweep|export|predict|choose|use|recipe"
COMMANDS += "|show|runs|check|delete|explain"
COMMAND = re.compile(rf"(?<![\w-])kd ({COMMANDS})(?![\w-])|(^|`)kd {{}}.", re.M)
RUFF = [sys.executable, "-m", "ruff", "check", "--isolated", "--no-cache", "--ignore-noqa", "--exit-zero"]
RUFF += ["--select=C901", f"--config=lint.mccabe.max-complexity={COMPLEX}", "--output-format=json"]


def last_name(node: ast.AST | None) -> str:
    """Return the name of a variable, attribute, class or function; for `a.b()["c"]`, it is `b`."""
    while isinstance(node, ast.Call | ast.Subscript):
        node = node.func if isinstance(node, ast.Call) else node.value
    return str(getattr(node, "attr", getattr(node, "id", "")))


def text(node: ast.AST | None) -> str:
    """Return the text of a string or an f-string, with {} for what is filled in; "" for anything else."""
    if isinstance(node, ast.JoinedStr):
        return "".join(text(part) or "{}" for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def nodes(tree: ast.Module) -> list[ast.AST]:
    """List the nodes of a module without annotations, docstrings and the parts of f-strings."""
    skipped: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr | ast.JoinedStr):
            skipped.update(part for part in ast.iter_child_nodes(node) if isinstance(part, ast.Constant))
        types = (getattr(node, name, None) for name in ("annotation", "returns"))
        skipped.update(part for kind in types if isinstance(kind, ast.AST) for part in ast.walk(kind))
    return [node for node in ast.walk(tree) if node not in skipped]


def height(node: ast.AST) -> int:
    """Return the lines of a function; 0 for anything else."""
    function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    return 1 + getattr(node, "end_lineno", 0) - getattr(node, "lineno", 0) if function else 0


def holder(node: ast.AST) -> str:
    """Return the name of the object that is looked up with a string; "" if the node is not such a look-up."""
    key: ast.AST | None = None
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
        key, within = node.slice, node.value
    elif isinstance(node, ast.Call) and last_name(node) in ("get", "pop") and node.args:
        key, within = node.args[0], getattr(node.func, "value", node.func)
    return (last_name(within) or "-") if isinstance(key, ast.Constant) and text(key) else ""


def asked(node: ast.AST) -> set[str]:
    """Return the classes and strings that this tests for."""
    sides: list[ast.AST] = []
    if isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
    elif last_name(node) in ("isinstance", "issubclass", "startswith", "removeprefix"):
        sides = [*getattr(node, "args", [])][-1:]
    elif isinstance(node, ast.MatchClass | ast.MatchValue):
        sides = [node.cls if isinstance(node, ast.MatchClass) else node.value]
    if "needs" in map(last_name, sides):
        return set()
    for side in list(sides):
        if isinstance(side, ast.Tuple | ast.List | ast.Set | ast.BinOp):  # `A | B` is a BinOp
            sides += ast.walk(side)
    return {text(side) or last_name(side) for side in sides if text(side) or last_name(side)[:1].isupper()}


def private_names(tree: ast.Module) -> Iterator[ast.AST]:
    """Find uses of private names of imported modules."""
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    known = {(alias.asname or alias.name).split(".")[0] for node in imports for alias in node.names}
    for node in nodes(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.ImportFrom) else []
        if isinstance(node, ast.Attribute) and last_name(node.value) in known:
            names = [node.attr]
        elif isinstance(node, ast.Call) and last_name(node) == "setattr":
            names = [name for argument in node.args for name in text(argument).split(".")]
        if any(re.match("_[^_]", name) for name in names):
            yield node


ROWS: dict[str, Callable[[ast.AST], bool]] = {
    f"functions over {LONG_FUNCTION} lines": lambda node: height(node) > LONG_FUNCTION,
    "look-ups by a string": lambda node: holder(node) not in ("", "environ"),
    "  of them, of records": lambda node: holder(node) in RECORDS,
    "kind of artefact asked": lambda node: not asked(node).isdisjoint(KINDS),
    "command texts": lambda node: bool(COMMAND.search(text(node))),
    "vague names": lambda node: getattr(node, "arg" if isinstance(node, ast.arg) else "id", None) in VAGUE,
}


def circles(package: Path) -> list[str]:
    """Return the modules of a package that are in import circles, each with the modules in its circle."""
    sys.path.insert(0, str(package.parent))
    graph = grimp.build_graph(package.name, exclude_type_checking_imports=True, cache_dir=None)
    sys.path.pop(0)
    upstream = {module: graph.find_upstream_modules(module) for module in sorted(graph.modules)}
    rings = {m: sorted(other for other in upstream[m] if m in upstream[other]) for m in upstream}
    return [f"{module}: in a circle with {', '.join(ring)}" for module, ring in rings.items() if ring]


def mirrors(test: Path, tests: Path, package: Path) -> bool:
    """Whether a test belongs to one module or package, or to the whole package."""
    subject = package / test.relative_to(tests).parent / test.stem.removeprefix("test_")
    homes = (subject, subject.with_suffix(".py"), subject.parent.with_name(subject.name) / "__init__.py")
    return test.stem.removeprefix("test_") in WHOLE or any(home.exists() for home in homes)


def structure(folder: Path) -> tuple[Counter[str], dict[str, list[str]]]:
    """Count a checkout: lines by folder, and the places of each row as "path:line: text"."""
    settings = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
    package, tests = folder / settings["project"]["scripts"]["kd"].split(".")[0], folder / "tests"
    lines: Counter[str] = Counter()
    places: dict[str, list[str]] = {f"modules over {LONG_MODULE} lines": []}
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in package.glob("models/*.py")]
    classes = {node.name for tree in trees for node in tree.body if isinstance(node, ast.ClassDef)}
    rows = ROWS | {"family of models asked": lambda node: not asked(node).isdisjoint(FAMILIES | classes)}
    for path in sorted([*package.rglob("*.py"), *tests.rglob("*.py")]):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        source = path.read_text(encoding="utf-8").splitlines()
        if path.is_relative_to(tests):
            lines["tests"] += len(source)
            hits = {"private names in tests": list(private_names(tree))}
        else:
            home = path.relative_to(package).parts
            lines.update(
                {"the package": len(source), f"{home[0]}/" if home[1:] else "the top level": len(source)}
            )
            hits = {row: [node for node in nodes(tree) if counts(node)] for row, counts in rows.items()}
            if len(source) > LONG_MODULE:
                places[f"modules over {LONG_MODULE} lines"].append(f"{path}: {len(source)} lines")
        for row, counted in hits.items():
            numbers = sorted(getattr(node, "lineno", 0) for node in counted)
            places.setdefault(row, []).extend(f"{path}:{n}: {source[n - 1].strip()}" for n in numbers)
    ruff = json.loads(subprocess.run([*RUFF, package], capture_output=True, check=True).stdout)  # noqa: S603
    places[f"functions of complexity over {COMPLEX}"] = [
        f"{hit['filename']}:{hit['location']['row']}: {hit['message']}" for hit in ruff
    ]
    places["modules in import circles"] = circles(package)
    tested = sorted(tests.rglob("test_*.py"))
    places["tests that mirror no module"] = [str(p) for p in tested if not mirrors(p, tests, package)]
    return lines, {row: [place.removeprefix(f"{folder}/") for place in at] for row, at in places.items()}


def main() -> None:
    """Print the table of one checkout, or of two side by side."""
    parser = argparse.ArgumentParser(description="Count the structure of a checkout of kd.")
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).parent.parent)
    parser.add_argument("--before", type=Path, metavar="FOLDER", help="another checkout to compare with")
    parser.add_argument("--list", action="store_true", help="list every place that is counted")
    options = parser.parse_args()
    counted = [structure(folder.resolve()) for folder in (options.before, options.folder) if folder]
    for row, at in counted[-1][1].items() if options.list else ():
        print(f"## {row.strip()}", *at, sep="\n", end="\n\n")
    for name in sorted(set().union(*(lines for lines, _ in counted))):
        print(f"| {f'lines of {name}':34} |", *(f"{lines[name]:>16} |" for lines, _ in counted))
    for row in counted[-1][1]:
        files = [(len(at[row]), len({place.split(":")[0] for place in at[row]})) for _, at in counted]
        print(f"| {row:34} |", *(f"{f'{count} in {held} files':>16} |" for count, held in files))


if __name__ == "__main__":
    main()
