"""Batches of clips: frames padded to the longest clip, masks of what is true, labels, tokens.

    loader = torch.utils.data.DataLoader(
        indomer_tools.torch_dataset(train), batch_size=16, shuffle=True,
        collate_fn=indomer_tools.PaddingCollator(),
    )

torch is imported when a batch is made.
"""

import collections
import math
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

import indomer
from indomer_files.schema import FEATURE_DIMS, LABEL_COLUMNS, feature_modalities
from indomer_tools.train.statistics import FeatureStatistics
from indomer_tools.train.torch_data import ClipBatch, table_columns

if TYPE_CHECKING:
    import torch

_ShiftAndScale = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]

# Labels that PyTorch's losses pass over: the default of their `ignore_index`.
NO_LABEL = -100


class PaddingCollator:
    """Make one batch of examples; a `collate_fn` for `DataLoader` and `transformers.Trainer`.

    Examples are those of a prepared or streamed dataset, trimmed or padded, in the default format
    or as `with_format` gives them ("numpy", "torch", "arrow"), and those of `torch_dataset`, which
    are the fastest. Whatever the form, only true frames come into the batch: those before
    `video_length` and `audio_length`, or, where these columns are gone, before the trailing
    all-zero frames.

    A batch is a dict of contiguous tensors, with B clips, and T the frames of the longest one:

    ==================================== ================ ========== ============================
    key                                  shape            dtype      from
    ==================================== ================ ========== ============================
    ``video_feature``                    (B, T_v, 673)    float32    the column; 0 after the clip
    ``video_mask``                       (B, T_v)         bool       True on true frames
    ``video_length``                     (B,)             int64      true frames; with `lengths`
    ``audio_feature``, and so on         (B, T_a, 18)     the same   the same
    ``clip_feature``, and so on          (B, T, D)        the same   a modality of one's own
    ``labels``                           (B,)             int64      `label`
    ``emotion`` and other label columns  (B,)             int64      the column
    ``input_ids``, ...                   (B, tokens)      int64      the tokenizer, from `text`
    ==================================== ================ ========== ============================

    A column that examples do not have makes no key. A clip without features has a mask that is all
    False. T is 1 at least, since few layers take a sequence of no frames. A label that is not
    known is -100, which the losses of PyTorch pass over. Other columns, such as strings, are left
    out, because a Trainer passes all it gets to the model: see `keep`.

    Args:
        pad_to_multiple_of: Round T up to a multiple of this.
        tokenizer: A tokenizer of transformers, called on the transcripts of a batch.
        replace_nonfinite: Replace NaN and infinities by 0. They are kept otherwise.
        normalize: What `feature_statistics` counted over train: from each column, its mean is
            subtracted, and it is divided by its standard deviation. Padding stays 0.
        keep: Columns to return as lists, such as ("sample_id",).
        lengths: Return numbers of true frames, too. A Trainer passes them to the model.
        video_dim: Values that a video frame must have; by default all of a batch have as many.
        audio_dim: The same of audio.
        dims: The same of modalities of one's own: modality -> values.

    Raises:
        IndoMERError: An option that makes no sense. When called: frames of another shape, or a
            column that is not there.
    """

    def __init__(
        self,
        pad_to_multiple_of: int | None = None,
        tokenizer: Callable[..., Mapping[str, Any]] | None = None,
        replace_nonfinite: bool = False,
        *,
        normalize: FeatureStatistics | None = None,
        keep: Sequence[str] = (),
        lengths: bool = False,
        video_dim: int | None = None,
        audio_dim: int | None = None,
        dims: Mapping[str, int] | None = None,
    ) -> None:
        if pad_to_multiple_of is not None and pad_to_multiple_of < 1:
            raise indomer.IndoMERError(
                f"pad_to_multiple_of: expected 1 or more, got {pad_to_multiple_of!r}."
            )
        if isinstance(keep, str):
            raise indomer.IndoMERError(
                f"keep: expected names of columns, got the text {keep!r}. Pass ({keep!r},)."
            )
        if tokenizer is not None and not callable(tokenizer):
            raise indomer.IndoMERError(
                f"tokenizer: expected a tokenizer, got {tokenizer!r}. Pass what "
                "transformers.AutoTokenizer.from_pretrained(NAME) returns."
            )
        self.pad_to_multiple_of = pad_to_multiple_of or 1
        self.tokenizer = tokenizer
        self.replace_nonfinite = replace_nonfinite
        if normalize is not None and not isinstance(normalize, FeatureStatistics):
            raise indomer.IndoMERError(
                f"normalize: expected what feature_statistics gives, got {normalize!r}. Pass "
                "indomer_tools.feature_statistics(train)."
            )
        self._shifts = {name: one.shift_and_scale for name, one in (normalize or {}).items()}
        self.keep = tuple(keep)
        self.lengths = lengths
        given = {"video": video_dim, "audio": audio_dim, **(dims or {})}
        self.dims = {modality: dim for modality, dim in given.items() if dim is not None}
        # Widths to give clips without frames, where a batch has no others.
        self._last_dims = {**FEATURE_DIMS, **self.dims}
        self._memory = collections.defaultdict[str, _Memory](_Memory)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_memory": collections.defaultdict(_Memory)}

    def __call__(self, examples: Sequence[Any]) -> dict[str, Any]:
        import torch

        if isinstance(examples, ClipBatch):
            examples = examples.take_views()
        examples = [_as_mapping(example) for example in examples]
        columns = examples[0].keys()
        batch: dict[str, Any] = {}
        for modality in feature_modalities(columns):
            batch |= self._padded(modality, examples)
        for column in ("label", *LABEL_COLUMNS):
            if column in columns:
                ids = [_as_int(example[column]) for example in examples]
                labels = torch.tensor([NO_LABEL if i is None else i for i in ids])
                batch["labels" if column == "label" else column] = labels
        if self.tokenizer is not None:
            texts = _column(examples, "text", "tokenizer")
            batch |= self.tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
        return batch | {column: _column(examples, column, "keep") for column in self.keep}

    def _padded(self, modality: str, examples: list[Mapping[str, Any]]) -> dict[str, Any]:
        """The features of one modality, and their mask."""
        import torch

        clips = [self._true_frames(modality, example) for example in examples]
        dim = self._width(modality, clips, examples)
        lengths = np.array([len(clip) for clip in clips])
        multiple = self.pad_to_multiple_of
        n_frames = math.ceil(max(1, lengths.max()) / multiple) * multiple
        shape = len(clips), n_frames, dim
        normalization = self._normalization(modality, dim)
        padded, is_zero = self._memory[modality].take(shape)
        # numpy, here and for the mask: torch would start threads, which are slower than the work
        # itself wherever other processes keep the cores busy.
        for row, clip in zip(padded.numpy(), clips):
            frames = row[: len(clip)]
            if len(clip):
                frames[:] = clip
            if not is_zero:
                row[len(clip) :] = 0
            if normalization is not None:
                shift, scale = normalization
                frames -= shift
                frames *= scale
            if self.replace_nonfinite:
                frames[~np.isfinite(frames)] = 0
        mask = torch.from_numpy(np.arange(n_frames) < lengths[:, None])
        batch = {f"{modality}_feature": padded, f"{modality}_mask": mask}
        if self.lengths:
            batch[f"{modality}_length"] = torch.from_numpy(lengths)
        return batch

    def _normalization(self, modality: str, dim: int) -> "_ShiftAndScale | None":
        if not self._shifts:
            return None
        if modality not in self._shifts:
            raise indomer.IndoMERError(
                f"normalize has statistics of {', '.join(self._shifts)}, and none of {modality}. "
                "Count them over a split that has all modalities of these examples."
            )
        found = self._shifts[modality]
        if len(found[0]) != dim:
            raise indomer.IndoMERError(
                f"{modality}_feature: normalize was counted over frames of {len(found[0])} values, "
                f"these have {dim}. Count it over the features that you train on."
            )
        return found

    def _true_frames(self, modality: str, example: Mapping[str, Any]) -> npt.NDArray[Any]:
        """The frames of one clip without its padding, of shape (T, D)."""
        frames = _as_array(example[f"{modality}_feature"])
        if frames.ndim != 2 or not len(frames):
            return frames
        length = _as_int(example.get(f"{modality}_length"))
        if length is not None:
            return frames[:length]
        # Looked for only where the last frame is 0: it takes a pass over the frames.
        return frames if frames[-1].any() else frames[: indomer.true_length(frames)]

    def _width(
        self,
        modality: str,
        clips: Sequence[npt.NDArray[Any]],
        examples: Sequence[Mapping[str, Any]],
    ) -> int:
        """D of all clips of a batch."""
        dim = self.dims.get(modality)
        for clip, example in zip(clips, examples):
            if not len(clip):
                continue
            if dim is None and clip.ndim == 2:
                dim = clip.shape[1]
            if clip.ndim != 2 or clip.shape[1] != dim:
                expected = f"(T, {'D' if dim is None else dim})"
                raise indomer.IndoMERError(
                    f"{example.get('sample_id', 'a clip')}, {modality}_feature: expected shape "
                    f"{expected}, as asked for or as other clips of the batch have it, found "
                    f"{clip.shape}. Load features of one width."
                )
        if dim is None and (dim := self._last_dims.get(modality)) is None:
            raise indomer.IndoMERError(
                f"{modality}_feature: no clip of the batch has frames, which would tell how many "
                f"values they have. Say so: PaddingCollator(dims={{{modality!r}: ...}})."
            )
        self._last_dims[modality] = dim
        return dim


