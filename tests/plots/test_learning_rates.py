"""What the displays of learning rates and losses show."""

import math
import sys

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skprog.callbacks import AdaptiveCycle, ExponentialDecay, OneCycle
from skprog.estimators import GHLClassifier
from skprog.model_selection import LRRange, lr_range_test
from skprog.plots import LossCurveDisplay, LRFinderDisplay, LRScheduleDisplay

pytest.importorskip("matplotlib", reason='needs pip install "skprog[plot]"')
import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

LRS = np.geomspace(1e-5, 10, 61)
LOSSES = 2 - np.exp(-(np.log10(LRS) ** 2)) + 100 * np.maximum(LRS - 1, 0)
RANGE = LRRange({0.25: (LRS, LOSSES), 0.5: (LRS[:30], LOSSES[:30] + 0.125)}, 0.25, 61)
FLAT = LRRange({0.0: (LRS, np.full(61, 2.0))}, 0.0, 61)
RATES = [0.1, 0.2, 0.3, 0.2, 0.05, 0.1]
EVENTS = [
    {"epoch": 1, "old_lr": 0.3, "new_peak": 0.2, "before_peak": True},
    {"epoch": 2, "old_lr": 0.2, "new_peak": 0.1, "before_peak": False},
]


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def cases():
    rng = np.random.default_rng(0)
    y = np.arange(48) % 3
    tone = np.sin(np.outer(1 + y, np.arange(24)) / 3)
    return (tone + 0.5 * rng.normal(size=tone.shape)).astype(np.float32), y


MODEL = GHLClassifier(
    n_filters=(3,),
    kernel_sizes=(5,),
    dense_units=6,
    batch_size=6,
    max_epochs=8,
    lr=0.02,
    validation_fraction=0.25,
    callbacks=[AdaptiveCycle(patience=0, min_delta=0.1, factor=0.9)],
    device="cpu",
    random_state=0,
)


@pytest.fixture(scope="module")
def fitted(cases):
    return clone(MODEL).fit(*cases)


def lines_of(display):
    """Return the lines of a display by label, those without one left out."""
    lines = {line.get_label(): line for line in display.ax_.get_lines()}
    return {label: line for label, line in lines.items() if not label.startswith("_")}


def legend_of(display):
    return [text.get_text() for text in display.ax_.get_legend().get_texts()]


def draw(kind, ax=None):
    """Draw a display the way a user would."""
    return {
        "finder": lambda: LRFinderDisplay.from_range(RANGE, ax=ax),
        "schedule": lambda: LRScheduleDisplay(RATES).plot(ax=ax),
        "losses": lambda: LossCurveDisplay([2.0, 1.0]).plot(ax=ax),
    }[kind]()


KINDS = ["finder", "schedule", "losses"]


@pytest.mark.parametrize("kind", KINDS)
def test_displays_draw_on_the_axes_given_and_keep_them(kind):
    _, ax = plt.subplots()
    display = draw(kind, ax)
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    with pytest.raises(TypeError, match="ax=3 must be matplotlib Axes"):
        draw(kind, 3)
    assert draw(kind).figure_ is not ax.figure


@pytest.mark.parametrize("kind", KINDS)
def test_displays_name_the_extra_that_brings_matplotlib(kind, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r'pip install "skprog\[plot\]"'):
        draw(kind)


def test_curves_of_all_weight_decays_are_drawn_smoothed():
    display = LRFinderDisplay.from_range(RANGE)
    assert display.ax_.get_xscale() == "log"
    labels = [line.get_label() for line in display.lines_]
    assert labels == ["weight decay 0.25", "weight decay 0.5"]
    for line, decay in zip(display.lines_, (0.25, 0.5), strict=True):
        np.testing.assert_array_equal(line.get_data(), RANGE.curves_[decay])
    assert display.lines_[0].get_linewidth() > display.lines_[1].get_linewidth()
    [raw] = [line for line in display.ax_.get_lines() if line.get_label() == "_raw"]
    np.testing.assert_array_equal(raw.get_ydata(), LOSSES)


def test_suggestions_lie_on_the_curve_and_the_range_is_shaded():
    display = LRFinderDisplay.from_range(RANGE)
    lines = lines_of(display)
    for name, lr in RANGE.suggestions_.items():
        x, y = lines[f"{name}: {lr:.2g}"].get_data()
        assert x == lr
        assert y == pytest.approx(np.interp(np.log(lr), np.log(LRS), RANGE.curves_[0.25][1]))
    [span] = display.ax_.patches
    assert span.get_x() == RANGE.lr_min_
    assert span.get_x() + span.get_width() == pytest.approx(RANGE.lr_max_)
    assert legend_of(display)[2] == "lr_min_ to lr_max_: 0.004 to 0.1"


