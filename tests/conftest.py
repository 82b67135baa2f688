"""Settings and fixtures that every test shares."""

import os

# SciPy reads this at import; scikit-learn's array API checks do not run without it.
os.environ.setdefault("SCIPY_ARRAY_API", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


@pytest.fixture(scope="session")
def real_data():
    """Folder that holds femto/ and the other data sets: $SKPROG_DATA or ../shared/data."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("SKPROG_DATA", beside))
    if not folder.is_dir():
        pytest.skip(f"no real data in {folder}; set SKPROG_DATA to the folder that holds femto/")
    return folder
