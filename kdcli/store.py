"""The store: the only module that touches the outputs folder.

    outputs/
      current                 the current run's name
      RUN/
        recipe.toml
        data/  teacher/  students/NAME/     artefacts
        figures/

An artefact is a folder of safetensors files and a `meta.json`, which is written last and holds
the digest of every file beside it. It is written into a temporary sibling and renamed into
place, so that a reader sees the old artefact or the new one, never a half.

The command line opens the store for every command, so torch is imported where tensors are.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import platform
import re
import shlex
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from kdcli.errors import KdError, UsageError, unknown

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = 2
PACKAGES = ("kdcli", "torch", "numpy", "safetensors", "scikit-learn")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
CURRENT = "current"


class DamagedError(KdError):
    """A file of an artefact is not what the stage wrote; `artefact` is the folder to be made again."""

    def __init__(self, path: Path, artefact: Path, again: str, why: str) -> None:
        super().__init__(f"{path} is damaged: {why}", f"remove {artefact} and make it again with `{again}`")
        self.path = path
        self.artefact = artefact
        self.why = why


@dataclass(frozen=True)
class Meta:
    """What `meta.json` records of an artefact.

    `files` maps each file to its SHA-256. `digest` is that of the file list: it tells whether
    the content is the same, however often it was made. `parents` maps the artefacts it was made
    from to the digests they had. `used` is what was chosen where the configuration leaves the choice.
    """

    stage: str
    config: dict[str, Any]
    parents: dict[str, str]
    files: dict[str, str]
    digest: str
    metrics: dict[str, Any]
    seconds: float
    versions: dict[str, str] = field(default_factory=dict)
    used: dict[str, str] = field(default_factory=dict)
    created: str = ""
    format: int = FORMAT


def default_root() -> Path:
    """Return the outputs folder that commands use unless told otherwise."""
    return Path(os.environ.get("KD_OUTPUTS") or "outputs")


class Store:
    """An outputs folder: its runs, and which of them is current."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or default_root()

    @property
    def flag(self) -> str:
        """What a command needs to use this folder: empty for the default one."""
        return "" if self.root == default_root() else f" --outputs {shlex.quote(str(self.root))}"

    def runs(self) -> list[str]:
        """Names of the runs, sorted."""
        with _told_apart(self.root):
            if not self.root.is_dir():
                return []
            return sorted(p.name for p in self.root.iterdir() if (p / "recipe.toml").is_file())

    @property
    def current(self) -> str:
        """The current run's name; empty if there is none."""
        path = self.root / CURRENT
        with _told_apart(path):
            try:
                return path.read_text(encoding="utf-8", errors="replace").strip()
            except (FileNotFoundError, NotADirectoryError):
                return ""

    def make_current(self, run: str) -> None:
        """Make a run the one that commands work on unless told otherwise."""
        write_file(self.root / CURRENT, f"{run}\n".encode())

    def run(self, name: str) -> Run:
        """Return the run of this name, there or not; raises `UsageError` for a name that cannot be one."""
        check_name(name, "run")
        if name == CURRENT:
            raise UsageError(
                f"a run cannot be named '{CURRENT}': the file of that name marks the current run"
            )
        return Run(self, name)

    def existing_run(self, name: str | None) -> Run:
        """Return the run of this name, or the current one for None; raises `KdError` if it is not there."""
        if name is None:
            name = self.current
            if not name:
                raise KdError(
                    f"there is no current run in {self.root}", f"make one with `kd gen-data{self.flag}`"
                )
        run = self.run(name)
        if name not in self.runs():
            raise unknown("run", name, self.runs(), f"`kd gen-data --run NAME{self.flag}` makes one")
        return run


@dataclass(frozen=True)
class Run:
    """One experiment: a folder in the store."""

    store: Store
    name: str

    @property
    def path(self) -> Path:
        """The run's folder."""
        return self.store.root / self.name

    @property
    def recipe_path(self) -> Path:
        """The file of the run's recipe."""
        return self.path / "recipe.toml"

    @property
    def flag(self) -> str:
        """What a command needs to work on this run: empty for the current one in the default folder."""
        return ("" if self.store.current == self.name else f" --run {self.name}") + self.store.flag

    @property
    def making(self) -> str:
        """The command that makes this run's data; unlike later ones, it does not go by the current run."""
        return f"kd gen-data --run {self.name}{self.store.flag}"

    def read_recipe(self) -> str:
        """Return the text of the run's recipe."""
        with _told_apart(self.recipe_path):
            try:
                return self.recipe_path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                raise KdError(
                    f"{self.recipe_path} is not UTF-8 text", "write it again or remove the run"
                ) from None

    def write_recipe(self, text: str) -> None:
        """Store the run's recipe."""
        write_file(self.recipe_path, text.encode())

    def artefact(self, name: str) -> Artefact:
        """Return the artefact "data", "teacher" or "students/NAME", there or not."""
        return Artefact(self, name)

    def students(self) -> list[Artefact]:
        """Return the finished student sets, sorted by name."""
        folder = self.path / "students"
        if not folder.is_dir():
            return []
        names = sorted(p.name for p in folder.iterdir() if NAME.fullmatch(p.name) and p.is_dir())
        found = [self.artefact(f"students/{name}") for name in names]
        return [artefact for artefact in found if artefact.finished]

    def write_figure(self, file: str, content: bytes) -> Path:
        """Store one figure; figures are views of the artefacts, and drawn anew at will."""
        path = self.path / "figures" / file
        write_file(path, content)
        return path

    def write_report(self, file: str, text: str) -> None:
        """Store a report beside the artefacts that it is drawn from, in place of an older one."""
        write_file(self.path / file, text.encode())


