"""
Gradient amplification on vibration and time series
===================================================

The callback on three estimators whose networks are not the paper's, two of them with recurrent
layers: CnnLstmRUL on the FEMTO bearings, GHLClassifier on the CWRU bearings, TimeSeriesClassifier
on ItalyPowerDemand of the UCR archive. CnnLstmRUL trains for 9 epochs on every fourth window, the
classifier of series by stochastic gradient descent; all else is at its default. Nothing is chosen
by test data. Runs are kept in --output, so that an interrupted study goes on where it stopped.

    python examples/studies/compare_amplification.py ../shared/data --output docs/results
"""

import argparse
import warnings
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import torch
from reproduce_amplification_paper import choices, with_interval
from reproduce_bearing_paper import load_sequences
from sklearn.metrics import mean_absolute_error
from tqdm import tqdm

from skprog.callbacks import GradientAmplification
from skprog.datasets import cwru_imbalanced, load_cwru, load_ucr
from skprog.estimators import CnnLstmRUL, GHLClassifier, TimeSeriesClassifier

# Of few layers none is far from the mean: the lowest threshold of the paper.
THRESHOLD = 0.7
METHODS = {
    "plain": None,
    "G, case 1": {},
    "G, case 2": {"case": 2},
    "G', case 1": {"measure": "G_prime"},
    "random layers": {"strategy": "random"},
    "all layers": {"strategy": "all"},
}
NETWORKS = ("FCN", "LSTM-FCN")
SGD = {"optimizer": "sgd", "lr": 0.02, "momentum": 0.0}
KEY = ["task", "seed", "method"]


def phases_of(max_epochs):
    """Return the phases of the paper's first schedule, with the estimator's own rates."""
    phases = GradientAmplification("params_1").phases(max_epochs, lr=1.0)
    return [(end, None, is_amplified, factor) for end, _, is_amplified, factor in phases]


def callbacks(method, max_epochs, apply_to):
    """Return the callbacks of a method."""
    if METHODS[method] is None:
        return None
    callback = GradientAmplification(
        phases_of(max_epochs), threshold=THRESHOLD, apply_to=apply_to, **METHODS[method]
    )
    return [("amplification", callback)]


def load_bearings(folder):
    """Return training windows, every fourth, and the test windows of the paper's split."""
    X, y, split = load_sequences(folder)
    in_test = np.isin(X.runs, split.test)
    parts = (X[~in_test][::4], y[~in_test][::4], X[in_test], y[in_test])
    return tuple(part.map(np.asarray) if hasattr(part, "map") else part for part in parts)


def load_faults(folder):
    """Return windows of twelve states, 16 of each fault to train with."""
    data = cwru_imbalanced(load_cwru(folder), n_fault=16)
    return data.X_train, data.y_train, data.X_test, data.y_test


def load_series():
    """Return the original split of ItalyPowerDemand."""
    data = load_ucr("ItalyPowerDemand")
    return data.X_train, data.y_train, data.X_test, data.y_test


def tasks_of(folder):
    """Return, by task, how to load its data, its estimator, and what amplification multiplies."""
    tasks = {
        "CnnLstmRUL, FEMTO": (
            lambda: load_bearings(folder / "femto"),
            CnnLstmRUL(max_epochs=9),
            "update",
        ),
        "GHLClassifier, CWRU": (lambda: load_faults(folder / "cwru"), GHLClassifier(), "update"),
    }
    for network in NETWORKS:
        model = TimeSeriesClassifier(network.lower().replace("-", "_"), max_epochs=60, **SGD)
        tasks[f"{network}, ItalyPowerDemand"] = load_series, model, "gradient"
    return tasks


