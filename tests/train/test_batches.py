"""Batches: every form of an example gives the same padded batch; samplers lose no clip."""

import itertools
import json
import pickle
import subprocess
import sys

import datasets
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import indomer
from indomer_tools.train.collate import NO_LABEL, PaddingCollator
from indomer_tools.train.sampler import LengthBucketSampler
from indomer_tools.train.torch_data import ClipDataset, torch_dataset
from tests.support.release_writers import (
    make_clips,
    row_7_class,
    write_features,
    write_release,
    write_split,
)

torch = pytest.importorskip("torch")
DIMS = {"video": 673, "audio": 18}
LABELS = ("emotion", "sentiment", "text_sentiment", "audio_sentiment", "video_sentiment")

# Neither is in the feature files of its modality.
MISSING = {"video": 3, "audio": 5}


@pytest.fixture(scope="module")
def clips():
    return make_clips(17)


@pytest.fixture(scope="module")
def release(clips, tmp_path_factory):
    """A release whose train split misses some features."""
    folder = write_release(tmp_path_factory.mktemp("release"), clips, make_clips(2, 50))
    for modality, missing in MISSING.items():
        write_features(folder, modality, "train", clips[:missing] + clips[missing + 1 :])
    return folder


@pytest.fixture(scope="module")
def load_train(release, tmp_path_factory):
    cache_dir = tmp_path_factory.mktemp("cache")

    def load_train(**options):
        options = {"on_missing": "empty", "trim_padding": True} | options
        return indomer.load_dataset(
            "7_class", data_dir=release, split="train", cache_dir=cache_dir, **options
        )

    return load_train


@pytest.fixture
def train(load_train):
    return load_train()


def expected_frames(clips, rows, modality):
    """The slow way, from what was written: one frame after the other. Frames and mask."""
    true = []
    for row in rows:
        frames = [] if row == MISSING[modality] else list(clips[row][modality])
        while frames and not any(frames[-1]):
            frames.pop()
        true.append(frames)
    n_frames = max(1, *map(len, true))
    batch = np.zeros((len(rows), n_frames, DIMS[modality]), np.float32)
    mask = np.zeros((len(rows), n_frames), bool)
    for place, frames in enumerate(true):
        for time, frame in enumerate(frames):
            batch[place, time] = frame
            mask[place, time] = True
    return batch, mask


def assert_batch(batch, clips, rows):
    for modality in DIMS:
        frames, mask = expected_frames(clips, rows, modality)
        found = batch[f"{modality}_feature"]
        assert found.dtype == torch.float32 and found.is_contiguous()
        assert batch[f"{modality}_mask"].dtype == torch.bool
        np.testing.assert_array_equal(found.numpy(), frames)
        np.testing.assert_array_equal(batch[f"{modality}_mask"].numpy(), mask)
    for column in ("labels", "emotion"):
        assert batch[column].dtype == torch.int64
        assert batch[column].tolist() == [
            indomer.EMOTIONS.index(clips[row]["emotion"]) for row in rows
        ]
    assert batch["sentiment"].tolist() == [
        indomer.SENTIMENTS.index(clips[row]["sentiment"]) for row in rows
    ]


def assert_same(batches, others):
    assert len(batches) == len(others)
    for batch, other in zip(batches, others):
        assert batch.keys() == other.keys()
        for key, values in batch.items():
            assert (
                torch.equal(values, other[key]) if torch.is_tensor(values) else values == other[key]
            )


