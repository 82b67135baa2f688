"""
Figures and tables of the amplification paper on a part of CIFAR-10
===================================================================

Networks are trained to the end of the schedule's first phase once per seed; from there each method
goes its own way with the same random numbers: plain, amplified by both measures and both cases at
several thresholds, and what amplification has to beat. Fits are kept in --work and runs in a table
in --output, so that an interrupted study goes on where it stopped. It takes a GPU if there is one.
"""

import argparse
import copy
import itertools
import warnings
from pathlib import Path
from time import perf_counter

import joblib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from scipy import stats
from sklearn.model_selection import train_test_split
from tqdm import tqdm

from skprog.callbacks import GradientAmplification, OneCycle
from skprog.datasets import load_cifar
from skprog.estimators import ImageClassifier

LR = 0.1
BY_THRESHOLD = {
    "G, case 1": {"measure": "G", "case": 1},
    "G, case 2": {"measure": "G", "case": 2},
    "G', case 1": {"measure": "G_prime", "case": 1},
    "G', case 2": {"measure": "G_prime", "case": 2},
    "random layers": {"strategy": "random"},
    "G, case 1, at twice the rate": {"measure": "G", "case": 1, "apply_to": "update"},
}
AT_ONCE = ("plain", "all layers", "a third step", "OneCycle")
ONE_CYCLE_RATES = (0.05, 0.1, 0.2, 0.4, 0.8)
# Original, random layers, G case 1, 2, G' case 1, 2: tables 3 and 4, in per cent.
PUBLISHED = {
    (10, "vgg19"): (91.08, 93.35, 93.30, 92.92, 93.29, 93.34),
    (10, "resnet18"): (92.39, 94.57, 93.90, 93.76, 94.49, 94.10),
    (10, "resnet34"): (92.71, 94.39, 94.05, 93.89, 94.56, 94.14),
    (10, "resnet50"): (91.80, 92.68, 94.24, 94.43, 94.34, 94.02),
    (10, "resnet101"): (91.95, 93.04, 94.57, 94.54, 94.35, 94.70),
    (100, "vgg19"): (65.27, 66.52, 69.38, 68.50, 69.83, 69.25),
    (100, "resnet18"): (71.94, 72.70, 75.33, 75.41, 76.14, 75.35),
    (100, "resnet34"): (72.18, 73.02, 74.86, 75.59, 75.95, 75.90),
    (100, "resnet50"): (72.32, 73.05, 77.21, 77.43, 76.89, 76.97),
    (100, "resnet101"): (73.00, 73.72, 77.63, 77.51, 77.53, 77.63),
}
IN_TABLES = ("plain", "random layers", *BY_THRESHOLD)[:6]
KEY = ["network", "width", "epochs", "seed", "method", "threshold"]


def make_model(network, width, seed, max_epochs, callback):
    """Return the untrained classifier of a study."""
    return ImageClassifier(
        network,
        network_params={"width": width},
        lr=LR,
        max_epochs=max_epochs,
        callbacks=[("schedule", callback)],
        warm_start=True,
        random_state=seed,
    )


def phases_of(schedule, max_epochs, *, is_amplified):
    """Return the phases of a named schedule, with amplification or without."""
    phases = GradientAmplification(schedule).phases(max_epochs, lr=LR)
    return phases if is_amplified else [(end, lr, False, 1) for end, lr, *_ in phases]


def with_third_step(plain, max_epochs):
    """Return plain phases whose rate is halved from epoch 130 of 150 on."""
    third = round(130 * max_epochs / 150)
    phases, start = [], 0
    for end, lr, *rest in plain:
        if start < third < end:
            phases.append((third, lr, *rest))
        phases.append((end, lr if end <= third else lr / 2, *rest))
        start = end
    return phases


def train_first_phase(data, network, width, seed, plain):
    """Return a classifier trained to the end of the first phase, from which all methods go on."""
    torch.set_num_threads(1)
    model = make_model(network, width, seed, plain[0][0], GradientAmplification(plain))
    return model.fit(data.X_train, data.y_train)


