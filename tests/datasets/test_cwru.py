"""Bearing states: loaded, cut into imbalanced sets, simulated."""

import json
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.io import savemat
from sklearn.neighbors import KNeighborsClassifier
from sklearn.utils import Bunch

from skprog.datasets import cwru_imbalanced, load_cwru, make_bearing_faults
from skprog.datasets._bearing_faults import CAGE, MAX_FS, ORDERS, RPM
from skprog.datasets._cwru_states import STATES
from skprog.datasets._impulses import ring

LENGTHS = {
    97: 243_938,
    99: 485_063,
    107: 122_136,
    171: 121_846,
    211: 121_846,
    3003: 121_351,
    120: 121_556,
    187: 121_991,
    224: 122_136,
    3007: 120_984,
    132: 121_410,
    199: 121_846,
    236: 122_281,
}
FAULTS = list(LENGTHS)[2:]


def signal(number, n_samples=50):
    return np.random.default_rng(number).standard_normal((n_samples, 1))


def write(folder, number, *, keys=None, rpm=1751, file=None, **others):
    """Write a record whose signals are those of the numbers in ``keys``."""
    folder.mkdir(exist_ok=True)
    contents = {f"X{n:03d}_DE_time": signal(n) for n in keys or [number]}
    contents[f"X{number:03d}_FE_time"] = -signal(number)
    if rpm is not None:
        contents[f"X{number:03d}RPM"] = np.array([[rpm]], dtype=np.uint16)
    savemat(folder / (file or f"{number}.mat"), {**contents, **others})


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "cwru"
    write(folder, 97, rpm=1796)
    write(folder, 107)
    write(folder, 3003, keys=[58], rpm=None)
    return folder


# Loading


def test_fields_of_the_loaded_records(folder):
    data = load_cwru(folder)
    assert data.records.tolist() == [97, 107, 3003]
    assert data.target.tolist() == [0, 1, 4]
    assert data.load_hp.tolist() == [0, 2, 2]
    assert data.rpm.tolist() == [1796, 1751, 1750]
    assert data.rpm_is_nominal.tolist() == [False, False, True]
    assert data.fault_mm.tolist() == [0, 0.1778, 0.7112]
    assert data.fs == 12_000
    assert len(data.target_names) == 12
    assert [data.target_names[t] for t in data.target] == ["Normal", "IR007", "IR028"]
    for x, number in zip(data.signals, (97, 107, 58), strict=True):
        assert (x.ndim, x.dtype) == (1, np.float64)
        np.testing.assert_array_equal(x, signal(number).ravel())


def test_description_names_source_terms_and_oddities(folder):
    text = load_cwru(folder).DESCR
    for words in (
        "engineering.case.edu/bearingdatacenter",
        "No licence",
        "48 kHz",
        "another make",
        "3003.mat: IR028, 2 hp, 1750 rpm (nominal), 50 samples",
        "97.mat: Normal, 0 hp, 1796 rpm, 50 samples",
    ):
        assert words in text


@pytest.mark.parametrize("keys", [[98, 99], [99, 98], [99, 100, 101]])
def test_the_signal_with_the_number_of_the_file_is_taken_among_several(folder, keys):
    write(folder, 99, keys=keys, rpm=None, ans=np.arange(3.0))
    data = load_cwru(folder, 99)
    np.testing.assert_array_equal(data.signals[0], signal(99).ravel())


@pytest.mark.parametrize(("number", "key", "state"), [(3003, 58, "IR028"), (3007, 50, "B028")])
def test_a_single_signal_of_another_number_is_taken(folder, number, key, state):
    write(folder, number, keys=[key], rpm=None)
    data = load_cwru(folder, number)
    np.testing.assert_array_equal(data.signals[0], signal(key).ravel())
    assert data.target_names[data.target[0]] == state


@pytest.mark.parametrize("keys", [[50, 58], [98]])
def test_a_signal_that_may_be_of_another_record_is_refused(folder, keys):
    write(folder, 99, keys=keys)
    with pytest.raises(ValueError, match=r"99\.mat has the drive-end signals X0.* X099_DE_time or"):
        load_cwru(folder)


