"""What a newer kd wrote: it is told from what is damaged, and left alone."""

from __future__ import annotations

import re
from pathlib import Path

from kdcli import __version__
from kdcli.errors import KdError

FORMAT = 4  # of what is stored. 4: the record of data tells their classes and the shape of an example


class NewerError(KdError):
    """A file in the outputs folder was written by a newer kd, which may read what this one cannot."""

    def __init__(self, path: Path, version: str, format: int, why: str = "", hint: str = "update kd") -> None:
        super().__init__(
            f"{path} was made by a newer kd (version {version or 'unknown'}, format {format}) than this one "
            f"(version {__version__}, format {FORMAT})" + (f": {why}" if why else ""),
            hint,
        )
        self.version = version
        self.format = format


def is_newer(version: object, format: int = 0) -> bool:
    """Whether a version of kd, or the format of what it wrote, is newer than this one's."""
    return format > FORMAT or (isinstance(version, str) and _numbers(version) > _numbers(__version__))


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"[0-9]{1,9}", version)[:3]]
