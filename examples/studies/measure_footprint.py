"""
What a model takes to store and to run
======================================

Parameters, multiply-accumulates, bytes and latency of the paper's models A, B and C. Weights are
those of one epoch on noise: sizes and times do not depend on what they are. Needs the extra
``onnx`` for the columns of ONNX.
"""

import argparse

import numpy as np

from skprog.deploy import footprint
from skprog.estimators import CnnLstmRUL

MODELS = {
    "A": CnnLstmRUL(),
    "B": CnnLstmRUL(target="linear"),
    "C": CnnLstmRUL(lstm_units=56, dense_units=(56, 16)),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[1])
    parser.add_argument("--channels", type=int, default=3, help="sensors, 3 with the rotated one")
    parser.add_argument("--repeats", type=int, default=30, help="predictions timed")
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2, 32, args.channels, 84, 25)).astype(np.float32)
    for name, model in MODELS.items():
        model.set_params(max_epochs=1, random_state=0).fit(X, [10.0, 0.0])
        print(f"Model {name}\n{footprint(model, n_repeats=args.repeats)}\n", flush=True)


if __name__ == "__main__":
    main()
