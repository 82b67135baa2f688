"""Rows held out by run, by class, by group and at random."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from skprog._training import at_random, by_class, by_group, by_run

FRACTIONS = st.sampled_from([0.1, 0.2, 0.25, 0.5])


def is_parted(held_out, n_rows):
    """Tell whether each row is on one side, in order, and both have some."""
    train, valid = held_out.train, held_out.valid
    both = np.concatenate([train, valid])
    is_sorted = all((np.diff(rows) > 0).all() for rows in (train, valid))
    return is_sorted and min(len(train), len(valid)) > 0 and (np.sort(both) == range(n_rows)).all()


@given(st.integers(10, 60), FRACTIONS)
def test_a_share_of_the_rows_is_held_out(n_rows, fraction):
    held_out = at_random(n_rows, fraction)
    assert is_parted(held_out, n_rows)
    assert len(held_out.valid) == int(np.ceil(fraction * n_rows))
    assert held_out.note is None


def test_a_note_goes_with_the_rows():
    assert at_random(10, 0.2, "they share windows").note == "they share windows"


@given(st.lists(st.integers(1, 9), min_size=2, max_size=8), FRACTIONS)
def test_runs_are_held_out_whole(sizes, fraction):
    runs = np.repeat([f"run {i}" for i in range(len(sizes))], sizes)
    held_out = by_run(runs, fraction)
    assert is_parted(held_out, len(runs))
    assert not {*runs[held_out.train]} & {*runs[held_out.valid]}
    assert len({*runs[held_out.valid]}) == int(np.ceil(fraction * len(sizes)))


@given(st.lists(st.integers(2, 20), min_size=2, max_size=4), FRACTIONS)
def test_every_class_is_on_both_sides(sizes, fraction):
    y = np.random.default_rng(0).permutation(np.repeat(range(len(sizes)), sizes))
    held_out = by_class(y, np.array(["a", "b", "c", "d"]), fraction)
    assert is_parted(held_out, len(y))
    for c, size in enumerate(sizes):
        n_valid = (y[held_out.valid] == c).sum()
        assert n_valid == min(max(round(fraction * size), 1), size - 1)


def test_groups_are_held_out_whole_with_every_class_on_both_sides():
    groups = np.repeat(range(8), 5)
    y = np.repeat([0, 1] * 4, 5)
    held_out = by_group(groups, y, 2, 0.25)
    assert is_parted(held_out, len(y))
    assert not {*groups[held_out.train]} & {*groups[held_out.valid]}
    assert {*y[held_out.train]} == {*y[held_out.valid]} == {0, 1}
    assert len(held_out.valid) == 10


@pytest.mark.parametrize(
    ("hold_out", "message"),
    [
        (lambda: by_run(np.zeros(5), 0.2), "needs at least 2 runs"),
        (lambda: by_class(np.array([0, 0, 1]), np.array(["a", "b"]), 0.2), "class 'b' has 1 case"),
        (lambda: by_group(np.zeros(4), np.array([0, 1, 0, 1]), 2, 0.2), "groups has 1 specimen"),
        (lambda: by_group(np.arange(4) // 2, np.array([0, 0, 1, 1]), 2, 0.2), "no choice of"),
    ],
)
def test_what_cannot_be_held_out_is_refused(hold_out, message):
    with pytest.raises(ValueError, match=message):
        hold_out()


def test_the_choice_is_that_of_torchs_generator():
    runs, y = np.repeat(range(8), 5), np.repeat([0, 1] * 4, 5)
    for hold_out in (
        lambda: at_random(40, 0.2),
        lambda: by_run(runs, 0.2),
        lambda: by_class(y, np.array([0, 1]), 0.2),
        lambda: by_group(runs, y, 2, 0.25),
    ):
        chosen = []
        for seed in (0, 0, *range(1, 9)):
            torch.manual_seed(seed)
            chosen.append(tuple(hold_out().valid))
        assert chosen[0] == chosen[1]
        assert len({*chosen}) > 2
