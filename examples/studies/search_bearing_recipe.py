"""
The recipe for bearings, chosen by leaving bearings out
========================================================

Ideas that might improve on model A of the bearing paper, each with what it gave and what it cost.
They are screened on the training bearings of the paper's split only, dealt to five folds, by one
seed, 6 epochs and every fourth window; a fold's bearings are never seen by what predicts them. The
ideas named by ``--final`` then get every bearing left out by itself, and the paper's split, with
five seeds, in place of the screening. No idea is chosen by a test bearing.

    python examples/studies/search_bearing_recipe.py ../shared/data/femto --output docs/results

Each fit writes its predictions and its cost to ``--work``; a run that was interrupted goes on where
it stopped. The first one also writes the spectrograms there, 290 MB.
"""

import argparse
import re
import time
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import torch
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.metrics import mean_absolute_error
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from tqdm import tqdm

from skprog.datasets import load_femto, paper_split
from skprog.estimators import CnnLstmRUL, DistributionalRUL, DummyRUL
from skprog.metrics import maintenance_cost, phm2012_score, replacement_error
from skprog.preprocessing import AccelRotation45, BandEnergies, WelchSpectrogram
from skprog.sequences import RunSequences

EPOCHS = 6
# Maximum expected life of the paper in s, by which times of replacement are measured.
MAX_LIFE = 27710
ERROR = "mean absolute error where replaced (% of MEL)"


class PretrainedRUL(CnnLstmRUL):
    """Begins with an encoder that has learnt to rebuild spectrograms, without their RUL."""

    def _prepare_module(self, module, data_train):
        super()._prepare_module(module, data_train)
        windows = torch.from_numpy(data_train.windows)
        scaled = (windows - module.mean) / module.scale
        n_features = module.encoder(scaled[:1, None]).shape[1]
        decoder = torch.nn.Linear(n_features, scaled[0].numel())
        params = [*module.encoder.parameters(), *decoder.parameters()]
        optimizer = torch.optim.Adam(params, lr=1e-3)
        for _ in range(2):
            for rows in torch.randperm(len(scaled)).split(128):
                optimizer.zero_grad()
                batch = scaled[rows]
                rebuilt = decoder(module.encoder(batch[:, None]))
                torch.nn.functional.mse_loss(rebuilt, batch.flatten(1)).backward()
                optimizer.step()


def less_baseline(windows, runs, n_first=60):
    """Return windows less the mean of the first ones of their run, as far as these have come."""
    out = np.empty_like(windows)
    for run in np.unique(runs):
        own = windows[runs == run]
        count = np.minimum(np.arange(1, len(own) + 1), n_first)
        first = np.cumsum(own[:n_first], axis=0, dtype=np.float64)
        out[runs == run] = own - first[count - 1] / count.reshape(-1, *[1] * (own.ndim - 1))
    return out


def with_context(windows, age, condition):
    """Append four rows of age in hours and four of the condition to each spectrogram."""
    rows = np.stack([age / 3600, condition], axis=1).astype(windows.dtype).repeat(4, axis=1)
    shape = (len(windows), windows.shape[1], 8, windows.shape[3])
    rows = np.broadcast_to(rows[:, None, :, None], shape)
    return np.concatenate([windows, rows], axis=2)


def bands(windows, n_bands=12):
    """Return feature vectors of the windows."""
    return BandEnergies(n_bands).fit_transform(windows).reshape(len(windows), -1)


# Of windows, runs, age in s and condition.
INPUTS = {
    "spectrograms": lambda windows, *_: windows,
    "with age and condition": lambda windows, _, *context: with_context(windows, *context),
    "less their baseline": lambda windows, runs, *_: less_baseline(windows, runs),
    "bands": lambda windows, *_: bands(windows),
    "21 bands": lambda windows, *_: bands(windows, 21),
    "bands, age and condition": lambda windows, _, *context: np.column_stack(
        [bands(windows), *context]
    ),
    "bands less their baseline": lambda windows, runs, *_: less_baseline(bands(windows), runs),
}


def network(**params):
    """Return model A by seed, in what the screening has time for."""
    return lambda seed: CnnLstmRUL(max_epochs=EPOCHS, random_state=seed, **params)


def trees(leaf=40, n_trees=100, **params):
    """Return trees on feature vectors, by seed."""
    return lambda seed: DistributionalRUL(
        ExtraTreesClassifier(n_trees, min_samples_leaf=leaf, max_features=0.2, random_state=seed),
        **params,
    )


def pretrained(seed):
    """Return model A that begins with a pretrained encoder."""
    return PretrainedRUL(max_epochs=EPOCHS, random_state=seed)


