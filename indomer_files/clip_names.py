"""What the name of a clip says, and the key that everything is joined by.

A clip is called clip_12_Cooking_3.mp4: source video 12, topic Cooking, segment 3. Its audio may
have another extension, and other files may name it without one.
"""

import functools
import re

from indomer_files.schema import TOPICS

# Numbers of up to nine digits, which fit into int32.
_SOURCE_NAME = re.compile(r"\D*([0-9]{1,9})_(.+)")
_SEGMENT = re.compile(r"[0-9]{1,9}")
_TOPIC_OF = {topic.casefold().rstrip("s"): topic for topic in TOPICS}


@functools.lru_cache(maxsize=1 << 16)
def clip_key(name: str) -> str:
    """What a clip is joined by: its name without extension and folder, of whatever system."""
    name = name[max(name.rfind("/"), name.rfind("\\")) + 1 :]
    stem, dot, extension = name.rpartition(".")
    return stem if dot and 2 <= len(extension) <= 4 and extension.isalnum() else name


def parse_clip_name(key: str) -> tuple[int | None, str | None, int | None]:
    """Split "clip_12_Cooking_3" into (12, "Cooking", 3); (None, None, None) for other names."""
    source, _, segment = key.rpartition("_")
    video_id, topic = _parse_source_name(source)
    if video_id is None or not _SEGMENT.fullmatch(segment):
        return None, None, None
    return video_id, topic, int(segment)


def spelled_topic(key: str) -> str | None:
    """The topic in a clip's key as it is spelled there; None for names of another form."""
    match = _SOURCE_NAME.fullmatch(key.rpartition("_")[0])
    return match and match[2]


@functools.cache
def _parse_source_name(source: str) -> tuple[int | None, str | None]:
    match = _SOURCE_NAME.fullmatch(source)
    if match is None:
        return None, None
    video_id, topic = match.groups()
    return int(video_id), _TOPIC_OF.get(topic.casefold().rstrip("s"), topic)
