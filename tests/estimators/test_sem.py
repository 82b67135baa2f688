"""SEMClassifier and its network."""

import pickle
from functools import partial

import numpy as np
import pytest
import torch
from scipy.special import expit, logit, softmax
from sklearn.base import clone
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, HalvingRandomSearchCV
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback

from skprog.callbacks import FitCheckpoint
from skprog.datasets import make_nanofibers
from skprog.estimators import SEMClassifier
from skprog.networks import MicrographCNN
from skprog.preprocessing import PatchSelector

SMALL = {
    "n_blocks": 2,
    "hidden_units": 8,
    "hidden_batch_norm": True,
    "lr": 0.05,
    "max_steps": 60,
    "random_state": 0,
}
TILED = {**SMALL, "tiles": "all", "patch_size": 16}


def beads():
    """Return where the beads are: one in every second image."""
    rng = np.random.default_rng(1)
    rows, columns = np.ogrid[:32, :48]
    masks = np.zeros((24, 32, 48), dtype=bool)
    for mask in masks[1::2]:
        row, column = rng.integers(5, 27), rng.integers(5, 43)
        mask[(rows - row) ** 2 + (columns - column) ** 2 < 25] = True
    return masks


@pytest.fixture(scope="module")
def images():
    """24 images of 32 x 48 pixels: noise, half of them with one smooth bead."""
    rng = np.random.default_rng(0)
    X = rng.integers(0, 120, (24, 32, 48)).astype(np.uint8)
    X[beads()] = 70
    return X, np.array(["homogeneous", "nonhomogeneous"] * 12)


@pytest.fixture(scope="module")
def fitted(images):
    return SEMClassifier(**SMALL).fit(*images)


@pytest.fixture(scope="module")
def tiled(images):
    return SEMClassifier(**TILED).fit(*images)


def weights_of(model):
    return torch.cat([p.detach().ravel() for p in model.net_.module_.parameters()])


def tile_probabilities(model, image, size=16):
    """Return the softmax of the network on every tile of an image."""
    tiles = PatchSelector(size, strategy="all").fit_transform(image[np.newaxis])[0]
    with torch.inference_mode():
        logits = model.net_.module_.eval()(torch.from_numpy(tiles))
    return softmax(logits.double().numpy(), axis=1)


# MicrographCNN


@pytest.mark.parametrize(
    ("params", "n_parameters"),
    [
        ({}, 272_122),
        ({"n_blocks": 1, "hidden_units": None}, 160 + 32 + 64 * 64 * 16 * 2 + 2),
        ({"n_blocks": 2, "hidden_units": None}, 4800 + 96 + 32 * 32 * 32 * 2 + 2),
        ({"n_blocks": 5, "hidden_units": None}, 190_080 + 2048 * 2 + 2),
        ({"n_blocks": 4, "head": "local"}, 78_688 + 416 + 96 * 2 + 2),
        ({"hidden_batch_norm": True}, 272_202),
    ],
)
def test_parameter_count(params, n_parameters):
    network = MicrographCNN(128, 128, 2, **params)
    assert sum(parameter.numel() for parameter in network.parameters()) == n_parameters


