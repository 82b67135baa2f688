"""What gradient amplification costs an epoch, and what ImageClassifier does over a bare loop."""

import cProfile
import pstats

import numpy as np
import pytest
import torch
from _interleaved import paired_ratio
from _peak_memory import peak_megabytes

from skprog.callbacks import GradientAmplification
from skprog.estimators import ImageClassifier
from skprog.networks import ResNet18

BATCH_SIZE = 128
N_STEPS = 2


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, (N_STEPS * BATCH_SIZE, 3, 32, 32), dtype=np.uint8)
    return X, np.arange(len(X)) % 10


def trainer(images, callback=None, **params):
    """Return a call that trains one more epoch, after a first one."""
    callbacks = [] if callback is None else [("amplification", callback)]
    model = ImageClassifier(
        network_params={"width": 16},
        batch_size=BATCH_SIZE,
        callbacks=callbacks,
        max_epochs=1,
        lr=1e-3,
        random_state=0,
        **params,
    ).fit(*images)
    net, data = model.net_, model._data(images[0], np.asarray(images[1]))
    return lambda: net.train(data, None, 1)


def measure(benchmark, slow, fast):
    """Record how long ``slow`` takes over ``fast``, and return the interval of that ratio."""
    ratio, interval = paired_ratio(slow, fast)
    benchmark.extra_info.update(ratio=ratio, interval=interval)
    benchmark.pedantic(slow, rounds=3)
    return interval


def share_of_callback(epoch):
    """Return the share of an epoch's time that the methods of the callback take."""
    profile = cProfile.Profile()
    profile.runcall(epoch)
    rows = pstats.Stats(profile).stats
    total = sum(self_time for _, _, self_time, _, _ in rows.values())
    name = "_gradient_amplification.py"
    own = [
        cumulative
        for (path, _, method), (_, _, _, cumulative, _) in rows.items()
        if path.endswith(name) and method.startswith("on_")
    ]
    return sum(own) / total


def test_an_analysis_epoch_is_at_most_3_per_cent_slower(benchmark, images):
    # Measures every epoch, and always chooses the same layers, to which a factor of 1 does nothing.
    callback = GradientAmplification([(10_000, None, True, 1)], reselect_every=1, strategy="all")
    analysed = trainer(images, callback)
    interval = measure(benchmark, analysed, trainer(images))
    benchmark.extra_info["share"] = share = share_of_callback(analysed)
    assert share <= 0.03
    assert interval[0] <= 1.03


def test_an_amplified_epoch_is_at_most_1_per_cent_slower(benchmark, images):
    amplified = trainer(images, GradientAmplification([(10_000, None, True, 2)], strategy="all"))
    interval = measure(benchmark, amplified, trainer(images))
    benchmark.extra_info["share"] = share = share_of_callback(amplified)
    assert share <= 0.01
    assert interval[0] <= 1.01


def test_training_is_within_5_per_cent_of_a_bare_loop(benchmark, images):
    X, y = images
    model = ImageClassifier(
        network_params={"width": 16}, batch_size=BATCH_SIZE, max_epochs=1, augment=False
    ).fit(X, y)
    module = model.net_.module_
    optimizer = torch.optim.SGD(module.parameters(), lr=1e-3, momentum=0.9, weight_decay=5e-4)
    loss_function = torch.nn.CrossEntropyLoss()

    def bare_loop():
        module.train()
        for rows in np.array_split(torch.randperm(len(X)).numpy(), N_STEPS):
            optimizer.zero_grad(set_to_none=True)
            logits = module(torch.from_numpy(X[rows]))
            loss_function(logits, torch.from_numpy(y[rows])).backward()
            optimizer.step()

    interval = measure(benchmark, trainer(images, augment=False), bare_loop)
    assert interval[0] <= 1.05


def test_channels_last_take_less_time(benchmark, images):
    first, last = (
        ResNet18(3, 10, width=16).to(memory_format=memory_format)
        for memory_format in (torch.contiguous_format, torch.channels_last)
    )
    X = torch.from_numpy(images[0][:BATCH_SIZE]).float()

    def step(network, memory_format):
        network.layers(X.to(memory_format=memory_format)).mean(dim=(2, 3)).sum().backward()

    interval = measure(
        benchmark,
        lambda: step(last, torch.channels_last),
        lambda: step(first, torch.contiguous_format),
    )
    assert interval[0] < 1


@pytest.mark.skipif(
    not torch.cpu._is_avx512_bf16_supported(),
    reason="this processor does not compute in bfloat16",
)
def test_bf16_takes_less_time(benchmark, images):
    interval = measure(benchmark, trainer(images, amp="bf16"), trainer(images))
    assert interval[0] < 1


def test_an_analysis_takes_two_copies_of_the_parameters_and_a_chunk(benchmark):
    script = """
import torch
from skprog.callbacks._gradient_measure import GradientSums
from skprog.callbacks._layers import find_layers
from skprog.networks import ResNet34

layers = find_layers(ResNet34(3, 10), group="module", layer_types=None)
parameters = [parameter for layer in layers.values() for parameter in layer]
for parameter in parameters:
    parameter.grad = torch.ones_like(parameter)

def work():
    sums = GradientSums(parameters)
    for _ in range(3):
        sums.add()
    sums.measures(layers, "G_prime")
"""
    megabytes = peak_megabytes(script)
    benchmark.extra_info["megabytes"] = megabytes
    benchmark.pedantic(peak_megabytes, (script,), rounds=1)
    two_copies = 2 * 4 * 21_282_122 / 1e6
    assert two_copies <= megabytes <= two_copies + 32
