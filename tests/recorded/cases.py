"""What is recorded: small fits of every estimator in its forms, and what else answers in numbers.

Only public names are used, so that it runs with any version of the package.
"""

import hashlib
from pathlib import Path

import numpy as np
import scipy
import sklearn
import skorch
import torch
from sklearn.ensemble import ExtraTreesClassifier, VotingRegressor
from sklearn.model_selection import GroupKFold, GroupShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.utils import Bunch

from skprog import callbacks, datasets, metrics, networks
from skprog.decision import MaintenanceRule
from skprog.deploy import load, save
from skprog.estimators import (
    CnnLstmRUL,
    ConformalRUL,
    DistributionalRUL,
    DummyRUL,
    GHLClassifier,
    ImageClassifier,
    SEMClassifier,
    TimeSeriesClassifier,
)
from skprog.model_selection import HyperbandSearchCV, lr_range_test
from skprog.online import OnlineRUL
from skprog.preprocessing import (
    AccelRotation45,
    BandEnergies,
    FrequencyMaxPool,
    PatchSelector,
    RULIndex,
    WelchSpectrogram,
)
from skprog.recipes import bearing_rul_pipeline
from skprog.sequences import RunSequences

FOLDER = Path(__file__).parent
SEEDS = (0, 1)
VERSIONS = {
    "numpy": np.__version__,
    "scipy": scipy.__version__,
    "scikit-learn": sklearn.__version__,
    "skorch": skorch.__version__,
    # Without the local part, which differs between builds.
    "torch": torch.__version__.partition("+")[0],
}


def fleet(seed):
    """Return four simulated runs as raw windows, their RUL in s, and which rows are the last's."""
    data = datasets.make_run_to_failure(4, n_windows=14, n_timepoints=256, random_state=seed)
    context = {"condition": data.condition}
    X = RunSequences.from_runs(data.windows, data.runs, n_steps=4, time=data.time, context=context)
    return X, data.rul[X.ends], X.runs == data.bearings[-1]


def features():
    """Return the steps from raw windows to pooled spectrograms."""
    return AccelRotation45(), WelchSpectrogram(nperseg=64, hop=16, f_max=8400), FrequencyMaxPool(2)


def small_rul(**params):
    """Return the paper's network, with layers of few units."""
    small = {
        "n_filters": (3, 4),
        "kernel_sizes": ((3, 3), (2, 2)),
        "strides": ((1, 1), (1, 1)),
        "lstm_units": 8,
        "dense_units": (8,),
        "lr": 1e-2,
        "lr_decay": 1.0,
        "batch_size": 8,
        "max_epochs": 5,
    }
    return CnnLstmRUL(**{**small, **params})


def waves(seed, n_channels=2, n_timepoints=40):
    """Return thirty noisy waves of three classes and their labels."""
    rng = np.random.default_rng(seed)
    labels = np.array(["slow", "middle", "fast"] * 10)
    cycles = np.array([1, 3, 7] * 10)[:, None, None]
    shifts = rng.uniform(size=(30, n_channels, 1))
    time = np.linspace(0, 1, n_timepoints)
    clean = np.sin(2 * np.pi * (cycles * time + shifts))
    return clean + 0.1 * rng.normal(size=clean.shape), labels


def pictures(seed, *shape):
    """Return twenty images of noise, every other one with a bright square, and their labels."""
    images = np.random.default_rng(seed).integers(0, 200, size=(20, *shape), dtype=np.uint8)
    images[1::2, ..., 4:9, 5:10] += 55
    return images, np.array(["clean", "defect"] * 10)