def test_a_file_without_a_drive_end_signal_is_refused(folder):
    savemat(folder / "107.mat", {"X107_FE_time": signal(107)})
    with pytest.raises(ValueError, match=r"107\.mat has the drive-end signals of no bearing"):
        load_cwru(folder)


@pytest.mark.parametrize(("number", "nominal"), [(97, 1797), (98, 1772), (99, 1750), (236, 1750)])
def test_a_missing_speed_becomes_the_nominal_one_of_the_load(folder, number, nominal):
    write(folder, number, rpm=None)
    data = load_cwru(folder, [number])
    assert data.rpm.tolist() == [nominal]
    assert data.rpm_is_nominal.tolist() == [True]


def test_the_resaved_file_is_taken_only_where_the_original_is_absent(folder):
    write(folder, 99, rpm=None, file="99_resaved.mat")
    assert "99_resaved.mat" in load_cwru(folder).DESCR
    np.testing.assert_array_equal(load_cwru(folder, 99).signals[0], signal(99).ravel())
    savemat(folder / "99.mat", {"X099_DE_time": np.ones((9, 1))})
    assert load_cwru(folder, 99).signals[0].tolist() == [1] * 9


def test_records_come_ordered_by_state_or_in_the_order_asked_for(folder):
    for number in (98, 236, 120):
        write(folder, number)
    assert load_cwru(folder).records.tolist() == [97, 98, 107, 3003, 120, 236]
    assert load_cwru(folder, [236, 97, 236]).records.tolist() == [236, 97]
    assert load_cwru(folder, np.array([107])).records.tolist() == [107]


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("kept", [0, 10, 100, 130, 200, 0.5, 0.9, -1])
def test_a_truncated_file_is_named(folder, compressed, kept):
    path = folder / "107.mat"
    savemat(path, {"X107_DE_time": signal(107)}, do_compression=compressed)
    data = path.read_bytes()
    path.write_bytes(data[: int(kept * len(data)) if isinstance(kept, float) else kept])
    with pytest.raises(ValueError, match=r"107\.mat is truncated or damaged \(.* fetch it again"):
        load_cwru(folder)
    assert load_cwru(folder, 97).records.tolist() == [97]


def test_a_pointer_in_place_of_the_file_is_refused(folder):
    (folder / "107.mat").write_text("version https://git-lfs.github.com/spec/v1\nsize 2931672\n")
    with pytest.raises(ValueError, match=r"107\.mat is truncated or damaged"):
        load_cwru(folder)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((5, 2)), r"is float64 of shape \(5, 2\) where one column"),
        (np.array([["text"]]), "where one column of numbers is due"),
        (np.zeros((3, 1), dtype=complex), "is complex128"),
        (np.zeros((0, 1)), r"of shape \(0, 1\)"),
        (np.array([[0.0], [np.nan]]), "has values that are not finite"),
        (np.array([[0.0], [np.inf]]), "has values that are not finite"),
    ],
)
def test_a_signal_that_is_none_is_refused(folder, values, message):
    savemat(folder / "107.mat", {"X107_DE_time": values})
    with pytest.raises(ValueError, match=rf"107\.mat is damaged: X107_DE_time .*{message}"):
        load_cwru(folder)


@pytest.mark.parametrize(
    ("speed", "found"),
    [
        (-5, "-5"),
        (0, "0"),
        (1j, "1j"),
        (1750.6, "1750.6"),
        (np.nan, "nan"),
        (np.inf, "inf"),
        (1e300, r"1e\+300"),
        ("abc", "'abc'"),
        ([1750, 1751], "2 values"),
    ],
)
def test_a_speed_that_is_none_is_refused(folder, speed, found):
    savemat(folder / "107.mat", {"X107_DE_time": signal(107), "X107RPM": speed})
    message = rf"107\.mat is damaged: X107RPM is {found} where one whole number of rpm .* is due"
    with pytest.raises(ValueError, match=message):
        load_cwru(folder)


def test_a_whole_speed_of_any_numeric_type_is_taken_and_an_empty_one_is_missing(folder):
    for speed, rpm in ((1748.0, 1748), (np.int16(1749), 1749), ([], 1750)):
        savemat(folder / "107.mat", {"X107_DE_time": signal(107), "X107RPM": speed})
        assert load_cwru(folder, 107).rpm.tolist() == [rpm]


