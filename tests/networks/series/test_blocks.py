"""Blocks of the networks of series against the layers of torch."""

import copy

import pytest
import torch
import torch.nn.functional as F
from _series_networks import (
    NAN,
    built,
    gradients,
    normal,
    padded,
    seeded,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from skprog.networks import (
    DCNN,
    FCN,
    InceptionTime,
)
from skprog.networks.series import _blocks
from skprog.networks.series._blocks import (
    ProductGradientConv,
    TimeConv,
    TimeNorm,
    mean_over_time,
)


@given(
    kernel_size=st.integers(1, 9),
    n_rows=st.integers(1, 3),
    n_timepoints=st.integers(1, 12),
    bias=st.booleans(),
)
@settings(max_examples=40)
def test_convolution_along_time_is_that_of_each_row(kernel_size, n_rows, n_timepoints, bias):
    conv = seeded(TimeConv, 2, 3, kernel_size, bias=bias)
    X = normal(2, 2, n_rows, n_timepoints)
    left = (kernel_size - 1) // 2
    rows = F.pad(X, (left, kernel_size - 1 - left)).transpose(1, 2).flatten(0, 1)
    expected = F.conv1d(rows, conv.weight[:, :, 0], conv.bias).view(2, n_rows, 3, n_timepoints)
    torch.testing.assert_close(conv(X), expected.transpose(1, 2))


def test_an_even_kernel_of_ones_sums_one_more_value_to_the_right():
    conv = TimeConv(1, 1, 4, bias=False)
    nn.init.ones_(conv.weight)
    X = torch.tensor([[[[1.0, 10.0, 100.0, 1000.0]]]])
    assert conv(X).flatten().tolist() == [111.0, 1111.0, 1110.0, 1100.0]


def test_groups_of_filters_do_not_see_each_other():
    conv, X = seeded(TimeConv, 4, 4, 3, groups=4), normal(2, 4, 2, 7)
    other = X.clone()
    other[:, 1] += 1
    assert (conv(other) != conv(X)).any(dim=(0, 2, 3)).tolist() == [False, True, False, False]


@pytest.mark.parametrize("n_rows_at_once", [1, 20, 1024])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(("kernel_size", "pad"), [(1, 0), (3, 1), (4, 0), (5, 2)])
def test_gradients_as_products_are_those_of_torch(
    kernel_size, pad, memory_format, n_rows_at_once, monkeypatch
):
    monkeypatch.setattr(_blocks, "N_ROWS", n_rows_at_once)
    tensors = normal(3, 4, 2, 9), normal(6, 4, 1, kernel_size, seed=2), normal(6, seed=3)
    found = []
    for convolve in (ProductGradientConv.apply, conv2d):
        X, weight, bias = (tensor.clone().requires_grad_() for tensor in tensors)
        Y = convolve(X.to(memory_format=memory_format), weight, bias, (0, pad))
        (Y * normal(*Y.shape, seed=4)).sum().backward()
        found.append([Y.detach(), X.grad, weight.grad, bias.grad])
    torch.testing.assert_close(*found, rtol=1e-5, atol=1e-5)


def conv2d(X, weight, bias, padding):
    return F.conv2d(X, weight, bias, padding=padding)


@pytest.mark.parametrize("n_rows_at_once", [6, 1024])
@pytest.mark.parametrize("pad", [0, 1])
def test_gradients_as_products_are_those_of_finite_differences(pad, n_rows_at_once, monkeypatch):
    monkeypatch.setattr(_blocks, "N_ROWS", n_rows_at_once)
    shapes = (2, 2, 2, 5), (3, 2, 1, 3), (3,)
    tensors = [normal(*shape, seed=i).double().requires_grad_() for i, shape in enumerate(shapes)]
    X, weight, bias = tensors
    padding = (0, pad)
    assert torch.autograd.gradcheck(ProductGradientConv.apply, (X, weight, bias, padding))
    assert torch.autograd.gradcheck(ProductGradientConv.apply, (X, weight, None, padding))
    # The first layer of a network needs no gradient of the series.
    assert torch.autograd.gradcheck(ProductGradientConv.apply, (X.detach(), weight, bias, padding))


@pytest.fixture
def avx2(monkeypatch):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")


def is_product(conv, X):
    return type(conv(X).grad_fn).__name__ == "ProductGradientConvBackward"


@pytest.mark.parametrize("kernel_size", [1, 4, 5])
def test_wide_convolutions_train_by_products(kernel_size, avx2):
    conv, X = TimeConv(64, 64, kernel_size), normal(2, 64, 1, 6)
    assert is_product(conv, X)
    assert not is_product(conv.double(), X.double())
    assert not is_product(conv.float().eval(), X)


@pytest.mark.parametrize(("n_in", "n_out"), [(63, 64), (64, 63), (1, 128)])
def test_narrow_convolutions_train_as_torch_does(n_in, n_out, avx2):
    assert not is_product(TimeConv(n_in, n_out, 3), normal(2, n_in, 1, 6))


@pytest.mark.parametrize("groups", [2, 128])
def test_convolutions_of_groups_train_as_torch_does(groups, avx2):
    assert not is_product(TimeConv(128, 128, 3, groups=groups), normal(2, 128, 1, 6))


def test_products_are_for_avx2_and_full_precision_only(avx2, monkeypatch):
    conv, X = TimeConv(64, 64, 3), normal(2, 64, 1, 6)
    with torch.autocast("cpu", torch.bfloat16):
        assert not is_product(conv, X)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    assert not is_product(conv, X)


@pytest.mark.parametrize(
    ("network", "params"),
    [
        (FCN, {"n_filters": (64, 64), "kernel_sizes": (4, 3)}),
        (DCNN, {"n_filters": (64, 64), "kernel_sizes": (3, 4)}),
        (InceptionTime, {"n_filters": 64, "bottleneck": 64, "kernel_sizes": (6, 3), "depth": 3}),
    ],
)
def test_networks_have_the_same_gradients_with_and_without_products(
    network, params, avx2, monkeypatch
):
    network, X = built(network, params), normal(4, 3, 12)
    longer, lengths = padded(X, 15, NAN)
    logits, grads = gradients(copy.deepcopy(network), longer, lengths=lengths)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "DEFAULT")
    torch.testing.assert_close((logits, grads), gradients(network, X), rtol=1e-3, atol=1e-5)