def rul_networks(seed):
    """Yield the paper's network in its forms."""
    X, y, is_last = fleet(seed)
    forms = {
        "index": {},
        "linear": {"target": "linear", "max_rul": 100.0, "optimizer": "adamw"},
        "quantile": {"quantile": 0.3, "dropout": 0.2, "chunk_length": 3},
        "held out": {"validation_fraction": 0.34, "early_stopping": True, "n_iter_no_change": 1},
        "rate by test": {"lr": "auto", "target": "linear"},
        "schedule": {
            "callbacks": [("cycle", callbacks.AdaptiveCycle(1e-2, monitor="train_loss"))],
            "net_params": {"optimizer__betas": (0.8, 0.99)},
        },
    }
    for name, params in forms.items():
        model = make_pipeline(*features(), small_rul(random_state=seed, **params))
        model.fit(X[~is_last], y[~is_last])
        yield f"CnnLstmRUL, {name}", model[-1], model.predict(X), [model[-1].max_life_]
    channels = model[-1].predict_channels(model[:-1].transform(X))
    yield "CnnLstmRUL, channels", None, channels
    vectors = X.map(lambda windows: windows[:, 0, :6])
    model = CnnLstmRUL(target="linear", lstm_units=8, dense_units=(16,), lr=5e-3, random_state=seed)
    for _ in range(8):
        model.partial_fit(vectors, y)
    yield "CnnLstmRUL, vectors in parts", model, model.predict(vectors)
    yield "CnnLstmRUL, stacked", None, model.predict(np.asarray(vectors))


def rul_models(seed):
    """Yield the models of the RUL that are no networks, and what is built around a model."""
    X, y, is_last = fleet(seed)
    trees = ExtraTreesClassifier(8, min_samples_leaf=2, random_state=seed)
    for params in ({}, {"by": "condition"}, {"strategy": "constant", "constant": 50.0}):
        model = DummyRUL(**params).fit(X[~is_last], y[~is_last])
        yield f"DummyRUL {params}", None, model.predict(X)
    bands = make_pipeline(*features()[:2], BandEnergies(4))
    energies = bands.fit_transform(X)
    for statistic in ("phm2012", "mean", "median"):
        model = DistributionalRUL(trees, statistic=statistic, n_steps=2, context=True)
        model.fit(energies[~is_last], y[~is_last])
        distribution = model.predict_distribution(energies)
        yield f"DistributionalRUL, {statistic}", None, model.predict(energies), distribution
    splits = GroupShuffleSplit(1, test_size=0.5, random_state=seed)
    for name, inner in (("trees", model), ("network", small_rul(random_state=seed))):
        rows = energies if name == "trees" else make_pipeline(*features()).fit_transform(X)
        around = ConformalRUL(inner, cv=splits, coverage=0.5, random_state=seed)
        around.fit(rows[~is_last], y[~is_last])
        yield f"ConformalRUL, {name}", None, around.predict(rows), around.predict_interval(rows)
    recipe = bearing_rul_pipeline(n_estimators=5, random_state=seed)
    with_time = datasets.make_run_to_failure(3, n_windows=10, random_state=seed)
    rows = RunSequences.from_runs(
        with_time.windows,
        with_time.runs,
        n_steps=1,
        time=with_time.time,
        context={"condition": with_time.condition},
    )
    recipe.fit(rows, with_time.rul[rows.ends])
    yield "bearing_rul_pipeline", None, recipe.predict(rows)
    vote = VotingRegressor([("dummy", DummyRUL()), ("network", small_rul(random_state=seed))])
    model = make_pipeline(*features(), vote).fit(X[~is_last], y[~is_last])
    yield "VotingRegressor", None, model.predict(X)
    updates = stream(model, X, is_last)
    yield "OnlineRUL", None, [update.rul for update in updates]
    yield "OnlineRUL, decisions", None, [update.decision for update in updates]
    yield "scores", None, scores(model, X, y)


def stream(model, X, is_last):
    """Return what a model says of one run as its windows arrive, one of them missing."""
    online = OnlineRUL(model, MaintenanceRule(0.3, span=3), context={"condition": 1})
    windows = X.windows[X.ends[is_last]]
    updates = [online.update(window, 10.0 * i) for i, window in enumerate(windows) if i != 5]
    restored = OnlineRUL(model, MaintenanceRule(0.3, span=3), context={"condition": 1})
    restored.load_state_dict(online.state_dict())
    return [*updates, restored.update(windows[-1], 10.0 * len(windows))]


