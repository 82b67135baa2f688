"""
Learning-rate schedules, benchmarked through sktime
===================================================

The four training scenarios of the paper, and three that it lacks, on networks x data sets with the
original split, through sktime's ``ClassificationBenchmark``. All scenarios hold out the same fifth
of the training cases and keep the weights of the last epoch. Runs are kept in a table in --output
and sktime's own files in --work, so that an interrupted benchmark goes on where it stopped.
"""

import argparse
import json
import warnings
from pathlib import Path

import joblib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from scipy import stats
from sklearn.metrics import accuracy_score, f1_score
from sklearn.model_selection import PredefinedSplit
from skorch.callbacks import Callback, LRScheduler
from sktime.benchmarking.classification import ClassificationBenchmark
from tqdm import tqdm

from skprog.callbacks import AdaptiveCycle, OneCycle
from skprog.datasets import load_ucr
from skprog.estimators import TimeSeriesClassifier
from skprog.sktime import SktimeClassifier

ADAPTIVE = "finder + AdaptiveCycle"
NETWORKS = ("fcn", "resnet", "inception_time", "lstm", "lstm_fcn", "lstm_2dcnn")
OTHERS = ("bilstm", "convnet2d", "xception_time", "dcnn", "dresnet", "xcm")
SETS = ("ArrowHead", "GunPoint", "ItalyPowerDemand", "BasicMotions", "RacketSports", "ECG5000")
SETS_OF_OTHERS = SETS[:4]
MEASURES = [
    "accuracy",
    "macro_f1",
    "weighted_f1",
    "epochs to 99 %",
    "seconds to 99 %",
    "gap of losses",
    "fit time (s)",
]
KEY = ["data set", "network", "scenario", "seed", "epochs"]


class StaticAtMinimum(Callback):
    """Train at the learning rate of the lowest loss of the range test, as the paper does."""

    def on_train_begin(self, net, **kwargs):
        for group in net.optimizer_.param_groups:
            group["lr"] = net.lr_range_.lr_lowest_loss_


class RecordMeasures(Callback):
    """Append the measures of the paper's section 3.4 to a file of JSON lines."""

    def __init__(self, path, key):
        self.path = path
        self.key = key

    def on_train_end(self, net, **kwargs):
        loss = np.array(net.history[:, "valid_loss"])
        seconds = np.cumsum(net.history[:, "dur"])
        seconds += getattr(getattr(net, "lr_range_", None), "time_", 0.0)
        first = int(np.flatnonzero(loss <= np.nanmin(loss) * 1.01)[0])
        measures = {
            **dict(zip(KEY, self.key, strict=True)),
            "epochs to 99 %": first + 1,
            "seconds to 99 %": seconds[first],
            "gap of losses": loss[-1] - net.history[-1, "train_loss"],
            "parameters": sum(p.numel() for p in net.module_.parameters()),
        }
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(f"{json.dumps(measures)}\n")


def scenarios():
    """Return what each scenario sets, by name; the first four are the paper's."""
    plateau = LRScheduler("ReduceLROnPlateau", monitor="valid_loss", patience=5, factor=0.5)
    return {
        ADAPTIVE: {"lr": "auto", "callbacks": [("schedule", AdaptiveCycle())]},
        "finder + OneCycle": {"lr": "auto", "callbacks": [("schedule", OneCycle())]},
        "finder + static": {"lr": "auto", "callbacks": [("schedule", StaticAtMinimum())]},
        "static 1e-5": {"lr": 1e-5, "callbacks": []},
        "Adam 1e-3": {"lr": 1e-3, "callbacks": []},
        "Adam 1e-3 + plateau": {"lr": 1e-3, "callbacks": [("schedule", plateau)]},
        "OneCycle 1e-2": {"lr": 1e-2, "callbacks": [("schedule", OneCycle(1e-2))]},
    }


def accuracy(y_true, y_pred):
    return accuracy_score(y_true, y_pred)


def macro_f1(y_true, y_pred):
    return f1_score(y_true, y_pred, average="macro", zero_division=0)


def weighted_f1(y_true, y_pred):
    return f1_score(y_true, y_pred, average="weighted", zero_division=0)


