"""What a fit does: the skorch net, its batches, its predictions, its randomness, its rate."""

from ._augmentation import augment_crops, augment_images, augment_windows
from ._batches import ArrayData, SequenceData, SeriesData, n_batches
from ._device import resolve_device
from ._lr_range import LRRange, lr_range, lr_range_of
from ._net import AMP_DTYPES, ClassifierNet, TrainingNet
from ._prediction import (
    as_tensor,
    decode_sequences,
    encode_windows,
    evaluating,
    predict_rows,
    predict_sequences,
)
from ._randomness import draw_seed, forked_generator

__all__ = [
    "AMP_DTYPES",
    "ArrayData",
    "ClassifierNet",
    "LRRange",
    "SequenceData",
    "SeriesData",
    "TrainingNet",
    "as_tensor",
    "augment_crops",
    "augment_images",
    "augment_windows",
    "decode_sequences",
    "draw_seed",
    "encode_windows",
    "evaluating",
    "forked_generator",
    "lr_range",
    "lr_range_of",
    "n_batches",
    "predict_rows",
    "predict_sequences",
    "resolve_device",
]
