import sys

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression

from skprog.callbacks import GradientSimilarity
from skprog.estimators import GHLClassifier
from skprog.losses import class_thresholds
from skprog.plots import (
    ClassThresholdDisplay,
    GradientSimilarityDisplay,
    RULIndexDisplay,
    SpectrogramDisplay,
)

pytest.importorskip("matplotlib", reason='needs pip install "skprog[plot]"')
import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.colors import to_rgba

ANGLES = np.array([[0.1, 0.2, np.nan], [0.3, 0.1, np.nan], [0.2, 0.4, np.nan], [0.2, 0.5, np.nan]])
STATES = ["healthy", "inner", "outer"]
COUNTS = [60, 6, 6]


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def cases():
    y = np.repeat(STATES, COUNTS)
    tone = np.sin(np.outer(1 + np.searchsorted(STATES, y), np.arange(32)) / 3)
    return tone + 0.3 * np.random.default_rng(0).normal(size=tone.shape), y


@pytest.fixture(scope="module")
def fitted(cases):
    model = GHLClassifier(
        n_filters=(4,),
        kernel_sizes=(5,),
        max_epochs=3,
        lr=1e-2,
        batch_size=24,
        loss_params={"alpha": 0.5},
        callbacks=[GradientSimilarity()],
        device="cpu",
        random_state=0,
    )
    return model.fit(*cases)


@pytest.fixture
def model(fitted):
    return clone(fitted)


def lines_of(display):
    """Return the lines of a display by label, those without one left out."""
    lines = {line.get_label(): line for line in display.ax_.get_lines()}
    return {label: line for label, line in lines.items() if not label.startswith("_")}


def points_of(display):
    """Return (share in %, threshold, filled) of every class drawn as a point."""
    dots = [line for line in display.ax_.get_lines() if line.get_zorder() == 4]
    return [
        (x, y, to_rgba(line.get_markerfacecolor()) != to_rgba("white"))
        for line in dots
        for x, y in zip(*line.get_data(), strict=True)
    ]


def legend_of(display):
    return [text.get_text() for text in display.ax_.get_legend().get_texts()]


DISPLAYS = [GradientSimilarityDisplay, ClassThresholdDisplay]


