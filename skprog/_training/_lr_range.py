"""The core of the learning-rate range test: raise the rate batch by batch, watch the loss."""

from __future__ import annotations

import contextlib
import copy
import itertools
import math
from time import perf_counter

import numpy as np
import torch
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from .._checks import check_integer, check_number, check_option, warn
from ._lr_range_rules import SKIPPED_AT_END, Average, smoothed, suggestions

MIN_BATCHES = 100
FEW_POINTS = 20


class LRRange:
    """Training losses over rising learning rates, and the rates that they suggest [1]_.

    Parameters
    ----------
    raw_curves : dict of float to (lrs, losses)
        For each weight decay the learning rates tried and the loss of each one's batch, arrays of
        shape (n_tried,).
    weight_decay : float
        The one whose curve the suggestions are for.
    n_batches : int
        Learning rates that were to be tried.
    time : float, default=nan
        Seconds that the test took.

    Attributes
    ----------
    curves_ : dict of float to (lrs, losses)
        For each weight decay the learning rates tried and the smoothed losses, arrays of shape
        (n_tried,).
    raw_losses_ : dict of float to ndarray of shape (n_tried,)
        For each weight decay the losses as they were.
    weight_decay_ : float
        Weight decay of the net.
    suggestions_ : dict of str to float
        Learning rates by four rules: "valley", about the middle of the longest fall; "steep",
        where the loss falls fastest, which differs by decades between seeds; "minimum", a tenth
        of the rate of the lowest loss; "slide", before the slope begins to change. NaN where
        the curve has no such place.
    n_batches_ : int
        Learning rates that were to be tried.
    time_ : float
        Seconds that the test took.

    See Also
    --------
    lr_range_test : Makes one of an estimator.
    skprog.plots.LRFinderDisplay : Draws it.

    Notes
    -----
    Smoothing, stopping and the four rules are those of fastai 2.8. Losses are averaged
    exponentially (0.98, bias-corrected); the rules leave out the first tenth and the last 5 points.

    References
    ----------
    .. [1] L. N. Smith, "Cyclical learning rates for training neural networks", WACV 2017.

    Examples
    --------
    The loss is lowest at a rate of 1; a tenth of it is safe from divergence.

    >>> import numpy as np
    >>> from skprog.model_selection import LRRange
    >>> lrs = np.geomspace(1e-5, 10, 61)
    >>> losses = 2 - np.exp(-np.log10(lrs) ** 2) + 100 * np.maximum(lrs - 1, 0)
    >>> result = LRRange({0.0: (lrs, losses)}, 0.0, n_batches=61)
    >>> result
    LRRange(lr_min_=0.004, lr_max_=0.1, n_tried=61, weight_decays=[0.0])
    """

    def __init__(
        self,
        raw_curves: dict[float, tuple[np.ndarray, np.ndarray]],
        weight_decay: float,
        n_batches: int,
        time: float = math.nan,
    ) -> None:
        self.raw_losses_ = {decay: losses for decay, (_, losses) in raw_curves.items()}
        self.curves_ = {decay: (lrs, smoothed(y)) for decay, (lrs, y) in raw_curves.items()}
        self.weight_decay_ = weight_decay
        self.n_batches_ = n_batches
        self.time_ = time
        self.suggestions_ = suggestions(*self.curves_[weight_decay], n_batches)

    @property
    def lr_max_(self) -> float:
        """Highest learning rate to train with, a tenth of that of the lowest loss."""
        lr = self.suggestions_["minimum"]
        if not math.isnan(lr):
            return lr
        lrs, _ = self.curves_[self.weight_decay_]
        tried = f"between lr={lrs[0]:.1e} and {lrs[-1]:.1e}"
        if math.isnan(self.suggestions_["valley"]):
            raise ValueError(f"the range test found no falling loss {tried}; set lr to a number.")
        raise ValueError(
            f"the range test found the lowest loss at the first of the rates {tried}; use a "
            "smaller start_lr or set lr to a number."
        )

    @property
    def lr_lowest_loss_(self) -> float:
        """Learning rate of the lowest loss, ten times ``lr_max_``, at the edge of divergence."""
        return 10 * self.lr_max_

    @property
    def lr_min_(self) -> float:
        """Learning rate to begin and end a cycle with, ``lr_max_`` / 25."""
        return self.lr_max_ / 25

    def __repr__(self):
        lrs, _ = self.curves_[self.weight_decay_]
        if math.isnan(self.suggestions_["minimum"]):
            found = "no falling loss"
        else:
            found = f"lr_min_={self.lr_min_:.2g}, lr_max_={self.lr_max_:.2g}"
        took = "" if math.isnan(self.time_) else f", time_={self.time_:.2g}"
        return (
            f"{type(self).__name__}({found}, n_tried={len(lrs)}, "
            f"weight_decays={list(self.curves_)}{took})"
        )


