"""A release as a plain Parquet dataset with a card, written by one process or by many."""

from indomer_tools.export.hub import push
from indomer_tools.export.plan import Plan, planned
from indomer_tools.export.run import Export, export, write_shards
from indomer_tools.export.shards import Entry, Shard, Source, write_shard

__all__ = [
    "Entry",
    "Export",
    "Plan",
    "Shard",
    "Source",
    "export",
    "planned",
    "push",
    "write_shard",
    "write_shards",
]