@pytest.mark.parametrize("kind", DISPLAYS)
def test_a_display_keeps_its_axes_and_figure_and_renders(kind, fitted, tmp_path):
    display = kind.from_estimator(fitted)
    assert display.ax_.figure is display.figure_
    display.figure_.savefig(tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 5000


@pytest.mark.parametrize("kind", DISPLAYS)
def test_a_display_draws_on_axes_it_is_given_and_opens_no_figure(kind, fitted):
    figure, ax = plt.subplots()
    display = kind.from_estimator(fitted, ax=ax)
    assert display.ax_ is ax
    assert display.figure_ is figure
    assert plt.get_fignums() == [figure.number]


@pytest.mark.parametrize("kind", DISPLAYS)
def test_a_display_can_be_drawn_again(kind, fitted):
    display = kind.from_estimator(fitted)
    first = display.figure_
    assert display.plot() is display
    assert display.figure_ is not first


@pytest.mark.parametrize("kind", DISPLAYS)
def test_the_legend_lies_beside_the_axes(kind, fitted):
    display = kind.from_estimator(fitted)
    display.figure_.canvas.draw()
    legend = display.ax_.get_legend().get_window_extent()
    assert legend.x0 > display.ax_.get_window_extent().x1
    assert legend.x1 <= display.figure_.bbox.x1


@pytest.mark.parametrize("kind", DISPLAYS)
def test_a_missing_matplotlib_names_the_extra(kind, fitted, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r'Display needs matplotlib; pip install "skprog\[plot\]'):
        kind.from_estimator(fitted)


@pytest.mark.parametrize(
    "name", ["_x", "__", "$\\bad$", "$", "a$b$c", r"5\$", r"$\alpha$ and \$", "_$x$"]
)
def test_names_of_classes_show_as_they_stand(name):
    classes, angles = [name, "y"], [[0.1, 0.2]]
    for display, rest in (
        (GradientSimilarityDisplay(angles, classes=classes).plot(), ""),
        (GradientSimilarityDisplay(angles, classes=classes, class_counts=[1, 2]).plot(), " (1)"),
        (ClassThresholdDisplay.from_counts([3, 1], classes=classes), ": 3"),
    ):
        display.figure_.canvas.draw()
        text = display.ax_.get_legend().get_texts()[-2]
        literal = display.figure_.text(0, 0, name + rest, parse_math=False)
        literal.set_fontproperties(text.get_fontproperties())
        sizes = [t.get_window_extent().width for t in (text, literal)]
        assert sizes[0] == pytest.approx(sizes[1], abs=1.5)


@pytest.mark.parametrize("ax", [5, "axes", plt.Figure()])
def test_anything_but_axes_is_refused(ax):
    for draw in (
        lambda: GradientSimilarityDisplay(ANGLES).plot(ax=ax),
        lambda: ClassThresholdDisplay.from_counts(COUNTS, ax=ax),
        lambda: SpectrogramDisplay(np.ones((2, 2))).plot(ax=ax),
        lambda: RULIndexDisplay(9.0).plot(ax=[ax, ax]),
    ):
        with pytest.raises(TypeError, match=r"ax=.* must be matplotlib Axes; pass those that plt"):
            draw()
    assert plt.get_fignums() == []


def test_similarity_lines_hold_the_angles_given_over_epochs_from_one():
    display = GradientSimilarityDisplay(ANGLES).plot()
    for line, angles in zip(display.lines_, ANGLES.T[:2], strict=True):
        np.testing.assert_array_equal(line.get_xdata(), [1, 2, 3, 4])
        np.testing.assert_array_equal(line.get_ydata(), angles)
    assert display.ax_.get_xlabel() == "Epoch"
    assert display.ax_.get_ylabel() == "Mean gradient angle within the class (rad)"
    assert display.ax_.get_ylim()[0] == 0


def test_a_class_without_angles_is_left_out():
    display = GradientSimilarityDisplay(ANGLES, classes=STATES).plot()
    assert legend_of(display) == ["healthy", "inner"]


def test_an_epoch_without_angles_leaves_a_gap():
    display = GradientSimilarityDisplay([[0.1], [None], [0.2]]).plot()
    np.testing.assert_array_equal(display.lines_[0].get_ydata(), [0.1, np.nan, 0.2])


def test_the_class_with_most_samples_is_black_and_thickest():
    display = GradientSimilarityDisplay(ANGLES, classes=STATES, class_counts=[9, 80, 1]).plot()
    other, largest = display.lines_
    assert largest.get_label() == "inner (80)"
    assert largest.get_color() == "black"
    assert largest.get_linewidth() > other.get_linewidth()
    assert largest.get_zorder() > other.get_zorder()


@pytest.mark.parametrize("counts", [None, [16, 16, 16]])
def test_a_balanced_set_has_no_black_line(counts):
    display = GradientSimilarityDisplay(ANGLES, class_counts=counts).plot()
    assert len({line.get_linewidth() for line in display.lines_}) == 1
    assert to_rgba("black") not in [to_rgba(line.get_color()) for line in display.lines_]


def test_twelve_classes_have_twelve_looks():
    display = GradientSimilarityDisplay(np.full((2, 12), 0.1)).plot()
    looks = {(to_rgba(line.get_color()), line.get_linestyle()) for line in display.lines_}
    assert len(looks) == 12


def test_a_class_has_one_colour_whichever_classes_lack_angles():
    all_there = GradientSimilarityDisplay(np.nan_to_num(ANGLES)).plot()
    one_lacks = GradientSimilarityDisplay(ANGLES).plot()
    for one, other in zip(one_lacks.lines_, all_there.lines_, strict=False):
        assert to_rgba(one.get_color()) == to_rgba(other.get_color())


def test_panels_that_share_the_axis_show_the_largest_angle_from_zero():
    _, axes = plt.subplots(1, 2, sharey=True)
    for ax, scale in zip(axes, [0.1, 1.0], strict=True):
        GradientSimilarityDisplay(scale * ANGLES).plot(ax=ax)
    low, high = axes[0].get_ylim()
    assert low == 0
    assert high > 0.5


def test_similarity_of_an_estimator_is_its_history(fitted):
    display = GradientSimilarityDisplay.from_estimator(fitted)
    drawn = np.transpose([line.get_ydata() for line in display.lines_])
    np.testing.assert_array_equal(drawn, fitted.history_[:, "gradient_angles"])
    assert legend_of(display) == ["healthy (60)", "inner (6)", "outer (6)"]


def test_threshold_points_hold_the_thresholds_over_the_shares():
    display = ClassThresholdDisplay.from_counts(np.uint8([20, 50, 30]), alpha=0.8)
    expected = class_thresholds([20, 50, 30], 0.8)
    points = {x: y for x, y, _ in points_of(display)}
    assert points == pytest.approx(dict(zip([20, 50, 30], expected, strict=True)))
    assert display.ax_.get_xlabel() == "Share of the samples (%)"
    assert display.ax_.get_ylabel() == "Threshold of the gradient angle (rad)"


def test_threshold_curves_are_the_formula_and_its_clamping():
    # Twelve classes: -0.4933 without samples, 0 at a share of 1/12, 0.4933 at twice that.
    lines = lines_of(ClassThresholdDisplay.from_counts(12 * [5]))
    share, formula = lines["formula before clamping"].get_data()
    assert lines["formula before clamping"].get_linestyle() == "--"
    assert (share[0], formula[0]) == pytest.approx((0, 1 / (1 + np.exp(5)) - 0.5))
    assert (share[-1], formula[-1]) == pytest.approx((100 / 12, 0))
    share, curve = lines["threshold"].get_data()
    assert (curve[share <= 100 / 12] == 0).all()
    assert np.interp(200 / 12, share, curve) == pytest.approx(0.4933, abs=1e-4)
    assert lines["share if balanced: 8.33 %"].get_xdata() == pytest.approx([100 / 12] * 2)


@pytest.mark.parametrize("annealing", [1.0, 0.25])
def test_classes_lie_on_the_curves(annealing):
    counts = [700, 400, 120, 30, 0]
    display = ClassThresholdDisplay.from_counts(counts, annealing=annealing)
    curves = lines_of(display)
    if annealing == 1:
        on = {True: curves["threshold"]}
    else:
        on = {False: curves["start of training"], True: curves["end, annealing 0.25"]}
    points = points_of(display)
    assert len(points) == len(counts) * len(on)
    for x, y, filled in points:
        assert np.interp(x, *on[filled].get_data()) == pytest.approx(y, abs=1e-3)


def test_factors_that_differ_have_points_but_no_curve():
    display = ClassThresholdDisplay.from_counts([60, 30, 10], annealing=[0.5, 0.2, 0.1])
    start = class_thresholds([60, 30, 10], 1.0)
    assert points_of(display) == [
        (60, start[0], False),
        (60, start[0] / 2, True),
        (30, 0, False),
        (30, 0, True),
        (10, 0, False),
        (10, 0, True),
    ]
    assert len(lines_of(display)["end, annealing 0.1 to 0.5"].get_xdata()) == 0


def test_classes_of_one_size_share_a_label():
    names = ["normal", *(f"fault {i}" for i in range(11))]
    display = ClassThresholdDisplay.from_counts([3200] + 11 * [16], classes=names)
    assert legend_of(display)[-2:] == ["normal: 3200", "11 classes: 16 each"]
    display = ClassThresholdDisplay.from_counts([8, 2, 2], classes=STATES)
    assert legend_of(display)[-2:] == ["healthy: 8", "inner, outer: 2 each"]


def test_thresholds_of_an_estimator_are_those_of_its_start_and_end(fitted):
    display = ClassThresholdDisplay.from_estimator(fitted)
    factor = fitted.history_[-1]["annealing_factor"]
    assert 0 <= factor[0] < 1
    start = class_thresholds(COUNTS, 0.5)[0]
    largest = [(y, filled) for x, y, filled in points_of(display) if x > 50]
    assert largest == [(start, False), (pytest.approx(factor[0] * start), True)]
    assert legend_of(display)[-2:] == ["healthy: 60", "inner, outer: 6 each"]


def test_without_annealing_there_is_one_curve(model, cases):
    model.set_params(loss_params={"annealing": None}, max_epochs=1).fit(*cases)
    display = ClassThresholdDisplay.from_estimator(model)
    assert "threshold" in lines_of(display)
    assert all(filled for _, _, filled in points_of(display))


def test_a_fit_resumed_at_its_end_has_the_same_thresholds(model, cases, tmp_path):
    model.set_params(checkpoint=tmp_path / "fit.pt")
    first = points_of(ClassThresholdDisplay.from_estimator(model.fit(*cases)))
    again = points_of(ClassThresholdDisplay.from_estimator(model.fit(*cases)))
    assert again == first


def test_displays_refuse_an_estimator_that_is_not_fitted(model):
    for kind in DISPLAYS:
        with pytest.raises(NotFittedError, match="not fitted yet"):
            kind.from_estimator(model)
        with pytest.raises(TypeError, match="not an estimator"):
            kind.from_estimator(3)


def test_similarity_asks_for_the_callback(model, cases):
    model.set_params(callbacks=None, max_epochs=1).fit(*cases)
    with pytest.raises(ValueError, match=r"callbacks=\[GradientSimilarity\(\)\]"):
        GradientSimilarityDisplay.from_estimator(model)


def test_thresholds_ask_for_the_loss_that_has_them(model, cases):
    model.set_params(loss="mse", loss_params=None, max_epochs=1).fit(*cases)
    with pytest.raises(ValueError, match=r"GHLClassifier has no loss .* with loss='ghl'"):
        ClassThresholdDisplay.from_estimator(model)


def test_displays_refuse_estimators_of_other_packages():
    other = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    with pytest.raises(ValueError, match="LogisticRegression has no gradient_angles"):
        GradientSimilarityDisplay.from_estimator(other)
    with pytest.raises(ValueError, match="LogisticRegression has no loss with thresholds"):
        ClassThresholdDisplay.from_estimator(other)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GradientSimilarityDisplay([0.1, 0.2]).plot(), r"angles has shape \(2,\); give"),
        (lambda: GradientSimilarityDisplay(np.empty((0, 3))).plot(), r"angles has shape \(0, 3\)"),
        (lambda: GradientSimilarityDisplay([[np.nan]]).plot(), "angles holds NaN only; a class"),
        (lambda: GradientSimilarityDisplay([[-0.1, 0.2]]).plot(), r"angles span -0.1 to 0.2; give"),
        (lambda: GradientSimilarityDisplay([[0.1, 45]]).plot(), "angles span 0.1 to 45; give"),
        (lambda: GradientSimilarityDisplay([[np.inf]]).plot(), "angles span inf to inf"),
        (lambda: GradientSimilarityDisplay([["a"]]).plot(), "angles must be real numbers"),
        (lambda: GradientSimilarityDisplay([[0.1]], classes=["a", "b"]).plot(), "1 columns; give"),
        (
            lambda: GradientSimilarityDisplay([[0.1]], class_counts=[1, 2]).plot(),
            r"class_counts has shape \(2,\) but angles has 1 columns",
        ),
        (
            lambda: GradientSimilarityDisplay([[0.1]], class_counts=[np.nan]).plot(),
            "class_counts contains NaN",
        ),
        (
            lambda: GradientSimilarityDisplay([[0.1, 0.2]], class_counts=[-1, 2]).plot(),
            r"class_counts=\[-1, 2\] must hold integers of at least 0",
        ),
        (
            lambda: GradientSimilarityDisplay([[0.1, 0.2]], class_counts=[1.5, 2]).plot(),
            r"class_counts=\[1.5, 2\] must hold integers of at least 0",
        ),
        (lambda: ClassThresholdDisplay.from_counts([5]), r"class_counts has shape \(1,\); give"),
        (lambda: ClassThresholdDisplay.from_counts([5, -1]), "integers of at least 0"),
        (lambda: ClassThresholdDisplay.from_counts([5, 1], alpha=-1), "alpha=-1 must be"),
        (lambda: ClassThresholdDisplay.from_counts([5, 1], annealing=2), "annealing=2.0 must lie"),
        (
            lambda: ClassThresholdDisplay.from_counts([5, 1], annealing=[1, 1, 1]),
            r"annealing has shape \(3,\); give",
        ),
        (
            lambda: ClassThresholdDisplay.from_counts([5, 1], classes=["a"]),
            r"classes has shape \(1,\) but class_counts has 2 counts; give",
        ),
    ],
)
def test_bad_input_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_an_alpha_that_is_no_number_is_refused():
    with pytest.raises(TypeError, match="alpha='1' must be a number"):
        ClassThresholdDisplay.from_counts([5, 1], alpha="1")