def test_batch_normalisation_sees_the_valid_values_only():
    lengths = torch.tensor([5, 2, 3])
    mask = (torch.arange(5) < lengths[:, None])[:, None, None]
    X = 3 * normal(3, 4, 2, 5) + 1
    is_valid = mask.expand(3, 4, 2, 5)
    padded_with_nan = X.masked_fill(~is_valid, NAN).requires_grad_()
    norm, reference = TimeNorm(4), nn.BatchNorm1d(4)
    for each in (norm, reference):
        with torch.no_grad():
            each.weight.copy_(normal(4, seed=2))
            each.bias.copy_(normal(4, seed=3))
    # (n_values, n_filters): 10 timepoints in 2 rows.
    values = X.transpose(0, 1)[is_valid.transpose(0, 1)].view(4, 20).T
    for training in (True, False):
        Y = norm.train(training)(padded_with_nan, mask)
        expected = reference.train(training)(values).T.flatten()
        torch.testing.assert_close(Y.transpose(0, 1)[is_valid.transpose(0, 1)], expected)
        assert not Y[~is_valid].any()
        torch.testing.assert_close(dict(norm.named_buffers()), dict(reference.named_buffers()))
    Y.sum().backward()
    assert padded_with_nan.grad.isfinite().all()
    assert not padded_with_nan.grad[~is_valid].any()


def test_the_mean_over_time_leaves_the_padding_out():
    X = torch.tensor([[[[1.0, 2.0, 6.0, 0.0], [3.0, 0.0, 0.0, 0.0]]]])
    mask = torch.tensor([[[[True, True, True, False]]]])
    assert mean_over_time(X, mask).tolist() == [[2.0]]
    assert mean_over_time(X).tolist() == [[1.5]]
