import subprocess
import sys

import numpy as np
import pytest

from skprog.estimators import CnnLstmRUL, DummyRUL
from skprog.plots import (
    PredictedVsTrueDisplay,
    RelativeChangeDisplay,
    RULDisplay,
    RULIndexDisplay,
    SpectrogramDisplay,
)
from skprog.preprocessing import WelchSpectrogram
from skprog.sequences import RunSequences

pytest.importorskip("matplotlib", reason='needs pip install "skprog[plot]"')
import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

LENGTHS = {"a": 400, "b": 300, "c": 350, "d": 320}


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.fixture
def X():
    runs = np.repeat(list(LENGTHS), list(LENGTHS.values()))
    time = np.concatenate([10.0 * np.arange(n) for n in LENGTHS.values()])
    return RunSequences.from_runs(np.zeros((len(runs), 2)), runs, n_steps=2, time=time)


@pytest.fixture
def y():
    return np.concatenate([10.0 * np.arange(n)[::-1] for n in LENGTHS.values()])


@pytest.fixture
def model(X, y):
    return DummyRUL().fit(X, y)


@pytest.fixture
def window():
    return np.random.default_rng(0).normal(size=(2, 2560))


def draw(name, X, y, model, window, ax=None):
    """Draw a display the way a user would."""
    return {
        "rul": lambda: RULDisplay.from_estimator(model, X, y, ax=ax),
        "rul_index": lambda: RULIndexDisplay.from_estimator(model, ax=ax),
        "predicted_vs_true": lambda: PredictedVsTrueDisplay.from_estimator(model, X, y, ax=ax),
        "relative_change": lambda: RelativeChangeDisplay.from_estimator(model, X, y, ax=ax),
        "spectrogram": lambda: SpectrogramDisplay.from_estimator(
            WelchSpectrogram().fit(window[None]), window, ax=ax
        ),
    }[name]()


DISPLAYS = {
    "rul": 4,
    "rul_index": 2,
    "predicted_vs_true": 1,
    "relative_change": 1,
    "spectrogram": 1,
}


