"""Clips for Lightning: a data module around `train_loader` and `eval_loader`.

    from indomer_tools import eval_loader, train_loader

    data = ClipData(train=train_loader(train, 16), validation=eval_loader(validation, 16))
    pytorch_lightning.Trainer(devices=2, strategy="ddp").fit(module, datamodule=data)

The loaders share out the clips, with `use_distributed_sampler` or without, and checkpoints hold
their place: `fit(..., ckpt_path="last")` goes on with the batch after it.
"""

import pytorch_lightning


class ClipData(pytorch_lightning.LightningDataModule):
    """The loaders of a run, for `fit`, `validate` and `predict`."""

    def __init__(self, train=None, validation=None):
        super().__init__()
        self.train, self.validation = train, validation

    def train_dataloader(self):
        return self.train

    def val_dataloader(self):
        return self.validation if self.validation is not None else []

    predict_dataloader = val_dataloader

    def on_before_batch_transfer(self, batch, dataloader_idx):
        # Of a stream, Lightning has fetched one more batch than it has trained with.
        if self.trainer.training:
            self.train.used(batch)
        return batch
