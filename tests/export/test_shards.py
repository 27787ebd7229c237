"""How an export is cut into shards and row groups, and how these are shared."""

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets.distributed import split_dataset_by_node

from indomer_tools.export import planned, write_shard
from tests.support import release_writers
from tests.support.export_writers import (
    CONFIGS,
    make_clips,
    plainly,
    shards_of,
    write_release,
)

pytestmark = pytest.mark.usefixtures("without_figures")


@pytest.fixture(scope="module")
def big_clips(tmp_path_factory):
    """The shards of an export with clips of 1 MB; no card."""
    folder = tmp_path_factory.mktemp("big")
    rng = np.random.default_rng(0)
    clips = make_clips(48, n_video=1, n_audio=1)
    for clip in clips:
        clip["video"] = rng.standard_normal((400, 673), np.float32)
        clip["audio"] = rng.standard_normal((1500, 18), np.float32)
    release_writers.write_release(folder / "release", clips[:40], clips[40:])
    with planned(folder / "release", folder / "out", config="7_class") as plan:
        for shard in plan.shards:
            write_shard(shard)
    return plan.folder


@pytest.mark.parametrize(
    ("n_clips", "sizes"),
    [(3, [3]), (8, [4, 4]), (31, [7, 8, 8, 8]), (32, [4] * 8), (40, [5] * 8)],
)
def test_shards_are_even(tmp_path, n_clips, sizes):
    release = write_release(tmp_path / "release", n_clips, 1, n_video=7, n_audio=2)
    with planned(release, tmp_path / "out", config="7_class") as plan:
        found = [shard.n_rows for shard in plan.shards if shard.split == "train"]
    assert found == sizes


def test_shards_keep_the_most_bytes(release, tmp_path):
    with planned(release, tmp_path / "out", max_shard_size="60KB") as plan:
        train = [shard for shard in plan.shards if shard.split == "train"]
    # 40 clips of 16,800 bytes: 672 KB, which are 12 times 60 KB, in each config.
    assert len(train) == 2 * 16
    assert max(shard.n_bytes for shard in train) <= 60_000


@pytest.mark.parametrize("n_nodes", [2, 4])
def test_shards_are_divided_among_nodes(exported, tmp_path, n_nodes):
    stream = plainly(exported, "7_class", tmp_path, split="train", streaming=True)
    nodes = [split_dataset_by_node(stream, rank, n_nodes) for rank in range(n_nodes)]
    found = [[row["sample_id"] for row in node.select_columns(["sample_id"])] for node in nodes]
    assert [len(names) for names in found] == [40 // n_nodes] * n_nodes
    assert len({name for names in found for name in names}) == 40
    # Its name in datasets 3.0 is n_shards.
    number = "num_shards" if hasattr(stream, "num_shards") else "n_shards"
    assert {getattr(node, number) for node in nodes} == {8 // n_nodes}


@pytest.mark.long
def test_workers_see_each_clip_once(exported, tmp_path):
    torch_data = pytest.importorskip("torch.utils.data")
    stream = plainly(exported, "7_class", tmp_path, split="train", streaming=True)
    loader = torch_data.DataLoader(stream.with_format("torch"), batch_size=None, num_workers=4)
    found = [row["sample_id"] for row in loader]
    assert sorted(found) == sorted(set(found))
    assert len(found) == 40


@pytest.mark.parametrize(("trim_padding", "sizes"), [(False, [2, 2, 1]), (True, [5])])
def test_row_groups_have_16_mb_at_most(tmp_path, trim_padding, sizes):
    # Clips of 6 MB each, nearly all of it padding.
    release = write_release(tmp_path / "release", 5, 1, n_video=2200)
    with planned(release, tmp_path / "out", trim_padding=trim_padding) as plan:
        write_shard(plan.shards[0])
    metadata = pq.read_metadata(plan.shards[0].path)
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    assert [group.num_rows for group in groups] == sizes
    assert max(group.total_byte_size for group in groups) < 16e6


class _CountingFile:
    """A file that counts the bytes that are read."""

    def __init__(self, path):
        self._file, self.n_read, self.closed = io.FileIO(path), 0, False

    def read(self, n_bytes=-1):
        content = self._file.read(n_bytes)
        self.n_read += len(content)
        return content

    def __getattr__(self, name):
        return getattr(self._file, name)


def test_text_and_labels_touch_few_bytes(big_clips):
    n_read = n_bytes = 0
    for path in shards_of(big_clips):
        counting = _CountingFile(path)
        schema = pq.read_schema(path)
        columns = [name for name in schema.names if not name.endswith("_feature")]
        table = pq.read_table(pa.PythonFile(counting, "r"), columns=columns, pre_buffer=False)
        assert table.num_rows == 5
        n_read += counting.n_read
        n_bytes += path.stat().st_size
    assert 0 < n_read < 0.02 * n_bytes


def test_clips_have_the_same_bytes_in_both_configs(exported):
    # Whose rows have different orders.
    three, seven = (
        b"".join(path.read_bytes() for path in shards_of(exported, config)) for config in CONFIGS
    )
    blocks = {three[place : place + 64] for place in range(len(three) - 64)}
    n_shared = sum(seven[place : place + 64] in blocks for place in range(0, len(seven) - 64, 64))
    assert n_shared > 0.5 * len(seven) / 64