def loader_of(dataset, **options):
    options.setdefault("collate_fn", PaddingCollator())
    return torch.utils.data.DataLoader(dataset, **options)


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
        ({}, wrong_frames(np.zeros((12, 5))), r"clip_1_Cooking_1, video_feature.*673.*\(12, 5\)"),
        ({}, wrong_frames(np.zeros(673)), r"expected shape \(T, 673\), found \(673,\)"),
        ({}, wrong_frames([[1.0, 2.0]]), r"found \(1, 2\).*video_dim"),
        ({}, wrong_frames(torch.zeros(2, 3, 4)), r"found \(2, 3, 4\)"),
        ({}, wrong_frames([[1.0, 2.0], [1.0]]), "same number of values"),
        ({"video_dim": 5}, wrong_frames(np.zeros((12, 673))), r"expected shape \(T, 5\)"),
        ({"pad_to_multiple_of": 0}, [], "expected 1 or more, got 0"),
        ({"keep": ("topik",)}, [{"topic": "Book"}], "keep=.*'topik'; examples have topic"),
        ({"tokenizer": print}, [{"label": 1}], "'text'.*remove_unused_columns=False"),
    ],
)
def test_what_cannot_be_batched_is_refused(options, examples, message):
    with pytest.raises(indomer.IndoMERError, match=message):
        PaddingCollator(**options)(examples)


def test_other_widths_are_taken_when_asked_for():
    batch = PaddingCollator(video_dim=5)(wrong_frames(np.ones((2, 5)), label=2))
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


@pytest.mark.parametrize("n_workers, start", [(0, None), (2, "fork"), (2, "spawn")])
def test_loader_gives_the_reference(n_workers, start, train, clips):
    options = {"num_workers": n_workers, "multiprocessing_context": start}
    loader = loader_of(torch_dataset(train), batch_size=4, collate_fn=SharingCollator(), **options)
    batches = list(loader)
    for place, batch in enumerate(batches):
        assert_batch(batch, clips, range(17)[4 * place :][:4])
        # Else the batch of a worker is copied once more on its way.
        assert batch["is_shared"] == (n_workers > 0)
    assert len(batches) == 5


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


