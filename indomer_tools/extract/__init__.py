"""Features made from clips: sound by openSMILE, faces by OpenFace, in files the loader reads."""

from indomer_tools.extract.run import MadeFeatures, MadeFile, make_features

__all__ = ["MadeFeatures", "MadeFile", "make_features"]
