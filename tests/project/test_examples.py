"""The examples learn where there is something to learn, and not where there is not."""

import shutil
import sys

import datasets
import numpy as np
import pytest

import indomer
from tests.support.places import ROOT
from tests.support.release_writers import make_clips, write_release

pytest.importorskip("sklearn")

sys.path.insert(0, str(ROOT / "examples"))

pytestmark = [
    pytest.mark.long,
    pytest.mark.filterwarnings("ignore::indomer_tools.train.metrics.RareClassWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    """Examples load into the user's cache; here into one of the test."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


# --- text_baseline.py -----------------------------------------------------------------------------


@pytest.mark.slow
def test_text_baseline_beats_the_majority_class_on_the_release(label_dir, own_cache, capsys):
    import text_baseline

    scores = text_baseline.main([str(label_dir)])
    assert list(scores) == ["3_class", "7_class"]
    lines = capsys.readouterr().out.splitlines()
    for line, (config, score) in zip(lines[1:], scores.items()):
        name, majority, folds, found, low, _, high = line.split()
        assert name == config
        # What README.md computes under "Limits".
        assert majority == {"3_class": "0.283", "7_class": "0.121"}[config]
        assert found == f"{score.macro_f1:.3f}"
        assert float(found) > {"3_class": 0.46, "7_class": 0.22}[config]
        assert float(low) < float(found) < float(high)
        assert float(majority) + 0.1 < float(folds)


def test_text_baseline_learns_words_that_carry_the_label(tmp_path, own_cache, capsys):
    import text_baseline

    def clips(n_clips, first_video):
        made = make_clips(n_clips, first_video=first_video)
        for clip in made:
            clip["text"] += f" Kata {clip['emotion']}."
        return made

    release = write_release(tmp_path, clips(63, 1), clips(21, 100), features=False)
    scores = text_baseline.main([str(release), "--config", "7_class", "--folds", "3", "--classes"])
    assert scores["7_class"].macro_f1 == 1
    printed = capsys.readouterr().out
    assert "majority" in printed
    assert "surprise" in printed


# --- train_fusion.py ------------------------------------------------------------------------------


@pytest.fixture
def fusion():
    for module in ("torch", "transformers", "accelerate"):
        pytest.importorskip(module)
    import train_fusion

    return train_fusion


def informative_clips(n_clips, first_video, seed, shuffled=False, lost=()):
    """Clips whose features carry the sentiment, if weakly in each value, and whose text does not.

    Args:
        shuffled: Whether labels are drawn anew, so that nothing carries them.
        lost: Modalities that every fifth clip does not have.
    """
    rng = np.random.default_rng(seed)
    pattern = np.random.default_rng(0).normal(size=(3, 673 + 18))
    emotions = ("kesedihan", "netral", "kebahagiaan")
    clips = make_clips(n_clips, first_video=first_video)
    for i, clip in enumerate(clips):
        kind = rng.integers(3)
        label = rng.integers(3) if shuffled else kind
        clip["emotion"] = emotions[label]
        clip["sentiment"] = indomer.SENTIMENT_OF[clip["emotion"]]
        clip["text"] = "Ini kalimat yang sama."
        for modality, columns in (("video", slice(673)), ("audio", slice(673, None))):
            frames = np.zeros_like(clip[modality])
            n_frames = rng.integers(2, len(frames))
            noise = rng.normal(size=(n_frames, frames.shape[1]))
            # Units of their own, like those of the features of the release.
            frames[:n_frames] = 300 + 50 * (pattern[kind, columns] + 2 * noise)
            if modality in lost and i % 5 == 0:
                frames[:] = 0
            clip[modality] = frames
    return clips


def write_informative(folder, n_train=90, n_val=45, **options):
    return write_release(
        folder,
        informative_clips(n_train, 1, seed=1, **options),
        informative_clips(n_val, 500, seed=2, **options),
    )


@pytest.fixture
def run(fusion, tmp_path, own_cache):
    """Train on a release in another folder: a function of the release and further arguments."""

    def run(release, *options, out="run"):
        arguments = [str(release), "--config", "3_class", "--out", str(tmp_path / out)]
        return fusion.main([*arguments, *map(str, options)])

    return run


def test_fusion_learns_what_features_carry_on_other_videos(run, tmp_path):
    scores = run(write_informative(tmp_path / "release"), "--epochs", 5)
    assert scores.macro_f1 > 0.95
    assert (tmp_path / "run" / "scores.json").exists()


def test_fusion_stays_at_chance_where_nothing_carries_the_label(run, tmp_path):
    release = write_informative(tmp_path / "release", n_val=150, shuffled=True)
    # Of 150 clips in 3 classes, 1/3 is right by chance: 0.04 standard deviations each way.
    assert abs(run(release, "--epochs", 3).accuracy - 1 / 3) < 4 * 0.04


def test_fusion_learns_by_folds_without_validation(run, tmp_path):
    # Clips of validation are all of one class: they would not do to train or to score on.
    release = write_release(
        tmp_path / "release",
        informative_clips(90, 1, seed=1),
        [clip for clip in informative_clips(9, 500, seed=2) if clip["sentiment"] == "netral"],
    )
    scores = run(release, "--epochs", 5, "--folds", 2)
    assert scores.support.sum() == 90
    assert scores.macro_f1 > 0.9


@pytest.mark.slow
def test_fusion_resumed_in_the_middle_ends_with_the_same_weights(run, fusion, tmp_path):
    import torch

    release = write_informative(tmp_path / "release")
    whole = run(release, "--epochs", 4, out="whole")
    checkpoints = sorted((tmp_path / "whole").glob("checkpoint-*"))
    # As if the process had been stopped after the third epoch.
    for out in ("cut", "altered"):
        shutil.copytree(checkpoints[-2], tmp_path / out / checkpoints[-2].name)
    resumed = run(release, "--epochs", 4, "--resume", out="cut")
    assert resumed.to_dict() == whole.to_dict()

    # A run that began anew would end with the same weights, too. It would not notice this.
    checkpoint = tmp_path / "altered" / checkpoints[-2].name
    altered = fusion.FusionModel.from_pretrained(checkpoint)
    torch.nn.init.zeros_(altered.classifier[-1].bias)
    altered.save_pretrained(checkpoint)
    run(release, "--epochs", 4, "--resume", out="altered")

    outs = ("whole", "cut", "altered")
    states = [fusion.FusionModel.from_pretrained(tmp_path / out).state_dict() for out in outs]
    assert states[0].keys() == states[1].keys()
    for name, weights in states[0].items():
        assert torch.equal(weights, states[1][name]), name
    assert not all(torch.equal(weights, states[2][name]) for name, weights in states[0].items())


def test_fusion_trains_with_lost_modalities_and_nan(run, fusion, tmp_path):
    import torch

    clips = informative_clips(45, 1, seed=1, lost=("video", "audio"))
    clips[1]["video"][0, :9] = np.nan
    clips[2]["audio"][1] = np.inf
    release = write_release(tmp_path / "release", clips, informative_clips(9, 500, seed=2))
    run(release, "--epochs", 1)
    model = fusion.FusionModel.from_pretrained(tmp_path / "run")
    assert all(weights.isfinite().all() for weights in model.state_dict().values())
    assert torch.isfinite(model(**batch_of(fusion)).logits).all()


@pytest.fixture
def wav2vec_files(dummy_dir, tmp_path):
    """Vectors of a small wav2vec 2.0 with random weights, of a hum for each clip of dummy_data."""
    import torch
    import transformers

    safetensors = pytest.importorskip("safetensors.torch")
    transformers.set_seed(0)
    config = transformers.Wav2Vec2Config(
        hidden_size=24,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        conv_dim=(16, 16),
        conv_kernel=(10, 8),
        conv_stride=(160, 2),
        num_feat_extract_layers=2,
        num_conv_pos_embeddings=4,
        num_conv_pos_embedding_groups=2,
    )
    encoder = transformers.Wav2Vec2Model(config).eval()
    vectors = {}
    texts = indomer.load_dataset("7_class", data_dir=dummy_dir, modalities="text")
    for split in texts.values():
        for i, clip in enumerate(split["audio_name"]):
            seconds = torch.arange(8000 + 1600 * i) / 16000
            with torch.no_grad():
                hum = torch.sin(2 * torch.pi * (90 + 10 * i) * seconds)[None]
                vectors[clip] = encoder(hum).last_hidden_state[0].contiguous()
    safetensors.save_file(vectors, tmp_path / "wav2vec.safetensors")
    return vectors, tmp_path / "wav2vec.safetensors"


def test_fusion_trains_on_features_of_ones_own(run, fusion, wav2vec_files, dummy_dir, tmp_path):
    vectors, path = wav2vec_files
    own = ["--feature-files", f"audio={path}", "--feature-files", f"voice={path}"]
    run(dummy_dir, "--epochs", 1, "--modalities", "text", *own)
    model = fusion.FusionModel.from_pretrained(tmp_path / "run")
    assert dict(model.config.frame_dims) == {"audio": 24, "voice": 24}
    # The model saw these vectors: their mean is in it.
    train = indomer.load_dataset("7_class", data_dir=dummy_dir, modalities="text", split="train")
    frames = np.concatenate([vectors[clip] for clip in train["audio_name"]])
    for modality in ("audio", "voice"):
        mean = model.pooling[modality].mean.numpy()
        np.testing.assert_allclose(mean, frames.mean(axis=0), rtol=1e-4, atol=1e-5)


def batch_of(fusion, n_words=5):
    """A batch of random clips; the last has no video and the first is short."""
    import torch

    generator = torch.Generator().manual_seed(0)
    batch = {
        "input_ids": torch.randint(5, 20, (3, n_words), generator=generator),
        "attention_mask": torch.ones(3, n_words, dtype=torch.int64),
    }
    for modality, n_frames, dim in (("video", 6, 673), ("audio", 9, 18)):
        batch[f"{modality}_feature"] = torch.randn(3, n_frames, dim, generator=generator)
        batch[f"{modality}_mask"] = torch.ones(3, n_frames, dtype=torch.bool)
        batch[f"{modality}_mask"][0, 2:] = False
    batch["attention_mask"][0, 3:] = 0
    batch["video_mask"][2] = False
    return batch


@pytest.fixture
def model(fusion):
    import transformers

    transformers.set_seed(0)
    text_config = transformers.BertConfig(
        vocab_size=30,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
    )
    config = fusion.FusionConfig(
        text_config=text_config,
        class_weights=[1.0, 2.0, 0.5],
        frame_dims=(("video", 673), ("audio", 18)),
    )
    return fusion.FusionModel(config).eval()


@pytest.mark.parametrize("content", [0.0, 1e9, float("nan"), float("inf")])
def test_fusion_does_not_look_at_what_is_masked(fusion, model, content):
    import torch

    batch = batch_of(fusion)
    expected = model(**batch).logits
    for modality in ("video", "audio"):
        batch[f"{modality}_feature"][~batch[f"{modality}_mask"]] = content
    batch["input_ids"][batch["attention_mask"] == 0] = 29
    assert torch.equal(model(**batch).logits, expected)


def test_fusion_does_not_depend_on_the_length_of_the_padding(fusion, model):
    import torch

    batch = batch_of(fusion)
    longer = {
        key: torch.nn.functional.pad(value, (0, 0, 0, 7) if value.ndim == 3 else (0, 7))
        for key, value in batch.items()
    }
    torch.testing.assert_close(model(**longer).logits, model(**batch).logits)


def test_fusion_looks_at_every_modality(fusion, model):
    import torch

    batch = batch_of(fusion)
    expected = model(**batch).logits
    for key in ("video_feature", "audio_feature", "input_ids"):
        changed = batch | {key: batch[key].flip(0)}
        assert not torch.allclose(model(**changed).logits, expected), key


def test_fusion_weighs_classes_in_its_loss(fusion, model):
    import torch

    batch = batch_of(fusion)
    labels = torch.tensor([0, 1, 2])
    found = model(**batch, labels=labels)
    losses = torch.nn.functional.cross_entropy(found.logits, labels, reduction="none")
    weights = torch.tensor([1.0, 2.0, 0.5])
    torch.testing.assert_close(found.loss, (weights * losses).sum() / weights.sum())


def test_fusion_saved_and_loaded_is_the_same(fusion, model, tmp_path):
    import torch

    model.pooling["video"].set_scale([np.random.default_rng(0).normal(9, 3, (5, 673))])
    model.save_pretrained(tmp_path)
    loaded = fusion.FusionModel.from_pretrained(tmp_path).eval()
    assert loaded.config.class_weights == [1.0, 2.0, 0.5]
    batch = batch_of(fusion)
    assert torch.equal(loaded(**batch).logits, model(**batch).logits)


def test_fusion_takes_a_pretrained_text_model(run, fusion, tmp_path):
    import transformers

    tokenizer, encoder = fusion.text_model(["Ini kalimat yang sama."] * 3, None)
    for part in (tokenizer, encoder):
        part.save_pretrained(tmp_path / "encoder")
    release = write_informative(tmp_path / "release", n_train=18, n_val=9)
    run(release, "--epochs", 1, "--text-model", tmp_path / "encoder")
    config = fusion.FusionConfig.from_pretrained(tmp_path / "run")
    assert config.text_config.vocab_size == len(tokenizer)
    assert config.id2label == dict(enumerate(indomer.SENTIMENTS))
    assert len(transformers.AutoTokenizer.from_pretrained(tmp_path / "run")) == len(tokenizer)


# --- The public files -----------------------------------------------------------------------------


def write_labels(folder):
    """A release without features whose words carry the sentiment."""
    splits = [informative_clips(45, 1, seed=1), informative_clips(12, 500, seed=2)]
    for clip in splits[0] + splits[1]:
        clip["text"] = f"Kata {clip['sentiment']} saja."
    return write_release(folder, *splits, features=False)


def test_fusion_takes_the_modalities_that_are_there(run, fusion, tmp_path, capsys):
    scores = run(write_labels(tmp_path / "release"), "--epochs", 8)
    assert "Modalities: text\n" in capsys.readouterr().out
    assert scores.macro_f1 > 0.9
    model = fusion.FusionModel.from_pretrained(tmp_path / "run")
    assert list(model.pooling) == ["text"] and model.config.frame_dims == []


def test_fusion_takes_the_modalities_that_are_asked_for(run, fusion, tmp_path):
    release = write_informative(tmp_path / "release", n_train=18, n_val=9)
    run(release, "--epochs", 1, "--modalities", "text", "audio")
    model = fusion.FusionModel.from_pretrained(tmp_path / "run")
    assert list(model.pooling) == ["text", "audio"]


def test_fusion_without_text_is_refused(run, tmp_path, capsys):
    with pytest.raises(SystemExit):
        run(tmp_path, "--modalities", "audio,video")
    assert "--modalities: this model needs text" in capsys.readouterr().err


@pytest.mark.slow
def test_fusion_trains_on_the_public_files(run, label_dir):
    assert run(label_dir, "--epochs", 1).support.sum() == 356


def test_text_baseline_takes_a_list_of_configs(tmp_path, own_cache, capsys):
    import text_baseline

    release = str(write_labels(tmp_path / "release"))
    options = ["--folds", "2", release]
    assert list(text_baseline.main(["--config", "3_class", *options])) == ["3_class"]
    both = [["3_class,7_class"], ["3_class", "7_class"]]
    for configs in both:
        assert list(text_baseline.main(["--config", *configs, *options])) == ["3_class", "7_class"]
    with pytest.raises(SystemExit):
        text_baseline.main(["--config", "7_Class", release])
    assert "Did you mean '7_class'" in capsys.readouterr().err


@pytest.mark.slow
def test_notebook_of_a_first_look_runs(tmp_path):
    """Every cell, from the folder that it lies in; it is kept without what it shows."""
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    pytest.importorskip("matplotlib")
    path = ROOT / "examples" / "first_look.ipynb"
    notebook = nbformat.read(path, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.outputs for cell in cells) and path.stat().st_size < 20_000
    nbclient.NotebookClient(
        notebook, timeout=120, resources={"metadata": {"path": str(path.parent)}}
    ).execute()
    shown = [output for cell in cells for output in cell.outputs]
    told = [output["text"] for output in shown if output.get("name") == "stderr"]
    assert not any("IndoMER" in text or "Error" in text for text in told)
    kinds = [kind for output in shown for kind in output.get("data", ())]
    assert "image/png" in kinds and "text/html" in kinds
    assert any("usable" in output.get("text", "") for output in shown)
