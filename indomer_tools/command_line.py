"""Command line: `indomer COMMAND` or `python -m indomer_tools COMMAND`.

Exit status of every command: 0 where all is well, 1 where what was looked at is not (`check` and
`inspect`), 2 where the command could not do its work. With `--quiet`, errors alone are printed.
"""

import argparse
import contextlib
import io
import logging
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import indomer
from indomer_files import Release
from indomer_files.errors import system_error_words
from indomer_files.logs import warn
from indomer_files.options import check_config
from indomer_files.padding import PADDINGS
from indomer_files.safe_text import safe_text
from indomer_files.schema import CONFIGS, FEATURE_DIMS, MODALITIES
from indomer_tools import demo, infos
from indomer_tools.arguments import (
    FeatureFilesAction,
    checked_by,
    join_values,
    one_of,
    several_of,
)
from indomer_tools.browse.clips import open_clips
from indomer_tools.browse.html import to_html as clip_page
from indomer_tools.browse.server import make_app, serve
from indomer_tools.browse.terminal import clip_lines
from indomer_tools.check import check
from indomer_tools.check.html import to_html
from indomer_tools.export import export
from indomer_tools.export.texts import FORMATS
from indomer_tools.extract import make_features
from indomer_tools.extract.folder import ENDINGS
from indomer_tools.inspection import inspect

logger = logging.getLogger(__name__)

