"""What a trained net says of rows and of sequences of windows."""

import numpy as np
import torch

from ._batches import n_batches


def predict_sequences(net, data, *, batch_size=512):
    """Return the network's output for each row and channel of SequenceData.

    Each distinct window is encoded once.

    Returns
    -------
    ndarray of shape (n_channels, n_rows)
        Outputs as float64.
    """
    parts = _parts(data.windows, batch_size)
    features = torch.cat([encode_windows(net, windows) for windows in parts])
    outputs = []
    for sequences in _parts(np.arange(len(data)), batch_size):
        index = torch.from_numpy(data.sequence_index(sequences)).to(net.device)
        outputs.append(decode_sequences(net, features, index))
    return torch.cat(outputs).double().numpy().reshape(data.n_channels, -1)


def encode_windows(net, windows, *, multiple=16):
    """Return the features (n_windows, n_features) of windows, a tensor on the net's device."""
    with torch.inference_mode(), net.autocast():
        windows = as_tensor(windows).to(net.device, torch.float32)
        return evaluating(net).encode(_padded(windows, multiple))[: len(windows)]


def decode_sequences(net, features, index, *, multiple=16):
    """Return the outputs (n_sequences,) of sequences (n_sequences, n_steps) of features."""
    with torch.inference_mode(), net.autocast():
        output = evaluating(net).decode(features[_padded(index, multiple)])
        return output[: len(index)].float().cpu()


def evaluating(net):
    """Return the module of a net, in evaluation."""
    # Asked first: eval() goes through all layers, which takes a tenth of an online update.
    return net.module_.eval() if net.module_.training else net.module_


def predict_rows(net, X, *, lengths=None, batch_size=512):
    """Return the network's output for each row of an array, as float64.

    ``lengths`` (n_rows,) are those of series of unequal length, with zeros after their end.
    """
    module = net.module_.eval()
    outputs = []
    with torch.inference_mode():
        for part in _parts(np.arange(len(X)), batch_size):
            rows = X[part[0] : part[-1] + 1]
            known = {}
            if lengths is not None:
                rows = rows[:, :, : lengths[part].max()]
                # A row of padding has no series: one timepoint, lest a network sees an empty one.
                known["lengths"] = (
                    _padded(torch.from_numpy(lengths[part])).clamp(min=1).to(net.device)
                )
            # Before autocast, which cannot join float16 on a CPU.
            padded = _padded(as_tensor(rows).to(net.device))
            with net.autocast():
                outputs.append(module(padded, **known)[: len(rows)].float().cpu())
    return torch.cat(outputs).double().numpy()


def _parts(array, size):
    return np.array_split(array, n_batches(len(array), size))


def as_tensor(array):
    """Return an array as a tensor, copied only where torch could not take it."""
    # Contiguous, as torch takes no reversed axes, and of our byte order; writeable, lest it warns.
    return torch.from_numpy(np.require(array, array.dtype.newbyteorder("="), ["C", "W"]))


def _padded(rows, multiple=16):
    """Append zeros up to a multiple, so that a row's result does not depend on the batch size."""
    n_zeros = -len(rows) % multiple
    return torch.cat([rows, rows.new_zeros(n_zeros, *rows.shape[1:])]) if n_zeros else rows
