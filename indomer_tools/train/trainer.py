"""The Trainer of transformers with a `train_loader`.

class ClipTrainer(LoaderMixin, transformers.Trainer):
    pass

trainer = ClipTrainer(model, arguments, loader=train_loader(train, 16, collate_fn=collate))
trainer.train(resume_from_checkpoint=True)
"""

import warnings
from typing import Any

from indomer_tools.train.loader import ClipLoader


class LoaderMixin:
    """A base of a Trainer, before `transformers.Trainer`: it trains on the batches of `loader`.

    A Trainer counts the batches of an epoch, and begins a resumed one by skipping those before:
    with a prepared split that is all it takes. Of a stream the number is not known: `max_steps` has
    to be set, and the loader's place is kept in the checkpoint.

    Args:
        loader: What `train_loader` made. A Trainer passes all keys of a batch to the model: give it
            the collate function that the Trainer evaluates with.
        args, options: As for the Trainer; `train_dataset` is not needed.
    """

    def __init__(self, *args: Any, loader: ClipLoader, **options: Any) -> None:
        super().__init__(*args, **options)
        self.loader = loader
        if loader.is_streamed:
            trainer: Any = self
            # Skipping as many batches as there were steps would pass over several epochs.
            trainer.args.ignore_data_skip = True
            trainer.add_callback(_place_keeper(loader))

    def get_train_dataloader(self) -> Any:
        """The loader: it is shared out already, and the Trainer moves the batches."""
        return self.loader


def _place_keeper(loader: ClipLoader) -> Any:
    """A callback that keeps the loader's place in the state of the Trainer."""
    from transformers import TrainerCallback
    from transformers.trainer_callback import ExportableState

    class LoaderPlace(TrainerCallback, ExportableState):
        def state(self) -> dict[str, Any]:
            return {"args": {}, "attributes": loader.state_dict()}

        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            saved = state.stateful_callbacks.setdefault(type(self).__name__, self.state())
            if state.global_step == 0:
                return
            if saved["attributes"] == loader.state_dict():
                warnings.warn(
                    "The checkpoint does not hold the loader's place: the stream begins again. "
                    "Save checkpoints by a Trainer with LoaderMixin.",
                    stacklevel=2,
                )
            loader.load_state_dict(saved["attributes"])

    return LoaderPlace()
