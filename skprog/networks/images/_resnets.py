"""Residual networks of images, from 18 to 101 layers."""

from __future__ import annotations

from torch import nn

from ._image_network import ImageNetwork, check_sizes


class ResNet18(ImageNetwork):
    """Residual network of 18 layers for small images [1]_.

    A convolution of 3 x 3 pixels without pooling, four stages of two blocks of two convolutions
    each, every stage after the first at half the resolution and twice the filters, then the mean
    over all places and a linear layer.

    Parameters
    ----------
    n_channels : int
        Channels of an image.
    n_classes : int
        Logits returned, at least 2.
    width : int, default=64
        Filters of the first layer and stage.

    Raises
    ------
    ValueError
        If a size is too small; in ``forward`` if images have another number of channels or less
        than 8 x 8 pixels, or a single one of 8 x 8 is to be trained on.
    TypeError
        If a parameter is no integer.

    Notes
    -----
    [1]_ begins with a convolution of 7 x 7 pixels in steps of 2 and pooling, for larger images.

    References
    ----------
    .. [1] K. He, X. Zhang, S. Ren and J. Sun, "Deep residual learning for image recognition",
       CVPR 2016.

    Examples
    --------
    >>> from skprog.networks import ResNet18
    >>> network = ResNet18(n_channels=3, n_classes=10)
    >>> sum(parameter.numel() for parameter in network.parameters())
    11173962
    """

    def __init__(self, n_channels: int, n_classes: int, *, width: int = 64) -> None:
        sizes = check_sizes(n_channels, n_classes, width)
        super().__init__(*_residual_layers(sizes, BasicBlock, (2, 2, 2, 2)), least=8, step=8)


class ResNet34(ImageNetwork):
    """Residual network of 34 layers for small images [1]_.

    As :class:`ResNet18`, with stages of 3, 4, 6 and 3 blocks.

    Parameters
    ----------
    n_channels : int
        Channels of an image.
    n_classes : int
        Logits returned, at least 2.
    width : int, default=64
        Filters of the first layer and stage.

    Raises
    ------
    ValueError
        If a size is too small; in ``forward`` if images have another number of channels or less
        than 8 x 8 pixels, or a single one of 8 x 8 is to be trained on.
    TypeError
        If a parameter is no integer.

    References
    ----------
    .. [1] K. He, X. Zhang, S. Ren and J. Sun, "Deep residual learning for image recognition",
       CVPR 2016.

    Examples
    --------
    >>> from skprog.networks import ResNet34
    >>> network = ResNet34(n_channels=3, n_classes=10)
    >>> sum(parameter.numel() for parameter in network.parameters())
    21282122
    """

    def __init__(self, n_channels: int, n_classes: int, *, width: int = 64) -> None:
        sizes = check_sizes(n_channels, n_classes, width)
        super().__init__(*_residual_layers(sizes, BasicBlock, (3, 4, 6, 3)), least=8, step=8)


class ResNet50(ImageNetwork):
    """Residual network of 50 layers for small images [1]_.

    As :class:`ResNet34`, with blocks of three convolutions: to the filters of the stage, over
    3 x 3 pixels, and to four times as many.

    Parameters
    ----------
    n_channels : int
        Channels of an image.
    n_classes : int
        Logits returned, at least 2.
    width : int, default=64
        Filters of the first layer and stage.

    Raises
    ------
    ValueError
        If a size is too small; in ``forward`` if images have another number of channels or less
        than 8 x 8 pixels, or a single one of 8 x 8 is to be trained on.
    TypeError
        If a parameter is no integer.

    Notes
    -----
    The steps of 2 are in the convolutions over 3 x 3 pixels, where [1]_ has them in those before.

    References
    ----------
    .. [1] K. He, X. Zhang, S. Ren and J. Sun, "Deep residual learning for image recognition",
       CVPR 2016.

    Examples
    --------
    >>> from skprog.networks import ResNet50
    >>> network = ResNet50(n_channels=3, n_classes=10)
    >>> sum(parameter.numel() for parameter in network.parameters())
    23520842
    """

    def __init__(self, n_channels: int, n_classes: int, *, width: int = 64) -> None:
        sizes = check_sizes(n_channels, n_classes, width)
        super().__init__(*_residual_layers(sizes, Bottleneck, (3, 4, 6, 3)), least=8, step=8)


