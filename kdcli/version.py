"""The versions of kd and of the packages that it uses, below everything else that needs them."""

from functools import cache

__version__ = "0.1.0"


@cache
def installed(package: str) -> str:
    """Return the version of an installed package, which takes a millisecond to look up."""
    from importlib.metadata import version

    return version(package)
