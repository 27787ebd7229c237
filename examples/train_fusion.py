"""Train a small model of text, audio and video, with the Trainer of transformers.

    python examples/train_fusion.py DATA_DIR --config 7_class --out runs/fusion
    python examples/train_fusion.py DATA_DIR --out runs/text --modalities text
    python examples/train_fusion.py DATA_DIR --out runs/own --feature-files audio=own.npz
    python examples/train_fusion.py DATA_DIR --out runs/fusion --resume      # after an interruption
    torchrun --nproc-per-node 2 examples/train_fusion.py DATA_DIR --out runs/fusion
    python examples/train_fusion.py DATA_DIR --out runs/folds --folds 5      # train alone
    python examples/train_fusion.py DATA_DIR --out runs/indobert --text-model NAME_OR_FOLDER

Needs torch, transformers, accelerate and scikit-learn. Without `--modalities`, it takes what the
release has features for: of the public files, text alone.

The last epoch is what counts. To choose settings, compare them by `--folds`, which leaves
validation alone: it scores each clip of train with a model that has not seen its source video.
"""

import argparse
import json
import os
import sys
from pathlib import Path

import numpy as np
import tokenizers
import torch
import transformers
from torch import nn

import indomer
from indomer_tools.arguments import FeatureFilesAction, join_values, several_of
from indomer_tools.train import (
    LoaderMixin,
    PaddingCollator,
    class_weights,
    group_folds,
    torch_dataset,
    train_loader,
)
from indomer_tools.train.metrics import compute_metrics, evaluate

# --- The model ----------------------------------------------------------------------------------


class FusionConfig(transformers.PretrainedConfig):
    """Widths, classes and their weights in the loss; `text_config` is that of the text encoder.

    `frame_dims` are pairs of a modality and the values of its frames.
    """

    model_type = "indomer-fusion"
    sub_configs = {"text_config": transformers.AutoConfig}

    def __init__(
        self,
        text_config=None,
        class_weights=(1.0, 1.0),
        frame_dims=(),
        hidden_size=64,
        dropout=0.2,
        **kwargs,
    ):
        if not isinstance(text_config, transformers.PretrainedConfig):
            text_config = transformers.AutoConfig.for_model(
                **(text_config or {"model_type": "bert"})
            )
        self.text_config = text_config
        self.class_weights = list(class_weights)
        self.frame_dims = [list(pair) for pair in frame_dims]
        self.hidden_size = hidden_size
        self.dropout = dropout
        kwargs.setdefault("num_labels", len(self.class_weights))
        super().__init__(**kwargs)


class Pooling(nn.Module):
    """Attention over the true steps of a sequence: (B, T, D), mask (B, T) -> (B, H)."""

    def __init__(self, dim, config):
        super().__init__()
        # Features have units of their own, from millimetres to hertz: see `set_scale`.
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("std", torch.ones(dim))
        self.project = nn.Sequential(
            nn.Linear(dim, config.hidden_size), nn.GELU(), nn.Dropout(config.dropout)
        )
        self.score = nn.Linear(config.hidden_size, 1)

    def set_scale(self, clips):
        """Standardize by the frames of these clips, arrays (T, D)."""
        frames = np.concatenate(clips).astype(np.float64)
        frames[~np.isfinite(frames)] = 0
        self.mean.copy_(torch.from_numpy(frames.mean(axis=0)))
        self.std.copy_(torch.from_numpy(frames.std(axis=0).clip(1e-3)))

    def forward(self, frames, mask):
        mask = mask.bool().unsqueeze(-1)
        # Padding may hold anything: it is replaced, not multiplied by 0, which leaves NaN as it is.
        frames = torch.where(mask, (frames - self.mean) / self.std, 0)
        hidden = self.project(frames)
        weights = self.score(hidden).masked_fill(~mask, torch.finfo(hidden.dtype).min).softmax(1)
        # A clip without this modality has no true step: its vector is 0.
        return (weights * mask * hidden).sum(dim=1)


class FusionModel(transformers.PreTrainedModel):
    """Text, video, audio and whatever else has frames, each pooled to a vector; a classifier."""

    config_class = FusionConfig
    # What `forward` takes beside these are frames, no options of the loss.
    accepts_loss_kwargs = False

    def __init__(self, config):
        super().__init__(config)
        self.text_encoder = transformers.AutoModel.from_config(config.text_config)
        dims = {"text": config.text_config.hidden_size, **dict(config.frame_dims)}
        self.pooling = nn.ModuleDict({name: Pooling(dim, config) for name, dim in dims.items()})
        self.classifier = nn.Sequential(
            nn.LayerNorm(len(dims) * config.hidden_size),
            nn.Dropout(config.dropout),
            nn.Linear(len(dims) * config.hidden_size, config.num_labels),
        )
        self.register_buffer("class_weights", torch.tensor(config.class_weights))
        self.post_init()

    def forward(self, input_ids, attention_mask, labels=None, **frames):
        """Frames are those of `PaddingCollator`: `video_feature`, `video_mask`, and so on."""
        words = self.text_encoder(input_ids, attention_mask=attention_mask).last_hidden_state
        steps = {"text": (words, attention_mask)}
        for modality, _ in self.config.frame_dims:
            steps[modality] = frames[f"{modality}_feature"], frames[f"{modality}_mask"]
        vectors = [pool(*steps[modality]) for modality, pool in self.pooling.items()]
        logits = self.classifier(torch.cat(vectors, dim=-1))
        loss = None
        if labels is not None:
            loss = nn.functional.cross_entropy(logits, labels, self.class_weights)
        return transformers.modeling_outputs.SequenceClassifierOutput(loss=loss, logits=logits)


