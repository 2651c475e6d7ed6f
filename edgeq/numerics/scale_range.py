"""The error for scales that integer arithmetic cannot combine."""

from __future__ import annotations


class ScaleRangeError(ValueError):
    """Scales, or factors made of them, that are not positive and finite or lie too far apart."""
