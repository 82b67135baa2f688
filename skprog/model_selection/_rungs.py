"""The rungs of a Hyperband search: what is scored, what fails, and on which splits."""

import sys
from contextlib import contextmanager, nullcontext, redirect_stdout

import numpy as np
from sklearn.exceptions import FitFailedWarning

from .._checks import warn


class ErrorScore(float):
    """The score of a failed fit, which tells it from one that scores the same."""


class Rungs:
    """Evaluate the rungs of the brackets, and go on where every fit of one fails."""

    def __init__(self, search, evaluate_candidates):
        self.search = search
        self.evaluate_candidates = evaluate_candidates
        self.splits = _ListedSplits(search._checked_cv_orig)
        self.results = None
        self.failed = []

    @contextmanager
    def progress(self):
        """Show a progress bar over rungs, with what else is printed above it."""
        from tqdm.auto import tqdm
        from tqdm.contrib import DummyTqdmFile

        search = self.search
        # A rung more where powers of the factor do not end at max_resources.
        n_rungs = sum(
            s + 1 + (search.max_resources % search.factor**s > 0) for s in search._brackets()
        )
        total = search.n_iterations * n_rungs
        above = redirect_stdout(DummyTqdmFile(sys.stdout)) if search.verbose else nullcontext()
        with tqdm(total=total, unit="rung", disable=not search.verbose) as self.bar, above:
            yield

    def begin(self, iteration, bracket):
        """Label the rungs that follow."""
        self.labels = {"iteration": iteration, "bracket": bracket}

    def evaluate(self, candidates, cv=None, more_results=None, **context):
        """Score candidates as scikit-learn does, but return their own rows only."""
        n = len(candidates)
        self.bar.set_description("iteration {iteration}, bracket {bracket}".format(**self.labels))
        more_results = {**more_results, **{name: [x] * n for name, x in self.labels.items()}}
        try:
            results = self.evaluate_candidates(candidates, self.splits, more_results, **context)
            if isinstance(self.search._table[2][0]["test_scores"], dict):
                raise ValueError(
                    f"scoring={self.search.scoring!r} returns several metrics, and one decides who "
                    "goes on; return one number, and score best_estimator_ by the others."
                )
            self.results = results
            scores = self.search._scores(results)[-n:]
        except ValueError as error:
            if f"All the {n * self.search.n_splits_} fits failed" not in str(error):
                raise
            warn(str(error), FitFailedWarning)
            self.failed.append((candidates, more_results, error))
            scores = np.full(n, np.nan)
        self.bar.update()
        self.rung = {**more_results, "params": candidates, "mean_test_score": scores}
        return self.rung

    def finish(self, bracket, callback_ctx):
        """Score the candidates of a bracket's last rung at full resource, unless they were."""
        n_resources, maximum = bracket.n_resources_[-1], self.search.max_resources
        if n_resources == maximum:
            return
        candidates, n_kept = self.rung["params"], len(self.rung["params"])
        # A logarithm that should be whole rounds down, as that of 243 to base 3: a rung is missing.
        if n_resources * self.search.factor <= maximum:
            n_kept = bracket.n_remaining_candidates_
        kept = np.sort(np.argsort(-self.rung["mean_test_score"], kind="stable")[:n_kept])
        context = {}
        if callback_ctx is not None:
            context["callback_ctx"] = callback_ctx.subcontext(
                task_name="halving-iteration",
                max_subtasks=n_kept * self.search.n_splits_,
                sequential_subtasks=False,
            ).call_on_fit_task_begin(estimator=self.search)
        self.evaluate(
            [{**candidates[i], self.search.resource: maximum} for i in kept],
            more_results={
                "iter": [bracket.n_iterations_] * n_kept,
                "n_resources": [maximum] * n_kept,
            },
            **context,
        )
        for task in context.values():
            task.call_on_fit_task_end(estimator=self.search)

    def add_failed(self):
        """Add the rungs that failed to the table, in which the base class leaves them out."""
        search = self.search
        if not self.failed:
            return
        if self.results is None:
            raise self.failed[0][-1]
        candidates, n_splits, out, labels = search._table
        for rung, more_results, _ in self.failed:
            candidates.extend(rung)
            scores = {"fit_time": np.nan, "score_time": np.nan, "test_scores": search.error_score}
            out.extend([{**out[0], **scores}] * (len(rung) * n_splits))
            for name, values in more_results.items():
                labels[name].extend(values)
        # In place: fit holds this table.
        self.results.update(search._format_results(candidates, n_splits, out, labels))


class _ListedSplits:
    """The splits of another splitter, as lists of rows.

    joblib leaves arrays to one of dask's workers, and they are lost with it; lists travel with
    each task, which takes 15 ms of a fit on 300,000 rows.
    """

    def __init__(self, splitter):
        self.splitter = splitter

    def split(self, X, y=None, **params):
        for train, test in self.splitter.split(X, y, **params):
            yield np.asarray(train).tolist(), np.asarray(test).tolist()
