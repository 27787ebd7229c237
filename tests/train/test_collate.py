"""Every form of an example gives the same padded batch, alone, in a DataLoader, in a Trainer."""

import itertools
import subprocess
import sys

import numpy as np
import pytest

import indomer
from indomer_tools.train.collate import NO_LABEL, PaddingCollator
from indomer_tools.train.torch_data import torch_dataset
from tests.support.batches import DIMS, LABELS, MISSING, assert_batch, assert_same, loader_of
from tests.support.release_writers import (
    make_clips,
    row_7_class,
    write_release,
    write_split,
)

torch = pytest.importorskip("torch")


# --- PaddingCollator ------------------------------------------------------------------------------

FORMS = {
    "default": lambda train: train,
    "numpy": lambda train: train.with_format("numpy"),
    "torch": lambda train: train.with_format("torch"),
    "arrow": lambda train: train.with_format("arrow"),
    "torch_dataset": torch_dataset,
    "without lengths": lambda train: train.remove_columns(["video_length", "audio_length"]),
    "torch_dataset without lengths": lambda train: torch_dataset(
        train.remove_columns(["video_length", "audio_length"])
    ),
}


@pytest.mark.parametrize("streaming", [False, True], ids=["prepared", "streamed"])
@pytest.mark.parametrize("trim_padding", [False, True], ids=["padded", "trimmed"])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_reference(form, trim_padding, streaming, load_train, clips):
    train = load_train(trim_padding=trim_padding, streaming=streaming)
    examples = list(FORMS[form](train))
    for rows in ([0, 1, 2, 3], [5, 9, 3], [16], [3, 5]):
        assert_batch(PaddingCollator()([examples[row] for row in rows]), clips, rows)


def test_batch_without_features_has_one_frame_and_no_true_one(train):
    batch = PaddingCollator()([train[MISSING["video"]]] * 2)
    assert batch["video_feature"].shape == (2, 1, 673)
    assert not batch["video_feature"].any() and not batch["video_mask"].any()
    assert batch["audio_mask"].any()


