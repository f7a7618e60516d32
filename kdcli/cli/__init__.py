"""The command line: commands, their options, and the one place where errors become exit codes."""
