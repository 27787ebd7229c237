"""Scores of a classifier of clips, macro-F1 first.

    scores = evaluate(labels, predictions, validation.features["label"])
    print(scores)                                           # a table
    Trainer(..., compute_metrics=compute_metrics(validation.features["label"]))

Most clips are neutral, so accuracy tells little; the paper reports macro-F1. scikit-learn, part of
the extra `train`, does the arithmetic.
"""

import dataclasses
import warnings
from collections.abc import Callable, Sequence
from typing import Any, cast

import datasets
import numpy as np
import numpy.typing as npt

import indomer

__all__ = ["FEW_CLIPS", "RareClassWarning", "Scores", "compute_metrics", "evaluate"]

# With fewer clips of a class, one clip more or less right moves its recall by more than a fifth.
FEW_CLIPS = 5

# The label that `transformers` and `torch.nn.CrossEntropyLoss` leave out.
_IGNORED = -100


class RareClassWarning(UserWarning):
    """A class has so few clips that its F1, and macro-F1 with it, is mostly chance."""


@dataclasses.dataclass(frozen=True)
class Scores:
    """What `evaluate` found. `print(scores)` shows it; `to_dict()` is for logs.

    Attributes:
        macro_f1: Mean of the F1 of all classes of the list, those without clips included.
        weighted_f1: Mean of the same, weighted by clips of the class.
        accuracy: Share of clips that are right.
        interval: Bounds of the bootstrap interval of macro-F1, or None.
        confidence: Share of resamples whose macro-F1 lies in the interval.
        unit: What was resampled: "clips" or "groups".
        names: Class names; the order of all that follows.
        precision, recall, f1: float64 of shape (n_classes,); 0 where undefined.
        support: int64 of shape (n_classes,): clips of each class.
        confusion: int64 of shape (n_classes, n_classes): rows are labels, columns predictions.
    """

    macro_f1: float
    weighted_f1: float
    accuracy: float
    interval: tuple[float, float] | None
    confidence: float
    unit: str
    names: tuple[str, ...]
    precision: npt.NDArray[np.float64]
    recall: npt.NDArray[np.float64]
    f1: npt.NDArray[np.float64]
    support: npt.NDArray[np.int64]
    confusion: npt.NDArray[np.int64]

    def to_dict(self) -> dict[str, float]:
        """Flat floats: `macro_f1`, `weighted_f1`, `accuracy`, and `f1_NAME` and so on per class."""
        scores = {name: float(getattr(self, name)) for name in _OVERALL}
        for metric in ("f1", "recall", "precision"):
            values = getattr(self, metric)
            scores |= {f"{metric}_{name}": float(v) for name, v in zip(self.names, values)}
        if self.interval is not None:
            scores["macro_f1_low"], scores["macro_f1_high"] = self.interval
        return scores

    def __str__(self) -> str:
        first = f"macro-F1 {self.macro_f1:.3f}"
        if self.interval is not None:
            low, high = self.interval
            first += f" ({self.confidence:.0%} interval {low:.3f} to {high:.3f}"
            first += f", resampling {self.unit})"
        lines = [first]
        lines.append(f"weighted F1 {self.weighted_f1:.3f}, accuracy {self.accuracy:.3f}")
        width = max(map(len, (*self.names, "class")))
        cells = [[str(count) for count in row] for row in self.confusion]
        short = _short_names(self.names)
        widths = [max(map(len, column)) for column in zip(short, *cells)]
        header = " ".join(name.rjust(w) for name, w in zip(short, widths))
        lines += ["", f"{'class':{width}}  precision  recall     F1  clips  {_PREDICTED}{header}"]
        for i, name in enumerate(self.names):
            predicted = " ".join(cell.rjust(w) for cell, w in zip(cells[i], widths))
            lines.append(
                f"{name:{width}}  {self.precision[i]:9.3f}  {self.recall[i]:6.3f}  "
                f"{self.f1[i]:5.3f}  {self.support[i]:5}  {'':{len(_PREDICTED)}}{predicted}"
            )
        return "\n".join(lines)


