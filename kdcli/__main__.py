"""The program `kd`, which is `python -m kdcli` too."""

import gc
import os
import sys
from contextlib import suppress
from typing import NoReturn

gc.set_threshold(100_000)  # objects made before the collector looks again: imports make many, and no garbage

from kdcli import workers  # noqa: E402
from kdcli.cli.main import main  # noqa: E402


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
