"""Clips as chat messages and through pipelines, with templates and models of transformers."""

import base64
import io
import shutil
import sys
import wave

import datasets
import numpy as np
import pytest

import indomer
from indomer_tools.train.chat import to_chat
from tests.support.places import ROOT
from tests.support.release_writers import make_clips, write_release

sys.path.insert(0, str(ROOT / "examples"))

# What templates of Qwen's omni-modal models make of parts, in short.
TEMPLATE = """\
{% for message in messages %}<|{{ message['role'] }}|>
{% if message['content'] is string %}{{ message['content'] }}{% else %}
{%- for part in message['content'] %}
{%- if part['type'] == 'audio' or 'audio' in part %}<|AUDIO|>
{%- elif part['type'] == 'video' or 'video' in part %}<|VIDEO|>
{%- elif 'text' in part %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}<|end|>
{% endfor %}{% if add_generation_prompt %}<|assistant|>
{% endif %}"""

EXAMPLE = {
    "sample_id": "clip_1_Cooking_1",
    "text": " Enak sekali! ",
    "label": 5,
    "emotion": 5,
    "sentiment": 2,
    "text_sentiment": 1,
    "audio_sentiment": None,
}


# --- Messages -------------------------------------------------------------------------------------


def test_messages_in_indonesian():
    assert to_chat(EXAMPLE) == [
        {
            "role": "user",
            "content": "Transkrip: Enak sekali!\n"
            "Emosi apa yang ditunjukkan pembicara?\n"
            "Jawab dengan satu kata saja: ketakutan, jijik, kemarahan, kesedihan, netral, "
            "kebahagiaan, surprise.",
        },
        {"role": "assistant", "content": "kebahagiaan"},
    ]


def test_messages_in_english():
    user, assistant = to_chat(EXAMPLE, "sentiment", language="en")
    assert user["content"].splitlines() == [
        "Transcript: Enak sekali!",
        "What is the sentiment of the speaker?",
        "Answer with one word only: negative, neutral, positive.",
    ]
    assert assistant["content"] == "positive"


def test_messages_with_other_words():
    user, assistant = to_chat(EXAMPLE, "text_sentiment", names=["minus", "nol", "plus"])
    assert user["content"].endswith("Jawab dengan satu kata saja: minus, nol, plus.")
    assert assistant["content"] == "nol"


def test_every_label_has_a_question_of_its_own_in_both_languages():
    questions = {
        to_chat(EXAMPLE, label, language=language, answer=False)[0]["content"].splitlines()[1]
        for label in ("emotion", "sentiment", *(f"{m}_sentiment" for m in indomer.MODALITIES))
        for language in ("id", "en")
    }
    assert len(questions) == 10


def test_messages_without_an_answer_need_no_label():
    messages = to_chat({"text": "Ya."}, answer=False)
    assert [message["role"] for message in messages] == ["user"]


def test_media_come_first_as_parts():
    example = EXAMPLE | {
        "video": {"path": "clips/a.mp4", "bytes": None},
        "audio": {"path": "clips/a.wav", "bytes": None},
    }
    user, assistant = to_chat(example)
    assert user["content"][:2] == [
        {"type": "video", "video": "clips/a.mp4"},
        {"type": "audio", "audio": "clips/a.wav"},
    ]
    assert [part["type"] for part in user["content"]] == ["video", "audio", "text"]
    assert assistant["content"] == [{"type": "text", "text": "kebahagiaan"}]


def test_lost_media_leave_no_part():
    user, _ = to_chat(EXAMPLE | {"video": None, "audio": {"path": "a.wav", "bytes": None}})
    assert [part["type"] for part in user["content"]] == ["audio", "text"]
    user, _ = to_chat(EXAMPLE | {"video": None, "audio": None})
    assert [part["type"] for part in user["content"]] == ["text"]


def test_media_without_a_transcript():
    example = {"emotion": 0, "audio": "a.wav"}
    user, assistant = to_chat(example, language="en")
    assert user["content"][0] == {"type": "audio", "audio": "a.wav"}
    assert user["content"][1]["text"].startswith("Which emotion")
    assert assistant["content"][0]["text"] == "fear"


def test_sound_in_memory_becomes_an_address():
    user, _ = to_chat(EXAMPLE | {"audio": {"path": "a.wav", "bytes": b"RIFF..."}})
    kind, content = user["content"][0]["audio"].split(",")
    assert kind in ("data:audio/wav;base64", "data:audio/x-wav;base64")
    assert base64.b64decode(content) == b"RIFF..."


