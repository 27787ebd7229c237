"""How rows lie in a Parquet file: row groups, pages, encodings, nested lists without nulls."""

from typing import Any

import datasets
import pyarrow as pa

# Most bytes of features in a row group before compression, if it has several clips. Readers count
# the values of one clip slowly and those of several faster, and double their memory for the values
# until all fit: so several clips, and a bit less than a power of two. More takes more memory.
ROW_GROUP_BYTES = 16_000_000
ROW_GROUP_ROWS = 1000
PAGE_BYTES = 4096

# Whether a page of a file may end with a chunk of a table; before, it goes on into the next.
_PAGES_END_WITH_CHUNKS = int(pa.__version__.split(".")[0]) >= 22


def stored_schema(schema: pa.Schema) -> pa.Schema:
    """The schema with plain nested lists instead of the types of `datasets`.

    No value or frame of them is null. To say so makes reading a third faster. What `datasets` keeps
    in the schema's metadata makes arrays of them again.
    """
    values = pa.field("item", pa.float32(), nullable=False)
    frames = pa.field("item", pa.list_(values), nullable=False)
    return pa.schema(
        [
            field.with_type(pa.list_(frames)) if isinstance(field.type, pa.ExtensionType) else field
            for field in schema
        ],
        schema.metadata,
    )


def to_stored(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The same table, of one batch, in the stored schema; nothing is copied."""
    columns = []
    for column, field in zip(table.columns, schema):
        if isinstance(column.type, pa.ExtensionType):
            clips = column.chunk(0).storage
            frames = clips.values
            # Arrow casts no list to one of values that are never null.
            frames = _relabel(frames, field.type.value_type, frames.values)
            clips = _relabel(clips, field.type, frames)
            # The writer works on one chunk after the other, and takes memory for one.
            n_rows = 1 if _PAGES_END_WITH_CHUNKS else len(clips)
            chunks = [clips.slice(start, n_rows) for start in range(0, len(clips), n_rows)]
            column = pa.chunked_array(chunks, field.type)
        columns.append(column)
    return pa.Table.from_arrays(columns, schema=schema)


def _relabel(lists: pa.ListArray, list_type: pa.ListType, values: pa.Array) -> pa.ListArray:
    return pa.ListArray.from_buffers(list_type, len(lists), lists.buffers()[:2], children=[values])


def writer_options(features: datasets.Features) -> dict[str, Any]:
    """Options of `pq.ParquetWriter`.

    Splitting floats into streams of their first, second, ... bytes is what makes them smaller;
    compressing more than that costs time and gains nothing. Nor do the few numbers of a row group
    gain anything: to set up a compressor for each of their pages takes longer than to write them.
    """
    arrays = [name for name, f in features.items() if isinstance(f, datasets.Array2D)]
    others = [name for name in features if name not in arrays]
    texts = [name for name in others if features[name].dtype == "string"]
    leaves = [f"{name}.list.element.list.element" for name in arrays]
    return {
        "compression": dict.fromkeys(others, "none") | dict.fromkeys([*texts, *leaves], "zstd"),
        "compression_level": dict.fromkeys([*texts, *leaves], 1),
        "use_dictionary": texts,
        "use_byte_stream_split": leaves,
        "write_statistics": others,
        # Lets a viewer read one clip without the rest of its row group.
        "write_page_index": True,
        # Pages end with the clip in which they become so large, so that each but the shortest clips
        # has one of its own, and the same bytes in both configs. A store that cuts files into
        # chunks by their content keeps them once.
        "data_page_size": PAGE_BYTES,
    }
