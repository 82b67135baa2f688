"""
Reproducing the tables of the gradient harmonized loss
======================================================

Table III of Ren et al. (ICPHM 2022): the paper's network with a plain loss (DCNN), with class costs
(DCNNC) and with the gradient harmonized loss (DCNNG), beside losses it does not compare with, on
3200 normal windows and 64 (Set 1) or 16 (Set 2) of each fault. Earlier parts of the records train,
later parts test. Nothing is chosen by the test windows. Fits are kept in --work, so that an
interrupted run goes on where it stopped.
"""

import argparse
from functools import partial
from itertools import product
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import torch
from scipy import stats
from skorch.callbacks import Initializer

from skprog.callbacks import GradientSimilarity
from skprog.datasets import cwru_imbalanced, load_cwru
from skprog.estimators import GHLClassifier
from skprog.losses import GradientHarmonizedLoss, class_thresholds
from skprog.plots import ClassThresholdDisplay, GradientSimilarityDisplay

SETS = {"Set 1": 64, "Set 2": 16}
PUBLISHED = {
    ("Set 1", "DCNN"): "88.8 ± 5.8",
    ("Set 1", "DCNNC"): "88.5 ± 5.5",
    ("Set 1", "DCNNG"): "95.3 ± 2.5",
    ("Set 2", "DCNN"): "70.4 ± 8.6",
    ("Set 2", "DCNNC"): "76.2 ± 7.1",
    ("Set 2", "DCNNG"): "81.8 ± 4.0",
}


class CountSchedule(GradientHarmonizedLoss):
    """Densities of the same annealing without gradients: 1 + gamma (n_c - 1) in larger classes."""

    def density(self, logits, y):
        is_larger = class_thresholds(self.class_counts, self.alpha) > 0
        n_members = torch.bincount(y, minlength=len(is_larger))
        factor = torch.from_numpy(self.annealing_factor * is_larger).to(logits)
        return (1 + factor * (n_members - 1).clamp_min(0))[y]


MODELS = {
    "DCNN, cross-entropy": {"loss": "cross_entropy"},
    "DCNNC, cross-entropy": {"loss": "class_cost"},
    "DCNNG, cross-entropy": {"loss": "ghl"},
    "DCNN, MSE": {"loss": "mse"},
    "DCNNC, MSE": {"loss": "class_cost", "loss_params": {"base": "mse"}},
    "DCNNG, MSE": {"loss": "ghl", "loss_params": {"base": "mse"}},
    "focal": {"loss": "focal"},
    "class-balanced": {"loss": "class_balanced"},
    "count schedule": {"loss": CountSchedule},
}
RATES = (3e-4, 1e-3, 3e-3)
INITIALISATIONS = {"uniform": None, "Xavier": torch.nn.init.xavier_uniform_}


def prediction_path(work, name, params):
    """Return where predictions are kept, one file per name and parameters."""
    return work / f"{name.replace(' ', '_').replace(',', '')}_{joblib.hash(params)[:8]}.npy"


def fit_and_predict(path, bunch, params):
    """Train one model unless its predictions are there, and keep them."""
    if not path.exists():
        torch.set_num_threads(1)
        model = GHLClassifier(**params).fit(bunch.X_train, bunch.y_train)
        unfinished = path.with_suffix(".part.npy")
        np.save(unfinished, model.predict(bunch.X_test))
        unfinished.replace(path)
    return np.load(path)


def measures(y_true, y_pred):
    """Return accuracy, balanced accuracy and macro F1 in %, and whether one class took all."""
    n_classes = y_true.max() + 1
    confusion = np.zeros((n_classes, n_classes))
    np.add.at(confusion, (y_true, y_pred), 1)
    f1 = 2 * confusion.diagonal() / (confusion.sum(axis=0) + confusion.sum(axis=1))
    return {
        "accuracy (%)": 100 * np.mean(y_true == y_pred),
        "balanced accuracy (%)": 100 * np.mean(confusion.diagonal() / confusion.sum(axis=1)),
        "macro F1 (%)": 100 * f1.mean(),
        "collapsed": len(np.unique(y_pred)) == 1,
    }


def with_interval(values):
    """Return "mean ± standard deviation [95 % interval of the mean]"."""
    mean, deviation = values.mean(), values.std(ddof=1)
    half = stats.t.ppf(0.975, len(values) - 1) * deviation / np.sqrt(len(values))
    return f"{mean:.1f} ± {deviation:.1f} [{mean - half:.1f}, {mean + half:.1f}]"


def summary(runs, by):
    """Return one line per group of runs."""
    rows = []
    for names, group in runs.groupby(by, sort=False):
        row = dict(zip(by, names, strict=True)) | {"seeds": len(group)}
        for measure in ("accuracy (%)", "balanced accuracy (%)", "macro F1 (%)"):
            row[measure] = with_interval(group[measure])
        rows.append(row | {"collapsed": int(group["collapsed"].sum())})
    return pd.DataFrame(rows)


