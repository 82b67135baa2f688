"""Callbacks on a net whose losses are made up, so that what they do is known."""

import copy
import pickle
import signal

import pytest
import torch
from skorch.callbacks import Callback

from skprog._training import TrainingNet
from skprog.callbacks import BestWeights, ExponentialDecay, FitCheckpoint, ProgressBar


class Counter(torch.nn.Module):
    """A weight that counts epochs."""

    def __init__(self):
        super().__init__()
        self.w = torch.nn.Parameter(torch.tensor(0.0))

    def forward(self, X):
        return self.w * X


class Data:
    def __len__(self):
        return 1

    def batches(self, batch_size, *, shuffle):
        yield torch.ones(1), torch.zeros(1)


class Losses(Callback):
    """Replace the validation losses and count epochs in the weight."""

    def __init__(self, losses):
        self.losses = losses

    def on_epoch_end(self, net, **kwargs):
        epoch = len(net.history)
        net.history.record("valid_loss", self.losses[epoch - 1])
        with torch.no_grad():
            net.module_.w.fill_(epoch)


def train(callbacks, epochs, checkpoint=None):
    net = TrainingNet(Counter, torch.nn.MSELoss, lr=0.1, max_epochs=epochs, callbacks=callbacks)
    net.initialize()
    net.train(Data(), None, epochs, checkpoint=checkpoint)
    return net


def test_weights_of_the_lowest_loss_come_back():
    best = BestWeights()
    net = train([("losses", Losses([3.0, 1.0, 2.0])), ("best", best)], 3)
    assert best.best_epoch_ == 2
    assert best.best_value_ == 1.0
    assert net.module_.w.item() == 2.0


def test_a_loss_that_is_no_number_is_no_improvement():
    nan = float("nan")
    best = BestWeights(patience=2)
    net = train([("losses", Losses([nan, 5.0, nan, nan, 1.0])), ("best", best)], 5)
    assert best.best_epoch_ == 2
    assert len(net.history) == 4


def test_decay_follows_from_the_number_of_epochs():
    net = train([ExponentialDecay(0.5)], 3)
    assert net.history[:, "lr"] == [0.1, 0.05, 0.025]
    net.train(Data(), None, 1)
    assert net.history[-1, "lr"] == 0.0125


@pytest.mark.parametrize("factor", [0, 1.1, -1])
def test_decay_outside_its_range_is_refused(factor):
    with pytest.raises(ValueError, match="factor="):
        ExponentialDecay(factor).initialize()


@pytest.mark.parametrize("fitted", [BestWeights(), ExponentialDecay(), ProgressBar()])
def test_callbacks_survive_copy_and_pickle_in_mid_training(fitted):
    class Copier(Callback):
        def on_epoch_end(self, net, **kwargs):
            copy.deepcopy(fitted)
            assert pickle.loads(pickle.dumps(fitted)).get_params() == fitted.get_params()

    train([("losses", Losses([1.0, 2.0])), ("fitted", fitted), ("copier", Copier())], 2)


def test_an_interrupt_by_the_user_passes_on_and_one_by_a_callback_stops():
    class Stop(Callback):
        def on_epoch_end(self, net, **kwargs):
            raise KeyboardInterrupt

    assert len(train([Stop()], 5).history) == 1

    class Interrupted(Data):
        def batches(self, batch_size, *, shuffle):
            raise KeyboardInterrupt
            yield

    net = TrainingNet(Counter, torch.nn.MSELoss).initialize()
    with pytest.raises(KeyboardInterrupt):
        net.train(Interrupted(), None, 1)


def test_checkpoint_leaves_no_unfinished_file(tmp_path):
    checkpoint = FitCheckpoint(tmp_path / "fit.ckpt", origin={})
    train([("checkpoint", checkpoint)], 2)
    assert [path.name for path in tmp_path.iterdir()] == ["fit.ckpt"]


def test_checkpoint_restores_history_and_callbacks(tmp_path):
    def callbacks():
        checkpoint = FitCheckpoint(tmp_path / "fit.ckpt", origin={"lr": "a"})
        best = BestWeights()
        return [("losses", Losses([3.0, 1.0, 2.0])), ("best", best), ("checkpoint", checkpoint)]

    train(callbacks(), 2)
    again = callbacks()
    net = train(again, 3, checkpoint=again[-1][1])
    assert len(net.history) == 3
    assert again[1][1].best_epoch_ == 2
    assert net.module_.w.item() == 2.0


def test_progress_bar_counts_batches_of_all_epochs(capsys):
    train([ProgressBar("training")], 3)
    shown = capsys.readouterr().err
    assert "training: 100%" in shown
    assert "3/3" in shown


def test_ctrl_c_that_falls_into_a_callback_passes_on():
    # A shell in the background starts its programs deaf to it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    class PressCtrlC(Callback):
        def on_epoch_end(self, net, **kwargs):
            signal.raise_signal(signal.SIGINT)

    try:
        with pytest.raises(KeyboardInterrupt):
            train([PressCtrlC()], 5)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
