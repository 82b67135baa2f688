"""Graphs under onnxruntime against the estimators, and what networks cost."""

import json
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.ensemble import VotingRegressor
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skprog.deploy import Footprint, export_onnx, footprint, save
from skprog.deploy._footprint import _n_macs
from skprog.deploy._graph import as_graph
from skprog.deploy._onnx import DTYPES, to_onnx
from skprog.estimators import (
    CnnLstmRUL,
    DummyRUL,
    GHLClassifier,
    ImageClassifier,
    SEMClassifier,
    TimeSeriesClassifier,
)
from skprog.estimators._image import NETWORKS as IMAGE_NETWORKS
from skprog.estimators._time_series import NETWORKS as SERIES_NETWORKS
from skprog.preprocessing import FrequencyMaxPool

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

RNG = np.random.default_rng(0)
LABELS = np.array(["healthy", "worn", "broken"] * 4)
WINDOWS = RNG.normal(size=(12, 2, 48)).astype(np.float32)
IMAGES = RNG.integers(0, 255, size=(12, 3, 8, 8), dtype=np.uint8)
SMALL = {"max_epochs": 1, "random_state": 0}
GHL = GHLClassifier(**SMALL, n_filters=(3,), kernel_sizes=(5,), dense_units=400)
SEM = SEMClassifier(n_blocks=1, n_filters=(3,), hidden_units=4, max_steps=2, random_state=0)


def session(model):
    """Return onnxruntime's session of a file or of its bytes."""
    model = model if isinstance(model, bytes) else os.fspath(model)
    return onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])


def run(model, X):
    (result,) = session(model).run(None, {"X": np.asarray(X, dtype=np.float32)})
    return result


def sequences(shape, n=64):
    """Sequences whose level tells their RUL, which spans the range."""
    rul = RNG.permutation(np.linspace(0, 27_710, n))
    noise = RNG.normal(size=(n, *shape))
    level = rul.reshape(-1, *[1] * len(shape)) / 10_000
    return (noise / 5 - level).astype(np.float32), rul


def assert_seconds_agree(model, X):
    """Compare with both types of weights, of one export, which takes seconds."""
    graphs = to_onnx(model, DTYPES)
    for dtype, tolerance in (("float32", 1e-5), ("float16", 1e-2)):
        for n in (1, 64):
            rul = run(graphs[dtype], X[:n])
            assert rul.shape == (n,)
            assert np.abs(rul - model.predict(X[:n])).max() <= tolerance * model.max_life_
    return graphs


@pytest.mark.slow
def test_papers_model_agrees_to_1e_5_of_its_life_in_float32_and_1e_2_in_float16():
    X, y = sequences((32, 1, 84, 25))
    model = CnnLstmRUL(max_epochs=12, lr=3e-3, lr_decay=1.0, batch_size=16, random_state=0)
    model.fit(X, y)
    assert np.ptp(model.predict(X)) > 0.3 * model.max_life_
    graphs = assert_seconds_agree(model, X)
    assert len(graphs["float16"]) < 0.55 * len(graphs["float32"])


@pytest.mark.parametrize(
    ("shape", "target"),
    [((3, 2, 12, 9), "rul_index"), ((4, 12, 9), "linear"), ((5, 6), "rul_index"), ((7,), "linear")],
)
def test_sequences_of_every_rank_agree_in_batches_of_any_size(shape, target):
    X, y = sequences(shape)
    small = {"n_conv_layers": 1, "n_filters": (2,), "lstm_units": 20, "lr": 3e-2, "lr_decay": 1.0}
    model = CnnLstmRUL(target=target, **small, max_epochs=15, random_state=0)
    model.fit(X, y)
    assert np.ptp(model.predict(X)) > 0.1 * model.max_life_
    assert_seconds_agree(model, X)


