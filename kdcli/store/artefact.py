"""Artefacts: what one stage wrote, as a folder of tensors with its `meta.json`.

The command line opens the store for every command, so torch is imported where tensors are.
"""

from __future__ import annotations

import hashlib
import json
import platform
import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from kdcli.errors import KdError
from kdcli.store.files import (
    follow_no_link,
    in_the_way,
    new_folder,
    read_record,
    read_whole,
    told_apart,
    write_synced,
)
from kdcli.store.json_values import from_json, to_json
from kdcli.store.newer import FORMAT, NewerError, is_newer

if TYPE_CHECKING:
    from torch import Tensor

    from kdcli.store.runs import Run

SEALED = 3  # the format from which `meta.json` has a digest of itself
PARENTS = ("data", "teacher")  # what other artefacts are made from, in the order in which they are made
MADE_FROM: Mapping[str, Sequence[str]] = {"data": (), "teacher": ("data",)}  # others: of both
PACKAGES = ("kdcli", "torch", "numpy", "safetensors", "scikit-learn")


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
        return (self.path / "meta.json").is_file()

    @property
    def has_tensors(self) -> bool:
        """Whether files of tensors are there."""
        return any(self.path.glob("*.safetensors"))

    def meta(self) -> Meta:
        """Read `meta.json`; raises `NewerError` if it is of a newer kd, `KdError` if missing or damaged."""
        path = self.path / "meta.json"
        follow_no_link(path, self.run.store.root)
        text = read_record(path)
        try:
            record = json.loads(text)
            newer = record["format"] > FORMAT
            seal = record.pop("seal", None)
            intact = seal == _seal(record) if seal or record["format"] >= SEALED else True
            meta = None if newer else Meta(**{**record, "metrics": from_json(record["metrics"])})
            sound = meta is None or self._sound(meta)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise self.damaged(path) from None
        if meta is None:
            versions = record.get("versions")
            version = versions.get("kdcli") if isinstance(versions, dict) else None
            raise NewerError(path, version if isinstance(version, str) else "", record["format"])
        if not sound or not intact or meta.digest != _digest(meta.files):
            raise self.damaged(path)
        return meta

    def _sound(self, meta: Meta) -> bool:
        """Whether what `meta.json` says has the types that it should, and it names nothing out of place.

        Raises ValueError for a configuration that JSON does not have.
        """
        json.dumps(meta.config, allow_nan=False)
        of_texts = (meta.files, meta.parents, meta.versions, meta.used)
        tables: tuple[object, ...] = (meta.config, meta.metrics, *of_texts)
        return (
            all(isinstance(table, dict) for table in tables)
            and all(isinstance(value, str) for table in of_texts for value in table.values())
            and all(isinstance(text, str) for text in (meta.stage, meta.digest, meta.created))
            and type(meta.seconds) in (int, float)
            and all(Path(file).name == file for file in meta.files)
            and set(meta.parents) <= set(MADE_FROM.get(self.name, PARENTS))
        )

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
        follow_no_link(path, self.run.store.root)
        content = read_whole(path)
        if hashlib.sha256(content).hexdigest() != self.meta().files.get(path.name):
            raise self.damaged(path)
        try:
            return load(content)
        except SafetensorError:
            raise self.damaged(path) from None

    def up_to_date(
        self,
        config: Mapping[str, Any],
        parents: Sequence[Artefact],
        force: bool,
        given: Collection[str] | None = None,
        beside: str = "",
    ) -> bool:
        """Whether it was made with this configuration from these parents, and may be reused.

        `given` are the settings that do not come from the run's recipe, as the others do; with None all do
        not. `beside` is the command that starts another run, where only that keeps both. False means that it
        may be made; so may one that lost a file. Raises `KdError` if another one stands under this name and
        `force` does not allow to replace it, if a newer kd wrote it, or if something else is in its place.
        """
        if blocking := in_the_way(self.path / "meta.json"):
            raise KdError(f"{blocking} is not a folder, as it is to be", "move it elsewhere, or remove it")
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
            key for key in {**meta.config, **now} if meta.config.get(key, missing) != now.get(key, missing)
        ]
        edited = [key for key in changed if given is not None and key not in given]
        told = "; ".join(
            f"{key} = {json.dumps(meta.config.get(key))}, not {json.dumps(now.get(key))}"
            + (f" as {self.run.recipe_path.name} says" if key in edited else "")
            for key in changed
        )
        keep = "--name NAME, for one target at a time, keeps both"
        if self.name == "data":
            keep = "--run NAME keeps both"
            if edited:
                path = shlex.quote(str(self.run.recipe_path))
                keep = f"`kd gen-data --recipe {path} --run NAME{self.run.store.flag}` keeps both"
        elif beside:
            keep = f"`{beside}` starts a run beside this one"
        raise KdError(f"{self.path} was made with {told}", f"--force replaces it; {keep}")

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

        follow_no_link(self.path, self.run.store.root)
        ancestry = {parent.name: parent.meta().digest for parent in parents}
        with told_apart(self.path), new_folder(self.path) as folder:
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
            record = asdict(meta)
            text = json.dumps({**record, "seal": _seal(record)}, indent=2, allow_nan=False)
            write_synced(folder / "meta.json", f"{text}\n".encode())

    def misread(self, meta: Meta, why: str) -> KdError:
        """Build the error for a `meta.json` that no stage of this kd would have written."""
        path, version = self.path / "meta.json", meta.versions.get("kdcli", "")
        return NewerError(path, version, meta.format, why) if is_newer(version) else self.damaged(path, why)

    def damaged(self, path: Path, why: str = "it is not what the stage wrote") -> DamagedError:
        """Build the error for a file that makes no sense."""
        stage = "kd train-teacher" if self.name == "teacher" else "kd distill"
        command = self.run.making if self.name == "data" else stage + self.run.flag
        return DamagedError(path, self.path, command, why)


def _digest(files: Mapping[str, str]) -> str:
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(files.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def _seal(record: Mapping[str, Any]) -> str:
    """Return the digest of what `meta.json` says, however it is laid out: an edit by hand is found by it."""
    text = json.dumps(record, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