def test_divergence_does_not_flatten_the_curve():
    display = LRFinderDisplay.from_range(RANGE)
    low, high = display.ax_.get_ylim()
    assert LOSSES.max() > 100
    assert high < 5
    assert low < RANGE.curves_[0.25][1].min()


def test_a_loss_that_never_falls_is_drawn_without_suggestions():
    display = LRFinderDisplay.from_range(FLAT)
    assert legend_of(display) == ["weight decay 0"]
    assert not display.ax_.patches


def test_a_finder_display_runs_the_test(cases):
    params = {"n_batches": 40, "weight_decays": [0.1]}
    display = LRFinderDisplay.from_estimator(MODEL, *cases, **params)
    expected = lr_range_test(MODEL, *cases, **params)
    assert display.lr_range.suggestions_ == expected.suggestions_
    assert len(display.lines_) == 2
    pipeline = make_pipeline(StandardScaler(), MODEL)
    assert len(LRFinderDisplay.from_estimator(pipeline, *cases).lines_) == 1
    with pytest.raises(TypeError, match="not LogisticRegression"):
        LRFinderDisplay.from_estimator(LogisticRegression(), *cases)


def test_what_is_no_range_is_refused():
    with pytest.raises(TypeError, match="lr_range is a dict; give what lr_range_test returns"):
        LRFinderDisplay.from_range({})


def test_a_schedule_is_drawn_before_training():
    cycle = AdaptiveCycle(0.1, n_updates=20)
    display = LRScheduleDisplay.from_callback(cycle, 10, n_epochs=4)
    np.testing.assert_array_equal(display.line_.get_ydata(), cycle.schedule(40)[0])
    np.testing.assert_allclose(display.line_.get_xdata(), np.arange(40) / 10)
    assert display.ax_.get_xlabel() == "Epoch"
    assert display.ax_.get_legend() is None
    display = LRScheduleDisplay.from_callback(OneCycle(), 30, lr=0.5, scale="log")
    assert display.line_.get_ydata().max() == pytest.approx(0.5)
    assert display.ax_.get_xlabel() == "Batch"
    assert display.ax_.get_yscale() == "log"


def test_momentum_is_drawn_on_an_axis_of_its_own():
    display = LRScheduleDisplay.from_callback(OneCycle(0.1), 30, momentum=True)
    [line] = display.momentum_ax_.get_lines()
    np.testing.assert_array_equal(line.get_ydata(), OneCycle(0.1).schedule(30)[1])
    assert legend_of(display) == ["learning rate", "momentum"]
    assert LRScheduleDisplay.from_callback(OneCycle(0.1), 30).momentum_ax_ is None


def test_restarts_are_marked_where_the_new_cycle_begins():
    display = LRScheduleDisplay(RATES, epoch_ends=[3, 4, 6], restarts=EVENTS).plot()
    lines = lines_of(display)
    x, y = lines["restart before the peak (1)"].get_data()
    assert (x, y) == (1, 0.2)
    assert lines["restart before the peak (1)"].get_markerfacecolor() == "white"
    x, y = lines["restart (1)"].get_data()
    assert (x, y) == (2, 0.05)


def test_a_restart_that_no_batch_came_after_is_left_out():
    display = LRScheduleDisplay(RATES, epoch_ends=[3, 6], restarts=EVENTS).plot()
    assert legend_of(display) == ["learning rate", "restart before the peak (1)"]


def test_the_schedule_of_an_estimator_is_its_history(fitted):
    display = LRScheduleDisplay.from_estimator(fitted, momentum=True)
    batches = [b for epoch in fitted.history_ for b in epoch["batches"] if "lr" in b]
    np.testing.assert_array_equal(display.line_.get_ydata(), [b["lr"] for b in batches])
    assert len(batches) == 8 * 6
    events = [event for event in fitted.history_[:, "event_lr_restart"] if event]
    assert events
    marked = [
        x for label, line in lines_of(display).items() if "(" in label for x in line.get_xdata()
    ]
    assert sorted(marked) == [event["epoch"] for event in events if event["epoch"] < 8]


