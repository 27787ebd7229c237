"""Clips as chat messages, for instruction models that read text, sound or pictures.

    messages = to_chat(example, "emotion", language="id")
    inputs = processor.apply_chat_template(messages, tokenize=True, return_dict=True)

Features are no media: without the columns `video` and `audio` of `media_dir=`, the clip is its
transcript, and contents are plain strings, as templates of text models want them. With one of the
columns, contents are lists of parts, as templates of omni-modal models want them.
"""

import base64
import mimetypes
import os
from collections.abc import Mapping, Sequence
from typing import Any

import indomer
from indomer_files.options import check_choice
from indomer_files.schema import ENGLISH, LABEL_COLUMNS

__all__ = ["to_chat"]

_QUESTIONS = {
    "id": {
        "emotion": "Emosi apa yang ditunjukkan pembicara?",
        "sentiment": "Apa sentimen pembicara?",
        "text_sentiment": "Apa sentimen pembicara, dinilai dari kata-katanya saja?",
        "audio_sentiment": "Apa sentimen pembicara, dinilai dari suaranya saja?",
        "video_sentiment": "Apa sentimen pembicara, dinilai dari gambarnya saja?",
    },
    "en": {
        "emotion": "Which emotion does the speaker show?",
        "sentiment": "What is the sentiment of the speaker?",
        "text_sentiment": "What is the sentiment of the speaker, judged by the words alone?",
        "audio_sentiment": "What is the sentiment of the speaker, judged by the voice alone?",
        "video_sentiment": "What is the sentiment of the speaker, judged by the picture alone?",
    },
}
_TRANSCRIPT = {"id": "Transkrip: {}", "en": "Transcript: {}"}
_CHOICES = {"id": "Jawab dengan satu kata saja: {}.", "en": "Answer with one word only: {}."}


def to_chat(
    example: Mapping[str, Any],
    label: str = "emotion",
    *,
    language: str = "id",
    names: Sequence[str] | None = None,
    answer: bool = True,
) -> list[dict[str, Any]]:
    """Ask for a label of a clip, and answer with it: messages for `apply_chat_template`.

    The parts of a clip are `{"type": "video", "video": path}`, `{"type": "audio", "audio": path}`
    and `{"type": "text", "text": question}`, in this order: what processors of `transformers` and
    the templates of Qwen's omni-modal models read. Call it where messages are used, such as in a
    `collate_fn` or over a stream: `Dataset.map` would give every part the keys of all others.

    Args:
        example: A row of any form: prepared, streamed or from Parquet, in any format.
        label: The label to ask for: "emotion", "sentiment", or one of "text_sentiment",
            "audio_sentiment" and "video_sentiment". The column `label` is the first of these in
            `7_class`, the second in `3_class`.
        language: Language of question and answer: "id" for Indonesian, "en" for English.
        names: Words to answer with, in the order of the class ids; by default the published names
            or, in English, theirs.
        answer: Whether the label follows as the assistant's message. False to have a model answer;
            then pass `add_generation_prompt=True` to the template.

    Returns:
        list: A message of the user and, with `answer`, one of the assistant. Each has a "role" and
        a "content": a list of parts where the example has a column `video` or `audio`, else a str.

    Raises:
        IndoMERError: An argument is none of these, the example has neither text nor media, has no
            such label, or has a video that is in no file.
    """
    check_choice("language", language, tuple(_QUESTIONS))
    check_choice("label", label, tuple(LABEL_COLUMNS))
    if names is None:
        names = LABEL_COLUMNS[label]
        if language == "en":
            names = [ENGLISH[name] for name in names]
    media = _media_parts(example)
    question = _question(example, label, language, names)
    if not example.get("text") and not media:
        raise indomer.IndoMERError(
            f"{_clip(example)}: there is nothing to ask about. Load the text (modalities) or the "
            "clips themselves (media_dir)."
        )
    has_parts = "video" in example or "audio" in example
    messages = [_message("user", question, media, has_parts)]
    if answer:
        name = names[_label_id(example, label, len(names))]
        messages.append(_message("assistant", name, [], has_parts))
    return messages


def _question(example: Mapping[str, Any], label: str, language: str, names: Sequence[str]) -> str:
    """The transcript, if there is one, the question and the words to choose from."""
    lines = [_QUESTIONS[language][label], _CHOICES[language].format(", ".join(names))]
    if example.get("text"):
        lines.insert(0, _TRANSCRIPT[language].format(str(example["text"]).strip()))
    return "\n".join(lines)


def _message(
    role: str, text: str, media: Sequence[dict[str, str]], has_parts: bool
) -> dict[str, Any]:
    content = [*media, {"type": "text", "text": text}] if has_parts else text
    return {"role": role, "content": content}


def _media_parts(example: Mapping[str, Any]) -> list[dict[str, str]]:
    return [
        {"type": modality, modality: _address(example, modality)}
        for modality in ("video", "audio")
        if example.get(modality) is not None
    ]


def _address(example: Mapping[str, Any], modality: str) -> str:
    """Where a processor finds the clip: its path or URL, or for sound alone a data URI."""
    value = example[modality]
    # Decoders of `datasets` 4 and later remember what they decode.
    value = getattr(value, "_hf_encoded", value)
    if isinstance(value, (str, os.PathLike)):
        return os.fspath(value)
    if isinstance(value, Mapping):
        path, content = value.get("path"), value.get("bytes")
        if path and content is None:
            return str(path)
        if content is not None and modality == "audio":
            kind = mimetypes.guess_type(path or "")[0] or "audio/wav"
            return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
    raise indomer.IndoMERError(
        f"{_clip(example)}, column {modality!r}: expected the path of a file, found "
        f"{type(value).__name__} without. Chat templates read files: load with media_dir, or write "
        "the bytes to a file and put its path there."
    )


def _label_id(example: Mapping[str, Any], label: str, n_classes: int) -> int:
    value = example.get(label)
    if value is None or not 0 <= int(value) < n_classes:
        raise indomer.IndoMERError(
            f"{_clip(example)}: expected a class id below {n_classes} as {label!r}, got {value!r}. "
            "Pass another label, or answer=False."
        )
    return int(value)


def _clip(example: Mapping[str, Any]) -> str:
    return str(example.get("sample_id") or "example")
