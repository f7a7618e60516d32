"""Sweeps: the runs of a study made by several processes, on this machine or a cluster."""
