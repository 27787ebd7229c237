"""Mean and standard deviation of features, and batches that are normalized by them."""

import numpy as np
import pytest

import indomer
import indomer_tools
from indomer_tools.train import FeatureStatistics, PaddingCollator, feature_statistics
from tests.support.release_writers import make_clips, write_release

torch = pytest.importorskip("torch")


def true_frames(train, modality):
    rows = train.with_format("numpy")
    return np.concatenate([row[f"{modality}_feature"][: row[f"{modality}_length"]] for row in rows])


@pytest.fixture(scope="module")
def splits(tmp_path_factory):
    """The same clips, prepared and streamed, trimmed and padded: name -> split."""
    folder = tmp_path_factory.mktemp("release")
    rng = np.random.default_rng(3)
    clips = make_clips(23)
    for clip in clips:
        # Far from 0, as places in a picture are, beside small values.
        clip["video"][clip["video"] != 0] += rng.normal(518, 3)
        clip["audio"] = (clip["audio"] * rng.random(clip["audio"].shape)).astype(np.float32)
    write_release(folder, clips, make_clips(2, 50))
    return {
        (streaming, trim): indomer.load_dataset(
            "7_class",
            data_dir=folder,
            split="train",
            streaming=streaming,
            trim_padding=trim,
            cache_dir=tmp_path_factory.mktemp("cache"),
        )
        for streaming in (False, True)
        for trim in (False, True)
    }


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("trim", [False, True])
def test_statistics_are_those_of_all_true_frames(splits, streaming, trim):
    found = feature_statistics(splits[streaming, trim])
    assert list(found) == ["video", "audio"]
    for modality, one in found.items():
        frames = true_frames(splits[False, False], modality).astype(np.float64)
        assert one.n_frames == len(frames)
        np.testing.assert_allclose(one.mean, frames.mean(axis=0), rtol=1e-12)
        np.testing.assert_allclose(one.std, frames.std(axis=0), rtol=1e-9)
        assert not one.n_not_finite.any()


def test_values_that_are_no_numbers_are_left_out_and_counted(tmp_path):
    rng = np.random.default_rng(0)
    clips = {f"clip_{i}_Cooking_1": rng.normal(size=(6, 4)).astype("f4") for i in range(1, 4)}
    first, second, _ = clips.values()
    first[:, 0], first[2, 1], second[3, 1], second[:, 3] = np.nan, np.nan, np.inf, 7
    first[:, 3] = 7
    clips["clip_3_Cooking_1"][:, 3] = 7
    for clip in clips.values():
        clip[:, 0] = np.nan
    np.savez(tmp_path / "own.npz", **clips)
    release = write_release(
        tmp_path / "release",
        [{**clip, "id": name} for clip, name in zip(make_clips(3), clips)],
        make_clips(1, 50),
        features=False,
    )
    train = indomer.load_dataset(
        "7_class",
        data_dir=release,
        split="train",
        modalities="text",
        feature_files={"own": tmp_path / "own.npz"},
        on_missing="empty",
        streaming=True,
    )
    one = feature_statistics(train)["own"]
    frames = np.concatenate(list(clips.values())).astype(np.float64)
    frames[~np.isfinite(frames)] = np.nan
    assert one.n_not_finite.tolist() == [18, 2, 0, 0]
    assert np.isnan(one.mean[0]) and np.isnan(one.std[0])
    np.testing.assert_allclose(one.mean[1:], np.nanmean(frames[:, 1:], axis=0))
    np.testing.assert_allclose(one.std[1:], np.nanstd(frames[:, 1:], axis=0), atol=1e-12)
    collate = PaddingCollator(normalize=feature_statistics(train), replace_nonfinite=True)
    batch = collate(list(train))["own_feature"]
    # One value in all frames becomes 0, and what was no number, too.
    assert torch.isfinite(batch).all()
    assert (batch[:, :, 3] == 0).all() and (batch[:, :, 0] == 0).all()


def test_batches_are_normalized_and_padding_stays_zero(splits):
    train = splits[False, True]
    statistics = feature_statistics(train)
    loader = torch.utils.data.DataLoader(
        indomer_tools.torch_dataset(train),
        batch_size=5,
        collate_fn=PaddingCollator(normalize=statistics),
    )
    plain = torch.utils.data.DataLoader(
        indomer_tools.torch_dataset(train), batch_size=5, collate_fn=PaddingCollator()
    )
    seen = []
    for batch, other in zip(loader, plain):
        for modality, one in statistics.items():
            mask, frames = batch[f"{modality}_mask"], batch[f"{modality}_feature"]
            assert frames.dtype == torch.float32 and (frames[~mask] == 0).all()
            expected = (other[f"{modality}_feature"][mask].double().numpy() - one.mean) / one.std
            np.testing.assert_allclose(frames[mask], expected, rtol=1e-3, atol=1e-3)
        seen.append(batch["audio_feature"][batch["audio_mask"]].clone())
    frames = torch.cat(seen)
    np.testing.assert_allclose(frames.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(frames.std(axis=0, correction=0), 1, atol=1e-4)


def test_table_is_not_changed(splits):
    train = splits[False, True]
    before = true_frames(train, "audio")
    collate = PaddingCollator(normalize=feature_statistics(train))
    collate(indomer_tools.torch_dataset(train).__getitems__(range(8)))
    np.testing.assert_array_equal(true_frames(train, "audio"), before)


def test_train_loader_takes_it(splits):
    statistics = feature_statistics(splits[False, True])
    collate = PaddingCollator(normalize=statistics, lengths=True)
    loader = indomer_tools.train_loader(splits[False, True], 4, seed=0, collate_fn=collate)
    (first, *_) = list(loader)
    assert abs(float(first["audio_feature"][first["audio_mask"]].mean())) < 1


def test_saved_statistics_are_the_same(splits, tmp_path):
    statistics = feature_statistics(splits[True, True])
    statistics.save(tmp_path / "statistics.json")
    loaded = FeatureStatistics.load(tmp_path / "statistics.json")
    assert list(loaded) == list(statistics)
    for name, one in statistics.items():
        np.testing.assert_array_equal(loaded[name].mean, one.mean)
        np.testing.assert_array_equal(loaded[name].std, one.std)
        assert loaded[name].n_frames == one.n_frames
    (tmp_path / "other.json").write_text('{"audio": [1]}')
    with pytest.raises(indomer.IndoMERError, match="expected what FeatureStatistics.save writes"):
        FeatureStatistics.load(tmp_path / "other.json")


def test_what_does_not_fit_is_told(splits):
    train = splits[False, True]
    statistics = feature_statistics(train)
    rows = indomer_tools.torch_dataset(train).__getitems__(range(2))
    audio = FeatureStatistics({"audio": statistics["audio"]})
    with pytest.raises(indomer.IndoMERError, match="statistics of audio, and none of video"):
        PaddingCollator(normalize=audio)(rows)
    swapped = FeatureStatistics({"audio": statistics["video"], "video": statistics["video"]})
    with pytest.raises(indomer.IndoMERError, match="over frames of 673 values, these have 18"):
        PaddingCollator(normalize=swapped)(indomer_tools.torch_dataset(train).__getitems__([0]))
    with pytest.raises(indomer.IndoMERError, match="expected what feature_statistics gives"):
        PaddingCollator(normalize=(0, 1))
    with pytest.raises(indomer.IndoMERError, match="no clip has frames"):
        feature_statistics(train.select_columns(["sample_id", "label"]))
    with pytest.raises(indomer.IndoMERError, match="expected one split"):
        feature_statistics({"train": train})
