"""The version, which the manifest and saved calibrations state; apart, so that they need not import the API."""

__version__ = "0.1.0"
