"""One self-contained HTML page from a `Report`: findings first, then what the release contains.

The page asks the network for nothing and runs no script: bars are boxes, histograms are inline
SVG, and findings open by themselves (`<details>`).
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import indomer
from indomer_files.safe_text import safe_text
from indomer_files.schema import ENGLISH, SPLITS
from indomer_tools.check.findings import SEVERITIES, Finding, Report, rate_words, release_words
from indomer_tools.html_page import page
from indomer_tools.wording import size_words

# Colour of each class, told apart by colour-blind readers too (after Okabe and Ito).
_COLOURS = {
    "ketakutan": "#8b6bb8",
    "jijik": "#5a9e6f",
    "kemarahan": "#d1603d",
    "kesedihan": "#4f87c4",
    "netral": "#98a2ae",
    "kebahagiaan": "#e3a72f",
    "surprise": "#d477a8",
    "negatif": "#d1603d",
    "positif": "#e3a72f",
}
_SPLIT_COLOURS = {"train": "#3d84a8", "validation": "#e3a72f"}

_STYLE = """
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(116px, 1fr)); gap: 12px;
  margin: 22px 0 0; }
.tile, .panel { background: var(--card); border: 1px solid var(--line); border-radius: 10px; }
.tile { padding: 12px 14px; text-decoration: none; }
.tile b { display: block; font-size: 23px; line-height: 1.25; font-weight: 650; white-space: nowrap;
  font-variant-numeric: tabular-nums; }
.tile span { color: var(--soft); font-size: 14px; }
.panel { padding: 18px 20px; margin: 0 0 14px; }
.grid { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 290px), 1fr));
  gap: 14px; }
.grid .panel { margin: 0; }
.grid.wide { grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr)); }
.error { --mark: var(--error); } .warning { --mark: var(--warning); } .note { --mark: var(--note); }
.tile.error b, .tile.warning b, .tile.note b { color: var(--mark); }
details.finding { background: var(--card); border: 1px solid var(--line);
  border-left: 5px solid var(--mark); border-radius: 8px; margin: 0 0 8px; }
details.finding > summary { display: grid; grid-template-columns: 1fr auto; gap: 2px 14px;
  padding: 10px 14px; cursor: pointer; list-style: none; }
summary::-webkit-details-marker { display: none; }
summary:focus-visible { outline: 2px solid var(--mark); outline-offset: 2px; border-radius: 6px; }
summary .what { grid-column: 1; }
summary .kind { grid-column: 1; color: var(--soft); font-size: 14px; }
summary .kind b { color: var(--mark); font-weight: 600; }
summary .advice { grid-column: 1; font-size: 14.5px; }
summary .count { grid-column: 2; grid-row: 1 / 4; align-self: center; color: var(--mark);
  font-weight: 650; font-size: 20px; font-variant-numeric: tabular-nums; white-space: nowrap; }
summary .count::after { content: "\\25B8"; display: inline-block; margin-left: 10px;
  font-size: 15px; color: var(--soft); transition: transform .15s; }
details[open] > summary .count::after { transform: rotate(90deg); }
.inside { border-top: 1px solid var(--line); padding: 10px 14px 14px; }
.inside ul { margin: 0 0 10px; padding-left: 20px; font-size: 14.5px; }
.inside p { margin: 0; }
.all-well { padding: 18px 20px; }
.bar-row { display: grid; grid-template-columns: minmax(84px, 124px) 1fr auto; gap: 2px 12px;
  align-items: center; margin: 0 0 7px; font-size: 15px; line-height: 1.25; }
.bar-row small { color: var(--soft); display: block; font-size: 12.5px; }
.bar-row .n { text-align: right; min-width: 78px; white-space: nowrap;
  font-variant-numeric: tabular-nums; }
.track { display: flex; height: 15px; background: color-mix(in srgb, var(--line) 55%, transparent);
  border-radius: 4px; overflow: hidden; }
.track i { display: block; height: 100%; min-width: 2px; }
.legend { color: var(--soft); font-size: 14px; margin: 0 0 10px; }
.legend i { display: inline-block; width: 11px; height: 11px; border-radius: 3px;
  margin: 0 6px 0 0; }