# What a shell gives a program that was interrupted, or whose reader went away.
_INTERRUPTED, _NO_READER = 130, 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status."""
    for stream in (sys.stdout, sys.stderr):
        # Not every terminal can show what transcripts, names and help hold.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    arguments = sys.argv[1:] if argv is None else argv
    args = _parser().parse_args(join_values(arguments, {"--modalities": MODALITIES}))
    try:
        with _silence() if args.quiet else contextlib.nullcontext():
            status: int = args.run(args)
            # What nobody reads any more is told now, not when Python ends.
            print(end="", flush=True)
    except BrokenPipeError:
        # Of `indomer demo | head`, the reader has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _NO_READER
    except KeyboardInterrupt:
        return _INTERRUPTED
    except indomer.IndoMERError as error:
        print(f"indomer: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        words = safe_text(system_error_words(error), "terminal")
        print(f"indomer: {words}", file=sys.stderr)
        return 2
    return status


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Context in which nothing is printed or logged but what ends it."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(before)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="indomer",
        description="Tools for the IndoMER dataset, in the order in which one needs them.",
        epilog="Exit status: 0 all is well, 1 errors were found, 2 it could not run.",
        add_help=False,
    )
    _add_help(parser)
    parser.add_argument(
        "--version",
        action="version",
        version=f"indomer {indomer.__version__}",
        help="Show the version and exit.",
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, (about, add_arguments, run) in _COMMANDS.items():
        command = commands.add_parser(
            name,
            help=about,
            description=about,
            epilog=parser.epilog,
            allow_abbrev=False,
            add_help=False,
        )
        add_arguments(command)
        _add_help(command)
        command.add_argument("--quiet", action="store_true", help="Print errors alone.")
        command.set_defaults(run=run)
    return parser


def _add_help(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-h", "--help", action="help", help="Show this text and exit.")


def _add_data_dir(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "data_dir", metavar="DATA_DIR", help="The folder of the release, or an address of one."
    )


def _add_modalities(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--modalities",
        type=several_of(MODALITIES),
        metavar="LIST",
        help=f"Take these alone, of {', '.join(MODALITIES)}: text,audio. Without the option, all "
        "are taken; text alone where the release has no feature files, as the public one.",
    )


def _add_padding(command: argparse.ArgumentParser, what: str = "Feature files are") -> None:
    command.add_argument(
        "--padding",
        type=one_of(PADDINGS),
        default="auto",
        metavar="END",
        help=f"{what} padded at the end or at the start; without the option, this is found.",
    )


def _add_feature_files(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--feature-files",
        action=FeatureFilesAction,
        metavar="MODALITY=PATH",
        help="Take features of your own: audio=wav2vec.safetensors, or audio.train=PATH and "
        "audio.validation=PATH. May be given more than once; any other name is a modality of its "
        "own.",
    )


def _modalities(args: argparse.Namespace, is_part_enough: bool) -> tuple[str, ...]:
    """Those that were asked for, or those that are there; the rest is told.

    Args:
        args: Arguments of a command.
        is_part_enough: Whether to go on where some of the feature files are missing, and not all.
    """
    if args.modalities:
        chosen: tuple[str, ...] = args.modalities
        return chosen
    release, own = indomer.Release(args.data_dir), getattr(args, "feature_files", None) or {}
    there = tuple(name for name in MODALITIES if name in own or name in release.modalities())
    if there == MODALITIES or not (is_part_enough or release.has_no_features()):
        return MODALITIES
    absent = " and ".join(name for name in MODALITIES if name not in there)
    warn(
        logger,
        f"{args.data_dir}: no feature files of {absent}; as with --modalities {','.join(there)}.",
    )
    return there


# --- demo ---------------------------------------------------------------------------------------


def _add_demo_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "data_dir",
        nargs="?",
        metavar="DATA_DIR",
        help="The folder of a release; without it, dummy_data of the checkout is shown.",
    )
    _add_modalities(command)


def _run_demo(args: argparse.Namespace) -> int:
    args.data_dir = demo.find_release(args.data_dir)
    modalities = _modalities(args, is_part_enough=True)
    for line in demo.report(args.data_dir, modalities=modalities):
        print(line, flush=True)
    return 0


# --- check --------------------------------------------------------------------------------------


def _add_check_arguments(command: argparse.ArgumentParser) -> None:
    _add_data_dir(command)
    command.add_argument(
        "--html", type=Path, metavar="FILE", help="Write a page with tables and plots to look at."
    )
    command.add_argument(
        "--json", type=Path, metavar="FILE", help="Write the findings for programs."
    )
    command.add_argument(
        "--strict", action="store_true", help="Exit with status 1 for warnings, too."
    )
    command.add_argument(
        "--sha256",
        action="store_true",
        help="Compute the digest of every file; without it, of files up to 64 MiB.",
    )
    _add_padding(command)
    _add_feature_files(command)


def _run_check(args: argparse.Namespace) -> int:
    for path in filter(None, (args.json, args.html)):
        _check_is_no_part(path, args.data_dir)
    report = check(
        args.data_dir,
        sha256=args.sha256 or None,
        padding=args.padding,
        feature_files=args.feature_files,
        progress=not args.quiet,
    )
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


# --- inspect ------------------------------------------------------------------------------------


def _add_inspect_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "file", metavar="FILE", help="The feature file to look into, or an address of one."
    )


def _run_inspect(args: argparse.Namespace) -> int:
    inspection = inspect(args.file)
    for line in inspection.lines():
        print(line)
    return 0 if inspection.is_readable else 1


# --- show ---------------------------------------------------------------------------------------


def _add_folder(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "folder", metavar="FOLDER", help="The folder of the release, or one that export made."
    )


def _add_clip_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--media-dir", metavar="CLIPS", help="The folder of the clips themselves, at any depth."
    )
    _add_padding(command)
    # Not for a folder that export made, where nothing is padded at its start.
    command.set_defaults(padding=None)
    _add_feature_files(command)


def _clip_options(args: argparse.Namespace) -> dict[str, Any]:
    # What is not given is as the loader has it.
    names = ("media_dir", "padding", "feature_files")
    return {name: value for name in names if (value := getattr(args, name)) is not None}


def _add_show_arguments(command: argparse.ArgumentParser) -> None:
    _add_folder(command)
    command.add_argument("clip", metavar="CLIP", help="The name of the clip: clip_12_Cooking_3.")
    command.add_argument(
        "--html", type=Path, metavar="FILE", help="Write a page of the clip, with its features."
    )
    _add_clip_options(command)


def _run_show(args: argparse.Namespace) -> int:
    with open_clips(args.folder, **_clip_options(args)) as clips:
        view = clips.view(args.clip)
        if args.html is not None:
            _check_is_no_part(args.html, args.folder)
            _write(args.html, clip_page(view))
        width = shutil.get_terminal_size().columns
        for line in clip_lines(view, width, sys.stdout.encoding or "ascii"):
            print(line)
    return 0


# --- browse -------------------------------------------------------------------------------------


def _add_browse_arguments(command: argparse.ArgumentParser) -> None:
    _add_folder(command)
    command.add_argument(
        "--port",
        type=int,
        default=7860,
        metavar="N",
        help="Listen there; 0 for any port that is free. The default is 7860.",
    )
    _add_clip_options(command)


def _run_browse(args: argparse.Namespace) -> int:
    serve(
        make_app(args.folder, **_clip_options(args)),
        args.port,
        lambda address: print(f"{address} shows {args.folder}; Ctrl-C ends it.", flush=True),
    )
    return 0


# --- features -----------------------------------------------------------------------------------


def _add_features_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("clips", metavar="CLIPS", help="The folder with the clips, at any depth.")
    command.add_argument(
        "out", metavar="OUT", help="The folder to make. It may be there if it is empty."
    )
    command.add_argument(
        "--openface",
        metavar="CSVS",
        help="Make video features of the CSVs in this folder, which OpenFace wrote.",
    )
    command.add_argument(
        "--openface-bin",
        metavar="BIN",
        help="Run this program, FeatureExtraction of OpenFace, on clips without a CSV; what it "
        "writes is kept in CSVS, if that is given.",
    )
    command.add_argument(
        "--split-from",
        metavar="RELEASE",
        help="Make one file for each split of this release; without the option, one for all.",
    )
    command.add_argument(
        "--modalities",
        type=several_of(tuple(FEATURE_DIMS)),
        metavar="LIST",
        help="Make features of these alone: audio or video. Without the option, of audio, and of "
        "video where OpenFace is given. Audio needs opensmile, whose licence allows research "
        "alone: pip install opensmile.",
    )
    command.add_argument(
        "--format",
        dest="file_format",
        type=one_of(tuple(ENDINGS)),
        metavar="FORMAT",
        help="Write safetensors (the default), without padding; or pickle, padded to the longest "
        "clip of the file, as the release documents it.",
    )
    command.add_argument(
        "--on-error",
        type=one_of(("error", "skip")),
        metavar="WHAT",
        help="Say what becomes of clips that no features can be made of: error (the default), "
        "and nothing is written; or skip.",
    )
    command.add_argument(
        "--num-proc", type=int, metavar="N", help="Work with N processes; the default is one."
    )


def _run_features(args: argparse.Namespace) -> int:
    # What is not given is as the function has it.
    options = {
        name: value
        for name, value in vars(args).items()
        if name not in ("run", "quiet") and value is not None
    }
    made = make_features(**options, progress=not args.quiet)
    for one in made.files:
        size = f"{one.size / 1e6:,.1f} MB"
        print(f"{one.file}: {one.clips:,} clips, {one.frames:,} frames, {size}")
    print(f"{made.folder}: is there already" if made.was_there else f"wrote {made.folder}")
    return 0


# --- export -------------------------------------------------------------------------------------


def _add_export_arguments(command: argparse.ArgumentParser) -> None:
    _add_data_dir(command)
    command.add_argument(
        "out", metavar="OUT", help="The folder to make. An earlier export there is replaced."
    )
    command.add_argument(
        "--config",
        type=checked_by(check_config),
        metavar="NAME",
        help=f"Export one of {', '.join(CONFIGS)}; without the option, both.",
    )
    command.add_argument("--trim-padding", action="store_true", help="Drop each clip's padding.")
    _add_padding(command)
    _add_modalities(command)
    _add_feature_files(command)
    command.add_argument(
        "--on-missing",
        type=one_of(("error", "skip", "empty")),
        metavar="WHAT",
        help="Say what becomes of a clip without features: error (the default), skip or empty.",
    )
    command.add_argument(
        "--label-language",
        type=one_of(("id", "en")),
        metavar="LANGUAGE",
        help="Name the classes as published (id, the default) or in English (en).",
    )
    command.add_argument(
        "--extra-columns",
        type=lambda text: tuple(filter(None, text.split(","))),
        metavar="LIST",
        help="Add further columns: names of those of Annotations.csv, or a CSV or Parquet file "
        "that names clips, with all of its columns: speaker,age or speakers.csv.",
    )
    for modality, dim in FEATURE_DIMS.items():
        command.add_argument(
            f"--{modality}-dim",
            type=int,
            metavar="D",
            help=f"Expect so many values a frame of {modality}; the default is {dim}.",
        )
    command.add_argument(
        "--num-proc",
        type=int,
        metavar="N",
        help="Write with N processes; without the option, with threads of this one.",
    )
    command.add_argument(
        "--max-shard-size",
        default="500MB",
        metavar="SIZE",
        help="Write files of at most this size before compression; the default is 500MB.",
    )
    command.add_argument(
        "--label-names",
        action="store_true",
        help="Add columns with the names of classes, as published and in English.",
    )
    command.add_argument(
        "--format",
        dest="table_format",
        type=one_of(("parquet", *FORMATS)),
        default="parquet",
        metavar="FORMAT",
        help="Write parquet (the default); or csv or jsonl, which hold labels and transcripts.",
    )
    command.add_argument(
        "--push-to",
        metavar="USER/NAME",
        help="Upload to this dataset of the Hugging Face Hub; a new one is private.",
    )


_FORMAT_WORDS = {"parquet": "Parquet", "csv": "CSV", "jsonl": "JSON Lines"}


def _run_export(args: argparse.Namespace) -> int:
    if args.push_to:
        logger.warning(
            "The data states no licence: have its authors' permission before you share it."
        )
    if args.table_format == "parquet":
        args.modalities = _modalities(args, is_part_enough=False)
    # What is not given is as the loader has it.
    options = {
        name: value
        for name, value in vars(args).items()
        if name not in ("run", "quiet") and value is not None
    }
    exported = export(**options, progress=not args.quiet)
    for name, n_clips in exported.rows.items():
        print(f"{name}: {n_clips:,} clips")
    size = f"{exported.n_bytes / 1e6:,.1f} MB of {_FORMAT_WORDS[args.table_format]}"
    print(f"wrote {exported.folder}: {size}, {len(exported.files)} files")
    if exported.url:
        print(f"pushed to {exported.url}")
    return 0


# --- infos --------------------------------------------------------------------------------------


def _add_infos_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "path",
        nargs="?",
        type=Path,
        metavar="FILE",
        help="The file to write; without it, the one beside indomer.py.",
    )


def _run_infos(args: argparse.Namespace) -> int:
    print(f"wrote {infos.write_infos(args.path or infos.INFOS_PATH)}")
    return 0


class _Command(NamedTuple):
    """What a command does, in words and in code."""

    about: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


# In the order in which one needs them.
_COMMANDS = {
    "demo": _Command(
        "Load a release in every way, and show its columns, class counts and one example.",
        _add_demo_arguments,
        _run_demo,
    ),
    "check": _Command(
        "Check the files of a release: labels, transcripts, features, the card's figures.",
        _add_check_arguments,
        _run_check,
    ),
    "inspect": _Command(
        "Look into one feature file without running it: clips, shapes, padding, all it asks for.",
        _add_inspect_arguments,
        _run_inspect,
    ),
    "show": _Command(
        "Show one clip: transcript, labels of each modality, features over time.",
        _add_show_arguments,
        _run_show,
    ),
    "browse": _Command(
        "Serve a page to find clips and look at them, on this machine alone.",
        _add_browse_arguments,
        _run_browse,
    ),
    "features": _Command(
        "Make features from clips: audio by openSMILE, video from what OpenFace wrote.",
        _add_features_arguments,
        _run_features,
    ),
    "export": _Command(
        "Write a release as a plain Parquet dataset with a card, for any tool and for the Hub.",
        _add_export_arguments,
        _run_export,
    ),
    "infos": _Command(
        "Write dataset_infos.json, the published schema and split sizes; for maintainers.",
        _add_infos_arguments,
        _run_infos,
    ),
}