def test_a_rate_by_epoch_is_drawn_in_steps(cases):
    model = clone(MODEL).set_params(callbacks=[ExponentialDecay(0.5)], max_epochs=3).fit(*cases)
    rates = LRScheduleDisplay.from_estimator(model).line_.get_ydata()
    np.testing.assert_allclose(rates, np.repeat([0.02, 0.01, 0.005], 6))


def test_losses_of_an_estimator_are_its_history(fitted):
    display = LossCurveDisplay.from_estimator(fitted, scale="log")
    train, valid = display.lines_
    np.testing.assert_array_equal(train.get_ydata(), fitted.history_[:, "train_loss"])
    np.testing.assert_array_equal(valid.get_ydata(), fitted.history_[:, "valid_loss"])
    np.testing.assert_array_equal(train.get_xdata(), np.arange(1, 9))
    best = lines_of(display)[f"best epoch: {fitted.best_epoch_}"]
    assert best.get_xdata() == fitted.best_epoch_
    assert best.get_ydata() == min(fitted.history_[:, "valid_loss"])
    assert display.ax_.get_yscale() == "log"


def test_without_validation_data_no_epoch_is_the_best(cases):
    model = clone(MODEL).set_params(validation_fraction=None, callbacks=None, max_epochs=2)
    display = LossCurveDisplay.from_estimator(model.fit(*cases))
    assert legend_of(display) == ["training"]
    with pytest.raises(ValueError, match="has no lr in history_; fit an estimator"):
        LRScheduleDisplay.from_estimator(model)


def test_a_loss_that_is_no_number_leaves_a_gap():
    display = LossCurveDisplay([1.0, math.inf, 0.5], valid_losses=[None, 1.0, 2.0]).plot()
    np.testing.assert_array_equal(display.lines_[0].get_ydata(), [1.0, np.nan, 0.5])
    np.testing.assert_array_equal(display.lines_[1].get_ydata(), [np.nan, 1.0, 2.0])


@pytest.mark.parametrize("kind", [LRScheduleDisplay, LossCurveDisplay])
def test_displays_ask_for_a_fitted_estimator_of_this_package(kind):
    with pytest.raises(NotFittedError, match="not fitted yet"):
        kind.from_estimator(clone(MODEL))
    with pytest.raises(TypeError, match="not an estimator"):
        kind.from_estimator(3)
    with pytest.raises(ValueError, match=r"LogisticRegression has no .* in history_"):
        kind.from_estimator(LogisticRegression().fit([[0.0], [1.0]], [0, 1]))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LRScheduleDisplay([]).plot(), r"lrs has shape \(0,\)"),
        (lambda: LRScheduleDisplay([np.nan]).plot(), "lrs contains NaN"),
        (lambda: LRScheduleDisplay(RATES, restarts=EVENTS).plot(), "give epoch_ends too"),
        (lambda: LRScheduleDisplay(RATES, epoch_ends=[3, 5]).plot(), "number of batches, 6"),
        (lambda: LRScheduleDisplay(RATES, epoch_ends=[3, 3, 6]).plot(), "must rise to"),
        (lambda: LRScheduleDisplay(RATES).plot(momentum=True), "no momenta to draw"),
        (
            lambda: LRScheduleDisplay(RATES, momenta=[0.9]).plot(momentum=True),
            "momenta has 1 batches but lrs has 6",
        ),
        (lambda: LRScheduleDisplay(RATES).plot(scale="symlog"), "scale='symlog' is not"),
        (lambda: LRScheduleDisplay.from_callback(OneCycle(), 10), "give lr"),
        (lambda: LRScheduleDisplay.from_callback(OneCycle(0.1), 0), "n_batches=0 must be"),
        (lambda: LossCurveDisplay([]).plot(), r"train_losses has shape \(0,\)"),
        (lambda: LossCurveDisplay([1.0], valid_losses=[1, 2]).plot(), "valid_losses has 2 epochs"),
        (lambda: LossCurveDisplay([1.0], best_epoch=2).plot(), "best_epoch=2 exceeds the 1"),
        (lambda: LossCurveDisplay([1.0], best_epoch=0).plot(), "best_epoch=0 must be at least 1"),
        (lambda: LossCurveDisplay([1.0]).plot(scale="x"), "scale='x' is not"),
    ],
)
def test_bad_input_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("callback", [ExponentialDecay(), OneCycle, None])
def test_a_callback_without_a_schedule_is_refused(callback):
    with pytest.raises(TypeError, match="must be an instance of OneCycle or AdaptiveCycle"):
        LRScheduleDisplay.from_callback(callback, 10)