def lr_range(
    net,
    data,
    *,
    start_lr=1e-7,
    end_lr=10.0,
    n_batches=None,
    multi_epoch=True,
    weight_decays=None,
    stop_factor=4.0,
    verbose=0,
):
    """Train a copy of a net's parts on batches at exponentially rising learning rates [1]_.

    The net, its parts and the random generators of CPU and CUDA are left bit for bit as they
    were. Batches and dropout are the same in each test. Callbacks are not called.

    Parameters
    ----------
    net : TrainingNet
        Initialized net.
    data : object with ``batches``
        Training data.
    start_lr, end_lr : float
        First learning rate and the one that would follow the last.
    n_batches : int, default=None
        Learning rates to try. None takes 100 or, if there are more, all batches of an epoch;
        without ``multi_epoch`` all batches of an epoch.
    multi_epoch : bool, default=True
        Go through the data as often as needed; else once at most.
    weight_decays : sequence of float, default=None
        Weight decays to draw curves for beside the net's own.
    stop_factor : float, default=4.0
        Stop once the smoothed loss exceeds the lowest so often.
    verbose : int, default=0
        1 shows a progress bar.

    Returns
    -------
    LRRange
        Curves and suggestions.

    Raises
    ------
    ValueError
        If an argument is out of range, or there are too few points for a suggestion.

    Warns
    -----
    UserWarning
        If there are fewer than 20 points.

    References
    ----------
    .. [1] L. N. Smith, "Cyclical learning rates for training neural networks", WACV 2017.
    """
    check_number("start_lr", start_lr, above=0)
    check_number("end_lr", end_lr, above=start_lr)
    check_number("stop_factor", stop_factor, above=1)
    check_option("multi_epoch", multi_epoch, (True, False))
    n_batches = _check_n_batches(n_batches, len(net.get_iterator(data, training=True)), multi_epoch)
    own = float(net.optimizer_.param_groups[0].get("weight_decay", 0.0))
    decays = _check_weight_decays(weight_decays, net, own)
    lrs = start_lr * (end_lr / start_lr) ** (np.arange(n_batches) / n_batches)
    began = perf_counter()
    curves = {}
    with _progress_bar(len(decays) * n_batches, verbose) as bar:
        for decay in decays:
            with _trial(net):
                if decay != own:
                    for group in net.optimizer_.param_groups:
                        group["weight_decay"] = decay
                losses = _losses(net, data, lrs, stop_factor, bar)
            curves[decay] = lrs[: len(losses)], losses
            if decay == own:
                _check_n_points(len(losses), n_batches, lrs)
    return LRRange(curves, own, n_batches, perf_counter() - began)


def lr_range_of(estimator, X, y, **params):
    """Run the range test on an estimator that trains a network, or on a pipeline's last step.

    The estimator is left as it is; ``params`` are those of :func:`lr_range`.
    """
    last = estimator
    while isinstance(last, Pipeline):
        last = last.steps[-1][1]
    # Met by attribute, as estimators stand above.
    if isinstance(last, type) or not hasattr(last, "untrained_net"):
        raise TypeError(
            f"the range test takes an estimator of skprog.estimators that trains a network, or a "
            f"Pipeline that ends in one, not {_name(last)}."
        )
    while isinstance(estimator, Pipeline):
        if len(estimator.steps) > 1:
            X = clone(estimator[:-1]).fit_transform(X, y)
        estimator = estimator.steps[-1][1]
    tested = clone(last)
    tested.lr = 1e-3 if tested.lr == "auto" else tested.lr
    tested.verbose = 0
    return lr_range(*tested.untrained_net(X, y), **params)


def _name(estimator):
    is_class = isinstance(estimator, type)
    return f"the class {estimator.__name__}" if is_class else type(estimator).__name__


