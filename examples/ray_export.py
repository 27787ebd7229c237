"""Export a release with Ray, on the processors of this machine or of a cluster.

    pip install ".[engines]"                                          # on every node
    python examples/ray_export.py DATA_DIR OUT                        # on this machine
    RAY_ADDRESS=HOST:PORT python examples/ray_export.py DATA_DIR OUT  # on a cluster

Makes the same files as `indomer export DATA_DIR OUT`. All nodes see DATA_DIR (a folder or any
fsspec address) and OUT (a folder of a shared disk) by the same path, and have the same versions of
Python, Ray, pyarrow and this project. What failed or was killed goes on where it was, run again.
"""

import argparse
import sys

import indomer
from indomer_tools.arguments import join_values, several_of
from indomer_tools.export import Source, planned, write_shard


def main(argv=None):
    args = parse_args(argv)
    # Only now: --help needs no Ray.
    import ray
    from ray.exceptions import RayTaskError

    # Joins the cluster of RAY_ADDRESS, or one of this machine; starts one where there is none.
    ray.init(num_cpus=args.num_cpus, ignore_reinit_error=True)
    options = {"config": args.config, "trim_padding": args.trim_padding}
    release = indomer.Release(args.data_dir)
    if args.modalities:
        options["modalities"] = args.modalities
    elif release.has_no_features():
        options["modalities"] = release.modalities()
        print(f"Modalities: {', '.join(options['modalities'])}")
    with planned(args.data_dir, args.out, **options) as plan:
        try:
            entries, sources = write(plan)
        except RayTaskError as error:
            # What went wrong in the task, as if it had been in this process.
            raise error.cause from None
        out = plan.finish(entries, sources)
    n_rows = sum(entry["rows"] for entry in entries)
    n_bytes = sum(entry["size"] for entry in entries)
    print(f"wrote {out}: {len(entries)} files, {n_rows:,} rows, {n_bytes / 1e6:,.1f} MB")
    return out


def write(plan):
    """Write all shards; return what the manifest says of them and of the released files."""
    import ray

    # To tell their sha256, released files are read as a whole, each in a task of its own.
    describe = ray.remote(Source.describe)
    sources = [describe.remote(plan.source, path) for path in plan.source.paths()]
    # Where a shard fails, its own error is wanted, not one of Ray's that quotes it.
    ray.data.DataContext.get_current().raise_original_map_exception = True
    # A block for each shard makes each a task of its own; it keeps one processor busy.
    shards = plan.shards
    numbers = ray.data.from_items(list(range(len(shards))), override_num_blocks=len(shards))
    entries = numbers.map(lambda row: write_shard(shards[row["item"]]), num_cpus=1).take_all()
    return entries, ray.get(sources)


def parse_args(argv):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data_dir", help="folder or address of the release")
    parser.add_argument("out", help="folder to make; an earlier export is replaced")
    parser.add_argument("--config", choices=["3_class", "7_class"], help="default: both")
    parser.add_argument("--trim-padding", action="store_true", help="without padding frames")
    parser.add_argument(
        "--modalities",
        type=several_of(indomer.MODALITIES),
        metavar="LIST",
        help="text,audio,video or fewer; default: all, or text where there are no features",
    )
    parser.add_argument("--num-cpus", type=int, help="processors of this machine; default: all")
    argv = join_values(sys.argv[1:] if argv is None else argv, {"--modalities": indomer.MODALITIES})
    return parser.parse_args(argv)


if __name__ == "__main__":
    try:
        main()
    except indomer.IndoMERError as error:
        # Ray adds lines of its own to the message.
        sys.exit(f"ray_export: {str(error).splitlines()[0]}")
