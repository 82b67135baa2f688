"""
Tables I, II and III of the bearing paper on the real bearings
==============================================================

Models A, B and C of Cosin, Ribeiro and Castelo Branco (SIBGRAPI 2023) and their ensembles, several
seeds, on the paper's split of the bearings that are present, beside the published rows and the
baselines that hear no vibration. Nothing is chosen by the test bearings.

    python examples/studies/reproduce_bearing_paper.py ../shared/data/femto --output docs/results

Each fit writes a checkpoint and its predictions to ``--work``; a run that was interrupted goes on
where it stopped. Each table is written as CSV and as Markdown. ``--quick`` runs the same on six
short simulated bearings for two epochs, in less than a minute, without a folder and in files apart.
"""

import argparse
import os
from itertools import product
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import torch
from sklearn.metrics import mean_absolute_error
from sklearn.pipeline import make_pipeline
from sklearn.utils import Bunch

from skprog.datasets import load_femto, make_run_to_failure, paper_split
from skprog.estimators import CnnLstmRUL, DummyRUL
from skprog.metrics import maintenance_cost, phm2012_score, replacement_error
from skprog.preprocessing import AccelRotation45, FrequencyMaxPool, RULIndex, WelchSpectrogram
from skprog.sequences import RunSequences

MODELS = {
    "A": {},
    "B": {"target": "linear"},
    "C": {"lstm_units": 56, "dense_units": (56, 16)},
}
# Table I: what it is called here, the ends of the search space, and the published optimum.
TABLE_I = {
    "learning rate": ("lr", "1e-8", "1", "8.64e-4"),
    "layers of conv2D": ("n_conv_layers", "1", "3", "2"),
    "filters c1": ("n_filters 0", "2", "4", "4"),
    "kernel c1": ("kernel_sizes 0", "(3, 3)", "(7, 5)", "(5, 4)"),
    "stride c1": ("strides 0", "(1, 1)", "(3, 3)", "(1, 2)"),
    "filters c2": ("n_filters 1", "4", "8", "8"),
    "kernel c2": ("kernel_sizes 1", "(3, 3)", "(7, 5)", "(6, 3)"),
    "stride c2": ("strides 1", "(1, 1)", "(3, 2)", "(1, 1)"),
    "filters c3": ("n_filters 2", "4", "8", "NA"),
    "kernel c3": ("kernel_sizes 2", "(3, 3)", "(7, 5)", "NA"),
    "stride c3": ("strides 2", "(1, 1)", "(3, 2)", "NA"),
    "pooling kernel size": ("pool_size", "(2, 2)", "(3, 3)", "(2, 2)"),
    "LSTM units": ("lstm_units", "16", "128", "112"),
    "size d1": ("dense_units 0", "16", "128", "112"),
    "size d2": ("dense_units 1", "8", "32", "16"),
}
FOLDER = Path("demo-output/bearing_paper")
FULL = {"seeds": 5, "epochs": 25, "jobs": 2, "work": FOLDER, "output": FOLDER}
QUICK = {**FULL, "seeds": 1, "epochs": 2, "jobs": 1}
ENSEMBLES = ("A", "B", "C", "AB", "AC", "BC", "ABC")
# Table II in % of MEL, in the order of paper_split, of which the last bearing may be missing.
PAPER_ERRORS = {
    "A": (6, 42, 13, 12, 2),
    "B": (9, 16, 8, 16, 1),
    "C": (18, 33, 0, -8, 9),
    "AB": (8, 18, 10, 15, 2),
    "AC": (3, 36, 1, -9, 7),
    "BC": (7, 18, 1, 6, 4),
    "ABC": (3, 36, 1, -9, 7),
}
# Table III, the mean over all five test bearings: it cannot be restricted.
ERROR = "mean absolute error where replaced (% of MEL)"
PAPER_SCORES = {"A": 0.24, "B": 0.23, "C": 0.23, "AB": 0.23, "AC": 0.25, "BC": 0.32, "ABC": 0.25}


def load_sequences(folder):
    """Return sequences of spectrograms, their RUL and the split; no folder simulates bearings."""
    if folder is None:
        data = make_run_to_failure(n_windows=80, life_spread=0.1, random_state=0)
        split = Bunch(train=data.bearings[:4], test=data.bearings[4:], missing=[])
    else:
        data = load_femto(folder, verbose=1)
        split = paper_split(data.bearings)
    X = RunSequences.from_runs(
        data.windows, data.runs, pad=False, time=data.time, context={"condition": data.condition}
    )
    features = make_pipeline(AccelRotation45(), WelchSpectrogram(f_max=8400), FrequencyMaxPool(4))
    return features.fit_transform(X), data.rul[X.ends], split


