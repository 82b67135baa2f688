from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from scipy.special import softmax
from sklearn.utils.validation import check_is_fitted

from .._checks import (
    check_images,
    check_integer,
    check_option,
    is_count,
    is_params,
    optional,
    warn,
)
from .._refit import of_one_fit
from .._training import as_tensor, augment_images, by_group, n_batches, predict_rows
from ..networks import MicrographCNN
from ._labels import check_labels
from ._net_classifier import NetClassifier
from ._tiles import Tiling, Vote, best_threshold, check_sizes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike
    from typing import Any, Literal, Self

    from numpy.typing import ArrayLike
    from torch import nn

BATCH_SIZE = 32
VOTING = ("tiles", "patch_size", "vote", "top_k", "pos_label")


class SEMClassifier(NetClassifier):
    """Homogeneous or not: nanofibers in scanning electron micrographs [1]_.

    The defaults are the paper's CNN5* and its training. Every image, or tile of one, is
    standardised by its own mean and standard deviation.

    Parameters
    ----------
    tiles : {None, "all"}, default=None
        None takes each image of ``X`` as a whole, as in the paper, where
        :class:`~skprog.preprocessing.PatchSelector` has chosen a patch before. "all" cuts images
        of any size into tiles, trains on all of them with the label of their image, and lets
        the tiles vote on the image.
    patch_size : int, default=128
        Height and width of the tiles in pixels; for ``tiles="all"``.
    vote : {"top_k", "majority"}, default="top_k"
        How tiles vote. "top_k" compares the mean of the ``top_k`` highest probabilities of
        ``pos_label`` with a threshold, for defects that only some tiles show; it takes two
        classes. "majority" takes the class that most tiles have.
    top_k : int, default=5
        Tiles that decide in ``vote="top_k"``.
    pos_label : str, int or None, default=None
        Class of the images with defects; None is the last of ``classes_``.
    n_blocks : int, default=5
        Convolutional blocks, at most as many as ``n_filters`` has entries.
    hidden_units : int or None, default=40
        Units of the dense layer before the output; None is no such layer.
    head : {"dense", "local"}, default="dense"
        "dense" looks at a whole tile. "local" classifies every place of the last block by itself,
        without a dense layer, and takes the most suspicious ones, for finer defect maps. With
        three classes or more the first of ``classes_`` that is not ``pos_label`` is taken for that
        of sound places.
    n_filters : tuple of int, default=(16, 32, 64, 96, 128)
        Filters of each block.
    hidden_batch_norm : bool, default=False
        Normalise the dense layer over the batch, which keeps its units alive at high rates.
    augment : bool, default=False
        Flip and turn the images of each training batch by quarters at random; they must be
        square.
    max_steps : int or None, default=300
        Batches to train on; overrides ``max_epochs``. None trains for ``max_epochs``.
    loss : {"cross_entropy", "ghl", "mse", "class_cost", "class_balanced", "focal"} or class, \
default="cross_entropy"
        Loss, by name or as a torch module. See :class:`GHLClassifier`.
    loss_params : dict, default=None
        Arguments of the loss, searched as ``loss_params__name``.
    class_weight : dict, "balanced" or None, default=None
        Weight of each class on top of the loss's own; "balanced" weighs by inverse frequency.
    n_networks : int, default=1
        Networks trained, whose probabilities are averaged.
    lr : float or "auto", default=1e-3
        Learning rate; "auto" takes a tenth of that of the lowest loss in a learning-rate range
        test.
    momentum : float, default=0.9
        Momentum, where the optimizer has one.
    max_epochs : int, default=15
        Epochs at most. They count where ``max_steps`` is None.
    batch_size : int, default=32
        Rows per step, at most; batches are of near-equal size. Rows are images or tiles.
    optimizer : {"sgd", "adam", "adamw"} or class, default="sgd"
        Optimizer, by name or as a class of torch.
    weight_decay : float, default=1e-4
        Weight decay of the optimizer.
    validation_fraction : float or None, default=None
        Share of the rows held out; the best weights by validation loss are restored. Stratified by
        class, of images; about that share and at most half in whole groups where ``fit`` is given
        them.
    early_stopping : bool, default=False
        Stop after ``n_iter_no_change`` epochs without a better validation loss.
    n_iter_no_change : int, default=10
        Patience of early stopping, in epochs.
    shuffle : bool, default=True
        Shuffle the training data in each epoch.
    warm_start : bool, default=False
        Continue from the last fit for ``max_epochs`` more epochs with the same hyperparameters.
        With ``max_steps``, for as many steps.
    amp : {"bf16", "fp16"} or None, default=None
        Mixed precision.
    callbacks : list of skorch callbacks or (name, callback), default=None
        Callbacks, cloned before use.
    net_params : dict, default=None
        Further arguments of :class:`skorch.NeuralNet`, such as ``optimizer__nesterov``;
        ``{"callbacks__best_weights": None}`` keeps the last weights, not the best.
    checkpoint : str, path-like or None, default=None
        File written after each epoch, from which an interrupted fit on the same data resumes.
        Delete it to start anew; raise ``max_epochs`` to train on. Further networks append their
        number to its name (``.1``, ``.2``). With ``max_steps``, raise that.
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
    threshold_ : float
        Mean of the highest probabilities at which an image counts as ``pos_label``; with
        ``tiles="all"`` and ``vote="top_k"``. Balanced accuracy is highest there on the images
        held out, or without any on the training images.
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
        Learning-rate range test, with ``lr="auto"``.
    shape_in_ : tuple of int
        Shape of an image, or of a tile.
    n_features_in_ : int
        Its first size.

    See Also
    --------
    skprog.plots.DefectMapDisplay : Draws a defect map over its image.

    Notes
    -----
    Beyond the paper: votes over tiles, maps, ``head="local"`` and augmentation.

    Split by specimen (``GroupKFold``): images of one specimen resemble each other.

    References
    ----------
    .. [1] C. Ieracitano, F. Pantó, N. Mammone, A. Paviglianiti, P. Frontera and F. C. Morabito,
       "Toward an automatic classification of SEM images of nanomaterials via a deep learning
       approach", Neural Approaches to Dynamics of Signal Exchanges, 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from skprog.estimators import SEMClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((40, 32, 32))
    >>> y = np.array(["coarse", "fine"] * 20)
    >>> X[::2, ::2, ::2] = X[::2, 1::2, ::2] = X[::2, ::2, 1::2] = X[::2, 1::2, 1::2]
    >>> small = {"n_blocks": 2, "hidden_units": None, "max_steps": 60}
    >>> model = SEMClassifier(**small, lr=0.05, random_state=0)
    >>> model.fit(X, y).predict(X[:4])
    array(['coarse', 'fine', 'coarse', 'fine'], dtype='<U6')
    """

    _learnt: ClassVar = {
        "_positive": is_count,
        "_voted_with": is_params,
        "threshold_": optional(lambda value: type(value) is float and 0 < value < 1),
    }

    def __init__(
        self,
        *,
        tiles: Literal["all"] | None = None,
        patch_size: int = 128,
        vote: Literal["top_k", "majority"] = "top_k",
        top_k: int = 5,
        pos_label: Any = None,
        n_blocks: int = 5,
        hidden_units: int | None = 40,
        head: Literal["dense", "local"] = "dense",
        n_filters: Sequence[int] = (16, 32, 64, 96, 128),
        hidden_batch_norm: bool = False,
        augment: bool = False,
        max_steps: int | None = 300,
        loss: str | type = "cross_entropy",
        loss_params: dict[str, Any] | None = None,
        class_weight: dict[Any, float] | Literal["balanced"] | None = None,
        n_networks: int = 1,
        lr: float | Literal["auto"] = 1e-3,
        momentum: float = 0.9,
        max_epochs: int = 15,
        batch_size: int = 32,
        optimizer: str | type = "sgd",
        weight_decay: float = 1e-4,
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
        self.tiles = tiles
        self.patch_size = patch_size
        self.vote = vote
        self.top_k = top_k
        self.pos_label = pos_label
        self.n_blocks = n_blocks
        self.hidden_units = hidden_units
        self.head = head
        self.n_filters = n_filters
        self.hidden_batch_norm = hidden_batch_norm
        self.augment = augment
        self.max_steps = max_steps
        self.loss = loss
        self.loss_params = loss_params
        self.class_weight = class_weight
        self.n_networks = n_networks
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

    def fit(
        self, X: ArrayLike | list, y: ArrayLike, groups: ArrayLike | None = None, **fit_params: Any
    ) -> Self:
        """Train the network.

        Parameters
        ----------
        X : array-like of shape (n_images, height, width) or list of such images
            Grey images, 8-bit, 16-bit or floating point. With ``tiles="all"`` of any sizes, else
            of one size.
        y : array-like of shape (n_images,)
            Class of each image, of any type of label.
        groups : array-like of shape (n_images,), default=None
            Specimen of each image. Images of one specimen are held out together.
        **fit_params
            None is taken; ``sample_weight`` is refused in favour of ``class_weight``.

        Returns
        -------
        SEMClassifier
            Itself.

        Raises
        ------
        ValueError
            If a hyperparameter is out of range, images are blank, too small, of a wrong rank or
            not finite, lengths differ, there is one class only, a class has too few images or
            groups to hold one out, the loss diverges, or the checkpoint is damaged or of another
            fit. What was fitted before stays.
        TypeError
            If a hyperparameter has the wrong type or ``sample_weight`` is given.

        Warns
        -----
        UserWarning
            If all units of the dense layer are dead.
        """
        self._refuse_fit_params(fit_params)
        return self._fit(X, y, groups=groups)

    def partial_fit(
        self,
        X: ArrayLike | list,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        **fit_params: Any,
    ) -> Self:
        """Train one more epoch, on a network made anew if there is none.

        Parameters
        ----------
        X : array-like of shape (n_images, height, width) or list of such images
            Grey images, as for ``fit``.
        y : array-like of shape (n_images,)
            Class of each image.
        classes : array-like of shape (n_classes,), default=None
            All classes to come, needed at the first call when ``y`` lacks some.
        groups : array-like of shape (n_images,), default=None
            Specimen of each image.
        **fit_params
            None is taken.

        Returns
        -------
        SEMClassifier
            Itself. ``threshold_`` stays as it was where the images show one class only, 0.5 at
            first.

        Raises
        ------
        ValueError
            As for ``fit``; also if ``y`` has a class that was not there at first.
        TypeError
            If a hyperparameter has the wrong type or ``sample_weight`` is given.
        """
        self._refuse_fit_params(fit_params)
        return self._fit_one_epoch(X, y, classes=classes, groups=groups)

    @of_one_fit
    def predict(self, X: ArrayLike | list) -> np.ndarray:
        """Predict the class of each image.

        Parameters
        ----------
        X : array-like of shape (n_images, height, width) or list of such images
            Grey images, of the size fitted or, with ``tiles="all"``, of any.

        Returns
        -------
        ndarray of shape (n_images,)
            Most probable class of each image.

        Raises
        ------
        ValueError
            If images have another size than in ``fit``, are blank, too small or not finite.
        TypeError
            If ``X`` is neither an array nor a list.
        """
        return super().predict(X)

    @of_one_fit
    def predict_proba(self, X: ArrayLike | list) -> np.ndarray:
        """Predict the probability of each class.

        Parameters
        ----------
        X : array-like of shape (n_images, height, width) or list of such images
            Grey images, of the size fitted or, with ``tiles="all"``, of any.

        Returns
        -------
        ndarray of shape (n_images, n_classes)
            Mean softmax of the networks' logits. After a vote "top_k" the odds of ``pos_label``
            are divided by those of the threshold, after a vote "majority" it is the share of tiles.

        Raises
        ------
        ValueError
            If images have another size than in ``fit``, are blank, too small or not finite.
        TypeError
            If ``X`` is neither an array nor a list.
        """
        check_is_fitted(self)
        self._refuse_other_votes()
        images = self._check_cases(X, reset=False)
        if self.tiles is None:
            return self._probabilities(np.stack(images))
        vote = Vote(self.vote, self.top_k, self._positive, getattr(self, "threshold_", None))
        return vote.probabilities(self._probabilities_of_tiles(images), len(self.classes_))

    @of_one_fit
    def defect_map(self, X: ArrayLike | list) -> np.ndarray | list[np.ndarray]:
        """Map where images show defects.

        One pass of the convolutions over the whole image, standardised once. The head then sees
        each field of the size fitted, in steps of one place of the last block, and its result
        stands for the field's middle; between the middles it is interpolated.

        Parameters
        ----------
        X : array-like of shape (n_images, height, width) or list of such images
            Grey images, at least of the size fitted. Large ones are worked on in strips.

        Returns
        -------
        ndarray of shape (n_images, height, width), or list of ndarray of shape (height, width)
            Probability of ``pos_label``, float32; a list if sizes differ. It cannot equal the
            probability of a single tile, whose edges meet zeros where the map sees their
            surroundings, so that a threshold tuned on tiles does not carry over.

        Raises
        ------
        ValueError
            If images are blank, smaller than fitted or not finite.
        TypeError
            If ``X`` is neither an array nor a list.
        """
        check_is_fitted(self)
        self._refuse_other_votes()
        images = check_images(X)
        check_sizes(images, self.shape_in_, "the images fitted")
        maps = [self._defect_map(image) for image in images]
        same = len({image.shape for image in images}) == 1
        return np.stack(maps) if same else maps

    @of_one_fit
    def feature_maps(self, image: ArrayLike, block: int = 1) -> np.ndarray:
        """Return what the filters of a block of the first network see in an image.

        Parameters
        ----------
        image : array-like of shape (height, width)
            Grey image.
        block : int, default=1
            Convolutional block, counted from 1.

        Returns
        -------
        ndarray of shape (n_filters, height // 2**(block - 1), width // 2**(block - 1))
            Features after batch normalisation and ReLU, before the pooling, float32.

        Raises
        ------
        ValueError
            If the network has no such block, or the image is blank, too small or not finite.
        TypeError
            If ``block`` is no integer.
        """
        check_is_fitted(self)
        module = self.net_.module_.eval()
        block = check_integer("block", block)
        if block > module.n_blocks:
            raise ValueError(f"block={block} but the network has {module.n_blocks}, from 1.")
        (image,) = check_images([image], "image", minimum=module.stride)
        with torch.inference_mode(), self.net_.autocast():
            X = _as_input(self.net_, image[None])
            return module.encode(X, block, pool=False)[0].float().contiguous().cpu().numpy()

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        return tags

    def check_params(self) -> None:
        """Refuse parameters that are out of range or of the wrong type."""
        super().check_params()
        check_option("tiles", self.tiles, (None, "all"))
        check_option("vote", self.vote, ("top_k", "majority"))
        check_integer("patch_size", self.patch_size)
        check_integer("top_k", self.top_k)
        check_option("augment", self.augment, (True, False))

    def check_learnt(self, learnt: dict[str, Any]) -> None:
        """Refuse votes without what they go by, or the threshold that they are compared with."""
        if learnt["_voted_with"].keys() != {*VOTING}:
            raise ValueError(f"_voted_with of {type(self).__name__} is not of {', '.join(VOTING)}")
        if self.tiles == "all" and self.vote == "top_k" and "threshold_" not in learnt:
            raise ValueError(f"threshold_ of {type(self).__name__} is missing")

    def _tiling(self):
        return Tiling(None if self.tiles is None else int(self.patch_size))

    def _refuse_other_votes(self):
        for name, fitted in self._voted_with.items():
            value = getattr(self, name)
            if value is not fitted and value != fitted:
                raise ValueError(
                    f"{name}={value!r} but {type(self).__name__} was fitted with "
                    f"{name}={fitted!r}; fit again."
                )

    def _check_fit(self, X, y, reset, classes=None, groups=None):
        images, y, _ = super()._check_fit(X, y, reset, classes)
        groups = None if groups is None else self._check_groups(groups, len(images))
        label = self.classes_[-1] if self.pos_label is None else self.pos_label
        if np.ndim(label):
            raise TypeError(f"pos_label={label!r} must be one class.")
        if label not in self.classes_:
            raise ValueError(f"pos_label={label!r} is none of {self.classes_}.")
        self._positive = int(np.flatnonzero(self.classes_ == label)[0])
        if self.tiles == "all" and self.vote == "top_k" and len(self.classes_) > 2:
            raise ValueError(
                f"vote='top_k' takes 2 classes but y has {len(self.classes_)}; use vote='majority'."
            )
        return images, y, groups

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

    def _check_cases(self, X, *, reset):
        images = check_images(X)
        shape = self._tiling().shape_of(images)
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

    def _hold_out(self, images, y, groups):
        if groups is None:
            return super()._hold_out(images, y, groups)
        return by_group(groups, y, len(self.classes_), self.validation_fraction)

    def _cases(self, images):
        return self._tiling().rows(images)

    def _labels(self, images, y):
        return self._tiling().labels(images, y)

    def _data(self, images, y):
        data = super()._data(images, y)
        smallest = len(data) // n_batches(len(data), self.batch_size)
        is_normed = self.hidden_batch_norm and self.hidden_units and self.head == "dense"
        if is_normed and smallest < 2:
            raise ValueError(
                "hidden_batch_norm=True needs batches of at least 2 rows but "
                f"batch_size={self.batch_size} cuts {len(data)} rows into some of 1; change it."
            )
        return data

    def _task(self, train, valid):
        return replace(
            super()._task(train, valid), augment=augment_images if self.augment else None
        )

    def _finish(self, images, y):
        self._voted_with = {name: getattr(self, name) for name in VOTING}
        # Throughout, as they may be sorted by class.
        some = images[np.linspace(0, len(images) - 1, BATCH_SIZE).astype(int)]
        self._warn_of_dead_units(np.stack([self._tiling().cut(image)[0] for image in some]))
        if self.tiles != "all" or self.vote != "top_k":
            vars(self).pop("threshold_", None)
        elif len(np.unique(y)) == 2:
            vote = Vote(self.vote, self.top_k, self._positive)
            scores = vote.scores(self._probabilities_of_tiles(images))
            self.threshold_ = best_threshold(scores, y == self._positive)
        else:
            self.threshold_ = getattr(self, "threshold_", 0.5)

    def _probabilities(self, rows):
        outputs = (predict_rows(net, rows, batch_size=BATCH_SIZE) for net in self.nets_)
        return np.mean([softmax(output, axis=1) for output in outputs], axis=0)

    def _probabilities_of_tiles(self, images):
        """Yield the probabilities of the tiles of each image, (n_tiles, n_classes)."""
        return (self._probabilities(self._tiling().cut(image)) for image in images)

    def module_and_params(self) -> tuple[type[nn.Module], dict[str, Any]]:
        """Return the class of the network and what it is built with."""
        height, width = self.shape_in_
        names = ("n_blocks", "hidden_units", "head", "n_filters", "hidden_batch_norm")
        params = {name: getattr(self, name) for name in names}
        params["background"] = int(self._positive == 0)
        sizes = {"height": height, "width": width, "n_classes": len(self.classes_)}
        return MicrographCNN, {**sizes, **params}

    def _defect_map(self, image):
        total = 0.0
        for net in self.nets_:
            module = net.module_.eval()
            with torch.inference_mode(), net.autocast():
                logits = module.logit_map(_as_input(net, image[None])[0]).float()
                total = total + torch.softmax(logits, dim=0)[self._positive]
        with torch.inference_mode():
            spread = module.spread(total / len(self.nets_), image.shape)
            return spread.clamp_(0, 1).cpu().numpy()

    def _warn_of_dead_units(self, tiles):
        for net in self.nets_:
            module = net.module_.eval()
            if len(module.dense) == 1:
                continue
            with torch.inference_mode():
                features = module.encode(_as_input(net, tiles)).flatten(1)
                hidden = module.dense[:-1](features)
            if not hidden.any():
                warn(
                    f"all {hidden.shape[1]} units of the dense layer are dead, so that every image "
                    "gets the same answer; use a smaller lr or hidden_batch_norm=True."
                )


def _as_input(net, images):
    """Return images (n_images, height, width) as standardised tensors on the net's device."""
    return net.module_.standardise(as_tensor(images).to(net.device))
