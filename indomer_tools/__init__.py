"""Optional tooling on top of the loader in `indomer.py`, which never imports it."""
