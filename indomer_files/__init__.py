"""The released files of IndoMER, read as data. Needs numpy, pyarrow and fsspec, but not `datasets`.

from indomer_files import FeatureFile

with FeatureFile("video_feature/val_video_features.pkl") as features:
    frames = features["clip_2_Cooking_1"]
"""

from indomer_files.errors import IndoMERError, UnsafePickleError
from indomer_files.features import FeatureFile
from indomer_files.padding import true_length
from indomer_files.release import Release
from indomer_files.version import __version__

__all__ = [
    "FeatureFile",
    "IndoMERError",
    "Release",
    "UnsafePickleError",
    "__version__",
    "true_length",
]
