"""Looking at clips: one by itself, as data, in a terminal, as a plot and as a page."""

from indomer_tools.browse.lookup import clip

__all__ = ["clip"]
