"""A program that trains with one framework, whole and stopped at batches of the third epoch.

    torchrun --nproc-per-node 2 -m tests.support.training_runs RELEASE OUT FRAMEWORK [CELL ...]

FRAMEWORK is one of `FRAMEWORKS`, or "share", to look at the ways of sharing alone. Each process
writes OUT/FRAMEWORK-RANK.json: cell -> what its model saw. A cell is a source and a number of
workers, such as "streamed-2". Starting takes longer than training: all are of one start.
"""

import contextlib
import json
import logging
import sys
import warnings
from pathlib import Path

import datasets
import torch

import indomer
from indomer_tools.train import LoaderMixin, PaddingCollator, eval_loader, train_loader

N_EPOCHS = 4
BATCH_SIZE = 3

# The third epoch.
STOPPED = 2


class Model(torch.nn.Module):
    """Keeps the names of clips that it saw; dropout shows whether random numbers are restored."""

    def __init__(self, seen, dropout=0.5):
        super().__init__()
        torch.manual_seed(0)
        self.head = torch.nn.Linear(673, 7)
        self.dropout = torch.nn.Dropout(dropout)
        self.seen = seen

    def forward(self, video_feature, video_mask, labels, sample_id, **_):
        self.seen[-1].append(list(sample_id))
        frames = (video_feature / 1000 * video_mask[..., None]).sum(1)
        logits = self.head(self.dropout(frames))
        return {"loss": torch.nn.functional.cross_entropy(logits, labels), "logits": logits}


def weights(model):
    """Of the model, exactly."""
    return [value.hex() for value in model.head.weight.detach().double().flatten()[:50].tolist()]


class Cell:
    """One source with one number of workers."""

    def __init__(self, release, cache_dir, name):
        source, n_workers = name.split("-")
        self.n_workers = int(n_workers)
        self.is_streamed = source == "streamed"
        self.train = indomer.load_dataset(
            "7_class",
            data_dir=release,
            split="train",
            streaming=self.is_streamed,
            cache_dir=cache_dir,
            trim_padding=True,
        )

    def loader(self, make=train_loader, **options):
        collate = PaddingCollator(keep=("sample_id",))
        options |= {"num_workers": self.n_workers, "collate_fn": collate}
        return make(self.train, BATCH_SIZE, **options)

    def count(self):
        """Batches of all epochs."""
        loader = self.loader()
        return [sum(1 for _ in loader) for _ in range(N_EPOCHS)]


# --- Frameworks -----------------------------------------------------------------------------------
#
# Each trains to the end, from the beginning or from a checkpoint. `save_at(epoch, n_batches)` gives
# where to save after a batch, or None. Returned are the names of the clips, epoch by epoch, batch
# by batch, and the weights in the end.


def plain(cell, folder, save_at, checkpoint):
    """PyTorch alone: DistributedDataParallel and torch.save."""
    seen, rank = [], 0
    model = Model(seen)
    wrapped = model
    if torch.distributed.is_initialized():
        rank = torch.distributed.get_rank()
        wrapped = torch.nn.parallel.DistributedDataParallel(model)
    optimizer = torch.optim.AdamW(model.parameters())
    loader = cell.loader()
    torch.manual_seed(rank)
    if checkpoint is not None:
        saved = torch.load(checkpoint / "all.pt")
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        loader.load_state_dict(saved["loader"])
        torch.set_rng_state(torch.load(checkpoint / f"random-{rank}.pt"))
    for epoch in range(loader.epoch, N_EPOCHS):
        seen.append([])
        for n_batches, batch in enumerate(loader, 1):
            wrapped(**batch)["loss"].backward()
            optimizer.step()
            optimizer.zero_grad()
            if place := save_at(epoch, n_batches):
                place.mkdir(parents=True, exist_ok=True)
                torch.save(torch.get_rng_state(), place / f"random-{rank}.pt")
                if rank == 0:
                    parts = {"model": model, "optimizer": optimizer, "loader": loader}
                    states = {name: part.state_dict() for name, part in parts.items()}
                    torch.save(states, place / "all.pt")
    return seen, weights(model)


def accelerate(cell, folder, save_at, checkpoint):
    """accelerate, whose `prepare` gets the loader, too."""
    from accelerate import Accelerator, __version__

    accelerator = Accelerator(cpu=True)
    seen, loader = [], cell.loader()
    # Random numbers that 0.34 saves are not loaded by torch 2.6 and newer, without a word.
    model = Model(seen, dropout=0 if __version__.startswith("0.") else 0.5)
    wrapped, optimizer, prepared = accelerator.prepare(
        model, torch.optim.AdamW(model.parameters()), loader
    )
    accelerator.register_for_checkpointing(prepared)
    torch.manual_seed(accelerator.process_index)
    if checkpoint is not None:
        accelerator.load_state(str(checkpoint))
    for epoch in range(loader.epoch, N_EPOCHS):
        seen.append([])
        for n_batches, batch in enumerate(prepared, 1):
            with accelerator.accumulate(wrapped):
                accelerator.backward(wrapped(**batch)["loss"])
                optimizer.step()
                optimizer.zero_grad()
            if place := save_at(epoch, n_batches):
                accelerator.save_state(str(place))
    accelerator.wait_for_everyone()
    accelerator.free_memory()
    return seen, weights(model)