.legend span { margin-right: 16px; white-space: nowrap; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 14.5px;
  font-variant-numeric: tabular-nums; }
th, td { padding: 6px 10px; text-align: left; border-bottom: 1px solid var(--line);
  vertical-align: top; overflow-wrap: break-word; }
td code { overflow-wrap: anywhere; }
tr:last-child td { border-bottom: 0; }
th { color: var(--soft); font-weight: 600; font-size: 13.5px; }
@media (min-width: 561px) { table.stack th, table.stack td:first-child { white-space: nowrap; } }
td.r, th.r { text-align: right; white-space: nowrap; }
table.heat { table-layout: fixed; } table.heat th, table.heat td { text-align: center;
  padding: 7px 3px; border: 0; font-size: 14px; vertical-align: middle; overflow-wrap: normal; }
table.heat td { border: 2px solid var(--card); border-radius: 6px; }
table.heat td small { display: block; font-size: 12px; opacity: .8; }
table.heat th:first-child { text-align: left; }
td.bad { color: var(--error); font-weight: 650; }
figure { margin: 0 0 12px; } svg { display: block; width: 100%; height: 116px;
  border-bottom: 1px solid var(--soft); }
figcaption { display: flex; justify-content: space-between; gap: 10px; margin-top: 4px;
  color: var(--soft); font-size: 13.5px; font-variant-numeric: tabular-nums; }
figcaption span { overflow-wrap: normal; }
footer { margin-top: 40px; color: var(--soft); font-size: 14px; }
@media (max-width: 560px) { main { padding: 22px 14px 48px; } h1 { font-size: 25px; }
  .tiles { grid-template-columns: repeat(6, 1fr); gap: 8px; }
  a.tile { grid-column: span 2; } div.tile { grid-column: span 3; } .tile { padding: 9px 11px; }
  .tile b { font-size: 21px; } .tile span { font-size: 13px; display: block; line-height: 1.3; }
  .panel { padding: 14px; } .bar-row { grid-template-columns: 88px 1fr auto; gap: 2px 9px; }
  table.stack thead { display: none; }
  table.stack tr { display: block; padding: 8px 0; border-bottom: 1px solid var(--line); }
  table.stack tr:last-child { border-bottom: 0; }
  table.stack td { display: flex; justify-content: space-between; gap: 14px; border: 0;
    padding: 2px 0; text-align: right; white-space: normal; overflow-wrap: anywhere; }
  th, td { padding: 6px 5px; }
  table.stack td::before { content: attr(data-name); color: var(--soft); text-align: left;
    white-space: nowrap; } }
