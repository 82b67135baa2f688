import sys

import numpy as np
import pytest

from skprog.plots import DefectMapDisplay, FeatureMapDisplay

pytest.importorskip("matplotlib", reason='needs pip install "skprog[plot]"')
import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.colors import to_rgba

HEIGHT, WIDTH = 24, 40
N_FILTERS = 6


class Stub:
    """Maps the brightness of images, and remembers what it was given."""

    def defect_map(self, images):
        self.images = images
        return [np.float32(image / 255) for image in images]

    def feature_maps(self, image, block):
        self.block = block
        return np.stack([np.float32(image[::block, ::block])] * N_FILTERS)


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, size=(HEIGHT, WIDTH), dtype=np.uint8)


@pytest.fixture
def ramp():
    """Return a map that rises from 0 at the left to 1 at the right."""
    return np.tile(np.linspace(0, 1, WIDTH), (HEIGHT, 1))


@pytest.fixture
def box():
    """Return a mask of rows 5 to 9 and columns 10 to 19."""
    mask = np.zeros((HEIGHT, WIDTH), dtype=bool)
    mask[5:10, 10:20] = True
    return mask


@pytest.fixture
def maps():
    return np.random.default_rng(1).normal(size=(N_FILTERS, 8, 12))


def outlines_of(display):
    """Return the corners of each outline drawn, (n_points, 2)."""
    return [
        contour.get_paths()[0].vertices
        for contour in display.ax_.collections
        if hasattr(contour, "levels")
    ]


def legend_of(display):
    legend = display.ax_.get_legend()
    return None if legend is None else [text.get_text() for text in legend.get_texts()]


def displays_of(image):
    """Return functions that draw each display of an image the way a user would."""
    return [
        lambda ax=None: DefectMapDisplay.from_estimator(Stub(), image, threshold=0.5, ax=ax),
        lambda ax=None: FeatureMapDisplay.from_estimator(Stub(), image, ax=ax),
    ]


def test_a_display_keeps_its_axes_and_figure_and_renders(image, tmp_path):
    for draw in displays_of(image):
        display = draw()
        assert all(ax.figure is display.figure_ for ax in np.ravel(display.ax_))
        display.figure_.savefig(tmp_path / "figure.png")
        assert (tmp_path / "figure.png").stat().st_size > 5000


def test_a_display_draws_on_axes_it_is_given_and_opens_no_figure(image):
    for draw, n_axes in zip(displays_of(image), [1, N_FILTERS], strict=True):
        figure, axes = plt.subplots(1, n_axes)
        display = draw(ax=axes)
        assert list(np.ravel(display.ax_)) == list(np.ravel(axes))
        assert display.figure_ is figure
        assert plt.get_fignums() == [figure.number]
        plt.close(figure)


def test_a_display_can_be_drawn_again(image):
    for draw in displays_of(image):
        display = draw()
        first = display.figure_
        assert display.plot() is display
        assert display.figure_ is not first


def test_a_missing_matplotlib_names_the_extra(image, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    for draw in displays_of(image):
        with pytest.raises(
            ImportError, match=r'MapDisplay needs matplotlib; pip install "skprog\['
        ):
            draw()


@pytest.mark.parametrize("ax", [5, "axes"])
def test_anything_but_axes_is_refused(ax, image):
    defects, features = displays_of(image)
    for draw, given in ((defects, ax), (features, [ax] * N_FILTERS)):
        with pytest.raises(TypeError, match=r"ax=.* must be matplotlib Axes; pass those that plt"):
            draw(ax=given)
    assert plt.get_fignums() == []


def test_an_estimator_without_maps_is_refused(image):
    with pytest.raises(TypeError, match="type object has no defect_map; give a fitted SEMClass"):
        DefectMapDisplay.from_estimator(object(), image)
    with pytest.raises(TypeError, match="type object has no feature_maps; give a fitted SEMClass"):
        FeatureMapDisplay.from_estimator(object(), image)


def test_the_map_lies_over_the_image_in_the_pixels_of_the_image(image, ramp):
    display = DefectMapDisplay(image, ramp).plot()
    below, above = display.ax_.images
    np.testing.assert_array_equal(below.get_array(), image)
    np.testing.assert_array_equal(above.get_array(), ramp)
    assert below.get_extent() == above.get_extent()
    assert display.ax_.get_xlim() == (-0.5, WIDTH - 0.5)
    assert display.ax_.get_ylim() == (HEIGHT - 0.5, -0.5)
    assert display.ax_.get_xlabel() == "x (px)"


def test_the_map_is_clear_at_zero_and_more_opaque_the_higher_it_is(image, ramp):
    overlay = DefectMapDisplay(image, ramp).plot().ax_.images[1]
    opacity = overlay.to_rgba(ramp)[0, :, 3]
    assert opacity[0] == 0
    assert (np.diff(opacity) > 0).all()
    assert opacity[-1] == pytest.approx(0.75)


def test_colours_of_the_map_get_lighter_step_by_step(image, ramp):
    overlay = DefectMapDisplay(image, ramp).plot().ax_.images[1]
    lightness = overlay.to_rgba(ramp)[0, :, :3] @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(lightness) > 0).all()


