"""The report: tables and sentences as data, shown in the terminal and written as JSON and CSV."""

from kdcli.report.screen import Screen, error
from kdcli.report.terminal import OutputError, asks, flush, outlets

__all__ = ["OutputError", "Screen", "asks", "error", "flush", "outlets"]
