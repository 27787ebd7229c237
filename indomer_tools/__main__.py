"""Command line: `indomer COMMAND` or `python -m indomer_tools COMMAND`."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from datasets.exceptions import DatasetGenerationError

import indomer
from indomer_tools import check, demo, infos
from indomer_tools.report import to_html


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

    about = "check the files of a release: labels, transcripts, features, the card's figures"
    command = commands.add_parser("check", help=about, description=about.capitalize() + ".")
    command.add_argument("data_dir", metavar="DATA_DIR", help="folder of the release")
    command.add_argument("--html", type=Path, metavar="FILE", help="write a report to look at")
    command.add_argument("--json", type=Path, metavar="FILE", help="write a report for programs")
    command.add_argument("--strict", action="store_true", help="exit 1 for warnings too")
    command.add_argument(
        "--sha256", action="store_true", help="of every file; by default of those up to 64 MiB"
    )
    command.set_defaults(run=_run_check)

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


def _run_check(args: argparse.Namespace) -> int:
    try:
        report = check(args.data_dir, sha256=args.sha256 or None, progress=True)
        if args.json is not None:
            _write(args.json, report.to_json())
        if args.html is not None:
            _write(args.html, to_html(report))
    except (indomer.IndoMERError, OSError) as error:
        print(f"indomer: {error}", file=sys.stderr)
        return 2
    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    encoding = sys.stdout.encoding or "utf-8"
    for line in report.lines(colour):
        # Not every terminal can show what transcripts hold.
        print(line.encode(encoding, "backslashreplace").decode(encoding))
    return report.exit_status(args.strict)


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", errors="backslashreplace")


def _run_infos(args: argparse.Namespace) -> int:
    print(f"wrote {infos.write_infos(args.path or infos.INFOS_PATH)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
