"""Windows and images altered at random, on whichever device they are.

Knows torch only.
"""

import torch


def augment_windows(X, kinds):
    """Shift, scale and disturb windows at random, each one differently.

    Parameters
    ----------
    X : Tensor of shape (n_windows, n_channels, n_timepoints)
        Windows.
    kinds : sequence of {"shift", "gain", "noise"}
        "shift" rolls a window along time, "gain" multiplies it by a factor of 0.8 to 1.25 in two
        cases of three (log-normal, 0.2), "noise" adds white noise of a tenth of its standard
        deviation.

    Returns
    -------
    Tensor of shape (n_windows, n_channels, n_timepoints)
        Windows as float32.
    """
    X = X.float()
    n_windows, n_channels, n_timepoints = X.shape
    if "shift" in kinds:
        starts = torch.randint(n_timepoints, (n_windows, 1, 1), device=X.device)
        places = (torch.arange(n_timepoints, device=X.device) + starts) % n_timepoints
        X = X.gather(2, places.expand(-1, n_channels, -1))
    if "gain" in kinds:
        X = X * torch.exp(0.2 * torch.randn(n_windows, 1, 1, device=X.device))
    if "noise" in kinds:
        X = X + 0.1 * X.std(dim=2, keepdim=True, correction=0) * torch.randn_like(X)
    return X


def augment_images(X):
    """Flip and turn square images by quarters at random, each one differently.

    Parameters
    ----------
    X : Tensor of shape (n_images, size, size)
        Images.

    Returns
    -------
    Tensor of shape (n_images, size, size)
        Images as float32.
    """
    X = X.float()
    for turned in (lambda X: X.flip(1), lambda X: X.flip(2), lambda X: X.transpose(1, 2)):
        is_turned = torch.rand(len(X), 1, 1, device=X.device) < 0.5
        X = torch.where(is_turned, turned(X), X)
    return X


def augment_crops(X, *, padding=4, fill=None):
    """Move images within a frame and mirror them at random, each one differently.

    Parameters
    ----------
    X : Tensor of shape (n_images, n_channels, height, width)
        Images.
    padding : int, default=4
        Width of the frame in pixels, out of which an image of the size before is cut.
    fill : Tensor of shape (n_channels, 1, 1), default=None
        Values of the frame, such as the mean of each channel; None is zeros.

    Returns
    -------
    Tensor of shape (n_images, n_channels, height, width)
        Images of the type of ``fill``, else of the same, each flipped from left to right with a
        probability of 1/2.
    """
    n_images, n_channels, height, width = X.shape
    shape = n_images, 1, 1
    fill = X.new_zeros(n_channels, 1, 1) if fill is None else fill.to(X.device)
    framed = fill.repeat(n_images, 1, height + 2 * padding, width + 2 * padding)
    framed[:, :, padding : padding + height, padding : padding + width] = X
    framed = framed.permute(0, 2, 3, 1)
    rows = torch.arange(height, device=X.device)[:, None]
    rows = rows + torch.randint(2 * padding + 1, shape, device=X.device)
    columns = torch.arange(width, device=X.device)
    is_flipped = torch.rand(shape, device=X.device) < 0.5
    columns = torch.where(is_flipped, columns.flip(0), columns)
    columns = columns + torch.randint(2 * padding + 1, shape, device=X.device)
    images = torch.arange(n_images, device=X.device).view(shape)
    return framed[images, rows, columns].permute(0, 3, 1, 2).contiguous()
