from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

import torch
from torch import nn

from ..._checks import check_integer, check_option
from .._channels_last import channels_last

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Literal

# Between the mean over the places, 0, in which single defects are lost, and the highest.
SHARPNESS = 10


class MicrographCNN(nn.Module):
    """Convolutional network that tells homogeneous from nonhomogeneous nanofibers [1]_.

    Each block is a convolution of 3 x 3 pixels, batch normalisation, ReLU and max-pooling by 2.
    Every image is standardised by its own mean and standard deviation first. Weights are drawn
    with a standard deviation of 0.01, as in the paper.

    Parameters
    ----------
    height, width : int
        Size of the images in pixels.
    n_classes : int
        Logits returned, at least 2.
    n_blocks : int, default=5
        Convolutional blocks, at most as many as ``n_filters`` has entries.
    hidden_units : int or None, default=40
        Units of the dense layer between the blocks and the output; None is no such layer.
    head : {"dense", "local"}, default="dense"
        "dense" sees all pixels of an image at once. "local" classifies every place of the last
        block by itself and pools how much the logit of a class exceeds that of ``background``,
        d, as log(mean(exp(10 d))) / 10 over the places [2]_, so that one defect is enough to
        tell; it has no hidden layer.
    n_filters : tuple of int, default=(16, 32, 64, 96, 128)
        Filters of each block.
    hidden_batch_norm : bool, default=False
        Normalise the hidden layer over the batch, which keeps its units alive at high rates.
    background : int, default=0
        Class of the places without a defect, for ``head="local"``; its logit is 0.

    Raises
    ------
    ValueError
        If a size is too small, the images are smaller than one place of the last block, or an
        option is unknown; in ``forward`` if images have another size.
    TypeError
        If a parameter has the wrong type.

    References
    ----------
    .. [1] C. Ieracitano, F. Pantó, N. Mammone, A. Paviglianiti, P. Frontera and F. C. Morabito,
       "Toward an automatic classification of SEM images of nanomaterials via a deep learning
       approach", Neural Approaches to Dynamics of Signal Exchanges, 2020.
    .. [2] P. O. Pinheiro and R. Collobert, "From image-level to pixel-level labeling with
       convolutional networks", CVPR 2015.

    Examples
    --------
    >>> import torch
    >>> from skprog.networks import MicrographCNN
    >>> network = MicrographCNN(128, 128, n_classes=2)
    >>> network(torch.rand(3, 128, 128)).shape
    torch.Size([3, 2])
    >>> sum(parameter.numel() for parameter in network.parameters())
    272122
    """

    def __init__(
        self,
        height: int,
        width: int,
        n_classes: int,
        *,
        n_blocks: int = 5,
        hidden_units: int | None = 40,
        head: Literal["dense", "local"] = "dense",
        n_filters: Sequence[int] = (16, 32, 64, 96, 128),
        hidden_batch_norm: bool = False,
        background: int = 0,
    ) -> None:
        super().__init__()
        self.shape_in = check_integer("height", height), check_integer("width", width)
        n_classes = check_integer("n_classes", n_classes, minimum=2)
        check_option("head", head, ("dense", "local"))
        check_option("hidden_batch_norm", hidden_batch_norm, (True, False))
        self.background = check_integer("background", background, minimum=0)
        if background >= n_classes:
            raise ValueError(f"background={background} but n_classes={n_classes}; counted from 0.")
        self.n_blocks = _check_blocks(n_blocks, n_filters)
        self.head = head
        blocks = []
        n_in = 1
        for n_out in map(int, n_filters[: self.n_blocks]):
            conv = nn.Conv2d(n_in, n_out, 3, padding=1)
            blocks.append(nn.Sequential(conv, nn.BatchNorm2d(n_out), nn.ReLU()))
            n_in = n_out
        # A tenth faster on a CPU with the channels last in memory.
        self.blocks = channels_last(nn.ModuleList(blocks))
        self.pool = nn.MaxPool2d(2)
        # Pixels per place of the last block, and how many places, in rows and columns, an output
        # sees.
        self.stride = 2**self.n_blocks
        self.field = tuple(size // self.stride for size in self.shape_in)
        if min(self.field) < 1:
            raise ValueError(
                f"images of {height} x {width} pixels are smaller than {self.stride}, one place "
                f"of block {self.n_blocks}; use larger images or a smaller n_blocks."
            )
        if head == "local":
            self.field = 1, 1
        if hidden_units is not None:
            hidden_units = check_integer("hidden_units", hidden_units)
        n_features = n_in * math.prod(self.field)
        layers: list[nn.Module] = [nn.Linear(n_features, n_classes)]
        if hidden_units is not None and head == "dense":
            layers = [nn.Linear(n_features, hidden_units), nn.ReLU()]
            if hidden_batch_norm:
                layers.insert(1, nn.BatchNorm1d(hidden_units))
            layers.append(nn.Linear(hidden_units, n_classes))
        self.dense = nn.Sequential(*layers)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.normal_(module.weight, std=0.01)
                nn.init.zeros_(cast(torch.Tensor, module.bias))

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Map images (n_images, height, width) to logits (n_images, n_classes)."""
        if X.ndim != 3 or X.shape[1:] != self.shape_in:
            height, width = self.shape_in
            raise ValueError(
                f"X has shape {tuple(X.shape)}; give images of shape (n_images, {height}, "
                f"{width}), or build the network for others."
            )
        logits = self.classify(self.encode(self.standardise(X))).flatten(2)
        if self.head == "dense":
            return logits[:, :, 0]
        excess = SHARPNESS * (logits - logits[:, self.background, None])
        return (excess.logsumexp(dim=2) - math.log(excess.shape[2])) / SHARPNESS

    @staticmethod
    def standardise(X: torch.Tensor) -> torch.Tensor:
        """Free images of their means and divide them by their standard deviations.

        Parameters
        ----------
        X : Tensor of shape (n_images, height, width)
            Images.

        Returns
        -------
        Tensor of shape (n_images, height, width)
            Images as float32; one without any contrast becomes 0.
        """
        X = X.float()
        deviation, mean = torch.std_mean(X, dim=(1, 2), keepdim=True, correction=0)
        return (X - mean) / deviation.where(deviation > 1e-6 * mean.abs(), 1.0)

    def encode(
        self, X: torch.Tensor, n_blocks: int | None = None, *, pool: bool = True
    ) -> torch.Tensor:
        """Map standardised images of any size to the features of a block.

        Parameters
        ----------
        X : Tensor of shape (n_images, height, width)
            Images.
        n_blocks : int, default=None
            Blocks passed; None is all of them.
        pool : bool, default=True
            Pool after the last of them, too.

        Returns
        -------
        Tensor of shape (n_images, n_filters, height // 2**n_blocks, width // 2**n_blocks)
            Features, twice as high and wide without the last pooling.
        """
        features = X.unsqueeze(1).to(memory_format=torch.channels_last)
        n_blocks = self.n_blocks if n_blocks is None else n_blocks
        for i, block in enumerate(self.blocks[:n_blocks]):
            features = block(features)
            if pool or i < n_blocks - 1:
                features = self.pool(features)
        return features

    def classify(self, features: torch.Tensor) -> torch.Tensor:
        """Map features of the last block to logits at each place that has a whole field.

        Parameters
        ----------
        features : Tensor of shape (n_images, n_filters, n_rows, n_columns)
            From :meth:`encode`.

        Returns
        -------
        Tensor of shape (n_images, n_classes, n_rows - field[0] + 1, n_columns - field[1] + 1)
            Logits.
        """
        first: Any
        first, *others = self.dense
        # The first dense layer is a convolution by as many places as it sees.
        weight = first.weight.unflatten(1, (-1, *self.field))
        units = nn.functional.conv2d(features, weight, first.bias).permute(0, 2, 3, 1)
        places = units.flatten(0, 2)
        for layer in others:
            places = layer(places)
        return places.reshape(*units.shape[:3], -1).permute(0, 3, 1, 2)

    def logit_map(self, X: torch.Tensor, *, strip_height: int = 256) -> torch.Tensor:
        """Map one standardised image of any size to the logits of its fields.

        The convolutions pass over strips with as much of their surroundings as they see, so that
        only features of the last block are kept whole and the result does not depend on the strips.

        Parameters
        ----------
        X : Tensor of shape (height, width)
            Image.
        strip_height : int, default=256
            Rows of a strip in pixels, rounded to whole places of the last block.

        Returns
        -------
        Tensor of shape (n_classes, n_rows, n_columns)
            Logits of fields a place of the last block apart, as :meth:`classify` gives them.

        Raises
        ------
        ValueError
            If the image is smaller than one field.
        """
        least = [self.stride * field for field in self.field]
        if X.shape[0] < least[0] or X.shape[1] < least[1]:
            raise ValueError(
                f"X has shape {tuple(X.shape)} but a field has {least[0]} x {least[1]} pixels; use "
                "larger images."
            )
        step = max(1, strip_height // self.stride) * self.stride
        # One pixel less is what a place sees beyond its edges, the reach of all kernels summed.
        halo = self.stride
        n_rows = X.shape[0] // self.stride
        strips = []
        for start in range(0, n_rows * self.stride, step):
            first = max(0, start - halo)
            features = self.encode(X[None, first : start + step + halo])
            skipped = (start - first) // self.stride
            strips.append(features[:, :, skipped : skipped + step // self.stride])
        features = torch.cat(strips, dim=2)[:, :, :n_rows]
        return self.classify(features)[0]

    def spread(self, values: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
        """Interpolate values of fields, each standing for the middle of its own, to all pixels.

        Parameters
        ----------
        values : Tensor of shape (n_rows, n_columns)
            Values of the fields of an image, as laid out by :meth:`classify`.
        shape : tuple of int
            Height and width of the image in pixels.

        Returns
        -------
        Tensor of shape (height, width)
            Values, linear between the middles and constant beyond the outermost.
        """
        for axis, (size, field) in enumerate(zip(shape, self.field, strict=True)):
            n_values = values.shape[axis]
            pixels = torch.arange(size, device=values.device)
            index = ((pixels + 0.5) / self.stride - field / 2).clamp(0, n_values - 1)
            low = index.long().clamp(max=max(0, n_values - 2))
            share = (index - low).unsqueeze(1 - axis)
            high = (low + 1).clamp(max=n_values - 1)
            values = torch.lerp(
                values.index_select(axis, low), values.index_select(axis, high), share
            )
        return values


def _check_blocks(n_blocks, n_filters):
    if not isinstance(n_filters, list | tuple):
        raise TypeError(f"n_filters={n_filters!r} must be a list or a tuple of integers.")
    for n_out in n_filters:
        check_integer("an entry of n_filters", n_out)
    n_blocks = check_integer("n_blocks", n_blocks)
    if n_blocks > len(n_filters):
        raise ValueError(
            f"n_blocks={n_blocks} but n_filters={n_filters} has {len(n_filters)} entries; give "
            "one per block."
        )
    return n_blocks
