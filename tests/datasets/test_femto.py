import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skprog.datasets import compact_femto, load_femto, make_run_to_failure, paper_split

LEARNING = ["1_1", "1_2", "2_1", "2_2", "3_1", "3_2"]
TEST = ["1_3", "1_4", "1_5", "1_6", "1_7", "2_3", "2_4", "2_5", "2_6", "2_7", "3_3"]
CHALLENGE = LEARNING + TEST
ALL = [f"Bearing{k}" for k in CHALLENGE]


def csv_text(counts, *, separator=",", microsecond="65664", newline="\n"):
    values = [[f"{c / 1000:.3f}".rstrip("0").rstrip(".") for c in plane] for plane in counts]
    rows = (
        separator.join(("9", "39", "39", microsecond, h, v)) for h, v in zip(*values, strict=True)
    )
    return "".join(row + newline for row in rows)


def write_run(folder, counts, **kwargs):
    folder.mkdir(parents=True, exist_ok=True)
    for i, window in enumerate(counts, start=1):
        text = csv_text(window, **kwargs)
        (folder / f"acc_{i:05d}.csv").write_text(text, encoding="ascii", newline="")


def random_counts(n_windows, seed=0, bound=48_148):
    return np.random.default_rng(seed).integers(-bound, bound + 1, (n_windows, 2, 2560))


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / "csv"
    write_run(root / "Learning_set" / "Bearing1_1", random_counts(4))
    write_run(root / "Full_Test_Set" / "Bearing3_3", random_counts(3, 1, 9000), separator=";")
    write_run(root / "Test_set" / "Bearing3_3", random_counts(1, 2))
    return root


@pytest.fixture
def compact(tree, tmp_path):
    compact_femto(tree, tmp_path / "compact")
    return tmp_path / "compact"


