from __future__ import annotations

from typing import TYPE_CHECKING

from skorch.callbacks import Callback

if TYPE_CHECKING:
    from typing import Any

    from skorch import NeuralNet


class ProgressBar(Callback):
    """A tqdm progress bar over all batches of a training, with the losses of the last epoch.

    Parameters
    ----------
    description : str, default="fit"
        Text before the bar.
    """

    def __init__(self, description: str = "fit") -> None:
        self.description = description

    def __getstate__(self):
        return {"description": self.description}

    def on_epoch_begin(
        self, net: NeuralNet, dataset_train: Any = None, dataset_valid: Any = None, **kwargs: Any
    ) -> None:
        from tqdm.auto import tqdm

        if not hasattr(self, "_bar_"):
            self._bar_ = tqdm(desc=self.description, unit="batch")
        n_steps = sum(
            len(net.get_iterator(data)) for data in (dataset_train, dataset_valid) if data
        )
        n_done = len(net.history) - 1
        self._bar_.total = self._bar_.n + n_steps * (net.max_epochs - n_done)

    def on_batch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        self._bar_.update()

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        last = net.history[-1]
        losses = {key: f"{last[key]:.4g}" for key in ("train_loss", "valid_loss") if key in last}
        self._bar_.set_postfix(epoch=f"{len(net.history)}/{net.max_epochs}", **losses)

    def on_train_end(self, net: NeuralNet, **kwargs: Any) -> None:
        if hasattr(self, "_bar_"):
            self._bar_.close()
            del self._bar_
