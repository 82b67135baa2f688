"""What a fit does: its settings, rows held out, the skorch net, its batches and predictions."""

from ._augmentation import augment_crops, augment_images, augment_windows
from ._batches import ArrayData, SequenceData, SeriesData, n_batches
from ._device import resolve_device
from ._fitting import (
    FREE_TO_CHANGE,
    Task,
    build_net,
    checkpoint_of,
    continue_nets,
    fit_nets,
)
from ._holding_out import HeldOut, at_random, by_class, by_group, by_run
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
from ._settings import Settings, named_callbacks

__all__ = [
    "AMP_DTYPES",
    "FREE_TO_CHANGE",
    "ArrayData",
    "ClassifierNet",
    "HeldOut",
    "LRRange",
    "SequenceData",
    "SeriesData",
    "Settings",
    "Task",
    "TrainingNet",
    "as_tensor",
    "at_random",
    "augment_crops",
    "augment_images",
    "augment_windows",
    "build_net",
    "by_class",
    "by_group",
    "by_run",
    "checkpoint_of",
    "continue_nets",
    "decode_sequences",
    "draw_seed",
    "encode_windows",
    "evaluating",
    "fit_nets",
    "forked_generator",
    "lr_range",
    "lr_range_of",
    "n_batches",
    "named_callbacks",
    "predict_rows",
    "predict_sequences",
    "resolve_device",
]