def damage(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


# Reading CSV


def test_every_count_becomes_the_float32_of_its_thousandth(tmp_path):
    counts = np.arange(-51_200, 51_200).reshape(20, 2, 2560)
    write_run(tmp_path / "Learning_set" / "Bearing1_1", counts)
    windows = load_femto(tmp_path).windows
    assert windows.dtype == np.float32
    np.testing.assert_array_equal(windows, (counts / 1000).astype(np.float32))


@pytest.mark.parametrize("separator", [",", ";"])
@pytest.mark.parametrize("microsecond", ["65664", "4.2504e+05", "8.6566e+005"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_every_dialect_of_the_files_gives_the_same_windows(
    tmp_path, separator, microsecond, newline
):
    counts = random_counts(2)
    write_run(
        tmp_path / "Full_Test_Set" / "Bearing2_7",
        counts,
        separator=separator,
        microsecond=microsecond,
        newline=newline,
    )
    np.testing.assert_array_equal(load_femto(tmp_path).windows, np.float32(counts / 1000))


def test_fields_of_the_loaded_runs(tree):
    data = load_femto(tree)
    assert data.bearings == ["Bearing1_1", "Bearing3_3"]
    assert data.runs.tolist() == ["Bearing1_1"] * 4 + ["Bearing3_3"] * 3
    assert data.time.tolist() == [0, 10, 20, 30, 0, 10, 20]
    assert data.rul.tolist() == [30, 20, 10, 0, 20, 10, 0]
    assert data.condition.tolist() == [1, 1, 1, 1, 3, 3, 3]
    assert (data.fs, data.period) == (25_600, 10)
    assert data.truncated_at == {"Bearing3_3": 352}
    for words in ("github.com", "No formal licence", "P. Nectoux", "4 windows of 2803", "339 s"):
        assert words in data.DESCR


def test_the_full_test_set_is_read_not_the_truncated_one(tree):
    assert len(load_femto(tree, "3_3").windows) == 3


def test_a_tree_of_truncated_runs_alone_has_no_bearings(tree, tmp_path):
    shutil.move(tree / "Test_set", tmp_path / "other" / "Test_set")
    with pytest.raises(FileNotFoundError, match="cut before failure"):
        load_femto(tmp_path / "other")


def test_temperature_files_are_left_alone(tree):
    (tree / "Learning_set" / "Bearing1_1" / "temp_00001.csv").write_text("9,40,47,5,70.378\n")
    assert len(load_femto(tree, "1_1").windows) == 4


def test_bearings_come_in_the_order_asked_for(tree):
    data = load_femto(tree, ["3_3", "Bearing1_1"])
    assert data.bearings == ["Bearing3_3", "Bearing1_1"]
    np.testing.assert_array_equal(data.windows[3:], load_femto(tree, "1_1").windows)


@pytest.mark.parametrize("form", ["tree", "compact"])
def test_subset_follows_the_challenge(form, request):
    folder = request.getfixturevalue(form)
    assert load_femto(folder, subset="learning").bearings == ["Bearing1_1"]
    assert load_femto(folder, subset="test").bearings == ["Bearing3_3"]


def test_the_clock_in_the_files_changes_nothing(tree):
    before = load_femto(tree, "1_1")
    path = tree / "Learning_set" / "Bearing1_1" / "acc_00003.csv"
    path.write_text(path.read_text().replace("9,39,39,65664,", "3,2,1,8.6566e+005,"))
    after = load_femto(tree, "1_1")
    np.testing.assert_array_equal(after.time, before.time)
    np.testing.assert_array_equal(after.windows, before.windows)


def test_a_gap_in_the_numbers_is_refused_and_named(tree):
    folder = tree / "Learning_set" / "Bearing1_1"
    (folder / "acc_00004.csv").rename(folder / "acc_00009.csv")
    (folder / "acc_00001.csv").unlink()
    with pytest.raises(ValueError, match=r"Bearing1_1 lacks 6 .* \(numbers 1, 4-8\)"):
        load_femto(tree)


def test_time_follows_the_file_number_where_gaps_are_allowed(tree):
    (tree / "Learning_set" / "Bearing1_1" / "acc_00003.csv").unlink()
    data = load_femto(tree, "1_1", allow_gaps=True)
    assert data.time.tolist() == [0, 10, 30]
    assert data.rul.tolist() == [30, 20, 0]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda text: text[:-1], "2559 complete rows where 2560 are due"),
        (lambda text: text[: len(text) // 2], "complete rows where 2560 are due"),
        (lambda text: "", "0 complete rows"),
        (lambda text: text + text[:30].split("\n")[0] + "\n", "2561 complete rows"),
        (lambda text: text.replace("9,39,39,", "9,39,", 1), "number of columns"),
        (lambda text: text.replace("9,39,39,", "9,39,"), "5 columns where 6 are due"),
        (lambda text: text.replace("65664", "6x664", 1), "could not convert"),
        (lambda text: text.replace("65664", "6\xe9664", 1), "codec"),
        (lambda text: text.replace(",65664,", ",65664,nan,", 1), "number of columns"),
        (lambda text: text[: text.rindex(",")] + ",inf\n", "acceleration beyond"),
        (lambda text: text[: text.rindex(",")] + ",nan\n", "acceleration beyond"),
        (lambda text: text[: text.rindex(",")] + ",0.1234\n", "not a multiple of 0.001 g"),
    ],
)
def test_a_damaged_csv_file_is_named(tree, spoil, message):
    path = tree / "Learning_set" / "Bearing1_1" / "acc_00002.csv"
    path.write_bytes(spoil(path.read_text()).encode("latin-1"))
    with pytest.raises(ValueError, match=rf"acc_00002\.csv is truncated or damaged: .*{message}"):
        load_femto(tree)


# Reading the compact form


def test_compact_form_gives_back_what_the_csv_files_hold(tree, compact):
    from_csv, from_npz = load_femto(tree), load_femto(compact)
    assert from_csv.keys() == from_npz.keys()
    for key in ("windows", "runs", "rul", "time", "condition"):
        np.testing.assert_array_equal(from_csv[key], from_npz[key])
    assert from_csv.DESCR == from_npz.DESCR


def test_numpy_reads_the_planes_and_the_clock(compact):
    with np.load(compact / "Bearing1_1.npz") as planes:
        assert planes["hi"].dtype == np.int16
        counts = planes["hi"].astype(np.int32) * 256 + planes["lo"]
        assert planes["clock"].tolist() == [[9, 39, 39, 65_664]] * 4
    np.testing.assert_array_equal(counts, random_counts(4))
    with np.load(compact / "Bearing3_3.npz") as planes:
        assert planes["hi"].dtype == np.int8


def test_counts_unlike_the_manifest_name_the_bearing(compact):
    entry = json.loads((compact / "manifest.json").read_text())["bearings"][1]
    damage(compact / "manifest.json", entry["counts_sha256"], "0" * 64)
    with pytest.raises(ValueError, match=r"Bearing3_3 differs from manifest\.json"):
        load_femto(compact)
    assert load_femto(compact, "1_1").bearings == ["Bearing1_1"]


@pytest.mark.parametrize("kept", [0, 10, 0.3, 0.9, -1])
def test_a_truncated_npz_file_is_named(compact, kept):
    path = compact / "Bearing1_1.npz"
    data = path.read_bytes()
    path.write_bytes(data[: int(kept * len(data)) if isinstance(kept, float) else kept])
    with pytest.raises(ValueError, match=r"Bearing1_1\.npz is truncated or damaged"):
        load_femto(compact)


def test_a_flipped_bit_never_passes_unseen(compact):
    path = compact / "Bearing3_3.npz"
    good = path.read_bytes()
    windows = load_femto(compact, "3_3").windows
    rng = np.random.default_rng(0)
    messages = []
    for place in np.r_[rng.integers(len(good), size=150), len(good) - rng.integers(1, 300, 150)]:
        data = bytearray(good)
        data[place] ^= 1 << rng.integers(8)
        path.write_bytes(data)
        try:
            np.testing.assert_array_equal(load_femto(compact, "3_3").windows, windows)
        except ValueError as error:
            messages.append(str(error))
    assert len(messages) > 150
    assert all("Bearing3_3" in message for message in messages)


@pytest.mark.parametrize(
    ("planes", "message"),
    [
        ({"hi": np.zeros((4, 2, 2560), np.int16)}, "no item named 'lo.npy'"),
        (
            {"hi": np.zeros((3, 2, 2560), np.int16), "lo": np.zeros((3, 2, 2560), np.uint8)},
            r"plane of \(3, 2, 2560\)",
        ),
        (
            {"hi": np.zeros((4, 2, 2560)), "lo": np.zeros((4, 2, 2560), np.uint8)},
            "float64 where",
        ),
    ],
)
def test_planes_of_another_shape_or_type_are_refused(compact, planes, message):
    np.savez(compact / "Bearing1_1.npz", **planes)
    with pytest.raises(ValueError, match=rf"Bearing1_1\.npz is truncated or damaged .*{message}"):
        load_femto(compact)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        '{"bearings": []}',
        '{"bearings": [{"bearing": "Bearing1_1"}]}',
        '{"bearings": [{"bearing": "Bearing9_9"}]}',
        '{"bearings": ["Bearing1_1"]}',
    ],
)
def test_a_damaged_manifest_is_named(compact, text):
    (compact / "manifest.json").write_text(text)
    with pytest.raises(ValueError, match=r"manifest\.json is damaged"):
        load_femto(compact)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"n_windows": 4', '"n_windows": 0'),
        ('"n_windows": 4', '"n_windows": "4"'),
        ('"file": "Bearing1_1.npz"', '"file": "../Bearing1_1.npz"'),
    ],
)
def test_a_manifest_with_impossible_entries_is_refused(compact, old, new):
    damage(compact / "manifest.json", old, new)
    with pytest.raises(ValueError, match=r"manifest\.json is damaged"):
        load_femto(compact)


