"""The program `kd`, also run as `python -m kdcli`."""

import gc
import os
import sys
from contextlib import suppress
from typing import NoReturn

gc.set_threshold(100_000)  # new objects between garbage collections: imports make many, but no garbage

from kdcli import workers  # noqa: E402
from kdcli.cli.main import main  # noqa: E402


def run() -> NoReturn:
    """Run kd and exit at once: an orderly shutdown of PyTorch takes a third of a second."""
    code: object = 0
    try:
        main()
    except SystemExit as ended:
        code = ended.code
    workers.stop()
    for stream in filter(None, (sys.stdout, sys.stderr)):  # None where it is closed
        with suppress(OSError, ValueError):  # reported already, if that is possible
            stream.flush()
    os._exit(code if isinstance(code, int) else 1)


if __name__ == "__main__":
    run()