def test_where_the_map_is_zero_the_image_shows_as_it_is(image):
    figure, axes = plt.subplots(1, 2)
    plain = axes[0].imshow(image, cmap="gray")
    below, above = DefectMapDisplay(image, np.zeros(image.shape)).plot(ax=axes[1]).ax_.images
    np.testing.assert_array_equal(below.to_rgba(image), plain.to_rgba(image))
    assert (above.to_rgba(above.get_array())[..., 3] == 0).all()
    assert figure is axes[1].figure


def test_colours_mean_the_same_whatever_the_map_spans(image):
    display = DefectMapDisplay(image, np.full(image.shape, 0.2)).plot()
    assert display.ax_.images[1].get_clim() == (0, 1)
    (bar,) = display.ax_.child_axes
    assert bar.get_ylabel() == "Probability of a defect"
    assert bar.get_ylim() == (0, 1)


def test_the_mask_is_outlined_halfway_between_pixels(image, ramp, box):
    display = DefectMapDisplay(image, ramp, mask=box).plot()
    (outline,) = outlines_of(display)
    np.testing.assert_array_equal(outline.min(axis=0), [9.5, 4.5])
    np.testing.assert_array_equal(outline.max(axis=0), [19.5, 9.5])
    assert legend_of(display) == ["mask"]


@pytest.mark.parametrize(("threshold", "first"), [(0.5, 20), (1.0, WIDTH - 1), (0, 0)])
def test_pixels_at_or_above_the_threshold_are_outlined(threshold, first, image, ramp):
    display = DefectMapDisplay(image, ramp, threshold=threshold).plot()
    (outline,) = outlines_of(display)
    np.testing.assert_array_equal(outline.min(axis=0), [first - 0.5, -0.5])
    np.testing.assert_array_equal(outline.max(axis=0), [WIDTH - 0.5, HEIGHT - 0.5])
    assert legend_of(display) == [f"map ≥ {threshold:g}"]


def test_outlines_leave_the_axes_as_they_are(image, ramp):
    display = DefectMapDisplay(image, ramp, mask=np.ones(image.shape, bool), threshold=0).plot()
    assert len(outlines_of(display)) == 2
    assert display.ax_.get_xlim() == (-0.5, WIDTH - 0.5)
    assert display.ax_.get_ylim() == (HEIGHT - 0.5, -0.5)


def test_both_outlines_have_colours_and_lines_of_their_own(image, ramp, box):
    display = DefectMapDisplay(image, ramp, mask=box, threshold=0.5).plot()
    assert legend_of(display) == ["mask", "map ≥ 0.5"]
    mask, above = display.ax_.get_legend().legend_handles
    assert to_rgba(mask.get_color()) != to_rgba(above.get_color())
    assert mask.get_linestyle() != above.get_linestyle()
    drawn = [tuple(contour.get_edgecolor()[0]) for contour in display.ax_.collections[:2]]
    assert drawn == [to_rgba(mask.get_color()), to_rgba(above.get_color())]


