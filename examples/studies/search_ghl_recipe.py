"""
Looking for a better recipe against rare faults
===============================================

Each idea changes the paper's network with the gradient harmonized loss in one way or several, and
is scored on the last quarter of the training windows, which comes after the part that trains it.
The best ideas there and the paper's network are then trained on all training windows and tested;
nothing is chosen by the test windows. Fits are kept in --work, so that an interrupted run goes on
where it stopped.
"""

import argparse
from itertools import product
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from reproduce_ghl_paper import (
    PUBLISHED,
    SETS,
    fit_and_predict,
    measures,
    prediction_path,
    with_interval,
)
from scipy import stats
from sklearn.utils import Bunch

from skprog.datasets import cwru_imbalanced, load_cwru

ALL = ("shift", "gain", "noise")
ROBUST = {"batch_norm": True, "global_pooling": "max"}
LONG = {**ROBUST, "augment": ALL, "max_epochs": 40}
IDEAS = {
    "paper": {},
    "without GHL": {"loss": "cross_entropy"},
    "class weights instead of GHL": {"loss": "class_cost"},
    "class weights": {"class_weight": "balanced"},
    "dropout 0.5": {"dropout": 0.5},
    "rate 3e-4": {"lr": 3e-4},
    "rate 3e-3": {"lr": 3e-3},
    "batch normalisation": {"batch_norm": True},
    "average pooling": {"global_pooling": "average"},
    "max pooling": {"global_pooling": "max"},
    "shift": {"augment": ("shift",)},
    "gain": {"augment": ("gain",)},
    "noise": {"augment": ("noise",)},
    "normalisation, max pooling": ROBUST,
    "normalisation, max pooling, all three": {**ROBUST, "augment": ALL},
    "the same, 40 epochs": LONG,
    "the same, 40 epochs, without GHL": {**LONG, "loss": "cross_entropy"},
    "the same, 40 epochs, class weights instead": {**LONG, "loss": "class_cost"},
    "the same, 40 epochs, class weights": {**LONG, "class_weight": "balanced"},
    "the same, 40 epochs, dropout 0.5": {**LONG, "dropout": 0.5},
    "the same, 40 epochs, rate 3e-3": {**LONG, "lr": 3e-3},
}


def hold_out_last_quarter(bunch, n_timepoints=1024):
    """Split the training windows of each record in time, dropping those that straddle the cut.

    The validation part has as many normal windows as it has of the average fault.
    """
    train, valid = [], []
    for record in np.unique(bunch.records_train):
        rows = np.flatnonzero(bunch.records_train == record)
        starts = bunch.starts_train[rows]
        first = starts[-(len(rows) // 4)]
        train.append(rows[starts + n_timepoints <= first])
        valid.append(rows[starts >= first])
    train, valid = np.concatenate(train), np.concatenate(valid)
    is_normal = bunch.y_train[valid] == 0
    n_normal = np.count_nonzero(~is_normal) // (len(bunch.target_names) - 1)
    normal = valid[is_normal]
    normal = normal[np.linspace(0, len(normal) - 1, n_normal).astype(int)]
    valid = np.concatenate([normal, valid[~is_normal]])
    return Bunch(
        X_train=bunch.X_train[train],
        y_train=bunch.y_train[train],
        X_test=bunch.X_train[valid],
        y_test=bunch.y_train[valid],
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[1])
    parser.add_argument("folder", help="folder of the .mat files")
    parser.add_argument("--screening-seeds", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--tested", type=int, default=4, help="best ideas that are tested")
    parser.add_argument("--jobs", type=int, default=2, help="fits at a time, one thread each")
    parser.add_argument("--amp", default=None, help="mixed precision, such as bf16")
    parser.add_argument("--work", type=Path, default=Path("demo-output/ghl_recipe"))
    parser.add_argument("--output", type=Path, default=Path("demo-output/ghl_recipe"))
    arguments = parser.parse_args()
    for folder in (arguments.work, arguments.output):
        folder.mkdir(parents=True, exist_ok=True)
    data = load_cwru(arguments.folder)
    tested = {name: cwru_imbalanced(data, n_fault=n_fault) for name, n_fault in SETS.items()}
    screened = {name: hold_out_last_quarter(bunch) for name, bunch in tested.items()}

    def run(part, bunches, ideas, n_seeds):
        """Return one row of measures per set, idea and seed."""
        keys = list(product(range(n_seeds), SETS, ideas))
        calls = []
        for seed, size, idea in keys:
            params = {**IDEAS[idea], "random_state": seed, "amp": arguments.amp}
            path = prediction_path(arguments.work, f"{part} {size} {idea}", params)
            calls.append((path, bunches[size], params))
        outputs = joblib.Parallel(n_jobs=arguments.jobs, verbose=5)(
            joblib.delayed(fit_and_predict)(*call) for call in calls
        )
        rows = [
            {"set": size, "idea": idea, "seed": seed} | measures(bunches[size].y_test, y_pred)
            for (seed, size, idea), y_pred in zip(keys, outputs, strict=True)
        ]
        return pd.DataFrame(rows)

    measure = "balanced accuracy (%)"
    screening = run("valid", screened, IDEAS, arguments.screening_seeds)
    scores = {"validation": screening.pivot_table(measure, ["set", "seed"], "idea", sort=False)}
    ranked = scores["validation"].mean().drop("paper").sort_values(ascending=False)
    print(f"\non the validation part:\n{ranked.round(1).to_string()}")
    best = [idea for idea in IDEAS if idea in ("paper", *ranked.index[: arguments.tested])]
    test = run("test", tested, best, arguments.seeds)
    scores["test"] = test.pivot_table(measure, ["set", "seed"], "idea", sort=False)
    rows = []
    for idea in IDEAS:
        row = {"idea": idea, "chosen": "yes" if idea == ranked.index[0] else ""}
        for (part, score), size in product(scores.items(), SETS):
            if idea not in score:
                continue
            row[f"{size} {part} (%)"] = with_interval(score.loc[size, idea])
            if idea != "paper":
                gain = (score[idea] - score["paper"]).loc[size]
                low, high = stats.ttest_1samp(gain, 0).confidence_interval()
                row[f"{size} {part} gain"] = f"{gain.mean():+.1f} [{low:+.1f}, {high:+.1f}]"
        rows.append(row)
    published = {f"{size} test (%)": PUBLISHED[size, "DCNNG"] for size in SETS}
    table = pd.DataFrame([*rows, {"idea": "published DCNNG", "chosen": "", **published}])
    table.to_csv(arguments.output / "ghl_recipes.csv", index=False)
    print(f"\n{table.to_string(index=False)}")


if __name__ == "__main__":
    main()
