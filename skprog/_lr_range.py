"""The core of the learning-rate range test: raise the rate batch by batch, watch the loss."""

import copy
import itertools

import numpy as np
import torch

__all__ = ["lr_range_curve", "steepest_lr"]


def lr_range_curve(net, data, *, lr_min=1e-7, lr_max=10.0, n_batches=100, stop_factor=4.0):
    """Train on batches at exponentially rising learning rates [1]_.

    Weights, optimizer and random generators are left as they were.

    Parameters
    ----------
    net : TrainingNet
        Initialized net.
    data : object with ``batches``
        Training data, gone through as often as needed.
    lr_min, lr_max : float
        First and last learning rate.
    n_batches : int, default=100
        Learning rates tried.
    stop_factor : float, default=4.0
        Stop once the smoothed loss exceeds the lowest so often.

    Returns
    -------
    lrs, losses : ndarray of shape (n_tried,)
        Learning rates and smoothed training losses.

    References
    ----------
    .. [1] L. N. Smith, "Cyclical learning rates for training neural networks", WACV 2017.
    """
    weights = copy.deepcopy(net.module_.state_dict())
    optimizer = copy.deepcopy(net.optimizer_.state_dict())
    losses = []
    lrs = np.geomspace(lr_min, lr_max, n_batches)
    epochs = (iter(net.get_iterator(data, training=True)) for _ in itertools.count())
    batches = itertools.chain.from_iterable(epochs)
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        for lr, batch in zip(lrs, batches, strict=False):
            for group in net.optimizer_.param_groups:
                group["lr"] = lr
            net.optimizer_.zero_grad()
            losses.append(net.train_step_single(batch)["loss"].item())
            net.optimizer_.step()
            smooth = _smoothed(losses)
            if not np.isfinite(smooth[-1]) or smooth[-1] > stop_factor * smooth.min():
                break
    net.module_.load_state_dict(weights)
    net.optimizer_.load_state_dict(optimizer)
    smooth = _smoothed(losses)
    finite = np.isfinite(smooth)
    return lrs[: len(smooth)][finite], smooth[finite]


def steepest_lr(lrs, losses):
    """Return the learning rate at which the loss falls fastest per decade, before its minimum.

    The first tenth of the rates, too low to learn at, is left out, and the losses are averaged over
    as many: what differs there are the batches.

    Raises
    ------
    ValueError
        If fewer than 3 losses lie between that tenth and the minimum, so that there is no fall to
        measure.
    """
    stop = int(np.argmin(losses)) + 1
    start = max(1, len(lrs) // 10)
    if stop - start < 3:
        raise ValueError(
            f"lr='auto' found no falling loss between lr={lrs[0]:.1e} and {lrs[-1]:.1e}; "
            "set lr to a number."
        )
    around = np.pad(losses, (start // 2, start - 1 - start // 2), mode="edge")
    level = np.convolve(around, np.full(start, 1 / start), mode="valid")
    slopes = np.gradient(level[start:stop], np.log(lrs[start:stop]))
    return float(lrs[start + np.argmin(slopes)])


def _smoothed(losses, beta=0.9):
    average, smooth = 0.0, []
    for i, loss in enumerate(losses, start=1):
        average = beta * average + (1 - beta) * loss
        smooth.append(average / (1 - beta**i))
    return np.array(smooth)