def test_predictions_are_clipped_inside_the_graph(tmp_path):
    X, y = sequences((7,))
    model = CnnLstmRUL(lstm_units=4, lr_decay=1.0, **SMALL).fit(X, y)
    path = tmp_path / "model.onnx"
    for bias, seconds in ((50.0, 0.0), (-50.0, model.max_life_)):
        with torch.no_grad():
            model.net_.module_.head[-1].bias.fill_(bias)
        export_onnx(model, path)
        np.testing.assert_allclose(run(path, X), seconds, rtol=1e-6)


def test_last_step_of_a_pipeline_is_exported(tmp_path):
    X, y = sequences((3, 2, 12, 9), n=12)
    net = CnnLstmRUL(n_conv_layers=1, n_filters=(2,), lstm_units=4, **SMALL)
    model = make_pipeline(FrequencyMaxPool(2), net).fit(X, y)
    path = tmp_path / "model.onnx"
    export_onnx(model, path)
    rul = run(path, model[:-1].transform(X))
    np.testing.assert_allclose(rul, model.predict(X), atol=1e-5 * model[-1].max_life_)


def test_model_says_what_goes_in_and_out(tmp_path):
    X, y = sequences((5, 6), n=12)
    export_onnx(CnnLstmRUL(lstm_units=4, **SMALL).fit(X, y), tmp_path / "rul.onnx")
    model = session(tmp_path / "rul.onnx")
    (given,), (told,) = model.get_inputs(), model.get_outputs()
    assert (given.name, given.shape[1:], given.type) == ("X", [5, 6], "tensor(float)")
    assert isinstance(given.shape[0], str)
    assert told.name == "rul"
    assert model.get_modelmeta().custom_metadata_map["unit"] == "s"
    export_onnx(clone(GHL).fit(WINDOWS, LABELS), tmp_path / "ghl.onnx")
    model = session(tmp_path / "ghl.onnx")
    assert model.get_outputs()[0].name == "probabilities"
    classes = json.loads(model.get_modelmeta().custom_metadata_map["classes"])
    assert classes == ["broken", "healthy", "worn"]
    # Not of the source it comes from.
    assert b".py" not in (tmp_path / "ghl.onnx").read_bytes()


@pytest.mark.parametrize(
    ("model", "X"),
    [
        (GHL, WINDOWS[:, 0]),
        (clone(GHL).set_params(n_networks=3, batch_norm=True, global_pooling="max"), WINDOWS),
        (TimeSeriesClassifier(scale="case", network="lstm", **SMALL), WINDOWS),
        (clone(SEM).set_params(head="local", n_networks=2), IMAGES[:, 0]),
        (ImageClassifier(network_params={"width": 2}, **SMALL), IMAGES),
    ],
    ids=lambda value: type(value).__name__,
)
def test_probabilities_agree(model, X):
    model = clone(model).fit(X, LABELS)
    graphs = to_onnx(model, DTYPES)
    for n in (1, 12):
        probabilities = run(graphs["float32"], X[:n])
        assert probabilities.shape == (n, 3)
        np.testing.assert_allclose(probabilities, model.predict_proba(X[:n]), atol=1e-5)
    np.testing.assert_allclose(run(graphs["float16"], X), model.predict_proba(X), atol=1e-2)


