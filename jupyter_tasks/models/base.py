"""What every shape of the wire has in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

__all__ = ["Wire"]


class Wire(BaseModel):
    """A shape. Readers ignore fields that they do not know."""

    model_config = ConfigDict(extra="ignore", defer_build=True)
