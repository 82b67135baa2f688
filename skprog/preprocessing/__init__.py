"""Transformers of windows, spectrograms, images and remaining useful life.

Those of windows work on each window by itself, on arrays with any leading axes and on
:class:`~skprog.sequences.RunSequences` alike.
"""

from ._accel_rotation import AccelRotation45
from ._band_energies import BandEnergies
from ._frequency_max_pool import FrequencyMaxPool
from ._patch_selector import PatchSelector
from ._rul_index import RULIndex

# Not for users: the inverse of the index for tensors, too.
from ._rul_index import rul_of_index as rul_of_index
from ._welch_spectrogram import WelchSpectrogram

__all__ = [
    "AccelRotation45",
    "BandEnergies",
    "FrequencyMaxPool",
    "PatchSelector",
    "RULIndex",
    "WelchSpectrogram",
]