def run_unit(name, network, seed, max_epochs, keys, data_home, work):
    """Benchmark the scenarios of one network, data set and seed; return their rows."""
    torch.set_num_threads(1)
    data = load_ucr(name, data_home)
    X = np.concatenate([data.X_train, data.X_test])
    y = np.concatenate([data.y_train, data.y_test])
    # -1 marks what is never tested on: the original training cases.
    split = PredefinedSplit(np.repeat([-1, 0], [len(data.y_train), len(data.y_test)]))
    stem = f"{name}-{network}-{seed}-{max_epochs}"
    measures = work / f"{stem}.jsonl"
    benchmark = ClassificationBenchmark()
    scorers = [accuracy, macro_f1, weighted_f1]
    benchmark.add_task((X, y), split, scorers, task_id=name, error_score="raise")
    for key in keys:
        params = scenarios()[key[2]]
        model = TimeSeriesClassifier(
            network,
            lr=params["lr"],
            callbacks=[*params["callbacks"], ("measures", RecordMeasures(str(measures), key))],
            batch_size=16 if len(data.y_train) < 500 else 64,
            max_epochs=max_epochs,
            weight_decay=1e-4,
            validation_fraction=0.2,
            # As in the paper; the lowest loss of eight cases is often that of the first epoch.
            net_params={"callbacks__best_weights": None},
            random_state=seed,
        )
        benchmark.add_estimator(SktimeClassifier(model), estimator_id=key[2])
    with warnings.catch_warnings():
        # sktime takes the standard deviation over the one split.
        warnings.simplefilter("ignore", RuntimeWarning)
        # As JSON: what sktime reads back from its CSV files lacks the scores.
        results = benchmark.run(str(work / f"{stem}.json"))
    # sktime leaves out what fails.
    results = results.set_index("model_id") if len(results) else results
    known = []
    if measures.exists():
        known = [json.loads(line) for line in measures.read_text().splitlines()]
    known = {tuple(row[name] for name in KEY): row for row in known}
    rows = []
    for key in keys:
        row = dict(zip(KEY, key, strict=True))
        if key[2] in results.index and key in known:
            scores = results.loc[key[2]]
            row |= known[key]
            row |= {
                kind: scores[f"{kind}_mean"] for kind in ("accuracy", "macro_f1", "weighted_f1")
            }
            row["fit time (s)"] = scores["fit_time_mean"]
        rows.append(row)
    return rows


def summarise(runs):
    """Return means per scenario and how far AdaptiveCycle is above it.

    A cell is a network on a data set. Scenarios are compared on the cells that have them all, seed
    by seed.
    """
    cell = ["data set", "network"]
    wide = runs.pivot(index=[*cell, "seed"], columns="scenario", values="accuracy")
    wide = wide.reindex(columns=list(scenarios())).dropna()
    if not len(wide):
        return pd.DataFrame()
    runs = runs.set_index([*cell, "seed"]).loc[wide.index]
    means = runs.groupby("scenario").mean(numeric_only=True)
    spread = runs.groupby([*cell, "scenario"])["accuracy"].std().groupby("scenario").mean()
    by_cell = wide.groupby(cell).mean()
    rows = []
    for scenario in wide.columns:
        row = {"scenario": scenario, "cells": len(by_cell), "runs": len(wide)}
        row |= means.loc[scenario, MEASURES].round(3).to_dict()
        row["spread over seeds"] = f"{spread[scenario]:.3f}"
        if scenario != ADAPTIVE:
            difference = 100 * (by_cell[ADAPTIVE] - by_cell[scenario])
            row["AdaptiveCycle over it (points)"] = with_interval(difference)
            row["cells won, lost"] = f"{(difference > 0).sum()}, {(difference < 0).sum()}"
        rows.append(row)
    return pd.DataFrame(rows)


def with_interval(difference):
    """Return the mean of differences by cell with its 95 % interval."""
    # Data sets are the sample: cells of one set go up and down together.
    of_sets = difference.groupby("data set").mean()
    half = stats.sem(of_sets) * stats.t.ppf(0.975, len(of_sets) - 1) if len(of_sets) > 1 else np.nan
    mean = of_sets.mean()
    return f"{mean:+.1f} [{mean - half:+.1f}, {mean + half:+.1f}]"


def missing(runs, todo):
    """Return the runs asked for that are not there, and whether they failed."""
    known = runs.set_index(KEY)["accuracy"]
    rows = []
    for key in (key for keys in todo.values() for key in keys):
        if key not in known.index or np.isnan(known[key]):
            state = "failed" if key in known.index else "not run"
            rows.append({**dict(zip(KEY, key, strict=True)), "state": state})
    return pd.DataFrame(rows, columns=[*KEY, "state"])


