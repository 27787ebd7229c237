"""Features in safetensors, .npz, .npy, HDF5 and Parquet files, behind one interface.

from indomer_files.formats import open_features

with open_features("wav2vec.safetensors") as features:
    frames = features["clip_2_Cooking_1"]
"""

from indomer_files.formats.clip_arrays import ClipArrays
from indomer_files.formats.opening import open_features, reader_of

__all__ = ["ClipArrays", "open_features", "reader_of"]
