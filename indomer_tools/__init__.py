"""Optional tooling on top of the loader in `indomer.py`, which never imports it.

Nothing here imports torch, transformers or scikit-learn before it is used. `check` and `export` are
functions here; what else is in the packages of the same names is imported from them, such as
`from indomer_tools.export import planned`.
"""

from indomer_tools.browse import clip, plot_clip
from indomer_tools.check import Finding, Report, check
from indomer_tools.column_names import column_names
from indomer_tools.export import Export, export
from indomer_tools.extract import MadeFeatures, make_features
from indomer_tools.inspection import Inspection, inspect
from indomer_tools.train import (
    FeatureStatistics,
    LengthBucketSampler,
    LoaderMixin,
    PaddingCollator,
    class_weights,
    eval_loader,
    evaluate,
    feature_statistics,
    group_folds,
    metrics,
    sample_weights,
    to_chat,
    torch_dataset,
    train_loader,
)

__all__ = [
    "Export",
    "FeatureStatistics",
    "Finding",
    "Inspection",
    "LengthBucketSampler",
    "LoaderMixin",
    "MadeFeatures",
    "PaddingCollator",
    "Report",
    "check",
    "clip",
    "column_names",
    "class_weights",
    "eval_loader",
    "evaluate",
    "export",
    "feature_statistics",
    "group_folds",
    "inspect",
    "make_features",
    "metrics",
    "plot_clip",
    "sample_weights",
    "to_chat",
    "torch_dataset",
    "train_loader",
]
