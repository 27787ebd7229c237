"""What the transcripts alone tell: TF-IDF and logistic regression beside the majority class.

    python examples/text_baseline.py DATA_DIR
    python examples/text_baseline.py DATA_DIR --config 7_class --classes
    python examples/text_baseline.py DATA_DIR --ngrams words --strength 0.3

Needs the label files only, and scikit-learn. Takes seconds.

All scores are macro-F1. "folds" scores each clip of train by a model that has not seen its source
video: choose settings by it. "validation" is the score of a model of all of train; its interval
comes from resampling the source videos of validation.

The strength of regularization is that of scikit-learn. That pieces of words are used beside words
was decided between these two settings (`--ngrams both` and `words`) when both scores on validation
were known: so that of the default is probably optimistic. See docs/scores.md.
"""

import argparse
import sys
import warnings

from sklearn.dummy import DummyClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline, make_union

import indomer
from indomer_tools.arguments import join_values, several_of
from indomer_tools.train import group_folds
from indomer_tools.train.metrics import RareClassWarning, evaluate

CONFIGS = ("3_class", "7_class")

WORDS = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
# Indonesian builds words with prefixes and suffixes, and spelling varies.
PIECES = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), min_df=2, sublinear_tf=True)
NGRAMS = {"words": WORDS, "pieces": PIECES, "both": make_union(WORDS, PIECES)}


def main(argv=None):
    args = parse_args(argv)
    # --classes shows how few clips some have.
    warnings.simplefilter("ignore", RareClassWarning)
    print("config   majority  folds  validation  95% interval")
    return {config: run(config, args) for config in args.config}


def run(config, args):
    """Train and score one model, print a line."""
    dataset = indomer.load_dataset(config, data_dir=args.data_dir, modalities=("text",))
    train, validation = (dataset[split].with_format("numpy")[:] for split in dataset)
    names = dataset["train"].features["label"]
    model = make_pipeline(
        NGRAMS[args.ngrams],
        LogisticRegression(C=args.strength, class_weight="balanced", solver="newton-cg"),
    )

    def macro_f1(clips, predictions):
        return evaluate(clips["label"], predictions, names, n_resamples=0).macro_f1

    folds = list(group_folds(dataset["train"], args.folds, seed=args.seed))
    # Scored together, not fold by fold: some folds have no clip of a rare class.
    out_of_fold = cross_val_predict(model, train["text"], train["label"], cv=folds)
    majority = DummyClassifier().fit(train["text"], train["label"]).predict(validation["text"])
    scores = evaluate(
        validation["label"],
        model.fit(train["text"], train["label"]).predict(validation["text"]),
        names,
        groups=validation["video_id"],
    )
    low, high = scores.interval
    print(
        f"{config}  {macro_f1(validation, majority):8.3f}  {macro_f1(train, out_of_fold):.3f}"
        f"  {scores.macro_f1:10.3f}  {low:.3f} to {high:.3f}"
    )
    if args.classes:
        print(f"\n{scores}\n")
    return scores


def parse_args(argv):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data_dir", help="folder of the release; label files are enough")
    parser.add_argument(
        "--config", type=several_of(CONFIGS), default=CONFIGS, metavar="LIST", help="default: both"
    )
    parser.add_argument("--ngrams", default="both", choices=NGRAMS)
    parser.add_argument("--strength", type=float, default=1.0, help="C of the regression")
    parser.add_argument("--folds", type=int, default=5, help="folds of train")
    parser.add_argument("--seed", type=int, default=0, help="of the folds")
    parser.add_argument("--classes", action="store_true", help="show the scores of each class")
    argv = join_values(sys.argv[1:] if argv is None else argv, {"--config": CONFIGS})
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
