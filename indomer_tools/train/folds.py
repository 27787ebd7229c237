"""Weights and folds for a training split whose classes are uneven and whose clips share videos.

    weights = class_weights(train)                         # for a weighted loss
    sampler = WeightedRandomSampler(sample_weights(train), len(train))
    for training, validation in group_folds(train):        # no source video in both
        fold = train.select(training), train.select(validation)

Works on any prepared `datasets.Dataset` with the columns of the loader: its own, the exported
Parquet, a `select` or `filter` of either. Only the named columns are read, never the frames.
scikit-learn does the work; it is part of the extra `train`.
"""

import logging
import warnings
from collections.abc import Iterator
from typing import Any

import datasets
import numpy as np
import numpy.typing as npt

import indomer
from indomer_files.logs import warn

__all__ = ["class_weights", "group_folds", "sample_weights"]

logger = logging.getLogger(__name__)


def class_weights(dataset: datasets.Dataset, label: str = "label") -> npt.NDArray[np.float32]:
    """Weights of classes under which each class counts the same, however many clips it has.

    As `class_weight="balanced"` in scikit-learn: clips / (classes that occur * clips of the class),
    so that a clip weighs 1 on average. A class without clips has weight 1: no clip of this dataset
    uses it, and one elsewhere does not make a mean of losses NaN. A warning names it.

    Args:
        dataset: A prepared split.
        label: A column of class labels.

    Returns:
        np.ndarray: float32 of shape (n_classes,), in the order of the column's ClassLabel. As
        `torch.nn.CrossEntropyLoss` takes it: `weight=torch.from_numpy(class_weights(train))`.

    Raises:
        IndoMERError: Not such a dataset or column, no clips, or clips without a label.
    """
    from sklearn.utils.class_weight import compute_class_weight

    labels, names = _labels(dataset, label)
    present = np.unique(labels)
    weights = np.ones(len(names), np.float32)
    weights[present] = compute_class_weight("balanced", classes=present, y=labels)
    absent = [name for number, name in enumerate(names) if number not in present]
    if absent:
        warn(logger, f"{label}: no clip of {', '.join(absent)}. Their class weight is 1.")
    return weights


def sample_weights(dataset: datasets.Dataset, label: str = "label") -> npt.NDArray[np.float64]:
    """Weights of clips with which a sampler draws every class equally often.

    Args:
        dataset: A prepared split.
        label: A column of class labels.

    Returns:
        np.ndarray: float64 of shape (n_clips,), in the order of the dataset, 1 on average. As
        `torch.utils.data.WeightedRandomSampler(sample_weights(train), len(train))` takes it.

    Raises:
        IndoMERError: As `class_weights`.
    """
    from sklearn.utils.class_weight import compute_sample_weight

    weights: npt.NDArray[np.float64] = compute_sample_weight("balanced", _labels(dataset, label)[0])
    return weights


def group_folds(
    dataset: datasets.Dataset,
    n_splits: int = 5,
    seed: int = 0,
    group: str = "video_id",
    label: str = "label",
) -> Iterator[tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]]:
    """Cut a split into folds: no source video in two of them, classes shared out evenly.

    Clips of one video mostly share speaker, scene and topic: a model tested on other clips of the
    videos it was trained on looks better than it is. Of a class that is in fewer videos than there
    are folds, some folds have no clip.

    The folds are those of `sklearn.model_selection.StratifiedGroupKFold`, shuffled; the same
    arguments give the same folds.

    Args:
        dataset: A prepared split.
        n_splits: Folds, two at least.
        seed: Another seed gives other folds.
        group: The column that must not be cut: "video_id", or for example "topic".
        label: The column of class labels to share out evenly.

    Yields:
        np.ndarray: Rows to train on, ascending; `dataset.select` takes them.
        np.ndarray: Rows to validate on, ascending. Each row is in one fold.

    Raises:
        IndoMERError: Not such a dataset or column, clips without a label or group, or more folds
            than groups or clips of the largest class. Clips whose name does not tell their video
            have `video_id` None: leave them out with `dataset.filter`, since nobody can say which
            clips they must stay with.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    labels, _ = _labels(dataset, label)
    groups = np.unique(_column(dataset, group), return_inverse=True)[1]
    n_groups, n_largest = groups.max() + 1, np.bincount(labels).max()
    if not 2 <= n_splits <= min(n_groups, n_largest):
        raise indomer.IndoMERError(
            f"n_splits: expected 2 to {min(n_groups, n_largest)}, got {n_splits!r}. There are "
            f"{n_groups} different values of {group!r}, and {n_largest} clips of the largest class."
        )
    folds = StratifiedGroupKFold(n_splits, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # Fear has five clips: that its folds are uneven is told above.
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        yield from folds.split(labels, labels, groups)


def _labels(dataset: datasets.Dataset, column: str) -> tuple[npt.NDArray[np.int64], list[str]]:
    """The class ids of all clips, and the names of the classes."""
    labels = _column(dataset, column)
    feature = dataset.features[column]
    if not isinstance(feature, datasets.ClassLabel):
        raise indomer.IndoMERError(f"Column {column!r}: expected class labels, found {feature}.")
    return labels, feature.names


def _column(dataset: datasets.Dataset, column: str) -> npt.NDArray[Any]:
    """One column of a prepared dataset, complete; no other is read."""
    if not isinstance(dataset, datasets.Dataset):
        raise indomer.IndoMERError(
            f"Expected one prepared split, got {type(dataset).__name__}. "
            "Load it with split='train' and without streaming."
        )
    if column not in dataset.column_names:
        raise indomer.IndoMERError(
            f"No column {column!r}. Columns are {', '.join(dataset.column_names)}."
        )
    if not len(dataset):
        raise indomer.IndoMERError(f"Column {column!r}: the dataset has no clips.")
    values = dataset.select_columns(column).with_format("arrow")[:][column]
    if values.null_count:
        first = values.is_null().to_pylist().index(True)
        raise indomer.IndoMERError(
            f"Column {column!r}: {values.null_count} of {len(values)} clips have none (first: row "
            f"{first}). Leave them out: dataset.filter(lambda value: value is not None, "
            f"input_columns={column!r})."
        )
    array: npt.NDArray[Any] = values.to_numpy()
    return array