# --- Training -----------------------------------------------------------------------------------


class FusionTrainer(LoaderMixin, transformers.Trainer):
    """Trains on batches of clips of like length, shared out among processes."""


def main(argv=None):
    args = parse_args(argv)
    if args.modalities is None:
        args.modalities = indomer.Release(args.data_dir).modalities()
    dataset = indomer.load_dataset(
        args.config,
        data_dir=args.data_dir,
        modalities=args.modalities,
        trim_padding=True,
        on_missing="empty",
        feature_files=args.feature_files,
    )
    print(f"Modalities: {', '.join(['text', *frame_dims(dataset['train'])])}")
    train, validation = dataset["train"], dataset["validation"]
    if not args.folds:
        predictions = fit(train, validation, args.out, args)
        scored = validation
    else:
        predictions = np.empty(len(train), np.int64)
        for number, (inside, outside) in enumerate(group_folds(train, args.folds, args.seed)):
            out = args.out / f"fold-{number}"
            predictions[outside] = fit(train.select(inside), train.select(outside), out, args)
        scored = train
    scores = evaluate(
        scored["label"][:], predictions, scored.features["label"], groups=scored["video_id"][:]
    )
    if int(os.environ.get("RANK", 0)) == 0:  # the first of several processes
        print(scores)
        (args.out / "scores.json").write_text(json.dumps(scores.to_dict(), indent=2))
    return scores


def fit(train, validation, out, args):
    """Train on one split, keep model and tokenizer in `out`, return class ids of the other."""
    transformers.set_seed(args.seed)
    tokenizer, text_encoder = text_model(train["text"][:], args.text_model)
    tokenizer.model_input_names = ["input_ids", "attention_mask"]
    columns = ["text", "label"]
    columns += [f"{name}_{part}" for part in ("feature", "length") for name in frame_dims(train)]
    clips = torch_dataset(train.select_columns(columns))
    collate = PaddingCollator(tokenizer=tokenizer, replace_nonfinite=True)
    trainer = FusionTrainer(
        model=fusion_model(train, clips, text_encoder),
        args=training_arguments(out, args),
        loader=train_loader(clips, args.batch_size, seed=args.seed, collate_fn=collate),
        eval_dataset=torch_dataset(validation.select_columns(columns)),
        data_collator=collate,
        compute_metrics=compute_metrics(train.features["label"].names),
        processing_class=tokenizer,
    )
    trainer.train(resume_from_checkpoint=args.resume or None)
    trainer.save_model()
    return trainer.predict(trainer.eval_dataset).predictions.argmax(axis=-1)


def frame_dims(split):
    """Modality -> values of its frames, for all that a split has."""
    return {
        column.removesuffix("_feature"): feature.shape[1]
        for column, feature in split.features.items()
        if column.endswith("_feature")
    }


def fusion_model(train, clips, text_encoder):
    """A new model for the classes and the frames of a split."""
    names = train.features["label"].names
    config = FusionConfig(
        text_config=text_encoder.config,
        class_weights=class_weights(train).tolist(),
        frame_dims=list(frame_dims(train).items()),
        id2label=dict(enumerate(names)),
        label2id={name: number for number, name in enumerate(names)},
    )
    model = FusionModel(config)
    model.text_encoder = text_encoder
    for modality, _ in config.frame_dims:
        model.pooling[modality].set_scale([clip[f"{modality}_feature"] for clip in clips])
    return model


def training_arguments(out, args):
    """Options of the Trainer."""
    return transformers.TrainingArguments(
        output_dir=os.fspath(out),
        num_train_epochs=args.epochs,
        per_device_train_batch_size=args.batch_size,
        per_device_eval_batch_size=args.batch_size,
        learning_rate=args.learning_rate,
        seed=args.seed,
        eval_strategy="epoch",
        save_strategy="epoch",
        save_total_limit=2,
        logging_strategy="epoch",
        report_to="none",
        dataloader_pin_memory=torch.cuda.is_available(),
        # The collator needs columns that the model does not take.
        remove_unused_columns=False,
    )


def text_model(texts, name):
    """A pretrained tokenizer and encoder; or, without a name, small new ones for these texts."""
    if name:
        tokenizer = transformers.AutoTokenizer.from_pretrained(name)
        return tokenizer, transformers.AutoModel.from_pretrained(name)
    words = tokenizers.BertWordPieceTokenizer()
    words.train_from_iterator(texts, vocab_size=4000, show_progress=False)
    tokenizer = transformers.BertTokenizerFast(
        tokenizer_object=tokenizers.Tokenizer.from_str(words.to_str()), model_max_length=128
    )
    config = transformers.BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=128,
    )
    return tokenizer, transformers.AutoModel.from_config(config)


def parse_args(argv):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data_dir", help="folder of the release")
    parser.add_argument("--config", default="7_class", choices=["3_class", "7_class"])
    parser.add_argument(
        "--modalities",
        type=several_of(indomer.MODALITIES),
        metavar="LIST",
        help="text,audio,video or fewer, text among them; default: those of the release",
    )
    parser.add_argument(
        "--feature-files",
        action=FeatureFilesAction,
        metavar="MODALITY=PATH",
        help="features of your own, such as audio=wav2vec.safetensors; may be given several times",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoints and model")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    parser.add_argument("--folds", type=int, help="score train by folds; validation stays unused")
    parser.add_argument("--text-model", help="pretrained encoder; by default a small new one")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    argv = join_values(sys.argv[1:] if argv is None else argv, {"--modalities": indomer.MODALITIES})
    args = parser.parse_args(argv)
    if args.modalities and "text" not in args.modalities:
        parser.error("--modalities: this model needs text")
    return args


if __name__ == "__main__":
    main()
