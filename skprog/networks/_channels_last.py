"""Memory layout of two-dimensional layers."""

import torch


def channels_last(module):
    """Return a module with the channels last in memory, which a CPU is faster with."""
    return module.to(memory_format=torch.channels_last)
