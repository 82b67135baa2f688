"""
Twelve networks beside published accuracies
===========================================

Every network is trained with AdaptiveCycle on the original training cases of each data set, none
held out, and scored once on the original test cases, beside published values and 1-nearest
neighbour. The settings are the last of four that were tried, as docs/results/time_series.rst says.
Runs are kept in a table in --output, so that an interrupted run goes on where it stopped.
"""

import argparse
from pathlib import Path
from time import perf_counter

import joblib
import numpy as np
import pandas as pd
import torch
from sklearn.metrics import f1_score
from sklearn.neighbors import KNeighborsClassifier
from tqdm import tqdm

from skprog.callbacks import AdaptiveCycle
from skprog.datasets import load_ucr
from skprog.estimators import TimeSeriesClassifier

# Per set: FCN, ResNet, InceptionTime of five networks; the lower where there are two sources
# (tsml-eval, Disjoint-CNN, LITE, dl-4-tsc and InceptionTime repositories, original split).
PUBLISHED = {
    "ArrowHead": (0.843, 0.838, 0.863),
    "GunPoint": (1.000, 0.991, 1.000),
    "ItalyPowerDemand": (0.963, 0.962, 0.966),
    "OSULeaf": (0.979, 0.980, 0.922),
    "BasicMotions": (None, 1.000, 1.000),
    "ECG5000": (0.9400, 0.9331, 0.9409),
    "PenDigits": (0.986, 0.977, 0.980),
    "RacketSports": (0.822, 0.822, 0.822),
}
# Number of networks of each that is compared.
MAIN = {"fcn": 1, "resnet": 1, "inception_time": 5}
OTHERS = (
    "inception_time",
    "lstm",
    "bilstm",
    "convnet2d",
    "xception_time",
    "dcnn",
    "dresnet",
    "xcm",
    "lstm_fcn",
    "lstm_2dcnn",
)
SEEDS = dict.fromkeys(PUBLISHED, 3) | {"OSULeaf": 1, "ECG5000": 1, "PenDigits": 1}
SETS_OF_OTHERS = ("ArrowHead", "GunPoint", "ItalyPowerDemand", "BasicMotions", "RacketSports")
# Batch size and epochs, where they are not 16 and 150.
TRAINING = {"ECG5000": (16, 50), "PenDigits": (64, 50)}
# What FCN is trained with as well: more epochs where it falls short, and its authors' batches of a
# tenth of the cases.
OF_FCN = (
    ("ArrowHead", 16, 600),
    ("ArrowHead", 3, 150),
    ("GunPoint", 5, 150),
    ("ItalyPowerDemand", 6, 150),
    ("BasicMotions", 4, 150),
    ("RacketSports", 15, 150),
)
KEY = ["data set", "network", "networks", "seed", "batch size", "epochs"]


def cells():
    """Return the key of every run, those compared first."""
    compared = [
        (name, network, n_networks, seed)
        for name, n_seeds in SEEDS.items()
        for seed in range(n_seeds)
        for network, n_networks in MAIN.items()
    ]
    compared.sort(key=lambda cell: (SEEDS[cell[0]] == 1, cell[3]))
    others = [
        (name, network, 1, seed)
        for seed in range(3)
        for name in SETS_OF_OTHERS
        for network in OTHERS
    ]
    usual = [(*cell, *TRAINING.get(cell[0], (16, 150))) for cell in compared + others]
    of_fcn = [(name, "fcn", 1, seed, *training) for seed in range(3) for name, *training in OF_FCN]
    return usual + of_fcn


def run(cell, data_home):
    """Train one cell and return its row."""
    name, network, n_networks, seed, batch_size, max_epochs = cell
    torch.set_num_threads(1)
    data = load_ucr(name, data_home)
    model = TimeSeriesClassifier(
        network,
        n_networks=n_networks,
        batch_size=batch_size,
        max_epochs=max_epochs,
        callbacks=[("schedule", AdaptiveCycle(1e-3, monitor="train_loss", count_from="peak"))],
        random_state=seed,
    )
    start = perf_counter()
    model.fit(data.X_train, data.y_train)
    fit_time = perf_counter() - start
    y_pred = model.predict(data.X_test)
    parameters = sum(p.numel() for p in model.net_.module_.parameters())
    return {
        **dict(zip(KEY, cell, strict=True)),
        "accuracy": np.mean(y_pred == data.y_test),
        "macro F1": f1_score(data.y_test, y_pred, average="macro"),
        "train loss": model.history_[-1, "train_loss"],
        "parameters": parameters,
        "fit time (s)": round(fit_time, 1),
    }


def usual(runs):
    """Return the runs with the settings that all networks have."""
    ways = runs[["data set", "batch size", "epochs"]].itertuples(index=False, name=None)
    return runs[[way not in OF_FCN for way in ways]]


