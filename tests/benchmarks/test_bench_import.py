"""What ``import skprog`` costs beside the packages it stands on."""

import subprocess
import sys

import numpy as np

OWN_IMPORT = """
import time, torch, sklearn, sklearn.base, sklearn.pipeline, sklearn.model_selection, skorch
start = time.perf_counter()
import skprog
from skprog import CnnLstmRUL
print(time.perf_counter() - start)
"""


def test_import_takes_at_most_0_3_s_over_its_foundations(benchmark):
    def measure():
        done = subprocess.run(
            [sys.executable, "-c", OWN_IMPORT], capture_output=True, text=True, check=True
        )
        return float(done.stdout)

    seconds = sorted(measure() for _ in range(15))
    benchmark.extra_info.update(median=np.median(seconds), interval=(seconds[3], seconds[11]))
    benchmark.pedantic(measure, rounds=1)
    assert np.median(seconds) <= 0.3