def test_importing_needs_no_torch():
    code = (
        "import sys, indomer_tools.train.collate, indomer_tools.train.sampler;"
        "import indomer_tools.train.torch_data;"
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# --- torch_dataset --------------------------------------------------------------------------------


def assert_rows(wrapped, dataset):
    """Each row as `datasets` gives it, with frames as arrays."""
    assert len(wrapped) == len(dataset)
    arrays = dataset.with_format("numpy")
    for index in range(len(dataset)):
        found, expected, exact = wrapped[index], dataset[index], arrays[index]
        assert found.keys() == expected.keys()
        for column, value in found.items():
            if column in ("video_feature", "audio_feature"):
                np.testing.assert_array_equal(value, exact[column])
                assert value.shape == exact[column].shape
            else:
                assert value == expected[column]


def rearranged(train, change, folder):
    """The split as users cut and mix it."""
    halves = train.train_test_split(0.4, seed=1)
    if change == "select":
        return train.select([9, 3, 3, 16, 0])
    if change == "range":
        return train.select(range(4, 11))
    if change == "shuffle":
        return train.shuffle(seed=3)
    if change == "split":
        return halves["test"]
    if change == "filter":
        return train.filter(lambda row: row["label"] == 4)
    if change == "concatenate":
        return datasets.concatenate_datasets([train, halves["train"], train.select([5])])
    if change == "concatenate and shuffle":
        return datasets.concatenate_datasets([train.shard(3, 1), train]).shuffle(seed=1)
    if change == "flatten":
        return train.shuffle(seed=2).flatten_indices()
    if change == "map":
        return train.map(lambda row: {"n_words": len(row["text"].split())})
    if change == "disk":
        train.save_to_disk(folder / "saved", num_shards=2)
        return datasets.load_from_disk(folder / "saved")
    if change == "memory":
        return datasets.Dataset(train.data.table.combine_chunks(), info=train.info).select([8, 2])
    if change == "format":
        return train.with_format(None, columns=["video_feature", "label"])
    if change == "nested column":
        return train.add_column("turns", [{"at": [i, i + 1]} for i in range(17)]).select([4, 1])
    return train


CHANGES = (
    "none", "select", "range", "shuffle", "split", "filter", "concatenate",
    "concatenate and shuffle", "flatten", "map", "disk", "memory", "format", "nested column",
)  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_rows_are_those_of_datasets(change, train, tmp_path):
    dataset = rearranged(train, change, tmp_path)
    assert_rows(torch_dataset(dataset), dataset)


def test_rows_of_parquet_are_those_of_datasets(train, tmp_path):
    train.to_parquet(tmp_path / "train.parquet", batch_size=4)
    files = {"train": str(tmp_path / "train.parquet")}
    dataset = datasets.load_dataset(
        "parquet", data_files=files, split="train", cache_dir=str(tmp_path / "cache")
    )
    assert_rows(torch_dataset(dataset), train)


def test_padding_is_cut_at_the_length_columns(load_train, train):
    assert_rows(torch_dataset(load_train(trim_padding=False)), train)


@settings(max_examples=25, deadline=None)
@given(random=st.randoms(use_true_random=False))
def test_any_slices_and_chunks_give_the_rows(random):
    """Slices of slices, with nulls; lists and large lists; with the extension type and without."""
    frames = [
        None if random.random() < 0.2 else [[1 + random.random()] * 3] * random.randint(0, 4)
        for _ in range(random.randint(1, 12))
    ]
    large = random.random() < 0.3
    inner = pa.large_list(pa.float32()) if large else pa.list_(pa.float32())
    whole = pa.array(frames, pa.large_list(inner) if large else pa.list_(inner))
    if not large and random.random() < 0.5:
        array_type = datasets.Array2D((None, 3), "float32")()
        whole = pa.ExtensionArray.from_storage(array_type, whole)
    chunks, expected = [], []
    for _ in range(random.randint(1, 4)):
        start = random.randint(0, len(frames))
        n_rows = random.randint(0, len(frames))
        chunks.append(whole.slice(start).slice(0, n_rows))
        expected += frames[start:][:n_rows]
    column = pa.chunked_array(chunks, whole.type)
    table = pa.table({"video_feature": column, "label": pa.array(range(len(column)), pa.int64())})
    found = list(ClipDataset(datasets.Dataset(table)))
    assert [example["video_feature"].tolist() for example in found] == [
        np.float32(frames or []).tolist() for frames in expected
    ]
    if found:
        batch = PaddingCollator(video_dim=3)(found)
        assert batch["video_mask"].sum(1).tolist() == [len(frames or ()) for frames in expected]


def test_frames_for_the_collator_are_views_of_the_table(train):
    (example,) = torch_dataset(train).__getitems__([0]).take_views()
    stored = train.data.column("video_feature").chunk(0).storage.values.values.to_numpy()
    assert np.shares_memory(example["video_feature"], stored)
    with pytest.raises(ValueError, match="read-only"):
        example["video_feature"][0, 0] = 1


def test_pickle_has_no_frames(train):
    wrapped = torch_dataset(train.shuffle(seed=0))
    content = pickle.dumps(wrapped)
    assert len(content) < train.data.nbytes / 4
    assert_rows(pickle.loads(content), wrapped.dataset)


def test_indices_outside_are_refused(train):
    wrapped = torch_dataset(train)
    assert wrapped[-1]["sample_id"] == wrapped[torch.tensor(16)]["sample_id"]
    with pytest.raises(IndexError):
        wrapped[17]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda train: datasets.DatasetDict(train=train), 'got DatasetDict.*dataset\\["train"\\]'),
        (lambda train: [1, 2], "got list"),
        (lambda train: train.with_transform(lambda rows: rows), "past the transform"),
        (
            lambda train: datasets.Dataset.from_dict({"video_feature": [[1.0, 2.0]]}),
            "video_feature: expected lists of frames, found list<",
        ),
        (
            lambda train: datasets.Dataset.from_dict({"video_feature": [[[1.0, 2.0], [1.0]]]}),
            "video_feature: expected 2 values in every frame",
        ),
    ],
)
def test_what_cannot_be_wrapped_is_refused(make, message, train):
    with pytest.raises(indomer.IndoMERError, match=message):
        torch_dataset(make(train))


# --- LengthBucketSampler --------------------------------------------------------------------------


def some_lengths(n_clips, seed=0):
    return np.random.default_rng(seed).lognormal(5, 0.6, n_clips).astype(int)


def padded_frames(batches, lengths):
    return sum(max(lengths[row] for row in batch) * len(batch) for batch in batches)


