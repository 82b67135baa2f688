from __future__ import annotations

from typing import TYPE_CHECKING

from .._training import forked_generator, lr_range_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike
    from sklearn.base import BaseEstimator

    from .._training import LRRange
    from ..sequences import RunSequences


def lr_range_test(
    estimator: BaseEstimator,
    X: RunSequences | ArrayLike,
    y: ArrayLike,
    *,
    start_lr: float = 1e-7,
    end_lr: float = 10.0,
    n_batches: int | None = None,
    multi_epoch: bool = True,
    weight_decays: Sequence[float] | None = None,
    stop_factor: float = 4.0,
    verbose: int = 0,
) -> LRRange:
    """Train an estimator's network at exponentially rising learning rates [1]_.

    The loss of each batch over its rate shows where learning begins and where it diverges. The
    estimator itself is left as it is; of several networks the first is tested.

    Parameters
    ----------
    estimator : estimator of skprog.estimators or Pipeline
        Estimator that trains a network, or a pipeline that ends in one, whose earlier steps are
        fitted on ``X``.
    X : array-like of shape (n_rows, ...) or RunSequences
        Training data, as for ``fit``; ``validation_fraction`` of them is left out.
    y : array-like of shape (n_rows,)
        Targets, as for ``fit``.
    start_lr, end_lr : float, default=1e-7, 10.0
        First learning rate and the one that would follow the last.
    n_batches : int, default=None
        Learning rates to try, a batch each. None takes 100 or, if there are more, all batches of an
        epoch; with ``multi_epoch=False`` all batches of an epoch.
    multi_epoch : bool, default=True
        Go through the data as often as needed, which small sets ask for; False goes through them
        once.
    weight_decays : sequence of float, default=None
        Weight decays to draw curves for beside the estimator's own, which alone makes the
        suggestions.
    stop_factor : float, default=4.0
        Stop a curve once the smoothed loss exceeds its lowest value so often.
    verbose : int, default=0
        1 shows a progress bar.

    Returns
    -------
    LRRange
        Curve by weight decay, ``lr_min_``, ``lr_max_`` and suggestions.

    Raises
    ------
    TypeError
        If ``estimator`` trains no network.
    ValueError
        If an argument is out of range, the loss diverges or an epoch ends before there are enough
        points for a suggestion, or as for the estimator's ``fit``.

    Warns
    -----
    UserWarning
        If there are fewer than 20 points.

    See Also
    --------
    skprog.plots.LRFinderDisplay : Draws the result.
    skprog.callbacks.AdaptiveCycle : Trains between ``lr_min_`` and ``lr_max_``.

    Notes
    -----
    With ``lr="auto"`` a fit runs the test first, on the same weights and batches for the same
    ``random_state``.

    The paper trains at the rate of the lowest loss itself, which is where the loss begins to
    diverge; ``lr_max_`` is a tenth of it. Callbacks take no part in the test.

    References
    ----------
    .. [1] L. N. Smith, "Cyclical learning rates for training neural networks", WACV 2017.
    .. [2] S. Salimath, F. Bugiotti and S. Wlodarczyk, "Responsible AI: Training deep learning
       model efficiently", section 4.

    Examples
    --------
    A fit with ``lr="auto"`` finds the same rate.

    >>> import numpy as np
    >>> from skprog.estimators import GHLClassifier
    >>> from skprog.model_selection import lr_range_test
    >>> y = np.arange(60) % 3
    >>> X = np.sin(np.outer(1 + y, np.arange(40)) / 3)
    >>> model = GHLClassifier(
    ...     n_filters=(4,), kernel_sizes=(5,), max_epochs=2, device="cpu", random_state=0
    ... )
    >>> lr_max = lr_range_test(model, X, y).lr_max_
    >>> model.set_params(lr="auto").fit(X, y).lr_range_.lr_max_ == lr_max
    True
    """
    # Entered for its lock: threads share torch's generators.
    with forked_generator(0):
        return lr_range_of(
            estimator,
            X,
            y,
            start_lr=start_lr,
            end_lr=end_lr,
            n_batches=n_batches,
            multi_epoch=multi_epoch,
            weight_decays=weight_decays,
            stop_factor=stop_factor,
            verbose=verbose,
        )
