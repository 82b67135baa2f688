"""Fixtures of the tests of this folder."""

import pytest
from _online_runs import MODELS, X, Y


@pytest.fixture(scope="module")
def fitted():
    """Fit each model once, when it is first asked for."""
    models = {}

    def get(name):
        if name not in models:
            models[name] = MODELS[name]().fit(X, Y)
        return models[name]

    return get
