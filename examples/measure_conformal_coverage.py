"""
How often the intervals of ConformalRUL hold, and how wide they are
===================================================================

Runs never seen, simulated and real. Simulated ones are many: they are dealt to repetitions that
share no run, each of which calibrates on 12 and tests on 8, so that the interval of the coverage is
that of independent draws. Of the real bearings each is left out in turn.

    python examples/measure_conformal_coverage.py ../shared/data/femto --output docs/results

Without a folder only the simulated part runs; ``--quick`` makes it small.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import binomtest, t
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.model_selection import GroupShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skprog.datasets import load_femto, make_run_to_failure
from skprog.estimators import ConformalRUL, DummyRUL
from skprog.sequences import RunSequences

N_TRAIN, N_TEST = 12, 8
N_BANDS = 10
COVERAGES = (0.5, 0.75, 0.9)


def band_energies(windows):
    """Return the log energy of windows in bands, (n_windows, n_channels * N_BANDS)."""
    power = np.abs(np.fft.rfft(windows - windows.mean(axis=-1, keepdims=True))) ** 2
    bands = np.array_split(power, N_BANDS, axis=-1)
    energies = np.stack([band.mean(axis=-1) for band in bands], axis=-1)
    return np.log10(np.maximum(energies, 1e-12)).reshape(len(windows), -1).astype(np.float32)


def blocks(windows):
    """Return parts of windows whose spectra fit into memory."""
    return np.array_split(windows, 1 + len(windows) // 512)


def last_and_mean(X):
    """Return the last window's features beside the mean over the sequence."""
    sequences = np.asarray(X)
    return np.concatenate([sequences[:, -1], sequences.mean(axis=1)], axis=1)


def models(n_trees):
    """Return the estimators inside."""
    trees = ExtraTreesRegressor(n_trees, min_samples_leaf=5, random_state=0)
    return {
        "mean life less age": DummyRUL(),
        "trees on band energies": make_pipeline(FunctionTransformer(last_and_mean), trees),
    }


def levels(name):
    """Return the coverages to measure: of what takes long to fit, the highest."""
    return COVERAGES[-1:] if name.startswith("trees") else COVERAGES


def ways():
    """Return how runs are held out."""
    return {
        "one run at a time": None,
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
    """Return sequences of band energies of simulated bearings, their RUL and repetition."""
    n_runs = n_repetitions * (N_TRAIN + N_TEST)
    data = make_run_to_failure(
        n_runs, n_windows=n_windows, n_timepoints=512, random_state=random_state
    )
    energies = np.concatenate([band_energies(block) for block in blocks(data.windows)])
    X = RunSequences.from_runs(energies, data.runs, n_steps=8, time=data.time)
    # Dealt at random, as the conditions come in turn.
    places = np.random.default_rng(random_state).permutation(n_runs)
    place = dict(zip(data.bearings, places, strict=True))
    return X, data.rul[X.ends], np.array([place[run] for run in X.runs])


def simulated_rows(n_repetitions, n_windows, n_trees):
    """Return the table of the simulated runs."""
    X, y, place = simulate(n_repetitions, n_windows)
    rows = []
    for name, inner in models(n_trees).items():
        for way, cv in ways().items():
            for coverage in levels(name):
                model = ConformalRUL(inner, cv=cv, coverage=coverage, random_state=0)
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
    """Return sequences of band energies of the real bearings, and their RUL."""
    data = load_femto(folder, verbose=1)
    energies = np.concatenate([band_energies(block) for block in blocks(data.windows)])
    X = RunSequences.from_runs(
        energies, data.runs, time=data.time, context={"condition": data.condition}
    )
    y = data.rul[X.ends]
    # Every so many windows and each run's last.
    kept = (X.ends % step == 0) | (y == 0)
    return X[kept], y[kept]


def real_rows(X, y, n_trees):
    """Return the table of the real bearings, each left out in turn."""
    inner = {**models(n_trees), "mean life of the condition less age": DummyRUL(by="condition")}
    rows = []
    for name, estimator in inner.items():
        for coverage in levels(name):
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
    parser.add_argument("--trees", type=int, default=10)
    parser.add_argument("--step", type=int, default=8, help="every so many windows of a bearing")
    parser.add_argument("--quick", action="store_true", help="2 repetitions of short runs")
    parser.add_argument("--output", type=Path, default=Path("demo-output/conformal"))
    arguments = parser.parse_args()
    if arguments.repetitions < 2:
        parser.error("--repetitions must be at least 2, as their spread gives the interval")
    n_repetitions, n_windows = (2, 8) if arguments.quick else (arguments.repetitions, 20)
    if arguments.quick:
        arguments.output = arguments.output / "quick"
    arguments.output.mkdir(parents=True, exist_ok=True)
    # Before the simulated part, which takes long: the folder may be wrong.
    real = load_real(arguments.folder, arguments.step) if arguments.folder else None
    rows = simulated_rows(n_repetitions, n_windows, arguments.trees)
    write("conformal_simulated", rows, arguments.output)
    if real is not None:
        write("conformal_bearings", real_rows(*real, arguments.trees), arguments.output)


if __name__ == "__main__":
    main()
