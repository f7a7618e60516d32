"""Artefacts: the results of one stage, in a folder of tensors and documents with a `meta.json`.

The command line opens the store for every command, so torch is imported only where tensors are used.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kdcli.errors import KdError, Text
from kdcli.store.files import (
    follow_no_link,
    new_folder,
    read_record,
    read_whole,
    told_apart,
    write_synced,
    write_tensors,
)
from kdcli.store.json_values import from_json, to_json
from kdcli.store.versions import FORMAT, NewerError, OlderError, is_newer
from kdcli.version import installed

if TYPE_CHECKING:
    from torch import Tensor

    from kdcli.store.runs import Run

PACKAGES = ("kdcli", "torch", "numpy", "safetensors", "scikit-learn")


class DamagedError(KdError):
    """A file of an artefact is not what the stage wrote; `artefact` is the folder to make again."""

    def __init__(self, path: Path, artefact: Path, why: str, hint: Text = "") -> None:
        super().__init__(f"{path} is damaged: {why}", hint or f"remove {artefact}, and make it again")
        self.path = path
        self.artefact = artefact
        self.why = why


@dataclass(frozen=True)
class Meta:
    """The record of an artefact in `meta.json`.

    `files` maps each file to its SHA-256. `digest` is the digest of this list, equal for equal content.
    `parents` maps the artefacts it was made from to their digests at the time. `used` has the values chosen
    where the configuration leaves a choice.
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

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Meta:
        """Read a record; raises ValueError or TypeError for content that no stage would have written."""
        meta = cls(**{**record, "metrics": from_json(record["metrics"])})
        texts = (meta.files, meta.parents, meta.versions, meta.used)
        sound = (
            all(isinstance(table, dict) for table in (meta.config, meta.metrics, *texts))
            and all(isinstance(value, str) for table in texts for value in table.values())
            and all(isinstance(text, str) for text in (meta.stage, meta.digest, meta.created))
            and type(meta.seconds) in (int, float)
            and all(Path(file).name == file for file in meta.files)
            and meta.digest == digest_of(meta.files)
        )
        if not sound:
            raise ValueError("it is not what a stage writes")
        json.dumps(meta.config, allow_nan=False)  # raises ValueError
        return meta

    def to_record(self) -> dict[str, Any]:
        """Return the content of `meta.json`."""
        return {**asdict(self), "metrics": to_json(self.metrics)}


@dataclass(frozen=True)
class Content:
    """The content of an artefact to be written.

    `tensors` and `documents` map file names (without suffix) to named tensors and to JSON values. `metrics`
    are its scores, `seconds` the time to make it, and `used` the values chosen where the configuration leaves
    a choice.
    """

    tensors: Mapping[str, Mapping[str, Tensor]]
    metrics: Mapping[str, Any]
    seconds: float
    used: Mapping[str, str] = field(default_factory=dict)
    documents: Mapping[str, Any] = field(default_factory=dict)

    def files(self) -> Iterator[tuple[str, Callable[[Path], None]]]:
        """Yield the name of each file and a function that writes it; tensors are not copied in memory."""
        for file, named in self.tensors.items():
            yield f"{file}.safetensors", partial(write_tensors, named)
        for file, document in self.documents.items():
            yield f"{file}.json", partial(_write_json, document)


@dataclass(frozen=True)
class Artefact:
    """The results of one stage: a folder of tensors and documents with a `meta.json`."""

    run: Run
    name: str

    @property
    def path(self) -> Path:
        """The artefact's folder."""
        return self.run.path / self.name

    @property
    def finished(self) -> bool:
        """Whether it is complete; a folder without `meta.json` is unfinished work."""
        return os.path.isfile(self.path / "meta.json")  # False for a name that is too long

    @property
    def has_tensors(self) -> bool:
        """Whether the folder has files of tensors."""
        return any(self.path.glob("*.safetensors"))

    def meta(self) -> Meta:
        """Read `meta.json`.

        Raises `NewerError` or `OlderError` if another kd wrote it, `KdError` if it is missing or damaged.
        """
        path = self.path / "meta.json"
        follow_no_link(path, self.run.store.root)
        text = read_record(path)
        try:
            record = json.loads(text)
            number, versions = record["format"], record.get("versions")
            if not isinstance(number, int):
                raise ValueError("its format is not a number")
            meta = Meta.from_record(record) if number == FORMAT else None
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise self.damaged(path) from None
        if meta is None:
            version = versions.get("kdcli") if isinstance(versions, dict) else None
            if is_newer(version, number):
                raise NewerError(path, version if isinstance(version, str) else "", number)
            raise OlderError(path, number)
        return meta

    def load(self, file: str, meta: Meta) -> dict[str, Tensor]:
        """Read the tensors of `file`.safetensors; raises `KdError` if it is not what the stage wrote."""
        from safetensors import SafetensorError
        from safetensors.torch import load

        name = f"{file}.safetensors"
        try:
            return load(self._read(name, meta))
        except SafetensorError:
            raise self.damaged(self.path / name) from None

    def load_document(self, file: str, meta: Meta) -> Any:
        """Read `file`.json; raises `KdError` if it is not what the stage wrote."""
        try:
            return from_json(json.loads(self._read(f"{file}.json", meta)))
        except (ValueError, RecursionError):
            raise self.damaged(self.path / f"{file}.json") from None

    def _read(self, name: str, meta: Meta) -> bytes:
        path = self.path / name
        if not path.is_file():
            raise self.damaged(path, "it is missing")
        follow_no_link(path, self.run.store.root)
        content = read_whole(path)
        if hashlib.sha256(content).hexdigest() != meta.files.get(name):
            raise self.damaged(path)
        return content

    def write(
        self, stage: str, config: Mapping[str, Any], parents: Mapping[str, str], content: Content
    ) -> Meta:
        """Write the complete artefact, replacing an existing one; returns its record.

        `parents` maps the artefacts that it was made from to their digests.
        """
        follow_no_link(self.path, self.run.store.root)
        with told_apart(self.path), new_folder(self.path) as folder:
            files = {}
            for name, write in content.files():
                write(folder / name)
                with (folder / name).open("rb") as file:
                    files[name] = hashlib.file_digest(file, "sha256").hexdigest()
            meta = Meta(
                stage=stage,
                config=to_json(config),
                parents=dict(parents),
                files=files,
                digest=digest_of(files),
                metrics=dict(content.metrics),
                seconds=round(content.seconds, 3),
                versions=_versions(),
                used=dict(content.used),
                created=datetime.now(UTC).isoformat(timespec="seconds"),
            )
            write_synced(folder / "meta.json", _json(meta.to_record()))
        return meta

    def damaged(self, path: Path, why: str = "it is not what the stage wrote") -> DamagedError:
        """Build the error for a damaged file."""
        return DamagedError(path, self.path, why)


def _versions() -> dict[str, str]:
    return {"python": platform.python_version()} | {name: installed(name) for name in PACKAGES}


def _write_json(document: Any, path: Path) -> None:
    write_synced(path, _json(document))


def _json(document: Any) -> bytes:
    return (json.dumps(to_json(document), indent=2, allow_nan=False, ensure_ascii=False) + "\n").encode()


def digest_of(files: Mapping[str, str]) -> str:
    """Return a single SHA-256 for the digests of files by name."""
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(files.items()))
    return hashlib.sha256(lines.encode()).hexdigest()
