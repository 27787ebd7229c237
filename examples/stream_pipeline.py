"""Send clips through a pipeline of transformers, straight from the released files.

    python examples/stream_pipeline.py DATA_DIR --model NAME_OR_FOLDER
    python examples/stream_pipeline.py DATA_DIR --model NAME_OR_FOLDER \\
        --task audio-classification --media-dir CLIPS
    python examples/stream_pipeline.py DATA_DIR --tiny      # an untrained model, made on the spot

Needs torch and transformers; sound needs ffmpeg on the PATH. Nothing is prepared or written: a clip
is read when the pipeline asks for it. `--prepared` reads the tables of the cache instead.
"""

import argparse
import itertools
from pathlib import Path

import tokenizers
import transformers

import indomer


def main(argv=None):
    args = parse_args(argv)
    is_text = args.task == "text-classification"
    # Features are not needed; of the clips themselves, some may be lost.
    options = {} if is_text else {"media_dir": args.media_dir, "on_missing": "empty"}
    dataset = indomer.load_dataset(
        args.config,
        data_dir=args.data_dir,
        split=args.split,
        streaming=not args.prepared,
        modalities=("text",),
        **options,
    )
    names = dataset.features["label"].names
    read = transcript if is_text else sound
    clips = (clip for clip in dataset if read(clip) is not None)
    # The same clips twice: the pipeline is a batch ahead of what is printed. It wants a generator.
    shown, given = itertools.tee(itertools.islice(clips, args.clips))
    model = {"model": args.model}
    if args.tiny:
        model = tiny_text_model(names) if is_text else tiny_audio_model(names)
    classify = transformers.pipeline(args.task, **model)
    results = classify((read(clip) for clip in given), batch_size=args.batch_size, top_k=1)
    predictions = []
    for clip, [best] in zip(shown, results):
        label = names[clip["label"]]
        print(f"{clip['sample_id']:24} {label:12} {best['label']:12} {best['score']:.3f}")
        predictions.append(best["label"])
    return predictions


def transcript(clip):
    return clip["text"]


def sound(clip):
    """The path or content of a sound file: ffmpeg, which the pipeline calls, also resamples it."""
    audio = clip["audio"]
    return audio and (audio["bytes"] or audio["path"])


def tiny_text_model(names):
    """An untrained model and tokenizer of letters."""
    letters = tokenizers.Tokenizer(tokenizers.models.WordLevel(unk_token="[UNK]"))
    letters.pre_tokenizer = tokenizers.pre_tokenizers.Split("", "isolated")
    special = ["[UNK]", "[PAD]"]
    trainer = tokenizers.trainers.WordLevelTrainer(special_tokens=special)
    letters.train_from_iterator(["abcdefghijklmnopqrstuvwxyz .,!?"], trainer)
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=letters, unk_token="[UNK]", pad_token="[PAD]", model_max_length=128
    )
    config = transformers.BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        id2label=dict(enumerate(names)),
    )
    transformers.set_seed(0)
    model = transformers.BertForSequenceClassification(config).eval()
    return {"model": model, "tokenizer": tokenizer}


def tiny_audio_model(names):
    """An untrained model that takes sound of 16 kHz."""
    config = transformers.Wav2Vec2Config(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        conv_dim=(8, 8),
        conv_stride=(20, 16),
        conv_kernel=(20, 16),
        num_conv_pos_embeddings=4,
        num_conv_pos_embedding_groups=2,
        id2label=dict(enumerate(names)),
    )
    transformers.set_seed(0)
    model = transformers.Wav2Vec2ForSequenceClassification(config).eval()
    return {"model": model, "feature_extractor": transformers.Wav2Vec2FeatureExtractor()}


def parse_args(argv):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data_dir", help="folder of the release")
    parser.add_argument(
        "--task",
        default="text-classification",
        choices=["text-classification", "audio-classification"],
    )
    parser.add_argument("--model", help="name or folder of a model for the task")
    parser.add_argument("--tiny", action="store_true", help="an untrained model made here")
    parser.add_argument("--media-dir", type=Path, help="folder of the clips, for their sound")
    parser.add_argument("--config", default="7_class", choices=["3_class", "7_class"])
    parser.add_argument("--split", default="validation", choices=["train", "validation"])
    parser.add_argument("--clips", type=int, help="stop after so many; by default all")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--prepared", action="store_true", help="prepare tables, then read those")
    args = parser.parse_args(argv)
    if not (args.model or args.tiny):
        parser.error("pass --model or --tiny")
    if args.task == "audio-classification" and args.media_dir is None:
        parser.error("audio-classification needs --media-dir: features are no sound")
    return args


if __name__ == "__main__":
    main()