@dataclass(frozen=True)
class Artefact:
    """What one stage wrote: a folder of tensors with its `meta.json`."""

    run: Run
    name: str

    @property
    def path(self) -> Path:
        """The artefact's folder."""
        return self.run.path / self.name

    @property
    def finished(self) -> bool:
        """Whether it is there as a whole; a folder without `meta.json` is unfinished work."""
        self._recover()
        return (self.path / "meta.json").is_file()

    def meta(self) -> Meta:
        """Read `meta.json`; raises `KdError` if it is missing, damaged or from a newer kd."""
        self._recover()
        path = self.path / "meta.json"
        with _told_apart(path):
            text = path.read_bytes()
        try:
            record = json.loads(text)
            newer = record["format"] > FORMAT
            meta = None if newer else Meta(**{**record, "metrics": _from_json(record["metrics"])})
        except (ValueError, TypeError, KeyError):
            raise self.damaged(path) from None
        if meta is None:
            raise KdError(f"{path} was written by a newer kd (format {record['format']})", "update kd")
        if meta.digest != _digest(meta.files):
            raise self.damaged(path)
        return meta

    def stale(self) -> bool:
        """Whether something it was made from was since replaced, or is itself stale."""
        for name, digest in self.meta().parents.items():
            parent = self.run.artefact(name)
            if not parent.finished or parent.meta().digest != digest or parent.stale():
                return True
        return False

    def fresh(self, renew: str) -> Meta:
        """Return the meta of a fresh artefact; raises `KdError` naming the command `renew` if it is not."""
        if not self.finished:
            raise KdError(f"run {self.run.name} has no {self.name} yet", f"make it with `{renew}`")
        if self.stale():
            raise KdError(
                f"{self.name} of run {self.run.name} is stale: what it was made from was since replaced",
                f"renew it with `{renew} --force`",
            )
        return self.meta()

    def load(self, file: str) -> dict[str, Tensor]:
        """Read the tensors of `file`.safetensors; raises `KdError` if it is not what the stage wrote."""
        from safetensors import SafetensorError
        from safetensors.torch import load

        path = self.path / f"{file}.safetensors"
        if not path.is_file():
            raise self.damaged(path)
        with _told_apart(path):
            content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != self.meta().files.get(path.name):
            raise self.damaged(path)
        try:
            return load(content)
        except SafetensorError:
            raise self.damaged(path) from None

    def up_to_date(self, config: Mapping[str, Any], parents: Sequence[Artefact], force: bool) -> bool:
        """Whether it was made with this configuration from these parents, and may be reused.

        False means that it may be made; so may one that lost a file. Raises `KdError` if another one
        stands under this name and `force` does not allow to replace it.
        """
        if not self.finished:
            return False
        meta = self.meta()
        now = to_json(config)
        same_parents = meta.parents == {p.name: p.meta().digest for p in parents}
        if meta.config == now and same_parents:
            return all((self.path / file).is_file() for file in meta.files)
        if force:
            return False
        if meta.config == now:
            what = f"{self.path} is stale: what it was made from was since replaced"
            raise KdError(what, "--force replaces it")
        missing = object()
        changed = [
            f"{key} = {json.dumps(meta.config.get(key))}, not {json.dumps(now.get(key))}"
            for key in {**meta.config, **now}
            if meta.config.get(key, missing) != now.get(key, missing)
        ]
        keep = "--name NAME, for one target at a time, keeps both"
        if self.name == "data":
            keep = "--run NAME keeps both"
        elif self.name == "teacher":
            dataset = parents[0].meta().config.get("dataset", "") if parents else ""
            keep = f"`kd gen-data {dataset} --run NAME{self.run.store.flag}` starts a run beside this one"
        raise KdError(f"{self.path} was made with {'; '.join(changed)}", f"--force replaces it; {keep}")

    def write(
        self,
        stage: str,
        config: Mapping[str, Any],
        parents: Sequence[Artefact],
        tensors: Mapping[str, Mapping[str, Tensor]],
        metrics: Mapping[str, Any],
        seconds: float,
        used: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Write the artefact as a whole, in place of one that may be there.

        `tensors` maps file names (without suffix) to their named tensors. `used` is what was chosen by
        itself where the configuration leaves the choice.
        """
        from importlib.metadata import version

        from safetensors.torch import save

        ancestry = {parent.name: parent.meta().digest for parent in parents}
        with _told_apart(self.path), _new_folder(self.path) as folder:
            files = {}
            for file, named in tensors.items():
                content = save({name: t.detach().contiguous() for name, t in named.items()})
                write_synced(folder / f"{file}.safetensors", content)
                files[f"{file}.safetensors"] = hashlib.sha256(content).hexdigest()
            meta = Meta(
                stage=stage,
                config=to_json(config),
                parents=ancestry,
                files=files,
                digest=_digest(files),
                metrics=to_json(metrics),
                seconds=round(seconds, 3),
                versions={"python": platform.python_version()} | {name: version(name) for name in PACKAGES},
                used=dict(used),
                created=datetime.now(UTC).isoformat(timespec="seconds"),
            )
            write_synced(
                folder / "meta.json", (json.dumps(asdict(meta), indent=2, allow_nan=False) + "\n").encode()
            )

    def _recover(self) -> None:
        """Put back the old artefact if a replacement was cut off between its two renames."""
        replaced = _replaced(self.path)
        if replaced.exists() and not self.path.exists():
            replaced.rename(self.path)

    def damaged(self, path: Path, why: str = "it is not what the stage wrote") -> DamagedError:
        """Build the error for a file that makes no sense."""
        stage = "kd train-teacher" if self.name == "teacher" else "kd distill"
        command = self.run.making if self.name == "data" else stage + self.run.flag
        return DamagedError(path, self.path, command, why)


def check_name(name: str, kind: str) -> None:
    """Raise `UsageError` unless a run or student set may be named so."""
    if not NAME.fullmatch(name):
        shown = name if len(name) <= 40 else name[:40] + "…"
        raise UsageError(
            f"{shown!r} cannot name a {kind}",
            "a name has up to 100 letters, digits, dots, dashes and underscores; a letter or digit first",
        )


def write_file(path: Path, content: bytes) -> None:
    """Write one file so that a reader sees the old content or the new, never a part."""
    with _told_apart(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.new-", dir=path.parent)
        os.close(handle)
        try:
            os.chmod(temporary, 0o666 & ~_umask())
            write_synced(Path(temporary), content)
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


def write_synced(path: Path, content: bytes) -> None:
    """Write a file and wait until the disk has it."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def _new_folder(path: Path) -> Iterator[Path]:
    """Give a temporary sibling of `path` to fill, and move it to `path` when that went well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{path.name}.new-", dir=path.parent))
    try:
        folder.chmod(0o777 & ~_umask())
        yield folder
        _sync_folder(folder)
        replaced = _replaced(path)
        if path.exists():
            shutil.rmtree(replaced, ignore_errors=True)
            path.rename(replaced)
        folder.rename(path)
        _sync_folder(path.parent)
        shutil.rmtree(replaced, ignore_errors=True)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _replaced(path: Path) -> Path:
    return path.with_name(f".{path.name}.replaced")


def _sync_folder(path: Path) -> None:
    if os.name != "posix":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _digest(files: Mapping[str, str]) -> str:
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(files.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def to_json(value: Any) -> Any:
    """Return nested values as JSON has them: tuples as lists, and ±∞ as "Infinity" and "-Infinity".

    JSON has no infinite numbers. Python's `float` and JavaScript's `Number` read these words as such.
    """
    if isinstance(value, Mapping):
        return {key: to_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(item) for item in value]
    if isinstance(value, float) and math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def _from_json(value: Any) -> Any:
    """Read numbers that `to_json` had to write as words."""
    if isinstance(value, dict):
        return {key: _from_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_from_json(item) for item in value]
    return float(value) if value in ("Infinity", "-Infinity") else value


@contextmanager
def _told_apart(path: Path) -> Iterator[None]:
    """Turn what the file system refuses into a message about `path`."""
    try:
        yield
    except FileNotFoundError:
        raise KdError(f"{path} is missing", "make it again with the command of its stage") from None
    except OSError as error:
        raise KdError(
            f"cannot use {path}: {error.strerror}", "nothing that was there before was changed"
        ) from None