def test_an_empty_folder_names_folder_variable_and_page(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        load_cwru(tmp_path / "nowhere")
    for words in (str(tmp_path / "nowhere"), "SKPROG_DATA", "97.mat", "engineering.case.edu"):
        assert words in str(caught.value)


def test_without_data_home_the_variable_names_the_folder(folder, tmp_path, monkeypatch):
    monkeypatch.delenv("SKPROG_DATA", raising=False)
    with pytest.raises(FileNotFoundError, match="SKPROG_DATA is not set"):
        load_cwru()
    monkeypatch.setenv("SKPROG_DATA", str(tmp_path))
    assert load_cwru(None).records.tolist() == [97, 107, 3003]
    folder.rename(tmp_path / "other")
    with pytest.raises(FileNotFoundError, match=re.escape(f"SKPROG_DATA={tmp_path}")):
        load_cwru()


@pytest.mark.parametrize(
    ("records", "error", "message"),
    [
        ([97, 98], FileNotFoundError, r"98\.mat not in .*has records 97, 107, 3003.*case\.edu"),
        (105, ValueError, "Unknown record 105; known are 97, 98, 99, 107"),
        ([], ValueError, "records is empty"),
        (["97"], TypeError, "records='97' must be an integer"),
        ("97", TypeError, "records='97' must be a list of numbers such as 97"),
        (9.7, TypeError, "records=9.7 must be a list of numbers"),
        (True, TypeError, "records=True must be an integer"),
    ],
)
def test_records_that_cannot_be_loaded_are_named(folder, records, error, message):
    with pytest.raises(error, match=message):
        load_cwru(folder, records)


def test_a_folder_of_another_type_is_refused():
    with pytest.raises(TypeError, match=r"^data_home=3 must be a path\.$"):
        load_cwru(3)


# Imbalanced sets


def places(lengths, target):
    """Return records whose samples are their own places."""
    return Bunch(
        signals=[np.arange(float(n)) for n in lengths.values()],
        target=np.array(target),
        records=np.array(list(lengths)),
        target_names=list(STATES),
    )


@pytest.fixture(scope="module")
def record_places():
    return places(LENGTHS, [0, *range(12)])


def strides(sets, part):
    """Return the windows of each record and the strides between them."""
    found = {}
    for number in np.unique(sets[f"records_{part}"]).tolist():
        starts = sets[f"starts_{part}"][sets[f"records_{part}"] == number]
        found[number] = len(starts), *np.unique(np.diff(starts)).tolist()
    return found


@pytest.mark.parametrize("n_fault", [64, 16])
def test_defaults_are_the_sets_of_the_paper(record_places, n_fault):
    sets = cwru_imbalanced(record_places, n_fault=n_fault)
    assert np.bincount(sets.y_train).tolist() == [3200] + [n_fault] * 11
    assert np.bincount(sets.y_test).tolist() == [108] * 12
    train = {97: (1067, 193), 99: (2133, 192), **dict.fromkeys(FAULTS, (n_fault, 512))}
    test = {97: (36, 1024), 99: (72, 1024), **dict.fromkeys(FAULTS, (108, 800))}
    assert strides(sets, "train") == train
    assert strides(sets, "test") == test
    for number, length in LENGTHS.items():
        assert sets.starts_train[sets.records_train == number].min() == 0
        assert sets.starts_test[sets.records_test == number].max() == length - 1024


def test_windows_are_those_of_their_record_and_start(record_places):
    sets = cwru_imbalanced(record_places, n_normal=30, n_fault=4, n_test_per_class=5)
    for part in ("train", "test"):
        X, y, starts, records = (sets[f"{k}_{part}"] for k in ("X", "y", "starts", "records"))
        assert X.dtype == np.float32
        np.testing.assert_array_equal(X, starts[:, None] + np.arange(1024))
        states = dict(zip(record_places.records, record_places.target, strict=True))
        assert y.tolist() == [states[number] for number in records]
        assert (np.diff(y) >= 0).all()


def test_both_sets_of_the_paper_have_the_same_test_windows(record_places):
    one, two = (cwru_imbalanced(record_places, n_fault=n) for n in (64, 16))
    np.testing.assert_array_equal(one.X_test, two.X_test)
    np.testing.assert_array_equal(one.X_train[one.y_train == 5][:16], two.X_train[two.y_train == 5])


def test_decimation_shortens_the_normal_records_alone(record_places):
    sets = cwru_imbalanced(record_places, decimate_normal=True)
    train = {97: (1067, 21), 99: (2133, 21), **dict.fromkeys(FAULTS, (64, 512))}
    assert strides(sets, "train") == train
    assert strides(sets, "test")[97] == (36, 1024)
    assert "reduced to 12 kHz" in sets.DESCR
    np.testing.assert_array_equal(
        sets.X_train[sets.y_train > 0], cwru_imbalanced(record_places).X_train[3200:]
    )


def test_decimation_keeps_slow_waves_in_phase_and_drops_fast_ones():
    t = np.arange(8000)
    slow, fast = np.sin(2 * np.pi * 0.01 * t), np.sin(2 * np.pi * 0.4 * t)
    data = Bunch(signals=[slow + fast, slow], target=[0, 1], records=[97, 107], target_names="NF")
    kwargs = {"n_normal": 3, "n_fault": 1, "n_test_per_class": 1, "n_timepoints": 256}
    sets = cwru_imbalanced(data, **kwargs, decimate_normal=True)
    start = sets.starts_test[0]
    assert start == 2000 - 256
    inner = slice(20, -20)  # the filter meets the end of the record
    np.testing.assert_allclose(
        sets.X_test[0][inner], slow[::4][start : start + 256][inner], atol=0.02
    )


def test_three_normal_records_share_by_length():
    sets = cwru_imbalanced(places({97: 100, 98: 200, 99: 200, 107: 99}, [0, 0, 0, 1]), **SMALL)
    counts = {97: 1, 98: 2, 99: 2, 107: 5}
    assert {k: n for k, (n, *_) in strides(sets, "test").items()} == counts
    counts = {97: 2, 98: 4, 99: 4, 107: 3}
    assert {k: n for k, (n, *_) in strides(sets, "train").items()} == counts


SMALL = {"n_normal": 10, "n_fault": 3, "n_test_per_class": 5, "n_timepoints": 8}


def test_a_record_too_short_for_a_share_is_left_out():
    sets = cwru_imbalanced(places({97: 5, 99: 400, 107: 100}, [0, 0, 1]), **SMALL)
    assert set(sets.records_train.tolist()) == {99, 107}
    assert "97" not in sets.DESCR


def samples(starts, n_timepoints):
    return set((starts[:, None] + np.arange(n_timepoints)).ravel().tolist())


@given(
    normal=st.lists(st.integers(1, 600), min_size=1, max_size=3),
    faults=st.lists(st.integers(1, 600), min_size=1, max_size=3),
    n_normal=st.integers(1, 80),
    n_fault=st.integers(1, 20),
    n_test=st.integers(1, 20),
    n_timepoints=st.integers(1, 70),
)
def test_no_sample_is_in_training_and_test(normal, faults, n_normal, n_fault, n_test, n_timepoints):
    lengths = dict(enumerate([*normal, *faults], start=1))
    target = [0] * len(normal) + list(range(1, 1 + len(faults)))
    data = places(lengths, target)
    kwargs = {"n_normal": n_normal, "n_fault": n_fault, "n_test_per_class": n_test}
    try:
        sets = cwru_imbalanced(data, **kwargs, n_timepoints=n_timepoints)
    except ValueError as error:
        if "fit into the" not in str(error):
            raise
        return
    assert np.bincount(sets.y_train).tolist() == [n_normal] + [n_fault] * len(faults)
    assert np.bincount(sets.y_test).tolist() == [n_test] * (1 + len(faults))
    for number in np.unique(sets.records_test):
        train = sets.starts_train[sets.records_train == number]
        test = sets.starts_test[sets.records_test == number]
        assert not samples(train, n_timepoints) & samples(test, n_timepoints)
        assert test.max() + n_timepoints == lengths[number]
        assert (np.diff(train) > 0).all()
        assert (np.diff(test) > 0).all()
        assert (np.diff(test) <= n_timepoints).all()
        if len(train):
            assert train[0] == 0
            assert train.max() + n_timepoints <= test.min()
        if len(train) > 1:
            wider = (len(train) - 1) * (train[1] + 1) + n_timepoints
            assert wider > test.min() or train[1] == max(1, n_timepoints // 2)


@pytest.mark.parametrize("argument", ["n_fault", "n_normal", "n_test_per_class"])
def test_windows_that_do_not_fit_are_refused_with_the_number_that_does(argument):
    data = places({97: 1000, 107: 1000}, [0, 1])
    kwargs = {"n_normal": 5, "n_fault": 5, "n_test_per_class": 5, "n_timepoints": 64}
    with pytest.raises(ValueError, match=rf"{argument}=5000 asks record .* but \d+ fit") as caught:
        cwru_imbalanced(data, **{**kwargs, argument: 5000})
    most = int(re.search(r"but (\d+) fit", str(caught.value))[1])
    cwru_imbalanced(data, **{**kwargs, argument: most})
    with pytest.raises(ValueError, match=f"but {most} fit"):
        cwru_imbalanced(data, **{**kwargs, argument: most + 1})


def test_windows_longer_than_a_record_do_not_fit():
    with pytest.raises(
        ValueError, match=r"n_test_per_class=5 asks record 107 \(9 samples\).* 0 fit"
    ):
        cwru_imbalanced(places({97: 1000, 107: 9}, [0, 1]), **SMALL)


def test_description_gives_the_windows_of_each_record_and_the_source(folder):
    data = places({97: 100, 107: 100}, [0, 1])
    data.DESCR = "Where it comes from"
    text = cwru_imbalanced(data, **{**SMALL, "n_fault": 1}).DESCR
    assert "97 (Normal): training 10, 4 apart; test 5, 8 apart" in text
    assert "107 (IR007): training 1; test 5, 8 apart" in text
    assert text.endswith("Where it comes from")


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({"n_normal": 0}, ValueError, "n_normal=0 must be at least 1"),
        ({"n_fault": -1}, ValueError, "n_fault=-1 must be at least 1"),
        ({"n_fault": 6.5}, TypeError, "n_fault=6.5 must be an integer"),
        ({"n_test_per_class": 0}, ValueError, "n_test_per_class=0 must be at least 1"),
        ({"n_timepoints": 0}, ValueError, "n_timepoints=0 must be at least 1"),
        ({"decimate_normal": 4}, TypeError, "decimate_normal=4 must be True or False"),
        ({"n_normal": 10**30}, ValueError, "n_normal=10{30} asks record 97 .* but .* fit into"),
        ({"n_fault": 10**17}, ValueError, "n_fault=10{17} asks record 107 .* but .* fit into"),
        ({"n_test_per_class": 10**30}, ValueError, "n_test_per_class=10{30} asks record 97"),
        ({"n_timepoints": 10**30}, ValueError, "windows of 10{30} points, but 0 fit into"),
    ],
)
def test_impossible_sets_are_refused(kwargs, error, message):
    with pytest.raises(error, match=message):
        cwru_imbalanced(places({97: 100, 107: 100}, [0, 1]), **{**SMALL, **kwargs})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"target": [0, 0]}, r"data has the states \[0\]; load a normal record"),
        ({"target": [1, 2]}, r"data has the states \[1, 2\]; load a normal record"),
        ({"target": [0, 12]}, "but 12 target_names"),
        ({"target": [0]}, "2 signals, 1 targets and 2 records"),
        ({"target": [[0], [1]]}, r"data\.target has shape \(2, 1\) and data\.records \(2,\)"),
        ({"signals": [np.zeros((9, 1)), np.zeros(9)]}, r"signal of record 97 has shape \(9, 1\)"),
        ({"signals": [np.zeros(9), np.array([0.0, np.nan])]}, "signal of record 107 contains NaN"),
        ({"signals": [np.array(["a"]), np.zeros(9)]}, "signal of record 97 must be real numbers"),
    ],
)
def test_records_that_contradict_themselves_are_refused(change, message):
    data = Bunch(**{**places({97: 100, 107: 100}, [0, 1]), **change})
    with pytest.raises(ValueError, match=message):
        cwru_imbalanced(data, **SMALL)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"target": [0.0, 1.0]}, r"data\.target is of float64; give integers, the index"),
        ({"target": [False, True]}, r"data\.target is of bool; give integers"),
        ({"target": [0, None]}, r"data\.target is of object; give integers"),
        ({"target": None}, r"data\.target is None; give a list"),
        ({"target_names": None}, r"data\.target_names is None; give a list"),
        ({"target_names": {0: "Normal"}}, r"data\.target_names is {0: 'Normal'}; give a list"),
        ({"records": 97}, r"data\.records is 97; give a list"),
        ({"signals": None}, r"data\.signals is None; give a list"),
    ],
)
def test_fields_of_another_type_are_refused(change, message):
    data = Bunch(**{**places({97: 100, 107: 100}, [0, 1]), **change})
    with pytest.raises(TypeError, match=message):
        cwru_imbalanced(data, **SMALL)


