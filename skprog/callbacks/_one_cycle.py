from __future__ import annotations

from ._cycle import Cycle


class OneCycle(Cycle):
    """Raise the learning rate and let it fall again, once over a training [1]_.

    The rate of each batch follows from the number of batches trained alone, and is that of
    ``torch.optim.lr_scheduler.OneCycleLR`` with cosines. Momentum, or the first of Adam's betas,
    goes the other way, from 0.95 to 0.85 and back.

    Parameters
    ----------
    lr_max : float or None, default=None
        Highest learning rate; None takes the net's, which with ``lr="auto"`` is that of the range
        test.
    lr_min : float or None, default=None
        Learning rate at the start; None is ``lr_max / 25``.
    lr_final : float or None, default=None
        Learning rate at the end; None is ``lr_min / 1e4``.
    n_updates : int or None, default=None
        Changes of the rate in a training, which is held in between, about so many: it is held for
        round(n_batches / n_updates) batches. None changes it every batch.
    pct_start : float, default=0.3
        Share of the updates in which the rate rises, in (0, 1).
    three_phase : bool, default=False
        Fall to ``lr_min`` as long as the rise took, then to ``lr_final``; takes ``pct_start`` of
        at most 0.5. False falls to ``lr_final`` at once.
    cycle_momentum : bool, default=True
        Let momentum or beta1 go the other way.

    See Also
    --------
    AdaptiveCycle : Lowers the rate where a loss stops falling.
    skprog.plots.LRScheduleDisplay : Draws the rates before or after training.

    Notes
    -----
    Each batch of training in the history gets ``lr`` and ``momentum``, each epoch ``lr``, that of
    its first batch. Groups of parameters whose rate differs from the net's keep their share of
    it; the history has the rate of the net.

    A training that goes on, as in ``partial_fit``, is a cycle of its own over its own batches. A
    cycle of a single update is at its peak, where torch has its end. In a net of skorch a cycle
    is planned for ``max_epochs``, since its callbacks are not told of ``fit(X, y, epochs=...)``.

    References
    ----------
    .. [1] L. N. Smith and N. Topin, "Super-convergence: very fast training of neural networks
       using large learning rates", Artificial Intelligence and Machine Learning for Multi-Domain
       Operations Applications, 2019.

    Examples
    --------
    >>> from skprog.callbacks import OneCycle
    >>> lrs, momenta = OneCycle(lr_max=0.1).schedule(n_batches=100)
    >>> lrs.index(max(lrs)), momenta.index(min(momenta)), lrs[0]
    (29, 29, 0.004)
    """

    def __init__(
        self,
        lr_max: float | None = None,
        *,
        lr_min: float | None = None,
        lr_final: float | None = None,
        n_updates: int | None = None,
        pct_start: float = 0.3,
        three_phase: bool = False,
        cycle_momentum: bool = True,
    ) -> None:
        self.lr_max = lr_max
        self.lr_min = lr_min
        self.lr_final = lr_final
        self.n_updates = n_updates
        self.pct_start = pct_start
        self.three_phase = three_phase
        self.cycle_momentum = cycle_momentum
