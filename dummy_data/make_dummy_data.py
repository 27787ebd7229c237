"""Write the synthetic release in this folder: 14 + 7 made-up clips in the documented layout.

    python dummy_data/make_dummy_data.py

Nothing in it comes from the IndoMER release: the transcripts were written for this table and the
features are random numbers. Like the release, the two configs list the same clips in a different
order, the feature pickles follow a third one, and no source video is in both splits.

Running it again gives the same bytes. Only the pickles may differ between numpy generations, with
equal arrays inside: numpy 1 writes the module name `numpy.core`, numpy 2 writes `numpy._core`.
"""

import argparse
import csv
import json
import pickle
import re
from pathlib import Path

import numpy as np

# (most frames, features per frame): every clip of a file is zero-padded to the longest.
FEATURE_SHAPES = {
    "video": {"train": (12, 673), "val": (10, 673)},
    "audio": {"train": (40, 18), "val": (36, 18)},
}

SENTIMENT_OF = {
    "ketakutan": "negatif",
    "jijik": "negatif",
    "kemarahan": "negatif",
    "kesedihan": "negatif",
    "netral": "netral",
    "kebahagiaan": "positif",
    "surprise": "positif",
}
# One letter per modality: text, audio, video.
SENTIMENT_OF_LETTER = {"-": "negatif", "0": "netral", "+": "positif"}

# split, clip, emotion, sentiments of (text, audio, video), transcript
CLIPS = [
    ("train", "clip_1_Sharing_1", "kebahagiaan", "+++",
     "Akhirnya aku keterima kerja juga, senang banget rasanya, sampai nggak bisa tidur semalam."),
    ("train", "clip_1_Sharing_2", "kebahagiaan", "++0",
     'Ibu langsung peluk aku sambil bilang, "hebat kamu, Nak".'),
    ("train", "clip_1_Sharing_3", "netral", "000",
     "Jadi mulai besok aku berangkat jam tujuh, naik kereta dari stasiun dekat rumah."),
    ("train", "clip_4_Opinions_1", "kemarahan", "--0",
     "Sudah tiga kali lapor soal jalan rusak itu, tapi tetap saja dibiarkan, kesal aku!"),
    ("train", "clip_4_Opinions_2", "jijik", "-0-",
     "Sampahnya menumpuk di pinggir kali, baunya busuk sekali, aku sampai mual lihatnya."),
    ("train", "clip_7_Family_1", "kesedihan", "---",
     "Sejak kakek pergi, kursi di teras itu selalu kosong, dan aku masih suka nangis sendiri."),
    ("train", "clip_7_Family_2", "netral", "00+",
     "Kami empat bersaudara, aku anak kedua."),
    ("train", "clip_12_Cooking_2", "netral", "0+0",
     "Wortelnya dipotong tipis-tipis dulu, terus sisihkan di piring."),
    ("train", "clip_12_Cooking_3", "surprise", "0++",
     "Lho, kok adonannya bisa naik setinggi ini, padahal baru lima belas menit?"),
    ("train", "clip_12_Cooking_10", "kebahagiaan", "+++",
     "Enak banget, crème brûlée buatan sendiri ternyata nggak kalah sama yang di kafe!"),
    ("train", "clip_15_Health_1", "ketakutan", "--0",
     "Malam itu dadaku sesak, aku takut banget nggak bangun lagi besok paginya."),
    ("train", "clip_15_Health_2", "netral", "000",
     "Minum air putih delapan gelas sehari, kira-kira dua liter."),
    ("train", "clip_103_Product_1", "kesedihan", "-0-",
     "Tasnya sudah sobek, sedih aku, padahal nabungnya berbulan-bulan."),
    ("train", "clip_103_Product_2", "netral", "00-",
     "Harganya seratus dua puluh ribu, belum termasuk ongkos kirim."),
    ("val", "clip_2_Makeup_1", "jijik", "--0",
     "Ih, lipstiknya sudah berjamur, bau tengik pula, jangan dipakai lagi ya."),
    ("val", "clip_2_Makeup_2", "kebahagiaan", "+++",
     "Lihat deh, warnanya benar-benar “nyala” di bibir aku, suka banget!"),
    ("val", "clip_10_Book_1", "ketakutan", "-0-",
     "Pas lagi baca bab terakhir lampu kamar mati, aku langsung merinding, nggak berani nengok."),
    ("val", "clip_10_Book_2", "netral", "0+0",
     "Bukunya setebal tiga ratus halaman, terbitnya tahun lalu."),
    ("val", "clip_21_Politics_1", "kemarahan", "---",
     "Janji waktu kampanye mana buktinya, kami capek dibohongi terus!"),
    ("val", "clip_110_Society_1", "kesedihan", "-0-",
     "Rumah mereka hanyut kena banjir, anak-anaknya tidur di tenda, nggak tega aku lihatnya."),
    ("val", "clip_110_Society_2", "surprise", "+0+",
     "Astaga, ternyata yang datang bantu lebih dari seratus orang, aku nggak nyangka!"),
]  # fmt: skip


