"""Runs: what an experiment consists of, how it is described, and in what state it is."""