class ResNet101(ImageNetwork):
    """Residual network of 101 layers for small images [1]_.

    As :class:`ResNet50`, with stages of 3, 4, 23 and 3 blocks.

    Parameters
    ----------
    n_channels : int
        Channels of an image.
    n_classes : int
        Logits returned, at least 2.
    width : int, default=64
        Filters of the first layer and stage.

    Raises
    ------
    ValueError
        If a size is too small; in ``forward`` if images have another number of channels or less
        than 8 x 8 pixels, or a single one of 8 x 8 is to be trained on.
    TypeError
        If a parameter is no integer.

    References
    ----------
    .. [1] K. He, X. Zhang, S. Ren and J. Sun, "Deep residual learning for image recognition",
       CVPR 2016.

    Examples
    --------
    >>> from skprog.networks import ResNet101
    >>> network = ResNet101(n_channels=3, n_classes=10)
    >>> sum(parameter.numel() for parameter in network.parameters())
    42512970
    """

    def __init__(self, n_channels: int, n_classes: int, *, width: int = 64) -> None:
        sizes = check_sizes(n_channels, n_classes, width)
        super().__init__(*_residual_layers(sizes, Bottleneck, (3, 4, 23, 3)), least=8, step=8)


class BasicBlock(nn.Module):
    """Two convolutions of 3 x 3 pixels beside a shortcut.

    Parameters
    ----------
    n_in, n_filters : int
        Filters of the map before, and of both convolutions.
    stride : int
        Step of the first convolution and of the shortcut.
    """

    expansion = 1

    def __init__(self, n_in, n_filters, stride):
        super().__init__()
        self.layers = nn.Sequential(
            *_conv_norm(n_in, n_filters, 3, stride),
            nn.ReLU(inplace=True),
            *_conv_norm(n_filters, n_filters, 3),
        )
        self.shortcut = _shortcut(n_in, n_filters, stride)

    def forward(self, X):
        """Map (n_images, n_in, height, width) to the block's filters and stride."""
        return (self.layers(X) + self.shortcut(X)).relu_()


class Bottleneck(nn.Module):
    """Convolutions of 1, 3 and 1 pixels beside a shortcut, the last with four times the filters.

    Parameters
    ----------
    n_in, n_filters : int
        Filters of the map before, and of the first two convolutions.
    stride : int
        Step of the second convolution and of the shortcut.
    """

    expansion = 4

    def __init__(self, n_in, n_filters, stride):
        super().__init__()
        n_out = self.expansion * n_filters
        self.layers = nn.Sequential(
            *_conv_norm(n_in, n_filters, 1),
            nn.ReLU(inplace=True),
            *_conv_norm(n_filters, n_filters, 3, stride),
            nn.ReLU(inplace=True),
            *_conv_norm(n_filters, n_out, 1),
        )
        self.shortcut = _shortcut(n_in, n_out, stride)

    def forward(self, X):
        """Map (n_images, n_in, height, width) to the block's filters and stride."""
        return (self.layers(X) + self.shortcut(X)).relu_()


def _conv_norm(n_in, n_out, kernel_size, stride=1):
    padding = kernel_size // 2
    conv = nn.Conv2d(n_in, n_out, kernel_size, stride, padding=padding, bias=False)
    return conv, nn.BatchNorm2d(n_out)


def _shortcut(n_in, n_out, stride):
    if stride == 1 and n_in == n_out:
        return nn.Identity()
    # Steps by pooling: with less than 16 filters, channels last, oneDNN's gradient of a convolution
    # of one pixel in steps writes past its memory (uxlfoundation/oneDNN#6035).
    return nn.Sequential(nn.AvgPool2d(1, stride), *_conv_norm(n_in, n_out, 1))


def _residual_layers(sizes, block, n_blocks):
    """Return the layers of a residual network, the features they end in, and the rest given."""
    n_channels, n_classes, width = sizes
    layers = [*_conv_norm(n_channels, width, 3), nn.ReLU(inplace=True)]
    n_features = width
    for stage, n in enumerate(n_blocks):
        for i in range(n):
            stride = 2 if stage > 0 and i == 0 else 1
            layers.append(block(n_features, 2**stage * width, stride))
            n_features = 2**stage * width * block.expansion
    return nn.Sequential(*layers), n_channels, n_features, n_classes