def natural_key(clip):
    """Sort key that puts clip_12 after clip_4; plain text order puts it before."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", clip)]


def label_rows(config_name, split):
    """Rows of one split JSON: 7_class in natural order of the clips, 3_class in text order."""
    clips = [row for row in CLIPS if row[0] == split]
    clips.sort(key=lambda row: row[1] if config_name == "3_class" else natural_key(row[1]))
    for _, clip, emotion, letters, text in clips:
        row = {"sample_id": clip, "text": text}
        if config_name == "3_class":
            of_text, of_audio, of_video = (SENTIMENT_OF_LETTER[letter] for letter in letters)
            row |= {"audio_label": of_audio, "text_label": of_text, "video_label": of_video}
            row |= {"label": SENTIMENT_OF[emotion]}
        else:
            row |= {"sentiment_label": SENTIMENT_OF[emotion], "label": emotion}
        yield row | {"video": f"{clip}.mp4", "audio": f"{clip}.wav"}


def annotation_rows():
    """Rows of Annotations.csv, header first: both splits, in natural order."""
    yield ["video_name", "audio_name", "emotion", "sentiment",
           "text_sentiment", "audio_sentiment", "video_sentiment", "text"]  # fmt: skip
    for _, clip, emotion, letters, text in sorted(CLIPS, key=lambda row: natural_key(row[1])):
        of_modalities = [SENTIMENT_OF_LETTER[letter] for letter in letters]
        yield [f"{clip}.mp4", f"{clip}.wav", emotion, SENTIMENT_OF[emotion], *of_modalities, text]


def feature_entries(rng, split, modality, suffix, shape):
    """Entries of one feature pickle, in shuffled order, each zero-padded to `shape`."""
    n_most, width = shape
    clips = rng.permutation([row[1] for row in CLIPS if row[0] == split]).tolist()
    for place, clip in enumerate(clips):
        # The first clip fills its array, and its second frame is zero as if no face was found
        # (or nothing was heard): a zero frame before the last real one is no padding.
        n_frames = n_most if place == 0 else int(rng.integers(3, n_most))
        feature = np.zeros((n_most, width), dtype=np.float32)
        feature[:n_frames] = rng.standard_normal((n_frames, width), dtype=np.float32)
        if place == 0:
            feature[1] = 0
        yield {f"{modality}_name": clip + suffix, f"{modality}_feature": feature}


def write_release(out_dir):
    """Write label files, annotations and feature pickles below `out_dir`."""
    rng = np.random.default_rng(2512_19379)
    for config_name in ("3_class", "7_class"):
        for split in ("train", "val"):
            path = out_dir / config_name / f"{split}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            rows = list(label_rows(config_name, split))
            text = json.dumps(rows, ensure_ascii=False, indent=2) + "\n"
            path.write_bytes(text.encode("utf-8"))

    with open(out_dir / "Annotations.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\r\n").writerows(annotation_rows())

    for modality, suffix in (("video", ".mp4"), ("audio", ".wav")):
        for split, shape in FEATURE_SHAPES[modality].items():
            path = out_dir / f"{modality}_feature" / f"{split}_{modality}_features.pkl"
            path.parent.mkdir(parents=True, exist_ok=True)
            entries = list(feature_entries(rng, split, modality, suffix, shape))
            path.write_bytes(pickle.dumps(entries, protocol=4))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write the synthetic IndoMER release.")
    here = Path(__file__).resolve().parent
    parser.add_argument("--out", type=Path, default=here, metavar="DIR", help="default: here")
    out = parser.parse_args().out
    if out != here and out.exists() and any(out.iterdir()):
        parser.error(f"--out {out}: expected a new or empty folder; nothing is overwritten")
    write_release(out)