@pytest.mark.parametrize("multiple", [1, 4, 7, 64])
def test_frames_are_padded_to_a_multiple(multiple, train):
    examples = torch_dataset(train).__getitems__(range(17))
    batch = PaddingCollator(pad_to_multiple_of=multiple)(examples)
    for modality, longest in (("video", 6), ("audio", 9)):
        n_frames = -(-longest // multiple) * multiple
        assert batch[f"{modality}_feature"].shape == (17, n_frames, DIMS[modality])
        assert batch[f"{modality}_mask"].shape == (17, n_frames)
        lengths = batch[f"{modality}_mask"].sum(1).tolist()
        assert lengths == train.with_format("numpy")[:][f"{modality}_length"].tolist()
        assert not batch[f"{modality}_feature"][:, longest:].any()


def test_nonfinite_values_are_kept_unless_replaced(tmp_path, load):
    clips = make_clips(4)
    clips[0]["video"][0, :3] = np.nan, np.inf, -np.inf
    folder = write_release(tmp_path / "release", clips, make_clips(2, 50))
    examples = torch_dataset(load("7_class", folder, split="train")).__getitems__([0, 1, 2])
    kept = PaddingCollator()(examples)["video_feature"]
    replaced = PaddingCollator(replace_nonfinite=True)(examples)["video_feature"]
    np.testing.assert_array_equal(kept[0, 0, :3].numpy(), [np.nan, np.inf, -np.inf])
    assert replaced[0, 0, :3].tolist() == [0, 0, 0]
    assert torch.equal(kept.nan_to_num(0, 0, 0), replaced) and replaced[0, 0, 3] > 0
    assert np.isnan(examples[0]["video_feature"][0, 0])


@pytest.mark.parametrize("form", ["default", "numpy", "torch", "arrow", "torch_dataset"])
def test_unknown_labels_are_minus_100(form, tmp_path, load):
    folder = tmp_path / "release"
    clips = make_clips(3)
    # Without CSV and files of 3_class nothing tells how a modality alone was judged.
    write_split(folder, "7_class", "train", [row_7_class(clip) for clip in clips])
    write_split(folder, "7_class", "val", [row_7_class(clip) for clip in make_clips(2, 50)])
    train = load("7_class", folder, split="train", modalities=("text",))
    batch = PaddingCollator()(list(FORMS[form](train)))
    assert batch["labels"].tolist() == [0, 1, 2]
    assert batch["text_sentiment"].tolist() == [NO_LABEL] * 3
    assert batch["text_sentiment"].dtype == torch.int64
    losses = torch.nn.functional.cross_entropy(
        torch.ones(3, 3), batch["text_sentiment"], reduction="sum"
    )
    assert losses == 0


def test_absent_columns_make_no_key(load_train):
    collate = PaddingCollator()
    full = {"labels", *LABELS, *(f"{m}_{what}" for m in DIMS for what in ("feature", "mask"))}
    assert set(collate([load_train()[0]])) == full
    audio = load_train(modalities=("text", "audio"))
    assert set(collate([audio[0]])) == full - {"video_feature", "video_mask"}
    chosen = audio.select_columns(["audio_feature"])
    assert set(collate([chosen[0]])) == {"audio_feature", "audio_mask"}


def test_batches_that_are_kept_stay_as_they_are(train, clips):
    """Memory is used again, but never that of a batch of which anything is left."""
    dataset, collate = torch_dataset(train), PaddingCollator()
    parts, expected = [], []
    for start in range(0, len(dataset) - 3, 2):
        rows = list(range(start, start + 3))
        batch = collate(dataset.__getitems__(rows))
        assert_batch(batch, clips, rows)
        video, audio = batch["video_feature"], batch["audio_feature"]
        parts.append(
            [video[1:], audio.numpy()[:, 1:].T, video.view(-1).detach(), audio.unbind()[2]]
        )
        expected.append([np.array(part) for part in parts[-1]])
        if start % 6 == 0:
            parts.pop(0), expected.pop(0)
        for kept, copies in zip(parts, expected):
            for part, copy in zip(kept, copies):
                np.testing.assert_array_equal(part, copy)


def test_memory_of_a_dropped_batch_is_used_again(train):
    dataset, collate = torch_dataset(train), PaddingCollator()
    places = set()
    for _ in range(5):
        batch = collate(dataset.__getitems__([0, 1, 2]))
        places.add(batch["video_feature"].data_ptr())
    assert len(places) <= 2


def test_kept_columns_are_lists(train, clips):
    collate = PaddingCollator(keep=("sample_id", "video_id", "video_length"))
    for dataset in (train, torch_dataset(train), train.with_format("arrow")):
        batch = collate([dataset[0], dataset[1]])
        assert batch["sample_id"] == [clip["id"] for clip in clips[:2]]
        assert batch["video_id"] == [1, 1] and batch["video_length"] == [1, 2]


def wrong_frames(frames, **example):
    return [{"sample_id": "clip_1_Cooking_1", "video_feature": frames, **example}]


@pytest.mark.parametrize(
    ("options", "examples", "message"),
    [
        (
            {},
            [*wrong_frames(np.ones((3, 673))), *wrong_frames(np.ones((12, 5)))],
            r"clip_1_Cooking_1, video_feature.*\(T, 673\).*found \(12, 5\)",
        ),
        ({}, wrong_frames(np.zeros(673)), r"expected shape \(T, D\), .*found \(673,\)"),
        ({"video_dim": 673}, wrong_frames([[1.0, 2.0]]), r"\(T, 673\).*found \(1, 2\)"),
        (
            {},
            [{"clip_feature": np.zeros((0, 5)), "clip_length": 0}],
            r"clip_feature: no clip of the batch has frames.*dims=\{'clip': ...\}",
        ),
        ({}, wrong_frames(torch.zeros(2, 3, 4)), r"found \(2, 3, 4\)"),
        ({}, wrong_frames([[1.0, 2.0], [1.0]]), "same number of values"),
        ({"video_dim": 5}, wrong_frames(np.ones((12, 673))), r"expected shape \(T, 5\)"),
        ({"pad_to_multiple_of": 0}, [], "expected 1 or more, got 0"),
        ({"keep": ("topik",)}, [{"topic": "Book"}], "keep=.*'topik'; examples have topic"),
        ({"tokenizer": print}, [{"label": 1}], "'text'.*remove_unused_columns=False"),
    ],
)
def test_what_cannot_be_batched_is_refused(options, examples, message):
    with pytest.raises(indomer.IndoMERError, match=message):
        PaddingCollator(**options)(examples)


def test_other_widths_are_taken():
    collate = PaddingCollator()
    batch = collate(wrong_frames(np.ones((2, 5)), label=2))
    # Clips without frames are as wide as those before them.
    assert collate(wrong_frames(np.ones((0, 5))))["video_feature"].shape == (1, 1, 5)
    assert batch["video_feature"].shape == (1, 2, 5) and batch["labels"].tolist() == [2]


@pytest.fixture
def tokenizer(clips):
    """A tokenizer of words, made of the transcripts."""
    tokenizers = pytest.importorskip("tokenizers")
    transformers = pytest.importorskip("transformers")
    words = sorted({word for clip in clips for word in clip["text"].split()})
    vocabulary = {word: i for i, word in enumerate(["[PAD]", "[UNK]", *words])}
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="[UNK]"))
    made.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="[PAD]", unk_token="[UNK]", model_max_length=16
    )