@pytest.mark.parametrize(
    "change, options, message",
    [
        ({}, {"language": "fr"}, "language: expected one of .'id', 'en'., got 'fr'"),
        ({}, {"label": "label"}, "label: expected one of .*'emotion'.*, got 'label'"),
        ({}, {"label": "audio_sentiment"}, "clip_1_Cooking_1: .* as 'audio_sentiment', got None"),
        ({}, {"label": "video_sentiment"}, "as 'video_sentiment', got None"),
        ({}, {"names": ["one", "two"]}, "expected a class id below 2 as 'emotion', got 5"),
        ({"text": None}, {}, "clip_1_Cooking_1: there is nothing to ask about"),
        ({"video": {"path": None, "bytes": b"0"}}, {}, "column 'video': expected the path"),
        ({"audio": np.zeros(3)}, {}, "column 'audio': expected the path .* found ndarray"),
    ],
)
def test_what_makes_no_messages_is_refused(change, options, message):
    with pytest.raises(indomer.IndoMERError, match=message):
        to_chat(EXAMPLE | change, **options)


# --- From every form of the data ------------------------------------------------------------------


@pytest.mark.parametrize("config", ["3_class", "7_class"])
@pytest.mark.parametrize("format", [None, "numpy", "torch"])
def test_rows_of_any_form_give_the_same_messages(load, dummy_dir, tmp_path, config, format):
    if format == "torch":
        pytest.importorskip("torch")
    prepared = load(config, dummy_dir, split="train", modalities=("text",))
    stream = load(config, dummy_dir, split="train", modalities=("text",), streaming=True)
    prepared.to_parquet(tmp_path / "train.parquet")
    parquet = datasets.load_dataset(
        "parquet",
        data_files=str(tmp_path / "train.parquet"),
        split="train",
        cache_dir=tmp_path / "parquet",
    )
    expected = [to_chat(row) for row in prepared]
    for rows in (prepared, stream, parquet):
        assert [to_chat(row) for row in rows.with_format(format)] == expected
    names = prepared.features["emotion"].names
    answers = [messages[1]["content"] for messages in expected]
    assert answers == [names[label] for label in prepared["emotion"][:]]


def test_messages_go_through_the_template_of_a_tokenizer(load, dummy_dir):
    tokenizer = text_model()["tokenizer"]
    tokenizer.chat_template = TEMPLATE
    row = next(iter(load("7_class", dummy_dir, split="train", streaming=True)))
    text = tokenizer.apply_chat_template(to_chat(row), tokenize=False)
    assert text.startswith(f"<|user|>\nTranskrip: {row['text']}\nEmosi apa")
    assert text.endswith("<|assistant|>\nkebahagiaan<|end|>\n")
    asked = tokenizer.apply_chat_template(
        to_chat(row, answer=False), tokenize=False, add_generation_prompt=True
    )
    assert text.startswith(asked)


# --- Media and processors -------------------------------------------------------------------------