def test_a_listed_file_that_is_missing_is_named(compact):
    (compact / "Bearing1_1.npz").unlink()
    with pytest.raises(FileNotFoundError, match=r"lacks Bearing1_1\.npz"):
        load_femto(compact)
    assert load_femto(compact, "3_3").bearings == ["Bearing3_3"]


# Asking for what is not there


def test_an_empty_folder_names_folder_variable_and_page(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        load_femto(tmp_path / "nowhere")
    for words in (str(tmp_path / "nowhere"), "SKPROG_DATA", "https://github.com/wkzs111"):
        assert words in str(caught.value)


def test_without_data_home_the_variable_names_the_folder(compact, tmp_path, monkeypatch):
    monkeypatch.delenv("SKPROG_DATA", raising=False)
    with pytest.raises(FileNotFoundError, match="SKPROG_DATA is not set"):
        load_femto()
    monkeypatch.setenv("SKPROG_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=f"SKPROG_DATA={tmp_path}"):
        load_femto(None)
    compact.rename(tmp_path / "femto")
    assert load_femto().bearings == ["Bearing1_1", "Bearing3_3"]


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({"bearings": ["1_9"]}, ValueError, "Unknown bearing '1_9'; known are Bearing1_1, "),
        ({"bearings": []}, ValueError, "bearings is empty"),
        ({"bearings": [11]}, ValueError, "Unknown bearing 11"),
        (
            {"bearings": ["1_3"]},
            FileNotFoundError,
            "Bearing1_3 not in .*has Bearing1_1, Bearing3_3",
        ),
        ({"subset": "train"}, ValueError, "subset='train' is not one of None, 'learning', 'test'"),
        ({"bearings": ["1_1"], "subset": "test"}, ValueError, "Bearing1_1 not in subset='test'"),
    ],
)
def test_bearings_that_cannot_be_loaded_are_named(compact, kwargs, error, message):
    with pytest.raises(error, match=message):
        load_femto(compact, **kwargs)