def validate_one_cycle(data, network, width, max_epochs, rate):
    """Return the accuracy that OneCycle has on a fifth of the training images."""
    torch.set_num_threads(1)
    X, X_valid, y, y_valid = train_test_split(
        data.X_train, data.y_train, test_size=0.2, stratify=data.y_train, random_state=0
    )
    model = make_model(network, width, 100, max_epochs, OneCycle(rate))
    return model.fit(X, y).score(X_valid, y_valid)


def run(key, data, base, phases, plain, one_cycle_rate):
    """Train by one method and return its row."""
    network, width, max_epochs, seed, method, threshold = key
    torch.set_num_threads(1)
    start = perf_counter()
    if method == "OneCycle":
        model = make_model(network, width, seed, max_epochs, OneCycle(one_cycle_rate))
    else:
        if method == "plain":
            callback = GradientAmplification(plain)
        elif method == "a third step":
            callback = GradientAmplification(with_third_step(plain, max_epochs))
        elif method == "all layers":
            callback = GradientAmplification(phases, strategy="all")
        else:
            callback = GradientAmplification(
                phases, threshold=threshold, random_state=seed, **BY_THRESHOLD[method]
            )
        model = copy.deepcopy(base)
        net = model.net_
        net.callbacks_ = [
            (name, callback.initialize() if name == "schedule" else each)
            for name, each in net.callbacks_
        ]
        model.set_params(max_epochs=max_epochs - len(net.history))
    with warnings.catch_warnings():
        # Thresholds that choose no layer, which the table of selections shows.
        warnings.simplefilter("ignore", UserWarning)
        model.fit(data.X_train, data.y_train)
    row = dict(zip(KEY, key, strict=True))
    row["accuracy"] = model.score(data.X_test, data.y_test)
    row["training accuracy"] = model.score(data.X_train[:1000], data.y_train[:1000])
    row["seconds"] = perf_counter() - start
    if method == "OneCycle":
        row["OneCycle rate"] = one_cycle_rate
    return row | describe_selections(model.history_)


def choices(history):
    """Return the layers chosen by each analysis of a training, whose last epoch is none."""
    places = [epoch["epoch"] for epoch in history if epoch.get("gradient_measures")]
    return [history[place]["amplified_layers"] for place in places if place < len(history)]


def describe_selections(history):
    """Return which layers a training chose."""
    measured = [epoch for epoch in history if epoch.get("gradient_measures")]
    if not measured:
        return {}
    chosen = choices(history)
    overlaps = [
        len({*one} & {*other}) / max(len({*one} | {*other}), 1)
        for one, other in itertools.pairwise(chosen)
    ]
    return {
        "layers": len(measured[0]["gradient_measures"]),
        "chosen": "; ".join(" ".join(each) for each in chosen),
        "layers chosen": np.mean([len(each) for each in chosen]),
        "overlap of choices": np.mean(overlaps) if overlaps else np.nan,
    }


def compare(runs):
    """Return the accuracy of each method, over thresholds, and its paired difference to plain."""
    plain = runs[runs["method"] == "plain"].set_index("seed")["accuracy"]
    rows = []
    for method in (*AT_ONCE, *BY_THRESHOLD):
        group = runs[runs["method"] == method]
        if not len(group):
            continue
        by_seed = 100 * group.groupby("seed")["accuracy"].mean()
        row = {"method": method, "seeds": len(by_seed), "thresholds": group["threshold"].nunique()}
        row["accuracy (%)"] = f"{by_seed.mean():.1f}"
        row["spread over seeds"] = f"{by_seed.std():.1f}"
        if method != "plain":
            row["over plain (points)"] = with_interval(by_seed - 100 * plain.loc[by_seed.index])
        best = 100 * group.groupby("threshold", dropna=False)["accuracy"].mean().max()
        row["best threshold, by test images (%)"] = f"{best:.1f}"
        rows.append(row)
    return pd.DataFrame(rows)


def with_interval(differences):
    """Return the mean of differences by seed with its 95 % interval."""
    n = len(differences)
    mean = differences.mean()
    if n < 2:
        return f"{mean:+.1f}"
    half = stats.t.ppf(0.975, n - 1) * differences.std() / np.sqrt(n)
    return f"{mean:+.1f} [{mean - half:+.1f}, {mean + half:+.1f}]"


