from __future__ import annotations

from itertools import pairwise

from torch import nn

from ._image_network import ImageNetwork, check_sizes

# Convolutions of each stage, and its filters as multiples of the width.
N_CONVS = (2, 2, 4, 4, 4)
N_WIDTHS = (1, 2, 4, 8, 8)


class VGG19(ImageNetwork):
    """Network of 16 convolutions and one linear layer for small images [1]_.

    Five stages of convolutions of 3 x 3 pixels, batch normalisation and ReLU, each ended by
    max-pooling by 2, then the mean over all places and a linear layer.

    Parameters
    ----------
    n_channels : int
        Channels of an image.
    n_classes : int
        Logits returned, at least 2.
    width : int, default=64
        Filters of the first stage.

    Raises
    ------
    ValueError
        If a size is too small; in ``forward`` if images have another number of channels or less
        than 32 x 32 pixels.
    TypeError
        If a parameter is no integer.

    Notes
    -----
    [1]_ has no batch normalisation, and three linear layers, for images of 224 x 224 pixels.

    References
    ----------
    .. [1] K. Simonyan and A. Zisserman, "Very deep convolutional networks for large-scale image
       recognition", ICLR 2015.

    Examples
    --------
    >>> from skprog.networks import VGG19
    >>> network = VGG19(n_channels=3, n_classes=10)
    >>> sum(parameter.numel() for parameter in network.parameters())
    20040522
    """

    def __init__(self, n_channels: int, n_classes: int, *, width: int = 64) -> None:
        n_channels, n_classes, width = check_sizes(n_channels, n_classes, width)
        filters = [n * width for n in N_WIDTHS]
        layers = []
        for (n_in, n_out), n_convs in zip(pairwise((n_channels, *filters)), N_CONVS, strict=True):
            for i in range(n_convs):
                conv = nn.Conv2d(n_out if i else n_in, n_out, 3, padding=1)
                layers += [conv, nn.BatchNorm2d(n_out), nn.ReLU(inplace=True)]
            layers.append(nn.MaxPool2d(2))
        super().__init__(
            nn.Sequential(*layers), n_channels, filters[-1], n_classes, least=32, step=16
        )
