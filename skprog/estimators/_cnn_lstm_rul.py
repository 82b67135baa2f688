from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from sklearn.base import RegressorMixin
from sklearn.utils.validation import check_is_fitted
from skorch.callbacks import LRScheduler

from .._checks import (
    check_integer,
    check_number,
    check_option,
    check_rows,
    is_seconds,
    is_sequences,
    warn,
)
from .._refit import of_one_fit
from .._runs import check_labels
from .._training import SequenceData, at_random, by_run, named_callbacks, predict_sequences
from ..callbacks import ExponentialDecay
from ..losses import PinballLoss
from ..networks import CnnLstm
from ..preprocessing import RULIndex, rul_of_index
from ._modules import RULModule
from ._net_estimator import NetEstimator

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike
    from typing import Any, Literal, Self

    from numpy.typing import ArrayLike
    from torch import nn

    from ..sequences import RunSequences


class CnnLstmRUL(RegressorMixin, NetEstimator):
    """Remaining useful life from sequences of spectrograms by a CNN and an LSTM [1]_.

    Each channel of a sequence is a sample of its own with the same target; predictions average
    the channels. Inputs are standardised per frequency with the mean and the standard deviation
    of the training windows. The defaults are the paper's model A.

    Parameters
    ----------
    target : {"rul_index", "linear"}, default="rul_index"
        What the network learns: the RUL index, or RUL over the maximum expected life, both
        inverted by ``predict``.
    max_life : float or None, default=None
        Maximum expected life in s; None takes the largest RUL given to ``fit``.
    max_rul : float or None, default=None
        Cap of the RUL learnt, in s: further from failure all is alike.
    quantile : float or None, default=None
        Learn this quantile of the RUL, in (0, 1), by the pinball loss; None learns the mean of the
        target by the squared error. Below 0.5 predictions err to the early side, as does the cost
        of failures. With several channels it is the mean of their quantiles.
    n_conv_layers : int, default=2
        Convolutional layers, at most as many as the three tuples below have entries.
    n_filters : tuple of int, default=(4, 8, 8)
        Filters of each convolutional layer.
    kernel_sizes : tuple of (int, int), default=((5, 4), (6, 3), (3, 3))
        Kernel of each convolutional layer, in frequency bins and segments.
    strides : tuple of (int, int), default=((1, 2), (1, 1), (1, 1))
        Stride of each convolutional layer.
    pool_size : (int, int) or None, default=(2, 2)
        Max-pooling after each convolutional layer, or none.
    padding : {"valid", "same"}, default="valid"
        Padding of the convolutions.
    lstm_units : int, default=112
        Units of the LSTM.
    dense_units : tuple of int, default=(112, 16)
        Units of the dense layers before the output.
    dropout : float, default=0.0
        Share of units dropped after the LSTM and each dense layer, in [0, 1).
    lr_decay : float, default=0.8
        Learning rate of an epoch over that of the one before, in (0, 1]; 1 leaves the rate to
        callbacks such as schedulers.
    chunk_length : int, default=16
        Consecutive sequences of a run that enter a training batch together. They share most of
        their windows, which are encoded once, so that longer chunks train faster while batches
        become less varied; 1 is plain shuffling. Stacked arrays share nothing.
    validation : {"run", "random"}, default="run"
        Hold out whole runs, or sequences at random. The latter share most windows with the
        training sequences, which is why it warns: its loss says little about unseen runs. Rows of
        a stacked array know no runs and are held out at random, with the same warning.
    lr : float or "auto", default=8.64e-4
        Learning rate; "auto" takes a tenth of that of the lowest loss in a learning-rate range
        test.
    momentum : float, default=0.9
        Momentum, where the optimizer has one.
    max_epochs : int, default=25
        Epochs at most.
    batch_size : int, default=64
        Rows per step, at most; batches are of near-equal size. Rows are sequences, of which each
        channel counts as one.
    optimizer : {"adam", "adamw", "sgd"} or class, default="adam"
        Optimizer, by name or as a class of torch.
    weight_decay : float, default=0.0
        Weight decay of the optimizer.
    validation_fraction : float or None, default=None
        Share of the rows held out; the best weights by validation loss are restored. See
        ``validation``.
    early_stopping : bool, default=False
        Stop after ``n_iter_no_change`` epochs without a better validation loss.
    n_iter_no_change : int, default=10
        Patience of early stopping, in epochs.
    shuffle : bool, default=True
        Shuffle the training data in each epoch.
    warm_start : bool, default=False
        Continue from the last fit for ``max_epochs`` more epochs with the same hyperparameters.
    amp : {"bf16", "fp16"} or None, default=None
        Mixed precision.
    callbacks : list of skorch callbacks or (name, callback), default=None
        Callbacks, cloned before use.
    net_params : dict, default=None
        Further arguments of :class:`skorch.NeuralNet`, such as ``optimizer__nesterov``;
        ``{"callbacks__best_weights": None}`` keeps the last weights, not the best.
    checkpoint : str, path-like or None, default=None
        File written after each epoch, from which an interrupted fit on the same data resumes.
        Delete it to start anew; raise ``max_epochs`` to train on.
    device : str, default="auto"
        Torch device; "auto" takes CUDA, then MPS, then the CPU.
    verbose : int, default=0
        1 shows a progress bar.
    random_state : int, RandomState or None, default=None
        Seeds weights, shuffling, dropout, augmentation and splits.

    Attributes
    ----------
    net_ : skorch.NeuralNet
        The trained net, for ``net_.module_``, ``net_.history`` and the like; it does not predict
        by itself.
    history_ : skorch.history.History
        Losses and learning rate of each epoch.
    n_iter_ : int
        Epochs trained.
    best_epoch_ : int
        Epoch whose weights are kept, counted from 1.
    lr_range_ : LRRange
        Learning-rate range test, with ``lr="auto"``.
    max_life_ : float
        Maximum expected life in s; predictions lie in ``[0, max_life_]``.
    shape_in_ : tuple of int
        Shape of a sequence, (n_steps, ...).
    n_features_in_ : int
        Steps of a sequence.
    feature_names_in_ : ndarray of shape (n_steps,)
        Names of the columns, when ``X`` was a DataFrame of named columns.

    Notes
    -----
    ``X`` is a :class:`~skprog.sequences.RunSequences` or the stacked array: 5-d (n_sequences,
    n_steps, n_channels, n_freqs, n_segments); 4-d for one channel; 3-d for vectors of features
    (n_sequences, n_steps, n_features) and 2-d for a scalar health indicator, both without
    convolutions.

    ``score`` is R². On unseen runs it is often negative: lives of like bearings differ so much
    that the mean RUL of the test rows, which nobody knows beforehand, predicts better. Compare
    with :class:`DummyRUL` and use the scorers of :mod:`skprog.metrics`.

    The paper leaves open how inputs are scaled, trains in float16 for 70 to 90 epochs and
    validates on random sequences. Here inputs are standardised, computed in float32 and validated
    by run, and 25 epochs suffice: the learning rate is then below 1 % of its start.

    In RunSequences each window counts once for mean and standard deviation, in a stacked array as
    often as it is repeated.

    References
    ----------
    .. [1] R. Cosin, L. S. F. Ribeiro and K. Castelo Branco, "Bearing failure prognostics using
       recurrent neural networks: a spectral data based architecture", SIBGRAPI 2023.

    Examples
    --------
    >>> import numpy as np
    >>> from skprog.estimators import CnnLstmRUL
    >>> indicator = np.linspace(0, 1, 40)[:, None] + np.zeros(8)
    >>> rul = np.arange(40.0)[::-1]
    >>> model = CnnLstmRUL(lr=1e-2, lr_decay=1.0, max_epochs=40, random_state=0)
    >>> model.fit(indicator, rul).predict(indicator[[0, -1]]).round(-1)
    array([40.,  0.])
    """

    _learnt: ClassVar = {
        "max_life_": is_seconds,
        "_index": lambda value: type(value) is RULIndex,
        "_target": lambda value: value in ("rul_index", "linear"),
    }

    def __init__(
        self,
        *,
        target: Literal["rul_index", "linear"] = "rul_index",
        max_life: float | None = None,
        max_rul: float | None = None,
        quantile: float | None = None,
        n_conv_layers: int = 2,
        n_filters: Sequence[int] = (4, 8, 8),
        kernel_sizes: Sequence[Sequence[int]] = ((5, 4), (6, 3), (3, 3)),
        strides: Sequence[Sequence[int]] = ((1, 2), (1, 1), (1, 1)),
        pool_size: Sequence[int] | None = (2, 2),
        padding: Literal["valid", "same"] = "valid",
        lstm_units: int = 112,
        dense_units: Sequence[int] = (112, 16),
        dropout: float = 0.0,
        lr_decay: float = 0.8,
        chunk_length: int = 16,
        validation: Literal["run", "random"] = "run",
        lr: float | Literal["auto"] = 8.64e-4,
        momentum: float = 0.9,
        max_epochs: int = 25,
        batch_size: int = 64,
        optimizer: str | type = "adam",
        weight_decay: float = 0.0,
        validation_fraction: float | None = None,
        early_stopping: bool = False,
        n_iter_no_change: int = 10,
        shuffle: bool = True,
        warm_start: bool = False,
        amp: Literal["bf16", "fp16"] | None = None,
        callbacks: Sequence[Any] | None = None,
        net_params: dict[str, Any] | None = None,
        checkpoint: str | PathLike[str] | None = None,
        device: str = "auto",
        verbose: int = 0,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.target = target
        self.max_life = max_life
        self.max_rul = max_rul
        self.quantile = quantile
        self.n_conv_layers = n_conv_layers
        self.n_filters = n_filters
        self.kernel_sizes = kernel_sizes
        self.strides = strides
        self.pool_size = pool_size
        self.padding = padding
        self.lstm_units = lstm_units
        self.dense_units = dense_units
        self.dropout = dropout
        self.lr_decay = lr_decay
        self.chunk_length = chunk_length
        self.validation = validation
        self.lr = lr
        self.momentum = momentum
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.weight_decay = weight_decay
        self.validation_fraction = validation_fraction
        self.early_stopping = early_stopping
        self.n_iter_no_change = n_iter_no_change
        self.shuffle = shuffle
        self.warm_start = warm_start
        self.amp = amp
        self.callbacks = callbacks
        self.net_params = net_params
        self.checkpoint = checkpoint
        self.device = device
        self.verbose = verbose
        self.random_state = random_state

    def fit(self, X: RunSequences | ArrayLike, y: ArrayLike) -> Self:
        """Train the network.

        Parameters
        ----------
        X : RunSequences or array-like of 2 to 5 dimensions
            Sequences, see Notes of the class.
        y : array-like of shape (n_sequences,)
            RUL in s at the last window of each sequence.

        Returns
        -------
        self
            The estimator, fitted.

        Raises
        ------
        ValueError
            If a hyperparameter is out of range, ``X`` or ``y`` is empty, of a wrong shape or not
            finite, a RUL is negative or 0 throughout, the windows are too small for the
            convolutions, fewer than 2 runs are there to hold one out, the loss diverges, or the
            checkpoint is damaged or of another fit. What was fitted before stays.
        TypeError
            If a hyperparameter has the wrong type.

        Warns
        -----
        UserWarning
            If sequences are held out at random, a 4-d array looks like windows of several
            channels, or RUL exceeds ``max_life_`` where training goes on.
        """
        return self._fit(X, y)

    @of_one_fit
    def predict(self, X: RunSequences | ArrayLike) -> np.ndarray:
        """Predict the RUL.

        Parameters
        ----------
        X : RunSequences or array-like of 2 to 5 dimensions
            Sequences of the shape fitted.

        Returns
        -------
        ndarray of shape (n_sequences,)
            RUL in s, in ``[0, max_life_]``, the mean over channels.

        Raises
        ------
        ValueError
            If sequences have another shape than in ``fit``, are empty, or hold NaN or infinity, or
            values that make the network's output so.
        """
        return self.predict_channels(X).mean(axis=0)

    @of_one_fit
    def predict_channels(self, X: RunSequences | ArrayLike) -> np.ndarray:
        """Predict the RUL from each channel by itself.

        Parameters
        ----------
        X : RunSequences or array-like of 2 to 5 dimensions
            Sequences of the shape fitted.

        Returns
        -------
        ndarray of shape (n_channels, n_sequences)
            RUL in s, in ``[0, max_life_]``.

        Raises
        ------
        ValueError
            If sequences have another shape than in ``fit``, are empty, or hold NaN or infinity, or
            values that make the network's output so.
        """
        check_is_fitted(self)
        X = check_rows(self, X, reset=False)
        if is_sequences(X):
            # Windows that no row uses need no encoding.
            X = X.map(np.asarray)
        windows, index, _ = _distinct(X)
        outputs = predict_sequences(self.net_, SequenceData(windows, index))
        return self.seconds(outputs)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.target_tags.positive_only = True
        return tags

    def check_params(self) -> None:
        """Refuse parameters that are out of range or of the wrong type."""
        super().check_params()
        check_option("target", self.target, ("rul_index", "linear"))
        check_option("validation", self.validation, ("run", "random"))
        check_integer("n_conv_layers", self.n_conv_layers, minimum=0)
        check_integer("lstm_units", self.lstm_units)
        check_integer("chunk_length", self.chunk_length)
        check_number("dropout", self.dropout, minimum=0, below=1)
        for name in ("max_life", "max_rul"):
            if getattr(self, name) is not None:
                check_number(name, getattr(self, name), above=0)
        if self.quantile is not None:
            check_number("quantile", self.quantile, above=0, below=1)
        check_number("lr_decay", self.lr_decay, above=0, maximum=1)
        schedules = [
            type(callback).__name__
            for _, callback in named_callbacks(self.callbacks)
            if isinstance(callback, LRScheduler) or getattr(callback, "sets_learning_rate", False)
        ]
        if schedules and self.lr_decay != 1:
            raise ValueError(
                f"lr_decay={self.lr_decay} would overwrite the rates of {schedules[0]}; set "
                "lr_decay=1.0."
            )

    def _check_fit(self, X, y, reset):
        X = check_rows(self, X, reset=reset)
        if len(X.shape) > 5:
            raise ValueError(f"X has {len(X.shape)} dimensions; sequences have 2 to 5.")
        if not is_sequences(X) and X.ndim == 4 and X.shape[1] <= 3:
            warn(
                f"X of shape {X.shape} is read as {X.shape[1]} steps of one channel; for windows "
                f"of {X.shape[1]} channels pass RunSequences.from_runs(windows, runs)."
            )
        y = check_labels(X, y)
        if reset:
            self.shape_in_ = X.shape[1:]
            self._index = RULIndex(max_life=self.max_life).fit(y)
            self.max_life_ = self._index.max_life_
            self._target = self.target
        elif y.max() > self.max_life_:
            warn(
                f"RUL up to {y.max()} s is cut to max_life_={self.max_life_} s of the first fit; "
                "give max_life before it."
            )
        return X, y, None

    def _hold_out(self, X, y, groups):
        runs = X.runs if is_sequences(X) else None
        if runs is not None and self.validation == "run":
            return by_run(runs, self.validation_fraction)
        note = (
            "sequences are held out at random, because "
            f"{'X knows no runs' if self.validation == 'run' else 'validation=random'}; they share "
            "windows with the training sequences, so that their loss says little about unseen "
            "runs. Pass RunSequences and validation='run'."
        )
        is_asked_for = runs is None and self.validation == "random"
        return at_random(len(y), self.validation_fraction, None if is_asked_for else note)

    def _data(self, X, y):
        windows, index, runs = _distinct(X)
        y = np.minimum(y, min(self.max_life_, self.max_rul or np.inf))
        is_index = self._target == "rul_index"
        target = self._index.transform(y) if is_index else y / self.max_life_
        return SequenceData(
            windows,
            index,
            target.astype(np.float32),
            runs=runs,
            chunk_length=1 if runs is None else self.chunk_length,
        )

    def seconds(self, outputs: np.ndarray) -> np.ndarray:
        """Return RUL in s of the network's outputs, refusing NaN and infinity."""
        is_finite = np.isfinite(outputs).all(axis=0)
        if not is_finite.all():
            raise ValueError(
                f"the network's output is NaN or infinite for {np.sum(~is_finite)} of "
                f"{len(is_finite)} sequences, first for sequence {is_finite.argmin()}; scale down "
                "what these hold, or fit again where it is so for all."
            )
        if self._target == "rul_index":
            return rul_of_index(outputs, w=float(self._index.w), max_life=self.max_life_)
        return np.clip(outputs, 0, 1) * self.max_life_

    @of_one_fit
    def to_module(self) -> nn.Module:
        """Return a torch module from sequences (n_sequences, n_steps, ...) to RUL in s."""
        n_steps = self.shape_in_[0]
        index = None if self._target == "linear" else self._index
        return RULModule(
            copy.deepcopy(self.net_.module_),
            shape_in=(n_steps, *_network_shape(self.shape_in_)),
            w=None if index is None else float(index.w),
            max_life=self.max_life_,
        )

    def by_channel(self, windows: np.ndarray) -> np.ndarray:
        """Return windows of a sequence as the network takes them, (n_windows, n_channels, ...)."""
        return windows.reshape(len(windows), -1, *_network_shape(self.shape_in_))

    def module_and_params(self) -> tuple[type[nn.Module], dict[str, Any]]:
        """Return the class of the network and what it is built with."""
        geometry = (
            "n_conv_layers",
            "n_filters",
            "kernel_sizes",
            "strides",
            "pool_size",
            "padding",
            "lstm_units",
            "dense_units",
            "dropout",
        )
        params = {name: getattr(self, name) for name in geometry}
        return CnnLstm, {"window_shape": _network_shape(self.shape_in_), **params}

    def _criterion(self, train):
        if self.quantile is None:
            return torch.nn.MSELoss, {}
        # The RUL index falls as the RUL rises.
        is_index = self._target == "rul_index"
        return PinballLoss, {"quantile": 1 - self.quantile if is_index else self.quantile}

    def _own_callbacks(self):
        return [("lr_decay", ExponentialDecay(self.lr_decay))]

    def _task(self, train, valid):
        mean, scale = train.moments()
        return replace(super()._task(train, valid), buffers={"mean": mean, "scale": scale})


def _network_shape(shape_in):
    """Return the window shape of the network for sequences (n_steps, ...)."""
    window_shape = shape_in[1:]
    return window_shape[-2:] if len(window_shape) > 1 else window_shape or (1,)


def _distinct(X):
    """Return windows (n_windows, n_channels, *network_shape), index and runs of sequences."""
    shape = _network_shape(X.shape[1:])
    if is_sequences(X):
        return X.windows.reshape(len(X.windows), -1, *shape), X.index, X.runs
    index = np.arange(X.shape[0] * X.shape[1]).reshape(X.shape[:2])
    return X.reshape(index.size, -1, *shape), index, None
