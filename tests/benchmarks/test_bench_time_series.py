"""TimeSeriesClassifier against sktime's own torch classifiers and a bare torch loop."""

import numpy as np
import pytest
import torch
from _interleaved import paired_ratio
from sktime.classification.deep_learning.fcn import FCNClassifierTorch
from sktime.classification.deep_learning.inceptiontime import InceptionTimeClassifierTorch
from sktime.classification.deep_learning.resnet import ResNetClassifierTorch

from skprog.datasets import load_ucr
from skprog.estimators import TimeSeriesClassifier

SAME = {"batch_size": 16, "optimizer": "Adam", "lr": 1e-3, "callbacks": None, "random_state": 0}
THEIRS = {
    "fcn": FCNClassifierTorch,
    "resnet": ResNetClassifierTorch,
    "inception_time": InceptionTimeClassifierTorch,
}
N_EPOCHS = 4

# What sktime's kernels of even length make torch say.
pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")


@pytest.fixture(scope="module")
def arrow_head():
    return load_ucr("ArrowHead")


def ours(network, max_epochs=N_EPOCHS, **params):
    return TimeSeriesClassifier(
        network, max_epochs=max_epochs, batch_size=16, random_state=0, **params
    )


def measure(benchmark, slow, fast):
    """Record how long ``fast`` takes over ``slow``, and return the interval of that ratio."""
    ratio, (low, high) = paired_ratio(slow, fast)
    interval = 1 / high, 1 / low
    benchmark.extra_info.update(ratio=1 / ratio, interval=interval)
    benchmark.pedantic(fast, rounds=3)
    return interval


@pytest.mark.parametrize("network", THEIRS)
def test_training_takes_at_most_97_hundredths_of_sktimes_time(benchmark, arrow_head, network):
    X, y = arrow_head.X_train, arrow_head.y_train
    interval = measure(
        benchmark,
        lambda: THEIRS[network](num_epochs=N_EPOCHS, **SAME).fit(X, y),
        lambda: ours(network).fit(X, y),
    )
    assert interval[0] <= 0.97


@pytest.mark.parametrize("network", THEIRS)
def test_prediction_takes_at_most_four_fifths_of_sktimes_time(benchmark, arrow_head, network):
    theirs = THEIRS[network](num_epochs=1, **SAME).fit(arrow_head.X_train, arrow_head.y_train)
    model = ours(network, 1).fit(arrow_head.X_train, arrow_head.y_train)
    X = arrow_head.X_test
    interval = measure(benchmark, lambda: theirs.predict(X), lambda: model.predict(X))
    assert interval[0] <= 0.8


@pytest.mark.parametrize("network", THEIRS)
def test_accuracy_is_within_noise_of_sktimes(benchmark, arrow_head, network):
    def accuracies():
        scores = []
        for seed in range(3):
            given = {**SAME, "random_state": seed}
            theirs = THEIRS[network](num_epochs=60, **given)
            model = ours(network, 60).set_params(random_state=seed)
            for each in (theirs, model):
                each.fit(arrow_head.X_train, arrow_head.y_train)
                scores.append(np.mean(each.predict(arrow_head.X_test) == arrow_head.y_test))
        return np.reshape(scores, (3, 2)).mean(axis=0)

    theirs, ours_ = benchmark.pedantic(accuracies, rounds=1)
    benchmark.extra_info.update(sktime=theirs, skprog=ours_)
    # Two standard errors of a difference of two proportions of 175 test cases.
    assert ours_ >= theirs - 2 * np.sqrt(2 * 0.84 * 0.16 / 175)


def test_overhead_over_a_bare_torch_loop_is_under_5_per_cent(benchmark, arrow_head):
    X = np.tile(arrow_head.X_train, (4, 1, 1)).astype(np.float32)
    y = np.unique(np.tile(arrow_head.y_train, 4), return_inverse=True)[1]
    model = ours("fcn").fit(X, y)
    module = model.net_.module_
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-3)
    loss_function = torch.nn.CrossEntropyLoss()

    def bare_loop():
        module.train()
        for _ in range(N_EPOCHS):
            for rows in np.array_split(torch.randperm(len(X)).numpy(), len(X) // 16):
                optimizer.zero_grad(set_to_none=True)
                logits = module(torch.from_numpy(X[rows]))
                loss_function(logits, torch.from_numpy(y[rows])).backward()
                optimizer.step()

    interval = measure(benchmark, bare_loop, lambda: _train(model, X, y))
    assert interval[0] < 1.05


def _train(model, X, y):
    """Train as many epochs without the work done once per fit."""
    data = model._data(X, y)
    model.net_.train(data, None, N_EPOCHS)


@pytest.mark.skipif(
    not torch.cpu._is_avx512_bf16_supported(),
    reason="this processor does not compute in bfloat16",
)
@pytest.mark.parametrize("network", THEIRS)
def test_bf16_training_takes_at_most_six_tenths_of_sktimes_time(benchmark, arrow_head, network):
    X, y = arrow_head.X_train, arrow_head.y_train
    interval = measure(
        benchmark,
        lambda: THEIRS[network](num_epochs=N_EPOCHS, **SAME).fit(X, y),
        lambda: ours(network, amp="bf16").fit(X, y),
    )
    assert interval[0] <= 0.6