def test_feature_maps_have_the_sizes_of_the_papers_second_table():
    network = MicrographCNN(128, 128, 2)
    X = torch.rand(1, 128, 128)
    sizes = [(16, 128), (32, 64), (64, 32), (96, 16), (128, 8)]
    for block, (n_filters, size) in enumerate(sizes, start=1):
        assert network.encode(X, block, pool=False).shape == (1, n_filters, size, size)
        assert network.encode(X, block).shape == (1, n_filters, size // 2, size // 2)


def test_weights_start_with_a_deviation_of_a_hundredth_and_biases_at_zero():
    torch.manual_seed(0)
    network = MicrographCNN(128, 128, 2)
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
            assert float(module.weight.detach().std()) == pytest.approx(0.01, rel=0.2)
            assert (module.bias == 0).all()


@pytest.mark.parametrize("params", [{}, {"head": "local"}])
def test_brightness_and_contrast_do_not_matter(params):
    network = awake(32, 32, 2, n_blocks=3, **params)
    X = torch.rand(4, 32, 32)
    assert network(X).std() > 0.01
    torch.testing.assert_close(network(7 * X + 100), network(X), rtol=1e-3, atol=1e-3)


def test_an_image_without_contrast_is_zero_throughout():
    network = MicrographCNN(32, 32, 2, n_blocks=2).eval()
    torch.testing.assert_close(
        network(torch.full((1, 32, 32), 77)), network(torch.zeros(1, 32, 32))
    )


def awake(*args, **params):
    """Return a network in evaluation mode whose logits are of order 1."""
    torch.manual_seed(0)
    network = MicrographCNN(*args, **params).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
            torch.nn.init.kaiming_normal_(module.weight)
    return network


@pytest.mark.parametrize("background", [0, 1, 2])
def test_the_local_head_pools_the_excess_over_the_background(background):
    network = awake(32, 32, 3, n_blocks=2, head="local", background=background)
    X = torch.randn(2, 32, 32)
    places = network.encode(network.standardise(X)).permute(0, 2, 3, 1)
    places = places @ network.dense[0].weight.T
    excess = places - places[..., [background]]
    expected = (10 * excess.double()).exp().mean(dim=(1, 2)).log() / 10
    torch.testing.assert_close(network(X).double(), expected, rtol=1e-4, atol=1e-4)
    assert (network(X)[:, background] == 0).all()


def test_one_place_with_a_defect_is_enough():
    network = MicrographCNN(32, 32, 2, n_blocks=2, head="local").eval()
    places = torch.tensor([10.0, -10.0]).repeat(1, 8, 8, 1).permute(0, 3, 1, 2)
    for n_defects, expected in ((0, 0.0), (1, 1.0)):
        places[:, :, 0, :n_defects] = torch.tensor([[-10.0], [10.0]])
        network.classify = lambda features: places
        found = torch.softmax(network(torch.rand(1, 32, 32)), dim=1)[0, 1]
        assert float(found.detach()) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("params", [{}, {"hidden_units": None}, {"hidden_batch_norm": True}])
def test_one_place_gives_the_logits_of_an_image_of_the_size_fitted(params):
    network = awake(32, 48, 2, n_blocks=3, **params)
    X = torch.randn(1, 32, 48)
    found = network.logit_map(network.standardise(X)[0])[None, :, 0, 0]
    torch.testing.assert_close(found, network(X))
    flat = network.encode(network.standardise(X)).flatten(1)
    torch.testing.assert_close(network(X), network.dense(flat))


MAPPED = [{"n_blocks": n} for n in range(1, 6)] + [{"n_blocks": 4, "head": "local"}]


@pytest.mark.parametrize("params", MAPPED, ids=str)
@pytest.mark.parametrize("shape", [(330, 200), (128, 257)])
def test_strips_equal_the_whole(params, shape):
    network = awake(128, 128, 2, **params)
    X = torch.randn(shape)
    whole = network.logit_map(X, strip_height=10_000)
    assert whole.shape[1:] == tuple(
        size // network.stride - field + 1 for size, field in zip(shape, network.field, strict=True)
    )
    assert whole.std() > 0.01
    for strip_height in (1, 32, 100, 256):
        strips = network.logit_map(X, strip_height=strip_height)
        torch.testing.assert_close(strips, whole, rtol=1e-5, atol=1e-5 * whole.abs().max().item())


@pytest.mark.parametrize("params", [{"n_blocks": 5}, {"n_blocks": 3, "head": "local"}], ids=str)
def test_a_crop_with_its_surroundings_equals_the_whole(params):
    network = awake(128, 128, 2, **params)
    X = torch.randn(480, 512)
    place, (n_rows, n_columns) = network.stride, network.field
    whole = network.logit_map(X)
    assert whole.std() > 0.01
    halo = 64 // place
    # A tile at pixels (96, 160), cut out with 64 pixels all round.
    row, column = 96 // place, 160 // place
    crop = network.logit_map(X[96 - 64 : 96 + 128 + 64, 160 - 64 : 160 + 128 + 64])
    size = 128 // place
    torch.testing.assert_close(
        crop[:, halo : halo + size - n_rows + 1, halo : halo + size - n_columns + 1],
        whole[:, row : row + size - n_rows + 1, column : column + size - n_columns + 1],
        rtol=1e-5,
        atol=1e-5 * whole.abs().max().item(),
    )


@pytest.mark.parametrize("shape", [(32, 32), (37, 70), (100, 32)])
def test_values_are_spread_linearly_between_the_middles_of_their_fields(shape):
    network = MicrographCNN(16, 32, 2, n_blocks=3)
    values = torch.rand(shape[0] // 8 - 1, shape[1] // 8 - 3)
    found = network.spread(values, shape).numpy()
    expected = values.numpy()
    for axis, (size, field) in enumerate(zip(shape, (2, 4), strict=True)):
        middles = 8 * np.arange(expected.shape[axis]) + 4 * field - 0.5
        expected = np.apply_along_axis(partial(np.interp, np.arange(size), middles), axis, expected)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"n_blocks": 6}, ValueError, "n_blocks=6 but n_filters=.* has 5 entries"),
        ({"n_blocks": 0}, ValueError, "n_blocks=0 must be at least 1"),
        ({"hidden_units": 0}, ValueError, "hidden_units=0 must be at least 1"),
        ({"head": "map"}, ValueError, "head='map' is not one of 'dense', 'local'"),
        ({"n_filters": 16}, TypeError, "n_filters=16 must be a list or a tuple"),
        ({"n_filters": (16, 0)}, ValueError, "an entry of n_filters=0 must be at least 1"),
        ({"hidden_batch_norm": 2}, ValueError, "hidden_batch_norm=2 is not one of"),
    ],
)
def test_impossible_networks_are_refused(params, error, message):
    with pytest.raises(error, match=message):
        MicrographCNN(128, 128, 2, **params)


