"""croissant.json of an exported folder: Croissant 1.1 (http://mlcommons.org/croissant/1.1).

A record set for each config reads all of its Parquet files; its field `split` tells one split from
another, by the name of the file, and refers to the record set `splits`. The names of the classes
are in the record sets `emotions` and `sentiments`. Written as plain JSON: mlcroissant is needed to
read it, not to write it.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import datasets

import indomer
from indomer_files.schema import HOMEPAGE
from indomer_tools.export.contents import (
    Config,
    Contents,
    english_names,
    is_emotion,
    published_names,
)
from indomer_tools.export.responsible import CONFORMS_TO, statements

_Json = dict[str, Any]

# The context of the specification, appendix 1, as mlcroissant 1.1 writes it.
_CONTEXT: _Json = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "annotation": "cr:annotation",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "excludes": "cr:excludes",
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "name": {"@container": "@language"},
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "readLines": "cr:readLines",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "sdVersion": "cr:sdVersion",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
    "unArchive": "cr:unArchive",
    "value": "cr:value",
}

# The same for types with a unit or a precision, by what their names begin with.
_KINDS = {"timestamp": "sc:DateTime", "time": "sc:Time", "decimal": "cr:Float64"}

_PARQUET = "application/x-parquet"

# Type in `datasets` -> type in Croissant; columns of one's own may have any of these.
_DATA_TYPES = {
    "string": "sc:Text",
    "bool": "sc:Boolean",
    "float32": "cr:Float32",
    "float64": "cr:Float64",
    "date32": "sc:Date",
    "date64": "sc:Date",
    **{
        f"{sign}int{bits}": f"cr:{sign.upper()}Int{bits}"
        for sign in ("", "u")
        for bits in (8, 16, 32, 64)
    },
}

_SPLIT_URLS = {"train": "cr:TrainingSplit", "validation": "cr:ValidationSplit"}


def to_croissant(contents: Contents, name: str, description: str, meanings: dict[str, str]) -> str:
    """The text of croissant.json.

    Args:
        contents: The exported folder.
        name: Title of the data.
        description: One paragraph about it.
        meanings: Column -> what it means.
    """
    dataset: _Json = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": ["http://mlcommons.org/croissant/1.1", CONFORMS_TO],
        "name": name,
        "description": description,
        **_publication(contents),
        "inLanguage": "id",
        "keywords": ["emotion recognition", "sentiment analysis", "multimodal", "Indonesian"],
        "license": {
            "@type": "sc:CreativeWork",
            "name": "No licence stated",
            "description": "The data states no licence: ask its authors.",
        },
        "citeAs": indomer.CITATION,
        **_responsible(contents),
        "distribution": [
            *(_file_object(entry) for c in contents.configs.values() for entry in c.files),
            *(_file_set(config) for config in contents.configs.values()),
        ],
        "recordSet": [
            _splits(contents),
            *_enumerations(contents.default),
            *(_records(config, meanings) for config in contents.configs.values()),
        ],
    }
    return json.dumps(dataset, ensure_ascii=False, indent=2) + "\n"


def _publication(contents: Contents) -> _Json:
    """Who published the data, when and where; of data that is no known release, its version only.

    The version is that of the loader, unless the release has one of three numbers.
    """
    release, version = contents.release, contents.manifest["loader"]["version"]
    if release is None:
        return {"version": version}
    year = re.search(r"year = \{(\d+)\}", indomer.CITATION)
    return {
        "url": HOMEPAGE,
        "creator": {"@type": "sc:Organization", "name": "The authors of IndoMER"},
        "datePublished": year[1] if year else None,
        "version": release if re.fullmatch(r"\d+\.\d+\.\d+", release) else version,
    }


def _responsible(contents: Contents) -> _Json:
    """Field -> statements with their sources; kinds of collection are terms of the vocabulary."""
    fields: dict[str, list[str]] = {}
    for field, _, text, source in statements(contents):
        is_term = field == "dataCollectionType"
        fields.setdefault(f"rai:{field}", []).append(text if is_term else f"{text} ({source})")
    # All take several texts but this one.
    if "rai:dataCollection" in fields:
        fields["rai:dataCollection"] = [" ".join(fields["rai:dataCollection"])]
    return {field: texts[0] if len(texts) == 1 else texts for field, texts in fields.items()}


def _file_object(entry: _Json) -> _Json:
    return {
        "@type": "cr:FileObject",
        "@id": entry["file"],
        "name": entry["file"],
        "contentUrl": entry["file"],
        "contentSize": f"{entry['size']} B",
        "encodingFormat": _PARQUET,
        "sha256": entry["sha256"],
    }


def _file_set(config: Config) -> _Json:
    return {
        "@type": "cr:FileSet",
        "@id": f"{config.name}/files",
        "name": f"{config.name}/files",
        "description": f"The files of {config.name}, split by split.",
        "encodingFormat": _PARQUET,
        "includes": f"data/{config.name}/*/*.parquet",
    }


def _splits(contents: Contents) -> _Json:
    return {
        "@type": "cr:RecordSet",
        "@id": "splits",
        "name": "splits",
        "description": "The splits of every config.",
        "dataType": "cr:Split",
        "key": {"@id": "splits/name"},
        "field": [
            _field("splits", "name", "Name of the split.", "sc:Text"),
            _field("splits", "url", "What the split is for.", ["sc:URL", "cr:Split"]),
        ],
        "data": [
            {"splits/name": split, "splits/url": _SPLIT_URLS[split]}
            for split in contents.default.splits
        ],
    }


def _enumerations(config: Config) -> Iterator[_Json]:
    """The classes of both kinds of labels, with their names in every language."""
    for key, column in (("emotions", "emotion"), ("sentiments", "sentiment")):
        label = config.features[column]
        yield {
            "@type": "cr:RecordSet",
            "@id": key,
            "name": key,
            "description": f"The classes of {column} labels, by id.",
            "dataType": "sc:Enumeration",
            "key": {"@id": f"{key}/id"},
            "field": [
                _field(key, "id", "The id in the files.", "sc:Integer"),
                _field(key, "name", "The name as published.", "sc:Text"),
                _field(key, "english", "The name in English.", "sc:Text"),
            ],
            "data": [
                {f"{key}/id": number, f"{key}/name": name, f"{key}/english": english}
                for number, (name, english) in enumerate(
                    zip(published_names(label), english_names(label))
                )
            ],
        }


def _records(config: Config, meanings: dict[str, str]) -> _Json:
    name = config.name
    pattern = "|".join(config.splits)
    split = _field(name, "split", "The split.", "sc:Text")
    split["source"] = {
        "fileSet": {"@id": f"{name}/files"},
        "extract": {"fileProperty": "fullpath"},
        # mlcroissant applies the pattern a second time, to the name of the split that it found.
        "transform": {"regex": f"(?:data/{name}/split=.+/)?({pattern})(?:-.+\\.parquet)?$"},
    }
    split["references"] = {"field": {"@id": "splits/name"}}
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "description": f"The clips of {name}. Read one split at a time: the field {name}/split.",
        "key": [{"@id": f"{name}/sample_id"}],
        "field": [
            split,
            *(
                _column(name, column, feature, meanings[column].replace("`", ""))
                for column, feature in config.features.items()
                # Croissant has no type for these, and mlcroissant reads them as no other.
                if not feature.dtype.startswith("duration")
            ),
        ],
    }


def _column(config: str, column: str, feature: Any, meaning: str) -> _Json:
    if isinstance(feature, datasets.Array2D):
        field = _field(config, column, meaning, "cr:Float32")
        field |= {"isArray": True, "arrayShape": f"-1,{feature.shape[1]}"}
    elif isinstance(feature, datasets.ClassLabel):
        kind = "emotions" if is_emotion(feature) else "sentiments"
        field = _field(config, column, f"{meaning} Ids of {kind}.", ["cr:Int64", "cr:Label"])
        # The names, as an annotation: `references` of the field itself would be a join to make.
        field["annotation"] = _field(f"{config}/{column}", "name", "Name of the class.", "sc:Text")
        field["annotation"]["source"] = {"field": {"@id": f"{kind}/name"}}
    else:
        field = _field(config, column, meaning, _data_type(feature.dtype))
    field["source"] = {"fileSet": {"@id": f"{config}/files"}, "extract": {"column": column}}
    return field


def _id_of(name: str) -> str:
    """What identifies a column: mlcroissant takes no white space there, nor do addresses."""
    return re.sub(r"[^\w.-]", lambda odd: f"_{ord(odd[0]):x}_", name)


def _data_type(dtype: str) -> str:
    kind = re.match("[a-z]*", dtype)
    return _DATA_TYPES.get(dtype) or _KINDS.get(kind[0] if kind else "", "sc:Text")


def _field(record_set: str, name: str, description: str, data_type: str | list[str]) -> _Json:
    return {
        "@type": "cr:Field",
        "@id": f"{record_set}/{_id_of(name)}",
        "name": name,
        "description": description,
        "dataType": data_type,
    }