def summarise(group, data_home):
    """Return what the runs of one cell come to, with the bound they have to reach."""
    name, network = group[["data set", "network"]].iloc[0]
    row = {
        "seeds": len(group),
        "accuracy": f"{group['accuracy'].mean():.3f}",
        "range": f"{group['accuracy'].min():.3f} to {group['accuracy'].max():.3f}",
    }
    published = PUBLISHED[name][list(MAIN).index(network)]
    if published is not None:
        n_test = len(load_ucr(name, data_home).y_test)
        margin = max(0.02, 2 * np.sqrt(published * (1 - published) / n_test))
        row |= {
            "published": f"{published:.3f}",
            "bound": f"{published - margin:.3f}",
            "holds": "yes" if group["accuracy"].mean() >= published - margin else "no",
        }
    row["macro F1"] = f"{group['macro F1'].mean():.3f}"
    row["training loss"] = f"{group['train loss'].mean():.1e}"
    return row


def compare(runs, data_home):
    """Return a row for each compared network and data set."""
    rows = []
    for (network, name), group in usual(runs).groupby(["network", "data set"]):
        n_networks = MAIN.get(network)
        group = group[group["networks"] == n_networks]
        if len(group):
            label = network if n_networks == 1 else f"{network} x {n_networks}"
            rows.append({"network": label, "data set": name, **summarise(group, data_home)})
    return pd.DataFrame(rows)


def compare_fcn(runs, data_home):
    """Return a row for each way to train FCN on the sets where there are several."""
    runs = runs[(runs["network"] == "fcn") & runs["data set"].isin([name for name, *_ in OF_FCN])]
    rows = []
    for (name, batch_size, epochs), group in runs.groupby(["data set", "batch size", "epochs"]):
        n_batches = -(-len(load_ucr(name, data_home).y_train) // batch_size)
        row = {"data set": name, "batch size": batch_size, "epochs": epochs}
        row["steps"] = epochs * n_batches
        rows.append(row | summarise(group, data_home))
    return pd.DataFrame(rows)


def tabulate(runs, data_home):
    """Return the mean accuracy of every network on every data set, and of 1-nearest neighbour."""
    runs = usual(runs)
    is_one = runs["networks"] == 1
    names = runs["network"].where(is_one, runs["network"] + " x " + runs["networks"].astype(str))
    by_network = runs.assign(network=names).groupby(["network", "data set"])["accuracy"]
    table = by_network.mean().unstack().round(3)
    nearest = {}
    for name in table:
        data = load_ucr(name, data_home)
        X_train, X_test = (X.reshape(len(X), -1) for X in (data.X_train, data.X_test))
        model = KNeighborsClassifier(1).fit(X_train, data.y_train)
        nearest[name] = round(model.score(X_test, data.y_test), 3)
    table.loc["1-nearest neighbour"] = nearest
    parameters = (runs["parameters"] * runs["networks"])[runs["data set"] == "ArrowHead"]
    first = parameters.groupby(names).first()
    table["parameters on ArrowHead"] = first.reindex(table.index).astype("Int64")
    return table.reset_index()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[1])
    parser.add_argument("data", type=Path, nargs="?", help="folder of ECG5000, PenDigits, ...")
    parser.add_argument("--jobs", type=int, default=2, help="fits at a time, one thread each")
    parser.add_argument("--output", type=Path, default=Path("demo-output/tsc"))
    parser.add_argument("--quick", action="store_true", help="2 epochs on two sets of sktime's")
    parser.add_argument("--tables", action="store_true", help="train nothing, only draw up tables")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.output = arguments.output / "quick"
    arguments.output.mkdir(parents=True, exist_ok=True)
    path = arguments.output / "tsc_networks_runs.csv"
    todo = cells()
    if arguments.quick:
        todo = [
            (*cell[:-1], 2)
            for cell in todo
            if cell[0] in ("ItalyPowerDemand", "BasicMotions") and cell[3:5] == (0, 16)
        ]
    done = pd.read_csv(path).to_dict("records") if path.exists() else []
    known = {tuple(row[name] for name in KEY) for row in done}
    todo = [] if arguments.tables else [cell for cell in todo if cell not in known]
    parallel = joblib.Parallel(n_jobs=arguments.jobs, return_as="generator_unordered")
    rows = parallel(joblib.delayed(run)(cell, arguments.data) for cell in todo)
    for row in tqdm(rows, total=len(todo), unit="fit"):
        done.append(row)
        pd.DataFrame(done).sort_values(KEY).to_csv(path, index=False)
    if done:
        runs = pd.DataFrame(done)
        for name, make in (("compared", compare), ("all", tabulate), ("fcn", compare_fcn)):
            table = make(runs, arguments.data)
            table.to_csv(arguments.output / f"tsc_networks_{name}.csv", index=False)
            print(f"\n{table.to_string(index=False)}")


if __name__ == "__main__":
    main()
