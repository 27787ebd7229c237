"""Exports with their cards, and readers of what they hold."""

import hashlib
import re

import pyarrow as pa
import pyarrow.parquet as pq

from indomer_tools.export import export
from tests.support import release_writers as writers
from tests.support.places import ROOT

DUMMY = ROOT / "dummy_data"


def make(out, data_dir=DUMMY, **options):
    """Export in several files for a split; the exporter calls `write_card`."""
    return export(data_dir, out, max_shard_size="250KB", **options).folder


def few_clips(folder):
    """A release of 5 + 1 clips that has neither `kebahagiaan` nor `surprise`."""
    train = writers.make_clips(5)
    return writers.write_release(folder, train, writers.make_clips(1, first_video=9, seed=1))


def without_some_features(folder):
    """A release of 9 + 2 clips of which 3 + 1 have no audio features."""
    train, val = writers.make_clips(9), writers.make_clips(2, first_video=9, seed=1)
    writers.write_release(folder, train, val)
    writers.write_features(folder, "audio", "train", train[3:])
    writers.write_features(folder, "audio", "val", val[1:])
    return folder


def without_most_features(folder):
    """A release of which a file holds more clips without audio than a frame has values."""
    train = writers.make_clips(160, n_video=1, n_audio=2)
    val = writers.make_clips(1, first_video=901, seed=1)
    writers.write_release(folder, train, val)
    writers.write_features(folder, "audio", "train", train[-5:])
    return folder


def facts_of(path):
    content = path.read_bytes()
    return {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def shards(folder, config, split):
    return sorted((folder / "data" / config / f"split={split}").glob("*.parquet"))


def read_rows(folder, config, split, columns=None):
    """The rows of a split, straight from its Parquet files."""
    tables = [pq.ParquetFile(path).read(columns) for path in shards(folder, config, split)]
    return pa.concat_tables(tables).replace_schema_metadata(None)


def read_tables(card):
    """Every table of a card: a list of rows, each a list of cells; the head is the first row."""
    tables = []
    for block in re.findall(r"(?:^\|.*\n)+", card, re.MULTILINE):
        lines = [line.replace("\u00a0", " ")[1:-1].split("|") for line in block.splitlines()]
        head, _, *body = [[cell.strip(" `") for cell in line] for line in lines]
        tables.append([head, *body])
    return tables


def code_blocks(card):
    return re.findall(r"^```python\n(.*?)^```", card, re.MULTILINE | re.DOTALL)
