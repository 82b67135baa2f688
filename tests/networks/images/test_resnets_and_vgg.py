"""Networks of images: parameter counts, blocks worked out by hand, sizes, and what all must do."""

import copy
import pickle

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from skprog.networks import VGG19, ResNet18, ResNet34, ResNet50, ResNet101, ScaledImages
from skprog.networks.images._resnets import BasicBlock, Bottleneck

COUNTS = {
    ResNet18: 11_173_962,
    ResNet34: 21_282_122,
    ResNet50: 23_520_842,
    ResNet101: 42_512_970,
    VGG19: 20_040_522,
}
each_network = pytest.mark.parametrize("network", COUNTS, ids=lambda cls: cls.__name__)


def built(network, seed=0, **sizes):
    """Build a narrow network from a seed and leave the global generator as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return network(**{"n_channels": 3, "n_classes": 4, "width": 4, **sizes})


def normal(*shape, seed=1):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def used(network, **sizes):
    """Build a network whose batch normalisation has seen images, ready to predict."""
    network = built(network, **sizes)
    network(3 * normal(6, 3, 32, 32, seed=2) + 1)
    return network.eval()


# Layout


@each_network
def test_parameter_counts_are_those_of_the_paper_on_gradient_amplification(network):
    with torch.device("meta"):
        network = network(3, 10)
    assert sum(parameter.numel() for parameter in network.parameters()) == COUNTS[type(network)]


@pytest.mark.parametrize(
    ("network", "n_layers"),
    [(ResNet18, 18), (ResNet34, 34), (ResNet50, 50), (ResNet101, 101), (VGG19, 17)],
)
def test_layers_are_as_many_as_the_name_says_beside_those_of_shortcuts(network, n_layers):
    """VGG-19 has one linear layer in place of three."""
    modules = built(network).named_modules()
    kinds = nn.Conv2d | nn.Linear
    assert sum("shortcut" not in name and isinstance(m, kinds) for name, m in modules) == n_layers


@pytest.mark.parametrize(
    ("network", "shapes"),
    [
        (ResNet18, [(4, 32), (8, 16), (16, 8), (32, 4)]),
        (ResNet50, [(16, 32), (32, 16), (64, 8), (128, 4)]),
        (VGG19, [(4, 16), (8, 8), (16, 4), (32, 2), (32, 1)]),
    ],
)
def test_maps_have_the_sizes_of_their_stages(network, shapes):
    network, found = built(network), []
    for module in network.layers:
        if isinstance(module, BasicBlock | Bottleneck | nn.MaxPool2d):
            module.register_forward_hook(lambda module, args, Y: found.append((*Y.shape[1:3],)))
    network(normal(2, 3, 32, 32))
    assert list(dict.fromkeys(found)) == shapes


def test_a_block_of_zero_convolutions_is_its_shortcut():
    block = BasicBlock(4, 4, stride=1).eval()
    for layer in block.layers:
        if isinstance(layer, nn.Conv2d):
            nn.init.zeros_(layer.weight)
    X = normal(2, 4, 5, 5)
    assert torch.equal(block(X), X.relu())


@pytest.mark.parametrize("n_in", [2, 16])
def test_a_shortcut_is_a_convolution_of_one_pixel_in_steps(n_in):
    shortcut = BasicBlock(n_in, 3, stride=2).shortcut.eval()
    X = normal(2, n_in, 6, 7)
    expected = F.conv2d(X, shortcut[1].weight, stride=2) / (1 + 1e-5) ** 0.5
    torch.testing.assert_close(shortcut(X), expected)


def test_narrow_maps_with_the_channels_last_train_within_their_memory():
    # A convolution of one pixel in steps would crash here: uxlfoundation/oneDNN#6035.
    network = built(ResNet18, width=2)
    for _ in range(3):
        F.cross_entropy(network(normal(20, 3, 16, 16)), torch.arange(20) % 4).backward()
    assert all(parameter.grad.isfinite().all() for parameter in network.parameters())


@each_network
def test_weights_begin_by_the_rule_of_he(network):
    for module in built(network, width=16).layers.modules():
        if isinstance(module, nn.Conv2d):
            n_out = module.weight[:, 0].numel()
            deviation = float(module.weight.detach().std())
            assert deviation == pytest.approx((2 / n_out) ** 0.5, rel=0.2)


# Every network


@each_network
@pytest.mark.parametrize("n_channels", [1, 5])
def test_one_row_of_logits_per_image_of_any_size(network, n_channels):
    network = built(network, n_channels=n_channels, n_classes=5)
    for height, width in ((32, 32), (33, 48)):
        assert network(normal(2, n_channels, height, width)).shape == (2, 5)


@each_network
def test_every_parameter_gets_a_finite_gradient(network):
    network = built(network)
    F.cross_entropy(network(normal(8, 3, 32, 32)), torch.arange(8) % 4).backward()
    gradients = {name: parameter.grad for name, parameter in network.named_parameters()}
    assert not [name for name, g in gradients.items() if g is None or not g.isfinite().all()]
    # A bias before batch normalisation has none but by rounding.
    assert not [name for name, g in gradients.items() if g.ndim > 1 and not g.any()]


@each_network
def test_images_do_not_know_each_other(network):
    network, X = used(network), normal(4, 3, 32, 32)
    torch.testing.assert_close(network(X), torch.cat([network(x) for x in X.split(1)]))


@each_network
def test_bytes_are_computed_in_the_type_of_the_weights(network):
    network = used(network)
    X = torch.arange(2 * 3 * 32 * 32).view(2, 3, 32, 32) % 256
    assert torch.equal(network(X.to(torch.uint8)), network(X.float()))
    double = copy.deepcopy(network).double()
    torch.testing.assert_close(double(X).float(), network(X), rtol=1e-3, atol=1e-4)


@each_network
def test_copies_and_state_give_the_same_logits(network):
    original, X = used(network), normal(2, 3, 32, 32)
    reloaded = built(network, seed=1).eval()
    assert not torch.equal(reloaded(X), original(X))
    reloaded.load_state_dict(original.state_dict())
    for twin in (copy.deepcopy(original), pickle.loads(pickle.dumps(original)), reloaded):
        assert torch.equal(twin(X), original(X))


@each_network
def test_sizes_may_be_integers_of_numpy(network):
    three, four = np.array([3, 4])
    assert built(network, n_channels=three, n_classes=four, width=four).n_channels == 3


# Bad input


@pytest.mark.parametrize(("network", "least"), [(ResNet18, 8), (ResNet101, 8), (VGG19, 32)])
def test_images_smaller_than_the_network_needs_are_refused(network, least):
    network = built(network)
    assert network(normal(2, 3, least, least)).shape == (2, 4)
    with pytest.raises(ValueError, match=f"needs at least {least} x {least}; enlarge them"):
        network(normal(2, 3, least, least - 1))


@pytest.mark.parametrize(("network", "size"), [(ResNet18, 9), (ResNet101, 9), (VGG19, 32)])
def test_a_single_image_trains_where_batch_normalisation_sees_two_places(network, size):
    network = built(network)
    assert network(normal(1, 3, size, size)).isfinite().all()
    if size == 9:
        with pytest.raises(ValueError, match="X has 1 image of 8 x 8 pixels, too few for batch"):
            network(normal(1, 3, 8, 8))


@pytest.mark.parametrize("shape", [(2, 1, 32, 32), (2, 32, 32, 3), (3, 32, 32)])
def test_images_of_other_channels_are_refused(shape):
    with pytest.raises(ValueError, match=r"give images of shape \(n_images, 3, height, width\)"):
        built(ResNet18)(normal(*shape))


@each_network
@pytest.mark.parametrize(
    ("sizes", "error", "message"),
    [
        ({"n_channels": 0}, ValueError, "n_channels=0 must be at least 1"),
        ({"n_classes": 1}, ValueError, "n_classes=1 must be at least 2"),
        ({"width": 0}, ValueError, "width=0 must be at least 1"),
        ({"width": 8.0}, TypeError, r"width=8\.0 must be an integer"),
    ],
)
def test_impossible_sizes_are_refused(network, sizes, error, message):
    with pytest.raises(error, match=message):
        built(network, **sizes)


# ScaledImages


def test_channels_are_standardised_by_their_buffers():
    scaled = ScaledImages(nn.Identity, 2)
    scaled.mean.copy_(torch.tensor([1.0, 10.0]).view(2, 1, 1))
    scaled.scale.copy_(torch.tensor([2.0, 5.0]).view(2, 1, 1))
    X = torch.tensor([[[[1, 5]], [[0, 20]]]], dtype=torch.uint8)
    assert scaled(X).tolist() == [[[[0.0, 2.0]], [[-2.0, 2.0]]]]
