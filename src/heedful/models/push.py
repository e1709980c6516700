"""Uploads a folder of taught concepts to a hub, by the hub's own library."""

from collections.abc import Sequence
from pathlib import Path

from huggingface_hub import HfApi
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id

from heedful.errors import ModelError, SettingsError
from heedful.models.find import hub_says


def check_hub_name(name: str) -> None:
    """Raise `SettingsError` unless `name` can be that of a repository: owner/name."""
    try:
        validate_repo_id(name)
        is_whole = name.count("/") == 1
    except HFValidationError:
        is_whole = False
    if not is_whole:
        raise SettingsError(f"Expected the name of a repository on the hub, owner/name, got {name!r}.")


def push_folder(folder: Path, name: str, files: Sequence[str]) -> str:
    """Upload `files` of `folder` to the hub's repository `name` in one commit, and return its address.

    `files` may be patterns. A repository that is not there yet is made, for its owner's eyes only. Raises
    `SettingsError` for a name that cannot be one, and `ModelError` in the words of the hub.
    """
    check_hub_name(name)
    api = HfApi()
    try:
        address = api.create_repo(name, private=True, exist_ok=True)
        api.upload_folder(
            repo_id=name,
            folder_path=folder,
            allow_patterns=list(files),
            commit_message="Add concepts taught with heedful",
        )
    except Exception as reason:  # errors of the hub, and of two generations of its HTTP client
        raise ModelError(
            f"Expected to upload {folder} to {name}, but {hub_says(reason)}. What was taught is whole in {folder}. "
            "See whether you are logged in with the right to write: hf auth login"
        ) from reason
    return str(address)
