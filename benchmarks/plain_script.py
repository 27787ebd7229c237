"""What a loading script for this release would be without any care for size or safety."""

import json
import pickle
from pathlib import Path

import datasets

SPLITS = {"train": "train", "val": "validation"}

EMOTIONS = [
    "ketakutan", "jijik", "kemarahan", "kesedihan", "netral", "kebahagiaan", "surprise",
]  # fmt: skip


class PlainScript(datasets.GeneratorBasedBuilder):
    """A `GeneratorBasedBuilder` around `pickle.load`, as one would write it at once."""

    def _info(self):
        features = {"sample_id": datasets.Value("string"), "text": datasets.Value("string")}
        features["label"] = datasets.ClassLabel(names=EMOTIONS)
        features["video_feature"] = datasets.Array2D((None, 673), "float32")
        features["audio_feature"] = datasets.Array2D((None, 18), "float32")
        return datasets.DatasetInfo(features=datasets.Features(features))

    def _split_generators(self, dl_manager):
        return [
            datasets.SplitGenerator(name=SPLITS[split], gen_kwargs={"split": split})
            for split in SPLITS
        ]

    def _generate_examples(self, split):
        features = {}
        for modality in ("video", "audio"):
            folder = Path(self.config.data_dir, f"{modality}_feature")
            with open(folder / f"{split}_{modality}_features.pkl", "rb") as file:
                clips = pickle.load(file)  # noqa: S301 - for comparison; it was written here
            features[modality] = {c[f"{modality}_name"]: c[f"{modality}_feature"] for c in clips}
        with open(Path(self.config.data_dir, "7_class", f"{split}.json"), encoding="utf-8") as file:
            rows = json.load(file)
        for row in rows:
            example = {column: row[column] for column in ("sample_id", "text", "label")}
            for modality in features:
                example[f"{modality}_feature"] = features[modality][row[modality]]
            yield row["sample_id"], example