def fit_and_predict(model, seed, X_train, y_train, X_test, *, epochs, work):
    """Train one model unless its predictions are there, and keep them."""
    estimator = CnnLstmRUL(**MODELS[model], random_state=seed)
    # Other data and other settings have files of their own; more epochs go on from a checkpoint.
    data = [(X.shape, X.runs) for X in (X_train, X_test)]
    stem = f"{model}_{seed}_{joblib.hash([repr(estimator.get_params()), data, y_train])[:8]}"
    path = work / f"{stem}_{epochs}.npz"
    if not path.exists():
        torch.set_num_threads(1)
        estimator.set_params(max_epochs=epochs, checkpoint=work / f"{stem}.ckpt")
        estimator.fit(X_train, y_train)
        # In one step, so that what is interrupted leaves no half of a file.
        part = path.with_suffix(".part.npz")
        np.savez(
            part,
            train=estimator.predict_channels(X_train),
            test=estimator.predict_channels(X_test),
            train_loss=estimator.history_[:, "train_loss"],
        )
        os.replace(part, path)
    return dict(np.load(path))


def loss(model, rul_channels, y, max_life):
    """Return the mean squared error of the model's target over rows and channels.

    It is that of the predictions, which lie within the target's range.
    """
    if model == "B":
        return np.mean(((rul_channels - y) / max_life) ** 2)
    index = RULIndex(max_life=max_life).fit(y)
    return np.mean((index.transform(rul_channels.T) - index.transform(y)[:, None]) ** 2)


def row(name, seed, y_pred, X, y, max_life, test):
    """Return one line of the table."""
    result = replacement_error(y, y_pred, runs=X.runs, max_life=max_life)
    errors = dict(zip(result.runs, result.error, strict=True))
    failed = dict(zip(result.runs, result.failed_in_service, strict=True))
    return {
        "model": name,
        "seed": seed,
        **{run: "failed" if failed[run] else f"{errors[run]:+.0f}" for run in test},
        "failures": int(result.failed_in_service.sum()),
        ERROR: result.mean_abs_error,
        "cost": maintenance_cost(y, y_pred, runs=X.runs, max_life=max_life),
        "life score": phm2012_score(y, y_pred, runs=X.runs),
        "MAE (s)": np.mean(
            [mean_absolute_error(y[X.runs == run], y_pred[X.runs == run]) for run in test]
        ),
    }


def summary(rows):
    """Return the mean over seeds of each row's measures, with the lowest and the highest."""
    measures = ["failures", ERROR, "cost", "life score", "MAE (s)"]
    groups = rows.groupby("model", sort=False)[measures]
    mean, low, high = groups.mean(), groups.min(), groups.max()
    table = mean.copy().astype(object)
    for measure in measures:
        for model in table.index:
            values = [frame.loc[model, measure] for frame in (mean, low, high)]
            digits = 0 if measure == "MAE (s)" else 1 if measure in measures[:2] else 3
            text = [f"{value:.{digits}f}" for value in values]
            table.loc[model, measure] = (
                ""
                if np.isnan(values[0])
                else text[0]
                if text[1] == text[2]
                else f"{text[0]} ({text[1]} to {text[2]})"
            )
    return table.reset_index()


def table_i():
    """Return the hyperparameters of the models beside the paper's search space and optimum."""
    rows = []
    for name, (parameter, low, high, optimum) in TABLE_I.items():
        row = {"hyperparameter": name, "from": low, "to": high, "published optimum": optimum}
        attribute, _, layer = parameter.partition(" ")
        for model, params in MODELS.items():
            estimator = CnnLstmRUL(**params)
            value = getattr(estimator, attribute)
            is_absent = (
                layer and attribute != "dense_units" and int(layer) >= estimator.n_conv_layers
            )
            row[model] = "NA" if is_absent else str(value[int(layer)] if layer else value)
        rows.append(row)
    targets = {model: CnnLstmRUL(**params).target for model, params in MODELS.items()}
    rows.append({"hyperparameter": "target", "published optimum": "rul_index", **targets})
    return pd.DataFrame(rows).fillna("")


