"""Upload of an exported folder to the Hugging Face Hub."""

import os

import indomer
from indomer_files.schema import SPLITS

_FILES = ("README.md", "dataset_infos.json", "croissant.json", "manifest.json")

# Files of an export of which the next may have others, as `fnmatch` has it.
_PATTERNS = (
    *(
        f"data/[37]_class/{folder}{split}-[0-9]*-of-[0-9]*.parquet"
        for split in SPLITS
        # Exports of earlier versions had no folder for each split.
        for folder in (f"split={split}/", "")
    ),
    *(f"assets/{name}.png" for name in ("topics", "emotions", "agreement", "lengths")),
)


def push(folder: str | os.PathLike[str], hub_id: str) -> str:
    """Upload an exported folder to the Hugging Face Hub.

    Args:
        folder: An export.
        hub_id: "user/name" of a dataset. It is made if it is not there, and is private then: the
            data states no licence. Files of an earlier export that this one has not are deleted.

    Returns:
        The address of the dataset.

    Raises:
        IndoMERError: The Hub refuses, or cannot be reached.
    """
    import huggingface_hub
    from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError

    check_hub_id(hub_id)
    api = huggingface_hub.HfApi(library_name="indomer", library_version=indomer.__version__)
    try:
        url = api.create_repo(hub_id, repo_type="dataset", private=True, exist_ok=True)
        api.upload_folder(
            repo_id=hub_id,
            repo_type="dataset",
            folder_path=os.fspath(folder),
            commit_message=f"Export by indomer {indomer.__version__}",
            # What systems and clients leave in a folder is not for others.
            allow_patterns=[*_FILES, *_PATTERNS],
            delete_patterns=list(_PATTERNS),
        )
    # Of the versions of huggingface_hub, some use requests (an OSError) and some httpx.
    except (HfHubHTTPError, LocalTokenNotFoundError, OSError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise indomer.IndoMERError(
            f"{hub_id}: not pushed ({reason}). {folder} is complete; to try again: "
            f"hf upload {hub_id} {folder} . --repo-type dataset"
        ) from error
    return str(url)


def check_hub_id(hub_id: str) -> None:
    """Raise IndoMERError unless this may be the name of a dataset on the Hub; asks no server."""
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]  # It is there.

    try:
        validate_repo_id(hub_id)
    except HFValidationError as error:
        raise indomer.IndoMERError(
            f"push_to: expected 'user/name' of a dataset on the Hub, got {hub_id!r}."
        ) from error