def run(key, data, model, apply_to):
    """Train by one method and return its row."""
    torch.set_num_threads(1)
    _, seed, method = key
    X_train, y_train, X_test, y_test = data
    model.set_params(callbacks=callbacks(method, model.max_epochs, apply_to), random_state=seed)
    with warnings.catch_warnings():
        # Analyses that choose no layer, which the table counts.
        warnings.simplefilter("ignore", UserWarning)
        model.fit(X_train, y_train)
    row = dict(zip(KEY, key, strict=True))
    if isinstance(model, CnnLstmRUL):
        row["MAE (s)"] = mean_absolute_error(y_test, model.predict(X_test))
    else:
        row["accuracy (%)"] = 100 * model.score(X_test, y_test)
    row["training loss"] = model.history_[-1, "train_loss"]
    measured = [epoch for epoch in model.history_ if epoch.get("gradient_measures")]
    if measured:
        row["layers"] = len(measured[0]["gradient_measures"])
        row["chosen"] = "; ".join(" ".join(each) for each in choices(model.history_))
    return row


def compare(runs):
    """Return the mean of each task and method and its paired difference to plain training."""
    rows = []
    for task, of_task in runs.groupby("task", sort=False):
        unit = "MAE (s)" if task.startswith("CnnLstmRUL") else "accuracy (%)"
        by_seed = of_task.pivot(index="seed", columns="method", values=unit)
        for method in METHODS:
            if method not in by_seed:
                continue
            chosen = of_task.loc[of_task["method"] == method, "chosen"].dropna()
            n_chosen = [len(each.split()) for text in chosen for each in text.split(";")]
            row = {"task": task, "method": method, "seeds": int(by_seed[method].count())}
            row["MAE (s) or accuracy (%)"] = f"{by_seed[method].mean():.1f}"
            row["over plain"] = (
                "" if method == "plain" else with_interval(by_seed[method] - by_seed["plain"])
            )
            row["layers"] = of_task["layers"].max()
            row["layers chosen"] = np.mean(n_chosen).round(1) if n_chosen else np.nan
            rows.append(row)
    return pd.DataFrame(rows).astype({"layers": "Int64"})


def frequencies(runs):
    """Return how often case 1 of G chose each layer, by task."""
    rows = []
    for task, of_task in runs[runs["method"] == "G, case 1"].groupby("task", sort=False):
        choices = [each.split() for text in of_task["chosen"] for each in text.split(";")]
        names = pd.Series([name for each in choices for name in each], dtype=str)
        for layer, n in names.value_counts().items():
            rows.append({"task": task, "layer": layer, "chosen (%)": round(100 * n / len(choices))})
    return pd.DataFrame(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[1])
    parser.add_argument("folder", type=Path, help="folder of the folders femto and cwru")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--tasks", nargs="+", help="names of tasks, all by default")
    parser.add_argument("--jobs", type=int, default=2, help="fits at a time, one thread each")
    parser.add_argument("--output", type=Path, default=Path("demo-output/amplification"))
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    path = arguments.output / "amplification_elsewhere_runs.csv"
    done = pd.read_csv(path).to_dict("records") if path.exists() else []
    known = {tuple(row[column] for column in KEY) for row in done}
    tasks = tasks_of(arguments.folder)
    for task in arguments.tasks or tasks:
        load, model, apply_to = tasks[task]
        keys = [(task, seed, method) for seed in range(arguments.seeds) for method in METHODS]
        keys = [key for key in keys if key not in known]
        data = load() if keys else None
        rows = joblib.Parallel(n_jobs=arguments.jobs, return_as="generator_unordered")(
            joblib.delayed(run)(key, data, model, apply_to) for key in keys
        )
        for row in tqdm(rows, total=len(keys), unit="fit", desc=task):
            done.append(row)
            pd.DataFrame(done).to_csv(path, index=False)
    runs = pd.DataFrame(done)
    tables = {"elsewhere": compare(runs), "elsewhere_layers": frequencies(runs)}
    for name, table in tables.items():
        table.to_csv(arguments.output / f"amplification_{name}.csv", index=False)
        print(f"\n{table.to_string(index=False)}")


if __name__ == "__main__":
    main()