def _losses(net, data, lrs, stop_factor, bar):
    """Return the loss of a batch at each learning rate, up to divergence."""
    epochs = (net.get_iterator(data, training=True) for _ in itertools.count())
    batches = itertools.chain.from_iterable(epochs)
    losses = []
    average = Average()
    lowest = math.inf
    for lr, batch in zip(lrs, batches, strict=False):
        for group in net.optimizer_.param_groups:
            group["lr"] = lr
        loss = net.train_step(batch)["loss"].item()
        if not math.isfinite(loss):
            break
        losses.append(loss)
        smooth = average.update(loss)
        lowest = min(lowest, smooth)
        bar.update()
        # So written that a negative loss does not stop at once.
        if smooth - lowest > (stop_factor - 1) * abs(lowest):
            break
    return np.array(losses)


@contextlib.contextmanager
def _trial(net):
    """Let a net work on copies of its parts, without callbacks, and undo what it did."""
    parts = [f"{name}_" for name in (*net._modules, *net._criteria, *net._optimizers, "scaler")]
    before = {name: vars(net)[name] for name in parts if name in vars(net)}
    callbacks = net.callbacks_
    try:
        vars(net).update(_copied(before))
        for name in net._modules:
            for part in getattr(net, f"{name}_").modules():
                if hasattr(part, "flatten_parameters"):
                    part.flatten_parameters()
        net.callbacks_ = []
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            # One seed for all, so that curves differ by weight decay alone and a fit finds what
            # a test before it has found.
            torch.manual_seed(0)
            yield
    finally:
        vars(net).update(before)
        net.callbacks_ = callbacks


def _copied(parts):
    """Return copies of parts that know each other, as an optimizer knows the module."""
    memo = {}
    copies = copy.deepcopy(parts, memo)
    for name, part in parts.items():
        if isinstance(part, torch.optim.Optimizer):
            # torch leaves out what an optimizer has beside its state, as LBFGS its parameters.
            rest = {key: vars(part)[key] for key in vars(part).keys() - vars(copies[name]).keys()}
            vars(copies[name]).update(copy.deepcopy(rest, memo))
    return copies


@contextlib.contextmanager
def _progress_bar(total, verbose):
    from tqdm.auto import tqdm

    with tqdm(total=total, desc="lr_range_test", unit="batch", disable=not verbose) as bar:
        yield bar
        # Curves end early where the loss diverges.
        bar.total = bar.n
        bar.refresh()


def _check_n_batches(n_batches, n_per_epoch, multi_epoch):
    """Return the number of learning rates to try."""
    if n_batches is not None:
        check_integer("n_batches", n_batches, minimum=SKIPPED_AT_END + 2)
    if multi_epoch:
        return n_batches or max(MIN_BATCHES, n_per_epoch)
    n_batches = n_batches or n_per_epoch
    needed = _n_needed(n_batches)
    if n_per_epoch < max(needed, n_batches):
        raise ValueError(
            f"an epoch has {n_per_epoch} batches but {max(needed, n_batches)} are needed; use "
            "multi_epoch=True or a smaller batch_size."
        )
    return n_batches


def _check_weight_decays(weight_decays, net, own):
    """Return the net's own weight decay and the others, each once."""
    if weight_decays is None:
        return [own]
    if isinstance(weight_decays, str) or not hasattr(weight_decays, "__iter__"):
        raise TypeError(f"weight_decays={weight_decays!r} must be a sequence of numbers or None.")
    weight_decays = list(weight_decays)
    for decay in weight_decays:
        check_number("weight_decays", decay, minimum=0)
    if any("weight_decay" not in group for group in net.optimizer_.param_groups):
        raise ValueError(
            f"{type(net.optimizer_).__name__} has no weight decay; use weight_decays=None."
        )
    return list(dict.fromkeys([own, *map(float, weight_decays)]))


def _n_needed(n_batches):
    """Return the points that leave two for the rules."""
    return n_batches // 10 + SKIPPED_AT_END + 2


def _check_n_points(n_points, n_batches, lrs):
    if n_points < _n_needed(n_batches):
        raise ValueError(
            f"the loss diverged after {n_points} of {n_batches} batches, at lr={lrs[n_points]:.1e},"
            f" but {_n_needed(n_batches)} are needed; use a smaller start_lr, scale the data or "
            "set lr to a number."
        )
    if n_points < FEW_POINTS:
        warn(
            f"the range test has {n_points} points, and fewer than {FEW_POINTS} make no smooth "
            "curve; raise n_batches or look at the curve before using what it suggests."
        )
