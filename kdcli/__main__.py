"""The program `kd`, which is `python -m kdcli` too."""

import os
import sys
from contextlib import suppress
from typing import NoReturn

from kdcli import workers
from kdcli.cli.main import main


def run() -> NoReturn:
    """Run kd, and end at once: taking PyTorch down piece by piece takes a third of a second."""
    code: object = 0
    try:
        main()
    except SystemExit as ended:
        code = ended.code
    workers.stop()
    for stream in filter(None, (sys.stdout, sys.stderr)):  # None where it is closed
        with suppress(OSError, ValueError):  # was told of, if it can be
            stream.flush()
    os._exit(code if isinstance(code, int) else 1)


if __name__ == "__main__":
    run()
