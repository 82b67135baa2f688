"""Mixed precision for LSTMs, on processors that have none of theirs."""

from contextlib import nullcontext

import torch


def lstm_autocast(device):
    """Return a context without autocast where it would ask for an LSTM that torch does not have.

    It has none in bfloat16 for processors that do not compute in that type.

    Parameters
    ----------
    device : torch.device
        Where the LSTM is to run.
    """
    if device.type != "cpu" or not torch.is_autocast_enabled("cpu"):
        return nullcontext()
    # Builds without oneDNN lack the question too.
    if torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return nullcontext()
    return torch.autocast("cpu", enabled=False)