def published_table(runs, version, network):
    """Return the row of the paper's tables beside ours."""
    rows = [{"row": "published", **dict(zip(IN_TABLES, PUBLISHED[version, network], strict=True))}]
    kinds = {"mean over thresholds": "mean", "best threshold, by test images": "max"}
    for name, kind in kinds.items():
        row = {"row": name}
        for method in IN_TABLES:
            by_threshold = (
                runs[runs["method"] == method].groupby("threshold", dropna=False)["accuracy"].mean()
            )
            if len(by_threshold):
                row[method] = round(100 * by_threshold.agg(kind), 1)
        rows.append(row)
    return pd.DataFrame(rows)


def selections(runs):
    """Return how many layers are chosen at each threshold, and how stably."""
    columns = [
        "layers",
        "layers chosen",
        "overlap of choices",
    ]
    chosen = runs[runs["method"].isin(BY_THRESHOLD)]
    means = chosen.groupby(["method", "threshold"], sort=False)[columns].mean().round(3)
    empty = chosen.assign(empty=chosen["layers chosen"] == 0)
    means["share that chose none"] = empty.groupby(["method", "threshold"], sort=False)[
        "empty"
    ].mean()
    return means.reset_index()


def frequencies(runs):
    """Return how often each layer was chosen by case 1, by measure."""
    rows = {}
    for method in ("G, case 1", "G', case 1"):
        chosen = runs.loc[runs["method"] == method, "chosen"].fillna("")
        names = pd.Series(" ".join(chosen.str.replace(";", "")).split(), dtype=str)
        n_choices = sum(1 + each.count(";") for each in chosen)
        rows[method] = names.value_counts() / max(n_choices, 1)
    return pd.DataFrame(rows).fillna(0.0).rename_axis("layer").round(3).reset_index()


def draw_thresholds(runs, path):
    """Draw accuracy over thresholds, as in Figs. 3 to 10."""
    figure, axes = plt.subplots(1, 2, figsize=(10, 4), sharey=True, layout="constrained")
    plain = 100 * runs.loc[runs["method"] == "plain", "accuracy"]
    for axis, measure in zip(axes, ("G", "G'"), strict=True):
        axis.axhline(plain.mean(), color="C0", label="plain")
        axis.axhspan(plain.min(), plain.max(), color="C0", alpha=0.15)
        for case, color in ((1, "C3"), (2, "C1")):
            group = runs[runs["method"] == f"{measure}, case {case}"]
            by_threshold = 100 * group.groupby("threshold")["accuracy"].agg(["mean", "min", "max"])
            axis.plot(
                by_threshold.index, by_threshold["mean"], "o-", color=color, label=f"case {case}"
            )
            axis.vlines(by_threshold.index, by_threshold["min"], by_threshold["max"], color=color)
        axis.set(xlabel="Threshold", title=f"layers by {measure}")
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("Test accuracy (%)")
    axes[0].legend()
    figure.savefig(path, dpi=100)
    plt.close(figure)


