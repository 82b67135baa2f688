"""
Beads in simulated micrographs: images told and pixels found
============================================================

Networks are trained on simulated micrographs with image labels only and judged on others by the
images they tell rightly and by how well their maps rank the pixels of beads, beside brightness,
five statistics of the texture and what a perfect network of the same field could reach. Fits are
kept in --work, so that an interrupted run goes on where it stopped.
"""

import argparse
import math
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import torch
from reproduce_sem_paper import texture_statistics
from scipy import stats
from scipy.ndimage import gaussian_filter, uniform_filter
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skprog.datasets import make_nanofibers
from skprog.estimators import SEMClassifier
from skprog.preprocessing import PatchSelector

TILED = {"tiles": "all", "augment": True, "vote": "top_k"}
ADAM = {**TILED, "optimizer": "adam", "max_steps": 1000}
LABELLED = {"optimizer": "adam", "max_steps": 1000, "hidden_batch_norm": True, "augment": True}
LOCAL = {**ADAM, "head": "local", "n_blocks": 4, "patch_size": 256, "batch_size": 16}
# Parameters, and steps on images of the easy preset that come before.
SETTINGS = {
    "paper: CNN5*, representative patch, 300 steps": ({}, 0),
    "all tiles, 300 steps": (TILED, 0),
    "all tiles, Adam, 1000 steps": ({**ADAM, "hidden_batch_norm": True}, 0),
    "local head, Adam, 300 easy and 1000 steps": (LOCAL, 300),
}


def pixel_auroc(masks, maps):
    """Return the mean area under the ROC curve of the pixels over beaded images.

    Every fourth pixel along both axes stands for its neighbours.
    """
    thin = np.s_[::4, ::4]
    return np.mean(
        [
            roc_auc_score(mask[thin].ravel(), scores[thin].ravel())
            for mask, scores in zip(masks, maps, strict=True)
        ]
    )


def tiles_against_map(model, images):
    """Return how far tiles by themselves, whose edges meet zeros, are from the map.

    The root mean square difference of the last features at the edges of tiles over that of the
    features, and the share of tiles that are decided otherwise. Both are standardised by the image.
    """
    module = model.net_.module_.eval()
    per_tile = module.field[0]
    differences, features, flipped = [], [], []
    with torch.inference_mode():
        for image in images:
            X = module.standardise(torch.tensor(image)[None])
            tiles = torch.from_numpy(PatchSelector(strategy="all").transform(X.numpy())[0])
            whole = module.encode(X)
            alone = module.encode(tiles)
            n_tiles = whole.shape[-1] // per_tile
            cut = whole.unfold(2, per_tile, per_tile).unfold(3, per_tile, per_tile)
            cut = cut[0, :, :n_tiles, :n_tiles].permute(1, 2, 0, 3, 4).flatten(0, 1)
            is_edge = torch.ones(per_tile, per_tile, dtype=bool)
            is_edge[1:-1, 1:-1] = False
            differences.append((alone - cut)[..., is_edge].square().mean())
            features.append(cut[..., is_edge].square().mean())
            verdicts = [
                module.classify(each).flatten(2)[:, :, 0].argmax(dim=1) for each in (cut, alone)
            ]
            flipped.append((verdicts[0] != verdicts[1]).float().mean())
    return {
        "edge features differ": math.sqrt(sum(differences) / sum(features)),
        "tiles flipped": float(sum(flipped) / len(flipped)),
    }


def run(params, n_easy, seed, amp, train, test):
    """Return the share of images told rightly and the AUROC of images and pixels."""
    model = SEMClassifier(**params, amp=amp, random_state=seed)
    if n_easy:
        easy = make_nanofibers(120, size=512, difficulty="easy", random_state=5)
        model.set_params(warm_start=True, max_steps=n_easy).fit(easy.images, easy.target)
        model.set_params(max_steps=params["max_steps"])
    beaded = test.target == 1
    if "tiles" not in params:
        patches = PatchSelector().fit(train.images)
        model.fit(patches.transform(train.images), train.target)
        X = patches.transform(test.images)
    else:
        model.fit(train.images, train.target)
        X = test.images
    against_map = {}
    if params.get("tiles") == "all" and params.get("head") != "local":
        against_map = tiles_against_map(model, test.images[:20])
    return {
        "accuracy": np.mean(model.predict(X) == test.target),
        "image AUROC": roc_auc_score(test.target, model.predict_proba(X)[:, 1]),
        "pixel AUROC": pixel_auroc(test.masks[beaded], model.defect_map(test.images[beaded])),
        **against_map,
    }


