"""
A search beyond one machine
===========================

Features and a Hyperband search run through joblib, so that one line chooses the engine: processes
of this machine (loky), a dask cluster or a Ray cluster. On a cluster of your own only that line
changes: an address for ``Client``, or for ``ray.init``. The scores are those of a serial run, bit
for bit, which --check shows.

    python examples/studies/search_on_a_cluster.py --backend dask --check
"""

import argparse
import time
import warnings
from contextlib import contextmanager

import joblib
import numpy as np
import torch
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline

from skprog.datasets import make_run_to_failure
from skprog.estimators import CnnLstmRUL
from skprog.model_selection import HyperbandSearchCV, cnn_lstm_search_space
from skprog.preprocessing import AccelRotation45, WelchSpectrogram
from skprog.sequences import RunSequences

FEATURES = make_pipeline(AccelRotation45(), WelchSpectrogram(f_max=8400, pool_size=4))


@contextmanager
def on_dask(n_jobs, data):
    """Run joblib on dask; every worker gets the data once."""
    from dask.distributed import Client, LocalCluster

    cluster = LocalCluster(n_workers=n_jobs, threads_per_worker=1, dashboard_address=":0")
    with cluster, Client(cluster), joblib.parallel_config(backend="dask", scatter=data):
        yield


@contextmanager
def on_ray(n_jobs, data):
    """Run joblib on Ray, which keeps one copy of the data per machine."""
    import ray
    from ray.util.joblib import register_ray

    ray.init(num_cpus=n_jobs, include_dashboard=False, log_to_driver=False)
    register_ray()
    try:
        with joblib.parallel_config(backend="ray", n_jobs=n_jobs):
            yield
    finally:
        ray.shutdown()


@contextmanager
def on_loky(n_jobs, data):
    """Run joblib on processes of this machine."""
    with joblib.parallel_config(backend="loky", n_jobs=n_jobs):
        yield


BACKENDS = {"loky": on_loky, "dask": on_dask, "ray": on_ray}


def extract(windows):
    """Return the spectrograms of a run."""
    torch.set_num_threads(1)
    return FEATURES.transform(windows)


def features_of(data):
    """Return rows of spectrograms, made run by run wherever joblib sends the runs."""
    runs = [data.windows[data.runs == bearing] for bearing in data.bearings]
    parts = joblib.Parallel()(joblib.delayed(extract)(windows) for windows in runs)
    return RunSequences.from_runs(np.concatenate(parts), data.runs, n_steps=8, time=data.time)


def search_on(X, y, max_epochs):
    """Return the fitted search."""
    search = HyperbandSearchCV(
        CnnLstmRUL(random_state=0),
        cnn_lstm_search_space(),
        max_resources=max_epochs,
        cv=GroupKFold(2),
        scoring="neg_mean_absolute_error",
        random_state=0,
        verbose=1,
    )
    with warnings.catch_warnings():
        # Impossible geometries and rates at which the loss diverges.
        warnings.simplefilter("ignore", FitFailedWarning)
        warnings.filterwarnings("ignore", "One or more of the test scores", UserWarning)
        return search.fit(X, y, groups=X.runs)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[1])
    parser.add_argument("--backend", choices=BACKENDS, default="loky")
    parser.add_argument("--jobs", type=int, default=2, help="workers")
    parser.add_argument("--max-epochs", type=int, default=9)
    parser.add_argument("--quick", action="store_true", help="3 epochs on shorter runs")
    parser.add_argument("--check", action="store_true", help="compare with a serial run")
    arguments = parser.parse_args()
    if arguments.jobs < 1:
        parser.error(f"--jobs {arguments.jobs} must be at least 1")
    max_epochs, n_windows = (3, 12) if arguments.quick else (arguments.max_epochs, 40)
    torch.set_num_threads(1)
    data = make_run_to_failure(n_runs=6, n_windows=n_windows, random_state=0)
    FEATURES.fit(data.windows[:1])

    engine = BACKENDS[arguments.backend]
    start = time.perf_counter()
    with engine(arguments.jobs, None):
        X = features_of(data)
    y = data.rul[X.ends]
    with engine(arguments.jobs, [X, y]):
        search = search_on(X, y, max_epochs)
    print(f"{arguments.backend}: {time.perf_counter() - start:.0f} s")
    best = search.best_params_
    print(f"best of {len(search.cv_results_['params'])} rows: MAE {-search.best_score_:.0f} s")
    print("\n".join(f"  {name}: {value}" for name, value in best.items()))
    if arguments.check:
        serial = search_on(features_of(data), y, max_epochs)
        np.testing.assert_array_equal(
            search.cv_results_["mean_test_score"], serial.cv_results_["mean_test_score"]
        )
        print("the scores of a serial run are the same, bit for bit")


if __name__ == "__main__":
    main()