def test_an_image_without_defects_says_so(image):
    clean = np.zeros(image.shape)
    display = DefectMapDisplay(image, clean, mask=clean > 0, threshold=0.5).plot()
    assert outlines_of(display) == []
    assert legend_of(display) == ["mask: nowhere", "map ≥ 0.5: nowhere"]


def test_without_mask_and_threshold_there_is_no_legend(image, ramp):
    display = DefectMapDisplay(image, ramp).plot()
    assert outlines_of(display) == []
    assert legend_of(display) is None


def test_the_legend_lies_below_the_axis_label_and_the_bar_is_as_high_as_the_image(image, ramp, box):
    display = DefectMapDisplay(image, ramp, mask=box, threshold=0.5).plot()
    display.figure_.canvas.draw()
    legend = display.ax_.get_legend().get_window_extent()
    assert legend.y1 < display.ax_.xaxis.label.get_window_extent().y0
    assert legend.y0 >= 0
    (bar,) = display.ax_.child_axes
    assert bar.get_window_extent().height == pytest.approx(display.ax_.bbox.height)


def test_the_defect_map_of_an_estimator_is_that_of_the_image_as_given(image, box):
    stub = Stub()
    display = DefectMapDisplay.from_estimator(stub, image, mask=box, threshold=0.25)
    assert len(stub.images) == 1
    assert stub.images[0] is image
    np.testing.assert_array_equal(display.defect_map, np.float32(image / 255))
    assert legend_of(display) == ["mask", "map ≥ 0.25"]


def test_bad_input_is_refused_before_the_estimator_is_asked(image):
    stub = Stub()
    for kwargs in ({"mask": np.ones((2, 2), bool)}, {"threshold": 2}):
        with pytest.raises(ValueError, match=r"mask has shape \(2, 2\)|threshold=2 must be"):
            DefectMapDisplay.from_estimator(stub, image, **kwargs)
    with pytest.raises(ValueError, match=r"image has shape \(1, 24, 40\); give that of one grey"):
        DefectMapDisplay.from_estimator(stub, image[None])
    assert not hasattr(stub, "images")


def test_each_feature_map_has_axes_of_its_own_and_spans_its_own_range(maps):
    maps *= np.arange(1, N_FILTERS + 1)[:, None, None]
    display = FeatureMapDisplay(maps, block=2).plot()
    assert display.ax_.shape == (N_FILTERS,)
    for ax, feature_map in zip(display.ax_, maps, strict=True):
        (drawn,) = ax.images
        np.testing.assert_array_equal(drawn.get_array(), feature_map)
        assert drawn.get_clim() == (feature_map.min(), feature_map.max())


def test_a_filter_that_responds_nowhere_is_black():
    (drawn,) = FeatureMapDisplay(np.zeros((1, 8, 8))).plot().ax_[0].images
    assert (drawn.to_rgba(drawn.get_array()) == [0, 0, 0, 1]).all()


@pytest.mark.parametrize(
    ("n_filters", "grid"), [(1, (1, 1)), (3, (2, 2)), (16, (4, 4)), (32, (6, 6)), (40, (6, 7))]
)
def test_the_grid_is_near_square_and_has_no_empty_axes(n_filters, grid):
    display = FeatureMapDisplay(np.zeros((n_filters, 4, 4))).plot()
    assert len(display.figure_.axes) == n_filters
    assert display.ax_[0].get_gridspec().get_geometry() == grid
    places = [ax.get_subplotspec().num1 for ax in display.ax_]
    assert places == list(range(n_filters))


@pytest.mark.parametrize(
    ("block", "n_filters", "title"),
    [
        (3, 2, "Block 3: 2 feature maps, 8 × 12"),
        (None, 2, "2 feature maps, 8 × 12"),
        (np.int64(1), 1, "Block 1: 1 feature map, 8 × 12"),
    ],
)
def test_the_title_names_block_number_and_size(block, n_filters, title, maps):
    display = FeatureMapDisplay(maps[:n_filters], block=block).plot()
    assert display.figure_.get_suptitle() == title


def test_on_axes_given_the_first_is_titled_and_the_figure_is_not(maps):
    figure, axes = plt.subplots(2, 3)
    display = FeatureMapDisplay(maps, block=3).plot(ax=axes)
    assert [ax.get_title() for ax in display.ax_] == ["Block 3", *[""] * 5]
    assert figure.get_suptitle() == ""


