"""Reading an exported folder: without its features, and not when it is damaged."""

import pyarrow.parquet as pq
import pytest

import indomer
from indomer_tools.export.card import write_card
from tests.support.card_readers import shards


def test_features_are_not_read(copied):
    before = (copied / "README.md").read_bytes()
    for path in copied.glob("data/*/*/*.parquet"):
        content = bytearray(path.read_bytes())
        metadata = pq.ParquetFile(path).metadata
        for group in range(metadata.num_row_groups):
            for column in range(metadata.num_columns):
                leaf = metadata.row_group(group).column(column)
                if "_feature." in leaf.path_in_schema:
                    start = leaf.dictionary_page_offset or leaf.data_page_offset
                    content[start : start + leaf.total_compressed_size] = b"\xff" * (
                        leaf.total_compressed_size
                    )
        path.write_bytes(content)
        with pytest.raises(OSError):
            pq.ParquetFile(path).read()
    write_card(copied)
    assert (copied / "README.md").read_bytes() == before


def _break(name, content):
    return lambda folder: (folder / name).write_bytes(content)


def _rewrite_first_shard(rewrite):
    def damage(folder):
        shard = shards(folder, "7_class", "train")[0]
        pq.write_table(rewrite(pq.ParquetFile(shard).read()), shard)

    return damage


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "manifest.json").unlink(), "manifest.json: not found"),
        (_break("manifest.json", b"{"), "manifest.json: Expecting property name"),
        (_break("manifest.json", b"{}"), "expected files, loader, options, sources, found none"),
        (lambda folder: shards(folder, "7_class", "train")[0].unlink(), "train-00000-of-0000"),
        (
            lambda folder: shards(folder, "7_class", "train")[0].write_bytes(b"PAR1"),
            r"data/7_class/split=train/train-00000-of-0000\d.parquet: .* Export again",
        ),
        (_rewrite_first_shard(lambda table: table[:0]), r"expected \d rows \(manifest\), found 0"),
        (
            _rewrite_first_shard(lambda table: table.replace_schema_metadata(None)),
            "expected the features of datasets",
        ),
    ],
)
def test_damaged_folder_is_refused(copied, damage, message):
    damage(copied)
    with pytest.raises(indomer.IndoMERError, match=message):
        write_card(copied)
