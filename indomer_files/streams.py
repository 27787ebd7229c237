"""Streams that go on after a stop: those of `datasets`, with the traps of their states covered.

A stream of `datasets` that was given a state begins every later pass there, passes over a state of
another epoch without a word, and gives nothing for ever after one that was saved at an epoch's end.
"""

import functools
import inspect
import multiprocessing
import types
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import datasets


class ClipStream(datasets.IterableDataset):
    """A stream whose passes, but for the first after `load_state_dict`, are whole epochs."""

    # Whether a pass was begun in this process.
    _is_begun = False

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """As in `datasets`; a state of another epoch makes that the epoch of the next pass."""
        epoch = state_dict.get("epoch")
        if epoch is not None and epoch != self.epoch:
            self.set_epoch(epoch)
        super().load_state_dict(state_dict)

    def state_dict(self) -> dict[str, Any]:
        """As in `datasets`; warns where it is other processes that read."""
        if not self._is_begun and (n_others := len(multiprocessing.active_children())):
            warnings.warn(
                f"state_dict: this process has read nothing of the stream, and started {n_others} "
                "others. What workers of a DataLoader have read is not in this state: use "
                "indomer_tools.train_loader, or torchdata's StatefulDataLoader.",
                stacklevel=2,
            )
        state: dict[str, Any] = super().state_dict()
        return state

    def __iter__(self) -> Iterator[Any]:
        return self._passed(super().__iter__())

    def iter(self, batch_size: int, drop_last_batch: bool = False) -> Iterator[Any]:
        """As in `datasets`."""
        return self._passed(super().iter(batch_size, drop_last_batch))

    def _passed(self, examples: Iterator[Any]) -> Iterator[Any]:
        """One pass; a state that it began with is used up at its end."""
        self._is_begun = True
        state: Any = getattr(self, "_starting_state_dict", None)
        is_empty = True
        for example in examples:
            is_empty = False
            yield example
        if state is None or getattr(self, "_starting_state_dict", None) is not state:
            return
        self._starting_state_dict: Any = None
        if is_empty:
            warnings.warn(
                "The state that was loaded is that of an epoch's end: nothing was left of it. The "
                "next pass is a whole epoch.",
                stacklevel=2,
            )


def clip_stream(stream: Any) -> Any:
    """The same stream, or dict of streams, as `ClipStream`."""
    if isinstance(stream, dict):
        for split, part in stream.items():
            stream[split] = clip_stream(part)
    elif type(stream) is datasets.IterableDataset:
        stream.__class__ = ClipStream
    return stream


def _kept(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method of streams that makes another stream; of these, one of these."""

    @functools.wraps(method)
    def make(self: ClipStream, *args: Any, **options: Any) -> Any:
        return clip_stream(method(self, *args, **options))

    return make


def _makes_a_stream(method: object) -> bool:
    if not isinstance(method, types.FunctionType):
        return False
    returned = inspect.signature(method).return_annotation
    return returned in ("IterableDataset", datasets.IterableDataset)


for _name, _method in vars(datasets.IterableDataset).items():
    if not _name.startswith("_") and _makes_a_stream(_method):
        setattr(ClipStream, _name, _kept(_method))