def test_feature_maps_of_an_estimator_are_those_of_the_block(image):
    stub = Stub()
    display = FeatureMapDisplay.from_estimator(stub, image, block=2)
    assert stub.block == 2
    assert display.maps.shape == (N_FILTERS, HEIGHT // 2, WIDTH // 2)
    assert display.figure_.get_suptitle() == "Block 2: 6 feature maps, 12 × 20"


PLANE = np.full((4, 6), 0.5)
YES = PLANE > 0


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: DefectMapDisplay(PLANE, PLANE.T), r"defect_map has shape \(6, 4\) but image has"),
        (lambda: DefectMapDisplay(PLANE[0], PLANE), r"image has shape \(6,\); give that of one"),
        (lambda: DefectMapDisplay(PLANE[:0], PLANE), r"image has shape \(0, 6\); give that"),
        (lambda: DefectMapDisplay(PLANE, PLANE[None]), r"defect_map has shape \(1, 4, 6\); give"),
        (lambda: DefectMapDisplay(np.nan * PLANE, PLANE), "image contains NaN or infinity; repair"),
        (lambda: DefectMapDisplay(PLANE, np.nan * PLANE), "defect_map contains NaN or infinity"),
        (lambda: DefectMapDisplay([["a"]], PLANE), "image must be real numbers; convert"),
        (lambda: DefectMapDisplay(PLANE, PLANE - 1), "defect_map spans -0.5 to -0.5; give prob"),
        (lambda: DefectMapDisplay(PLANE, PLANE * 3), "defect_map spans 1.5 to 1.5; give prob"),
        (lambda: DefectMapDisplay(PLANE, PLANE, threshold=1.1), "threshold=1.1 must be .* most 1"),
        (lambda: DefectMapDisplay(PLANE, PLANE, threshold=-1), "threshold=-1 must be .* least 0"),
        (
            lambda: DefectMapDisplay(PLANE, PLANE, mask=YES[1:]),
            r"mask has shape \(3, 6\) but image",
        ),
        (lambda: DefectMapDisplay(PLANE, PLANE, mask=PLANE), "mask has dtype float64; give bool"),
        (
            lambda: DefectMapDisplay(PLANE, PLANE, mask=np.ma.masked_array(YES, YES)),
            "mask has masked values; fill",
        ),
        (lambda: FeatureMapDisplay(PLANE), r"maps has shape \(4, 6\); give the maps of one block"),
        (lambda: FeatureMapDisplay(np.ones((0, 4, 4))), r"maps has shape \(0, 4, 4\); give the"),
        (lambda: FeatureMapDisplay([PLANE, np.nan * PLANE]), "maps contains NaN .first in row 1"),
        (lambda: FeatureMapDisplay([[["a"]]]), "maps must be real numbers; convert"),
        (lambda: FeatureMapDisplay([PLANE], block=0), "block=0 must be at least 1"),
    ],
)
def test_bad_input_is_refused(draw, message):
    with pytest.raises(ValueError, match=message):
        draw().plot()
    assert plt.get_fignums() == []


def test_an_image_for_features_is_one_grey_image():
    with pytest.raises(ValueError, match=r"image has shape \(1, 4, 6\); give one grey image"):
        FeatureMapDisplay.from_estimator(Stub(), PLANE[None])


def test_another_number_of_axes_than_maps_is_refused(maps):
    _, axes = plt.subplots(1, 4)
    with pytest.raises(ValueError, match="ax holds 4 axes but 6 are drawn; give 6 or None"):
        FeatureMapDisplay(maps).plot(ax=axes)


def test_settings_of_a_wrong_type_are_refused():
    with pytest.raises(TypeError, match=r"threshold='0\.5' must be a number"):
        DefectMapDisplay(PLANE, PLANE, threshold="0.5").plot()
    with pytest.raises(TypeError, match=r"block=1\.5 must be an integer"):
        FeatureMapDisplay([PLANE], block=1.5).plot()
    with pytest.raises(TypeError, match="block=None must be an integer"):
        FeatureMapDisplay.from_estimator(Stub(), PLANE, block=None)
