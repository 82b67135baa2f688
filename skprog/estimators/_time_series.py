from __future__ import annotations

import inspect
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from .. import networks
from .._checks import FLOATS, check_finite, check_option, check_rows
from .._training import ArrayData, SeriesData, predict_rows
from ..networks import ScaledSeries
from ._named_networks import check_network_params, network_class, sized_params
from ._net_classifier import NetClassifier
from ._series import (
    as_series,
    check_series,
    ends_in_nan,
    holds_series,
    joined,
    series_lengths,
    without_padding,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike
    from typing import Any, Literal

    from torch import nn

NETWORKS = {
    "bilstm": networks.BiLSTM,
    "convnet2d": networks.ConvNet2d,
    "dcnn": networks.DCNN,
    "dresnet": networks.DResNet,
    "fcn": networks.FCN,
    "inception_time": networks.InceptionTime,
    "lstm": networks.LSTM,
    "lstm_2dcnn": networks.LSTM2dCNN,
    "lstm_fcn": networks.LSTMFCN,
    "resnet": networks.ResNet,
    "xception_time": networks.XceptionTime,
    "xcm": networks.XCM,
}
# Arguments of a network that are filled from the data.
SIZES = ("n_channels", "n_timepoints", "n_classes")


class TimeSeriesClassifier(NetClassifier):
    """Class of a time series, told by one of twelve networks [1]_.

    Series have one or more channels. They may be of unequal length where the network allows it:
    what lies after the end of a series then changes nothing.

    Parameters
    ----------
    network : {"bilstm", "convnet2d", "dcnn", "dresnet", "fcn", "inception_time", "lstm", \
"lstm_2dcnn", "lstm_fcn", "resnet", "xception_time", "xcm"} or class, default="fcn"
        Network, by name or as a class of torch modules from (n_cases, n_channels, n_timepoints) to
        logits (n_cases, n_classes). Of ``n_channels``, ``n_timepoints`` and ``n_classes`` it is
        given those that its constructor names. One whose ``forward`` takes ``lengths=None``, else
        (n_cases,), can be given series of unequal length, which are 0 beyond their ends.
    network_params : dict, default=None
        Further arguments of the network, such as ``{"n_filters": (64, 64, 64)}``; searched as
        ``network__n_filters``.
    n_networks : int, default=1
        Networks trained, whose probabilities are averaged. InceptionTime [2]_ is
        ``network="inception_time", n_networks=5``.
    scale : {"standard", "case"} or None, default="standard"
        "standard" gives each channel a mean of 0 and a standard deviation of 1 over the training
        cases, "case" over each case, None leaves values as they are.
    loss : {"cross_entropy", "mse", "class_cost", "class_balanced", "focal", "ghl"} or class, \
default="cross_entropy"
        Loss, by name or as a torch module. See :class:`GHLClassifier`.
    loss_params : dict, default=None
        Arguments of the loss, searched as ``loss_params__name``. Such is ``{"base": "mse"}``.
    class_weight : dict, "balanced" or None, default=None
        Weight of each class on top of the loss's own; "balanced" weighs by inverse frequency.
    lr : float or "auto", default=1e-3
        Learning rate; "auto" takes a tenth of that of the lowest loss in a learning-rate range
        test.
    momentum : float, default=0.9
        Momentum, where the optimizer has one.
    max_epochs : int, default=100
        Epochs at most.
    batch_size : int, default=16
        Rows per step, at most; batches are of near-equal size. Large sets train faster with 64.
    optimizer : {"adam", "adamw", "sgd"} or class, default="adam"
        Optimizer, by name or as a class of torch.
    weight_decay : float, default=0.0
        Weight decay of the optimizer.
    validation_fraction : float or None, default=None
        Share of the rows held out; the best weights by validation loss are restored. Stratified by
        class.
    early_stopping : bool, default=False
        Stop after ``n_iter_no_change`` epochs without a better validation loss.
    n_iter_no_change : int, default=20
        Patience of early stopping, in epochs.
    shuffle : bool, default=True
        Shuffle the training data in each epoch.
    warm_start : bool, default=False
        Continue from the last fit for ``max_epochs`` more epochs with the same hyperparameters.
    amp : {"bf16", "fp16"} or None, default=None
        Mixed precision. "bf16" halves the time of a step on a CPU that computes in it and
        multiplies it on one that does not.
    callbacks : list of skorch callbacks or (name, callback), default=None
        Callbacks, cloned before use. See :class:`~skprog.callbacks.AdaptiveCycle`.
    net_params : dict, default=None
        Further arguments of :class:`skorch.NeuralNet`, such as ``optimizer__nesterov``;
        ``{"callbacks__best_weights": None}`` keeps the last weights, not the best.
    checkpoint : str, path-like or None, default=None
        File written after each epoch, from which an interrupted fit on the same data resumes.
        Delete it to start anew; raise ``max_epochs`` to train on. Further networks append their
        number to its name (``.1``, ``.2``).
    device : str, default="auto"
        Torch device; "auto" takes CUDA, then MPS, then the CPU.
    verbose : int, default=0
        1 shows a progress bar.
    random_state : int, RandomState or None, default=None
        Seeds weights, shuffling, dropout, augmentation and splits.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Classes.
    nets_ : list of skorch.NeuralNet
        The trained nets.
    net_ : skorch.NeuralNet
        The first of them.
    history_ : skorch.history.History
        Losses of each epoch of the first net.
    n_iter_ : int
        Epochs trained.
    best_epoch_ : int
        Epoch whose weights are kept, counted from 1.
    lr_range_ : LRRange
        Learning-rate range test, with ``lr="auto"``; of several nets each has its own, and this
        is that of the first.
    shape_in_ : tuple of int
        Shape of a case as passed to ``fit``; of series of unequal length that of the longest.
    n_features_in_ : int
        Its first size.
    feature_names_in_ : ndarray of shape (n_timepoints,)
        Names of the columns, when ``X`` was a DataFrame of named columns.

    See Also
    --------
    skprog.callbacks.AdaptiveCycle : The paper's schedule of the learning rate.
    skprog.sktime.SktimeClassifier : The adapter to sktime.

    Notes
    -----
    ``X`` is (n_cases, n_channels, n_timepoints) or, of one channel, (n_cases, n_timepoints). Series
    of unequal length are a list of (n_channels, n_timepoints) or (n_timepoints,), or an array in
    which they end in NaN.

    Networks that take series of unequal length: bilstm, convnet2d, dcnn, dresnet, fcn,
    inception_time, lstm, resnet and xcm.

    References
    ----------
    .. [1] S. Salimath, F. Bugiotti and S. Wlodarczyk, "Responsible AI: Training deep learning model
       efficiently".
    .. [2] H. Ismail Fawaz et al., "InceptionTime: finding AlexNet for time series classification",
       Data Mining and Knowledge Discovery 34, 2020.

    Examples
    --------
    >>> from skprog.datasets import load_ucr
    >>> from skprog.estimators import TimeSeriesClassifier
    >>> data = load_ucr("ItalyPowerDemand")
    >>> model = TimeSeriesClassifier("fcn", max_epochs=20, random_state=0)
    >>> model.fit(data.X_train, data.y_train).score(data.X_test, data.y_test) > 0.9
    True
    """

    def __init__(
        self,
        network: str | type = "fcn",
        *,
        network_params: dict[str, Any] | None = None,
        n_networks: int = 1,
        scale: Literal["standard", "case"] | None = "standard",
        loss: str | type = "cross_entropy",
        loss_params: dict[str, Any] | None = None,
        class_weight: dict[Any, float] | Literal["balanced"] | None = None,
        lr: float | Literal["auto"] = 1e-3,
        momentum: float = 0.9,
        max_epochs: int = 100,
        batch_size: int = 16,
        optimizer: str | type = "adam",
        weight_decay: float = 0.0,
        validation_fraction: float | None = None,
        early_stopping: bool = False,
        n_iter_no_change: int = 20,
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
        self.network = network
        self.network_params = network_params
        self.n_networks = n_networks
        self.scale = scale
        self.loss = loss
        self.loss_params = loss_params
        self.class_weight = class_weight
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

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    @property
    def takes_unequal_lengths(self) -> bool:
        """Whether the network takes series of unequal length."""
        try:
            network = network_class(self.network, NETWORKS)
        except (TypeError, ValueError):  # which fit complains of
            return False
        return "lengths" in inspect.signature(network.forward).parameters

    def check_params(self) -> None:
        """Refuse parameters that are out of range or of the wrong type."""
        super().check_params()
        check_network_params(self.network, self.network_params, NETWORKS, SIZES)
        check_option("scale", self.scale, ("standard", "case", None))
        network = network_class(self.network, NETWORKS)
        lengths = inspect.signature(network.forward).parameters.get("lengths")
        if lengths is not None and lengths.default is not None:
            raise ValueError(
                f"forward of network={network.__name__} takes lengths; give them the default None, "
                "as series of equal length come without."
            )

    def _check_cases(self, X, *, reset):
        is_list = holds_series(X)
        X = joined(X)
        if not reset:
            X = self._as_fitted(X)
            if ends_in_nan(X) or (is_list and self.takes_unequal_lengths):
                return self._check_other_lengths(X)
        X = check_rows(self, X, reset=reset, finite=False)
        if reset:
            self._check_shape(X)
        if not ends_in_nan(X):
            check_finite(X)
            return X
        X = as_series(X)
        lengths = series_lengths(X)
        X = X[:, :, : lengths.max()]
        self._check_lengths(lengths)
        if reset:
            self.shape_in_ = X.shape[1:]
            self.n_features_in_ = X.shape[1]
            vars(self).pop("feature_names_in_", None)
        return X

    def _check_other_lengths(self, X):
        """Return series of lengths of their own, of as many channels as those fitted."""
        n_channels = (1, *self.shape_in_)[-2]
        X = as_series(X)
        if X.ndim != 3 or X.shape[1] != n_channels:
            raise ValueError(
                f"X has shape {X.shape} but {type(self).__name__} was fitted on {n_channels} "
                "channels; give (n_cases, n_channels, n_timepoints)."
            )
        X = X.astype(X.dtype if X.dtype in FLOATS else FLOATS[0], copy=False)
        if ends_in_nan(X):
            lengths = series_lengths(X)
            self._check_lengths(lengths)
            return X[:, :, : lengths.max()]
        check_finite(X)
        return X

    def _check_lengths(self, lengths):
        if lengths.min() < lengths.max() and not self.takes_unequal_lengths:
            raise ValueError(
                f"X has series of {lengths.min()} to {lengths.max()} timepoints, the rest NaN, "
                f"but network={self.network!r} takes series of one length; use another such as "
                "'fcn', or bring them to one length."
            )

    def _as_fitted(self, X):
        """Return series of one channel in the rank of those fitted, others as they are."""
        n_axes = 1 + len(self.shape_in_)
        if n_axes == 3 and hasattr(X, "to_numpy"):
            X = X.to_numpy()
        if not isinstance(X, np.ndarray) or X.ndim not in (2, 3) or X.ndim == n_axes:
            return X
        if X.ndim == 2 and self.shape_in_[0] == 1 and X.dtype.kind in "fiub":
            return as_series(X)
        if X.ndim == 3 and X.shape[1] == 1:
            return X[:, 0]
        raise ValueError(
            f"X has {X.ndim} dimensions but {type(self).__name__} was fitted on {n_axes}, cases of "
            f"shape {self.shape_in_}; prepare both alike."
        )

    def _check_shape(self, X):
        check_series(X, self)

    def _data(self, X, y):
        X = as_series(X)
        if not ends_in_nan(X):
            return ArrayData(X, y)
        X, lengths = without_padding(X)
        return SeriesData(X, y, lengths)

    def _logits(self, X):
        data = self._data(X, None)
        # Maps of so few cases stay in the processor's cache.
        given = {"lengths": data.lengths, "batch_size": 32}
        return [predict_rows(net, data.X, **given) for net in self.nets_]

    def module_and_params(self) -> tuple[type[nn.Module], dict[str, Any]]:
        """Return the class of the network and what it is built with."""
        n_channels, n_timepoints = (1, *self.shape_in_)[-2:]
        network = network_class(self.network, NETWORKS)
        sizes = (n_channels, n_timepoints, len(self.classes_))
        params = sized_params(network, self.network_params, **dict(zip(SIZES, sizes, strict=True)))
        return ScaledSeries, {
            "network": network,
            "n_channels": n_channels,
            "scale": self.scale,
            "params": params,
        }

    def _task(self, train, valid):
        task = super()._task(train, valid)
        if self.scale != "standard":
            return task
        mean, scale = train.moments(by_channel=True)
        return replace(task, buffers={"mean": mean, "scale": scale})
