"""
How often the intervals of ConformalRUL hold, and how wide they are
===================================================================

Runs never seen, simulated and real. Simulated ones are many: they are dealt to repetitions that
share no run, each of which calibrates on 12 and tests on 8, so that the interval of the coverage is
that of independent draws. Of the real bearings each is left out in turn.

    python examples/studies/measure_conformal_coverage.py ../shared/data/femto --output docs/results

Without a folder only the simulated part runs; ``--quick`` makes it small.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy.stats import binomtest, t
from sklearn.model_selection import GroupShuffleSplit

from skprog.datasets import load_femto, make_run_to_failure
from skprog.estimators import CnnLstmRUL, ConformalRUL, DummyRUL
from skprog.recipes import bearing_rul_pipeline
from skprog.sequences import RunSequences

N_TRAIN, N_TEST = 12, 8
N_STEPS = 8
# Rotation and spectrogram, which the network shares with the recipe.
N_FEATURE_STEPS = 2
COVERAGES = (0.5, 0.75, 0.9)


def models(n_trees, n_epochs):
    """Return the estimators inside, which take spectrograms."""
    recipe = bearing_rul_pipeline(n_estimators=n_trees, random_state=0)
    return {
        "mean life less age": DummyRUL(),
        "bearing_rul_pipeline": recipe[N_FEATURE_STEPS:],
        "CnnLstmRUL": CnnLstmRUL(max_epochs=n_epochs, random_state=0),
    }


def levels(model):
    """Return the coverages to measure: of what takes long to fit, the highest."""
    return COVERAGES if isinstance(model, DummyRUL) else COVERAGES[-1:]


def ways(model):
    """Return how runs are held out: of what takes long to fit, not one by one."""
    one_by_one = {} if isinstance(model, CnnLstmRUL) else {"one run at a time": None}
    return {
        **one_by_one,
        "4 folds": 4,
        "one split, 3 to train": GroupShuffleSplit(1, train_size=3, random_state=0),
    }


def measure(model, X, y, in_test):
    """Return of each test run whether it is covered, wholly and by window, and its half-width."""
    model.fit(X[~in_test], y[~in_test])
    lower, upper = model.predict_interval(X[in_test]).T
    held = (lower <= y[in_test]) & (y[in_test] <= upper)
    mel = y[~in_test].max()
    # Half of what is cut at 0 would be no half-width: the distance of the upper bound.
    above = (upper - model.predict(X[in_test])) / mel
    runs = X.runs[in_test]
    return [
        {
            "run": run,
            "covered": held[of].all(),
            "windows": held[of].mean(),
            "above": above[of].mean(),
        }
        for run in np.unique(runs)
        for of in [runs == run]
    ]


def simulate(n_repetitions, n_windows, random_state=0):
    """Return sequences of spectrograms of simulated bearings, their RUL and repetition."""
    n_runs = n_repetitions * (N_TRAIN + N_TEST)
    data = make_run_to_failure(n_runs, n_windows=n_windows, random_state=random_state)
    context = {"condition": data.condition}
    X = RunSequences.from_runs(
        data.windows, data.runs, n_steps=N_STEPS, time=data.time, context=context
    )
    X = bearing_rul_pipeline(fs=data.fs)[:N_FEATURE_STEPS].fit_transform(X)
    # Dealt at random, as the conditions come in turn.
    places = np.random.default_rng(random_state).permutation(n_runs)
    place = dict(zip(data.bearings, places, strict=True))
    return X, data.rul[X.ends], np.array([place[run] for run in X.runs])


def simulated_rows(n_repetitions, n_windows, inner):
    """Return the table of the simulated runs."""
    X, y, place = simulate(n_repetitions, n_windows)
    rows = []
    for name, estimator in inner.items():
        for way, cv in ways(estimator).items():
            for coverage in levels(estimator):
                model = ConformalRUL(estimator, cv=cv, coverage=coverage, random_state=0)
                results = []
                for repetition in range(n_repetitions):
                    mine = place // (N_TRAIN + N_TEST) == repetition
                    in_test = place[mine] % (N_TRAIN + N_TEST) >= N_TRAIN
                    found = pd.DataFrame(measure(model, X[mine], y[mine], in_test))
                    results.append(found.drop(columns="run").mean())
                results = pd.DataFrame(results)
                mean, error = results.mean(), results["covered"].sem()
                half = t.ppf(0.975, n_repetitions - 1) * error
                rows.append(
                    {
                        "runs": f"{n_repetitions * N_TEST} simulated",
                        "model": name,
                        "held out": way,
                        "calibration runs": len(model.scores_),
                        "coverage aimed at": coverage,
                        "guaranteed": f"{model.guarantee_:.2f}",
                        "runs covered": f"{mean['covered']:.3f} ± {half:.3f}",
                        "windows covered": f"{mean['windows']:.3f}",
                        "half-width (MEL)": f"{mean['above']:.2f}",
                    }
                )
                print(rows[-1], flush=True)
    return rows


def load_real(folder, step):
    """Return the spectrograms of the real bearings, each a sequence of its own, and their RUL."""
    data = load_femto(folder, verbose=1)
    context = {"condition": data.condition}
    X = RunSequences.from_runs(data.windows, data.runs, n_steps=1, time=data.time, context=context)
    y = data.rul[X.ends]
    # Every so many windows and each run's last.
    kept = (X.ends % step == 0) | (y == 0)
    X = X[kept].map(np.asarray)
    return bearing_rul_pipeline(fs=data.fs)[:N_FEATURE_STEPS].fit_transform(X), y[kept]


def real_rows(X, y, inner):
    """Return the table of the real bearings, each left out in turn."""
    rows = []
    for name, estimator in inner.items():
        for coverage in levels(estimator):
            model = ConformalRUL(estimator, coverage=coverage)
            found = []
            for bearing in dict.fromkeys(X.runs):
                found += measure(model, X, y, X.runs == bearing)
            found = pd.DataFrame(found)
            n_covered, n_runs = int(found["covered"].sum()), len(found)
            interval = binomtest(n_covered, n_runs).proportion_ci()
            rows.append(
                {
                    "runs": f"{n_runs} bearings",
                    "model": name,
                    "held out": "one run at a time",
                    "calibration runs": len(model.scores_),
                    "coverage aimed at": coverage,
                    "guaranteed": f"{model.guarantee_:.2f}",
                    "runs covered": f"{n_covered} of {n_runs} "
                    f"({interval.low:.2f} to {interval.high:.2f})",
                    "windows covered": f"{found['windows'].mean():.3f}",
                    "half-width (MEL)": f"{found['above'].mean():.2f} "
                    f"({found['above'].min():.2f} to {found['above'].max():.2f})",
                }
            )
            print(rows[-1], "not covered:", *found["run"][~found["covered"]], flush=True)
    return rows


def write(name, rows, output):
    """Write a table and print it."""
    table = pd.DataFrame(rows)
    table.to_csv(output / f"{name}.csv", index=False)
    print(f"\n{name}\n{table.to_string(index=False)}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[1])
    parser.add_argument("folder", nargs="?", help="folder of the FEMTO bearings")
    parser.add_argument("--repetitions", type=int, default=40, help="at least 2")
    parser.add_argument("--trees", type=int, default=100)
    parser.add_argument("--epochs", type=int, default=25)
    parser.add_argument("--step", type=int, default=8, help="every so many windows of a bearing")
    parser.add_argument("--quick", action="store_true", help="2 repetitions of short runs, 1 epoch")
    parser.add_argument("--output", type=Path, default=Path("demo-output/conformal"))
    arguments = parser.parse_args()
    if arguments.repetitions < 2:
        parser.error("--repetitions must be at least 2, as their spread gives the interval")
    n_repetitions, n_windows = (2, 8) if arguments.quick else (arguments.repetitions, 20)
    if arguments.quick:
        arguments.epochs, arguments.output = 1, arguments.output / "quick"
    arguments.output.mkdir(parents=True, exist_ok=True)
    # Before the simulated part, which takes long: the folder may be wrong.
    real = load_real(arguments.folder, arguments.step) if arguments.folder else None
    torch.set_num_threads(1)
    inner = models(arguments.trees, arguments.epochs)
    rows = simulated_rows(n_repetitions, n_windows, inner)
    write("conformal_simulated", rows, arguments.output)
    if real is not None:
        # A network for each bearing without each other one would take days.
        del inner["CnnLstmRUL"]
        inner["mean life of the condition less age"] = DummyRUL(by="condition")
        write("conformal_bearings", real_rows(*real, inner), arguments.output)


if __name__ == "__main__":
    main()
