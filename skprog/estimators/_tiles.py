"""What classifiers of images share: tiles, their votes, and specimens held out whole."""

from typing import ClassVar

import numpy as np
import torch
from scipy.special import expit, logit, softmax
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import StratifiedGroupKFold

from .._checks import check_images, is_count, is_params, optional
from .._training import augment_images, predict_rows
from ..preprocessing import PatchSelector
from ._labels import check_labels
from ._net_classifier import NetClassifier

BATCH_SIZE = 32
VOTING = ("tiles", "patch_size", "vote", "top_k", "pos_label")


class TileClassifier(NetClassifier):
    """Train nets on images or on all their tiles, which vote on their image.

    A subclass has the parameters ``tiles``, ``patch_size``, ``vote``, ``top_k``, ``pos_label`` and
    ``augment``, and ``module_and_params()``.
    """

    _learnt: ClassVar = {
        "_positive": is_count,
        "_voted_with": is_params,
        "threshold_": optional(lambda value: type(value) is float and 0 < value < 1),
    }

    def check_learnt(self, learnt):
        """Refuse votes without what they go by, or the threshold that they are compared with."""
        if learnt["_voted_with"].keys() != {*VOTING}:
            raise ValueError(f"_voted_with of {type(self).__name__} is not of {', '.join(VOTING)}")
        if self.tiles == "all" and self.vote == "top_k" and "threshold_" not in learnt:
            raise ValueError(f"threshold_ of {type(self).__name__} is missing")

    def _check_groups(self, groups, n_images):
        if np.ndim(groups) != 1:
            raise ValueError(
                f"groups has {np.ndim(groups)} dimensions; give (n_images,) specimens."
            )
        groups = check_labels("groups", groups)
        if len(groups) != n_images:
            raise ValueError(
                f"groups has {len(groups)} specimens but X has {n_images} images; give one per "
                "image."
            )
        if self.validation_fraction is not None and self.validation_fraction > 0.5:
            raise ValueError(
                f"validation_fraction={self.validation_fraction} must be at most 0.5 with groups, "
                "which are held out whole."
            )
        return groups

    def _refuse_other_votes(self):
        for name, fitted in self._voted_with.items():
            value = getattr(self, name)
            if value is not fitted and value != fitted:
                raise ValueError(
                    f"{name}={value!r} but {type(self).__name__} was fitted with "
                    f"{name}={fitted!r}; fit again."
                )

    def _check_cases(self, X, *, reset):
        images = check_images(X)
        shape = images[0].shape
        if self.tiles == "all":
            shape = (int(self.patch_size),) * 2
            check_sizes(images, shape, f"patch_size={self.patch_size}")
        else:
            other = next((image.shape for image in images if image.shape != shape), None)
            if other is not None:
                raise ValueError(
                    f"X has images of {shape} and {other} pixels; cut patches of one size by "
                    "PatchSelector or set tiles='all'."
                )
        if reset:
            if self.augment and shape[0] != shape[1]:
                raise ValueError(
                    f"augment=True turns images by quarters but X has {shape[0]} x {shape[1]} "
                    "pixels; use square ones or augment=False."
                )
            self.shape_in_ = shape
            self.n_features_in_ = shape[0]
        elif shape != self.shape_in_:
            raise ValueError(
                f"X has images of shape {shape} but {type(self).__name__} was fitted on "
                f"{self.shape_in_}; prepare both alike, or set tiles='all' and fit anew."
            )
        array = np.empty(len(images), dtype=object)
        array[:] = images
        return array

    def _fit_checkpoint(self, X, y):
        return super()._fit_checkpoint((X, self._groups), y)

    def _split(self, X, y):
        groups = self.__dict__.pop("_groups", None)
        if groups is None or self.validation_fraction is None:
            train, valid = super()._split(X, y)
        else:
            train, valid = self._split_groups(X, y, groups)
        self._voters = train if valid is None else valid
        return train, valid

    def _split_groups(self, X, y, groups):
        n_groups = len(np.unique(groups))
        if n_groups < 2:
            raise ValueError(
                f"groups has {n_groups} specimen, so that none can be held out; give at least 2 "
                "or set validation_fraction=None."
            )
        most = max(2, min(n_groups, *np.bincount(y)))
        n_splits = int(np.clip(round(1 / self.validation_fraction), 2, most))
        seed = int(torch.randint(2**31, ()))
        splitter = StratifiedGroupKFold(n_splits, shuffle=True, random_state=seed)
        for train, valid in splitter.split(X, y, groups):
            if all(len(np.unique(y[rows])) == len(self.classes_) for rows in (train, valid)):
                return (X[train], y[train]), (X[valid], y[valid])
        raise ValueError(
            "no choice of specimens to hold out leaves all classes on both sides; give more "
            "specimens of each class or set validation_fraction=None."
        )

    def _cases(self, images):
        if self.tiles is None:
            return np.stack(images)
        return np.concatenate([self._cut(image) for image in images])

    def _learn(self, images, y):
        super()._learn(images, self._labels(images, y))

    def _labels(self, images, y):
        """Return the class of each tile, or of each image where they are not cut."""
        if self.tiles is None:
            return y
        size = int(self.patch_size)
        n_tiles = [(image.shape[0] // size) * (image.shape[1] // size) for image in images]
        return np.repeat(y, n_tiles)

    def _cut(self, image):
        """Return all tiles of an image, (n_tiles, patch_size, patch_size)."""
        return PatchSelector(self.patch_size, strategy="all").transform(image[None])[0]

    def _augment(self, module):
        return augment_images if self.augment else None

    def _set_fitted(self):
        super()._set_fitted()
        self._voted_with = {name: getattr(self, name) for name in VOTING}
        images, y = self.__dict__.pop("_voters")
        # Throughout, as they may be sorted by class.
        some = images[np.linspace(0, len(images) - 1, BATCH_SIZE).astype(int)]
        self._check_fitted_nets(
            np.stack(some if self.tiles is None else [self._cut(image)[0] for image in some])
        )
        if self.tiles != "all" or self.vote != "top_k":
            vars(self).pop("threshold_", None)
        elif len(np.unique(y)) == 2:
            self.threshold_ = _best_threshold(self._scores(images), y == self._positive)
        else:
            self.threshold_ = getattr(self, "threshold_", 0.5)

    def _check_fitted_nets(self, tiles):
        """Look at what fitted nets make of some training tiles; a hook."""

    def _vote(self, images):
        """Return the probabilities of the classes, (n_images, n_classes)."""
        if self.tiles is None:
            return self._probabilities(np.stack(images))
        if self.vote == "majority":
            votes = [self._probabilities(self._cut(image)).argmax(axis=1) for image in images]
            return np.stack([np.bincount(v, minlength=len(self.classes_)) / len(v) for v in votes])
        positive = expit(logit(self._scores(images)) - logit(self.threshold_))
        probabilities = np.stack([1 - positive, positive], axis=1)
        return probabilities if self._positive == 1 else probabilities[:, ::-1].copy()

    def _probabilities(self, tiles):
        outputs = (predict_rows(net, tiles, batch_size=BATCH_SIZE) for net in self.nets_)
        return np.mean([softmax(output, axis=1) for output in outputs], axis=0)

    def _scores(self, images):
        """Return the mean of the highest probabilities of the tiles of each image."""
        scores = np.empty(len(images))
        for i, image in enumerate(images):
            positive = self._probabilities(self._cut(image))[:, self._positive]
            scores[i] = np.sort(positive)[-self.top_k :].mean()
        return scores.clip(1e-12, 1 - 1e-12)


def check_sizes(images, shape, bound):
    """Refuse images that are smaller than a shape along one of the axes."""
    for i, image in enumerate(images):
        if image.shape[0] < shape[0] or image.shape[1] < shape[1]:
            raise ValueError(
                f"X[{i}] has shape {image.shape} but {bound} takes at least {shape[0]} x "
                f"{shape[1]} pixels; leave smaller images out."
            )


def _best_threshold(scores, is_positive):
    """Return the threshold of the highest balanced accuracy, between neighbouring scores."""
    ordered = np.unique(scores)
    if len(ordered) == 1:
        return 0.5
    middles = (ordered[1:] + ordered[:-1]) / 2
    accuracies = [balanced_accuracy_score(is_positive, scores > middle) for middle in middles]
    return float(middles[int(np.argmax(accuracies))])
