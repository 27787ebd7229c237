"""The version of this package, which that of indomer.py has to equal."""

__version__ = "0.1.0"
