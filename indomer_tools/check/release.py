"""Check a release: is what was downloaded what the card promises?

    report = indomer_tools.check("path/to/release")
    report.findings, report.tables

Everything is read as data; nothing in a file is run. What cannot be read is a finding, and the
rest is checked all the same.
"""

import os
from collections.abc import Mapping
from typing import Any

from indomer_files import IndoMERError, Release
from indomer_files.feature_places import FeaturePlaces, check_feature_files
from indomer_files.options import check_choice
from indomer_files.padding import PADDINGS
from indomer_tools.check import published_card
from indomer_tools.check.features import check_features
from indomer_tools.check.files import Files, check_files
from indomer_tools.check.findings import Report
from indomer_tools.check.join import check_annotated, check_names, check_splits
from indomer_tools.check.label_files import read_label_files
from indomer_tools.check.labels import check_labels
from indomer_tools.check.text import check_transcripts
from indomer_tools.check.verdict import verdict


def check(
    data_dir: str | os.PathLike[str],
    sha256: bool | None = None,
    progress: bool = False,
    padding: str = "auto",
    feature_files: Mapping[str, Any] | None = None,
) -> Report:
    """Check every file of a release, and how they go together.

    Args:
        data_dir: The release: a folder or any fsspec address of one.
        sha256: Whether to compute the sha256 of files: of all, of none, or of those up to
            `files.HASHED_BYTES` (None).
        progress: Show a progress bar while features are read, if stderr is a terminal.
        padding: The end at which feature files are padded: "end", "start", or "auto" to find it.
        feature_files: Features of one's own, which are checked in place of the release's, or beside
            them; as in `indomer.IndoMERConfig`.

    Returns:
        Report: Findings, the worst first, and tables of what the release contains.

    Raises:
        IndoMERError: There is no such folder, or nothing of a release in it; another `padding`.
    """
    if os.path.isfile(data_dir):
        raise IndoMERError(
            f"{os.fspath(data_dir)}: this is a file. To look into it: indomer inspect "
            f"{os.fspath(data_dir)}; to check a release, give its folder."
        )
    check_choice("padding", padding, PADDINGS)
    own = FeaturePlaces(check_feature_files(feature_files))
    release = Release(data_dir)
    report, files = Report(str(data_dir)), Files(release, sha256)
    check_files(report, files, list(own))
    labels = read_label_files(report, release)
    check_names(report, labels)
    check_splits(report, labels)
    check_annotated(report, labels)
    counts = check_labels(report, labels)
    card = published_card.check_card(report, labels, counts)
    check_transcripts(report, labels)
    # Last, and not at the same time as the above: threads would wait for the interpreter.
    check_features(report, files, labels, own, progress, padding)
    published_card.check_times(report, card)
    report.sort()
    report.verdict = verdict(report, release, own)
    return report