def published_rows(test):
    """Return the paper's lines of the bearings that are present."""
    rows = []
    for name in ENSEMBLES:
        errors = PAPER_ERRORS[name][: len(test)]
        rows.append(
            {
                "model": f"{name} (published)",
                "seed": "",
                **{run: f"{error:+d}" for run, error in zip(test, errors, strict=True)},
                "failures": 0,
                "cost": np.mean([e if e >= 0 else -4 * e for e in errors]) / 100,
                ERROR: np.mean(np.abs(errors)),
                "life score": PAPER_SCORES[name],
            }
        )
    return rows


def markdown(table):
    """Return a table as Markdown."""
    lines = [table.columns, ["---"] * len(table.columns), *table.to_numpy()]
    lines = [["" if cell is None or cell != cell else str(cell) for cell in line] for line in lines]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[1])
    parser.add_argument("folder", nargs="?", help="folder of the FEMTO bearings")
    parser.add_argument("--quick", action="store_true", help="short simulated bearings")
    parser.add_argument("--seeds", type=int, help="5, with --quick 1")
    parser.add_argument("--epochs", type=int, help="25, with --quick 2")
    parser.add_argument("--jobs", type=int, help="fits at a time, one thread each: 2, quick 1")
    parser.add_argument("--work", type=Path, help="its folder quick with --quick")
    parser.add_argument("--output", type=Path, help="as --work")
    arguments = parser.parse_args()
    if arguments.quick == (arguments.folder is not None):
        parser.error("give either the folder of the FEMTO bearings or --quick")
    defaults = QUICK if arguments.quick else FULL
    for name, value in defaults.items():
        if getattr(arguments, name) is None:
            setattr(arguments, name, value)
    if arguments.quick:
        arguments.work, arguments.output = arguments.work / "quick", arguments.output / "quick"
    for folder in (arguments.work, arguments.output):
        folder.mkdir(parents=True, exist_ok=True)

    X, y, split = load_sequences(arguments.folder)
    in_test = np.isin(X.runs, split.test)
    X_train, y_train, X_test, y_test = X[~in_test], y[~in_test], X[in_test], y[in_test]
    X_train, X_test = X_train.map(np.asarray), X_test.map(np.asarray)
    max_life = y_train.max()
    tasks = list(product(range(arguments.seeds), MODELS))
    outputs = joblib.Parallel(n_jobs=arguments.jobs, verbose=10)(
        joblib.delayed(fit_and_predict)(
            model, seed, X_train, y_train, X_test, epochs=arguments.epochs, work=arguments.work
        )
        for seed, model in tasks
    )
    outputs = dict(zip(tasks, outputs, strict=True))

    rows, losses = [], []
    for seed, name in product(range(arguments.seeds), ENSEMBLES):
        y_pred = np.mean([outputs[seed, model]["test"].mean(axis=0) for model in name], axis=0)
        rows.append(row(name, seed, y_pred, X_test, y_test, max_life, split.test))
    for (seed, model), output in outputs.items():
        train = loss(model, output["train"], y_train, max_life)
        test = loss(model, output["test"], y_test, max_life)
        losses.append({"model": model, "seed": seed, "training loss": train, "test loss": test})
    baselines = {
        "mean life of the condition less age": DummyRUL(by="condition"),
        "mean life less age": DummyRUL(),
        "constant 5000 s": DummyRUL("constant", constant=5000),
    }
    for name, baseline in baselines.items():
        y_pred = baseline.fit(X_train, y_train).predict(X_test)
        rows.append(row(name, "", y_pred, X_test, y_test, max_life, split.test))
    if not arguments.quick:
        rows += published_rows(split.test)
    rows = pd.DataFrame(rows)
    tables = {
        "bearing_hyperparameters": table_i(),
        "bearing_models": rows.sort_values(["model", "seed"]),
        "bearing_summary": summary(rows),
        "bearing_losses": pd.DataFrame(losses).sort_values(["model", "seed"]),
    }
    print(f"{len(split.train)} training, {len(split.test)} test bearings, missing {split.missing}")
    for name, table in tables.items():
        table = table.round(5)
        table.to_csv(arguments.output / f"{name}.csv", index=False)
        (arguments.output / f"{name}.md").write_text(markdown(table), encoding="utf-8")
        print(f"\n{name}\n{table.to_string(index=False)}")


if __name__ == "__main__":
    main()
