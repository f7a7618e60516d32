"""Work for worker processes, or for this process if workers would not help or are not possible.

A server process forks the workers, one for each task. A worker reads the shared tensors from memory that all
workers map, sends its messages and its result over a socket, and exits. If forking is not safe, the same code
does the tasks in this process, one after the other.
"""

from kdcli.workers.limit import JOBS, allow, compute_on_one_thread, jobs
from kdcli.workers.messages import Result, Tell
from kdcli.workers.pool import do
from kdcli.workers.server import die_with, start, stop

__all__ = [
    "JOBS",
    "Result",
    "Tell",
    "allow",
    "compute_on_one_thread",
    "die_with",
    "do",
    "jobs",
    "start",
    "stop",
]
