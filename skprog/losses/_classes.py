"""Samples of each class, and logits beside classes."""

import numpy as np
import torch


def inverse_frequencies(class_counts):
    """Weigh classes by their inverse frequency, 1 on average over samples; 0 without samples."""
    present = class_counts > 0
    weights = np.zeros(len(class_counts))
    weights[present] = class_counts.sum() / (present.sum() * class_counts[present])
    return weights


def check_batch(logits, y, n_classes=None):
    """Refuse anything but logits (n_samples, n_classes) and as many classes, (n_samples,)."""
    shape = tuple(logits.shape)
    is_wide = len(shape) == 2 and shape[1] >= 2 and n_classes in (None, shape[1])
    if not is_wide or y.shape != shape[:1]:
        raise ValueError(
            f"logits have shape {shape} and y {tuple(y.shape)}; give "
            f"(n_samples, {n_classes or 'n_classes'}) and (n_samples,)."
        )
    if y.dtype != torch.int64:
        raise TypeError(f"y has dtype {y.dtype}; give the classes as int64.")


def check_counts(class_counts):
    """Return the samples of each class as int64, (n_classes,), refusing what is no count."""
    counts = np.asarray(class_counts)
    if counts.ndim != 1 or len(counts) < 2:
        raise ValueError(
            f"class_counts has shape {counts.shape}; give the samples of 2 classes or more."
        )
    if counts.dtype.kind not in "iu" or counts.min() < 0 or counts.sum() == 0:
        raise ValueError(
            f"class_counts={class_counts} must hold integers of at least 0, not all of them 0."
        )
    return counts.astype(np.int64)
