"""Images as they are or all their tiles, and how tiles vote on their image."""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit
from sklearn.metrics import balanced_accuracy_score

from ..preprocessing import PatchSelector


@dataclass(frozen=True)
class Tiling:
    """What networks see of images: all tiles of a size in pixels, or with None the images."""

    size: int | None

    def shape_of(self, images):
        """Return the shape of what networks see, refusing images of other sizes."""
        if self.size is not None:
            shape = (self.size, self.size)
            check_sizes(images, shape, f"patch_size={self.size}")
            return shape
        shape = images[0].shape
        other = next((image.shape for image in images if image.shape != shape), None)
        if other is not None:
            raise ValueError(
                f"X has images of {shape} and {other} pixels; cut patches of one size by "
                "PatchSelector or set tiles='all'."
            )
        return shape

    def cut(self, image):
        """Return the tiles of an image, (n_tiles, height, width)."""
        if self.size is None:
            return image[None]
        return PatchSelector(self.size, strategy="all").transform(image[None])[0]

    def rows(self, images):
        """Return the tiles of all images, (n_rows, height, width)."""
        if self.size is None:
            return np.stack(images)
        return np.concatenate([self.cut(image) for image in images])

    def labels(self, images, y):
        """Return the class of each of :meth:`rows`."""
        if self.size is None:
            return y
        n_tiles = [
            (image.shape[0] // self.size) * (image.shape[1] // self.size) for image in images
        ]
        return np.repeat(y, n_tiles)


@dataclass(frozen=True)
class Vote:
    """How the tiles of an image vote, by the probabilities (n_tiles, n_classes) of each image.

    Attributes
    ----------
    kind : {"top_k", "majority"}
        By the ``top_k`` tiles of the highest probability of the class ``positive``, or by all.
    top_k : int
        Tiles that decide.
    positive : int
        Position of the class of defects.
    threshold : float or None
        What the ``top_k`` are compared with, in (0, 1).
    """

    kind: str
    top_k: int
    positive: int
    threshold: float | None = None

    def scores(self, tiles):
        """Return the mean of the highest probabilities of each image, (n_images,)."""
        highest = [np.sort(each[:, self.positive])[-self.top_k :].mean() for each in tiles]
        return np.array(highest).clip(1e-12, 1 - 1e-12)

    def probabilities(self, tiles, n_classes):
        """Return the probabilities of the classes, (n_images, n_classes)."""
        if self.kind == "majority":
            votes = [each.argmax(axis=1) for each in tiles]
            return np.stack([np.bincount(v, minlength=n_classes) / len(v) for v in votes])
        positive = expit(logit(self.scores(tiles)) - logit(self.threshold))
        probabilities = np.stack([1 - positive, positive], axis=1)
        return probabilities if self.positive == 1 else probabilities[:, ::-1].copy()


def check_sizes(images, shape, bound):
    """Refuse images that are smaller than a shape along one of the axes."""
    for i, image in enumerate(images):
        if image.shape[0] < shape[0] or image.shape[1] < shape[1]:
            raise ValueError(
                f"X[{i}] has shape {image.shape} but {bound} takes at least {shape[0]} x "
                f"{shape[1]} pixels; leave smaller images out."
            )


def best_threshold(scores, is_positive):
    """Return the threshold of the highest balanced accuracy, between neighbouring scores."""
    ordered = np.unique(scores)
    if len(ordered) == 1:
        return 0.5
    middles = (ordered[1:] + ordered[:-1]) / 2
    accuracies = [balanced_accuracy_score(is_positive, scores > middle) for middle in middles]
    return float(middles[int(np.argmax(accuracies))])
