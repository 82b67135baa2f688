"""
Tables 3 and 4 of the SEM paper on real micrographs
===================================================

The paper's networks, one patch per image, and the improved setting, all tiles of every image, are
trained on the micrographs of other specimens than those they are tested on. Five statistics of
the texture and the more frequent class are the baselines. Fits are kept in --work, so that an
interrupted run goes on where it stopped.
"""

import argparse
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from scipy import stats
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, balanced_accuracy_score, precision_recall_fscore_support
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skprog.datasets import load_sem
from skprog.estimators import SEMClassifier
from skprog.preprocessing import PatchSelector

CLASSES = {"nonhomogeneous": "NHNF", "homogeneous": "HNF"}
PUBLISHED_ACCURACY = {"CNN1": 50, "CNN2": 66, "CNN3": 68, "CNN4": 70, "CNN5": 72, "CNN5*": 80}
PUBLISHED_CNN5 = {
    "NHNF precision": 84,
    "NHNF recall": 82,
    "NHNF F": 83,
    "HNF precision": 73,
    "HNF recall": 76,
    "HNF F": 74,
    "mean F": 78.5,
}


def texture_statistics(images):
    """Return five statistics of the texture of each image, (n_images, 5).

    Skewness, kurtosis, logarithm of the length in pixels over which the autocorrelation falls to
    1/e, autocorrelation at a lag of one pixel, and mean difference between neighbours.
    """
    rows = []
    for image in images:
        image = np.asarray(image, dtype=float)
        image = (image - image.mean()) / image.std()
        # Along both axes, of the mean power spectrum of the lines.
        correlation = []
        for axis in (0, 1):
            spectrum = np.abs(np.fft.rfft(image, axis=axis)) ** 2
            line = np.fft.irfft(spectrum.mean(axis=1 - axis))[:128]
            correlation.append(line / line[0])
        correlation = np.mean(correlation, axis=0)
        length = np.argmax(correlation < np.exp(-1)) or len(correlation)
        rows.append(
            [
                stats.skew(image, axis=None),
                stats.kurtosis(image, axis=None),
                np.log(length),
                correlation[1],
                np.mean([np.abs(np.diff(image, axis=axis)).mean() for axis in (0, 1)]),
            ]
        )
    return np.array(rows)


def models(amp, quick):
    """Return (estimator, number of seeds) by name."""
    short = {"amp": amp, "max_steps": 3 if quick else 300}
    n_seeds = 1 if quick else 4

    def on_patch(**params):
        return make_pipeline(PatchSelector(), SEMClassifier(**short, **params))

    networks = {f"CNN{n}": (on_patch(n_blocks=n, hidden_units=None), 1) for n in range(1, 6)}
    improved = SEMClassifier(tiles="all", augment=True, vote="top_k", **short)
    statistics = make_pipeline(
        FunctionTransformer(texture_statistics),
        StandardScaler(),
        LogisticRegression(class_weight="balanced"),
    )
    return {
        "more frequent class": (DummyClassifier(), 1),
        "five statistics": (statistics, 1),
        **networks,
        "CNN5*": (on_patch(), n_seeds),
        "all tiles": (improved, n_seeds),
    }


def predict_fold(name, seed, amp, quick, files, images, target, train, test):
    """Return the predicted classes of a fold; ``files`` tells fits of other images apart."""
    model = models(amp, quick)[name][0]
    for param in model.get_params():
        if param.endswith("random_state"):
            model.set_params(**{param: seed})
    model.fit([images[i] for i in train], target[train])
    return model.predict([images[i] for i in test])


def measures(y, y_pred):
    """Return accuracies and precision, recall and F of both classes in percent."""
    row = {
        "accuracy": accuracy_score(y, y_pred),
        "balanced accuracy": balanced_accuracy_score(y, y_pred),
    }
    scores = precision_recall_fscore_support(y, y_pred, labels=list(CLASSES), zero_division=0)
    for i, short in enumerate(CLASSES.values()):
        row |= {
            f"{short} {name}": scores[j][i] for j, name in enumerate(("precision", "recall", "F"))
        }
    row["mean F"] = np.mean(scores[2])
    return {name: 100 * value for name, value in row.items()}


