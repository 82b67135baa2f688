"""
Beads in simulated micrographs: images told and pixels found
============================================================

Networks are trained on simulated micrographs with image labels only and judged on others by the
images they tell rightly and by how well their maps rank the pixels of beads, beside brightness,
five statistics of the texture and what a perfect network of the same field could reach. Networks
that are told which tiles hold beads, and more images, tell what limits the others. Runs are kept in
a table in --output, so that an interrupted benchmark goes on where it stopped.
"""

import argparse
import math
from pathlib import Path
from typing import NamedTuple

import joblib
import numpy as np
import pandas as pd
import torch
from reproduce_sem_paper import texture_statistics
from scipy import stats
from scipy.ndimage import gaussian_filter, uniform_filter
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils import Bunch
from tqdm import tqdm

from skprog.datasets import make_nanofibers
from skprog.estimators import SEMClassifier
from skprog.preprocessing import PatchSelector

TILED = {"tiles": "all", "augment": True, "vote": "top_k"}
ADAM = {**TILED, "optimizer": "adam", "max_steps": 1000, "hidden_batch_norm": True}
LOCAL = {
    **TILED,
    "optimizer": "adam",
    "max_steps": 1000,
    "head": "local",
    "n_blocks": 4,
    "patch_size": 256,
    "batch_size": 16,
}
LONG = {"max_steps": 3000}
N_MANY = 2000
KEY = ["method", "seed", "test images"]
# Training images that are scored too, to tell what is not learnt from what does not carry over.
N_SCORED = 240


class Setting(NamedTuple):
    """How a network is trained."""

    params: dict
    n_easy_steps: int = 0  # on images of the easy preset, before
    is_many: bool = False  # N_MANY smaller images instead
    is_labelled: bool = False  # by the mask of each tile, which no user has


