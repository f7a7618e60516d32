"""Runs: what an experiment consists of, the records that describe it, and the state it is in."""
