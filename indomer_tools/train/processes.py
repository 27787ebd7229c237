"""The processes that train together: which one this is, and when they end an epoch."""

import os
import sys
from typing import Any

import indomer


def find_process(rank: int | None = None, world_size: int | None = None) -> tuple[int, int]:
    """Number of this process and how many there are.

    What is given counts first, then `torch.distributed`, then accelerate, where they run. What
    torchrun says does not count by itself: processes that do not talk to each other train a model
    each, and should not have a part of the clips each.

    Raises:
        IndoMERError: Only one of the two is given, or they make no sense.
    """
    if rank is None and world_size is None:
        return _running_process()
    if rank is None and world_size == 1:
        rank = 0
    if rank is None or world_size is None or not 0 <= rank < world_size:
        raise indomer.IndoMERError(
            f"expected both rank and world_size, 0 <= rank < world_size, got {rank} and "
            f"{world_size}. Leave them out where torch.distributed or accelerate run."
        )
    return rank, world_size


def _running_process() -> tuple[int, int]:
    if is_distributed():
        import torch

        return torch.distributed.get_rank(), torch.distributed.get_world_size()
    if "accelerate" in sys.modules:
        from accelerate.state import PartialState

        # Empty until something has made one; making one here would choose its options.
        if PartialState._shared_state:
            state = PartialState()
            return state.process_index, state.num_processes
    return 0, 1


def n_launched() -> int:
    """Processes that torchrun has started."""
    return int(os.environ.get("WORLD_SIZE", 1))


def is_distributed() -> bool:
    """Whether `torch.distributed` runs."""
    import torch

    return torch.distributed.is_available() and torch.distributed.is_initialized()


class Agreement:
    """All processes find out whether any of them, or each of them, has a batch left.

    A group of its own, so that nothing comes between the collectives of a model; and on CPUs,
    where waiting does not stop a GPU.
    """

    def __init__(self) -> None:
        import torch

        if not is_distributed():
            raise indomer.IndoMERError(
                "Processes that share a stream end an epoch together through torch.distributed, "
                "which does not run. Call torch.distributed.init_process_group first, or pass "
                'even="none": each process then ends when its clips do.'
            )
        self._group = torch.distributed.new_group(backend="gloo")

    def any(self, value: bool) -> bool:
        """Whether it is true in some process."""
        return self._reduce(value, "MAX")

    def all(self, value: bool) -> bool:
        """Whether it is true in each process."""
        return self._reduce(value, "MIN")

    def _reduce(self, value: bool, operation: str) -> bool:
        import torch

        flag = torch.tensor(int(value))
        reduce_op: Any = getattr(torch.distributed.ReduceOp, operation)
        torch.distributed.all_reduce(flag, reduce_op, group=self._group)
        return bool(flag)