class _Memory:
    """Memory for batches, used again when nothing looks at it any more.

    The system gives new memory page by page and zeroed, which costs as much time as filling it. So
    that of two batches is kept here.
    """

    def __init__(self) -> None:
        self._free: list[npt.NDArray[np.float32]] = []

    def take(self, shape: tuple[int, ...]) -> "tuple[torch.Tensor, bool]":
        """A float32 tensor and whether it is all 0; in a worker of a `DataLoader`, shared."""
        import torch

        n_values = math.prod(shape)
        if torch.utils.data.get_worker_info() is not None:
            # What torch's own collate does: what lies in shared memory is not copied on its way to
            # the main process. The system gives it zeroed.
            new_shared: Any = torch.UntypedStorage._new_shared
            return torch.empty(0).set_(new_shared(4 * n_values)).view(shape), True
        try:
            memory = self._free.pop()
        except IndexError:
            memory = np.empty(0, np.float32)
        if len(memory) < n_values:
            # A little more, for the batch that is a little longer.
            memory = np.empty(n_values * 9 // 8, np.float32)
        batch = memory[:n_values].reshape(shape)
        # The tensor, and whatever is made of it, keeps this array alive; nothing else does.
        weakref.finalize(batch, self._give_back, memory).atexit = False
        return torch.from_numpy(batch), False

    def _give_back(self, memory: npt.NDArray[np.float32]) -> None:
        if len(self._free) < 2:
            self._free.append(memory)


def _as_mapping(example: Mapping[str, Any] | pa.Table) -> Mapping[str, Any]:
    if isinstance(example, pa.Table):  # as with_format("arrow") gives it: a table of one row
        return {column: values[0] for column, values in table_columns(example).items()}
    mapping: Mapping[str, Any] = example
    return mapping


def _as_array(value: Any) -> npt.NDArray[Any]:
    """Frames in any form as an array; of shape (0,) where there are none."""
    if not isinstance(value, np.ndarray):
        try:
            value = value.numpy() if hasattr(value, "numpy") else np.asarray(value, np.float32)
        except (TypeError, ValueError) as error:
            raise indomer.IndoMERError(
                f"expected frames of the same number of values each: {error}."
            ) from error
    # `datasets` makes NaN of an array that is null.
    return value if value.ndim else np.empty(0, np.float32)


def _as_int(value: Any) -> int | None:
    """A whole number, or None where `datasets` has None or made NaN of it."""
    return None if value is None or value != value else int(value)


def _column(examples: list[Mapping[str, Any]], column: str, option: str) -> list[Any]:
    if column not in examples[0]:
        raise indomer.IndoMERError(
            f"PaddingCollator({option}=...) needs the column {column!r}; examples have "
            f"{', '.join(examples[0])}. A Trainer drops columns that its model does not take: "
            "pass remove_unused_columns=False."
        )
    values = [example[column] for example in examples]
    # Frames may be views of a table, which nobody should be able to write to.
    return [np.array(value) if _is_view(value) else value for value in values]


def _is_view(value: Any) -> bool:
    return isinstance(value, np.ndarray) and not value.flags.writeable
