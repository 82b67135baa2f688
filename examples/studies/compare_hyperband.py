"""
Hyperband beside random search
==============================

Both search Table I for CnnLstmRUL on simulated bearings, with the same total of epochs: Hyperband
spends it on many candidates of which most see few epochs, random search on a few trained fully. A
seed draws bearings, candidates and networks. The winners are tested on bearings that no search has
seen, beside the baseline that hears nothing. Searches are kept in --output, so that an interrupted
study goes on where it stopped.

    python examples/studies/compare_hyperband.py --output docs/results
"""

import argparse
import time
import warnings
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy import stats
from sklearn.exceptions import FitFailedWarning
from sklearn.metrics import mean_absolute_error
from sklearn.model_selection import GroupKFold, RandomizedSearchCV
from tqdm import tqdm

from skprog.datasets import make_run_to_failure
from skprog.estimators import CnnLstmRUL, DummyRUL
from skprog.model_selection import HyperbandSearchCV, cnn_lstm_search_space
from skprog.preprocessing import WelchSpectrogram
from skprog.sequences import RunSequences

KEY = ["max_epochs", "seed", "method"]
METHODS = ("Hyperband", "random search")
N_TRAIN, N_TEST = 6, 9
MAE, CV_MAE = "MAE, test (s)", "MAE, validation (s)"


def load(seed, n_windows):
    """Return training and test rows, of runs of about ``n_windows``, and their RUL."""
    data = make_run_to_failure(n_runs=N_TRAIN + N_TEST, n_windows=n_windows, random_state=seed)
    windows = WelchSpectrogram(f_max=8400, pool_size=4).fit_transform(data.windows)
    X = RunSequences.from_runs(windows, data.runs, n_steps=8, time=data.time)
    y = data.rul[X.ends]
    in_train = np.isin(X.runs, data.bearings[:N_TRAIN])
    return X[in_train].map(np.asarray), y[in_train], X[~in_train].map(np.asarray), y[~in_train]


def hyperband(seed, max_epochs, n_jobs, verbose=0):
    """Return the search over Table I."""
    return HyperbandSearchCV(
        CnnLstmRUL(random_state=seed),
        cnn_lstm_search_space(),
        max_resources=max_epochs,
        cv=GroupKFold(2),
        scoring="neg_mean_absolute_error",
        n_jobs=n_jobs,
        random_state=seed,
        verbose=verbose,
    )


def random_search(seed, max_epochs, n_jobs, n_epochs):
    """Return the random search whose candidates see about ``n_epochs`` in all."""
    return RandomizedSearchCV(
        CnnLstmRUL(max_epochs=max_epochs, random_state=seed),
        cnn_lstm_search_space(),
        n_iter=round(n_epochs / max_epochs),
        cv=GroupKFold(2),
        scoring="neg_mean_absolute_error",
        n_jobs=n_jobs,
        random_state=seed,
    )


def run(search, X, y, X_test, y_test):
    """Search, test the winner and return the row."""
    start = time.perf_counter()
    with warnings.catch_warnings():
        # Impossible geometries and rates at which the loss diverges, which the table counts.
        warnings.simplefilter("ignore", FitFailedWarning)
        warnings.filterwarnings("ignore", "One or more of the test scores", UserWarning)
        search.fit(X, y, groups=X.runs)
    results, best = search.cv_results_, search.best_params_
    n_epochs = results.get("n_resources", np.full(len(results["params"]), 0))
    is_first = results.get("iter", np.zeros(len(results["params"]))) == 0
    return {
        "candidates": int(is_first.sum()),
        "failed": int(np.isnan(results["mean_test_score"][is_first]).sum()),
        "epochs": int(n_epochs.sum()) or len(results["params"]) * search.estimator.max_epochs,
        "bracket": results["bracket"][search.best_index_] if "bracket" in results else np.nan,
        "lr": best["lr"],
        "layers": best["n_conv_layers"],
        "lstm_units": best["lstm_units"],
        CV_MAE: -search.best_score_,
        MAE: mean_absolute_error(y_test, search.predict(X_test)),
        "time (s)": time.perf_counter() - start,
    }


def with_interval(values):
    """Return mean and 95 % interval of paired differences as text."""
    values = values.dropna()
    if len(values) < 2:
        return f"{values.mean():+.1f}"
    low, high = stats.ttest_1samp(values, 0).confidence_interval()
    return f"{values.mean():+.1f} [{low:+.1f}, {high:+.1f}]"


def compare(runs):
    """Return a row per number of epochs and method, and the paired difference to random search."""
    rows = []
    for max_epochs, of_length in runs.groupby("max_epochs"):
        by_seed = {
            name: of_length.pivot(index="seed", columns="method", values=name)
            for name in (MAE, CV_MAE)
        }
        for method in METHODS:
            of_method = of_length[of_length["method"] == method]
            row = {"max_epochs": max_epochs, "method": method, "seeds": len(of_method)}
            means = of_method[["candidates", "failed", "epochs", "time (s)"]].mean()
            row |= means.round(1).to_dict()
            for name, table in by_seed.items():
                row[name] = f"{table[method].mean():.1f}"
                if method == "Hyperband":
                    row[f"{name}, difference"] = with_interval(
                        table[method] - table["random search"]
                    )
            row["baseline (s)"] = f"{of_method['baseline (s)'].mean():.1f}"
            rows.append(row)
    return pd.DataFrame(rows).fillna("")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[1])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--max-epochs", type=int, nargs="+", default=[25, 27])
    parser.add_argument("--windows", type=int, default=24, help="mean windows of a bearing")
    parser.add_argument("--jobs", type=int, default=2, help="fits at a time, one thread each")
    parser.add_argument("--quick", action="store_true", help="2 seeds of 3 and 4 epochs")
    parser.add_argument("--output", type=Path, default=Path("demo-output/hyperband"))
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.seeds, arguments.max_epochs, arguments.windows = 2, [3, 4], 12
    torch.set_num_threads(1)
    arguments.output.mkdir(parents=True, exist_ok=True)
    name = "hyperband_quick" if arguments.quick else "hyperband"
    path = arguments.output / f"{name}_runs.csv"
    done = pd.read_csv(path).to_dict("records") if path.exists() else []
    known = {tuple(row[column] for column in KEY): row for row in done}
    keys = list(product(arguments.max_epochs, range(arguments.seeds), METHODS))
    for key in tqdm(keys, unit="search"):
        if key in known:
            continue
        max_epochs, seed, method = key
        data = load(seed, arguments.windows)
        if method == "Hyperband":
            search = hyperband(seed, max_epochs, arguments.jobs)
        else:
            n_epochs = known[max_epochs, seed, "Hyperband"]["epochs"]
            search = random_search(seed, max_epochs, arguments.jobs, n_epochs)
        row = dict(zip(KEY, key, strict=True)) | run(search, *data)
        X, y, X_test, y_test = data
        row["baseline (s)"] = mean_absolute_error(y_test, DummyRUL().fit(X, y).predict(X_test))
        known[key] = row
        done.append(row)
        pd.DataFrame(done).to_csv(path, index=False)
    runs = pd.DataFrame([known[key] for key in keys])
    table = compare(runs)
    table.to_csv(arguments.output / f"{name}.csv", index=False)
    print(f"\n{table.to_string(index=False)}")
    print("\ndifference: Hyperband less random search by seed, with its 95 % interval; below 0 is")
    print("better. baseline: mean life minus age. MAE of the winner, on bearings never seen.")


if __name__ == "__main__":
    main()
