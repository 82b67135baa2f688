"""Labels of classes, of any type, and what a class weighs."""

from numbers import Real

import numpy as np
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.validation import column_or_1d

from .._checks import check_finite, check_option


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


def check_class_weight(class_weight):
    """Refuse anything but weights by class, "balanced" or None."""
    if not isinstance(class_weight, dict | str | None):
        raise TypeError(
            f"class_weight={class_weight!r} must be a dict from class to weight, 'balanced' or "
            "None."
        )
    if not isinstance(class_weight, dict):
        check_option("class_weight", class_weight, (None, "balanced"))
    elif not all(isinstance(w, Real) and 0 <= w < np.inf for w in class_weight.values()):
        raise ValueError(f"class_weight={class_weight} must hold finite numbers of at least 0.")


def class_weights(class_weight, classes, y):
    """Return the weight of each class, (n_classes,), or None; ``y`` holds positions of classes."""
    if isinstance(class_weight, dict):
        unknown = [name for name in class_weight if name not in classes]
        if unknown:
            raise ValueError(f"class_weight names {unknown[0]!r}, which is none of {classes}.")
        # By label as it is: tolist would turn a date of NumPy into one of Python.
        return np.array([class_weight.get(label, 1.0) for label in classes])
    if class_weight is None:
        return None
    present = np.unique(y)
    weights = np.zeros(len(classes))
    weights[present] = compute_class_weight("balanced", classes=present, y=y)
    return weights
