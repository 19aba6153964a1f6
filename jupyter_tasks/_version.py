"""The version of this release, in one place (hatch reads it)."""

__version__ = "0.1.0"