@pytest.mark.parametrize("decimate_normal", [False, True])
def test_values_beyond_float32_are_refused(decimate_normal):
    data = places({97: 300, 107: 300}, [0, 1])
    data.signals = [1e38 * x for x in data.signals]
    with pytest.raises(ValueError, match="signal of record 97 contains infinity or a value too"):
        cwru_imbalanced(data, **SMALL, decimate_normal=decimate_normal)


def test_a_record_too_short_to_decimate_is_refused():
    sizes = {"n_normal": 1, "n_fault": 1, "n_test_per_class": 1, "n_timepoints": 2}
    message = "Record 97 has 27 samples, but decimation needs 28; leave the record out or"
    with pytest.raises(ValueError, match=message):
        cwru_imbalanced(places({97: 27, 107: 300}, [0, 1]), **sizes, decimate_normal=True)
    sets = cwru_imbalanced(places({97: 28, 107: 300}, [0, 1]), **sizes, decimate_normal=True)
    assert sets.starts_test[0] == 28 // 4 - 2


@pytest.mark.parametrize("data", [None, [1, 2], {"signals": []}, np.zeros((3, 4))])
def test_data_of_another_kind_are_refused(data):
    with pytest.raises(TypeError, match="data must be what load_cwru returns: signals, target"):
        cwru_imbalanced(data)


