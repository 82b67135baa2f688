"""Rows held out to validate on: by run, by class, by group or at random.

All draw from torch's generator, which :func:`forked_generator` seeds.
"""

from typing import NamedTuple

import numpy as np
import torch
from sklearn.model_selection import GroupShuffleSplit, ShuffleSplit, StratifiedGroupKFold


class HeldOut(NamedTuple):
    """Rows to train and to validate on, and what is to be known of them.

    Attributes
    ----------
    train, valid : ndarray
        Positions of the rows.
    note : str or None
        What a user is to be warned of.
    """

    train: np.ndarray
    valid: np.ndarray
    note: str | None = None


def at_random(n_rows, fraction, note=None):
    """Hold out a share of the rows."""
    splitter = ShuffleSplit(1, test_size=fraction, random_state=_drawn_seed(2**31 - 1))
    return _held_out(splitter.split(np.empty(n_rows)), note)


def by_run(runs, fraction):
    """Hold out a share of the runs, all rows of each."""
    if len(np.unique(runs)) < 2:
        raise ValueError(
            "validation='run' needs at least 2 runs in X; use validation='random' or "
            "validation_fraction=None."
        )
    splitter = GroupShuffleSplit(1, test_size=fraction, random_state=_drawn_seed(2**31 - 1))
    return _held_out(splitter.split(np.empty(len(runs)), None, runs))


def by_class(y, labels, fraction):
    """Hold out a share of the rows of each class, one at least on each side.

    ``y`` holds positions in ``labels``.
    """
    order = torch.randperm(len(y)).numpy()
    is_valid = np.zeros(len(y), dtype=bool)
    for c, label in enumerate(labels.tolist()):
        members = order[y[order] == c]
        if len(members) == 1:
            raise ValueError(
                f"class {label!r} has 1 case, so that none can be held out; give at least 2 "
                "of each class or set validation_fraction=None."
            )
        # At least one on each side, which StratifiedShuffleSplit does not see to.
        n_valid = np.clip(round(fraction * len(members)), 1, len(members) - 1)
        is_valid[members[:n_valid]] = len(members) > 0
    return HeldOut(np.flatnonzero(~is_valid), np.flatnonzero(is_valid))


def by_group(groups, y, n_classes, fraction):
    """Hold out about a share of the rows, all of a group, with every class on both sides."""
    n_groups = len(np.unique(groups))
    if n_groups < 2:
        raise ValueError(
            f"groups has {n_groups} specimen, so that none can be held out; give at least 2 "
            "or set validation_fraction=None."
        )
    most = max(2, min(n_groups, *np.bincount(y)))
    n_splits = int(np.clip(round(1 / fraction), 2, most))
    splitter = StratifiedGroupKFold(n_splits, shuffle=True, random_state=_drawn_seed(2**31))
    for train, valid in splitter.split(np.empty(len(y)), y, groups):
        if all(len(np.unique(y[rows])) == n_classes for rows in (train, valid)):
            return HeldOut(train, valid)
    raise ValueError(
        "no choice of specimens to hold out leaves all classes on both sides; give more "
        "specimens of each class or set validation_fraction=None."
    )


def _drawn_seed(bound):
    return int(torch.randint(bound, ()))


def _held_out(splits, note=None):
    train, valid = next(splits)
    return HeldOut(np.sort(train), np.sort(valid), note)
