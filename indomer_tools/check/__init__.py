"""Whether a release is what its card promises."""

from indomer_tools.check.findings import Finding, Report
from indomer_tools.check.release import check

__all__ = ["Finding", "Report", "check"]
