"""Every kind of finding: how bad it is, what it says and what to do about it.

In the texts, `{...}` is a value of the finding, `{n}` its count, and `[one|several]` a choice by
the count.
"""

from typing import NamedTuple


class Kind(NamedTuple):
    """One kind of finding; see `Finding`."""

    severity: str
    message: str
    advice: str


_FETCH = "Fetch the file again; maintainers: publish the file whole."
_FETCH_LABELS = "Fetch the label files again; if they are as published, tell the maintainers."
_JOIN = "Use label and feature files of one release."
_LABEL = "The loader uses the split file of its config; see which label belongs to the clip."
_NAMES = "Correct the names in all files, or tell the maintainers."
_CARD = "Quote the files, not the card; maintainers: correct the card."
_COMPUTE = "Compute the features of these clips again, or leave the clips out."

KINDS = {
    # Files
    "split-missing": Kind(
        "error",
        "{n} split [file is|files are] missing.",
        "Fetch them: without them a config does not load.",
    ),
    "features-missing": Kind(
        "error",
        "{n} of the feature files [is|are] missing.",
        "Fetch them, or load without their modality.",
    ),
    "features-absent": Kind(
        "note",
        "There are no feature files: a release of labels and transcripts.",
        "Load it with modalities=('text',).",
    ),
    "annotations-missing": Kind(
        "warning", "There is no Annotations.csv.", "Fetch it: some labels are in no other file."
    ),
    "file-twice": Kind(
        "warning",
        "{n} [part|parts] of the release [is|are] there more than once; the first is used.",
        "Remove the copies that you do not mean.",
    ),
    "layout-undocumented": Kind(
        "note",
        "{n} [file is|files are] not where the card's description says.",
        "The loader finds them; code that follows the card's description does not.",
    ),
    "file-unreadable": Kind(
        "error",
        "The system or the server does not give the file.",
        "See to the disk, the server, or the rights to the file, and check again.",
    ),
    "json-broken": Kind("error", "The file is not the JSON of a split.", _FETCH),
    "csv-broken": Kind("error", "The file is not the CSV of annotations.", _FETCH),
    "row-broken": Kind(
        "error",
        "{n} [row lacks|rows lack] a field, or [has|have] something else than text in it; they are "
        "left out of the other checks.",
        _FETCH,
    ),
    "pickle-broken": Kind("error", "The file cannot be read.", _FETCH),
    "features-broken": Kind(
        "error", "These features of your own cannot be read.", "Have the file written again."
    ),
    "pickle-unsafe": Kind(
        "error",
        "The file asks for more than arrays need. Nothing was run.",
        "Do not use this copy, and tell who gave it to you. indomer inspect FILE lists all names.",
    ),
    "pickle-objects": Kind(
        "error", "The file holds other objects in place of arrays. Nothing was run.", "{advice}"
    ),
    # Join
    "clip-repeated": Kind(
        "error",
        "{n} [clip is|clips are] in the file more than once.",
        "Keep one of each; the loader refuses the file.",
    ),
    "name-mismatch": Kind(
        "error",
        "{n} [clip has|clips have] an id, video name and audio name that do not belong together.",
        _NAMES,
    ),
    "name-pattern": Kind(
        "warning",
        "{n} clip [name is|names are] not like clip_12_Cooking_3: no source video, topic, segment.",
        _NAMES,
    ),
    "topic-unknown": Kind(
        "warning",
        "{n} clip [name has|names have] a topic that the card does not list.",
        _NAMES,
    ),
    "topic-spelling": Kind(
        "note",
        "{n} clip [name spells|names spell] a topic otherwise than the card.",
        "The loader folds them together; do so too when you group by topic.",
    ),
    "split-overlap": Kind(
        "error",
        "{n} [clip is|clips are] in both splits.",
        "Leave them out of train: scores on them mean nothing.",
    ),
    "video-overlap": Kind(
        "warning",
        "{n} source [video has|videos have] clips in both splits.",
        "Speaker and scene leak: keep the clips of one video in one split.",
    ),
    "video-repeated": Kind(
        "warning",
        "{n} [pair|pairs] of source videos say the same over two segments or more: probably the "
        "same footage.",
        "Keep both in one split; drop one of them where clips must be independent.",
    ),
    "configs-clips-differ": Kind(
        "error", "{n} [clip is|clips are] in a split of one config alone.", _JOIN
    ),
    "configs-order-differs": Kind(
        "note",
        "{n} [split lists|splits list] the same clips in another order in each config.",
        "Join the configs by clip name, never by row number.",
    ),
    "annotation-missing": Kind(
        "warning", "{n} [clip|clips] of the split files [has|have] no annotation.", _JOIN
    ),
    "columns-further": Kind(
        "note",
        "{n} [column is|columns are] in the file that the loader leaves out.",
        "Load them with extra_columns=(...), if you want them.",
    ),
    "annotation-unused": Kind(
        "warning", "{n} annotated [clip is|clips are] in no split file.", _JOIN
    ),
    "clip-without-features": Kind(
        "error",
        "{n} of {total:,} clips of the split [has|have] no features.",
        f"{_JOIN} Or load with on_missing='skip' or 'empty'.",
    ),
    "features-without-clip": Kind(
        "warning", "{n} of {total:,} clips with features [is|are] not in the split.", _JOIN
    ),
    # Labels
    "label-unknown": Kind(
        "error",
        "{n} [label is|labels are] none of the published classes.",
        "Correct them; the loader refuses such files.",
    ),
    "label-absent": Kind(
        "warning",
        "{n} label [column has|columns have] no label at all: in no file, for no clip.",
        "The loader gives None; fetch Annotations.csv and the split files of both configs.",
    ),
    "label-contradiction": Kind(
        "error", "{n} [emotion does|emotions do] not belong to the sentiment of the clip.", _LABEL
    ),
    "label-configs-differ": Kind(
        "error", "{n} [clip has|clips have] another sentiment in each config.", _LABEL
    ),
    "label-csv-differs": Kind(
        "error",
        "{n} [clip has|clips have] other labels in Annotations.csv than in the split files.",
        _LABEL,
    ),
    "label-id-differs": Kind(
        "error",
        "{n} [row has|rows have] a label_id that is not that of the label in most rows.",
        "Use label, not label_id; the loader refuses a split that mixes them.",
    ),
    "label-id-early": Kind(
        "note",
        "{n} [row has|rows have] the number codes of early cards as label_id, where netral is "
        "{netral}.",
        "They are not the loader's class ids, where netral is {id}: compare names, not numbers.",
    ),
    "consensus-unsupported": Kind(
        "warning",
        "{n} [clip has|clips have] a sentiment that neither text nor audio nor video has "
        "({train} train, {validation} validation); in {unanimous} the three agree on another.",
        "Do not take the label for a vote of the modalities; look at these clips.",
    ),
    "class-rare": Kind(
        "note",
        "{n} [class has|classes have] fewer than {limit} clips in a split. {effect}",
        "Report the score of each class and its number of clips, or use 3_class.",
    ),
    # The card
    "card-count-differs": Kind(
        "warning", "{n} of {total} class counts [is|are] not those of the card.", _FETCH_LABELS
    ),
    "card-total-differs": Kind(
        "warning", "{n} [total|totals] of the card [is|are] not those of the files.", _FETCH_LABELS
    ),
    "card-contradiction": Kind(
        "note", "{n} [figure|figures] of the card [contradicts|contradict] the others.", _CARD
    ),
    "card-rounding": Kind(
        "note",
        "The card's mean length, words per second and words per segment agree by rounding alone.",
        _CARD,
    ),
    "card-words-differ": Kind(
        "note",
        "{n} [figure|figures] about words [does|do] not come out as published. {reproduced}",
        "Say how you count when you report numbers of words.",
    ),
    "card-time-differs": Kind(
        "note",
        "{n} [figure|figures] about time [does|do] not come out as published.",
        "Say what you measured: frames of the sound, or timestamps of the picture.",
    ),
    "card-underivable": Kind(
        "note",
        "{n} figures of the card cannot be derived from the files, which name neither speakers nor "
        "their gender{also}.",
        "Take them on trust, or leave them out.",
    ),
    "card-example": Kind(
        "note",
        "{n} things that the card's example reads are not in the files, or not where it says.",
        "Take the class id from the order of the class names.",
    ),
    # Transcripts
    "text-damaged": Kind(
        "warning",
        "{n} [transcript is|transcripts are] in a damaged encoding: {encodings} read as Western "
        "European text. Repaired, {same} equal the text of the other files.",
        "The loader uses the split files. To repair: text.encode('latin-1').decode(encoding).",
    ),
    "text-differs": Kind(
        "warning",
        "{n} [clip has|clips have] different transcripts in different files, and no encoding "
        "explains it.",
        "The loader uses the split file of its config; see which text belongs to the clip.",
    ),
    "text-empty": Kind(
        "warning",
        "{n} [clip has|clips have] a transcript without a word.",
        "Leave these clips out where text is used.",
    ),
    "text-in-both-splits": Kind(
        "warning",
        "{n} [transcript is|transcripts are] in both splits ({exact} letter by letter, the rest "
        "but for case and punctuation): {train} train and {validation} validation clips.",
        "A model can know these validation clips by heart: leave them out of train.",
    ),
    "text-repeated": Kind(
        "note",
        "{n} [transcript is|transcripts are] shared by clips of one split ({clips} clips); "
        "{mixed} of them with different labels.",
        "Text alone cannot tell such clips apart.",
    ),
    "text-quotes": Kind(
        "note",
        "{n} [transcript has|transcripts have] double quotation marks that do not pair, or an "
        "empty pair of them.",
        "Remove them where punctuation is used; they look like remains of CSV.",
    ),
    "text-full-width": Kind(
        "note",
        "{n} [transcript has|transcripts have] full-width (Chinese) punctuation.",
        "A tokenizer may not know it: unicodedata.normalize('NFKC', text) makes it plain.",
    ),
    # Features
    "feature-width": Kind(
        "error",
        "{n} [clip has|clips have] another width than {dim} values per {modality} frame.",
        "If they are meant to be so, load with {modality}_dim; else have them computed again.",
    ),
    "feature-length-mixed": Kind(
        "warning",
        "{n} [clip has|clips have] another T than most clips of the file ({common}).",
        "The loader takes them; pad the clips of a batch to one length.",
    ),
    "feature-dtype-mixed": Kind(
        "warning",
        "{n} [clip has|clips have] another dtype than most clips of the file ({common}).",
        "The loader casts them to float32; see that nothing is lost.",
    ),
    "feature-nan": Kind("error", "{n} [clip has|clips have] NaN values ({total:,}).", _COMPUTE),
    "feature-infinite": Kind(
        "error", "{n} [clip has|clips have] infinite values ({total:,}).", _COMPUTE
    ),
    "feature-zero-clip": Kind(
        "warning",
        "{n} of {total:,} clips [has|have] nothing but zeros.",
        "Nothing was detected in them: leave them out, or mask this modality.",
    ),
    "feature-lost-frames": Kind(
        "warning",
        "{n} [clip has|clips have] all-zero frames between others (frames in all: {total:,}).",
        "Detection failed in these frames: mask them, they are not padding.",
    ),
    "feature-padding-mixed": Kind(
        "error",
        "{n} [clip has|clips have] all-zero frames at the {side} alone, {others:,} at the {other} "
        "alone (first: {first!r}).",
        "Where the zeros of one side are the clips' own, say at which end the file is padded: "
        "padding='{other}', or --padding {other}. If it mixes both, have it written again.",
    ),
    "feature-zero-ends": Kind(
        "warning",
        "{n} of {clips:,} clips [has|have] all-zero frames of [its|their] own at the {side} "
        "(frames in all: {total:,}).",
        "They are no padding and are kept: mask them, or see why nothing was detected in them.",
    ),
    "columns-nearly": Kind(
        "warning",
        "The {modality} columns are those of {reading} but for {n} of {total} tests.",
        "Look at these clips before you call columns by name: two faces, a cut, or other columns.",
    ),
    "columns-unknown": Kind(
        "note",
        "The {modality} columns are not those of {reading}: {n} of {total} tests fail.",
        "Nobody can tell their names from the values: ask who made the file.",
    ),
    "feature-constant": Kind(
        "warning",
        "{n} [column has|columns have] one value in all frames of the file.",
        "They tell nothing: drop them; a division by their standard deviation gives NaN.",
    ),
}