# Simulated states


@pytest.fixture(scope="module")
def simulated():
    return make_bearing_faults(8, n_timepoints=12_000, snr=6.0, random_state=0)


def test_characteristic_orders_are_those_of_the_6205_bearing():
    orders = [ORDERS[part] for part in ("inner race", "ball", "outer race")]
    np.testing.assert_allclose([*orders, CAGE], [5.415, 2 * 2.357, 3.585, 0.3983], atol=1e-3)


@pytest.mark.parametrize("state", [name for name, (part, _) in STATES.items() if part])
def test_the_envelope_of_a_fault_beats_at_its_characteristic_frequency(simulated, state):
    power = envelope_power(simulated, state)
    frequency = ORDERS[STATES[state][0]] * RPM / 60
    assert abs(60 + power[60:200].argmax() - frequency) <= 1
    assert power[60:200].max() > 8 * np.median(power[60:200])


def envelope_power(data, state):
    """Return the power of the squared windows of a state, one bin per Hz."""
    X = data.X[data.y == data.target_names.index(state)] ** 2
    return (np.abs(np.fft.rfft(X)) ** 2).mean(axis=0)


def test_a_normal_bearing_has_no_line_in_its_envelope(simulated):
    power = envelope_power(simulated, "Normal")[65:200]
    assert power.max() < 4 * np.median(power)