SETTINGS = {
    "paper: CNN5*, representative patch, 300 steps": Setting({}),
    "all tiles, 300 steps": Setting(TILED),
    "all tiles, Adam, 1000 steps": Setting(ADAM),
    "all tiles, Adam, 3000 steps": Setting(ADAM | LONG),
    "the same, many images": Setting(ADAM | LONG, is_many=True),
    "local head, Adam, 300 easy and 1000 steps": Setting(LOCAL, 300),
    "local head, Adam, 300 easy and 3000 steps": Setting(LOCAL | LONG, 300),
    "local head, the same, many images": Setting(LOCAL | LONG, 300, is_many=True),
    "tiles labelled, CNN5*, 1000 steps": Setting(ADAM, is_labelled=True),
    "tiles labelled, CNN5*, 3000 steps": Setting(ADAM | LONG, is_labelled=True),
    "tiles labelled, CNN5*, 3000 steps, many images": Setting(
        ADAM | LONG, is_many=True, is_labelled=True
    ),
    "tiles labelled, local head, 3000 steps, many images": Setting(
        LOCAL | LONG | {"patch_size": 128}, is_many=True, is_labelled=True
    ),
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
            X, tiles = (each.to(model.net_.device) for each in (X, tiles))
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


def train_network(setting, seed, amp, train):
    """Return a classifier of images trained on their labels."""
    params = setting.params
    model = SEMClassifier(**params, amp=amp, random_state=seed)
    if not params:
        model = make_pipeline(PatchSelector(), model)
    if setting.n_easy_steps:
        easy = make_nanofibers(120, size=512, difficulty="easy", random_state=5)
        model.set_params(warm_start=True, max_steps=setting.n_easy_steps)
        model.fit(easy.images, easy.target)
        model.set_params(max_steps=params["max_steps"])
    return model.fit(train.images, train.target)


def train_on_labelled_tiles(setting, seed, amp, train):
    """Return a network that is told which tiles hold beads.

    What is better here than with labels of images is the price of those.
    """
    size = setting.params.get("patch_size", 128)
    selector = PatchSelector(size, strategy="all").fit(train.images)
    tiles, positions = selector.transform(train.images, return_positions=True)
    y = [
        int(mask[row : row + size, column : column + size].any())
        for mask, corners in zip(train.masks, positions, strict=True)
        for row, column in corners
    ]
    # Fitted on tiles, it is asked for them as well.
    params = {**setting.params, "tiles": None}
    model = SEMClassifier(**params, amp=amp, random_state=seed)
    return model.fit(tiles.reshape(-1, size, size), y)


def highest_tiles(model, images):
    """Return the mean score of the five highest tiles of each image."""
    height, width = model.shape_in_
    tiles = PatchSelector(height, strategy="all").transform(images)
    scores = model.predict_proba(tiles.reshape(-1, height, width))[:, 1]
    return np.sort(scores.reshape(len(images), -1))[:, -5:].mean(axis=1)


def run(name, setting, seed, amp, train, test):
    """Return the share of images told rightly and the AUROC of images and pixels."""
    torch.set_num_threads(1)
    measures = {"method": name, "seed": seed, "test images": len(test.target)}
    if setting.is_labelled:
        model = train_on_labelled_tiles(setting, seed, amp, train)
        scored, test_scores = (
            highest_tiles(model, images) for images in (train.images[:N_SCORED], test.images)
        )
    else:
        of_images = train_network(setting, seed, amp, train)
        model = of_images[-1] if isinstance(of_images, Pipeline) else of_images
        scored, test_scores = (
            of_images.predict_proba(images)[:, 1]
            for images in (train.images[:N_SCORED], test.images)
        )
        measures["accuracy"] = np.mean(of_images.predict(test.images) == test.target)
    beaded = test.target == 1
    measures |= {
        "training image AUROC": roc_auc_score(train.target[:N_SCORED], scored),
        "image AUROC": roc_auc_score(test.target, test_scores),
        "pixel AUROC": pixel_auroc(test.masks[beaded], model.defect_map(test.images[beaded])),
    }
    if model.tiles == "all" and model.head == "dense":
        measures |= tiles_against_map(model, test.images[:20])
    return measures


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


def summarise(runs, floors, settings):
    """Return a row for each floor and ceiling and each method, with intervals over seeds."""
    n = runs["test images"].iloc[0]
    rows = [
        {"method": name, "test images": n, **{key: f"{value:.3f}" for key, value in row.items()}}
        for name, row in floors.items()
    ]
    for name in (name for name in settings if name in set(runs["method"])):
        group = runs[runs["method"] == name]
        row = {"method": name, "test images": n, "seeds": len(group)}
        for measure in group.columns.drop(KEY):
            if group[measure].isna().any():
                continue
            row[measure] = f"{group[measure].mean():.3f}"
            if len(group) > 1:
                spread = group[measure].std() / np.sqrt(len(group))
                row[measure] += f" ± {stats.t.ppf(0.975, len(group) - 1) * spread:.3f}"
        rows.append(row)
    return pd.DataFrame(rows)


def draw_many(kind):
    """Return N_MANY images of a quarter of the area, drawn on all cores."""
    kind = {**kind, "size": kind["size"] // 2}
    drawn = joblib.Parallel(n_jobs=-1)(
        joblib.delayed(make_nanofibers)(100, **kind, random_state=100 + i)
        for i in range(N_MANY // 100)
    )
    return Bunch(
        **{
            key: np.concatenate([each[key] for each in drawn])
            for key in ("images", "target", "masks")
        }
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[1])
    parser.add_argument("--difficulty", choices=("standard", "easy"), default="standard")
    parser.add_argument("--n-train", type=int, default=240)
    parser.add_argument("--n-test", type=int, default=400)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2, help="fits at a time, one thread each")
    parser.add_argument("--amp", default=None, help="mixed precision, such as bf16")
    parser.add_argument("--output", type=Path, default=Path("demo-output/nanofibers"))
    parser.add_argument("--quick", action="store_true", help="a few steps, to see that it runs")
    parser.add_argument("--tables", action="store_true", help="train nothing, only draw up tables")
    arguments = parser.parse_args()
    n_train, n_test, size = arguments.n_train, arguments.n_test, arguments.size
    settings = SETTINGS
    if arguments.quick:
        arguments.output = arguments.output / "quick"
        n_train, n_test, size = 4, 4, 512
        settings = {
            name: setting._replace(
                params={**setting.params, "max_steps": 2},
                n_easy_steps=min(setting.n_easy_steps, 2),
                is_many=False,
            )
            for name, setting in SETTINGS.items()
        }
    arguments.output.mkdir(parents=True, exist_ok=True)
    path = arguments.output / f"nanofibers_{arguments.difficulty}_runs.csv"
    done = pd.read_csv(path).to_dict("records") if path.exists() else []
    known = {tuple(row[name] for name in KEY) for row in done}
    todo = [
        (name, seed)
        for seed in range(arguments.seeds)
        for name in settings
        if (name, seed, n_test) not in known and not arguments.tables
    ]
    kind = {"size": size, "difficulty": arguments.difficulty}
    test = make_nanofibers(n_test, **kind, random_state=3)
    train = {False: make_nanofibers(n_train, **kind, random_state=1)}
    if any(settings[name].is_many for name, _ in todo):
        train[True] = draw_many(kind)
    parallel = joblib.Parallel(n_jobs=arguments.jobs, return_as="generator_unordered")
    rows = parallel(
        joblib.delayed(run)(
            name, settings[name], seed, arguments.amp, train[settings[name].is_many], test
        )
        for name, seed in todo
    )
    for row in tqdm(rows, total=len(todo), unit="fit"):
        done.append(row)
        pd.DataFrame(done).sort_values(KEY).to_csv(path, index=False)
    runs = pd.DataFrame(done)
    tables = []
    for n, of_n in runs.groupby("test images"):
        first = Bunch(**{name: values[:n] for name, values in test.items()})
        tables.append(summarise(of_n, references(train[False], first), settings))
    table = pd.concat(tables).astype({"seeds": "Int64"})
    table.to_csv(arguments.output / f"nanofibers_{arguments.difficulty}.csv", index=False)
    print(f"\n{table.to_string(index=False)}")


if __name__ == "__main__":
    main()