@pytest.mark.parametrize("name", DISPLAYS)
def test_a_display_keeps_its_axes_and_figure_and_renders(name, X, y, model, window, tmp_path):
    display = draw(name, X, y, model, window)
    for ax in np.ravel(display.ax_):
        assert ax.figure is display.figure_
        assert ax.get_xlabel()
    display.figure_.savefig(tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 5000


@pytest.mark.parametrize(("name", "n_axes"), DISPLAYS.items())
def test_a_display_draws_on_axes_it_is_given_and_opens_no_figure(name, n_axes, X, y, model, window):
    figure, axes = plt.subplots(n_axes)
    display = draw(name, X, y, model, window, ax=axes)
    assert display.figure_ is figure
    assert np.ravel(display.ax_).tolist() == np.ravel(axes).tolist()
    assert plt.get_fignums() == [figure.number]


@pytest.mark.parametrize("name", DISPLAYS)
def test_a_display_can_be_drawn_again(name, X, y, model, window):
    display = draw(name, X, y, model, window)
    first = display.figure_
    assert display.plot() is display
    assert display.figure_ is not first


@pytest.mark.parametrize("name", DISPLAYS)
def test_a_missing_matplotlib_names_the_extra(name, X, y, model, window, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r'Display needs matplotlib; pip install "skprog\[plot\]'):
        draw(name, X, y, model, window)


def test_matplotlib_is_imported_only_when_drawing():
    code = """
import sys
from skprog.plots import RULIndexDisplay
display = RULIndexDisplay(100.0)
assert "matplotlib" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_rul_display_says_how_each_run_ends():
    ramp = 10.0 * np.arange(400)[::-1]
    y_true = np.r_[ramp, ramp, ramp, ramp[-20:], ramp[:300]]
    y_pred = np.r_[0.5 * ramp, 1.2 * ramp, 0 * ramp + 9000, ramp[-20:], ramp[:300]]
    runs = np.repeat(list("abcde"), [400, 400, 400, 20, 300])
    rule = {"max_life": 5000, "span": 1}
    failed = [True, True, True, True, False]
    display = RULDisplay.from_predictions(y_true, y_pred, runs=runs, failed=failed, **rule)
    assert [ax.get_title() for ax in display.ax_] == [
        "a: replaced 10 % of MEL early",
        "b: replaced 2 % of MEL late",
        "c: fails in service",
        "d: life too short for an error",
        "e: has not failed, not replaced",
    ]


def test_rul_display_marks_the_replacement_where_it_happens(X, y, model):
    display = RULDisplay.from_estimator(model, X, y, span=1)
    lines = {line.get_label(): line for line in display.ax_[0].get_lines()}
    limit = 0.1 * model.max_life_
    when = lines["replaced"].get_xdata()[0]
    assert model.mean_life_ - when == pytest.approx(limit, abs=10)
    assert lines["true"].get_ydata()[0] == y[0]
    np.testing.assert_array_equal(lines["predicted, smoothed"].get_ydata(), display.smoothed[:400])
    assert display.ax_[0].get_ylim()[1] > y.max()


def test_rul_display_counts_windows_where_time_is_unknown(y):
    display = RULDisplay.from_predictions(y[:400], y[:400], max_life=5000)
    assert display.ax_[0].get_xlabel() == "Window"


def test_rul_index_display_has_its_largest_loss_where_one_of_the_two_is_at_failure():
    display = RULIndexDisplay(1000.0, w=0.25).plot()
    linear, index = display.ax_
    assert linear.get_title() == "Target: RUL / MEL"
    assert index.get_title() == "Target: RUL index"
    assert index.get_xlim() == (0, 1000)
    # Differences of the index reach 0.8, those of RUL / MEL reach 1, in levels of 0.05.
    filled = [
        sum(len(path.vertices) > 0 for path in ax.collections[0].get_paths())
        for ax in (linear, index)
    ]
    assert filled == [20, 16]


def test_predicted_vs_true_display_names_regions_and_runs(X, y, model):
    display = PredictedVsTrueDisplay.from_estimator(model, X, y)
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert labels == [
        "replaced in time",
        "failure in service",
        "premature replacement",
        "far from failure",
        "predicted = true",
        *LENGTHS,
    ]


def test_predicted_vs_true_display_shows_predictions_beyond_mel_and_below_zero():
    display = PredictedVsTrueDisplay.from_predictions([10.0, 20.0], [-5.0, 300.0], max_life=100)
    low, high = display.ax_.get_ylim()
    assert low <= -5
    assert high >= 300


def test_displays_made_of_lists_draw_like_arrays():
    display = PredictedVsTrueDisplay([2, 1], [1, 2], runs=["a", "a"], max_life=3).plot()
    assert display.ax_.get_lines()[1].get_ydata().tolist() == [1, 2]
    assert RelativeChangeDisplay([0.5, -0.5]).plot().ax_.containers


def test_a_spectrogram_needs_a_transformer_that_makes_one(window):
    with pytest.raises(TypeError, match="estimator of type CnnLstmRUL must be a WelchSpectrogram"):
        SpectrogramDisplay.from_estimator(CnnLstmRUL(), window)


def test_relative_change_display_counts_shares_of_train_and_test():
    display = RelativeChangeDisplay.from_predictions(
        [100.0, 100.0], [50.0, -900.0], y_train=[1.0] * 5, y_train_pred=[1.0] * 5
    )
    train, test = display.ax_.containers
    assert sum(bar.get_height() for bar in train) == pytest.approx(100)
    assert sum(bar.get_height() for bar in test) == pytest.approx(100)
    assert test[0].get_height() == pytest.approx(50)


def test_spectrogram_display_has_axes_in_hz_and_s(window):
    display = SpectrogramDisplay.from_estimator(WelchSpectrogram().fit(window[None]), window)
    assert display.ax_.get_ylabel() == "Frequency (Hz)"
    assert display.ax_.get_ylim() == (-12.5, 12_812.5)
    low, high = display.ax_.get_xlim()
    assert 0 < low < high < 0.1


def test_spectrogram_display_draws_density_as_log():
    density = 10.0 ** np.arange(12.0).reshape(4, 3)
    display = SpectrogramDisplay(density, output="density").plot()
    drawn = display.ax_.collections[0].get_array()
    np.testing.assert_allclose(drawn, np.arange(12.0).reshape(4, 3))
    assert display.ax_.get_ylabel() == "Frequency bin"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RULDisplay.from_predictions([1.0], [1.0, 2.0], max_life=9), "both must"),
        (lambda: RULDisplay.from_predictions([1.0], [np.nan], max_life=9), "y_pred contains NaN"),
        (lambda: RULDisplay.from_predictions([], [], max_life=9), "at least 1"),
        (lambda: RULDisplay.from_predictions([1.0], [1.0], max_life=0), "max_life=0"),
        (lambda: RULDisplay.from_predictions([1.0], [1.0], time=[1, 2], max_life=9), "time has"),
        (
            lambda: RULDisplay.from_predictions([2, 1], [1, 1], time=[1, 0], max_life=9),
            "time falls within run 0; sort",
        ),
        (lambda: RULDisplay.from_predictions([1, 2], [1, 1], max_life=9), "y_true rises within"),
        (
            lambda: RULDisplay.from_predictions([1.0] * 3, [1.0] * 3, runs=[0, 1, 0], max_life=9),
            "interleaved",
        ),
        (
            lambda: RULDisplay.from_predictions(
                [0.0] * 3, [1.0] * 3, runs=[0, 1, 2], max_life=9, ax=plt.gca()
            ),
            "ax holds 1 axes but 3 are drawn",
        ),
        (lambda: RULIndexDisplay(0.0).plot(), "max_life=0"),
        (lambda: RULIndexDisplay(9.0, w=0.0).plot(), "w=0"),
        (lambda: RULIndexDisplay(9.0).plot(ax=plt.gca()), "ax holds 1 axes but 2 are drawn"),
        (
            lambda: PredictedVsTrueDisplay.from_predictions([1.0], [1.0], max_life=-1),
            "max_life=-1",
        ),
        (
            lambda: PredictedVsTrueDisplay.from_predictions([1], [1], max_life=1, threshold=2),
            "threshold=2",
        ),
        (lambda: PredictedVsTrueDisplay.from_predictions([[1]], [[1]], max_life=1), "both must"),
        (lambda: PredictedVsTrueDisplay([1], [np.nan], max_life=1).plot(), "y_pred contains NaN"),
        (lambda: PredictedVsTrueDisplay([-1], [1], max_life=1).plot(), "y_true holds the negative"),
        (lambda: RelativeChangeDisplay([]).plot(), "rcd has shape .* at least 1"),
        (lambda: RelativeChangeDisplay([1], rcd_train=[np.nan]).plot(), "rcd_train contains NaN"),
        (lambda: RelativeChangeDisplay.from_predictions([1.0], [1.0], y_train=[1]), "together"),
        (lambda: RelativeChangeDisplay.from_estimator(None, 0, 0, X_train=[1]), "together"),
        (lambda: SpectrogramDisplay(np.zeros(3)).plot(), "give one channel of one window"),
        (lambda: SpectrogramDisplay([[np.nan]]).plot(), "spectrogram contains NaN"),
        (lambda: SpectrogramDisplay([[1.0]], f=[np.inf]).plot(), "f contains inf"),
        (lambda: SpectrogramDisplay(np.zeros((3, 2)), f=[1, 2]).plot(), "f has shape"),
        (lambda: SpectrogramDisplay(np.zeros((3, 2)), t=[1, 2, 3]).plot(), "t has shape"),
        (lambda: SpectrogramDisplay(np.zeros((3, 2)), output="psd").plot(), "output='psd'"),
        (lambda: SpectrogramDisplay.from_estimator(None, np.zeros(9)), "give one window"),
        (
            lambda: SpectrogramDisplay.from_estimator(None, np.zeros((2, 9)), channel=2),
            "channel=2 but the window has 2",
        ),
    ],
)
def test_bad_input_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
