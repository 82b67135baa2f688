"""
Running time of gradient amplification
======================================

Tables 1 and 2 of the amplification paper: by how much amplification prolongs a training. An epoch
that measures and one that amplifies are timed in turns with plain ones, pair by pair, in processor
time of one thread, as the difference is smaller than what other work on the machine changes; pairs
of two plain ones show how small a difference can be told. All layers are amplified, which costs
most. The paper's schedule of 150 epochs has 2 epochs of the first kind and 78 of the second.

    python examples/studies/time_amplification.py ../shared/data/cifar10 --output docs/results
"""

import argparse
from pathlib import Path
from time import process_time

import numpy as np
import pandas as pd
import torch
from scipy.stats import binom
from tqdm import trange

from skprog.callbacks import GradientAmplification
from skprog.datasets import load_cifar
from skprog.estimators import ImageClassifier

# Mean running times in minutes: original, G case 1, 2, G' case 1, 2, of tables 1 and 2.
PUBLISHED = {
    (10, "vgg19"): (31.35, 31.82, 31.94, 31.87, 31.82),
    (10, "resnet18"): (42.15, 42.79, 42.73, 42.96, 42.76),
    (10, "resnet34"): (66.35, 67.73, 67.64, 67.80, 67.68),
    (10, "resnet50"): (139.64, 139.71, 140.07, 140.63, 141.06),
    (10, "resnet101"): (224.22, 225.48, 226.37, 227.26, 227.78),
    (100, "vgg19"): (31.62, 32.55, 31.92, 32.16, 31.83),
    (100, "resnet18"): (42.08, 42.83, 42.24, 43.44, 42.19),
    (100, "resnet34"): (66.64, 67.00, 66.99, 69.84, 66.88),
    (100, "resnet50"): (139.32, 140.64, 140.21, 140.68, 140.79),
    (100, "resnet101"): (223.88, 226.35, 226.28, 225.09, 226.12),
}
COLUMNS = ("G, case 1", "G, case 2", "G', case 1", "G', case 2")
# Endless phases: one that measures in each epoch, with a factor that changes nothing, one whose
# first epoch has measured, and none.
KINDS = {
    "analysis": {"schedule": [(10**6, None, True, 1)], "reselect_every": 1},
    "amplified": {"schedule": [(10**6, None, True, 2)]},
    "plain": None,
}


def trainer(data, network, width, callback):
    """Return a call that trains one more epoch and returns its processor time."""
    model = ImageClassifier(
        network,
        network_params={"width": width},
        max_epochs=1,
        lr=1e-3,
        callbacks=[] if callback is None else [("amplification", callback)],
        device="cpu",
        random_state=0,
    ).fit(data.X_train, data.y_train)
    model.set_params(warm_start=True)

    def epoch():
        start = process_time()
        model.fit(data.X_train, data.y_train)
        return process_time() - start

    return epoch


def paired(slow, fast, n_pairs):
    """Return the median ratio of pairs of calls and the order statistics of its 95 % interval."""
    ratios = []
    for i in trange(n_pairs, unit="pair"):
        seconds = {call: call() for call in ((slow, fast), (fast, slow))[i % 2]}
        ratios.append(seconds[slow] / seconds[fast])
    ratios.sort()
    rank = int(binom.ppf(0.025, n_pairs, 0.5))
    return np.median(ratios), ratios[rank - 1], ratios[n_pairs - rank]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[1])
    parser.add_argument("data", type=Path, help="folder of the images")
    parser.add_argument("--network", default="resnet18", choices=sorted({n for _, n in PUBLISHED}))
    parser.add_argument("--width", type=int, default=16, help="64 is the paper's")
    parser.add_argument("--images", type=int, default=256, help="images of an epoch")
    parser.add_argument("--pairs", type=int, default=61, help="pairs of epochs, at least 6")
    parser.add_argument("--output", type=Path, default=Path("demo-output/amplification"))
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    data = load_cifar(arguments.data)
    for name in ("X_train", "y_train"):
        data[name] = data[name][: arguments.images]
    size = data, arguments.network, arguments.width
    plain = trainer(*size, None)
    rows = []
    for kind, params in KINDS.items():
        callback = params and GradientAmplification(strategy="all", **params)
        ratios = paired(trainer(*size, callback), plain, arguments.pairs)
        rows.append(
            {"epoch": kind} | dict(zip(("over plain", "lower", "upper"), ratios, strict=True))
        )
    epochs = pd.DataFrame(rows)
    ratio = epochs.set_index("epoch")["over plain"] - 1
    # Both measures and cases take the same steps.
    ours = dict.fromkeys(COLUMNS, (2 * ratio["analysis"] + 78 * ratio["amplified"]) / 1.5)
    name = f"ours: {arguments.network} of width {arguments.width}"
    table = [{"set": "CIFAR-10", "network": name, **ours}]
    for (version, network), (minutes, *others) in PUBLISHED.items():
        percent = [100 * (each / minutes - 1) for each in others]
        row = {"set": f"CIFAR-{version}", "network": network}
        table.append(row | dict(zip(COLUMNS, percent, strict=True)))
    tables = {"epochs": epochs.round(4), "times": pd.DataFrame(table).round(2)}
    for kind, each in tables.items():
        each.to_csv(arguments.output / f"amplification_{kind}.csv", index=False)
        print(f"\n{each.to_string(index=False)}")


if __name__ == "__main__":
    main()
