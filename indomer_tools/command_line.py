"""Command line: `indomer COMMAND` or `python -m indomer_tools COMMAND`."""

import argparse
import io
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import indomer
from indomer_files import Release
from indomer_files.errors import system_error_words
from indomer_files.safe_text import safe_text
from indomer_files.schema import CONFIGS, FEATURE_DIMS, MODALITIES
from indomer_tools import demo, infos
from indomer_tools.check import check
from indomer_tools.check.html import to_html
from indomer_tools.export import export


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status."""
    for stream in (sys.stdout, sys.stderr):
        # Not every terminal can show what transcripts, names and help hold.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    args = _parser().parse_args(argv)
    failed: int = args.failed
    try:
        status: int = args.run(args)
        # What nobody reads any more is told now, not when Python ends.
        print(end="", flush=True)
    except BrokenPipeError:
        # Of `indomer demo | head`, the reader has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except indomer.IndoMERError as error:
        print(f"indomer: {error}", file=sys.stderr)
        return failed
    except OSError as error:
        words = safe_text(system_error_words(error), "terminal")
        print(f"indomer: {words}", file=sys.stderr)
        return failed
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="indomer", description="Tools for the IndoMER dataset.")
    parser.add_argument("--version", action="version", version=f"indomer {indomer.__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, (about, add_arguments, run) in _COMMANDS.items():
        command = commands.add_parser(name, help=about, description=about.capitalize() + ".")
        add_arguments(command)
        # A check that finds faults ends with 1.
        command.set_defaults(run=run, failed=2 if name == "check" else 1)
    return parser


# --- demo ---------------------------------------------------------------------------------------


def _add_demo_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "data_dir", nargs="?", metavar="DATA_DIR", help="default: the checkout's dummy_data"
    )
    command.add_argument(
        "--modalities",
        nargs="+",
        choices=MODALITIES,
        help="needed where a feature pickle is missing; for example --modalities text",
    )


def _run_demo(args: argparse.Namespace) -> int:
    options = {"modalities": tuple(args.modalities)} if args.modalities else {}
    for line in demo.report(args.data_dir, **options):
        print(line, flush=True)
    return 0


# --- check --------------------------------------------------------------------------------------


def _add_check_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("data_dir", metavar="DATA_DIR", help="folder of the release")
    command.add_argument("--html", type=Path, metavar="FILE", help="write a report to look at")
    command.add_argument("--json", type=Path, metavar="FILE", help="write a report for programs")
    command.add_argument("--strict", action="store_true", help="exit 1 for warnings too")
    command.add_argument(
        "--sha256", action="store_true", help="of every file; by default of those up to 64 MiB"
    )


def _run_check(args: argparse.Namespace) -> int:
    for path in filter(None, (args.json, args.html)):
        _check_is_no_part(path, args.data_dir)
    report = check(args.data_dir, sha256=args.sha256 or None, progress=True)
    if args.json is not None:
        _write(args.json, report.to_json())
    if args.html is not None:
        _write(args.html, to_html(report))
    for line in report.lines(sys.stdout.isatty() and "NO_COLOR" not in os.environ):
        print(line)
    return report.exit_status(args.strict)


def _check_is_no_part(path: Path, data_dir: str) -> None:
    """Raise IndoMERError if a report would be written over a file of the release."""
    release = Release(data_dir)
    for part in release.identity(FEATURE_DIMS) if release.store.is_local and path.exists() else ():
        if os.path.samefile(part, path):
            raise indomer.IndoMERError(
                f"{path}: this is a file of the release. Write the report to another file."
            )


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", errors="backslashreplace")


# --- export -------------------------------------------------------------------------------------


def _add_export_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("data_dir", metavar="DATA_DIR", help="folder of the release")
    command.add_argument("out", metavar="OUT", help="folder to make; an earlier export is replaced")
    command.add_argument("--config", choices=CONFIGS, help="default: both")
    command.add_argument(
        "--trim-padding", action="store_true", help="without each clip's trailing all-zero frames"
    )
    command.add_argument("--modalities", nargs="+", choices=MODALITIES)
    command.add_argument(
        "--on-missing", choices=("error", "skip", "empty"), help="for clips without features"
    )
    command.add_argument("--label-language", choices=("id", "en"), help="of class names")
    command.add_argument("--video-dim", type=int, metavar="D", help="default: 673")
    command.add_argument("--audio-dim", type=int, metavar="D", help="default: 18")
    command.add_argument(
        "--num-proc", type=int, metavar="N", help="processes; default: one, with several threads"
    )
    command.add_argument(
        "--max-shard-size", default="500MB", metavar="SIZE", help="default: 500MB, uncompressed"
    )
    command.add_argument(
        "--push-to",
        metavar="USER/NAME",
        help="dataset on the Hugging Face Hub; new ones are private",
    )


def _run_export(args: argparse.Namespace) -> int:
    # What is not given is as the loader has it.
    options = {
        name: value
        for name, value in vars(args).items()
        if name not in ("run", "failed") and value is not None
    }
    if args.push_to:
        print(
            "The data states no licence: have its authors' permission before you share it.",
            file=sys.stderr,
        )
    exported = export(**options, progress=True)
    for name, n_clips in exported.rows.items():
        print(f"{name}: {n_clips:,} clips")
    print(f"wrote {exported.folder}: {exported.n_bytes / 1e6:,.1f} MB of Parquet")
    if exported.url:
        print(f"pushed to {exported.url}")
    return 0


# --- infos --------------------------------------------------------------------------------------


def _add_infos_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("path", nargs="?", type=Path, help="default: beside indomer.py")


def _run_infos(args: argparse.Namespace) -> int:
    print(f"wrote {infos.write_infos(args.path or infos.INFOS_PATH)}")
    return 0


class _Command(NamedTuple):
    """What a command does, in words and in code."""

    about: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


_COMMANDS = {
    "demo": _Command(
        "load a release in every way; show its features, class counts and one example",
        _add_demo_arguments,
        _run_demo,
    ),
    "check": _Command(
        "check the files of a release: labels, transcripts, features, the card's figures",
        _add_check_arguments,
        _run_check,
    ),
    "export": _Command(
        "write a release as a plain Parquet dataset with a card, for any tool and the Hub",
        _add_export_arguments,
        _run_export,
    ),
    "infos": _Command(
        "write dataset_infos.json, the published schema and split sizes",
        _add_infos_arguments,
        _run_infos,
    ),
}