def test_images_smaller_than_a_place_are_refused():
    with pytest.raises(
        ValueError, match="16 x 64 pixels are smaller than 32, one place of block 5"
    ):
        MicrographCNN(16, 64, 2)


# Training


def test_beads_are_told_from_image_labels(images, fitted, tiled):
    X, y = images
    for model in (fitted, tiled):
        assert model.score(X, y) >= 0.9


def test_training_stops_after_max_steps_in_the_middle_of_an_epoch(images):
    model = SEMClassifier(**{**SMALL, "max_steps": 7, "batch_size": 8}).fit(*images)
    assert model.history_[:, "train_batch_count"] == [3, 3, 1]
    assert [len(epoch) for epoch in model.history_[:, "batches"]] == [3, 3, 1]


def test_without_max_steps_epochs_count(images):
    model = SEMClassifier(**{**SMALL, "max_steps": None, "max_epochs": 2}).fit(*images)
    assert model.n_iter_ == 2


def test_warm_start_takes_as_many_steps_again(images):
    model = SEMClassifier(**{**SMALL, "max_steps": 3, "batch_size": 8, "warm_start": True})
    model.fit(*images).fit(*images)
    assert sum(model.history_[:, "train_batch_count"]) == 6


def test_partial_fit_trains_one_epoch_of_the_tiles(images):
    model = SEMClassifier(**TILED).partial_fit(*images)
    # 24 images of 6 tiles in batches of 32.
    assert model.history_[:, "train_batch_count"] == [5]
    assert 0 < model.threshold_ < 1


class InterruptAt(Callback):
    """Interrupt the third epoch, where armed."""

    armed = False

    def on_epoch_begin(self, net, **kwargs):
        if self.armed and len(net.history) == 3:
            raise RuntimeError("power failure")


