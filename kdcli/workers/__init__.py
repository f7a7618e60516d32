"""Work shared out to worker processes, or done in this one where that gains nothing or is not possible.

Workers are forked by a server process, each for one task. A worker reads the shared tensors from memory that
all of them map, sends what it has to tell and its result over a socket, and ends. Where forks are not safe
tasks are done one after the other in this process, by the same code.
"""

from kdcli.workers.limit import JOBS, allow, compute_on_one_thread, jobs
from kdcli.workers.messages import Result, Tell
from kdcli.workers.pool import do
from kdcli.workers.server import start, stop

__all__ = ["JOBS", "Result", "Tell", "allow", "compute_on_one_thread", "do", "jobs", "start", "stop"]