@media print { details.finding > summary { break-after: avoid; } }
"""


def to_html(report: Report) -> str:
    """The report as one HTML page."""
    sections = (
        _header(report),
        _findings(report.findings),
        _classes(report),
        _agreement(report.tables.get("agreement", {})),
        _topics(report.tables.get("topics", {})),
        _words(report.tables.get("words")),
        _features(report.tables.get("features")),
        _columns(report.tables.get("columns", [])),
        _repairs(report.tables.get("repairs", [])),
        _card(report),
        _files(report.tables.get("files", [])),
    )
    return page(
        f"IndoMER check: {report.data_dir}",
        _STYLE,
        "\n".join(filter(None, sections))
        + f"\n<footer>Written by indomer {_html(indomer.__version__)}. The page holds transcripts "
        "of the release it describes.</footer>",
    )


def _header(report: Report) -> str:
    splits = report.tables.get("splits", {})
    card = report.tables.get("card", {})
    words = report.tables.get("words", {})
    n_clips = sum(entry["clips"] for entry in splits.values())
    n_videos = sum(entry["videos"] for entry in splits.values())
    tiles = [
        (severity, f"{report.count(severity):,}", _plural(report.count(severity), severity))
        for severity in SEVERITIES
    ]
    totals = [("", f"{n_clips:,}", "clips"), ("", f"{n_videos:,}", "source videos")]
    if report.release != "unknown":
        totals.append(("", f"{card['matched']} / {len(card['cells'])}", "card counts match"))
    if words:
        totals.append(("", f"{words['words']:,}", "words"))
    shown = "".join(
        f'<a class="tile {severity if number != "0" else ""}" href="#findings">'
        f"<b>{number}</b><span>{name}</span></a>"
        for severity, number, name in tiles
    ) + "".join(
        f'<div class="tile"><b>{number}</b><span>{name}</span></div>' for _, number, name in totals
    )
    words_of_release = release_words(report.release)
    verdict = f"<p><b>{_html(_sentence(report.verdict))}</b></p>" if report.verdict else ""
    return (
        f"<header><h1>IndoMER release check</h1><p><code>{_html(report.data_dir)}</code></p>"
        f"{verdict}<p>{_html(_sentence(words_of_release))}</p>"
        f'<div class="tiles">{shown}</div></header>'
    )


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:] + "."


def _findings(findings: Sequence[Finding]) -> str:
    head = '<section id="findings"><h2>Findings</h2>'
    if not findings:
        return head + '<div class="panel all-well">Nothing to report: all is well.</div></section>'
    lead = '<p class="lead">The worst first. Open one for examples.</p>'
    return head + lead + "".join(map(_finding, findings)) + "</section>"


def _finding(finding: Finding) -> str:
    examples = "".join(f"<li>{_html(example)}</li>" for example in finding.examples)
    n_more = finding.count - len(finding.examples)
    more = f"<p>... and {n_more:,} more.</p>" if n_more else ""
    advice = f"<b>What to do:</b> {_html(finding.advice)}"
    # What asks for action says which without a click.
    is_plain = finding.severity == "note"
    seen, inside = ("", f"<p>{advice}</p>") if is_plain else (advice, "")
    return (
        f'<details class="finding {finding.severity}"><summary>'
        f'<span class="what">{_html(finding.message)}</span>'
        f'<span class="kind"><b>{finding.severity}</b> &middot; <code>{finding.code}</code> '
        f"&middot; {_html(finding.where)}</span>"
        + (f'<span class="advice">{seen}</span>' if seen else "")
        + f'<span class="count">{finding.count:,}</span></summary>'
        f'<div class="inside"><ul>{examples}</ul>{more}{inside}</div></details>'
    )


# --- Labels ---------------------------------------------------------------------------------------


def _classes(report: Report) -> str:
    tables = report.tables.get("classes", {})
    if not tables:
        return ""
    panels = []
    for config in sorted(tables, reverse=True):
        for split in SPLITS:
            counts = {label: by_split.get(split) for label, by_split in tables[config].items()}
            if None not in counts.values():
                panels.append(_class_panel(config, split, counts))
    scores = "".join(
        f'<p class="lead">{config}: always saying <i>{_html(score["majority"])}</i> is right in '
        f"{score['accuracy']:.1%} of the validation clips and has a macro-F1 of "
        f"{score['macro_f1']:.3f}.</p>"
        for config, score in report.tables.get("macro_f1", {}).items()
        if score
    )
    return (
        "<section><h2>Class balance</h2>"
        '<p class="lead">Clips of each class, and their share of the split.</p>'
        f'<div class="grid wide">{"".join(panels)}</div>{scores}</section>'
    )


def _class_panel(config: str, split: str, counts: Mapping[str, Any]) -> str:
    total = max(1, sum(counts.values()))
    rows = "".join(
        _bar_row(
            label,
            ENGLISH.get(label, ""),
            [(count / total, _COLOURS.get(label, "#98a2ae"))],
            f"{count:,} <small>{count / total:.1%}</small>",
        )
        for label, count in counts.items()
    )
    return f'<div class="panel"><h3>{config}, {split}: {sum(counts.values()):,}</h3>{rows}</div>'


def _bar_row(name: str, note: str, parts: Iterable[tuple[float, str]], number: str) -> str:
    bars = "".join(
        f'<i style="width:{share:.3%};background:{colour}"></i>' for share, colour in parts if share
    )
    small = f"<small>{_html(note)}</small>" if note and note != name else ""
    return (
        f'<div class="bar-row"><span>{_html(name)}{small}</span>'
        f'<span class="track">{bars}</span><span class="n">{number}</span></div>'
    )


def _agreement(tables: Mapping[str, Mapping[str, Mapping[str, int]]]) -> str:
    if not any(sum(map(sum, _cells(table))) for table in tables.values()):
        return ""
    panels = "".join(_heat_panel(modality, table) for modality, table in tables.items())
    return (
        "<section><h2>Do the modalities agree with the label?</h2>"
        '<p class="lead">Rows: sentiment of the clip. Columns: sentiment by this modality alone. '
        "Shares are those of the row.</p>"
        f'<div class="grid">{panels}</div></section>'
    )


def _cells(table: Mapping[str, Mapping[str, int]]) -> list[list[int]]:
    return [list(row.values()) for row in table.values()]


def _heat_panel(modality: str, table: Mapping[str, Mapping[str, int]]) -> str:
    total = max(1, sum(map(sum, _cells(table))))
    n_same = sum(table[label][label] for label in table)
    head = "".join(f"<th>{_html(label)}</th>" for label in table)
    rows = "".join(
        f"<tr><th>{_html(label)}</th>{_heat_row(list(row.values()))}</tr>"
        for label, row in table.items()
    )
    return (
        f'<div class="panel"><h3>{modality}: the same in {n_same / total:.0%}</h3>'
        f'<table class="heat"><tr><th></th>{head}</tr>{rows}</table></div>'
    )


def _heat_row(counts: list[int]) -> str:
    total = max(1, sum(counts))
    return "".join(
        f'<td style="background:rgb(var(--heat) / {0.06 + 0.6 * count / total:.2f})">{count:,}'
        f"<small>{count / total:.0%}</small></td>"
        for count in counts
    )


# --- Topics, words, lengths -----------------------------------------------------------------------


def _topics(table: Mapping[str, Mapping[str, int]]) -> str:
    if not table:
        return ""
    most = max(sum(counts.values()) for counts in table.values())
    rows = "".join(
        _bar_row(
            topic,
            "",
            [(count / most, _SPLIT_COLOURS[split]) for split, count in counts.items()],
            " + ".join(f"{count:,}" for count in counts.values()),
        )
        for topic, counts in table.items()
    )
    legend = "".join(
        f'<span><i style="background:{colour}"></i>{split}</span>'
        for split, colour in _SPLIT_COLOURS.items()
    )
    return (
        f'<section><h2>Topics</h2><div class="panel"><p class="legend">{legend}</p>{rows}</div>'
        "</section>"
    )


def _words(words: Mapping[str, Any] | None) -> str:
    if not words or not words["histogram"]:
        return ""
    counts = {int(length): int(count) for length, count in words["histogram"]}
    longest = max(counts)
    width = max(1, math.ceil((longest + 1) / 40))
    bins = [
        (start, start + width - 1, sum(counts.get(start + i, 0) for i in range(width)))
        for start in range(0, longest + 1, width)
    ]
    chart = _histogram(
        [count for *_, count in bins],
        (0, len(bins) * width),
        lambda i: f"{bins[i][0]} to {bins[i][1]} words" if width > 1 else f"{bins[i][0]} words",
        "words in a transcript",
    )
    rules = "".join(
        f'<tr><td data-name="counted as">{_html(rule["rule"])}</td>'
        f'<td class="r" data-name="words">{rule["words"]:,}</td>'
        f'<td class="r" data-name="vocabulary">{rule["vocabulary"]:,}</td>'
        f'<td class="r" data-name="words per clip">{rule["words_per_clip"]:.2f}</td></tr>'
        for rule in words["rules"]
    )
    return (
        f'<section><h2>Words</h2><p class="lead">{words["words"]:,} words, a vocabulary of '
        f"{words['vocabulary']:,}, {words['words_per_clip']:.2f} words per clip: "
        f'{_html(words["rule"])}.</p><div class="panel">{chart}</div>'
        '<div class="panel"><table class="stack"><thead><tr><th>counted as</th>'
        '<th class="r">words</th><th class="r">vocabulary</th><th class="r">words per clip</th>'
        f"</tr></thead>{rules}</table></div></section>"
    )


def _histogram(
    counts: Sequence[int], bounds: tuple[float, float], name: Callable[[int], str], unit: str
) -> str:
    """Inline SVG as wide as its place; the tooltip of a bar is its name and count."""
    most = max(1, *counts)
    bars = "".join(
        f'<rect x="{i + 0.04:.2f}" y="{100 - 100 * count / most:.2f}" width="0.92" '
        f'height="{100 * count / most:.2f}" fill="#3d84a8">'
        f"<title>{_html(name(i))}: {count:,} clips</title></rect>"
        for i, count in enumerate(counts)
    )
    first, last = (f"{bound:,.0f}" for bound in bounds)
    return (
        f'<figure><svg viewBox="0 0 {len(counts)} 100" preserveAspectRatio="none" role="img" '
        f'aria-label="Clips by {_html(unit)}">{bars}</svg><figcaption><span>{first}</span>'
        f"<span>{_html(unit)}; highest bar: {max(counts):,} clips</span><span>{last}</span>"
        "</figcaption></figure>"
    )


def _features(entries: Sequence[Mapping[str, Any]] | None) -> str:
    if entries is None:
        return (
            '<section><h2>Features</h2><p class="lead">No features: the release has labels and '
            "transcripts alone.</p></section>"
        )
    if not entries:
        return ""
    panels = "".join(map(_feature_panel, entries))
    return (
        '<section><h2>Features</h2><p class="lead">True lengths: frames without the all-zero '
        f'padding.</p><div class="grid wide">{panels}</div></section>'
    )


def _feature_panel(entry: Mapping[str, Any]) -> str:
    lengths = entry["lengths"]
    counts, edges = lengths["histogram"]
    chart = _histogram(
        counts,
        (edges[0], edges[-1]),
        lambda i: f"{edges[i]:.0f} to {edges[i + 1]:.0f} frames",
        "frames",
    )
    share, side = entry["padding_share"], entry["padding_end"]
    facts = (
        f"{entry['clips']:,} clips of {entry['dtype']}, T {entry['frames']}, width "
        f"{entry['width']}. Median {lengths['median']:,.0f} frames, 95 % have up to "
        f"{lengths['p95']:,.0f}; {entry['full_clips']:,} fill T."
    )
    padding = _bar_row(
        "padding",
        {"mixed": "at both ends"}.get(side, f"at the {side}"),
        [(share, "#98a2ae")],
        f"{share:.0%} <small>{size_words(share * entry['payload_bytes'])}</small>",
    )
    return (
        f'<div class="panel"><h3>{entry["modality"]}, {entry["split"]}</h3>{chart}'
        f'<p class="lead">{_html(facts)}</p>{padding}</div>'
    )


def _columns(rows: Sequence[Mapping[str, Any]]) -> str:
    if not any(row["ranges"] for row in rows):
        return ""
    panels = "".join(_column_panel(row) for row in rows if row["ranges"])
    return (
        '<section><h2>What the columns are</h2><p class="lead">By their values: names are given '
        "where all tests hold. Least and most are exact, medians of a sample of frames. A value "
        "of some hundreds is a place in the picture or a length in millimetres.</p>"
        f'<div class="grid wide">{panels}</div></section>'
    )


def _column_panel(row: Mapping[str, Any]) -> str:
    results = {
        "recognised": f"those of {row['reading']}",
        "nearly": f"those of {row['reading']}, but for",
        "unknown": "not known by name",
    }
    words = [results[row["result"]]]
    if row["result"] == "nearly":
        wrong = [test for test in row["tests"] if test["wrong"] or not test["of"]]
        words[0] += " " + "; ".join(
            f"{test['columns']} ({test['wrong']:,} of {test['of']:,})" for test in wrong
        )
    if rates := rate_words(row):
        words.append(rates)
    if row.get("timed_clips"):
        words.append(f"{row['seconds'] / row['timed_clips']:.2f} s a clip")
    body = "".join(
        f'<tr><td>{_html(one["block"])}</td><td class="r">{one["columns"]:,}</td>'
        + "".join(f'<td class="r">{_figure(one[key])}</td>' for key in ("min", "median", "max"))
        + "</tr>"
        for one in row["ranges"]
    )
    return (
        f'<div class="panel"><h3>{_html(row["modality"])}, {_html(row["split"])}</h3>'
        f'<p class="lead">{_html(_sentence("; ".join(words)))}</p><div class="scroll"><table>'
        '<thead><tr><th>block</th><th class="r">columns</th><th class="r">least</th>'
        '<th class="r">median</th><th class="r">most</th></tr></thead>'
        f"<tbody>{body}</tbody></table></div></div>"
    )


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


# --- Tables ---------------------------------------------------------------------------------------


def _repairs(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return ""
    body = "".join(
        f'<tr><td data-name="clip">{_html(row["clip"])}</td>'
        f'<td data-name="in the file">{_html(row["text"])}</td>'
        f'<td data-name="repaired">{_html(row["repaired"])}</td>'
        f'<td data-name="encoding">{row["encoding"]}</td>'
        f'<td data-name="equals the others">{"yes" if row["equals_others"] else "no"}</td></tr>'
        for row in rows
    )
    return (
        "<section><h2>Repaired transcripts</h2><p class='lead'>Text that was written in one "
        "encoding and read in another, and what it says when read in its own.</p>"
        '<div class="panel scroll"><table class="stack"><thead><tr><th>clip</th>'
        "<th>in the file</th><th>repaired</th><th>encoding</th><th>equals the others</th></tr>"
        f"</thead>{body}</table></div></section>"
    )


def _card(report: Report) -> str:
    if report.release == "unknown":
        return ""
    card = report.tables["card"]
    body = "".join(
        f'<tr><td data-name="class">{row["config"]} {_html(row["label"])}</td>'
        f'<td data-name="split">{row["split"]}</td><td class="r" data-name="card">'
        f'{row["card"]:,}</td><td class="r{"" if row["found"] in (None, row["card"]) else " bad"}" '
        f'data-name="files">{"not there" if row["found"] is None else format(row["found"], ",")}'
        "</td></tr>"
        for row in card["cells"]
    )
    return (
        f'<section><h2>The card, count by count</h2><p class="lead">{card["matched"]} of '
        f"{len(card['cells'])} class counts of {_html(release_words(report.release))} match.</p>"
        '<div class="panel"><table><thead><tr><th>class</th><th>split</th><th class="r">card</th>'
        f'<th class="r">files</th></tr></thead>{body}</table></div></section>'
    )


def _files(rows: Sequence[Mapping[str, Any]]) -> str:
    body = "".join(
        f'<tr><td data-name="file">{_html(row["path"])}</td>'
        f'<td class="r" data-name="size">{size_words(row["bytes"])}</td>'
        f'<td data-name="kind">{_kind(row)}</td>'
        f'<td data-name="sha256">{_digest(row["sha256"])}</td></tr>'
        for row in rows
    )
    return (
        '<section><h2>Files</h2><div class="panel scroll"><table class="stack"><thead><tr>'
        '<th>file</th><th class="r">size</th><th>kind</th><th>sha256</th></tr></thead>'
        f"{body}</table></div></section>"
    )


def _digest(sha256: str | None) -> str:
    return f"<code>{sha256}</code>" if sha256 else "of big files with <code>--sha256</code>"


def _kind(row: Mapping[str, Any]) -> str:
    if "protocol" not in row:
        return _html(row["part"])
    return f"pickle protocol {row['protocol']}, numpy {_html(row['numpy'])}"


def _plural(count: int, noun: str) -> str:
    return noun if count == 1 else noun + "s"


def _html(text: str) -> str:
    """Text of a release as the content of an element."""
    return safe_text(text, "html")