def scores(model, X, y):
    """Return the scores of a model of the RUL."""
    predicted = model.predict(X)
    decided = {"runs": X.runs, "max_life": float(y.max()), "span": 3}
    result = metrics.replacement_error(y, predicted, **decided)
    return [
        *result.error,
        metrics.phm2012_score(y, predicted, runs=X.runs),
        metrics.maintenance_cost(y, predicted, **decided),
        metrics.phm2012_scorer(model, X, y),
        metrics.neg_maintenance_cost_scorer(model, X, y, span=3, threshold=0.3),
        metrics.neg_failures_in_service_scorer(model, X, y, span=3, threshold=0.3),
        *MaintenanceRule(0.3, span=3).apply(model, X).values(),
    ]


def fault_classifiers(seed):
    """Yield the classifier of faults with each of its losses."""
    data = datasets.make_bearing_faults([12] + 11 * [3], n_timepoints=128, random_state=seed)
    small = {"n_filters": (3, 4), "kernel_sizes": (9, 5), "dense_units": 8, "batch_size": 16}
    small |= {"max_epochs": 2, "random_state": seed}
    forms = {
        loss: {"loss": loss}
        for loss in ("ghl", "cross_entropy", "mse", "class_cost", "class_balanced", "focal")
    }
    forms["two networks"] = {"n_networks": 2, "batch_norm": True, "global_pooling": "max"}
    forms["altered"] = {"augment": ("shift", "gain", "noise"), "validation_fraction": 0.3}
    forms["gradients"] = {
        "callbacks": [("angles", callbacks.GradientSimilarity(20)), ("one", callbacks.OneCycle())],
        "lr": "auto",
        "batch_size": 4,
    }
    for name, params in forms.items():
        model = GHLClassifier(**{**small, **params}).fit(data.X, data.y)
        yield f"GHLClassifier, {name}", model, model.predict_proba(data.X)


def series_classifiers(seed):
    """Yield the classifier of series with each of its networks."""
    X, y = waves(seed)
    small = {"max_epochs": 2, "random_state": seed}
    names = "bilstm convnet2d dcnn dresnet fcn inception_time lstm lstm_2dcnn lstm_fcn resnet"
    for network in (*names.split(), "xception_time", "xcm"):
        model = TimeSeriesClassifier(network, **small).fit(X, y)
        yield f"TimeSeriesClassifier, {network}", model, model.predict_proba(X)
    series = [case[:, : 25 + 5 * (i % 4)] for i, case in enumerate(X)]
    for network in ("fcn", "lstm", "inception_time"):
        model = TimeSeriesClassifier(network, validation_fraction=0.3, **small).fit(series, y)
        yield f"TimeSeriesClassifier, {network}, lengths", model, model.predict_proba(series)
    model = TimeSeriesClassifier(networks.FCN, n_networks=2, scale="case", **small)
    cycle = callbacks.AdaptiveCycle(1e-2, monitor="train_loss", patience=1)
    model.set_params(network_params={"n_filters": (4, 4, 4)}, callbacks=[("cycle", cycle)])
    yield "TimeSeriesClassifier, two networks", model.fit(X, y), model.predict_proba(X)
    found = lr_range_test(model, X, y)
    yield "lr_range_test", None, [found.lr_max_, *found.suggestions_.values()]


