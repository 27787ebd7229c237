"""Command line: `indomer COMMAND` or `python -m indomer_tools COMMAND`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from datasets.exceptions import DatasetGenerationError

import indomer
from indomer_tools import demo, infos


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status."""
    args = _parser().parse_args(argv)
    try:
        return args.run(args)
    except DatasetGenerationError as error:
        # datasets wraps what the loader raised while generating examples.
        if not isinstance(error.__cause__, indomer.IndoMERError):
            raise
        message = str(error.__cause__)
    except indomer.IndoMERError as error:
        message = str(error)
    print(f"indomer: {message}", file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="indomer", description="Tools for the IndoMER dataset.")
    parser.add_argument("--version", action="version", version=f"indomer {indomer.__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    about = "load a release in every way; show its features, class counts and one example"
    command = commands.add_parser("demo", help=about, description=about.capitalize() + ".")
    command.add_argument(
        "data_dir", nargs="?", metavar="DATA_DIR", help="default: the checkout's dummy_data"
    )
    command.add_argument(
        "--modalities",
        nargs="+",
        choices=("text", "audio", "video"),
        help="needed where a feature pickle is missing; for example --modalities text",
    )
    command.set_defaults(run=_run_demo)

    about = "write dataset_infos.json, the published schema and split sizes"
    command = commands.add_parser("infos", help=about, description=about.capitalize() + ".")
    command.add_argument("path", nargs="?", type=Path, help="default: beside indomer.py")
    command.set_defaults(run=_run_infos)
    return parser


def _run_demo(args: argparse.Namespace) -> int:
    options = {"modalities": tuple(args.modalities)} if args.modalities else {}
    for line in demo.report(args.data_dir, **options):
        print(line, flush=True)
    return 0


def _run_infos(args: argparse.Namespace) -> int:
    print(f"wrote {infos.write_infos(args.path or infos.INFOS_PATH)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