# Inputs, and estimator by seed.
MODELS = {
    "model A": ("spectrograms", network()),
    "target capped at 8000 s": ("spectrograms", network(max_rul=8000)),
    "quantile loss, 0.35": ("spectrograms", network(quantile=0.35)),
    "pretrained encoder": ("spectrograms", pretrained),
    "age and condition": ("with age and condition", network()),
    "own baseline": ("less their baseline", network()),
    "trees: mean": ("bands", trees(statistic="mean")),
    "trees: median": ("bands", trees(statistic="median")),
    "trees: expected score": ("bands", trees()),
    "trees: expected score, windows alike": ("bands", trees(balance=None)),
    "trees: expected score, leaves of 20": ("bands", trees(leaf=20)),
    "trees: expected score, leaves of 100": ("bands", trees(leaf=100)),
    "trees: expected score, mean of 8 windows": ("bands", trees(n_steps=8)),
    "trees: expected score, 21 bands": ("21 bands", trees()),
    "trees: expected score, age and condition": ("bands, age and condition", trees()),
    "trees: expected score, own baseline": ("bands less their baseline", trees()),
    "trees: expected score, 500 trees": ("bands", trees(n_trees=500)),
}
# Means of the predictions of several models and seeds.
MEANS = {
    "model A, three seeds averaged": [("model A", seed) for seed in range(3)],
    "model A and trees": [("model A", 0), ("trees: expected score", 0)],
    "quantile loss and trees": [("quantile loss, 0.35", 0), ("trees: expected score", 0)],
}
BASELINES = {
    "constant 5000 s": DummyRUL("constant", constant=5000),
    "mean life less age": DummyRUL(),
    "mean life of the condition less age": DummyRUL(by="condition"),
}


def load_windows(folder, work):
    """Return what load_femto gives, with spectrograms for windows, computed once."""
    path = work / "spectrograms.npz"
    if not path.exists():
        data = load_femto(folder, verbose=1)
        features = make_pipeline(AccelRotation45(), WelchSpectrogram(f_max=8400, pool_size=4))
        columns = {name: data[name] for name in ("runs", "rul", "time", "condition")}
        np.savez(path, windows=features.fit_transform(data.windows), **columns)
    return dict(np.load(path))


def sequences(data, inputs):
    """Return sequences of one of the inputs."""
    columns = data["runs"], data["time"], data["condition"]
    return RunSequences.from_runs(
        INPUTS[inputs](data["windows"], *columns),
        data["runs"],
        time=data["time"],
        context={"condition": data["condition"]},
    )


def splits(runs, protocol):
    """Return pairs of training and test rows by the name of the fold."""
    split = paper_split(list(dict.fromkeys(runs)))
    if protocol == "paper split":
        return {"": (np.isin(runs, split.train), np.isin(runs, split.test))}
    if protocol == "leave one bearing out":
        return {run: (runs != run, runs == run) for run in dict.fromkeys(runs)}
    rows = np.flatnonzero(np.isin(runs, split.train))
    folds = GroupKFold(5, shuffle=True, random_state=0).split(rows, groups=runs[rows])
    masks = {}
    for i, fold in enumerate(folds):
        masks[f"fold {i}"] = tuple(np.isin(np.arange(len(runs)), rows[part]) for part in fold)
    return masks


def fit_and_predict(model, seed, X, y, train, test, path):
    """Train one model unless its predictions are there, and keep them with the time they took."""
    if not path.exists():
        torch.set_num_threads(1)
        start = time.process_time()
        rows = np.flatnonzero(train)[::4]
        estimator = model(seed).fit(X[rows].map(np.asarray), y[rows])
        y_pred = estimator.predict(X[test].map(np.asarray))
        np.savez(path, y_pred=y_pred, seconds=time.process_time() - start)
    return dict(np.load(path))


def predict_all(data, protocol, tasks, work, jobs):
    """Return predictions for all rows, and processor time in s, by model and seed."""
    folds = splits(data["runs"], protocol)
    outputs = {}
    for inputs in INPUTS:
        models = [task for task in tasks if MODELS[task[0]][0] == inputs]
        X = sequences(data, inputs) if models else None
        for name, seed in tqdm(models, desc=f"{protocol}, {inputs}"):
            words = {fold: (protocol, fold, name, str(seed)) for fold in folds}
            parts = joblib.Parallel(n_jobs=jobs)(
                joblib.delayed(fit_and_predict)(
                    MODELS[name][1],
                    seed,
                    X,
                    data["rul"],
                    train,
                    test,
                    work / file_name(words[fold]),
                )
                for fold, (train, test) in folds.items()
            )
            y_pred = np.full(len(data["rul"]), np.nan)
            for (_, test), part in zip(folds.values(), parts, strict=True):
                y_pred[test] = part["y_pred"]
            outputs[name, seed] = y_pred, sum(float(part["seconds"]) for part in parts)
    return outputs


def file_name(words):
    """Return the name of the file that keeps a fit."""
    return "_".join(re.sub(r"\W+", "-", word) for word in words) + ".npz"


def baselines(data, protocol):
    """Return predictions of what hears no vibration, and no cost."""
    X = sequences(data, "spectrograms")
    outputs = {}
    for name, baseline in BASELINES.items():
        y_pred = np.full(len(X), np.nan)
        for train, test in splits(data["runs"], protocol).values():
            y_pred[test] = baseline.fit(X[train], data["rul"][train]).predict(X[test])
        outputs[name, ""] = y_pred, 0.0
    return outputs


