from skorch.callbacks import Callback


class ProgressBar(Callback):
    """A tqdm progress bar over all batches of a training, with the losses of the last epoch.

    Parameters
    ----------
    description : str, default="fit"
        Text before the bar.
    """

    def __init__(self, description="fit"):
        self.description = description

    def __getstate__(self):
        return {"description": self.description}

    def on_epoch_begin(self, net, dataset_train=None, dataset_valid=None, **kwargs):
        from tqdm.auto import tqdm

        if not hasattr(self, "_bar_"):
            self._bar_ = tqdm(desc=self.description, unit="batch")
        n_steps = sum(
            len(net.get_iterator(data)) for data in (dataset_train, dataset_valid) if data
        )
        n_done = len(net.history) - 1
        self._bar_.total = self._bar_.n + n_steps * (net.max_epochs - n_done)

    def on_batch_end(self, net, **kwargs):
        self._bar_.update()

    def on_epoch_end(self, net, **kwargs):
        last = net.history[-1]
        losses = {key: f"{last[key]:.4g}" for key in ("train_loss", "valid_loss") if key in last}
        self._bar_.set_postfix(epoch=f"{len(net.history)}/{net.max_epochs}", **losses)

    def on_train_end(self, net, **kwargs):
        if hasattr(self, "_bar_"):
            self._bar_.close()
            del self._bar_