def bootstrap(values, groups, classes, n_resamples=2000):
    """Return the 95 % intervals of two means over images in percent, over specimens of each class.

    The first counts images alike, the second classes; ``values`` is one number per image.
    """
    rng = np.random.default_rng(0)
    names, index = np.unique(groups, return_inverse=True)
    specimens = [np.unique(index[classes == each]) for each in np.unique(classes)]
    means = []
    for _ in range(n_resamples):
        drawn = np.concatenate([rng.choice(each, len(each)) for each in specimens])
        weights = np.bincount(drawn, minlength=len(names))[index]
        by_class = [
            np.average(values[classes == each], weights=weights[classes == each])
            for each in np.unique(classes)
        ]
        means.append((np.average(values, weights=weights), np.mean(by_class)))
    return 100 * np.percentile(means, [2.5, 97.5], axis=0).T


def verdict(low, high):
    """Return in a word what an interval of a difference says."""
    return "none" if low <= 0 <= high else "gain" if low > 0 else "loss"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[1])
    parser.add_argument("folder", help="folder of labels.csv and the images")
    parser.add_argument("--jobs", type=int, default=2, help="fits at a time, one thread each")
    parser.add_argument("--amp", default=None, help="mixed precision, such as bf16")
    parser.add_argument("--work", type=Path, default=Path("demo-output/sem_paper"))
    parser.add_argument("--output", type=Path, default=Path("demo-output/sem_paper"))
    parser.add_argument("--quick", action="store_true", help="a few steps, to see that it runs")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    # Six pixels all round hold the stated borders and the dark lines beside some of them.
    data = load_sem(arguments.folder, crop=6)
    target, groups = data.target, data.groups
    n_classes = pd.Series(target).groupby(groups).nunique()
    if n_classes.max() > 1:
        raise SystemExit(f"{n_classes.idxmax()} has images of both classes; intervals need one.")
    folds = list(
        StratifiedGroupKFold(5, shuffle=True, random_state=0).split(target, target, groups)
    )
    cached = joblib.Memory(arguments.work, verbose=0).cache(predict_fold, ignore=["images"])
    candidates = models(arguments.amp, arguments.quick)
    keys = [
        (name, seed, fold)
        for name, (_, n_seeds) in candidates.items()
        for seed in range(n_seeds)
        for fold in range(len(folds))
    ]
    outputs = joblib.Parallel(n_jobs=arguments.jobs, verbose=5)(
        joblib.delayed(cached)(
            name,
            seed,
            arguments.amp,
            arguments.quick,
            list(data.files),
            data.images,
            target,
            *folds[fold],
        )
        for name, seed, fold in keys
    )
    predicted = {}
    for (name, seed, fold), y_pred in zip(keys, outputs, strict=True):
        whole = predicted.setdefault((name, seed), np.empty_like(target))
        whole[folds[fold][1]] = y_pred

    right = {
        name: np.mean([predicted[name, seed] == target for seed in range(n_seeds)], axis=0)
        for name, (_, n_seeds) in candidates.items()
    }

    accuracy_rows, class_rows = [], []
    for name, (_, n_seeds) in candidates.items():
        rows = pd.DataFrame([measures(target, predicted[name, s]) for s in range(n_seeds)])
        (low, high), (low_balanced, high_balanced) = bootstrap(right[name], groups, target)
        means = rows[["accuracy", "balanced accuracy"]].mean()
        row = {
            "model": name,
            "published (%)": PUBLISHED_ACCURACY.get(name, ""),
            "accuracy (%)": f"{means.iloc[0]:.1f} [{low:.1f}, {high:.1f}]",
            "balanced (%)": f"{means.iloc[1]:.1f} [{low_balanced:.1f}, {high_balanced:.1f}]",
            "seeds": n_seeds,
        }
        for reference in ("CNN5*", "five statistics"):
            if name != reference:
                gain = right[name] - right[reference]
                by_class = [gain[target == each].mean() for each in CLASSES]
                (low, high), (low_balanced, high_balanced) = bootstrap(gain, groups, target)
                row[f"over {reference}"] = (
                    f"{100 * gain.mean():+.1f} [{low:+.1f}, {high:+.1f}] {verdict(low, high)}"
                )
                row[f"over {reference}, balanced"] = (
                    f"{100 * np.mean(by_class):+.1f} [{low_balanced:+.1f}, {high_balanced:+.1f}] "
                    f"{verdict(low_balanced, high_balanced)}"
                )
        accuracy_rows.append(row)
        class_rows.append({"model": name, **rows.mean().round(1)})
    class_rows.insert(0, {"model": "published CNN5*", "accuracy": 80, **PUBLISHED_CNN5})
    for file, rows in (("sem_accuracy", accuracy_rows), ("sem_classes", class_rows)):
        table = pd.DataFrame(rows)
        table.to_csv(arguments.output / f"{file}.csv", index=False)
        print(f"\n{table.to_string(index=False)}")


if __name__ == "__main__":
    main()
