"""What every estimator with a network takes."""

import inspect

import numpy as np
import pytest
from numpydoc.docscrape import ClassDoc
from sklearn.base import clone, is_classifier

from skprog import estimators
from skprog._training import Settings
from skprog.estimators import CnnLstmRUL, NetEstimator

SHARED = [
    "lr",
    "momentum",
    "max_epochs",
    "batch_size",
    "optimizer",
    "weight_decay",
    "validation_fraction",
    "early_stopping",
    "n_iter_no_change",
    "shuffle",
    "warm_start",
    "amp",
    "callbacks",
    "net_params",
    "checkpoint",
    "device",
    "verbose",
    "random_state",
]
OF_CLASSIFIERS = ["class_weight", "loss", "loss_params", "n_networks"]
CLASSES = [
    cls for name in estimators.__all__ if issubclass(cls := getattr(estimators, name), NetEstimator)
]


@pytest.mark.parametrize("cls", CLASSES)
def test_shared_parameters_are_keywords_of_one_order(cls):
    parameters = inspect.signature(cls).parameters
    shared = [name for name in parameters if name in SHARED]
    assert shared == SHARED
    needed = OF_CLASSIFIERS if is_classifier(cls()) else []
    assert {*needed} <= parameters.keys()
    keywords = [*SHARED, *needed]
    assert all(parameters[name].kind is inspect.Parameter.KEYWORD_ONLY for name in keywords)


@pytest.mark.parametrize("cls", CLASSES)
@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"momentum": 1}, "momentum=1 must be finite and at least 0 and below 1"),
        ({"max_epochs": 0}, "max_epochs=0 must be at least 1"),
        ({"optimizer": "bogus"}, "optimizer='bogus' is not one of"),
        ({"early_stopping": True}, "needs validation data"),
    ],
)
def test_shared_parameters_are_checked(cls, params, message):
    with pytest.raises(ValueError, match=message):
        cls(**params).check_params()


def described(cls):
    """Return what the docstring of a class says of its parameters, by name."""
    return {each.name: " ".join(each.desc) for each in ClassDoc(cls)["Parameters"]}


@pytest.mark.parametrize("cls", CLASSES)
def test_shared_parameters_are_described_alike(cls):
    texts, own = described(Settings), described(cls)
    for name in {*SHARED, "n_networks"} & own.keys() - {"random_state"}:
        assert own[name].startswith(texts[name]), name


@pytest.mark.parametrize("name", ["random_state", "loss", "loss_params", "class_weight"])
def test_other_parameters_of_one_name_begin_with_one_sentence(name):
    sentences = {
        described(cls)[name].split(". ")[0].rstrip(".") for cls in CLASSES if name in described(cls)
    }
    assert len(sentences) == 1


class Short(CnnLstmRUL):
    """An estimator of a user's with two of its parent's parameters."""

    def __init__(self, *, lr=1e-3, max_epochs=1):
        super().__init__(lr=lr, max_epochs=max_epochs, lstm_units=4, device="cpu", random_state=0)


def test_an_estimator_of_a_users_may_have_fewer_parameters():
    X, y = np.random.default_rng(0).standard_normal((20, 4)), np.arange(20.0)[::-1]
    long = CnnLstmRUL(lr=1e-2, max_epochs=2, lstm_units=4, device="cpu", random_state=0)
    short = clone(Short(lr=1e-2)).set_params(max_epochs=2)
    np.testing.assert_array_equal(short.fit(X, y).predict(X), long.fit(X, y).predict(X))
    assert len(short.partial_fit(X, y).history_) == 3