def image_classifiers(seed):
    """Yield the classifier of images with each of its networks, and amplified."""
    X, y = pictures(seed, 3, 16, 16)
    small = {"batch_size": 8, "lr": 0.01, "random_state": seed}
    for network in ("resnet18", "resnet34", "resnet50", "resnet101"):
        model = ImageClassifier(network, network_params={"width": 2}, max_epochs=1, **small)
        yield f"ImageClassifier, {network}", model.fit(X, y), model.predict_proba(X)
    X, y = pictures(seed, 3, 32, 32)
    model = ImageClassifier("vgg19", network_params={"width": 1}, max_epochs=1, **small)
    yield "ImageClassifier, vgg19", model.fit(X, y), model.predict_proba(X)
    X, y = pictures(seed, 1, 12, 12)
    for measure, strategy in (("G", "intelligent"), ("G_prime", "intelligent"), ("G", "random")):
        amplify = callbacks.GradientAmplification(
            measure=measure, strategy=strategy, threshold=0.5, random_state=seed
        )
        model = ImageClassifier(
            network_params={"width": 2}, callbacks=[("amplify", amplify)], max_epochs=8, **small
        )
        yield f"ImageClassifier, {measure} {strategy}", model.fit(X, y), model.predict_proba(X)


def micrograph_classifiers(seed):
    """Yield the classifier of micrographs in its forms."""
    X, y = pictures(seed, 24, 24)
    small = {"n_blocks": 2, "n_filters": (3, 4), "hidden_units": 4, "random_state": seed}
    forms = {
        "patches": {"patch_size": 16},
        "tiles": {"tiles": "all", "patch_size": 12, "max_steps": 6},
        "local": {"tiles": "all", "patch_size": 12, "head": "local", "max_steps": 6},
        "held out": {"tiles": "all", "patch_size": 12, "vote": "majority", "max_steps": 6}
        | {"validation_fraction": 0.3, "augment": True, "hidden_batch_norm": True},
    }
    for name, params in forms.items():
        rows = X[:, :16, :16] if name == "patches" else X
        model = SEMClassifier(**{**small, **params}).fit(rows, y)
        found = [model.predict_proba(rows), model.defect_map(rows[:2])]
        yield f"SEMClassifier, {name}", model, *found


def transformers(seed):
    """Yield what transformers and generators return."""
    X, y, _ = fleet(seed)
    windows = X.windows
    for step in features():
        windows = step.fit_transform(windows)
        yield type(step).__name__, None, windows
    yield (
        "WelchSpectrogram, density",
        None,
        WelchSpectrogram(
            nperseg=32, hop=8, window="boxcar", output="density", dtype="float32", pool_size=2
        ).fit_transform(X.windows),
    )
    yield "BandEnergies", None, BandEnergies(4).fit_transform(windows)
    index = RULIndex().fit(y)
    yield "RULIndex", None, index.transform(y), index.inverse_transform([0.2, 0.5, 0.9])
    images, _ = pictures(seed, 24, 24)
    for strategy in ("representative", "random", "all"):
        patches = PatchSelector(8, strategy, random_state=seed).fit_transform(images)
        yield f"PatchSelector, {strategy}", None, patches
    faults = datasets.make_bearing_faults(2, random_state=seed)
    yield "make_bearing_faults", None, faults.X
    mats = datasets.make_nanofibers(2, size=96, random_state=seed)
    yield "make_nanofibers", None, *mats.images
    yield "cwru_imbalanced", None, *imbalanced(seed)


def imbalanced(seed):
    """Return the parts of an imbalanced set cut from records of noise."""
    rng = np.random.default_rng(seed)
    records = Bunch(
        signals=[rng.normal(size=20_000).astype(np.float32) for _ in range(3)],
        target=np.arange(3),
        records=[97, 105, 118],
        target_names=["Normal", "IR007", "B007"],
        DESCR="",
    )
    sets = datasets.cwru_imbalanced(
        records, n_normal=40, n_fault=8, n_test_per_class=6, n_timepoints=256, decimate_normal=True
    )
    return sets.X_train, sets.X_test, sets.starts_train, sets.starts_test


def searches(seed):
    """Yield what a search scores and chooses."""
    X, y, _ = fleet(seed)
    vectors = X.map(lambda windows: windows[:, 0, :6].astype(np.float32))
    search = HyperbandSearchCV(
        CnnLstmRUL(lstm_units=4, dense_units=(3,), target="linear", random_state=seed),
        {"lr": [1e-2, 3e-2, 1e-1], "dropout": [0.0, 0.2]},
        max_resources=3,
        cv=GroupKFold(2),
        random_state=seed,
    )
    search.fit(vectors, y, groups=vectors.runs)
    yield "HyperbandSearchCV", None, search.cv_results_["mean_test_score"], search.predict(vectors)


