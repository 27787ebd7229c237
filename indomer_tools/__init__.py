"""Optional tooling on top of the loader in `indomer.py`, which never imports it.

Nothing here imports torch, transformers or scikit-learn before it is used.
"""

from indomer_tools import metrics
from indomer_tools.chat import to_chat
from indomer_tools.check import Finding, Report, check
from indomer_tools.collate import PaddingCollator
from indomer_tools.export import Export, export
from indomer_tools.folds import class_weights, group_folds, sample_weights
from indomer_tools.sampler import LengthBucketSampler
from indomer_tools.torch_data import torch_dataset

__all__ = [
    "Export",
    "Finding",
    "LengthBucketSampler",
    "PaddingCollator",
    "Report",
    "check",
    "class_weights",
    "export",
    "group_folds",
    "metrics",
    "sample_weights",
    "to_chat",
    "torch_dataset",
]
