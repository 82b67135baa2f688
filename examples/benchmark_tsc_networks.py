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
KEY = ["data set", "network", "networks", "seed"]


def cells():
    """Return (data set, network, n_networks, seed) of every run, those compared first."""
    compared = [
        (name, network, n_networks, seed)
        for name, n_seeds in SEEDS.items()
        for seed in range(n_seeds)
        for network, n_networks in MAIN.items()
    ]
    others = [
        (name, network, 1, seed)
        for seed in range(3)
        for name in SETS_OF_OTHERS
        for network in OTHERS
    ]
    return sorted(compared, key=lambda cell: (SEEDS[cell[0]] == 1, cell[3])) + others


def run(cell, data_home, max_epochs):
    """Train one cell and return its row."""
    name, network, n_networks, seed = cell
    torch.set_num_threads(1)
    data = load_ucr(name, data_home)
    if len(data.y_train) >= 500:
        max_epochs = min(max_epochs, 50)
    model = TimeSeriesClassifier(
        network,
        n_networks=n_networks,
        batch_size=16 if len(data.y_train) < 1000 else 64,
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
        "epochs": max_epochs,
        "accuracy": np.mean(y_pred == data.y_test),
        "macro F1": f1_score(data.y_test, y_pred, average="macro"),
        "train loss": model.history_[-1, "train_loss"],
        "parameters": parameters,
        "fit time (s)": round(fit_time, 1),
    }


def compare(runs, data_home):
    """Return a row for each compared network and data set, with the bound it has to reach."""
    rows = []
    for (network, name), group in runs.groupby(["network", "data set"]):
        group = group[group["networks"] == MAIN.get(network)]
        if not len(group):
            continue
        n_test = len(load_ucr(name, data_home).y_test)
        published = PUBLISHED[name][list(MAIN).index(network)]
        accuracy = group["accuracy"].mean()
        row = {
            "network": network if MAIN[network] == 1 else f"{network} x {MAIN[network]}",
            "data set": name,
            "seeds": len(group),
            "accuracy": f"{accuracy:.3f}",
            "range": f"{group['accuracy'].min():.3f} to {group['accuracy'].max():.3f}",
        }
        if published is not None:
            margin = max(0.02, 2 * np.sqrt(published * (1 - published) / n_test))
            row |= {
                "published": f"{published:.3f}",
                "bound": f"{published - margin:.3f}",
                "holds": "yes" if accuracy >= published - margin else "no",
            }
        row["macro F1"] = f"{group['macro F1'].mean():.3f}"
        row["training loss"] = f"{group['train loss'].mean():.1e}"
        row["fit time (s)"] = f"{group['fit time (s)'].mean():.0f}"
        rows.append(row)
    return pd.DataFrame(rows)


def tabulate(runs, data_home):
    """Return the mean accuracy of every network on every data set, and of 1-nearest neighbour."""
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
    parser.add_argument(
        "--epochs", type=int, default=150, help="at most 50 are trained on 500 cases and more"
    )
    parser.add_argument("--jobs", type=int, default=2, help="fits at a time, one thread each")
    parser.add_argument("--output", type=Path, default=Path("demo-output/tsc"))
    parser.add_argument("--quick", action="store_true", help="2 epochs on two sets of sktime's")
    parser.add_argument("--tables", action="store_true", help="train nothing, only draw up tables")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.output = arguments.output / "quick"
    arguments.output.mkdir(parents=True, exist_ok=True)
    path = arguments.output / "tsc_networks_runs.csv"
    todo, epochs = cells(), arguments.epochs
    if arguments.quick:
        todo = [c for c in todo if c[0] in ("ItalyPowerDemand", "BasicMotions") and c[3] == 0]
        epochs = 2
    done = pd.read_csv(path).to_dict("records") if path.exists() else []
    known = {tuple(row[name] for name in KEY) for row in done}
    todo = [] if arguments.tables else [cell for cell in todo if cell not in known]
    parallel = joblib.Parallel(n_jobs=arguments.jobs, return_as="generator_unordered")
    rows = parallel(joblib.delayed(run)(cell, arguments.data, epochs) for cell in todo)
    for row in tqdm(rows, total=len(todo), unit="fit"):
        done.append(row)
        pd.DataFrame(done).sort_values(KEY).to_csv(path, index=False)
    if done:
        runs = pd.DataFrame(done)
        for name, make in (("compared", compare), ("all", tabulate)):
            table = make(runs, arguments.data)
            table.to_csv(arguments.output / f"tsc_networks_{name}.csv", index=False)
            print(f"\n{table.to_string(index=False)}")


if __name__ == "__main__":
    main()