FITS = (
    rul_networks,
    rul_models,
    fault_classifiers,
    series_classifiers,
    image_classifiers,
    micrograph_classifiers,
    transformers,
    searches,
)


def files():
    """Yield the name of each file in this folder, the estimator in it, fitted, and rows for it."""
    X, y, _ = fleet(0)
    yield "network", make_pipeline(*features(), small_rul(random_state=0)).fit(X, y), X
    trees = ExtraTreesClassifier(5, min_samples_leaf=2, random_state=0)
    inner = VotingRegressor(
        [("trees", DistributionalRUL(trees, context=True)), ("mean", DummyRUL())]
    )
    inner = make_pipeline(*features()[:2], BandEnergies(4), inner)
    around = ConformalRUL(inner, cv=GroupKFold(2, shuffle=True, random_state=0), coverage=0.5)
    yield "intervals", around.fit(X, y), X
    faults = datasets.make_bearing_faults([12] + 11 * [3], n_timepoints=128, random_state=0)
    small = {"n_filters": (3, 4), "kernel_sizes": (9, 5), "dense_units": 8, "max_epochs": 2}
    angles = [("angles", callbacks.GradientSimilarity(20))]
    model = GHLClassifier(**small, n_networks=2, callbacks=angles, random_state=0)
    yield "faults", model.fit(faults.X, faults.y), faults.X
    series, labels = waves(0)
    model = TimeSeriesClassifier("xcm", max_epochs=2, validation_fraction=0.3, random_state=0)
    yield "series", model.fit(series, labels), series
    images, labels = pictures(0, 24, 24)
    small = {"n_blocks": 2, "n_filters": (3, 4), "hidden_units": 4, "patch_size": 12}
    model = SEMClassifier(tiles="all", head="local", max_steps=6, **small, random_state=0)
    yield "micrographs", model.fit(images, labels), images


def write_files():
    """Write the files and, beside them, what their estimators say."""
    said = {}
    for name, model, rows in files():
        save(model, FOLDER / f"{name}.skprog")
        said |= {f"{name} {i}": answer for i, answer in enumerate(answers(model, rows))}
    np.savez_compressed(FOLDER / "answers.npz", **said)


def answers(model, rows):
    """Return all that a fitted model says of rows."""
    known = [
        method
        for method in ("predict", "predict_proba", "predict_interval", "defect_map")
        if hasattr(model, method)
    ]
    return [getattr(model, method)(rows) for method in known]


def digest(values, history=None):
    """Return the SHA-256 of arrays and of what a training noted, its durations left out."""
    sha = hashlib.sha256()
    for value in values:
        value = np.asarray(value)
        sha.update(f"{value.dtype.str} {value.shape}".encode())
        plain = value.tolist() if value.dtype.kind in "OU" else np.ascontiguousarray(value)
        sha.update(repr(plain).encode() if isinstance(plain, list) else plain.tobytes())
    for epoch in history or ():
        noted = {key: value for key, value in epoch.items() if key not in ("dur", "batches")}
        batches = [{k: v for k, v in batch.items() if k != "dur"} for batch in epoch["batches"]]
        sha.update(repr((sorted(noted.items()), batches)).encode())
    return sha.hexdigest()


def digests(groups=FITS):
    """Return the digest of every case by name and seed."""
    found = {}
    for group in groups:
        for seed in SEEDS:
            for name, model, *values in group(seed):
                history = None if model is None else model.history_
                found[f"{name}, seed {seed}"] = digest(values, history)
    for name, _, rows in files():
        found[f"file {name}"] = digest(answers(load(FOLDER / f"{name}.skprog"), rows))
    return found