@settings(max_examples=60, deadline=None)
@given(
    n_clips=st.integers(0, 70),
    batch_size=st.integers(1, 9),
    n_batches_of_bucket=st.integers(1, 5),
    shuffle=st.booleans(),
)
def test_every_clip_comes_once_an_epoch(n_clips, batch_size, n_batches_of_bucket, shuffle):
    options = {"bucket_size": batch_size * n_batches_of_bucket, "shuffle": shuffle}
    sampler = LengthBucketSampler(some_lengths(n_clips), batch_size, **options)
    for _ in range(2):
        batches = list(sampler)
        assert len(batches) == len(sampler)
        assert sorted(itertools.chain(*batches)) == list(range(n_clips))
        assert all(len(batch) == batch_size for batch in batches[:-1])
    whole = list(LengthBucketSampler(some_lengths(n_clips), batch_size, drop_last=True, **options))
    assert whole == [
        batch
        for batch in list(LengthBucketSampler(some_lengths(n_clips), batch_size, **options))
        if len(batch) == batch_size
    ]


def test_batches_hold_clips_of_similar_length():
    lengths = some_lengths(1588)
    batches = list(LengthBucketSampler(lengths, 16))
    mixed = np.random.default_rng(1).permutation(1584).reshape(-1, 16)
    assert padded_frames(batches, lengths) < 1.1 * lengths.sum()
    assert padded_frames(mixed, lengths) > 1.8 * lengths.sum()
    # Not in the order of their lengths.
    longest = [lengths[batch].max() for batch in batches]
    assert abs(np.corrcoef(longest, range(len(longest)))[0, 1]) < 0.3


def test_epochs_differ_and_can_be_repeated():
    sampler, other = (LengthBucketSampler(some_lengths(40), 4, seed=7) for _ in range(2))
    first, second = list(sampler), list(sampler)
    assert first != second and sorted(map(sorted, first)) != sorted(map(sorted, second))
    assert [list(other), list(other)] == [first, second]
    sampler.set_epoch(0)
    assert list(sampler) == first
    sampler.set_epoch(0)
    assert list(sampler) == first
    assert list(LengthBucketSampler(some_lengths(40), 4, seed=8)) != first


def test_unshuffled_batches_run_from_short_to_long():
    lengths = some_lengths(30)
    sampler = LengthBucketSampler(lengths, 4, shuffle=False)
    rows = list(itertools.chain(*sampler))
    assert lengths[rows].tolist() == sorted(lengths)
    assert list(itertools.chain(*sampler)) == rows


@pytest.mark.parametrize("n_done", [0, 1, 5, 9])
def test_resumed_sampler_gives_the_rest(n_done):
    lengths = some_lengths(38)
    sampler = LengthBucketSampler(lengths, 4)
    list(sampler)
    passing = iter(sampler)
    given_batches = list(itertools.islice(passing, n_done))
    state = json.loads(json.dumps(sampler.state_dict()))
    rest, following = list(passing), list(sampler)

    resumed = LengthBucketSampler(lengths, 4)
    resumed.load_state_dict(state)
    resumed.set_epoch(resumed.epoch)
    assert list(resumed) == rest and list(resumed) == following
    assert sorted(itertools.chain(*given_batches, *rest)) == list(range(38))


def test_state_of_a_whole_epoch_goes_on_with_the_next():
    sampler, resumed = (LengthBucketSampler(some_lengths(12), 4) for _ in range(2))
    list(sampler)
    resumed.load_state_dict(sampler.state_dict())
    assert resumed.epoch == 1 and list(resumed) == list(sampler)


def test_pass_broken_off_begins_again():
    sampler = LengthBucketSampler(some_lengths(20), 4)
    broken_off = list(itertools.islice(sampler, 2))
    assert list(sampler)[:2] == broken_off