def test_inner_race_faults_are_modulated_by_the_shaft_and_outer_race_faults_are_not(simulated):
    shaft = RPM / 60
    for state, line, is_strong in (("IR021", 158, True), ("OR021@6", 105, False)):
        power = envelope_power(simulated, state)
        sidebands = [power[round(line + k * shaft) + np.arange(-1, 2)].max() for k in (-1, 1)]
        assert (min(sidebands) > 8 * np.median(power[60:200])) == is_strong


def test_the_spectrum_of_a_fault_has_a_notch_that_its_size_sets():
    data = make_bearing_faults(4, n_timepoints=12_000, snr=30.0, random_state=0)
    power = np.abs(np.fft.rfft(data.X)) ** 2
    bands = power.reshape(12, 4, -1)[..., 1000:4000].mean(axis=1).reshape(12, -1, 100).mean(axis=2)
    smallest, *larger = bands[1:4]
    # Balls run over the fault at 1.715 m/s: the strikes at its two ends cancel at v / 2w.
    for band, size in zip(larger, (0.3556, 0.5334), strict=True):
        notch = 1050 + 100 * (band / smallest).argmin()
        assert notch == pytest.approx(1715 / (2 * size), abs=100)


def test_power_above_the_background_follows_snr():
    for snr in (0.0, 10.0):
        counts = [200, 1, 200] + [1] * 9
        data = make_bearing_faults(counts, n_timepoints=4096, snr=snr, random_state=0)
        power = (data.X**2).mean(axis=1)
        fault = np.median(power[data.y == 2]) - np.median(power[data.y == 0])
        assert 10 * np.log10(fault / 0.07**2) == pytest.approx(snr, abs=1)


