"""Canonical QDQ in, integer graph out; one file a family, mirroring ``ops/``."""

from edgeq.lowering.convert import lower, lower_named

__all__ = ["lower", "lower_named"]
