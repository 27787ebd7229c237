"""From a loaded split to scores: batches, samplers, folds, metrics, chat messages."""

from indomer_tools.train import metrics
from indomer_tools.train.chat import to_chat
from indomer_tools.train.collate import PaddingCollator
from indomer_tools.train.folds import class_weights, group_folds, sample_weights
from indomer_tools.train.loader import ClipLoader, eval_loader, train_loader
from indomer_tools.train.metrics import evaluate
from indomer_tools.train.sampler import LengthBucketSampler
from indomer_tools.train.statistics import (
    ColumnStatistics,
    FeatureStatistics,
    feature_statistics,
)
from indomer_tools.train.torch_data import ClipDataset, torch_dataset
from indomer_tools.train.trainer import LoaderMixin

__all__ = [
    "ClipDataset",
    "ClipLoader",
    "ColumnStatistics",
    "FeatureStatistics",
    "LengthBucketSampler",
    "LoaderMixin",
    "PaddingCollator",
    "class_weights",
    "eval_loader",
    "evaluate",
    "feature_statistics",
    "group_folds",
    "metrics",
    "sample_weights",
    "to_chat",
    "torch_dataset",
    "train_loader",
]
