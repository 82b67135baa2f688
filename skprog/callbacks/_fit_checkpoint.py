from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from skorch.callbacks import Callback
from skorch.history import History

if TYPE_CHECKING:
    from os import PathLike
    from typing import Any, Self

    from skorch import NeuralNet


class FitCheckpoint(Callback):
    """Write all that a fit needs to resume after each epoch, and resume from it.

    The file holds weights, optimizer, history, callbacks and generators as they are at the end
    of an epoch; a fit killed in mid-epoch repeats that epoch. It is replaced as a whole, never
    written in place. Loading it unpickles: resume only from files you trust.

    Parameters
    ----------
    path : str or path-like
        File to write, in a folder that exists. One file serves one fit.
    seed : int, default=0
        Seed of the fit, kept for a fit that is not given one.
    origin : dict of str to str, default=None
        Hashes of hyperparameters and data; a file with others is refused.
    """

    def __init__(
        self, path: str | PathLike[str], *, seed: int = 0, origin: dict[str, str] | None = None
    ) -> None:
        self.path = path
        self.seed = seed
        self.origin = origin

    def initialize(self) -> Self:
        path = Path(self.path)
        if path.is_dir() or not path.parent.is_dir():
            raise ValueError(
                f"checkpoint {path} is no file in a folder that exists; create the folder first."
            )
        return self

    def of_network(self, i: int) -> Self:
        """Return the checkpoint of the i-th of several networks, 0 the first.

        Parameters
        ----------
        i : int
            Place of the network; from 1 on it is appended to the name of the file.

        Returns
        -------
        FitCheckpoint
            This one for the first network, else one of another file, which belongs to no other
            seed.
        """
        if i == 0:
            return self
        origin = {**(self.origin or {}), "seed": str(self.seed)}
        return FitCheckpoint(f"{os.fspath(self.path)}.{i}", seed=self.seed, origin=origin)

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        state = {
            "seed": self.seed,
            "origin": self.origin or {},
            "module": net.module_.state_dict(),
            "optimizer": net.optimizer_.state_dict(),
            "scaler": net.scaler_.state_dict(),
            "history": list(net.history),
            "callbacks": {name: _state_of(callback) for name, callback in net.callbacks_},
            "generators": (torch.get_rng_state(), torch.cuda.get_rng_state_all()),
        }
        path = Path(self.path)
        unfinished = path.with_name(f"{path.name}.{os.getpid()}.part")
        torch.save(state, unfinished)
        os.replace(unfinished, path)

    def load(self, device: str = "cpu") -> dict[str, Any] | None:
        """Read the file.

        Parameters
        ----------
        device : str, default="cpu"
            Where its tensors go.

        Returns
        -------
        dict or None
            What was saved; None when there is no file.

        Raises
        ------
        ValueError
            If the file is damaged or comes from a fit with other hyperparameters or data.
        """
        if not Path(self.path).exists():
            return None
        try:
            state = torch.load(self.path, map_location=device, weights_only=False)
            saved = state["origin"] or {}
        # torch, zipfile and pickle raise about as many kinds as there are ways to damage a file.
        except Exception as error:
            raise ValueError(
                f"checkpoint {self.path} cannot be read ({error}); delete it to start anew."
            ) from error
        differing = [
            name for name, value in (self.origin or {}).items() if saved.get(name) != value
        ]
        if differing:
            raise ValueError(
                f"checkpoint {self.path} was written by a fit with other {', '.join(differing)}; "
                "delete it or use another file."
            )
        return state

    def restore(self, net: NeuralNet) -> int:
        """Put a net that has begun its training where the file left it.

        Parameters
        ----------
        net : skorch.NeuralNet
            Net whose ``on_train_begin`` has been notified.

        Returns
        -------
        int
            Epochs already done; 0 when there is no file.

        Raises
        ------
        ValueError
            If the file is damaged, comes from a fit with other hyperparameters or data, or holds
            more epochs than the net is to train.
        """
        state = self.load(net.device)
        if state is None:
            return 0
        last_step = getattr(net, "last_step_", None)
        if last_step is None:
            name, unit, bound, done = "max_epochs", "epochs", net.max_epochs, len(state["history"])
        else:
            name, unit, bound = "max_steps", "steps", last_step
            done = sum(epoch["train_batch_count"] for epoch in state["history"])
        if done > bound:
            raise ValueError(
                f"checkpoint {self.path} holds {done} {unit}, more than {name}={bound}; raise "
                f"{name} or delete the file."
            )
        net.module_.load_state_dict(state["module"])
        net.optimizer_.load_state_dict(state["optimizer"])
        net.scaler_.load_state_dict(state["scaler"])
        net.history = History(state["history"])
        for name, callback in net.callbacks_:
            _restore(callback, state["callbacks"].get(name, {}))
        cpu, cuda = state["generators"]
        torch.set_rng_state(cpu.cpu())
        if len(cuda) == torch.cuda.device_count():
            torch.cuda.set_rng_state_all([generator.cpu() for generator in cuda])
        return len(net.history)


def _state_of(callback):
    # Not by pickling, from which some callbacks keep back what resuming needs.
    return {
        name: value.state_dict() if _is_stateful(value) else value
        for name, value in vars(callback).items()
        if name.endswith("_") and not name.startswith("_")
    }


def _restore(callback, state):
    for name, value in state.items():
        if _is_stateful(getattr(callback, name, None)):
            getattr(callback, name).load_state_dict(value)
        else:
            setattr(callback, name, value)


def _is_stateful(value):
    # A scheduler of torch, say, which points at the optimizer of its own net.
    return hasattr(value, "load_state_dict") and not isinstance(value, type)
