"""Phases of epochs in which gradients are amplified, by name or given."""

from itertools import pairwise

from .._checks import check_integer, check_number, check_option, warn

# The amplification paper's schedules of 150 epochs: ends of the phases, their rates over the net's,
# and whether they are amplified.
SCHEDULES = {
    "params_1": ((50, 1.0, False), (100, 1.0, True), (130, 0.1, True), (150, 0.1, False)),
    "params_2": ((10, 1.0, False), (100, 1.0, True), (145, 0.1, True), (150, 0.1, False)),
}
N_EPOCHS = 150


def named_phases(name, max_epochs, *, lr, factor):
    """Return the phases of a named schedule, scaled to a training.

    Parameters
    ----------
    name : {"params_1", "params_2"}
        Schedule.
    max_epochs : int
        Epochs of the training.
    lr : float
        Rate of the first phase.
    factor : float
        Factor of the amplified phases.

    Returns
    -------
    list of tuple
        Last epoch, learning rate, whether amplified, and factor of each.
    """
    named = SCHEDULES[name]
    if max_epochs < len(named):
        raise ValueError(
            f"schedule={name!r} has {len(named)} phases but max_epochs={max_epochs}; train longer "
            "or give phases as tuples, which partial_fit takes too."
        )
    phases = []
    last = 0
    for i, (end, share, is_amplified) in enumerate(named):
        # At least one epoch for each phase, and for each to come.
        n_to_come = len(named) - 1 - i
        end = min(max(round(end * max_epochs / N_EPOCHS), last + 1), max_epochs - n_to_come)
        phases.append((end, lr * share, is_amplified, factor if is_amplified else 1.0))
        last = end
    return phases


def warn_of_single_epochs(phases):
    """Warn of amplified phases that have one epoch, which measures and amplifies nothing."""
    starts = [1, *(end + 1 for end, *_ in phases)]
    single = [
        str(end)
        for start, (end, _, is_amplified, _) in zip(starts, phases, strict=False)
        if is_amplified and start == end
    ]
    if single:
        warn(
            f"amplified phases of a single epoch, {', '.join(single)}, only measure; train longer "
            "or give them more."
        )


def phase_of(phases, epoch):
    """Return first and last epoch of an epoch's phase, its rate, whether amplified, and factor."""
    start = 1
    for end, *phase in phases:
        if epoch <= end:
            return start, end, *phase
        start = end + 1
    return start, epoch, None, False, 1.0


def amplifies_any(phases, first, last):
    """Return whether phases, whose own first epochs measure, amplify one of these epochs."""
    starts = [1, *(end + 1 for end, *_ in phases)]
    return any(
        is_amplified and max(start + 1, first) <= min(end, last)
        for start, (end, _, is_amplified, _) in zip(starts, phases, strict=False)
    )


def check_phases(schedule):
    """Refuse phases that are not (last epoch, learning rate or None, amplified, factor)."""
    if not isinstance(schedule, list | tuple) or not schedule:
        names = " or ".join(map(repr, SCHEDULES))
        raise TypeError(f"schedule={schedule!r} must be {names} or a list of tuples.")
    for phase in schedule:
        if not isinstance(phase, list | tuple) or len(phase) != 4:
            raise ValueError(
                f"schedule holds {phase!r}; give (last epoch, learning rate or None, whether to "
                "amplify, factor)."
            )
        end, lr, is_amplified, factor = phase
        check_integer("a last epoch of schedule", end)
        if lr is not None:
            check_number("a learning rate of schedule", lr, above=0)
        check_option("what schedule says of amplifying", is_amplified, (False, True))
        check_number("a factor of schedule", factor, above=0)
    for (end, *_), (later, *_) in pairwise(schedule):
        if later <= end:
            raise ValueError(
                f"schedule has phases that end at {end} and {later}; last epochs must rise."
            )
