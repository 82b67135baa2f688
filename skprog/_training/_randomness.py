"""Seeds, and torch's generators lent and given back."""

import contextlib
import threading
from numbers import Integral

import numpy as np
import torch

_one_at_a_time = threading.RLock()


@contextlib.contextmanager
def forked_generator(*seeds):
    """Seed torch's generators inside a with-block and give them back as they were."""
    seed = int(np.random.SeedSequence(seeds).generate_state(1)[0])
    # Threads share torch's generators: fits side by side in one process take turns.
    with _one_at_a_time, torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        yield


def draw_seed(random_state):
    """Return a seed from an int, None or a generator, leaving the global one untouched."""
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0])
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(np.iinfo(np.int32).max))
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(np.iinfo(np.int32).max))
    is_bool = isinstance(random_state, bool)
    if is_bool or not isinstance(random_state, Integral) or random_state < 0:
        raise ValueError(
            f"random_state={random_state!r} is no seed; use an integer of at least 0, a "
            "RandomState, a Generator or None."
        )
    return int(random_state)
