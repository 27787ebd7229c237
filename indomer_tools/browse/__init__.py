"""Looking at clips: one by itself, as data, in a terminal, as a plot and as a page."""

from indomer_tools.browse.lookup import clip
from indomer_tools.browse.plot import plot_clip

__all__ = ["clip", "plot_clip"]
