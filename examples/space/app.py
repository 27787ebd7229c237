"""The page of `indomer browse` as a Space of the Hugging Face Hub, over an exported dataset.

indomer export FOLDER examples/space/export --trim-padding
cd examples/space && uvicorn app:app --port 7860
"""

import os

from indomer_tools.browse.server import make_app

app = make_app(
    os.environ.get("INDOMER_EXPORT", "export"),
    # A Space is asked for by many names, and shown in a frame of the Hub.
    allowed_hosts=("*",),
    frame_ancestors="https://huggingface.co https://*.hf.space",
)
