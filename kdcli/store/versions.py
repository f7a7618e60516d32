"""Files written by other versions of kd: they are told from damaged files, and left unchanged."""

from __future__ import annotations

import re
from pathlib import Path

from kdcli.errors import KdError, Text
from kdcli.version import __version__

FORMAT = 7  # version of stored files. 7: seeds of trees draw rows, and transfer sets have several parts


class NewerError(KdError):
    """A file in the outputs folder was written by a newer kd, and this version cannot read it."""

    def __init__(
        self, path: Path, version: str, format: int, why: str = "", hint: Text = "update kd"
    ) -> None:
        super().__init__(
            f"{path} was made by a newer kd (version {version or 'unknown'}, format {format}) than this one "
            f"(version {__version__}, format {FORMAT})" + (f": {why}" if why else ""),
            hint,
        )
        self.version = version
        self.format = format


class OlderError(KdError):
    """An artefact is in an earlier format, which this kd no longer reads."""

    def __init__(self, path: Path, format: int, hint: Text = "make it again") -> None:
        super().__init__(f"{path} is in format {format} of an earlier kd; this kd reads {FORMAT}", hint)
        self.format = format


def is_newer(version: object, format: int = 0) -> bool:
    """Whether a version of kd, or the format of what it wrote, is newer than this one's."""
    return format > FORMAT or (isinstance(version, str) and _numbers(version) > _numbers(__version__))


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"[0-9]{1,9}", version)[:3]]