def draw(runs, measure, label, path):
    """Draw one box per scenario, by data set over networks and by network over data sets."""
    means = runs.groupby(["data set", "network", "scenario"])[measure].mean().unstack("scenario")
    names = [name for name in scenarios() if name in means]
    figure, axes = plt.subplots(2, 1, figsize=(11, 8), layout="constrained")
    for axis, level in zip(axes, ("data set", "network"), strict=True):
        groups = list(means.groupby(level))
        width = 0.8 / len(names)
        for i, scenario in enumerate(names):
            axis.boxplot(
                [group[scenario].dropna() for _, group in groups],
                positions=np.arange(len(groups)) + (i - (len(names) - 1) / 2) * width,
                widths=0.85 * width,
                patch_artist=True,
                boxprops={"facecolor": f"C{i}"},
                medianprops={"color": "black"},
                flierprops={"markersize": 3},
                label=scenario,
            )
        axis.set_xticks(np.arange(len(groups)), [group for group, _ in groups])
        axis.set(ylabel=label, title=f"by {level}")
        if "time" in measure:
            axis.set_yscale("log")
        axis.grid(axis="y", alpha=0.3)
    axes[0].legend(ncols=4, fontsize="small", loc="upper center", bbox_to_anchor=(0.5, -0.08))
    figure.savefig(path, dpi=100)
    plt.close(figure)


def units(n_seeds, networks, sets, max_epochs):
    """Return the keys of the runs asked for, by (data set, network, seed, epochs)."""
    runs = [
        (name, network, seed) for seed in range(n_seeds) for name in SETS for network in NETWORKS
    ]
    runs += [(name, network, 0) for name in SETS_OF_OTHERS for network in OTHERS]
    return {
        (name, network, seed, max_epochs): [
            (name, network, scenario, seed, max_epochs) for scenario in scenarios()
        ]
        for name, network, seed in runs
        if name in sets and network in networks
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[1])
    parser.add_argument("data", type=Path, nargs="?", help="folder of ECG5000, RacketSports")
    parser.add_argument("--networks", nargs="+", default=[*NETWORKS, *OTHERS])
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--jobs", type=int, default=2, help="units at a time, one thread each")
    parser.add_argument("--work", type=Path, default=Path("demo-output/lr_schedules"))
    parser.add_argument("--output", type=Path, default=Path("demo-output/lr_schedules"))
    parser.add_argument("--quick", action="store_true", help="2 epochs of 2 networks on 2 sets")
    parser.add_argument("--tables", action="store_true", help="train nothing, only draw up tables")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.networks, arguments.sets = ["fcn", "lstm"], ["ItalyPowerDemand", "BasicMotions"]
        arguments.seeds, arguments.epochs = 1, 2
        arguments.output = arguments.output / "quick"
    for folder in (arguments.work, arguments.output):
        folder.mkdir(parents=True, exist_ok=True)
    path = arguments.output / "lr_schedules_runs.csv"
    done = pd.read_csv(path).to_dict("records") if path.exists() else []
    known = {tuple(row[name] for name in KEY) for row in done}
    asked = units(arguments.seeds, arguments.networks, arguments.sets, arguments.epochs)
    tasks = [
        joblib.delayed(run_unit)(*unit, left, arguments.data, arguments.work)
        for unit, keys in asked.items()
        if (left := [key for key in keys if key not in known]) and not arguments.tables
    ]
    parallel = joblib.Parallel(n_jobs=arguments.jobs, return_as="generator_unordered")
    for rows in tqdm(parallel(tasks), total=len(tasks), unit="network, set and seed"):
        done += rows
        pd.DataFrame(done).sort_values(KEY).to_csv(path, index=False)
    runs = pd.DataFrame(done)
    runs = runs[runs["epochs"] == arguments.epochs]
    tables = {
        "": summarise(runs[runs["network"].isin(NETWORKS)]),
        "_others": summarise(runs[runs["network"].isin(OTHERS)]),
        "_missing": missing(runs, asked),
    }
    for kind, table in tables.items():
        if not len(table.columns):
            continue
        table.to_csv(arguments.output / f"lr_schedules{kind}.csv", index=False)
        print(f"\n{table.to_string(index=False)}")
    for measure, label in (
        ("accuracy", "accuracy"),
        ("macro_f1", "macro F1"),
        ("fit time (s)", "time to fit (s)"),
    ):
        name = measure.split(" ")[0]
        draw(runs, measure, label, arguments.output / f"lr_schedules_{name}.png")


if __name__ == "__main__":
    main()
