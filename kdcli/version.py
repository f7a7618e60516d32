"""The versions of kd and of the packages that it uses; this module imports nothing of kd."""

from functools import cache

__version__ = "0.1.0"


@cache
def installed(package: str) -> str:
    """Return the version of an installed package; the lookup takes a millisecond, so it is cached."""
    from importlib.metadata import version

    return version(package)
