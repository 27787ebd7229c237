"""Names of classes beside their ids, for those who read an export without `datasets`."""

from collections.abc import Iterator

import datasets
import pyarrow as pa

from indomer_files.schema import EMOTIONS, EMOTIONS_EN, SENTIMENTS, SENTIMENTS_EN

# Ending of a column's name -> names of emotions and of sentiments, by id.
ENDINGS = {"_name": (EMOTIONS, SENTIMENTS), "_name_en": (EMOTIONS_EN, SENTIMENTS_EN)}


def names_of(features: datasets.Features) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yield (new column, column of ids, names by id) for all that `with_names` adds."""
    for column, feature in features.items():
        if isinstance(feature, datasets.ClassLabel):
            for ending, (emotions, sentiments) in ENDINGS.items():
                is_emotion = feature.num_classes == len(EMOTIONS)
                yield column + ending, column, emotions if is_emotion else sentiments


def with_names(features: datasets.Features) -> datasets.Features:
    """The features with two columns of names after all others, for each column of classes."""
    added = {name: datasets.Value("string") for name, _, _ in names_of(features)}
    return datasets.Features({**features, **added})


def add_names(table: pa.Table, features: datasets.Features) -> pa.Table:
    """The table with the columns that `with_names` adds; the name of no label is null."""
    for name, column, names in names_of(features):
        table = table.append_column(name, pa.array(names, pa.string()).take(table[column]))
    return table