def test_an_interrupted_fit_resumes_bit_for_bit(images, tmp_path):
    params = {**TILED, "max_steps": 13, "augment": True, "callbacks": [("stop", InterruptAt())]}
    straight = SEMClassifier(**params).fit(*images)
    model = SEMClassifier(**params, checkpoint=tmp_path / "fit.pt")
    InterruptAt.armed = True
    with pytest.raises(RuntimeError, match="power failure"):
        model.fit(*images)
    InterruptAt.armed = False
    assert len(FitCheckpoint(tmp_path / "fit.pt").initialize().load()["history"]) == 2
    model.fit(*images)
    assert torch.equal(weights_of(model), weights_of(straight))
    assert model.history_[:, "train_batch_count"] == [5, 5, 3]


def test_a_finished_fit_resumes_as_it_is_and_refuses_other_specimens(images, tmp_path):
    X, y = images
    params = {**SMALL, "batch_size": 8, "validation_fraction": 0.25, "checkpoint": tmp_path / "f"}
    SEMClassifier(**{**params, "max_steps": 4}).fit(X, y, groups=np.arange(24))
    SEMClassifier(**{**params, "max_steps": 9}).fit(X, y, groups=np.arange(24))
    again = SEMClassifier(**{**params, "max_steps": 9}).fit(X, y, groups=np.arange(24))
    assert sum(again.history_[:, "train_batch_count"]) == 9
    with pytest.raises(ValueError, match="holds 9 steps, more than max_steps=5; raise max_steps"):
        SEMClassifier(**{**params, "max_steps": 5}).fit(X, y, groups=np.arange(24))
    with pytest.raises(ValueError, match="written by a fit with other data"):
        SEMClassifier(**{**params, "max_steps": 9}).fit(X, y, groups=np.arange(24) // 2)


@pytest.mark.parametrize("dtype", [np.uint16, np.float16])
def test_mixed_precision_and_augmentation_take_any_greys(images, dtype):
    X, y = images
    params = {**TILED, "augment": True, "amp": "bf16", "class_weight": "balanced"}
    model = SEMClassifier(**params).fit(X.astype(dtype), y)
    assert model.score(X.astype(dtype), y) >= 0.8
    assert model.defect_map(X[:1]).dtype == np.float32


def test_weights_by_frequency_count_tiles(images):
    X, y = images
    unequal = [
        image if label == "homogeneous" else image[:16] for image, label in zip(X, y, strict=True)
    ]
    model = SEMClassifier(**{**TILED, "max_steps": 1}, class_weight="balanced").fit(unequal, y)
    # 6 tiles in an image of one class, 3 in one of the other.
    np.testing.assert_allclose(model.net_.criterion_.class_weight, [0.75, 1.5])


def test_a_checkpoint_that_ended_early_trains_on_to_more_steps(images, tmp_path):
    params = {**SMALL, "batch_size": 8, "checkpoint": tmp_path / "fit.pt"}
    SEMClassifier(**{**params, "max_steps": 4}).fit(*images)
    model = SEMClassifier(**{**params, "max_steps": 9}).fit(*images)
    assert model.history_[:, "train_batch_count"] == [3, 1, 3, 2]


def test_equal_seeds_agree_bit_for_bit_and_leave_the_global_generators(images, tiled):
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    again = SEMClassifier(**TILED).fit(*images)
    assert torch.equal(weights_of(again), weights_of(tiled))
    assert again.threshold_ == tiled.threshold_
    assert torch.equal(torch.get_rng_state(), before[0])
    np.testing.assert_array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002


@pytest.mark.parametrize(
    ("dtype", "scale"),
    [(np.uint16, 1), (np.uint16, 257), (">u2", 257), (np.float32, 257), (np.float64, 1 / 255)],
)
def test_grey_values_of_any_type_predict_alike(images, fitted, dtype, scale):
    X = images[0]
    np.testing.assert_allclose(
        fitted.predict_proba((X.astype(float) * scale).astype(dtype)),
        fitted.predict_proba(X),
        atol=1e-4,
    )


def test_a_list_of_images_is_as_good_as_an_array(images, fitted, tiled):
    X = images[0]
    for model in (fitted, tiled):
        np.testing.assert_array_equal(model.predict_proba(list(X)), model.predict_proba(X))


def test_specimens_are_held_out_whole(images):
    X, y = images
    groups = np.arange(24) // 5
    model = SEMClassifier(**SMALL, validation_fraction=0.25).fit(X, y, groups=groups)
    batches = model.history_[0]["batches"]
    # Specimens of 5 images, the last of 4; without groups it would be 6.
    assert sum(batch.get("valid_batch_size", 0) for batch in batches) in (4, 5, 9, 10)


def test_tiles_of_an_image_are_held_out_together(images):
    model = SEMClassifier(**TILED, validation_fraction=0.25).fit(*images)
    batches = model.history_[0]["batches"]
    n_valid = sum(batch.get("valid_batch_size", 0) for batch in batches)
    # 3 of 12 images of each class, 6 tiles of each.
    assert n_valid == 36


def test_a_dead_dense_layer_is_told(images):
    class Kill(Callback):
        def on_train_end(self, net, **kwargs):
            with torch.no_grad():
                net.module_.dense[0].bias.fill_(-1e3)

    with pytest.warns(UserWarning, match="all 8 units of the dense layer are dead"):
        SEMClassifier(**SMALL, callbacks=[Kill()]).fit(*images)


@pytest.mark.parametrize("loss", ["ghl", "focal", "class_cost"])
def test_the_losses_against_imbalance_train_it_too(images, loss):
    X, y = images
    rows = np.r_[0:24:2, 1:7:2]
    model = SEMClassifier(**SMALL, loss=loss).fit(X[rows], y[rows])
    assert model.score(X[rows], y[rows]) >= 0.8
    if loss == "ghl":
        assert "annealing_factor" in model.history_[-1]


# Votes


def test_the_highest_tiles_decide_against_the_threshold(images, tiled):
    X = images[0]
    tops = [np.sort(tile_probabilities(tiled, image)[:, 1])[-5:].mean() for image in X]
    expected = expit(logit(tops) - logit(tiled.threshold_))
    np.testing.assert_allclose(tiled.predict_proba(X)[:, 1], expected, rtol=1e-4, atol=1e-6)
    assert ((np.array(tops) > tiled.threshold_) == (tiled.predict(X) == "nonhomogeneous")).all()


def test_the_threshold_has_the_highest_balanced_accuracy(images, tiled):
    X, y = images
    tops = np.array([np.sort(tile_probabilities(tiled, image)[:, 1])[-5:].mean() for image in X])

    def balanced_accuracy(threshold):
        is_right = (tops > threshold) == (y == "nonhomogeneous")
        return (is_right[::2].mean() + is_right[1::2].mean()) / 2

    best = max(map(balanced_accuracy, np.linspace(tops.min(), tops.max(), 500)))
    assert balanced_accuracy(tiled.threshold_) >= best


def test_the_class_with_defects_may_be_the_first(images):
    X, y = images
    renamed = np.where(y == "nonhomogeneous", "beads", "fine")
    model = SEMClassifier(**TILED, pos_label="beads").fit(X, renamed)
    assert model.score(X, renamed) >= 0.9
    tops = [np.sort(tile_probabilities(model, image)[:, 0])[-5:].mean() for image in X]
    expected = expit(logit(tops) - logit(model.threshold_))
    np.testing.assert_allclose(model.predict_proba(X)[:, 0], expected, rtol=1e-4, atol=1e-6)


def test_the_majority_is_the_share_of_tiles(images):
    X, y = images
    model = SEMClassifier(**TILED, vote="majority").fit(X, y)
    votes = [tile_probabilities(model, image).argmax(axis=1) for image in X]
    expected = np.mean(votes, axis=1)
    np.testing.assert_allclose(model.predict_proba(X)[:, 1], expected)
    assert not hasattr(model, "threshold_")


def test_the_threshold_stays_where_one_class_only_is_seen(images):
    X, y = images
    model = SEMClassifier(**TILED).partial_fit(X[::2], y[::2], classes=np.unique(y))
    assert model.threshold_ == 0.5
    known = model.partial_fit(X, y).threshold_
    assert model.partial_fit(X[::2], y[::2]).threshold_ == known
    assert not hasattr(model.set_params(vote="majority", warm_start=False).fit(X, y), "threshold_")


def test_images_of_unequal_sizes_vote(images):
    X, y = images
    cropped = [image[: 16 + i % 17, : 20 + i] for i, image in enumerate(X)]
    model = SEMClassifier(**TILED).fit(cropped, y)
    assert model.predict(cropped).shape == (24,)
    maps = model.defect_map(cropped)
    assert [each.shape for each in maps] == [image.shape for image in cropped]


# Maps


def test_the_map_of_an_image_of_the_size_fitted_is_its_probability(images, fitted):
    X = images[0][:3]
    maps = fitted.defect_map(X)
    assert maps.shape == X.shape
    assert maps.dtype == np.float32
    expected = fitted.predict_proba(X)[:, 1]
    np.testing.assert_allclose(maps, np.broadcast_to(expected[:, None, None], X.shape), rtol=1e-5)


def test_the_map_is_interpolated_between_the_middles_of_the_fields(images):
    X, y = images
    model = SEMClassifier(**TILED, head="local").fit(X, y)
    image = X[1].astype(np.float32)
    standard = torch.from_numpy((image - image.mean()) / image.std())
    with torch.inference_mode():
        logits = model.net_.module_.logit_map(standard)
    places = torch.softmax(logits, dim=0)[1].numpy()
    found = model.defect_map(X[1:2])[0]
    # Places of 4 x 4 pixels: a pixel is a quarter of a step away from the middle of 1.5.
    np.testing.assert_allclose(found[0, 0], places[0, 0], rtol=1e-4)
    np.testing.assert_allclose(found[0, 2:6:3], places[0, :2] @ [[7, 1], [1, 7]] / 8, rtol=1e-4)


def test_the_local_map_finds_the_beads(images):
    X, y = images
    model = SEMClassifier(**{**TILED, "max_steps": 60}, head="local").fit(X, y)
    is_bead = beads()[1::2]
    maps = model.defect_map(X[1::2])
    assert maps[is_bead].mean() > maps[~is_bead].mean() + 0.3


def test_feature_maps_are_those_of_the_block(images, fitted):
    image = images[0][1]
    for block, shape in ((1, (16, 32, 48)), (2, (32, 16, 24))):
        maps = fitted.feature_maps(image, block)
        assert maps.shape == shape
        assert (maps >= 0).all()
        assert maps.max() > 0
    with pytest.raises(ValueError, match="block=3 but the network has 2"):
        fitted.feature_maps(image, 3)


def test_several_networks_are_averaged(images):
    X, y = images
    model = SEMClassifier(**{**TILED, "n_networks": 2, "max_steps": 5}).fit(X, y)
    single = clone(model).set_params(n_networks=1).fit(X, y)
    assert len(model.nets_) == 2
    assert torch.equal(weights_of(single), weights_of(model))
    first, second = (
        softmax(net.module_.eval().logit_map(_standard(X[1])).detach().numpy(), axis=0)[1]
        for net in model.nets_
    )
    found = model.defect_map(X[1:2])[0]
    assert found.min() >= np.minimum(first, second).min() - 1e-6
    np.testing.assert_allclose(found[0, 0], (first[0, 0] + second[0, 0]) / 2, rtol=1e-4)


def _standard(image):
    image = image.astype(np.float32)
    return torch.from_numpy((image - image.mean()) / image.std())


def test_the_easy_beads_are_learnt_from_image_labels():
    data = make_nanofibers(140, size=192, difficulty="easy", random_state=0)
    small = {"n_blocks": 3, "n_filters": (8, 16, 16), "head": "local", "augment": True}
    trained = {"optimizer": "adam", "lr": 2e-3, "batch_size": 16, "max_steps": 240}
    model = SEMClassifier(**small, **trained, random_state=0)
    model.fit(data.images[:100], data.target[:100])
    X, y, masks = data.images[100:], data.target[100:], data.masks[100:]
    # Few steps leave batch normalisation behind, so that the ranking is better than the verdict.
    assert model.score(X, y) >= 0.75
    assert roc_auc_score(y, model.predict_proba(X)[:, 1]) > 0.95
    maps = model.defect_map(X[y == 1])
    assert roc_auc_score(masks[y == 1].ravel(), maps.ravel()) > 0.95


# As scikit-learn's users do


def test_it_follows_a_patch_selector(images):
    X, y = images
    model = make_pipeline(PatchSelector(16, strategy="max_variance"), SEMClassifier(**SMALL))
    assert model.fit(X, y).score(X, y) >= 0.8


def test_pickle_predicts_alike_and_clone_forgets(images, tiled):
    X = images[0]
    restored = pickle.loads(pickle.dumps(tiled))
    np.testing.assert_array_equal(restored.predict_proba(X), tiled.predict_proba(X))
    assert not hasattr(clone(tiled), "nets_")


def test_searches_over_its_parameters(images):
    X, y = images
    grid = {"n_blocks": [1, 2], "hidden_units": [None, 4]}
    search = GridSearchCV(SEMClassifier(**{**SMALL, "max_steps": 5}), grid, cv=2).fit(X, y)
    assert search.best_params_.keys() == grid.keys()
    halving = HalvingRandomSearchCV(
        SEMClassifier(**SMALL),
        {"lr": [0.01, 0.1]},
        resource="max_steps",
        max_resources=4,
        min_resources=2,
        factor=2,
        cv=2,
        random_state=0,
    ).fit(X, y)
    assert halving.best_params_["lr"] in (0.01, 0.1)


@pytest.mark.parametrize(("name", "value"), [("top_k", 2), ("vote", "majority"), ("tiles", None)])
def test_votes_changed_after_the_fit_need_another(images, tiled, name, value):
    changed = pickle.loads(pickle.dumps(tiled)).set_params(**{name: value})
    for method in (changed.predict, changed.defect_map):
        with pytest.raises(ValueError, match=f"{name}=.* was fitted with {name}=.*; fit again"):
            method(images[0])


def test_read_only_images_and_other_byte_orders_are_taken(images, tiled):
    X = images[0].astype(">u2")
    X.flags.writeable = False
    np.testing.assert_allclose(tiled.defect_map(X), tiled.defect_map(images[0]), atol=1e-5)


def test_another_size_needs_another_fit(images, fitted):
    X, y = images
    with pytest.raises(
        ValueError, match=r"shape \(32, 32\) but SEMClassifier was fitted on \(32, 48"
    ):
        fitted.predict(X[:, :, :32])
    refit = clone(fitted).fit(X[:, :, :32], y)
    assert refit.shape_in_ == (32, 32)


# Bad input


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"tiles": "some"}, ValueError, "tiles='some' is not one of None, 'all'"),
        ({"vote": "mean"}, ValueError, "vote='mean' is not one of 'top_k', 'majority'"),
        ({"top_k": 0}, ValueError, "top_k=0 must be at least 1"),
        ({"patch_size": 64, "tiles": "all"}, ValueError, r"\(32, 48\) but patch_size=64 takes at"),
        ({"max_steps": 0}, ValueError, "max_steps=0 must be at least 1"),
        ({"max_steps": 2.5}, TypeError, r"max_steps=2\.5 must be an integer"),
        ({"momentum": 1}, ValueError, "momentum=1 must be finite and at least 0 and below 1"),
        ({"augment": True}, ValueError, "augment=True turns images .* 32 x 48 pixels"),
        ({"pos_label": "bad"}, ValueError, "pos_label='bad' is none of"),
        ({"n_blocks": 7}, ValueError, "n_blocks=7 but n_filters="),
        ({"n_filters": (4, 4), "n_blocks": 3}, ValueError, "n_blocks=3 but n_filters="),
        ({"head": "dens"}, ValueError, "head='dens' is not one of"),
    ],
)
def test_wrong_parameters_are_refused(images, params, error, message):
    with pytest.raises(error, match=message):
        SEMClassifier(**{**SMALL, **params}).fit(*images)


