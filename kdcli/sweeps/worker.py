"""A process that makes runs: it reads tasks from stdin, and writes their outcomes to stdout, a line each."""

import json
import os
import signal
import sys
from dataclasses import asdict

from kdcli.sweeps.making import Task, make
from kdcli.workers import die_with


def main(parent: int) -> None:
    """Make runs until there are no more tasks, or the parent process ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to stop
    die_with(parent)
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # keep output of libraries out of the answers
    for line in sys.stdin:
        print(json.dumps(asdict(make(Task(**json.loads(line))))), file=answers, flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
