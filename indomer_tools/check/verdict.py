"""What a release can be used for, in one line."""

from collections.abc import Mapping
from typing import NamedTuple

from indomer_files import Release
from indomer_files.feature_places import FeaturePlaces
from indomer_files.schema import FEATURE_DIMS, SPLITS
from indomer_tools.check.findings import Report
from indomer_tools.wording import listed

_LABEL_FILES = "labels and transcripts"


class _State(NamedTuple):
    """Feature files of one modality: those that are there, and errors in them."""

    n_files: int
    n_errors: int


def verdict(report: Report, release: Release, own: FeaturePlaces | None = None) -> str:
    """Say what can be used, what is not there, and where errors are.

    >>> verdict(check(PUBLIC), Release(PUBLIC))
    'usable for text; features absent'

    Args:
        report: All findings.
        release: What was checked.
        own: Features in place of the release's, or beside them.
    """
    own = FeaturePlaces({}) if own is None else own
    states = {
        modality: _state(report, release, modality, own)
        for modality in dict.fromkeys([*FEATURE_DIMS, *own])
    }
    n_errors = report.count("error") - sum(state.n_errors for state in states.values())
    # Files of features that are missing are told as such.
    n_errors -= sum(finding.code == "features-missing" for finding in report.findings)
    problems = _problems(states)
    if n_errors:
        return "; ".join([f"not usable as it is: {_errors(n_errors)} in {_LABEL_FILES}", *problems])
    sound = [name for name, state in states.items() if state == (len(SPLITS), 0)]
    return "; ".join([f"usable for {listed(['text', *sorted(sound)])}", *problems])


def _state(report: Report, release: Release, modality: str, own: FeaturePlaces) -> _State:
    if modality in own:
        shown = {own.path(modality, split) for split in SPLITS}
    else:
        paths = [release.feature_path(modality, split) for split in SPLITS]
        shown = {release.shown(path) for path in paths if path is not None}
    n_errors = sum(
        finding.severity == "error" and finding.where in shown for finding in report.findings
    )
    # A file of one's own may be that of both splits.
    return _State(len(SPLITS) if modality in own else len(shown), n_errors)


def _problems(states: Mapping[str, _State]) -> list[str]:
    """What is not there, or has errors."""
    if not any(state.n_files for state in states.values()):
        return ["features absent"]
    problems = []
    for modality, (n_files, n_errors) in sorted(states.items()):
        if not n_files:
            problems.append(f"{modality} features absent")
        elif n_files < len(SPLITS):
            problems.append(f"{modality} features of one split missing")
        if n_errors:
            problems.append(f"{_errors(n_errors)} in {modality} features")
    return problems


def _errors(number: int) -> str:
    return f"{number} error{'' if number == 1 else 's'}"