@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        (lambda X: X[0], ValueError, r"X has shape \(32, 48\); give images .* X\[np.newaxis\]"),
        (lambda X: X[..., None], ValueError, r"X\[0\] has shape \(32, 48, 1\); give grey images"),
        (lambda X: X[:0], ValueError, "X has 0 images"),
        (lambda X: "path.png", TypeError, "X of type str must be an array or a list"),
        (lambda X: [*X[:-1], X[0] * 0], ValueError, r"X\[23\] has the value 0 throughout"),
        (lambda X: [*X[:-1], X[0] * np.nan], ValueError, r"X\[23\] contains NaN or infinity"),
        (lambda X: [*X[:-1], X[0, :9]], ValueError, r"images of \(32, 48\) and \(9, 48\) pixels"),
        (lambda X: X.astype(str), ValueError, r"X\[0\] has dtype <U3; give numbers"),
        (lambda X: X > 9, ValueError, r"X\[0\] has dtype bool; give numbers"),
        (lambda X: X[:5], ValueError, "y has 24 labels but X has 5 cases"),
    ],
)
def test_wrong_images_are_refused(images, spoil, error, message):
    X, y = images
    with pytest.raises(error, match=message):
        SEMClassifier(**SMALL).fit(spoil(X), y)


def test_three_classes_take_the_majority(images):
    X, y = images
    y = np.where(np.arange(24) < 6, "blank", y)
    with pytest.raises(
        ValueError, match=r"vote='top_k' takes 2 classes but y has 3; use vote='maj"
    ):
        SEMClassifier(**TILED).fit(X, y)
    model = SEMClassifier(**{**TILED, "max_steps": 2}, vote="majority").fit(X, y)
    assert model.predict_proba(X).shape == (24, 3)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (np.zeros(24), "groups has 1 specimen"),
        (np.arange(24) % 2, "no choice of specimens to hold out leaves all classes on both"),
        (np.arange(23), "groups has 23 specimens but X has 24 images"),
        ([None] * 24, "groups has missing labels"),
    ],
)
def test_specimens_that_cannot_be_held_out_are_refused(images, groups, message):
    with pytest.raises(ValueError, match=message):
        SEMClassifier(**SMALL, validation_fraction=0.3).fit(*images, groups=groups)


def test_half_of_the_specimens_at_most_are_held_out(images):
    with pytest.raises(
        ValueError, match=r"validation_fraction=0\.8 must be at most 0\.5 with groups"
    ):
        SEMClassifier(**SMALL, validation_fraction=0.8).fit(*images, groups=np.arange(24))


def test_maps_need_images_of_the_size_fitted_along_both_axes(images, fitted):
    with pytest.raises(
        ValueError, match=r"X\[0\] has shape \(48, 32\) but the images fitted takes"
    ):
        fitted.defect_map(images[0].swapaxes(1, 2))


def test_one_row_is_too_few_for_batch_normalisation(images):
    X, y = images
    model = SEMClassifier(**SMALL)
    with pytest.raises(ValueError, match="hidden_batch_norm=True needs batches of at least 2 rows"):
        model.partial_fit(X[:1], y[:1], classes=np.unique(y))


def test_sample_weight_is_refused(images):
    with pytest.raises(TypeError, match="takes no sample_weight in fit; weigh classes by"):
        SEMClassifier(**SMALL).fit(*images, sample_weight=np.ones(24))