def write_wav(path, seconds=0.5, rate=16_000, pitch=440.0):
    samples = np.sin(2 * np.pi * pitch * np.arange(int(seconds * rate)) / rate)
    with wave.open(path if isinstance(path, io.BytesIO) else str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((samples * 20_000).astype("<i2").tobytes())


@pytest.fixture
def release_with_sound(tmp_path):
    """A release, and the sound of all its clips but the last of validation; no pictures."""
    train, val = make_clips(7), make_clips(5, first_video=50)
    release = write_release(tmp_path / "release", train, val, features=False)
    (tmp_path / "clips").mkdir()
    for number, clip in enumerate(train + val[:-1]):
        write_wav(tmp_path / "clips" / f"{clip['id']}.wav", pitch=200 + 50 * number)
    return release, tmp_path / "clips"


@pytest.mark.parametrize("streaming", [False, True])
def test_processor_reads_the_sound_of_messages(load, release_with_sound, streaming):
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("torch")
    audio_utils = pytest.importorskip("transformers.audio_utils")
    release, clips = release_with_sound
    try:
        expected = audio_utils.load_audio(str(clips / "clip_1_Cooking_1.wav"), 16_000)
    except Exception as error:  # whatever a library says of the codec it lacks
        pytest.skip(f"transformers cannot read sound here: {error}")
    tokenizer = text_model(["<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>"])["tokenizer"]
    extractor = transformers.WhisperFeatureExtractor(chunk_length=2)
    processor = transformers.Qwen2AudioProcessor(extractor, tokenizer, chat_template=TEMPLATE)
    dataset = load(
        "7_class",
        release,
        split="train",
        streaming=streaming,
        modalities=("text",),
        media_dir=clips,
        on_missing="empty",
    )
    messages = to_chat(next(iter(dataset)))
    assert [part["type"] for part in messages[0]["content"]] == ["audio", "text"]
    batch = processor.apply_chat_template(
        messages, tokenize=True, return_dict=True, return_tensors="pt"
    )
    alone = extractor(expected, sampling_rate=16_000, return_tensors="np")["input_features"]
    np.testing.assert_allclose(batch["input_features"][0].numpy(), alone[0], atol=1e-5)
    sound = tokenizer.convert_tokens_to_ids("<|AUDIO|>")
    # Whisper makes a frame of 10 ms, Qwen2-Audio a token of four.
    assert (batch["input_ids"] == sound).sum() == 12


def test_video_and_audio_parts_go_through_a_template():
    tokenizer = text_model()["tokenizer"]
    tokenizer.chat_template = TEMPLATE
    media = {"video": {"path": "a.mp4", "bytes": None}, "audio": {"path": "a.wav", "bytes": None}}
    text = tokenizer.apply_chat_template(to_chat(EXAMPLE | media), tokenize=False)
    assert text.startswith("<|user|>\n<|VIDEO|><|AUDIO|>Transkrip: Enak sekali!")
    assert text.endswith("<|assistant|>\nkebahagiaan<|end|>\n")


# --- Pipelines ------------------------------------------------------------------------------------


def stream_pipeline():
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    import stream_pipeline

    return stream_pipeline


def text_model(special=()):
    """A small model for emotions and its tokenizer, as keyword arguments of a pipeline."""
    parts = stream_pipeline().tiny_text_model(indomer.EMOTIONS)
    parts["tokenizer"].add_special_tokens({"additional_special_tokens": list(special)})
    return parts


@pytest.mark.parametrize("streaming", [False, True])
def test_transcripts_stream_into_a_pipeline(load, dummy_dir, streaming):
    parts = text_model()
    from transformers import pipeline
    from transformers.pipelines.pt_utils import KeyDataset

    classify = pipeline("text-classification", **parts)
    clips = load("7_class", dummy_dir, split="train", streaming=streaming, modalities=("text",))
    given = (clip["text"] for clip in clips) if streaming else KeyDataset(clips, "text")
    results = list(classify(given, batch_size=4))
    assert len(results) == 14
    assert {result["label"] for result in results} <= set(indomer.EMOTIONS)
    one_by_one = [classify(clip["text"])[0] for clip in clips]
    for result, alone in zip(results, one_by_one):
        assert result["score"] == pytest.approx(alone["score"], abs=1e-4)


needs_ffmpeg = pytest.mark.skipif(
    shutil.which("ffmpeg") is None, reason="the pipeline reads sound with ffmpeg"
)


needs_media_columns = pytest.mark.skipif(
    not hasattr(datasets, "Video"), reason="this datasets has no columns of videos"
)


@pytest.mark.long
@needs_media_columns
@needs_ffmpeg
@pytest.mark.parametrize("streaming", [False, True])
def test_sound_streams_into_a_pipeline(load, release_with_sound, streaming):
    example = stream_pipeline()
    from transformers import pipeline

    release, media_dir = release_with_sound
    classify = pipeline("audio-classification", **example.tiny_audio_model(indomer.EMOTIONS))
    clips = load(
        "7_class",
        release,
        split="train",
        streaming=streaming,
        modalities=("text",),
        media_dir=media_dir,
        on_missing="empty",
    )
    results = list(classify((example.sound(clip) for clip in clips), batch_size=3))
    assert len(results) == 7
    for clip, result in zip(clips, results):
        path = media_dir / clip["audio_name"]
        with wave.open(str(path)) as file:
            samples = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 2**15
        by_label = {choice["label"]: choice["score"] for choice in result}
        for choice in classify(samples.astype(np.float32)):
            assert by_label[choice["label"]] == pytest.approx(choice["score"], abs=1e-3)


# --- stream_pipeline.py ---------------------------------------------------------------------------


@pytest.mark.parametrize("options", [[], ["--prepared"], ["--clips", "3"], ["--config", "3_class"]])
def test_stream_pipeline_of_transcripts(dummy_dir, tmp_path, monkeypatch, capsys, options):
    example = stream_pipeline()
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    predictions = example.main([str(dummy_dir), "--tiny", *options])
    lines = capsys.readouterr().out.splitlines()
    assert len(predictions) == len(lines) == (3 if "--clips" in options else 7)
    classes, first = indomer.EMOTIONS, ["clip_2_Makeup_1", "jijik"]
    if "3_class" in options:
        classes, first = indomer.SENTIMENTS, ["clip_10_Book_1", "negatif"]
    assert set(predictions) <= set(classes)
    assert lines[0].split()[:2] == first


def test_stream_pipeline_with_a_saved_model(dummy_dir, tmp_path, capsys):
    example = stream_pipeline()
    parts = text_model()
    for part in parts.values():
        part.save_pretrained(tmp_path / "model")
    arguments = [str(dummy_dir), "--clips", "2"]
    saved = example.main([*arguments, "--model", str(tmp_path / "model")])
    assert saved == example.main([*arguments, "--tiny"])


@needs_media_columns
@needs_ffmpeg
def test_stream_pipeline_of_sound_leaves_out_lost_clips(release_with_sound, capsys):
    release, media_dir = release_with_sound
    predictions = stream_pipeline().main(
        [str(release), "--tiny", "--task", "audio-classification", "--media-dir", str(media_dir)]
    )
    assert len(predictions) == 4
    assert "clip_50_Cooking_1" in capsys.readouterr().out


@pytest.mark.parametrize(
    "options, message",
    [([], "--model or --tiny"), (["--tiny", "--task", "audio-classification"], "--media-dir")],
)
def test_stream_pipeline_tells_what_it_needs(options, message, capsys):
    with pytest.raises(SystemExit):
        stream_pipeline().main(["release", *options])
    assert message in capsys.readouterr().err
