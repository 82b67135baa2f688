"""Batches, generators and mixed precision inside the estimators."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from skprog._training import (
    ArrayData,
    SequenceData,
    TrainingNet,
    augment_crops,
    augment_images,
    augment_windows,
    draw_seed,
    forked_generator,
    predict_sequences,
    resolve_device,
)
from skprog.networks import CnnLstm


def sequence_data(n_rows=50, n_channels=2, n_steps=4, runs=2, **params):
    windows = np.arange(n_rows * n_channels, dtype=np.float32).reshape(n_rows, n_channels, 1)
    index = np.maximum(np.arange(n_rows)[:, None] + np.arange(1 - n_steps, 1), 0)
    runs = np.repeat(np.arange(runs), -(-n_rows // runs))[:n_rows]
    y = np.arange(n_rows, dtype=np.float32)
    return SequenceData(windows, index, y, runs=runs, **params)


def last_windows(batches):
    """Return the value of each sequence's last window, over batches."""
    return [X["X"][X["index"][:, -1], 0].numpy() for X, _ in batches]


def make_net(**params):
    return TrainingNet(
        CnnLstm,
        torch.nn.MSELoss,
        optimizer=params.pop("optimizer", torch.optim.Adam),
        module__window_shape=(1,),
        module__lstm_units=4,
        module__dense_units=(4,),
        batch_size=16,
        **params,
    ).initialize()


@given(st.integers(1, 60), st.integers(1, 3), st.integers(1, 20), st.integers(1, 20), st.booleans())
def test_an_epoch_has_each_sequence_once(n_rows, n_channels, batch_size, chunk_length, shuffle):
    data = sequence_data(n_rows, n_channels, chunk_length=chunk_length)
    batches = last_windows(data.batches(batch_size, shuffle=shuffle))
    sizes = [len(batch) for batch in batches]
    np.testing.assert_array_equal(np.sort(np.concatenate(batches)), np.arange(n_rows * n_channels))
    assert max(sizes) <= batch_size
    assert max(sizes) - min(sizes) <= 1


@given(st.integers(1, 200), st.integers(1, 50))
def test_batches_of_arrays_differ_by_one_row_at_most(n_rows, batch_size):
    X = np.arange(n_rows, dtype=np.float32)
    sizes = [len(y) for _, y in ArrayData(X, X).batches(batch_size, shuffle=True)]
    assert sum(sizes) == n_rows
    assert max(sizes) <= batch_size
    assert max(sizes) - min(sizes) <= 1