def test_a_subset_with_no_bearing_present_is_named(tree):
    shutil.rmtree(tree / "Learning_set")
    with pytest.raises(FileNotFoundError, match="No bearing of subset='learning'"):
        load_femto(tree, subset="learning")


def test_progress_is_shown_only_when_asked_for(compact, capfd):
    load_femto(compact)
    assert capfd.readouterr() == ("", "")
    load_femto(compact, verbose=1)
    assert "7/7" in capfd.readouterr().err


# Writing the compact form


def test_two_conversions_agree_byte_for_byte(tree, compact, tmp_path):
    compact_femto(tree, tmp_path / "again")
    for path in compact.iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()


def test_manifest_says_what_was_written(tree, compact, tmp_path):
    manifest = compact_femto(tree, tmp_path / "one", "3_3")
    assert manifest == json.loads((tmp_path / "one" / "manifest.json").read_text())
    (entry,) = manifest["bearings"]
    assert (entry["bearing"], entry["n_windows"], entry["set"]) == (
        "Bearing3_3",
        3,
        "Full_Test_Set",
    )
    assert (entry["rpm"], entry["load_n"]) == (1500, 5000)
    assert (entry["life_s"], entry["challenge_truncated_at_window"]) == (30, 352)
    assert entry["bytes"] == (tmp_path / "one" / "Bearing3_3.npz").stat().st_size


def test_bearings_already_written_are_kept(tree, compact):
    before = {path: path.stat().st_mtime_ns for path in compact.glob("*.npz")}
    compact_femto(tree, compact)
    assert {path: path.stat().st_mtime_ns for path in compact.glob("*.npz")} == before


def test_a_damaged_or_outgrown_bearing_is_written_again(tree, compact):
    good = (compact / "Bearing1_1.npz").read_bytes()
    (compact / "Bearing1_1.npz").write_bytes(good[:-1])
    shutil.copy(
        tree / "Full_Test_Set" / "Bearing3_3" / "acc_00001.csv",
        tree / "Full_Test_Set" / "Bearing3_3" / "acc_00004.csv",
    )
    compact_femto(tree, compact)
    assert (compact / "Bearing1_1.npz").read_bytes() == good
    assert len(load_femto(compact, "3_3").windows) == 4


