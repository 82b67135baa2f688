"""Labels of classes, of any type."""

import numpy as np
from sklearn.utils.validation import column_or_1d

from .._checks import check_finite


def check_labels(name, labels):
    """Return labels as a 1-d array, refusing missing ones and those of several types."""
    kinds = {isinstance(label, str) for label in labels} if isinstance(labels, list) else ()
    is_masked = np.ma.is_masked(labels)
    labels = column_or_1d(labels, warn=True)
    if labels.dtype == object:
        kinds = {isinstance(label, str) for label in labels}
    check_finite(labels, name)
    is_missing = labels.dtype.kind in "mM" and np.isnat(labels).any()
    if is_masked or is_missing or (labels.dtype == object and any(map(_is_missing, labels))):
        raise ValueError(f"{name} has missing labels; drop or label such cases first.")
    if len(kinds) > 1:
        raise ValueError(f"{name} mixes text with other labels; give labels of one type.")
    return labels


def _is_missing(label):
    try:
        return label is None or bool(label != label)
    except TypeError:  # pandas.NA neither differs nor agrees
        return True