def run_labelled(seed, amp, train, test):
    """Return the AUROC of images and pixels for CNN5* that is told which tiles hold beads.

    What is better here than with labels of images is the price of those. An image scores the mean
    of its five highest tiles.
    """
    selector = PatchSelector(strategy="all").fit(train.images)
    tiles, positions = selector.transform(train.images, return_positions=True)
    size = tiles.shape[-1]
    y = [
        int(mask[row : row + size, column : column + size].any())
        for mask, corners in zip(train.masks, positions, strict=True)
        for row, column in corners
    ]
    model = SEMClassifier(**LABELLED, amp=amp, random_state=seed)
    model.fit(tiles.reshape(-1, size, size), y)
    tiles = selector.transform(test.images)
    scores = model.predict_proba(tiles.reshape(-1, size, size))[:, 1].reshape(len(tiles), -1)
    beaded = test.target == 1
    return {
        "image AUROC": roc_auc_score(test.target, np.sort(scores)[:, -5:].mean(axis=1)),
        "pixel AUROC": pixel_auroc(test.masks[beaded], model.defect_map(test.images[beaded])),
    }


def references(train, test):
    """Return the floors and ceilings, by name."""
    beaded = test.target == 1
    images, masks = test.images[beaded].astype(float), test.masks[beaded]
    blurred = (gaussian_filter(image, 8) for image in images)
    statistics = make_pipeline(
        FunctionTransformer(texture_statistics), StandardScaler(), LogisticRegression()
    ).fit(train.images, train.target)
    rows = {
        "blurred brightness (floor)": {"pixel AUROC": pixel_auroc(masks, blurred)},
        "five statistics": {
            "accuracy": statistics.score(test.images, test.target),
            "image AUROC": roc_auc_score(test.target, statistics.predict_proba(test.images)[:, 1]),
        },
    }
    for size in (128, 46):
        share = [uniform_filter(mask.astype(float), size) for mask in masks]
        name = f"share of beads within {size} px (ceiling)"
        rows[name] = {"pixel AUROC": pixel_auroc(masks, share)}
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[1])
    parser.add_argument("--difficulty", choices=("standard", "easy"), default="standard")
    parser.add_argument("--n-train", type=int, default=240)
    parser.add_argument("--n-test", type=int, default=100)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2, help="fits at a time, one thread each")
    parser.add_argument("--amp", default=None, help="mixed precision, such as bf16")
    parser.add_argument("--work", type=Path, default=Path("demo-output/nanofibers"))
    parser.add_argument("--output", type=Path, default=Path("demo-output/nanofibers"))
    parser.add_argument("--quick", action="store_true", help="a few steps, to see that it runs")
    arguments = parser.parse_args()
    for folder in (arguments.work, arguments.output):
        folder.mkdir(parents=True, exist_ok=True)
    n_train, n_test, size = arguments.n_train, arguments.n_test, arguments.size
    if arguments.quick:
        n_train, n_test, size = 4, 4, 512
    kind = {"size": size, "difficulty": arguments.difficulty}
    train = make_nanofibers(n_train, **kind, random_state=1)
    test = make_nanofibers(n_test, **kind, random_state=3)
    settings = SETTINGS
    if arguments.quick:
        LABELLED["max_steps"] = 2
        settings = {
            name: ({**params, "max_steps": 2}, min(n_easy, 2))
            for name, (params, n_easy) in SETTINGS.items()
        }
    cached = joblib.Memory(arguments.work, verbose=0).cache(run)
    keys = [(name, seed) for seed in range(arguments.seeds) for name in settings]
    outputs = joblib.Parallel(n_jobs=arguments.jobs, verbose=5)(
        joblib.delayed(cached)(*settings[name], seed, arguments.amp, train, test)
        for name, seed in keys
    )
    told = joblib.Memory(arguments.work, verbose=0).cache(run_labelled)
    keys += [("tiles labelled by the mask", seed) for seed in range(arguments.seeds)]
    outputs += joblib.Parallel(n_jobs=arguments.jobs, verbose=5)(
        joblib.delayed(told)(seed, arguments.amp, train, test) for seed in range(arguments.seeds)
    )
    runs = pd.DataFrame(
        [
            {"method": name, "seed": seed, **row}
            for (name, seed), row in zip(keys, outputs, strict=True)
        ]
    )
    rows = [
        {"method": name, **{measure: f"{value:.3f}" for measure, value in row.items()}}
        for name, row in references(train, test).items()
    ]
    for name, group in runs.groupby("method", sort=False):
        row = {"method": name}
        for measure in group.columns.drop(["method", "seed"]):
            if group[measure].isna().any():
                continue
            mean, deviation = group[measure].mean(), group[measure].std()
            half = stats.t.ppf(0.975, len(group) - 1) * deviation / np.sqrt(len(group))
            row[measure] = f"{mean:.3f} ± {half:.3f}"
        rows.append(row)
    table = pd.DataFrame(rows)
    table.to_csv(arguments.output / f"nanofibers_{arguments.difficulty}.csv", index=False)
    print(f"\n{table.to_string(index=False)}")


if __name__ == "__main__":
    main()
