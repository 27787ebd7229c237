"""Write the picture of the page of clips that card and guide show.

    python -m tests.support.screenshot

The clips are those of dummy_data, with features as those of a speaking face and voice.
"""

import sys
import tempfile
import threading
from pathlib import Path

from tests.support.browser import opened_browser
from tests.support.lively_features import write_lively_release
from tests.support.places import ROOT

SIZE = {"width": 1180, "height": 820}


def main(target):
    """Serve the page, and save what a browser shows."""
    from PIL import Image

    from indomer_tools.browse.server import make_app, serve

    with tempfile.TemporaryDirectory() as folder:
        app = make_app(write_lively_release(Path(folder) / "dummy_data"))
        addresses, is_served = [], threading.Event()

        def on_start(address):
            addresses.append(address)
            is_served.set()

        threading.Thread(target=serve, args=(app, 0, on_start), daemon=True).start()
        is_served.wait(30)
        with opened_browser() as browser:
            page = browser.new_page(viewport=SIZE, color_scheme="light")
            page.goto(f"{addresses[0]}/?clip=clip_1_Sharing_1", wait_until="networkidle")
            page.screenshot(path=target)
    # A third of the bytes, and the same to the eye.
    with Image.open(target) as picture:
        smaller = picture.convert("RGB").quantize(128, dither=Image.Dither.NONE)
    smaller.save(target, optimize=True)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else ROOT / "docs" / "browse.png")