def test_text_is_tokenised(tokenizer, train, clips):
    batch = PaddingCollator(tokenizer=tokenizer)([train[0], train[1]])
    assert batch["input_ids"].dtype == torch.int64 and batch["attention_mask"].all()
    assert tokenizer.batch_decode(batch["input_ids"]) == [clip["text"] for clip in clips[:2]]
    assert isinstance(batch, dict) and "labels" in batch and "text" not in batch


# --- DataLoader and Trainer -----------------------------------------------------------------------


class SharingCollator(PaddingCollator):
    """Adds whether features lie in shared memory where the batch is made."""

    def __call__(self, examples):
        batch = super().__call__(examples)
        return batch | {"is_shared": batch["video_feature"].is_shared()}


@pytest.mark.long
@pytest.mark.parametrize(
    "n_workers, start", [(0, None), (2, "fork"), pytest.param(2, "spawn", marks=pytest.mark.slow)]
)
def test_loader_gives_the_reference(n_workers, start, train, clips):
    options = {"num_workers": n_workers, "multiprocessing_context": start}
    loader = loader_of(torch_dataset(train), batch_size=4, collate_fn=SharingCollator(), **options)
    batches = list(loader)
    for place, batch in enumerate(batches):
        assert_batch(batch, clips, range(17)[4 * place :][:4])
        # Else the batch of a worker is copied once more on its way.
        assert batch["is_shared"] == (n_workers > 0)
    assert len(batches) == 5


@pytest.mark.long
@pytest.mark.parametrize("n_workers", [0, 2])
def test_streamed_split_passes_through_the_loader(n_workers, load_train, clips):
    stream = torch_dataset(load_train(streaming=True))
    collate = PaddingCollator(keep=("sample_id",))
    loader = loader_of(stream, batch_size=3, num_workers=n_workers, collate_fn=collate)
    row_of = {clip["id"]: row for row, clip in enumerate(clips)}
    seen = []
    for batch in loader:
        rows = [row_of[name] for name in batch["sample_id"]]
        assert_batch(batch, clips, rows)
        seen += rows
    assert sorted(seen) == list(range(17))


@pytest.mark.filterwarnings("ignore:.*pin_memory")
def test_batches_can_be_pinned(train):
    plain, pinned = (
        list(loader_of(torch_dataset(train), batch_size=8, pin_memory=pin)) for pin in (False, True)
    )
    assert_same(plain, pinned)


@pytest.mark.long
def test_trainer_takes_the_batches(train, tmp_path):
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("accelerate")
    seen = []

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.head = torch.nn.Linear(673, 7)

        def forward(self, video_feature, video_mask, labels=None):
            seen.append(video_mask.sum(1).tolist())
            frames = (video_feature / 100 * video_mask[..., None]).sum(1)
            logits = self.head(frames / video_mask.sum(1, keepdim=True).clamp(1))
            return {"loss": torch.nn.functional.cross_entropy(logits, labels), "logits": logits}

    options = {"per_device_train_batch_size": 6, "num_train_epochs": 2, "report_to": []}
    arguments = transformers.TrainingArguments(
        tmp_path, use_cpu=True, save_strategy="no", disable_tqdm=True, **options
    )
    trainer = transformers.Trainer(
        Model(), arguments, PaddingCollator(), torch_dataset(train), torch_dataset(train)
    )
    assert trainer.train().global_step == 6
    lengths = train.with_format("numpy")[:]["video_length"].tolist()
    assert sorted(itertools.chain(*seen)) == sorted(2 * lengths)
    predicted = trainer.predict(torch_dataset(train))
    assert predicted.predictions.shape == (17, 7)
    assert predicted.label_ids.tolist() == train.with_format("numpy")[:]["label"].tolist()


@pytest.mark.long
def test_importing_needs_no_torch():
    code = (
        "import sys, indomer_tools.train.collate, indomer_tools.train.sampler;"
        "import indomer_tools.train.torch_data;"
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
