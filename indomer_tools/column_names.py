"""Names of the columns of features, given where the values bear them out.

names = indomer_tools.column_names(train)
smile = train[0]["video_feature"][:, names.index("AU12_r")]
"""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import datasets
import numpy as np
import numpy.typing as npt

import indomer
from indomer_files.columns import GEMAPS, OPENFACE, evidence_for
from indomer_files.feature_arrays import FeatureArrays

# Clips that are looked at: one column that is otherwise shows in the first frames of any.
_N_CLIPS = 16


def column_names(source: Any, modality: str = "video") -> tuple[str, ...]:
    """Names of the columns of a modality's frames, in their order.

    No file names its columns. Those of video are tested on the true frames of the first clips: the
    673 of OpenFace 2.2 have one face, time that rises by one step, confidence from 0 to 1, and
    action units within their bounds. Those of audio are the 18 of GeMAPSv01b, tested alike.

    Args:
        source: A split, prepared or streamed; a `FeatureFile`; or arrays of frames (T, D), one or
            several.
        modality: "video" or "audio".

    Returns:
        673 or 18 names.

    Raises:
        IndoMERError: The values are not those of these columns, or nobody knows columns of this
            number. The message says what was found.
    """
    clips = [clip for clip in itertools.islice(_clips(source, modality), _N_CLIPS) if len(clip[1])]
    if not clips:
        raise indomer.IndoMERError(f"column_names: no clip has {modality} frames to look at.")
    dim = clips[0][1].shape[1]
    evidence = evidence_for(modality, dim)
    if evidence is None:
        raise indomer.IndoMERError(
            f"column_names: {dim} columns of {modality} have no known names; known are "
            f"{len(OPENFACE)} of video (OpenFace) and {len(GEMAPS)} of audio (GeMAPS)."
        )
    for name, frames in clips:
        if frames.shape[1] == dim:
            evidence.look_at(name, frames, np.logical_not(frames.any(axis=1)))
    if not evidence.is_right:
        wrong = "; ".join(
            f"{test.columns} ({test.expected}): {test.n_wrong:,} of {test.n_seen:,}, first in "
            f"{test.first}"
            for test in evidence.tests
            if not test.holds
        )
        raise indomer.IndoMERError(
            f"column_names: the {modality} columns are not those of {evidence.reading}. Otherwise "
            f"are {wrong}. Ask who made the features."
        )
    return evidence.columns


def _clips(source: Any, modality: str) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    """Yield (clip, its true frames)."""
    column = f"{modality}_feature"
    if isinstance(source, (datasets.Dataset, datasets.IterableDataset)):
        for row in source.with_format("numpy"):
            if column not in row:
                raise indomer.IndoMERError(
                    f"column_names: expected a column {column}, found {', '.join(row)}."
                )
            frames = np.asarray(row[column])
            length = row.get(f"{modality}_length")
            n_true = indomer.true_length(frames) if length is None else int(length)
            yield str(row.get("sample_id", "a clip")), frames[:n_true]
    elif isinstance(source, FeatureArrays):
        for name in source:
            yield name, source[name][: indomer.true_length(source[name])]
    elif isinstance(source, Mapping) or source is None:
        raise indomer.IndoMERError(
            f"column_names: expected one split, a FeatureFile or arrays, got "
            f"{type(source).__name__}. Choose one: column_names(dataset['train'])."
        )
    else:
        arrays = [source] if isinstance(source, np.ndarray) and source.ndim == 2 else source
        for number, array in enumerate(arrays):
            frames = np.asarray(array)
            yield f"array {number}", frames[: indomer.true_length(frames)]
