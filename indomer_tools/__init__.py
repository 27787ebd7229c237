"""Optional tooling on top of the loader in `indomer.py`, which never imports it."""

from indomer_tools.check import Finding, Report, check

__all__ = ["Finding", "Report", "check"]
