"""The device that a name means."""

import torch


def resolve_device(device):
    """Return the torch device of a name, where "auto" takes CUDA, then MPS, then the CPU."""
    if device != "auto":
        try:
            torch.empty(0, device=device)
            return str(torch.device(device))
        except (AssertionError, RuntimeError, TypeError) as error:
            raise ValueError(
                f"device={device!r} is not available ({error}); use 'auto' or 'cpu'."
            ) from None
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"
