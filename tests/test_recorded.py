"""What was recorded stays: digests of results, and what files of an earlier version say."""

import json
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parent / "recorded"


@pytest.fixture(scope="module")
def cases():
    sys.path.insert(0, str(FOLDER))
    try:
        import cases
    finally:
        sys.path.remove(str(FOLDER))
    return cases


def test_files_of_an_earlier_version_say_the_same(cases):
    with np.load(FOLDER / "answers.npz") as said:
        for name, _, rows in cases.files():
            model = cases.load(FOLDER / f"{name}.skprog")
            for i, answer in enumerate(cases.answers(model, rows)):
                expected = said[f"{name} {i}"]
                if expected.dtype.kind != "f":
                    np.testing.assert_array_equal(answer, expected)
                else:
                    # Processors round differently; bits are compared below.
                    np.testing.assert_allclose(answer, expected, rtol=1e-3, atol=1e-5)


@pytest.mark.slow
def test_every_digest_is_the_one_recorded(cases):
    record = json.loads((FOLDER / "digests.json").read_text(encoding="utf-8"))
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        pytest.skip("the digests were recorded on Linux and x86-64")
    if record["versions"] != cases.VERSIONS:
        pytest.skip(f"the digests were recorded with {record['versions']}")
    done = subprocess.run(
        [sys.executable, FOLDER / "record.py"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["digests"]
    changed = [name for name, digest in record["digests"].items() if found.get(name) != digest]
    assert not changed
    assert found.keys() == record["digests"].keys()
