from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch

from .. import networks
from .._checks import FLOATS, check_option, check_rows
from .._training import augment_crops, predict_rows
from ..networks import ScaledImages
from ._named_networks import check_network_params, network_class, sized_params
from ._net_classifier import NetClassifier

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike
    from typing import Any, Literal

    from torch import nn

NETWORKS = {
    "resnet18": networks.ResNet18,
    "resnet34": networks.ResNet34,
    "resnet50": networks.ResNet50,
    "resnet101": networks.ResNet101,
    "vgg19": networks.VGG19,
}
# Arguments of a network that are filled from the data.
SIZES = ("n_channels", "n_classes")
# A last axis of so few is one of channels.
MAX_COLOURS = 4


class ImageClassifier(NetClassifier):
    """Class of an image, told by a residual network [1]_, VGG-19 [2]_ or one of your own.

    The defaults are the usual training for CIFAR: crops and flips at random, and gradient descent
    with momentum.

    Parameters
    ----------
    network : {"resnet18", "resnet34", "resnet50", "resnet101", "vgg19"} or class, \
default="resnet18"
        Network, by name or as a class of torch modules from (n_images, n_channels, height, width)
        to logits (n_images, n_classes). Of ``n_channels`` and ``n_classes`` it is given those that
        its constructor names.
    network_params : dict, default=None
        Further arguments of the network, such as ``{"width": 16}``; searched as
        ``network__width``.
    augment : bool, default=True
        Move the images of each training batch at random by up to 4 pixels in a frame of each
        channel's mean, of zeros with ``scale=None``, and flip each from left to right with a
        probability of 1/2.
    scale : {"standard"} or None, default="standard"
        "standard" gives each channel a mean of 0 and a standard deviation of 1 over the training
        images, None leaves values as they are.
    n_networks : int, default=1
        Networks trained, whose probabilities are averaged.
    loss : {"cross_entropy", "mse", "class_cost", "class_balanced", "focal", "ghl"} or class, \
default="cross_entropy"
        Loss, by name or as a torch module. See :class:`GHLClassifier`.
    loss_params : dict, default=None
        Arguments of the loss, searched as ``loss_params__name``. Such is ``{"base": "mse"}``.
    class_weight : dict, "balanced" or None, default=None
        Weight of each class on top of the loss's own; "balanced" weighs by inverse frequency.
    lr : float or "auto", default=0.1
        Learning rate; "auto" takes a tenth of that of the lowest loss in a learning-rate range
        test.
    momentum : float, default=0.9
        Momentum, where the optimizer has one.
    max_epochs : int, default=150
        Epochs at most.
    batch_size : int, default=128
        Rows per step, at most; batches are of near-equal size.
    optimizer : {"sgd", "adam", "adamw"} or class, default="sgd"
        Optimizer, by name or as a class of torch.
    weight_decay : float, default=5e-4
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
        Mixed precision.
    callbacks : list of skorch callbacks or (name, callback), default=None
        Callbacks, cloned before use. See :class:`~skprog.callbacks.OneCycle`.
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
        Channels, height and width of an image.
    n_features_in_ : int
        Channels of an image.

    See Also
    --------
    skprog.datasets.load_cifar : Images of ten or a hundred classes.
    SEMClassifier : Grey micrographs of any size, and where they show defects.

    Notes
    -----
    ``X`` is (n_images, n_channels, height, width). uint8 stays so in memory, a quarter of float32,
    and is cast batch by batch on the device.

    A rate of 0.1 to the end leaves the weights unsettled: let it fall by a callback, or set
    a smaller one where epochs are few. Where left and right differ, as in digits, set
    ``augment=False``.

    References
    ----------
    .. [1] K. He, X. Zhang, S. Ren and J. Sun, "Deep residual learning for image recognition",
       CVPR 2016.
    .. [2] K. Simonyan and A. Zisserman, "Very deep convolutional networks for large-scale image
       recognition", ICLR 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from skprog.estimators import ImageClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = rng.integers(0, 128, (40, 3, 8, 8), dtype=np.uint8)
    >>> y = np.array(["red", "blue"] * 20)
    >>> X[::2, 0] += 64
    >>> X[1::2, 2] += 64
    >>> small = {"network_params": {"width": 4}, "batch_size": 10, "max_epochs": 15}
    >>> model = ImageClassifier("resnet18", **small, lr=0.03, random_state=0)
    >>> model.fit(X, y).predict(X[:4])
    array(['red', 'blue', 'red', 'blue'], dtype='<U4')
    """

    def __init__(
        self,
        network: str | type = "resnet18",
        *,
        network_params: dict[str, Any] | None = None,
        augment: bool = True,
        scale: Literal["standard"] | None = "standard",
        n_networks: int = 1,
        loss: str | type = "cross_entropy",
        loss_params: dict[str, Any] | None = None,
        class_weight: dict[Any, float] | Literal["balanced"] | None = None,
        lr: float | Literal["auto"] = 0.1,
        momentum: float = 0.9,
        max_epochs: int = 150,
        batch_size: int = 128,
        optimizer: str | type = "sgd",
        weight_decay: float = 5e-4,
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
        self.augment = augment
        self.scale = scale
        self.n_networks = n_networks
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
        tags.input_tags.two_d_array = False
        return tags

    def check_params(self) -> None:
        """Refuse parameters that are out of range or of the wrong type."""
        super().check_params()
        check_network_params(self.network, self.network_params, NETWORKS, SIZES)
        check_option("augment", self.augment, (True, False))
        check_option("scale", self.scale, ("standard", None))

    def _check_cases(self, X, *, reset):
        # Before its channels are compared with those fitted.
        if getattr(X, "ndim", None) in (3, 4):
            self._check_shape(X)
        X = check_rows(self, X, reset=reset, dtypes=(*FLOATS, np.uint8))
        if reset:
            self._check_shape(X)
        return X

    def _check_shape(self, X):
        wanted = "ImageClassifier takes (n_images, n_channels, height, width)"
        if X.ndim == 3:
            raise ValueError(
                f"X has shape {X.shape}; {wanted}, which for grey images is X[:, np.newaxis] and "
                "for a single one X[np.newaxis]."
            )
        if X.ndim != 4:
            raise ValueError(f"X has {X.ndim} dimensions; {wanted}.")
        if X.shape[3] <= MAX_COLOURS < X.shape[1]:
            raise ValueError(
                f"X has shape {X.shape}, with the channels last; {wanted}, which is "
                "X.transpose(0, 3, 1, 2)."
            )

    def _cases(self, X):
        return X

    def _logits(self, X):
        # In batches that take no more memory than training does.
        return [predict_rows(net, X, batch_size=self.batch_size) for net in self.nets_]

    def module_and_params(self) -> tuple[type[nn.Module], dict[str, Any]]:
        """Return the class of the network and what it is built with."""
        n_channels = self.shape_in_[0]
        network = network_class(self.network, NETWORKS)
        sizes = {"n_channels": n_channels, "n_classes": len(self.classes_)}
        params = sized_params(network, self.network_params, **sizes)
        return ScaledImages, {"network": network, "n_channels": n_channels, "params": params}

    def _task(self, train, valid):
        task = super()._task(train, valid)
        mean = np.zeros(self.shape_in_[0])
        if self.scale == "standard":
            mean, scale = train.moments(by_channel=True)
            task = replace(task, buffers={"mean": mean, "scale": scale})
        if not self.augment:
            return task
        # Zeros before standardising would be far from a channel of large values.
        fill = torch.tensor(mean, dtype=torch.float32)[:, None, None]
        return replace(task, augment=partial(augment_crops, fill=fill))
