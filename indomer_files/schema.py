"""Facts about the data: class names, columns, places of files, sizes."""

from collections.abc import Iterable

HOMEPAGE = "https://arxiv.org/abs/2512.19379"

CONFIGS = ("3_class", "7_class")

# Class names as published, in the order in which the card lists them; ids follow this order.
EMOTIONS = ("ketakutan", "jijik", "kemarahan", "kesedihan", "netral", "kebahagiaan", "surprise")
SENTIMENTS = ("negatif", "netral", "positif")
EMOTIONS_EN = ("fear", "disgust", "anger", "sadness", "neutral", "happiness", "surprise")
SENTIMENTS_EN = ("negative", "neutral", "positive")

# Class name -> the same in English.
ENGLISH = dict(zip(EMOTIONS + SENTIMENTS, EMOTIONS_EN + SENTIMENTS_EN))

# The only mapping under which the card's 7-class counts add up to its 3-class counts.
SENTIMENT_OF = {
    "ketakutan": "negatif",
    "jijik": "negatif",
    "kemarahan": "negatif",
    "kesedihan": "negatif",
    "netral": "netral",
    "kebahagiaan": "positif",
    "surprise": "positif",
}

# Topics of the card; clip names also spell one of them "Opinions".
TOPICS = (
    "Blogger",
    "Book",
    "Celebrity",
    "Cooking",
    "Family",
    "Health",
    "Makeup",
    "Opinion",
    "Politics",
    "Product",
    "Sharing",
    "Society",
    "Tutorials",
)

MODALITIES = ("text", "audio", "video")

# Modality -> values per frame in the published features.
FEATURE_DIMS = {"video": 673, "audio": 18}

# Label columns and their classes; `label` repeats the first column of its config in JSON_LABELS.
LABEL_COLUMNS = {
    "emotion": EMOTIONS,
    "sentiment": SENTIMENTS,
    "text_sentiment": SENTIMENTS,
    "audio_sentiment": SENTIMENTS,
    "video_sentiment": SENTIMENTS,
}

# Number codes of the cards of January 2026, which later ones dropped and no public file had. They
# are not the class ids of the loader, which follow the order of the names above.
EARLY_CODES = {
    "7_class": {
        "netral": 0,
        "kebahagiaan": 1,
        "surprise": 2,
        "kesedihan": 3,
        "kemarahan": 4,
        "jijik": 5,
        "ketakutan": 6,
    },
    "3_class": {"netral": 0, "positif": 1, "negatif": 2},
}

# Label column -> field of the split JSON, for each config.
JSON_LABELS = {
    "3_class": {
        "sentiment": "label",
        "text_sentiment": "text_label",
        "audio_sentiment": "audio_label",
        "video_sentiment": "video_label",
    },
    "7_class": {"emotion": "label", "sentiment": "sentiment_label"},
}

JSON_FIELDS = ("sample_id", "text", "label", "video", "audio")

# Split name -> its name in file names.
SPLITS = {"train": "train", "validation": "val"}

# Rows of the published release 1.0.0, the same in both configs.
PUBLISHED_SIZES = {"train": 1588, "validation": 356}

# Where the parts of a release may lie, the documented place first; upper and lower case are alike.
SPLIT_PLACES = ("{config}/{split}.json", "{config}/{config}_{split}.json", "{config}_{split}.json")
FEATURE_PLACES = (
    "{modality}_feature/{split}_{modality}_features.pkl",
    "{modality}s_feature/{split}_{modality}_features.pkl",
    "{split}_{modality}_features.pkl",
)
ANNOTATION_PLACES = ("Annotations.csv",)

DOWNLOAD_ADVICE = (
    "IndoMER's files are not downloaded for you. Get them from the project page of the paper "
    f"({HOMEPAGE}), put them into one folder (3_class/, 7_class/, Annotations.csv, "
    "video_feature/, audio_feature/) and pass it: data_dir='path/to/that/folder'."
)

# Endings of media files, in lower case -> modality.
MEDIA_ENDINGS = {
    **dict.fromkeys((".mp4", ".mkv", ".webm", ".mov", ".avi"), "video"),
    **dict.fromkeys((".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a"), "audio"),
}


def feature_modalities(columns: Iterable[str]) -> list[str]:
    """Modalities whose frames are among some columns: video, audio, and those of one's own.

    These have two columns each, such as `clip_feature` and `clip_length`.
    """
    columns = list(columns)
    own = [
        name.removesuffix("_feature")
        for name in columns
        if name.endswith("_feature") and f"{name.removesuffix('_feature')}_length" in columns
    ]
    released = [name for name in FEATURE_DIMS if f"{name}_feature" in columns]
    return list(dict.fromkeys([*released, *own]))