def trainer(cell, folder, save_at, checkpoint):
    """The Trainer of transformers."""
    import transformers

    class ClipTrainer(LoaderMixin, transformers.Trainer):
        pass

    class Epochs(transformers.TrainerCallback):
        def on_epoch_begin(self, args, state, control, **_):
            seen.append([])

    transformers.utils.logging.set_verbosity_error()
    seen = []
    limit = {"num_train_epochs": N_EPOCHS}
    if cell.is_streamed:
        limit = {"max_steps": sum(cell.count())}
    out = folder / "checkpoints"
    arguments = transformers.TrainingArguments(
        str(out) if checkpoint is None else str(folder / "resumed"),
        use_cpu=True,
        save_strategy="steps" if checkpoint is None else "no",
        save_steps=1,
        per_device_train_batch_size=BATCH_SIZE,
        disable_tqdm=True,
        report_to=[],
        logging_strategy="no",
        **limit,
    )
    loader = cell.loader()
    model = Model(seen)
    made = ClipTrainer(model, arguments, loader=loader, callbacks=[Epochs()])
    made.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
    return seen, weights(model)


def lightning(cell, folder, save_at, checkpoint):
    """Lightning, with the data module of `examples/`."""
    import pytorch_lightning as pl

    from examples.lightning_data import ClipData

    class Module(pl.LightningModule):
        def __init__(self):
            super().__init__()
            # Lightning does not keep random numbers.
            self.model = Model(seen, dropout=0)

        def on_train_epoch_start(self):
            seen.append([])

        def training_step(self, batch, _):
            return self.model(**batch)["loss"]

        def configure_optimizers(self):
            return torch.optim.AdamW(self.parameters())

    class Save(pl.Callback):
        def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
            if place := save_at(trainer.current_epoch, batch_idx + 1):
                trainer.save_checkpoint(place / "all.ckpt")

    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    seen = []
    is_shared = torch.distributed.is_initialized()
    module = Module()
    made = pl.Trainer(
        accelerator="cpu",
        devices=torch.distributed.get_world_size() if is_shared else 1,
        strategy="ddp" if is_shared else "auto",
        max_epochs=N_EPOCHS,
        # Both ways are the same: alternate.
        use_distributed_sampler=cell.n_workers == 0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[Save()],
    )
    if checkpoint is not None:
        seen.append([])
    made.fit(
        module,
        datamodule=ClipData(train=cell.loader()),
        ckpt_path=None if checkpoint is None else str(checkpoint / "all.ckpt"),
    )
    return [epoch for epoch in seen if epoch], weights(module.model)


FRAMEWORKS = {run.__name__: run for run in (plain, accelerate, trainer, lightning)}


# --- Whole and stopped ----------------------------------------------------------------------------


def run_cell(train, cell, folder, n_stops):
    """What was seen without a stop, and after each stop."""
    places = {}

    def save_at(epoch, n_batches):
        if epoch != STOPPED:
            return None
        return places.setdefault(n_batches, folder / f"stop-{n_batches}")

    seen, end = train(cell, folder, save_at, None)
    if train is trainer:
        n_before = sum(map(len, seen[:STOPPED]))
        places = {
            n_batches: folder / "checkpoints" / f"checkpoint-{n_before + n_batches}"
            for n_batches in range(1, len(seen[STOPPED]) + 1)
        }
    stops = sorted(places)
    chosen = {stops[i * (len(stops) - 1) // (n_stops - 1)] for i in range(n_stops)}
    resumed = {}
    for n_batches in sorted(chosen):
        wait()
        rest, end_of_rest = train(cell, folder, lambda *_: None, places[n_batches])
        resumed[n_batches] = {"seen": rest, "is_same_model": end_of_rest == end}
    return {"seen": seen, "resumed": resumed}


def share(cell):
    """Each way of sharing an epoch -> the names in each batch of two epochs."""
    ways = {even: cell.loader(even=even) for even in ("repeat", "drop", "none")}
    ways["fill"] = cell.loader(eval_loader)
    return {
        way: [[batch["sample_id"] for batch in loader] for _ in range(2)]
        for way, loader in ways.items()
    }


def wait():
    if torch.distributed.is_initialized():
        torch.distributed.barrier()


def main(release, out, framework, *names):
    datasets.disable_progress_bars()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    if torch.distributed.is_torchelastic_launched():
        torch.distributed.init_process_group("gloo")
    rank = torch.distributed.get_rank() if torch.distributed.is_initialized() else 0
    out = Path(out)
    found = {}
    for name in names:
        if rank == 0:
            Cell(release, out / "cache", name)
        wait()
        cell = Cell(release, out / "cache", name)
        if framework == "share":
            found[name] = share(cell)
            continue
        n_stops = 2 if cell.n_workers else 5
        with contextlib.redirect_stdout(sys.stderr):
            found[name] = run_cell(FRAMEWORKS[framework], cell, out / framework / name, n_stops)
    (out / f"{framework}-{rank}.json").write_text(json.dumps(found), encoding="utf-8")
    wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