def draw_frequencies(table, path):
    """Draw how often each layer was chosen, as in Fig. 2."""
    if not len(table):
        print("no layer was ever chosen; lower --thresholds")
        return
    figure, axis = plt.subplots(figsize=(8, 1.5 + 0.16 * len(table)), layout="constrained")
    table.set_index("layer").plot.barh(ax=axis, width=0.8, fontsize="x-small")
    axis.invert_yaxis()
    axis.set(xlabel="Share of analyses that chose the layer", ylabel="")
    figure.savefig(path, dpi=100)
    plt.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[1])
    parser.add_argument("data", type=Path, nargs="?", help="folder of the images")
    parser.add_argument("--version", type=int, choices=(10, 100), default=10)
    parser.add_argument("--network", default="resnet18", choices=sorted({n for _, n in PUBLISHED}))
    parser.add_argument("--width", type=int, default=8, help="64 is the paper's")
    parser.add_argument("--schedule", choices=("params_1", "params_2"), default="params_1")
    parser.add_argument("--epochs", type=int, default=30, help="150 is the paper's")
    parser.add_argument("--thresholds", type=float, nargs="+", default=[0.7, 1.1, 1.5])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2, help="fits at a time, one thread each")
    parser.add_argument("--work", type=Path, default=Path("demo-output/amplification"))
    parser.add_argument("--output", type=Path, default=Path("demo-output/amplification"))
    parser.add_argument("--quick", action="store_true", help="few images and epochs, two methods")
    parser.add_argument("--tables", action="store_true", help="train nothing, only draw up tables")
    arguments = parser.parse_args()
    data = load_cifar(arguments.data, version=arguments.version)
    methods, at_once = [*BY_THRESHOLD], [*AT_ONCE]
    if arguments.quick:
        arguments.output = arguments.work = arguments.output / "quick"
        arguments.epochs, arguments.width, arguments.seeds = 9, 4, 2
        arguments.thresholds = [0.7]
        methods, at_once = ["G, case 1", "random layers"], ["plain", "all layers"]
        for key in ("X_train", "y_train", "X_test", "y_test"):
            data[key] = data[key][:300]
    for folder in (arguments.work, arguments.output):
        folder.mkdir(parents=True, exist_ok=True)
    network, width, epochs = arguments.network, arguments.width, arguments.epochs
    phases = phases_of(arguments.schedule, epochs, is_amplified=True)
    plain = phases_of(arguments.schedule, epochs, is_amplified=False)
    name = f"amplification_{arguments.version}_{network}_{arguments.schedule}"
    path = arguments.output / f"{name}_runs.csv"
    done = pd.read_csv(path).to_dict("records") if path.exists() else []
    if arguments.tables and not done:
        parser.error(f"--tables needs {path}; run without it first")
    parallel = joblib.Parallel(n_jobs=arguments.jobs, return_as="generator_unordered")
    cached = joblib.Memory(arguments.work, verbose=0).cache
    seeds = range(arguments.seeds)
    wanted = [
        (network, width, epochs, seed, method, threshold)
        for seed in seeds
        for method in (*at_once, *methods)
        for threshold in (arguments.thresholds if method in BY_THRESHOLD else [0.0])
    ]
    rate = None
    todo = []
    if not arguments.tables:
        if "OneCycle" in at_once:
            validate = cached(validate_one_cycle)
            scores = joblib.Parallel(n_jobs=arguments.jobs)(
                joblib.delayed(validate)(data, network, width, epochs, each)
                for each in ONE_CYCLE_RATES
            )
            rate = ONE_CYCLE_RATES[int(np.argmax(scores))]
            print("OneCycle by rate", dict(zip(ONE_CYCLE_RATES, scores, strict=True)))
            done = [
                row for row in done if row["method"] != "OneCycle" or row["OneCycle rate"] == rate
            ]
        known = {tuple(row[column] for column in KEY) for row in done}
        todo = [key for key in wanted if key not in known]
    if todo:
        first = cached(train_first_phase)
        bases = joblib.Parallel(n_jobs=arguments.jobs)(
            joblib.delayed(first)(data, network, width, seed, plain) for seed in seeds
        )
    rows = parallel(
        joblib.delayed(run)(key, data, bases[key[3]], phases, plain, rate) for key in todo
    )
    for row in tqdm(rows, total=len(todo), unit="fit"):
        done.append(row)
        pd.DataFrame(done).sort_values(KEY).to_csv(path, index=False)
    runs = pd.DataFrame(done)
    runs = runs[(runs["width"] == width) & (runs["epochs"] == epochs)]
    tables = {
        "methods": compare(runs),
        "published": published_table(runs, arguments.version, network),
        "selections": selections(runs),
        "frequencies": frequencies(runs),
    }
    for kind, table in tables.items():
        table.to_csv(arguments.output / f"{name}_{kind}.csv", index=False)
        if kind != "frequencies":
            print(f"\n{table.to_string(index=False)}")
    draw_thresholds(runs, arguments.output / f"{name}_thresholds.png")
    draw_frequencies(tables["frequencies"], arguments.output / f"{name}_frequencies.png")


if __name__ == "__main__":
    main()