def test_tiles_agree_where_they_vote(tmp_path):
    model = clone(SEM).set_params(tiles="all", patch_size=4, vote="majority")
    model.fit(IMAGES[:, 0], LABELS)
    export_onnx(model, tmp_path / "model.onnx")
    tiles = IMAGES[:, 0, :4, :4]
    expected = model._probabilities(tiles)
    np.testing.assert_allclose(run(tmp_path / "model.onnx", tiles), expected, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("network", SERIES_NETWORKS)
def test_every_network_of_series_agrees(network, tmp_path):
    model = TimeSeriesClassifier(network, **SMALL).fit(WINDOWS, LABELS)
    export_onnx(model, tmp_path / "model.onnx")
    for n in (1, 12):
        expected = model.predict_proba(WINDOWS[:n])
        np.testing.assert_allclose(run(tmp_path / "model.onnx", WINDOWS[:n]), expected, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("network", IMAGE_NETWORKS)
def test_every_network_of_images_agrees(network, tmp_path):
    X = RNG.integers(0, 255, size=(12, 3, 32, 32), dtype=np.uint8)
    model = ImageClassifier(network, network_params={"width": 2}, **SMALL).fit(X, LABELS)
    export_onnx(model, tmp_path / "model.onnx")
    for n in (1, 12):
        expected = model.predict_proba(X[:n])
        np.testing.assert_allclose(run(tmp_path / "model.onnx", X[:n]), expected, atol=1e-5)


class DataDependent(torch.nn.Module):
    """Branches by a value, which no graph can."""

    def __init__(self, n_classes):
        super().__init__()
        self.head = torch.nn.Linear(1, n_classes)

    def forward(self, X):
        mean = X.mean(dim=(1, 2))[:, None]
        return self.head(mean if float(mean.sum()) > 0 else -mean)


def test_network_that_no_graph_can_hold_is_refused(tmp_path):
    model = TimeSeriesClassifier(DataDependent, **SMALL).fit(WINDOWS, LABELS)
    with pytest.raises(ValueError, match="network of TimeSeriesClassifier cannot be exported"):
        export_onnx(model, tmp_path / "model.onnx")
    assert not os.listdir(tmp_path)


def test_what_has_no_network_is_refused(tmp_path):
    X, y = sequences((7,), n=12)
    path = tmp_path / "model.onnx"
    vote = VotingRegressor([("d", DummyRUL())]).fit(X, y)
    for model in (DummyRUL().fit(X, y), StandardScaler().fit(X), vote):
        with pytest.raises(TypeError, match="has no network; give an estimator of skprog"):
            export_onnx(model, path)
        with pytest.raises(TypeError, match="has no network; give an estimator of skprog"):
            footprint(model)
    with pytest.raises(NotFittedError):
        export_onnx(CnnLstmRUL(), path)
    model = CnnLstmRUL(lstm_units=4, **SMALL).fit(X, y)
    with pytest.raises(ValueError, match="dtype='int8'"):
        export_onnx(model, path, dtype="int8")
    with pytest.raises(FileNotFoundError, match="does not exist; create it first"):
        export_onnx(model, tmp_path / "absent" / "model.onnx")


def test_weights_beyond_float16_are_refused(tmp_path):
    X, y = sequences((7,), n=12)
    model = CnnLstmRUL(lstm_units=20, **SMALL).fit(X, y)
    with torch.no_grad():
        model.net_.module_.lstm.weight_hh_l0[0, 0] = 1e6
    with pytest.raises(ValueError, match=r"weights up to 1e\+06 exceed 65504.*dtype='float32'"):
        export_onnx(model, tmp_path / "model.onnx", dtype="float16")


@pytest.mark.parametrize("package", ["onnx", "onnxscript"])
def test_missing_package_names_the_extra(package, tmp_path, monkeypatch):
    X, y = sequences((7,), n=12)
    model = CnnLstmRUL(lstm_units=4, **SMALL).fit(X, y)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=r'pip install "skprog\[onnx\]"'):
        export_onnx(model, tmp_path / "model.onnx")
    cost = footprint(model, n_repeats=1)
    assert {*cost.n_bytes} == {"save", "pickle"}
    assert {*cost.latency} == {"predict"}


def test_saving_and_loading_leaves_the_packages_of_the_extra_alone():
    code = "import sys, skprog.deploy; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {*done.stdout.split()} & {"onnx", "onnxscript", "onnxruntime", "matplotlib", "dask"}


def macs(model):
    return _n_macs(as_graph(model), torch.zeros(1, *model.shape_in_))


def test_multiply_accumulates_of_convolution_and_dense_layers_by_hand():
    model = clone(GHL).set_params(n_filters=(2,), kernel_sizes=(3,), pool_size=2, dense_units=4)
    model.fit(WINDOWS[:, 0, :10], LABELS)
    # 8 places of 2 filters of 3 points; 4 places left of 2 filters to 4 units; 4 units to 3.
    assert macs(model) == 8 * 2 * 3 + 4 * 2 * 4 + 4 * 3
    assert macs(model.set_params(n_networks=2).fit(WINDOWS[:, 0, :10], LABELS)) == 2 * 92


def test_multiply_accumulates_of_convolution_and_lstm_by_hand():
    X, y = sequences((3, 2, 6, 5), n=4)
    small = {"n_conv_layers": 1, "n_filters": (2,), "kernel_sizes": ((3, 3),), "pool_size": None}
    model = CnnLstmRUL(**small, strides=((1, 1),), lstm_units=4, dense_units=(3,), **SMALL)
    window = 4 * 3 * 2 * 9 + 4 * 4 * (24 + 4)
    assert macs(model.fit(X, y)) == 2 * (3 * window + 4 * 3 + 3)


def paper_model(units):
    X = RNG.normal(size=(2, 32, 1, 84, 25))
    model = CnnLstmRUL(lstm_units=units, dense_units=(units, 16), **SMALL)
    return model.fit(X, [10.0, 0.0])


def test_model_c_has_38_percent_of_the_parameters_of_model_a(monkeypatch):
    # Sizes of files are another test's, and take longer.
    monkeypatch.setitem(sys.modules, "onnx", None)
    a, c = (footprint(paper_model(units), n_repeats=1) for units in (112, 56))
    assert (a.n_parameters, c.n_parameters) == (127_149, 48_245)
    assert round(100 * c.n_parameters / a.n_parameters) == 38
    # 80 x 11 places of 4 filters of 20 weights, 35 x 3 of 8 of 72, four gates, three layers.
    convolutions = 80 * 11 * 4 * 20 + 35 * 3 * 8 * 72
    assert a.n_macs == 32 * (convolutions + 4 * 112 * (136 + 112)) + 112 * 112 + 112 * 16 + 16
    assert c.n_macs == 32 * (convolutions + 4 * 56 * (136 + 56)) + 56 * 56 + 56 * 16 + 16


def test_footprint_has_the_size_of_each_file_and_leaves_threads_alone(tmp_path):
    X, y = sequences((5, 6), n=12)
    model = make_pipeline(CnnLstmRUL(lstm_units=20, **SMALL)).fit(X, y)
    n_threads = torch.get_num_threads()
    cost = footprint(model, n_repeats=2)
    assert torch.get_num_threads() == n_threads
    path = tmp_path / "file"
    save(model[-1], path)
    assert cost.n_bytes["save"] == path.stat().st_size
    assert cost.n_bytes["pickle"] == len(pickle.dumps(model[-1]))
    for dtype in ("float32", "float16"):
        export_onnx(model, path, dtype=dtype)
        assert cost.n_bytes[f"onnx {dtype}"] == path.stat().st_size
    assert {*cost.latency} == {"predict", "onnx float32", "onnx float16"}
    assert all(0 < seconds < 60 for seconds in cost.latency.values())
    assert cost.n_bytes["save"] < cost.n_bytes["pickle"]


def test_footprint_reads_well():
    cost = Footprint(48_245, 5_568_464, {"save": 201_000}, {"predict": 0.0123})
    assert repr(cost).splitlines() == [
        "48,245 parameters, 5,568,464 multiply-accumulates for one row",
        "save: 201,000 bytes",
        "predict: 12.30 ms for one row on one thread",
    ]


def test_class_that_save_does_not_know_has_no_size_there():
    model = TimeSeriesClassifier(DataDependent, **SMALL).fit(WINDOWS, LABELS)
    cost = footprint(model, n_repeats=1)
    assert {*cost.n_bytes} == {"pickle"}
    with pytest.raises(ValueError, match="n_repeats=0 must be at least 1"):
        footprint(model, n_repeats=0)