_PREDICTED = "predicted as "


def _short_names(names: Sequence[str]) -> list[str]:
    """The beginnings of names, of three letters or of as many as tell them apart."""
    longest = max(map(len, names))
    are_told = (n for n in range(3, longest) if len({name[:n] for name in names}) == len(names))
    length = next(are_told, longest)
    return [name[:length] for name in names]


_OVERALL = ("macro_f1", "weighted_f1", "accuracy")


def evaluate(
    labels: npt.ArrayLike,
    predictions: npt.ArrayLike,
    names: Sequence[str] | datasets.ClassLabel,
    *,
    groups: npt.ArrayLike | None = None,
    n_resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Scores:
    """Score predictions against labels.

    Classes are those of `names`, whatever occurs: one with neither labels nor predictions has
    F1 0 and counts in macro-F1, as with `labels=range(n), zero_division=0` in scikit-learn. So
    scores of different samples can be compared.

    The interval is that of the percentile bootstrap: draw as many clips again, with replacement,
    and score them. Clips of one source video are alike; `groups` draws whole videos instead, and
    the interval is wider and more honest. In resamples that miss a rare class its F1 is 0.

    Args:
        labels: Class ids, shape (n_clips,).
        predictions: Class ids, shape (n_clips,); -1 for none (an answer that is no class), which
            is wrong.
        names: The class list: `dataset.features["label"]`, or names in the order of the ids.
        groups: What to resample by, shape (n_clips,): for example `dataset["video_id"]`.
        n_resamples: Draws for the interval; 0 for no interval.
        confidence: Share of the resamples in the interval.
        seed: Seed of the draws.

    Returns:
        Scores: macro-F1 first.

    Raises:
        IndoMERError: No clips, lengths that differ, or ids that are not those of a class.

    Warns:
        RareClassWarning: A class has fewer than `FEW_CLIPS` clips.
    """
    from sklearn import metrics

    if isinstance(names, str):
        raise indomer.IndoMERError(
            f"names: expected a list of class names, or dataset.features['label'], got {names!r}."
        )
    names = tuple(names.names if isinstance(names, datasets.ClassLabel) else names)
    labels = _class_ids("labels", labels, range(len(names)))
    predictions = _class_ids("predictions", predictions, range(-1, len(names)))
    _check_lengths(labels=labels, predictions=predictions)
    support = np.bincount(labels, minlength=len(names))
    _warn_of_rare(names, support)
    scored = {"labels": np.arange(len(names)), "zero_division": 0}
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(
        labels, predictions, **scored
    )
    interval = None
    if n_resamples:
        units = np.arange(len(labels)) if groups is None else np.asarray(groups)
        _check_lengths(labels=labels, groups=units)
        draws = _resampled_macro_f1(labels, predictions, len(names), units, n_resamples, seed)
        interval = _middle(draws, confidence)
    return Scores(
        macro_f1=float(metrics.f1_score(labels, predictions, average="macro", **scored)),
        weighted_f1=float(metrics.f1_score(labels, predictions, average="weighted", **scored)),
        accuracy=float(metrics.accuracy_score(labels, predictions)),
        interval=interval,
        confidence=confidence,
        unit="clips" if groups is None else "groups",
        names=names,
        precision=precision,
        recall=recall,
        f1=f1,
        support=support,
        confusion=metrics.confusion_matrix(labels, predictions, labels=scored["labels"]),
    )


def _middle(draws: npt.NDArray[np.float64], share: float) -> tuple[float, float]:
    """Bounds between which this share of the draws lies, the same number on either side."""
    tail = (1 - share) / 2
    low, high = np.quantile(draws, [tail, 1 - tail])
    return float(low), float(high)


def compute_metrics(
    names: Sequence[str] | datasets.ClassLabel,
) -> Callable[[Any], dict[str, float]]:
    """Make the `compute_metrics` of a `transformers.Trainer`.

    Args:
        names: The class list, as in `evaluate`.

    Returns:
        A function of an `EvalPrediction` that gives `macro_f1`, `weighted_f1`, `accuracy` and the
        F1 of each class, as floats.
        Predictions are logits (n_clips, n_classes), class ids (n_clips,), or a tuple of outputs
        whose first is one of these. Clips whose label is -100 are left out. To keep the best
        checkpoint: `TrainingArguments(metric_for_best_model="macro_f1", ...)`.
    """

    def compute(evaluated: Any) -> dict[str, float]:
        labels, outputs = np.asarray(evaluated.label_ids), evaluated.predictions
        if isinstance(outputs, (tuple, list)):
            outputs = outputs[0]
        outputs = np.asarray(outputs)
        predictions = outputs.argmax(axis=-1) if outputs.ndim == 2 else outputs
        kept = labels != _IGNORED
        scores = evaluate(labels[kept], predictions[kept], names, n_resamples=0).to_dict()
        return {name: scores[name] for name in scores if name in _OVERALL or name[:3] == "f1_"}

    return compute


def _class_ids(what: str, values: npt.ArrayLike, allowed: range) -> npt.NDArray[np.int64]:
    """Ids as an array of shape (n_clips,), all in the range."""
    ids = np.asarray(values)
    if ids.ndim != 1 or not len(ids) or ids.dtype.kind not in "iu":
        raise indomer.IndoMERError(
            f"{what}: expected class ids of shape (n_clips,), at least one, got {ids.dtype} of "
            f"shape {ids.shape}."
        )
    outside = (ids < allowed.start) | (ids >= allowed.stop)
    if outside.any():
        raise indomer.IndoMERError(
            f"{what}: expected ids from {allowed.start} to {allowed.stop - 1}, got "
            f"{ids[outside][0]} (clip {outside.argmax()})."
        )
    return cast(npt.NDArray[np.int64], ids.astype(np.int64))


def _check_lengths(**arrays: npt.NDArray[Any]) -> None:
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        raise indomer.IndoMERError(f"Expected one of each for every clip, got {lengths}.")


def _warn_of_rare(names: Sequence[str], support: npt.NDArray[np.int64]) -> None:
    rare = [f"{name}: {count}" for name, count in zip(names, support) if count < FEW_CLIPS]
    if rare:
        warnings.warn(
            f"Classes with fewer than {FEW_CLIPS} clips ({', '.join(rare)}): each moves macro-F1 "
            f"by up to 1/{len(names)}, mostly by chance. Say so with the result.",
            RareClassWarning,
            stacklevel=3,
        )


def _resampled_macro_f1(
    labels: npt.NDArray[np.int64],
    predictions: npt.NDArray[np.int64],
    n_classes: int,
    units: npt.NDArray[Any],
    n_resamples: int,
    seed: int,
) -> npt.NDArray[np.float64]:
    """Macro-F1 of resampled clips, shape (n_resamples,).

    How often a unit is drawn times its confusion matrix, summed, is the confusion matrix of a
    resample: a product of matrices, where scoring each resample would take a second.
    """
    values, unit_ids = np.unique(units, return_inverse=True)
    # The last column is for predictions of no class.
    by_unit = np.zeros((len(values), n_classes, n_classes + 1))
    np.add.at(by_unit, (unit_ids, labels, predictions), 1)
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(len(values), np.full(len(values), 1 / len(values)), n_resamples)
    confusion = np.tensordot(drawn.astype(float), by_unit, 1)
    right = np.diagonal(confusion, axis1=1, axis2=2)
    # F1 = 2 right / (labelled so + predicted so), and 0 where nothing is.
    total = confusion.sum(axis=2) + confusion[:, :, :n_classes].sum(axis=1)
    return cast(npt.NDArray[np.float64], (2 * right / np.maximum(total, 1)).mean(axis=1))