def test_a_killed_conversion_leaves_only_whole_bearings_and_goes_on(tree, tmp_path):
    code = f"""
import os
from skprog.datasets import _compact_femto
write = _compact_femto._write_array

def die_in_second_bearing(archive, name, array, compress_type):
    if len(array) == 3 and name == "lo":
        archive.fp.flush()
        os._exit(9)
    write(archive, name, array, compress_type)

_compact_femto._write_array = die_in_second_bearing
_compact_femto.compact_femto({str(tree)!r}, {str(tmp_path / "out")!r})
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 9
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["Bearing1_1.npz", "Bearing3_3.npz.part", "manifest.json"]
    assert load_femto(tmp_path / "out").bearings == ["Bearing1_1"]
    compact_femto(tree, tmp_path / "out")
    assert load_femto(tmp_path / "out").bearings == ["Bearing1_1", "Bearing3_3"]
    assert not list((tmp_path / "out").glob("*.part"))


def test_a_damaged_source_leaves_no_file_of_its_bearing(tree, tmp_path):
    path = tree / "Full_Test_Set" / "Bearing3_3" / "acc_00003.csv"
    path.write_text(path.read_text()[:-5])
    with pytest.raises(ValueError, match=r"acc_00003\.csv is truncated"):
        compact_femto(tree, tmp_path / "out")
    assert load_femto(tmp_path / "out").bearings == ["Bearing1_1"]
    assert len(list((tmp_path / "out").iterdir())) == 2


def test_a_failed_move_leaves_nothing_behind(tree, tmp_path, monkeypatch):
    def refuse(*args):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OSError, match="disk full"):
        compact_femto(tree, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_conversion_refuses_gaps_and_missing_sources(tree, tmp_path):
    with pytest.raises(FileNotFoundError, match="Bearings not found"):
        compact_femto(tmp_path / "nowhere", tmp_path / "out")
    with pytest.raises(FileNotFoundError, match="Bearing2_2 not found"):
        compact_femto(tree, tmp_path / "out", "2_2")
    (tree / "Learning_set" / "Bearing1_1" / "acc_00002.csv").unlink()
    with pytest.raises(ValueError, match=r"lacks 1 of its vibration files \(numbers 2\)"):
        compact_femto(tree, tmp_path / "out")
    assert not (tmp_path / "out").exists()


# The paper's split


def test_all_bearings_split_as_in_the_paper():
    split = paper_split(CHALLENGE)
    assert split.test == [f"Bearing{k}" for k in ("2_2", "2_5", "1_4", "2_1", "1_3")]
    assert [ALL.index(name) for name in split.test] == [3, 13, 7, 2, 6]
    assert len(split.train) == 12
    assert split.missing == []


@given(st.sets(st.sampled_from(ALL), min_size=1))
def test_training_test_and_missing_bearings_share_nothing_and_leave_nothing_out(names):
    split = paper_split(names)
    assert sorted(split.train + split.test + split.missing) == sorted(ALL)
    assert set(split.train) | set(split.test) == names


def test_runs_of_windows_split_as_their_bearings(tree):
    data = load_femto(tree)
    assert paper_split(data.runs) == paper_split(data.bearings)


def test_split_of_unknown_bearings_lists_the_known_ones():
    with pytest.raises(ValueError, match="Unknown bearing 'Simulated1_1'; known are Bearing1_1"):
        paper_split(["1_1", "Simulated1_1"])
    with pytest.raises(ValueError, match="bearings is empty"):
        paper_split([])


# Simulated bearings


@pytest.fixture(scope="module")
def simulated():
    return make_run_to_failure(n_runs=6, n_windows=40, random_state=0)


def test_simulated_and_loaded_bearings_have_the_same_fields(tree, simulated):
    loaded = load_femto(tree)
    assert simulated.keys() == loaded.keys()
    for key, value in loaded.items():
        assert type(simulated[key]) is type(value)
        if isinstance(value, np.ndarray):
            assert simulated[key].dtype.kind == value.dtype.kind
            assert simulated[key].ndim == value.ndim
    assert simulated.windows.dtype == np.float32


def test_simulated_runs_end_at_rul_zero_and_start_at_time_zero(simulated):
    for name in simulated.bearings:
        rows = simulated.runs == name
        n_windows = rows.sum()
        np.testing.assert_array_equal(simulated.time[rows], 10 * np.arange(n_windows))
        np.testing.assert_array_equal(simulated.rul[rows], 10 * np.arange(n_windows)[::-1])
        assert set(simulated.condition[rows]) == {int(name[-3])}
    assert simulated.bearings[:4] == [f"Simulated{k}" for k in ("1_1", "2_1", "3_1", "1_2")]


def test_failed_bearings_shake_more_on_both_axes(simulated):
    rms = simulated.windows.std(axis=2)
    assert (rms[simulated.rul == 0] > 3 * rms[simulated.time == 0].max(axis=0)).all()
    ends = rms[simulated.rul == 0]
    assert (ends[:, 0] > ends[:, 1]).all()


def test_growth_is_slow_first_and_steep_late(simulated):
    for name in simulated.bearings:
        rms = simulated.windows[simulated.runs == name, 0].std(axis=1)
        quarters = [part.mean() for part in np.array_split(rms, 4)]
        steps = np.diff(quarters)
        assert (steps > 0).all()
        assert steps[2] > 3 * steps[0]


def test_the_envelope_of_a_failed_bearing_beats_at_the_characteristic_frequency(simulated):
    for name, speed in zip(simulated.bearings, (1800, 1650, 1500), strict=False):
        last = simulated.windows[simulated.runs == name][-3:, 0]
        envelope = np.abs(last) - np.abs(last).mean(axis=1, keepdims=True)
        power = (np.abs(np.fft.rfft(envelope)) ** 2).mean(axis=0)
        bpfo = 13 / 2 * (1 - 3.5 / 25.6) * speed / 60
        peak = 5 + power[5:40].argmax()
        assert abs(10 * peak - bpfo) <= 10


def test_heavier_load_shortens_the_mean_life():
    data = make_run_to_failure(n_runs=3, n_windows=300, n_timepoints=2, life_spread=0.0)
    lives = [int((data.runs == name).sum()) for name in data.bearings]
    assert lives[0] > lives[1] > lives[2]
    assert np.mean(lives) == pytest.approx(300, abs=1)
    assert lives[2] / lives[0] == pytest.approx((4000 / 5000) ** 3 * 1800 / 1500, abs=0.01)


def test_equal_seeds_give_equal_runs_and_other_seeds_others():
    first, again, other = (
        make_run_to_failure(n_runs=2, n_windows=5, n_timepoints=64, random_state=seed)
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first.windows, again.windows)
    assert first.windows.shape != other.windows.shape or (first.windows != other.windows).any()


def test_the_first_runs_do_not_depend_on_those_that_follow():
    few, many = (
        make_run_to_failure(n_runs=n, n_windows=5, n_timepoints=64, random_state=0) for n in (2, 5)
    )
    np.testing.assert_array_equal(few.windows, many.windows[: len(few.windows)])


def global_state():
    return np.random.get_state()[1].copy()  # noqa: NPY002


def test_the_global_generator_is_untouched():
    before = global_state()
    for seed in (None, 0, np.random.RandomState(0), np.random.default_rng(0)):
        make_run_to_failure(n_runs=1, n_windows=2, n_timepoints=8, random_state=seed)
    np.testing.assert_array_equal(global_state(), before)


@given(
    n_runs=st.integers(1, 5),
    n_windows=st.integers(1, 6),
    n_timepoints=st.integers(1, 40),
    period=st.floats(0.1, 100),
)
def test_any_sizes_give_finite_windows(n_runs, n_windows, n_timepoints, period):
    data = make_run_to_failure(
        n_runs, n_windows=n_windows, n_timepoints=n_timepoints, period=period, random_state=0
    )
    assert data.windows.shape == (len(data.rul), 2, n_timepoints)
    assert np.isfinite(data.windows).all()
    assert (data.rul == 0).sum() == n_runs
    assert data.period == period


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({"n_runs": 0}, ValueError, "n_runs=0 must be at least 1"),
        ({"n_windows": 0}, ValueError, "n_windows=0 must be at least 1"),
        ({"n_timepoints": 0}, ValueError, "n_timepoints=0 must be at least 1"),
        ({"n_runs": 2.5}, TypeError, "n_runs=2.5 must be an integer"),
        ({"life_spread": -0.1}, ValueError, "life_spread=-0.1 must be"),
        ({"life_spread": np.nan}, ValueError, "life_spread=nan must be finite"),
        ({"fs": 5000}, ValueError, "fs=5000 must be finite and at least 10000"),
        ({"period": 0}, ValueError, "period=0 must be finite and above 0"),
        ({"fs": "fast"}, TypeError, "fs='fast' must be a number"),
        ({"random_state": "seed"}, TypeError, "random_state='seed' must be None, an integer of"),
        ({"random_state": -1}, ValueError, "random_state=-1 must be None, an integer of"),
    ],
)
def test_impossible_simulations_are_refused(kwargs, error, message):
    with pytest.raises(error, match=message):
        make_run_to_failure(**kwargs)


def test_paths_and_bearings_of_another_type_are_refused(tree):
    with pytest.raises(TypeError, match=r"^data_home=3 must be a path\.$"):
        load_femto(3)
    with pytest.raises(TypeError, match=r"^source=None must be a path\.$"):
        compact_femto(None, tree)
    message = "^bearings={} must be a list of names such as '1_1'"
    with pytest.raises(TypeError, match=message.format(3)):
        load_femto(tree, bearings=3)
    with pytest.raises(TypeError, match=message.format(None)):
        paper_split(None)


# Real data


@pytest.mark.real_data
def test_csv_files_equal_the_compact_form_of_the_same_bearing(real_data):
    raw = load_femto(real_data / "femto_raw_sample", ["1_4", "3_3"])
    for name, n_windows in (("Bearing1_4", 40), ("Bearing3_3", 1)):
        whole = load_femto(real_data / "femto", name).windows
        np.testing.assert_array_equal(raw.windows[raw.runs == name], whole[:n_windows])


@pytest.mark.real_data
def test_csv_files_with_a_gap_equal_the_compact_form_at_their_numbers(real_data):
    with pytest.raises(ValueError, match=r"lacks 2085 .* \(numbers 31-2115\)"):
        load_femto(real_data / "femto_raw_sample", "1_1")
    raw = load_femto(real_data / "femto_raw_sample", "1_1", allow_gaps=True)
    whole = load_femto(real_data / "femto", "1_1")
    places = np.searchsorted(whole.time, raw.time)
    assert places.tolist() == [*range(30), *range(2115, 2125)]
    np.testing.assert_array_equal(raw.windows, whole.windows[places])


@pytest.mark.real_data
def test_windows_are_the_float32_of_the_documented_formula(real_data):
    data = load_femto(real_data / "femto", "2_7")
    with np.load(real_data / "femto" / "Bearing2_7.npz") as planes:
        counts = planes["hi"].astype(np.int32) * 256 + planes["lo"]
    np.testing.assert_array_equal(data.windows, (counts / 1000).astype(np.float32))


@pytest.mark.real_data
def test_real_files_survive_the_compact_form(real_data, tmp_path):
    compact_femto(real_data / "femto_raw_sample", tmp_path, ["1_4", "3_3"])
    raw, compact = load_femto(real_data / "femto_raw_sample", ["1_4", "3_3"]), load_femto(tmp_path)
    np.testing.assert_array_equal(sorted(raw.bearings), compact.bearings)
    np.testing.assert_array_equal(raw.windows, compact.windows)
    with (
        np.load(tmp_path / "Bearing1_4.npz") as ours,
        np.load(real_data / "femto" / "Bearing1_4.npz") as theirs,
    ):
        assert ours["clock"].shape == (40, 4)
        assert ours["clock"][1].tolist() == [8, 8, 10, 425_040]
        np.testing.assert_array_equal(ours["lo"], theirs["lo"][:40])


@pytest.mark.real_data
def test_constants_agree_with_the_manifest_of_the_real_bearings(real_data):
    from skprog.datasets._bearing_runs import CONDITIONS
    from skprog.datasets._femto_files import FOLDERS, LIVES

    for entry in json.loads((real_data / "femto" / "manifest.json").read_text())["bearings"]:
        name = entry["bearing"]
        truncated_at = entry["challenge_truncated_at_window"]
        assert LIVES[name] == (entry["n_windows"], truncated_at, entry["challenge_actual_rul_s"])
        assert FOLDERS[name] == entry["set"]
        assert CONDITIONS[entry["condition"]] == (entry["rpm"], entry["load_n"])


@pytest.mark.real_data
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads VmHWM, which is Linux's")
@pytest.mark.parametrize("bearings", [["1_2"], ["1_1", "1_2"]])
def test_peak_memory_stays_under_twice_the_result(real_data, bearings):
    # ru_maxrss of a child starts at that of the process that started it; VmHWM does not.
    code = f"""
import re
from skprog.datasets import load_femto

def peak():
    return 1024 * int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])

before = peak()
windows = load_femto({str(real_data / "femto")!r}, {bearings!r}).windows
print((peak() - before) / windows.nbytes)
"""
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert 0.5 < float(run.stdout) < 2