def paired(runs, name, others):
    """Return the accuracy of one model less that of others, seed by seed, in points."""
    accuracy = runs.pivot_table("accuracy (%)", ["set", "seed"], "model")
    rows = []
    for size, other in product(runs["set"].unique(), others):
        difference = (accuracy[name] - accuracy[other]).loc[size]
        test = stats.ttest_1samp(difference, 0)
        low, high = test.confidence_interval()
        rows.append(
            {
                "set": size,
                "difference": f"{name} less {other}",
                "points": f"{difference.mean():+.1f} [{low:+.1f}, {high:+.1f}]",
            }
        )
    return pd.DataFrame(rows)


def draw_gradients(build, epochs, output):
    """Draw Figs. 2 and 3: thresholds of the classes, and gradient angles of three fits."""
    import matplotlib.pyplot as plt

    panels = {
        "DCNN on Set 1": (64, 3200, "cross_entropy"),
        "DCNNG on Set 1": (64, 3200, "ghl"),
        "DCNN on 16 of each": (16, 16, "cross_entropy"),
    }
    figure, axes = plt.subplots(1, 3, figsize=(14, 4.5), sharey=True, layout="constrained")
    for ax, (title, (n_fault, n_normal, loss)) in zip(axes, panels.items(), strict=True):
        bunch = build(n_fault=n_fault, n_normal=n_normal)
        names = np.array(bunch.target_names)
        callbacks = [("similarity", GradientSimilarity())]
        model = GHLClassifier(loss=loss, max_epochs=epochs, callbacks=callbacks, random_state=0)
        model.fit(bunch.X_train, names[bunch.y_train])
        GradientSimilarityDisplay.from_estimator(model, ax=ax)
        ax.set_title(title)
        if ax is axes[-1]:
            ax.get_legend().set_title("Class (samples in this panel)")
        else:
            ax.get_legend().remove()
        if loss == "ghl":
            thresholds = ClassThresholdDisplay.from_estimator(model)
            thresholds.figure_.savefig(output / "ghl_thresholds.png", dpi=100)
    figure.savefig(output / "ghl_gradient_angles.png", dpi=100)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[1])
    parser.add_argument("folder", help="folder of the .mat files")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--jobs", type=int, default=2, help="fits at a time, one thread each")
    parser.add_argument("--decimate-normal", action="store_true", help="read normal as 48 kHz")
    parser.add_argument("--quick", action="store_true", help="2 seeds, 2 epochs, no rate grid")
    parser.add_argument("--work", type=Path, default=Path("demo-output/ghl_paper"))
    parser.add_argument("--output", type=Path, default=Path("demo-output/ghl_paper"))
    arguments = parser.parse_args()
    n_seeds, epochs = (2, 2) if arguments.quick else (arguments.seeds, arguments.epochs)
    for folder in (arguments.work, arguments.output):
        folder.mkdir(parents=True, exist_ok=True)

    data = load_cwru(arguments.folder)
    build = partial(cwru_imbalanced, data, decimate_normal=arguments.decimate_normal)
    bunches = {name: build(n_fault=n_fault) for name, n_fault in SETS.items()}
    suffix = "_decimated" if arguments.decimate_normal else ""

    def task(kind, size, name, seed, params):
        params = {**params, "max_epochs": epochs, "random_state": seed}
        key = {"kind": kind, "set": size, "model": name, "seed": seed}
        path = prediction_path(arguments.work, f"{size} {name}{suffix}", params)
        return key, (path, bunches[size], params)

    tasks = [
        task("model", size, name, seed, MODELS[name])
        for seed, size, name in product(range(n_seeds), SETS, MODELS)
    ]
    if not arguments.quick:
        for seed, lr, init in product(range(n_seeds), RATES, INITIALISATIONS):
            scheme = INITIALISATIONS[init]
            callbacks = scheme and [("initialisation", Initializer("*.weight", fn=scheme))]
            params = {"loss": "mse", "lr": lr, "callbacks": callbacks}
            tasks.append(task("grid", "Set 2", f"{lr:g}, {init}", seed, params))
    outputs = joblib.Parallel(n_jobs=arguments.jobs, verbose=10)(
        joblib.delayed(fit_and_predict)(*call) for _, call in tasks
    )
    runs = pd.DataFrame(
        [
            key | measures(bunches[key["set"]].y_test, y_pred)
            for (key, _), y_pred in zip(tasks, outputs, strict=True)
        ]
    )
    is_grid = runs.pop("kind") == "grid"
    models = summary(runs[~is_grid].sort_values("set", kind="stable"), ["set", "model"])
    names = zip(models["set"], models["model"].str.split(",").str[0], strict=True)
    models["published accuracy (%)"] = [PUBLISHED.get(name, "") for name in names]
    compared = "DCNNG, cross-entropy"
    others = [name for name in MODELS if name != compared and "MSE" not in name]
    tables = {
        f"ghl_runs{suffix}": runs,
        f"ghl_models{suffix}": models,
        f"ghl_differences{suffix}": paired(runs[~is_grid], compared, others),
    }
    if is_grid.any():
        grid = summary(runs[is_grid], ["model"])
        tables[f"ghl_mse_grid{suffix}"] = grid.rename(columns={"model": "rate, initialisation"})
    for name, table in tables.items():
        table.round(2).to_csv(arguments.output / f"{name}.csv", index=False)
        if not name.startswith("ghl_runs"):
            print(f"\n{name}\n{table.to_string(index=False)}")
    draw_gradients(build, epochs, arguments.output)


if __name__ == "__main__":
    main()
