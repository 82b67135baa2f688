"""Folders that loaders read."""

import os
from pathlib import Path


def check_path(name, value):
    """Return a path, refusing anything but text and path-like objects."""
    if not isinstance(value, str | os.PathLike):
        raise TypeError(f"{name}={value!r} must be a path.")
    return Path(value)


def data_folder(data_home, name, page):
    """Return ``data_home``, or the folder of that name in SKPROG_DATA where it is None."""
    if data_home is not None:
        return check_path("data_home", data_home)
    root = os.environ.get("SKPROG_DATA")
    if not root:
        raise FileNotFoundError(
            "data_home is None and the environment variable SKPROG_DATA is not set; pass the "
            f"folder of the data, or set SKPROG_DATA to the folder that holds {name!r}. The data "
            f"come from {page}."
        )
    return Path(root) / name