def test_targets_follow_their_sequences():
    data = sequence_data(chunk_length=8)
    for X, y in data.batches(16, shuffle=True):
        last = X["X"][X["index"][:, -1], 0]
        # Windows are numbered row by row, and within a row channel by channel.
        np.testing.assert_array_equal(last // 2, y)


def test_a_batch_holds_each_window_once():
    data = sequence_data(n_rows=64, n_channels=1, runs=1, chunk_length=16)
    for X, y in data.batches(16, shuffle=True):
        assert len(np.unique(X["X"])) == len(X["X"])
        assert len(X["X"]) <= len(y) + 2 * 3


def test_chunks_stay_in_their_run_and_channel():
    data = sequence_data(n_rows=60, runs=3, chunk_length=10)
    torch.manual_seed(0)
    batches = list(data.batches(10, shuffle=True))
    assert len(batches) == 12
    for X, y in batches:
        channels = np.unique(X["X"][X["index"][:, -1], 0] % 2)
        assert len(channels) == 1
        assert len(np.unique(y // 20)) == 1


def test_epochs_are_shuffled_anew():
    data = sequence_data(chunk_length=4)
    one, other = (np.concatenate(last_windows(data.batches(8, shuffle=True))) for _ in range(2))
    assert not np.array_equal(one, other)


def test_prediction_equals_the_network_on_stacked_sequences():
    net = make_net(device="cpu")
    data = sequence_data(n_rows=40)
    outputs = predict_sequences(net, data, batch_size=7)
    stacked = torch.from_numpy(data.windows[data.sequence_index(np.arange(80))])
    with torch.inference_mode():
        expected = net.module_(stacked).numpy().reshape(2, 40)
    np.testing.assert_allclose(outputs, expected, atol=1e-6)
    assert outputs.dtype == np.float64


def test_read_only_windows_are_read():
    data = sequence_data(n_rows=20)
    data.windows.flags.writeable = False
    assert predict_sequences(make_net(), data).shape == (2, 20)


def test_forked_generator_gives_the_state_back():
    before = torch.get_rng_state()
    with forked_generator(1, 2):
        one = torch.rand(3)
    with forked_generator(1, 2):
        other = torch.rand(3)
    with forked_generator(1, 3):
        third = torch.rand(3)
    assert torch.equal(one, other)
    assert not torch.equal(one, third)
    assert torch.equal(torch.get_rng_state(), before)


def test_seeds_come_from_ints_none_and_random_states():
    assert draw_seed(7) == 7
    assert draw_seed(np.random.RandomState(0)) == draw_seed(np.random.RandomState(0))
    assert draw_seed(None) != draw_seed(None)


def test_automatic_device_is_one_that_torch_has():
    assert resolve_device("cpu") == "cpu"
    torch.ones(1, device=resolve_device("auto"))


class Line(torch.nn.Module):
    """The line w X through 0, from w = 3."""

    def __init__(self):
        super().__init__()
        self.w = torch.nn.Parameter(torch.tensor(3.0))

    def forward(self, X):
        return self.w * X[:, 0]


def line_net(**params):
    return TrainingNet(
        Line, torch.nn.MSELoss, optimizer=torch.optim.SGD, batch_size=64, **params
    ).initialize()


@pytest.mark.parametrize("amp", [None, "bf16", "fp16"])
def test_callbacks_see_unscaled_gradients_in_mixed_precision(amp):
    net = line_net(amp=amp, lr=0.25)
    seen = []
    net.on_grad_computed = lambda net, named_parameters, **_: seen.extend(
        parameter.grad.item() for _, parameter in named_parameters
    )
    net.train_step((torch.ones(4, 1), torch.zeros(4)))
    # The loss w² has the gradient 2 w = 6, and the step is 0.25 of it.
    assert seen == [6.0]
    assert net.module_.w.item() == 1.5


@pytest.fixture
def two_channels():
    return torch.randn(6, 2, 50, generator=torch.Generator().manual_seed(0))


def test_shift_rolls_all_channels_of_a_window_alike(two_channels):
    with forked_generator(0):
        shifted = augment_windows(two_channels, ("shift",))
    for window, moved in zip(two_channels, shifted, strict=True):
        rolls = [torch.equal(window.roll(-n, dims=1), moved) for n in range(50)]
        assert sum(rolls) == 1


def test_gain_multiplies_each_window_by_its_own_factor(two_channels):
    with forked_generator(0):
        factors = augment_windows(two_channels, ("gain",)) / two_channels
    assert (factors > 0).all()
    torch.testing.assert_close(factors, factors[:, :1, :1].expand_as(factors))
    assert len(factors[:, 0, 0].unique()) == 6


def test_noise_is_a_tenth_of_the_deviation():
    X = 3 * torch.randn(4, 1, 20_000, generator=torch.Generator().manual_seed(0)).half()
    with forked_generator(0):
        noise = augment_windows(X, ("noise",)) - X.float()
    torch.testing.assert_close(noise.std(dim=2), 0.1 * X.float().std(dim=2), rtol=0.03, atol=0)


def test_one_point_per_window_has_no_noise():
    assert torch.equal(augment_windows(torch.ones(2, 1, 1), ("noise",)), torch.ones(2, 1, 1))


def test_images_are_flipped_and_turned_each_in_its_own_way():
    image = torch.arange(9).reshape(3, 3)
    turned = augment_images(image.repeat(400, 1, 1).to(torch.uint16))
    eight = [torch.rot90(each, k) for each in (image, image.T) for k in range(4)]
    counts = [int((turned == each).all(dim=(1, 2)).sum()) for each in eight]
    assert sum(counts) == 400
    assert min(counts) > 20


def test_crops_of_a_frame_of_zeros_and_their_mirror_images_are_drawn_alike():
    image = torch.tensor([[[1, 2], [3, 4]], [[5, 6], [7, 8]]], dtype=torch.uint8)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        drawn = augment_crops(image.repeat(1800, 1, 1, 1), padding=1)
    assert drawn.dtype == torch.uint8
    framed = torch.nn.functional.pad(image, (1, 1, 1, 1))
    crops = [framed[:, i : i + 2, j : j + 2] for i in range(3) for j in range(3)]
    # One pixel up and to the left, and its mirror image.
    assert crops[8].tolist() == [[[4, 0], [0, 0]], [[8, 0], [0, 0]]]
    flipped = [crop.flip(2) for crop in crops]
    assert flipped[8].tolist() == [[[0, 4], [0, 0]], [[0, 8], [0, 0]]]
    counts = [int((drawn == each).all(dim=(1, 2, 3)).sum()) for each in (*crops, *flipped)]
    assert sum(counts) == 1800
    assert 60 < min(counts) <= max(counts) < 150


def test_a_frame_has_the_values_given_for_each_channel():
    fill = torch.tensor([0.5, 300.0])[:, None, None]
    X = torch.ones(64, 2, 4, 5, dtype=torch.uint8)
    drawn = augment_crops(X, padding=2, fill=fill)
    assert drawn.dtype == torch.float32
    assert set(drawn[:, 0].unique().tolist()) == {0.5, 1}
    assert set(drawn[:, 1].unique().tolist()) == {1, 300}
    assert torch.equal(drawn[:, 0] == 0.5, drawn[:, 1] == 300)
    assert torch.equal(augment_crops(X, padding=0, fill=fill).unique(), torch.ones(1))


def test_crops_are_of_the_height_and_width_before():
    assert augment_crops(torch.ones(3, 1, 5, 9)).shape == (3, 1, 5, 9)
