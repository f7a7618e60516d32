"""What a person or a program is told: neutral tables and sentences, for terminals, JSON and CSV."""

from kdcli.report.screen import Screen, error
from kdcli.report.terminal import OutputError, asks, flush, outlets

__all__ = ["OutputError", "Screen", "asks", "error", "flush", "outlets"]
