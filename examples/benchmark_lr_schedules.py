"""
Learning-rate schedules, benchmarked through sktime
===================================================

The four training scenarios of the paper, and three that it lacks, on networks x data sets with the
original split, through sktime's ``ClassificationBenchmark``. All scenarios hold out the same fifth
of the training cases and keep the weights of the best validation loss. Runs are kept in a table
in --output and sktime's own files in --work, so that an interrupted benchmark goes on where it
stopped.
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
KEY = ["data set", "network", "scenario", "seed"]


class StaticAtMinimum(Callback):
    """Train at the learning rate of the lowest loss of the range test, as the paper does."""

    def on_train_begin(self, net, **kwargs):
        lrs, losses = next(iter(net.lr_range_.curves_.values()))
        for group in net.optimizer_.param_groups:
            group["lr"] = float(lrs[np.nanargmin(losses)])


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
            "epochs": len(loss),
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


def run_unit(name, network, seed, keys, data_home, max_epochs, work):
    """Benchmark the scenarios of one network, data set and seed; return their rows."""
    torch.set_num_threads(1)
    data = load_ucr(name, data_home)
    X = np.concatenate([data.X_train, data.X_test])
    y = np.concatenate([data.y_train, data.y_test])
    # -1 marks what is never tested on: the original training cases.
    split = PredefinedSplit(np.repeat([-1, 0], [len(data.y_train), len(data.y_test)]))
    measures = work / f"{name}-{network}-{seed}.jsonl"
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
            random_state=seed,
        )
        benchmark.add_estimator(SktimeClassifier(model), estimator_id="|".join(map(str, key[1:])))
    # As JSON: what sktime reads back from its CSV files lacks the scores.
    with warnings.catch_warnings():
        # sktime takes the standard deviation over the one split.
        warnings.simplefilter("ignore", RuntimeWarning)
        results = benchmark.run(str(work / f"{name}-{network}-{seed}.json"))
    if benchmark.failed_experiments:
        raise RuntimeError(f"{name}, {network}, {seed}: {benchmark.failed_experiments}")
    known = pd.read_json(measures, lines=True).drop_duplicates(KEY, keep="last").set_index(KEY)
    results = results.set_index("model_id")
    rows = []
    for key in keys:
        scores = results.loc["|".join(map(str, key[1:]))]
        row = {**dict(zip(KEY, key, strict=True)), **known.loc[key]}
        row |= {kind: scores[f"{kind}_mean"] for kind in ("accuracy", "macro_f1", "weighted_f1")}
        rows.append({**row, "fit time (s)": scores["fit_time_mean"]})
    return rows


def summarise(runs):
    """Return means per scenario and how far AdaptiveCycle is above it, over networks and sets."""
    by_cell = runs.groupby(["data set", "network", "scenario"])
    means = by_cell.mean(numeric_only=True)
    spread = by_cell["accuracy"].std().groupby("scenario").mean()
    wide = means["accuracy"].unstack("scenario").dropna()
    rows = []
    for scenario in wide.columns:
        cells = means.xs(scenario, level="scenario").loc[wide.index]
        row = {"scenario": scenario, "cells": len(cells), **cells.mean().round(3)}
        row["spread over seeds"] = f"{spread[scenario]:.3f}"
        if scenario != ADAPTIVE:
            difference = 100 * (wide[ADAPTIVE] - wide[scenario])
            # Data sets are the sample: cells of one set go up and down together.
            of_sets = difference.groupby("data set").mean()
            half = stats.sem(of_sets) * stats.t.ppf(0.975, len(of_sets) - 1)
            mean = of_sets.mean()
            row["AdaptiveCycle over it (points)"] = (
                f"{mean:+.1f} [{mean - half:+.1f}, {mean + half:+.1f}]"
            )
            row["cells won, lost"] = f"{(difference > 0).sum()}, {(difference < 0).sum()}"
        rows.append(row)
    return pd.DataFrame(rows).drop(columns=["seed", "parameters"])


def draw(runs, measure, label, path):
    """Draw one box per scenario, by data set over networks and by network over data sets."""
    means = runs.groupby(["data set", "network", "scenario"])[measure].mean().unstack("scenario")
    names = [name for name in scenarios() if name in means]
    figure, axes = plt.subplots(2, 1, figsize=(11, 8), layout="constrained")
    for axis, level in zip(axes, ("data set", "network"), strict=True):
        groups = list(means.groupby(level))
        width = 0.8 / len(names)
        for i, scenario in enumerate(names):
            boxes = axis.boxplot(
                [group[scenario].dropna() for _, group in groups],
                positions=np.arange(len(groups)) + (i - (len(names) - 1) / 2) * width,
                widths=0.85 * width,
                patch_artist=True,
                boxprops={"facecolor": f"C{i}"},
                medianprops={"color": "black"},
                flierprops={"markersize": 3},
                label=scenario,
            )
            del boxes
        axis.set_xticks(np.arange(len(groups)), [group for group, _ in groups])
        axis.set(ylabel=label, title=f"by {level}")
        if "time" in measure:
            axis.set_yscale("log")
        axis.grid(axis="y", alpha=0.3)
    axes[0].legend(ncols=4, fontsize="small", loc="upper center", bbox_to_anchor=(0.5, -0.08))
    figure.savefig(path, dpi=100)
    plt.close(figure)


def units(n_seeds, networks, sets):
    """Return the keys of the runs asked for, by (data set, network, seed)."""
    runs = [
        (name, network, seed) for seed in range(n_seeds) for name in SETS for network in NETWORKS
    ]
    runs += [(name, network, 0) for name in SETS_OF_OTHERS for network in OTHERS]
    return {
        (name, network, seed): [(name, network, scenario, seed) for scenario in scenarios()]
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
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.networks, arguments.sets = ["fcn", "lstm"], ["ItalyPowerDemand", "BasicMotions"]
        arguments.seeds, arguments.epochs = 1, 2
    for folder in (arguments.work, arguments.output):
        folder.mkdir(parents=True, exist_ok=True)
    path = arguments.output / "lr_schedules_runs.csv"
    done = pd.read_csv(path).to_dict("records") if path.exists() else []
    known = {tuple(row[name] for name in KEY) for row in done}
    todo = units(arguments.seeds, arguments.networks, arguments.sets)
    todo = {unit: [key for key in keys if key not in known] for unit, keys in todo.items()}
    tasks = [
        joblib.delayed(run_unit)(*unit, keys, arguments.data, arguments.epochs, arguments.work)
        for unit, keys in todo.items()
        if keys
    ]
    parallel = joblib.Parallel(n_jobs=arguments.jobs, return_as="generator_unordered")
    for rows in tqdm(parallel(tasks), total=len(tasks), unit="network, set and seed"):
        done += rows
        pd.DataFrame(done).sort_values(KEY).to_csv(path, index=False)
    runs = pd.DataFrame(done)
    for kind, networks in (("", NETWORKS), ("_others", OTHERS)):
        part = runs[runs["network"].isin(networks)]
        if len(part):
            table = summarise(part)
            table.to_csv(arguments.output / f"lr_schedules{kind}.csv", index=False)
            print(table.to_string(index=False))
    for measure, label in (
        ("accuracy", "accuracy"),
        ("macro_f1", "macro F1"),
        ("fit time (s)", "time to fit (s)"),
    ):
        name = measure.split(" ")[0]
        draw(runs, measure, label, arguments.output / f"lr_schedules_{name}.png")


if __name__ == "__main__":
    main()
