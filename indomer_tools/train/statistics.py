"""Mean and standard deviation of features: counted once over train, used wherever a model reads.

statistics = indomer_tools.feature_statistics(train)
collate = indomer_tools.PaddingCollator(normalize=statistics)
"""

import dataclasses
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import numpy.typing as npt

import indomer
from indomer_files.schema import feature_modalities
from indomer_tools.train.torch_data import ClipBatch, torch_dataset

# Rows that are looked at together.
_BATCH_ROWS = 32


@dataclasses.dataclass(frozen=True)
class ColumnStatistics:
    """Of the columns of one modality, over true frames.

    Args:
        mean, std: Float64, (D,); the standard deviation is that of all frames (`ddof=0`). NaN for a
            column without a number.
        n_frames: How many frames there are.
        n_not_finite: Values that are NaN or infinite, (D,); they are left out.
    """

    mean: npt.NDArray[np.float64]
    std: npt.NDArray[np.float64]
    n_frames: int
    n_not_finite: npt.NDArray[np.int64]

    @property
    def shift_and_scale(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Float32, (D,): what to subtract, and what to multiply by then.

        A column of one value becomes 0, one without a number stays as it is.
        """
        shift = np.where(np.isfinite(self.mean), self.mean, 0)
        is_scaled = np.isfinite(self.std) & (self.std > 0)
        scale = np.where(is_scaled, 1 / np.where(is_scaled, self.std, 1), 1)
        return shift.astype(np.float32), scale.astype(np.float32)


class FeatureStatistics(Mapping[str, ColumnStatistics]):
    """Modality -> `ColumnStatistics`; can be saved beside a model and loaded where it is used."""

    def __init__(self, by_modality: Mapping[str, ColumnStatistics]) -> None:
        self._by_modality = dict(by_modality)

    def __getitem__(self, modality: str) -> ColumnStatistics:
        return self._by_modality[modality]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_modality)

    def __len__(self) -> int:
        return len(self._by_modality)

    def __repr__(self) -> str:
        parts = [f"{name}: {one.n_frames:,} frames" for name, one in self.items()]
        return f"FeatureStatistics({', '.join(parts)})"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write them as JSON; numbers come back bit for bit."""
        values = {
            name: {
                "mean": [None if np.isnan(one) else one for one in columns.mean.tolist()],
                "std": [None if np.isnan(one) else one for one in columns.std.tolist()],
                "n_frames": columns.n_frames,
                "n_not_finite": columns.n_not_finite.tolist(),
            }
            for name, columns in self.items()
        }
        Path(path).write_text(json.dumps(values, allow_nan=False) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "FeatureStatistics":
        """Read what `save` wrote.

        Raises:
            IndoMERError: It is something else.
        """
        try:
            values = json.loads(Path(path).read_text(encoding="utf-8"))
            return cls(
                {
                    name: ColumnStatistics(
                        np.array(one["mean"], np.float64),
                        np.array(one["std"], np.float64),
                        int(one["n_frames"]),
                        np.array(one["n_not_finite"], np.int64),
                    )
                    for name, one in values.items()
                }
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise indomer.IndoMERError(
                f"{os.fspath(path)}: expected what FeatureStatistics.save writes: {error!r}."
            ) from error


def feature_statistics(dataset: Any) -> FeatureStatistics:
    """Mean and standard deviation of each column of features, over the true frames of a split.

    One pass, with the memory of a few clips. Take train alone: what is known of validation must not
    be learned from.

    Args:
        dataset: A `Dataset` or `IterableDataset` of clips, prepared or streamed, trimmed or padded.

    Returns:
        FeatureStatistics: Of every modality that it has features of.

    Raises:
        IndoMERError: It is no split, has no features, or clips of different widths.
    """
    sums: dict[str, _Sums] = {}
    for example in _examples(dataset):
        for modality in feature_modalities(example):
            frames = np.asarray(example[f"{modality}_feature"], np.float32)
            length = example.get(f"{modality}_length")
            n_true = indomer.true_length(frames) if length is None else int(length)
            if n_true:
                name = example.get("sample_id", "a clip")
                sums.setdefault(modality, _Sums()).add(f"{name}, {modality}", frames[:n_true])
    if not sums:
        raise indomer.IndoMERError(
            "feature_statistics: no clip has frames. Load the split with features: "
            "modalities=('audio', 'video')."
        )
    return FeatureStatistics({name: one.statistics() for name, one in sums.items()})


def _examples(dataset: Any) -> Iterator[Mapping[str, Any]]:
    clips = torch_dataset(dataset)
    if isinstance(clips, datasets.IterableDataset):
        yield from clips
        return
    for start in range(0, len(clips), _BATCH_ROWS):
        batch: ClipBatch = clips.__getitems__(range(start, min(start + _BATCH_ROWS, len(clips))))
        # Views of the table: nothing here writes to them.
        yield from batch.take_views()


class _Sums:
    """Sums over frames, around the first clip's means: far from 0, squares would lose digits."""

    def __init__(self) -> None:
        self._n_frames = 0

    def add(self, where: str, frames: npt.NDArray[np.float32]) -> None:
        values = frames.astype(np.float64)
        is_finite = np.isfinite(values)
        is_whole = bool(is_finite.all())
        if not is_whole:
            values[~is_finite] = np.nan
        if not self._n_frames:
            dim = values.shape[1]
            first = np.where(is_finite, values, 0).sum(axis=0) / np.maximum(
                is_finite.sum(axis=0), 1
            )
            self._centre, self._sum, self._squares = first, np.zeros(dim), np.zeros(dim)
            self._n_not_finite = np.zeros(dim, np.int64)
        if values.shape[1] != len(self._centre):
            raise indomer.IndoMERError(
                f"{where}_feature: expected {len(self._centre)} values a frame, as other clips "
                f"have, found {values.shape[1]}. Load features of one width."
            )
        self._n_frames += len(values)
        values -= self._centre
        if not is_whole:
            self._n_not_finite += (~is_finite).sum(axis=0)
            values[~is_finite] = 0
        self._sum += values.sum(axis=0)
        self._squares += np.einsum("ij,ij->j", values, values)

    def statistics(self) -> ColumnStatistics:
        n = (self._n_frames - self._n_not_finite).astype(np.float64)
        n[n == 0] = np.nan
        offset = self._sum / n
        # Rounding may leave less than nothing of a column of one value.
        variance = np.maximum(self._squares / n - offset**2, 0)
        return ColumnStatistics(
            self._centre + offset, np.sqrt(variance), self._n_frames, self._n_not_finite
        )
