"""Defect maps against tiles scored one by one, and their memory."""

import sys

import numpy as np
import pytest
import torch
from _interleaved import paired_ratio
from _peak_memory import peak_megabytes

from skprog.estimators import SEMClassifier


def test_map_is_5_times_as_fast_as_overlapping_tiles_one_by_one(benchmark):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (1024, 1024)).astype(np.uint8)
    tiles = [image[i : i + 128, i : i + 128] for i in range(0, 128, 32)]
    model = SEMClassifier(max_steps=1, random_state=0).fit(np.stack(tiles), [0, 1, 0, 1])
    module = model.net_.module_.eval()

    def score_tiles():
        pixels = torch.from_numpy(image)
        places = range(0, 1024 - 128 + 1, 32)
        with torch.inference_mode():
            return [
                module(pixels[None, row : row + 128, column : column + 128])
                for row in places
                for column in places
            ]

    assert len(score_tiles()) == 29 * 29
    ratio, interval = paired_ratio(score_tiles, lambda: model.defect_map([image]))
    benchmark.extra_info.update(ratio=ratio, interval=interval)
    benchmark.pedantic(model.defect_map, args=([image],), rounds=3)
    assert interval[0] >= 5


PREPARE = """
import numpy as np
from skprog.estimators import SEMClassifier

rng = np.random.default_rng(0)
image = rng.integers(0, 255, (4096, 4096), dtype=np.uint8)
tiles = image[:512, :128].reshape(4, 128, 128)
model = SEMClassifier(max_steps=1, random_state=0).fit(tiles, [0, 1, 0, 1])

def work():
    model.defect_map([image])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak memory from /proc")
def test_map_of_4096_x_4096_pixels_needs_less_than_a_gigabyte(benchmark):
    megabytes = benchmark.pedantic(peak_megabytes, args=(PREPARE,), rounds=1)
    benchmark.extra_info.update(megabytes=megabytes)
    assert megabytes < 1000
