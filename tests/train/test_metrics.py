"""Scores: against scikit-learn, at the edges, as text and in a Trainer's hands."""

import json
import types
import warnings

import datasets
import numpy as np
import pytest

import indomer
import indomer_tools

pytest.importorskip("sklearn")

from sklearn import metrics as sklearn_metrics

from indomer_tools.train.metrics import (
    FEW_CLIPS,
    RareClassWarning,
    compute_metrics,
    evaluate,
)

pytestmark = pytest.mark.filterwarnings("ignore::indomer_tools.train.metrics.RareClassWarning")

NAMES = indomer.EMOTIONS


def guesses(n_clips=200, seed=0):
    """Labels like those of the release, and predictions of which about half are right."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(7, n_clips, p=[0.02, 0.03, 0.05, 0.1, 0.6, 0.18, 0.02])
    predictions = np.where(rng.random(n_clips) < 0.5, labels, rng.integers(0, 7, n_clips))
    return labels, predictions


def test_scores_equal_those_of_scikit_learn():
    labels, predictions = guesses()
    scores = evaluate(labels, predictions, NAMES)
    report = sklearn_metrics.classification_report(
        labels, predictions, labels=range(7), target_names=NAMES, output_dict=True, zero_division=0
    )
    assert scores.macro_f1 == pytest.approx(report["macro avg"]["f1-score"])
    assert scores.weighted_f1 == pytest.approx(report["weighted avg"]["f1-score"])
    assert scores.accuracy == pytest.approx((labels == predictions).mean())
    for i, name in enumerate(NAMES):
        of_class = [values[i] for values in (scores.precision, scores.recall, scores.f1)]
        expected = [report[name][key] for key in ("precision", "recall", "f1-score")]
        assert of_class == pytest.approx(expected)
        assert scores.support[i] == report[name]["support"]
    assert scores.confusion.sum() == 200
    assert scores.confusion[4, 5] == ((labels == 4) & (predictions == 5)).sum()


def test_absent_classes_count_as_zero_in_macro_f1():
    labels = [4] * 6 + [5] * 6
    scores = evaluate(labels, labels, NAMES)
    assert scores.accuracy == scores.weighted_f1 == 1
    assert scores.macro_f1 == pytest.approx(2 / 7)
    assert scores.support.tolist() == [0, 0, 0, 0, 6, 6, 0]


def test_names_may_be_the_feature_of_a_column():
    feature = datasets.ClassLabel(names=list(indomer.SENTIMENTS))
    assert evaluate([0, 1, 2], [0, 1, 1], feature).names == indomer.SENTIMENTS


def test_no_answer_is_wrong_and_no_class():
    scores = evaluate([0, 0, 1, 2], [0, -1, 1, 2], indomer.SENTIMENTS)
    assert scores.accuracy == 0.75
    assert scores.recall.tolist() == [0.5, 1, 1]
    assert scores.precision.tolist() == [1, 1, 1]
    assert scores.confusion.sum() == 3
    assert scores.interval[1] <= 1


@pytest.mark.long
@pytest.mark.parametrize("groups", [pytest.param(None, marks=pytest.mark.slow), np.arange(60) // 4])
def test_interval_is_that_of_resampling_clips_or_groups(groups):
    labels, predictions = guesses(60)
    low, high = evaluate(
        labels, predictions, NAMES, groups=groups, n_resamples=2000, confidence=0.9
    ).interval
    units = np.arange(60) if groups is None else groups
    rng = np.random.default_rng(5)
    slow = []
    for _ in range(600):
        drawn = rng.choice(np.unique(units), len(np.unique(units)))
        rows = np.concatenate([np.flatnonzero(units == unit) for unit in drawn])
        slow.append(
            sklearn_metrics.f1_score(
                labels[rows], predictions[rows], labels=range(7), average="macro", zero_division=0
            )
        )
    assert [low, high] == pytest.approx(np.quantile(slow, [0.05, 0.95]), abs=0.02)


def test_interval_of_alike_groups_is_wider_than_that_of_clips():
    # In each of 20 videos, all ten clips are right or all are wrong.
    labels = np.tile([0, 1, 2, 1, 1], 40)
    predictions = np.where(np.arange(200) // 10 % 2, labels, (labels + 1) % 3)
    by_clip = evaluate(labels, predictions, indomer.SENTIMENTS).interval
    by_video = evaluate(
        labels, predictions, indomer.SENTIMENTS, groups=np.arange(200) // 10
    ).interval
    assert np.ptp(by_video) > 2 * np.ptp(by_clip)


def test_interval_depends_on_the_seed_alone():
    labels, predictions = guesses()
    intervals = [evaluate(labels, predictions, NAMES, seed=seed).interval for seed in (0, 0, 1)]
    assert intervals[0] == intervals[1] != intervals[2]
    assert evaluate(labels, predictions, NAMES, n_resamples=0).interval is None


def test_interval_of_a_perfect_or_a_single_clip():
    assert evaluate([0, 1, 2] * 30, [0, 1, 2] * 30, indomer.SENTIMENTS).interval == (1, 1)
    assert evaluate([2], [2], indomer.SENTIMENTS).interval == pytest.approx((1 / 3, 1 / 3))


def test_rare_classes_are_warned_of():
    labels = [0] * FEW_CLIPS + [1] * (FEW_CLIPS - 1) + [2] * FEW_CLIPS
    with pytest.warns(RareClassWarning, match=r"\(netral: 4\).* up to 1/3") as caught:
        evaluate(labels, labels, indomer.SENTIMENTS)
    # The line of the caller is shown, not one of the tools.
    assert [one.filename for one in caught if one.category is RareClassWarning] == [__file__]


def test_classes_of_five_are_not_warned_of():
    labels = list(range(3)) * FEW_CLIPS
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        evaluate(labels, labels, indomer.SENTIMENTS)


def test_scores_as_text():
    labels, predictions = [0] * 5 + [1] * 10 + [2] * 5, [0] * 4 + [1] * 12 + [2] * 4
    text = str(evaluate(labels, predictions, indomer.SENTIMENTS, n_resamples=0))
    assert text.splitlines() == [
        "macro-F1 0.896",
        "weighted F1 0.899, accuracy 0.900",
        "",
        "class    precision  recall     F1  clips  predicted as neg net pos",
        "negatif      1.000   0.800  0.889      5                 4   1   0",
        "netral       0.833   1.000  0.909     10                 0  10   0",
        "positif      1.000   0.800  0.889      5                 0   1   4",
    ]


@pytest.mark.parametrize(
    ("names", "header"),
    [
        (indomer.EMOTIONS, "ket jij kem kes net keb sur"),
        (["class_1", "class_2"], "class_1 class_2"),
        (["a", "b"], "a b"),
        (["fearful", "fearless", "calm"], "fearf fearl calm"),
    ],
)
def test_columns_of_the_confusion_table_have_names_that_differ(names, header):
    n = len(names)
    text = str(evaluate(list(range(n)) * 5, list(range(n)) * 5, list(names), n_resamples=0))
    assert text.splitlines()[3].partition("predicted as ")[2] == header
    widths = {len(line) for line in text.splitlines()[3:]}
    assert len(widths) == 1


def test_names_as_one_text_are_refused():
    with pytest.raises(indomer.IndoMERError, match="names: expected a list .* got 'label'"):
        evaluate([0] * 5, [0] * 5, "label")


def test_evaluate_stands_beside_the_folds():
    assert indomer_tools.evaluate is evaluate
    assert {"evaluate", "group_folds"} <= set(indomer_tools.__all__)


def test_text_tells_what_was_resampled():
    labels = [0, 1, 2] * 10
    text = str(evaluate(labels, labels, indomer.SENTIMENTS, groups=labels, confidence=0.8))
    assert "macro-F1 1.000 (80% interval 0." in text
    assert "resampling groups)" in text


def test_scores_for_logs_are_plain_floats():
    scores = evaluate(*guesses(), NAMES)
    logged = scores.to_dict()
    assert json.loads(json.dumps(logged)) == logged
    assert {type(value) for value in logged.values()} == {float}
    assert list(logged)[:3] == ["macro_f1", "weighted_f1", "accuracy"]
    assert logged["recall_surprise"] == scores.recall[6]
    assert (logged["macro_f1_low"], logged["macro_f1_high"]) == scores.interval


def logits_of(predictions):
    return np.eye(7)[predictions] - 0.5


@pytest.mark.parametrize("form", [logits_of, lambda p: p, lambda p: (logits_of(p), p), tuple])
def test_compute_metrics_takes_logits_ids_and_tuples(form):
    labels, predictions = guesses()
    # A tuple of outputs, of which the first is the logits; `tuple` of it is that, too.
    outputs = form(predictions) if form is not tuple else (logits_of(predictions),)
    evaluated = types.SimpleNamespace(predictions=outputs, label_ids=labels)
    found = compute_metrics(NAMES)(evaluated)
    expected = evaluate(labels, predictions, NAMES)
    assert found["macro_f1"] == expected.macro_f1
    assert found["f1_netral"] == expected.f1[4]
    assert len(found) == 3 + 7


def test_compute_metrics_leaves_out_clips_without_a_label():
    evaluated = types.SimpleNamespace(
        predictions=logits_of([4, 4, 5]), label_ids=np.array([4, -100, 5])
    )
    assert compute_metrics(NAMES)(evaluated)["accuracy"] == 1


@pytest.mark.parametrize(
    "labels, predictions, options, message",
    [
        ([], [], {}, "labels: expected class ids .* at least one"),
        ([0.5], [0], {}, "labels: expected class ids .* got float64"),
        ([[0]], [0], {}, r"labels: .* of shape \(1, 1\)"),
        ([0, 7], [0, 0], {}, r"labels: expected ids from 0 to 6, got 7 \(clip 1\)"),
        ([-1], [0], {}, "labels: expected ids from 0 to 6, got -1"),
        ([0], [-2], {}, "predictions: expected ids from -1 to 6, got -2"),
        ([0, 1], [0], {}, "'labels': 2, 'predictions': 1"),
        ([0, 1], [0, 1], {"groups": [3]}, "'labels': 2, 'groups': 1"),
    ],
)
def test_what_cannot_be_scored_is_refused(labels, predictions, options, message):
    with pytest.raises(indomer.IndoMERError, match=message):
        evaluate(labels, predictions, NAMES, **options)
