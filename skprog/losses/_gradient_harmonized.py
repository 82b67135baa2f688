from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from .._checks import check_number, check_option
from ._classes import check_batch, inverse_frequencies
from ._classification import ClassificationLoss
from ._gradient_density import class_thresholds, gradient_density, gradient_directions, project

if TYPE_CHECKING:
    from typing import Literal

    from numpy.typing import ArrayLike


class GradientHarmonizedLoss(ClassificationLoss):
    """Loss of each sample divided by how many of its class have a similar gradient [1]_.

    The gradient density of a sample is the number of samples of its class, itself included, whose
    gradient makes an angle of at most a threshold with its own. The threshold of a class grows
    with its share of the samples and falls while training converges; see
    :func:`class_thresholds`. Classes no larger than the average have threshold 0 and keep their
    weight of 1, so that a balanced set has the plain loss.

    Parameters
    ----------
    class_counts : array-like of int of shape (n_classes,)
        Samples of each class in the whole training set.
    alpha : float, default=1.0
        Scale of the thresholds in rad, at least 0; 0 gives the plain loss.
    base : {"cross_entropy", "mse", "rmse"}, default="cross_entropy"
        Loss of a sample.
    projection : {"2d"} or None, default=None
        None compares whole gradients. "2d" is the paper's faster variant, which compares their
        projections onto the plane of e0 - e1 and e0 - e2; with more than 3 classes angles
        change.
    scope : {"batch", "epoch"}, default="batch"
        Count within the batch, or scale the batch's counts up to the whole class, but to no more
        than the class's samples over the median class's.
    annealing : {"complement", "per_class", "f1"} or None, default="complement"
        Factor of the thresholds, from the F1-scores given to :meth:`anneal`: 1 - macro F1,
        1 - F1 of each class, macro F1 as the paper's text has it, or always 1. It is 1 until
        :meth:`anneal` is called.
    drop : bool, default=False
        Keep a sample at weight 1 with a probability of 1 over its density, else leave it out,
        instead of weighing it.
    class_weight : array-like of shape (n_classes,), default=None
        Further weight of each class.

    Attributes
    ----------
    annealing_factor : ndarray of shape (n_classes,)
        Factor of each class's threshold.

    See Also
    --------
    skprog.callbacks.F1Annealing : Calls :meth:`anneal` after each epoch.

    Notes
    -----
    The paper's equations leave minority classes with a negative threshold and hence a division by
    zero; thresholds are clamped at 0 here and a sample always counts itself. The paper has the
    annealing factor both rise (equation 13) and fall (its text) with the F1-score; the
    default falls. Gradients are those of cross-entropy with respect to the logits without their
    length, in which the mean squared error's can vanish; see :func:`gradient_directions`.

    References
    ----------
    .. [1] Z. Ren, W. Su, T. Lin, R. Zhang, Y. Zhu, K. Yan and J. Hong, "Gradient harmonized loss:
       Improving the performance of intelligent diagnosis models in large imbalance scenarios",
       ICPHM 2022.

    Examples
    --------
    Three samples of the majority with one gradient share one weight.

    >>> import torch
    >>> from skprog.losses import GradientHarmonizedLoss
    >>> loss = GradientHarmonizedLoss([30, 1, 1])
    >>> loss.sample_weights(torch.zeros(4, 3), torch.tensor([0, 0, 0, 1]))
    tensor([0.3333, 0.3333, 0.3333, 1.0000])
    """

    def __init__(
        self,
        class_counts: ArrayLike,
        *,
        alpha: float = 1.0,
        base: Literal["cross_entropy", "mse", "rmse"] = "cross_entropy",
        projection: Literal["2d"] | None = None,
        scope: Literal["batch", "epoch"] = "batch",
        annealing: Literal["complement", "per_class", "f1"] | None = "complement",
        drop: bool = False,
        class_weight: ArrayLike | None = None,
    ) -> None:
        super().__init__(class_counts, base=base, class_weight=class_weight)
        check_number("alpha", alpha, minimum=0)
        check_option("projection", projection, (None, "2d"))
        check_option("scope", scope, ("batch", "epoch"))
        check_option("annealing", annealing, ("complement", "per_class", "f1", None))
        check_option("drop", drop, (True, False))
        if projection == "2d" and len(self.class_counts) < 3:
            raise ValueError("projection='2d' needs at least 3 classes; use projection=None.")
        self.alpha = alpha
        self.projection = projection
        self.scope = scope
        self.annealing = annealing
        self.drop = drop
        self.annealing_factor = np.ones(len(self.class_counts))

    def anneal(self, f1_scores: ArrayLike) -> np.ndarray:
        """Set the annealing factor from the F1-scores of the epoch before.

        Parameters
        ----------
        f1_scores : array-like of shape (n_classes,)
            F1-score of each class on the training samples, in [0, 1].

        Returns
        -------
        ndarray of shape (n_classes,)
            The factor of each class.

        Raises
        ------
        ValueError
            If there is not one score per class or one lies outside [0, 1].
        """
        f1_scores = np.asarray(f1_scores, dtype=np.float64)
        if f1_scores.shape != self.class_counts.shape:
            raise ValueError(
                f"f1_scores has shape {f1_scores.shape}; give one per class, "
                f"({len(self.class_counts)},)."
            )
        if not ((f1_scores >= 0) & (f1_scores <= 1)).all():
            raise ValueError(f"f1_scores={f1_scores} must lie in [0, 1].")
        macro = f1_scores[self.class_counts > 0].mean()
        factors = {"complement": 1 - macro, "per_class": 1 - f1_scores, "f1": macro, None: 1.0}
        self.annealing_factor = np.full(len(f1_scores), factors[self.annealing])
        return self.annealing_factor

    @torch.no_grad()
    def density(self, logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Count the samples of the same class with a similar gradient, as the scope has it.

        Parameters
        ----------
        logits : Tensor of shape (n_samples, n_classes)
            Outputs of the network.
        y : Tensor of shape (n_samples,)
            Class of each sample.

        Returns
        -------
        Tensor of shape (n_samples,)
            Gradient densities of at least 1, which are 1 in a class of threshold 0.

        Raises
        ------
        ValueError
            If ``logits`` and ``y`` have other shapes, or a logit is not finite.
        TypeError
            If ``y`` is not of type int64.
        """
        check_batch(logits, y, len(self.class_counts))
        thresholds = class_thresholds(self.class_counts, self.alpha, self.annealing_factor)
        density = torch.ones(len(y), dtype=logits.dtype, device=logits.device)
        for c in np.flatnonzero(thresholds):
            members = y == int(c)
            n_members = int(members.sum())
            if n_members < 2:
                continue
            directions = gradient_directions(logits[members], y[members])
            if self.projection == "2d":
                directions = project(directions)
            counts = torch.as_tensor(gradient_density(directions, thresholds[c])).to(density)
            if self.scope == "epoch":
                counts = self._scale_to_class(counts, n_members, c)
            density[members] = counts
        return density

    def _scale_to_class(self, counts, n_members, c):
        n_class = self.class_counts[c]
        cap = n_class / np.median(self.class_counts[self.class_counts > 0])
        scaled = 1 + (counts - 1) * max((n_class - 1) / (n_members - 1), 1)
        return scaled.clamp_max(max(cap, 1))

    @torch.no_grad()
    def sample_weights(self, logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor | float:
        """Weigh each sample by 1 over its density, or keep it so often at weight 1.

        In evaluation mode all classes weigh alike, as in :class:`ClassCostLoss`. The loss of
        held-out samples then compares between epochs, and falls while rare classes are learnt.

        Parameters
        ----------
        logits : Tensor of shape (n_samples, n_classes)
            Outputs of the network.
        y : Tensor of shape (n_samples,)
            Class of each sample.

        Returns
        -------
        Tensor of shape (n_samples,) or float
            Weights.
        """
        if not self.training:
            return torch.from_numpy(inverse_frequencies(self.class_counts)).to(logits)[y]
        density = self.density(logits, y)
        if self.drop:
            return (torch.rand_like(density) * density < 1).to(density.dtype)
        return 1 / density