def log_spectra(X):
    power = np.abs(np.fft.rfft(X)[:, 1:513]) ** 2
    return np.log(power.reshape(len(X), 64, 8).mean(axis=2))


def log_rms(X):
    return np.log(X.std(axis=1, keepdims=True))


def test_spectra_tell_the_states_apart_and_loudness_does_not():
    train, test = (make_bearing_faults(50, random_state=seed) for seed in (0, 1))
    scores = [
        KNeighborsClassifier(k).fit(f(train.X), train.y).score(f(test.X), test.y)
        for k, f in ((1, log_spectra), (15, log_rms))
    ]
    assert 0.85 < scores[0] < 0.99
    assert scores[1] < 0.5


def test_one_count_or_twelve_say_how_many_windows_there_are():
    data = make_bearing_faults(3, n_timepoints=16, random_state=0)
    assert np.bincount(data.y).tolist() == [3] * 12
    counts = [800] + [8] * 11
    data = make_bearing_faults(counts, n_timepoints=16, random_state=0)
    assert data.X.shape == (888, 16)
    assert np.bincount(data.y).tolist() == counts
    assert (np.diff(data.y) >= 0).all()
    assert "Normal: 800 windows" in data.DESCR
    assert make_bearing_faults(np.array(counts), n_timepoints=16, random_state=0).y.size == 888


def test_simulated_states_are_named_as_the_real_ones(folder):
    data = make_bearing_faults(1, n_timepoints=16, fs=24_000, random_state=0)
    assert data.target_names == load_cwru(folder).target_names
    assert (data.X.dtype, data.y.dtype, data.fs) == (np.float32, np.int64, 24_000.0)


