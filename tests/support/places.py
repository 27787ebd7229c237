"""Where things lie that tests use."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# The label files of release 1.0.0, beside the checkout.
LABELS = ROOT.parent / "shared" / "release"
