"""What AmplificationDisplay shows."""

import sys

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from skorch.callbacks import EpochScoring

from skprog.callbacks import GradientAmplification
from skprog.estimators import TimeSeriesClassifier
from skprog.plots import AmplificationDisplay

pytest.importorskip("matplotlib", reason='needs pip install "skprog[plot]"')
import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

NAN = np.nan
MEASURES = [[NAN, 1.4, NAN, NAN], [NAN, -0.7, NAN, NAN], [NAN, -0.7, NAN, NAN]]
AMPLIFIED = np.array([[0, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]], dtype=bool)


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def fitted():
    """A fit with amplification and one without."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((24, 1, 16)), np.arange(24) % 2
    score = ("accuracy", EpochScoring("accuracy", lower_is_better=False))
    params = {
        "network_params": {"n_filters": (4, 4, 4)},
        "optimizer": "sgd",
        "lr": 0.05,
        "max_epochs": 6,
        "validation_fraction": 0.25,
        "random_state": 0,
    }
    callback = GradientAmplification([(1, None, 0, 1), (6, None, 1, 2)], threshold=0.8)
    return [
        TimeSeriesClassifier(callbacks=[score, *each], **params).fit(X, y)
        for each in ([("amplification", callback)], [])
    ]


def test_measures_are_held_while_their_choice_is_amplified():
    display = AmplificationDisplay(MEASURES, AMPLIFIED).plot()
    shown = display.image_.get_array()
    np.testing.assert_array_equal(shown[0].filled(NAN), [NAN, 1.4, 1.4, NAN])
    np.testing.assert_array_equal(display.image_.get_alpha()[0], [0, 1, 0.45, 0])
    assert display.image_.get_clim() == (-1.4, 1.4)
    assert (display.points_.get_xdata(), display.points_.get_ydata()) == ([3], [0])
    assert [tick.get_text() for tick in display.ax_.get_yticklabels()] == ["0", "1", "2"]


def test_a_fit_shows_what_its_history_has(fitted):
    model = fitted[0]
    display = AmplificationDisplay.from_estimator(model)
    names = [tick.get_text() for tick in display.ax_.get_yticklabels()]
    assert names == [*model.history_[1]["normalised_measures"]]
    np.testing.assert_allclose(
        display.normalised_measures[:, 1], [*model.history_[1]["normalised_measures"].values()]
    )
    chosen = model.history_[5]["amplified_layers"]
    assert {names[row] for row in display.points_.get_ydata()} == set(chosen) != set()
    assert set(display.points_.get_xdata()) == {3, 4, 5, 6}


def test_curves_stand_beside_those_of_the_plain_fit(fitted):
    model, plain = fitted
    display = AmplificationDisplay.from_estimator(
        model, plain=plain, score="accuracy", kind="curves"
    )
    assert [line.get_label() for line in display.lines_] == ["amplified", "plain"]
    for line, each in zip(display.lines_, (model, plain), strict=True):
        np.testing.assert_array_equal(line.get_ydata(), each.history_[:, "accuracy"])
    assert display.ax_.get_ylabel() == "Accuracy"
    losses = AmplificationDisplay.from_estimator(model, kind="curves")
    labels = [line.get_label() for line in losses.lines_]
    assert labels == ["amplified, training", "amplified, validation"]


def test_axes_given_are_drawn_on(fitted):
    _, ax = plt.subplots()
    assert AmplificationDisplay.from_estimator(fitted[0], ax=ax).ax_ is ax


def test_what_cannot_be_drawn_is_refused(fitted):
    model, plain = fitted
    with pytest.raises(ValueError, match="TimeSeriesClassifier has no measures in history_"):
        AmplificationDisplay.from_estimator(plain)
    with pytest.raises(ValueError, match=r"no numbers 'f1'; add EpochScoring\('f1'"):
        AmplificationDisplay.from_estimator(model, score="f1", kind="curves")
    with pytest.raises(ValueError, match="has no measures in history_"):
        AmplificationDisplay.from_estimator(LogisticRegression().fit([[0], [1]], [0, 1]))
    with pytest.raises(ValueError, match="plain is a LogisticRegression without history_; give"):
        AmplificationDisplay.from_estimator(
            model, plain=LogisticRegression().fit([[0], [1]], [0, 1]), kind="curves"
        )
    with pytest.raises(ValueError, match="kind='map' is not one of"):
        AmplificationDisplay.from_estimator(model, kind="map")
    with pytest.raises(ValueError, match=r"shape \(3, 4\) and amplified \(1, 4\)"):
        AmplificationDisplay(MEASURES, AMPLIFIED[:1]).plot()
    with pytest.raises(ValueError, match="no layer was measured"):
        AmplificationDisplay([[NAN]], [[False]]).plot()
    with pytest.raises(ValueError, match="layer_names has 1 names but there are 3 layers"):
        AmplificationDisplay(MEASURES, AMPLIFIED, layer_names=["a"]).plot()
    with pytest.raises(ValueError, match="there are no curves to draw"):
        AmplificationDisplay(MEASURES, AMPLIFIED).plot(kind="curves")
    with pytest.raises(ValueError, match="curve 'loss' has shape"):
        AmplificationDisplay(MEASURES, AMPLIFIED, curves={"loss": []}).plot(kind="curves")
    with pytest.raises(TypeError, match="must be a dict of names and values"):
        AmplificationDisplay(MEASURES, AMPLIFIED, curves=[[1.0]]).plot(kind="curves")
    with pytest.raises(TypeError, match="must be matplotlib Axes"):
        AmplificationDisplay(MEASURES, AMPLIFIED).plot(ax=3)


def test_missing_matplotlib_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"skprog\[plot\]"):
        AmplificationDisplay(MEASURES, AMPLIFIED).plot()