def measures(data, y_pred):
    """Return one line of figures over the rows predicted."""
    there = np.isfinite(y_pred)
    y, y_pred, runs = data["rul"][there], y_pred[there], data["runs"][there]
    result = replacement_error(y, y_pred, runs=runs, max_life=MAX_LIFE)
    each = [mean_absolute_error(y[runs == run], y_pred[runs == run]) for run in np.unique(runs)]
    return {
        "life score": phm2012_score(y, y_pred, runs=runs),
        "cost": maintenance_cost(y, y_pred, runs=runs, max_life=MAX_LIFE),
        "failures": int(result.failed_in_service.sum()),
        ERROR: result.mean_abs_error,
        "MAE (s)": np.mean(each),
    }


def table(data, outputs):
    """Return one line for each model and seed."""
    rows = [
        {"idea": name, "seed": seed, **measures(data, y_pred), "core-minutes": seconds / 60}
        for (name, seed), (y_pred, seconds) in outputs.items()
    ]
    digits = {"life score": 3, "cost": 3, ERROR: 1, "MAE (s)": 0, "core-minutes": 1}
    return pd.DataFrame(rows).round(digits)


def screen(data, work, jobs):
    """Return the figures of every idea over the training bearings."""
    members = [member for each in MEANS.values() for member in each]
    tasks = list(dict.fromkeys([(name, 0) for name in MODELS] + members))
    outputs = predict_all(data, "screen", tasks, work, jobs)
    shown = {(name, 0): outputs[name, 0] for name in MODELS}
    return table(data, baselines(data, "screen") | shown | means(outputs, MEANS))


def means(outputs, groups):
    """Return mean predictions and summed cost of groups of models."""
    averaged = {}
    for name, members in groups.items():
        y_pred, seconds = zip(*(outputs[member] for member in members), strict=True)
        averaged[name, ""] = np.mean(y_pred, axis=0), sum(seconds)
    return averaged


def finals(data, protocol, names, n_seeds, work, jobs):
    """Return the figures of a few ideas over seeds, and those of each seed."""
    tasks = [(name, seed) for name in names for seed in range(n_seeds)]
    outputs = predict_all(data, protocol, tasks, work, jobs)
    each = table(data, baselines(data, protocol) | outputs)
    groups = each.drop(columns="seed").groupby("idea", sort=False)
    mean, low, high = groups.mean(), groups.min(), groups.max()
    digits = {"life score": 3, "cost": 3, "failures": 1, ERROR: 1, "MAE (s)": 0}
    rows = mean.astype(object)
    for measure, n in digits.items():
        for idea in rows.index:
            values = [f"{frame.loc[idea, measure]:.{n}f}" for frame in (mean, low, high)]
            is_one = values[1] == values[2]
            rows.loc[idea, measure] = (
                ""
                if values[0] == "nan"
                else values[0]
                if is_one
                else f"{values[0]} ({values[1]} to {values[2]})"
            )
    rows["core-minutes"] = groups["core-minutes"].sum().round(1)
    return rows.reset_index(), each, outputs


def errors_by_bearing(data, outputs):
    """Return life score and replacement error of each bearing, by model and seed."""
    rows = []
    for (name, seed), (y_pred, _) in outputs.items():
        for run in np.unique(data["runs"][np.isfinite(y_pred)]):
            own = data["runs"] == run
            y, rul = data["rul"][own], y_pred[own]
            result = replacement_error(y, rul, runs=data["runs"][own], max_life=MAX_LIFE)
            rows.append(
                {
                    "idea": name,
                    "seed": seed,
                    "bearing": run,
                    "life score": phm2012_score(y, rul),
                    "error (% of MEL)": "failed"
                    if result.failed_in_service[0]
                    else result.error[0],
                }
            )
    return pd.DataFrame(rows).round(3)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[1])
    parser.add_argument("folder", help="folder of the FEMTO bearings")
    parser.add_argument("--final", nargs="*", default=[], choices=list(MODELS), metavar="IDEA")
    parser.add_argument("--seeds", type=int, default=5, help="seeds of --final")
    parser.add_argument("--jobs", type=int, default=2, help="fits at a time, one thread each")
    parser.add_argument("--work", type=Path, default=Path("demo-output/bearing_recipe"))
    parser.add_argument("--output", type=Path, default=Path("demo-output/bearing_recipe"))
    arguments = parser.parse_args()
    for folder in (arguments.work, arguments.output):
        folder.mkdir(parents=True, exist_ok=True)
    data = load_windows(arguments.folder, arguments.work)
    tables = {}
    if not arguments.final:
        tables["bearing_recipe_screen"] = screen(data, arguments.work, arguments.jobs)
    else:
        for protocol in ("leave one bearing out", "paper split"):
            name = f"bearing_recipe_{protocol.replace(' ', '_')}"
            tables[name], tables[f"{name}_seeds"], outputs = finals(
                data,
                protocol,
                arguments.final,
                arguments.seeds,
                arguments.work,
                arguments.jobs,
            )
            tables[f"{name}_bearings"] = errors_by_bearing(data, outputs)
    for name, each in tables.items():
        each.to_csv(arguments.output / f"{name}.csv", index=False)
        print(f"\n{name}\n{each.to_string(index=False)}")


if __name__ == "__main__":
    main()
