"""The version of kd, in a module of its own: what lies below everything else needs it too."""

__version__ = "0.1.0"
