"""How far the gradients of a layer agree, which gradient amplification measures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from .._checks import as_numbers, check_finite, check_option

if TYPE_CHECKING:
    from typing import Literal

    from numpy.typing import ArrayLike

MEASURES = ("G", "G_prime")
# Values whose absolute values are held at a time, 4 MB of them.
CHUNK_SIZE = 2**20


def gradient_measure(gradients: ArrayLike, measure: Literal["G", "G_prime"] = "G") -> float:
    """Compute how far the gradients of a layer point the same way from step to step [1]_.

    1 means that no gradient ever changed its sign, noise alone gives about 1/sqrt(n_steps).

    Parameters
    ----------
    gradients : array-like of shape (n_steps, n_weights)
        Gradient of each weight of the layer in each step of the optimizer.
    measure : {"G", "G_prime"}, default="G"
        "G" divides the sum of the weights' absolute net gradients by that of their absolute
        gradients, "G_prime" takes the mean of the weights' own ratios, 0 for a weight that has no
        gradient.

    Returns
    -------
    float
        Measure in [0, 1]; NaN where no weight has a gradient.

    Raises
    ------
    ValueError
        If ``gradients`` has another rank, is empty or not finite, or ``measure`` is unknown.

    References
    ----------
    .. [1] S. Basodi, K. Pusuluri, X. Xiao and Y. Pan, "Intelligent gradient amplification for
       deep neural networks", arXiv:2305.18445, 2023.

    Examples
    --------
    The first weight goes one way, the second to and fro.

    >>> from skprog.callbacks import gradient_measure
    >>> gradient_measure([[1.0, 3.0], [1.0, -3.0]])
    0.25
    >>> gradient_measure([[1.0, 3.0], [1.0, -3.0]], "G_prime")
    0.5
    """
    check_option("measure", measure, MEASURES)
    gradients = as_numbers("gradients", gradients)
    if gradients.ndim != 2 or not gradients.size:
        raise ValueError(
            f"gradients has shape {gradients.shape}; give (n_steps, n_weights), none of them 0."
        )
    check_finite(gradients, "gradients")
    gradients = torch.from_numpy(gradients)
    return measure_of_sums([gradients.sum(dim=0)], [gradients.abs().sum(dim=0)], measure)


def measure_of_sums(totals, absolutes, measure):
    """Return the measure of a layer from its parameters' sums over the steps.

    Parameters
    ----------
    totals, absolutes : list of Tensor
        Sums of the gradients and of their absolute values, one tensor for each parameter.
    measure : {"G", "G_prime"}
        Measure.

    Returns
    -------
    float
        Measure in [0, 1]; NaN where no weight has a gradient.
    """
    if not any(absolute.any() for absolute in absolutes):
        return float("nan")
    pairs = list(zip(totals, absolutes, strict=True))
    if measure == "G":
        net = sum(float(total.abs().sum()) for total, _ in pairs)
        return net / sum(float(absolute.sum()) for _, absolute in pairs)
    ratios = sum(
        float(total.abs().div_(absolute).nan_to_num_(0.0).sum()) for total, absolute in pairs
    )
    return ratios / sum(total.numel() for total, _ in pairs)


def normalise_measures(measures: ArrayLike) -> np.ndarray:
    """Standardise measures over the layers of a network [1]_.

    Parameters
    ----------
    measures : array-like of shape (n_layers,)
        Measure of each layer.

    Returns
    -------
    ndarray of shape (n_layers,)
        Measures less their mean over their population standard deviation, at most
        sqrt(n_layers - 1); 0 where all are equal.

    Raises
    ------
    ValueError
        If ``measures`` has another rank, is empty or not finite.

    References
    ----------
    .. [1] S. Basodi, K. Pusuluri, X. Xiao and Y. Pan, "Intelligent gradient amplification for
       deep neural networks", arXiv:2305.18445, 2023.

    Examples
    --------
    >>> from skprog.callbacks import normalise_measures
    >>> normalise_measures([0.1, 0.1, 0.1, 0.5]).round(3)
    array([-0.577, -0.577, -0.577,  1.732])
    """
    measures = as_numbers("measures", measures)
    if measures.ndim != 1 or not measures.size:
        raise ValueError(f"measures has shape {measures.shape}; give (n_layers,), at least one.")
    check_finite(measures, "measures")
    deviation = measures.std()
    if deviation <= 1e-12 * abs(measures.mean()):
        return np.zeros(len(measures))
    return (measures - measures.mean()) / deviation


class GradientSums:
    """Sums of the gradients of parameters over steps, and of their absolute values.

    Parameters
    ----------
    parameters : list of Parameter
        Parameters, each once.
    """

    def __init__(self, parameters):
        self.parameters = parameters
        self.totals = [torch.zeros_like(p, dtype=torch.float32) for p in parameters]
        self.absolutes = [torch.zeros_like(total) for total in self.totals]
        self.n_steps = 0
        self.n_left_out = 0

    @torch.no_grad()
    def add(self):
        """Add the gradients of a step, unless one of them is not finite."""
        rows = [i for i, p in enumerate(self.parameters) if p.grad is not None]
        gradients = [self.parameters[i].grad for i in rows]
        if not gradients:
            return
        if any(gradient.is_sparse for gradient in gradients):
            raise ValueError(
                "GradientAmplification measures dense gradients only; use sparse=False in the "
                "embedding or leave it out by layer_types."
            )
        if not torch.stack(torch._foreach_norm(gradients, 1)).sum().isfinite():
            self.n_left_out += 1
            return
        self.n_steps += 1
        torch._foreach_add_([self.totals[i] for i in rows], gradients)
        for sums, parts in _chunks([self.absolutes[i] for i in rows], gradients):
            torch._foreach_add_(sums, torch._foreach_abs(parts))

    def measures(self, layers, measure):
        """Return the measure of each layer, NaN where it has no gradient."""
        place = {id(parameter): i for i, parameter in enumerate(self.parameters)}
        values = []
        for parameters in layers.values():
            rows = [place[id(parameter)] for parameter in parameters]
            sums = ([kind[i] for i in rows] for kind in (self.totals, self.absolutes))
            values.append(measure_of_sums(*sums, measure))
        return np.array(values)


def _chunks(sums, gradients):
    """Yield lists of tensors with at most about CHUNK_SIZE values together."""
    sums_of_chunk, parts, n_values = [], [], 0
    for each, gradient in zip(sums, gradients, strict=True):
        n_pieces = -(-gradient.numel() // CHUNK_SIZE)
        pieces = (each,), (gradient,)
        if n_pieces > 1:
            longest = max(range(gradient.ndim), key=lambda dim: gradient.shape[dim])
            pieces = each.tensor_split(n_pieces, longest), gradient.tensor_split(n_pieces, longest)
        for piece, part in zip(*pieces, strict=True):
            if parts and n_values + part.numel() > CHUNK_SIZE:
                yield sums_of_chunk, parts
                sums_of_chunk, parts, n_values = [], [], 0
            sums_of_chunk.append(piece)
            parts.append(part)
            n_values += part.numel()
    yield sums_of_chunk, parts