@pytest.mark.parametrize("n_workers", [0, 2])
def test_loader_is_resumed_where_it_was(n_workers, train):
    """Workers ask the sampler for batches ahead of those that were used."""

    def loader_and_sampler():
        sampler = LengthBucketSampler(train, 2)
        collate = PaddingCollator(keep=("sample_id",))
        dataset = torch_dataset(train)
        return loader_of(
            dataset, batch_sampler=sampler, num_workers=n_workers, collate_fn=collate
        ), sampler

    loader, sampler = loader_and_sampler()
    expected = list(loader)
    sampler.set_epoch(0)
    used = list(itertools.islice(loader, 7))
    state = sampler.state_dict(n_batches=len(used))
    loader, sampler = loader_and_sampler()
    sampler.load_state_dict(state)
    assert_same(used + list(loader), expected)


def test_stateful_loader_is_resumed_where_it_was(train):
    stateful = pytest.importorskip("torchdata.stateful_dataloader")

    def make_loader():
        return stateful.StatefulDataLoader(
            torch_dataset(train),
            batch_sampler=LengthBucketSampler(train, 3),
            num_workers=2,
            collate_fn=PaddingCollator(),
        )

    loader = make_loader()
    expected = [list(loader), list(loader)]
    for n_used in (2, 6):
        loader = make_loader()
        passing = iter(loader)
        used = [next(passing) for _ in range(n_used)]
        resumed = make_loader()
        resumed.load_state_dict(loader.state_dict())
        if n_used < 6:
            assert_same(used + list(resumed), expected[0])
        assert_same(list(resumed), expected[1])


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("n_clips", [24, 38, 41])
def test_processes_share_the_batches(n_clips, drop_last):
    options = {"drop_last": drop_last, "seed": 5}
    alone = list(LengthBucketSampler(some_lengths(n_clips), 4, **options))
    samplers = [
        LengthBucketSampler(some_lengths(n_clips), 4, num_replicas=3, rank=rank, **options)
        for rank in range(3)
    ]
    shares = [list(sampler) for sampler in samplers]
    assert {len(share) for share in shares} == {len(samplers[0])}
    mixed = [batch for batches in zip(*shares) for batch in batches]
    n_extra = len(mixed) - len(alone)
    assert mixed == (alone + alone)[: len(mixed)]
    assert -2 <= n_extra <= 0 if drop_last else 0 <= n_extra <= 2


def test_accelerate_shares_the_batches():
    shard = pytest.importorskip("accelerate.data_loader").BatchSamplerShard
    samplers = [LengthBucketSampler(some_lengths(37), 4) for _ in range(2)]
    shares = [
        list(shard(sampler, num_processes=2, process_index=rank, even_batches=False))
        for rank, sampler in enumerate(samplers)
    ]
    assert sorted(itertools.chain(*shares[0], *shares[1])) == list(range(37))


def test_lengths_come_from_a_split(train, load_train):
    expected = list(LengthBucketSampler(train.with_format("numpy")[:]["video_length"], 4))
    for split in (train, torch_dataset(train), train.with_format("torch")):
        assert list(LengthBucketSampler(split, 4)) == expected
    audio = load_train(modalities=("audio",))
    assert LengthBucketSampler(audio, 4).lengths.tolist() == [
        len(example["audio_feature"]) for example in audio
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "got 0 and 0"),
        ({"batch_size": 8, "bucket_size": 7}, "batch_size <= bucket_size, got 8 and 7"),
        ({"batch_size": 2, "num_replicas": 2, "rank": 2}, "got 2 and 2"),
    ],
)
def test_senseless_options_are_refused(options, message):
    with pytest.raises(indomer.IndoMERError, match=message):
        LengthBucketSampler([1, 2, 3], **options)


def test_split_without_lengths_is_refused(load_train):
    text = load_train(modalities=("text",))
    with pytest.raises(indomer.IndoMERError, match="found sample_id, .*Pass the lengths"):
        LengthBucketSampler(text, 4)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (LengthBucketSampler([1, 2, 3], 1), "batch_size 1, here 2"),
        (LengthBucketSampler([1, 2, 3], 2, seed=9), "seed 9, here 0"),
        (LengthBucketSampler([1, 2, 4], 2), "lengths_crc32 "),
    ],
)
def test_state_of_other_batches_is_refused(other, message):
    with pytest.raises(indomer.IndoMERError, match=message):
        LengthBucketSampler([1, 2, 3], 2).load_state_dict(other.state_dict())