def test_equal_seeds_give_equal_windows_and_other_seeds_others():
    first, again, other = (
        make_bearing_faults(2, n_timepoints=64, random_state=seed).X for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any(axis=1).all()


def test_a_state_does_not_depend_on_how_many_windows_the_others_have():
    few, many = (
        make_bearing_faults([n] * 11 + [4], n_timepoints=64, random_state=0) for n in (1, 3)
    )
    np.testing.assert_array_equal(few.X[-4:], many.X[-4:])


def test_the_global_generator_is_untouched():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    for seed in (None, 0, np.random.RandomState(0), np.random.default_rng(0)):
        make_bearing_faults(1, n_timepoints=8, random_state=seed)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


@given(
    n_per_class=st.integers(1, 3),
    n_timepoints=st.integers(1, 300),
    fs=st.floats(10_000, 100_000),
    snr=st.floats(-100, 100),
)
def test_any_sizes_give_finite_windows(n_per_class, n_timepoints, fs, snr):
    data = make_bearing_faults(
        n_per_class, n_timepoints=n_timepoints, fs=fs, snr=snr, random_state=0
    )
    assert data.X.shape == (12 * n_per_class, n_timepoints)
    assert np.isfinite(data.X).all()


@pytest.mark.parametrize(("resonance", "damping"), [(3300.0, 0.04), (1000.0, 0.1)])
def test_a_resonance_rings_true_up_to_the_highest_sampling_frequency(resonance, damping):
    t = np.arange(20_000) / MAX_FS
    w = 2 * np.pi * resonance
    rung = ring(np.eye(1, len(t))[0], resonance, MAX_FS, damping=damping)
    np.testing.assert_allclose(rung, np.exp(-damping * w * t) * np.sin(w * t), atol=2e-3)
    assert np.isfinite(make_bearing_faults(1, n_timepoints=4, fs=MAX_FS, random_state=0).X).all()


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({"n_per_class": 0}, ValueError, "n_per_class=0 must be at least 1"),
        ({"n_per_class": 2.5}, TypeError, "n_per_class=2.5 must be an integer or 12 of them"),
        ({"n_per_class": "12"}, TypeError, "n_per_class='12' must be an integer or 12 of them"),
        ({"n_per_class": [800, 8]}, ValueError, "n_per_class has 2 counts; give one for each"),
        ({"n_per_class": [1] * 11 + [0]}, ValueError, r"n_per_class\[11\]=0 must be at least 1"),
        ({"n_per_class": [1.5] * 12}, TypeError, r"n_per_class\[0\]=1.5 must be an integer"),
        ({"n_timepoints": 0}, ValueError, "n_timepoints=0 must be at least 1"),
        ({"fs": 5000}, ValueError, "fs=5000 must be finite and at least 10000"),
        ({"fs": 1e8}, ValueError, "fs=100000000.0 must be .* at most 1000000"),
        ({"fs": "fast"}, TypeError, "fs='fast' must be a number"),
        ({"snr": np.nan}, ValueError, "snr=nan must be finite"),
        (
            {"snr": 1e4},
            ValueError,
            "snr=10000.0 must be .* at most 100",
        ),
        ({"snr": None}, TypeError, "snr=None must be a number"),
        ({"random_state": "seed"}, TypeError, "random_state='seed' must be None, an integer of"),
        ({"random_state": True}, TypeError, "random_state=True must be None, an integer of"),
        ({"random_state": np.False_}, TypeError, "random_state=.*False.* must be None"),
        ({"random_state": -1}, ValueError, "random_state=-1 must be None, an integer of"),
    ],
)
def test_impossible_simulations_are_refused(kwargs, error, message):
    with pytest.raises(error, match=message):
        make_bearing_faults(**kwargs)


# Real data


@pytest.fixture(scope="module")
def real(real_data):
    if not (real_data / "cwru").is_dir():
        pytest.skip(f"no folder cwru in {real_data}")
    return load_cwru(real_data / "cwru")


@pytest.mark.real_data
def test_real_records_agree_with_their_manifest(real, real_data):
    entries = json.loads((real_data / "cwru" / "manifest.json").read_text())["files"]
    entries = {entry["cwru_number"]: entry for entry in entries}
    assert set(real.records.tolist()) == set(entries)
    for i, number in enumerate(real.records.tolist()):
        entry = entries[number]
        assert len(real.signals[i]) == entry["length"] == LENGTHS[number]
        assert real.signals[i].std() == pytest.approx(entry["rms"], abs=6e-6)
        assert real.target[i] == entry["label"]
        assert real.target_names[real.target[i]] == entry["class_name"]
        assert real.fault_mm[i] == entry["fault_diameter_mm"]
        assert real.load_hp[i] == entry["load_hp"]
        assert real.rpm[i] == (entry["rpm_in_file"] or entry["rpm_nominal"])
        assert real.rpm_is_nominal[i] == (entry["rpm_in_file"] is None)


@pytest.mark.real_data
@pytest.mark.parametrize("decimate_normal", [False, True])
def test_real_windows_lie_where_their_starts_say(real, record_places, decimate_normal):
    sets = cwru_imbalanced(real, decimate_normal=decimate_normal)
    known = cwru_imbalanced(record_places, decimate_normal=decimate_normal)
    np.testing.assert_array_equal(sets.starts_train, known.starts_train)
    np.testing.assert_array_equal(sets.starts_test, known.starts_test)
    numbers = real.records.tolist()
    for i in np.flatnonzero(sets.y_test > 0)[::50]:
        start, number = sets.starts_test[i], sets.records_test[i]
        expected = real.signals[numbers.index(number)][start : start + 1024]
        np.testing.assert_array_equal(sets.X_test[i], expected.astype(np.float32))
