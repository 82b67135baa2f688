"""Sets of the UCR and UEA archives: formats, splits, damage, and the real ones."""

import gzip

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from skprog.datasets import load_ucr
from skprog.datasets._ucr import BUNDLED

HEADER = """#Two hands.
@problemName Hands
@timeStamps false
@missing false
@univariate {univariate}
@classLabel true Left Right
@data
"""
ONE = HEADER.format(univariate="true")
TWO = HEADER.format(univariate="false")
ARFF = """% Two hands.
@RELATION Hands
@ATTRIBUTE att0 NUMERIC
@ATTRIBUTE att1 NUMERIC
@ATTRIBUTE target {Left,Right}
@DATA
"""
NESTED = """@relation Hands
@attribute bag relational
@attribute att0 numeric
@end bag
@attribute hand {Left, Right}
@data
"""


@pytest.fixture
def write(tmp_path):
    """Function that writes a set ``Hands`` from the text of its two files, and loads it."""

    def write_and_load(train, test=None, *, suffix=".ts", name="Hands"):
        for part, text in (("TRAIN", train), ("TEST", train if test is None else test)):
            contents = text if isinstance(text, bytes) else text.encode()
            (tmp_path / f"{name}_{part}{suffix}").write_bytes(contents)
        return load_ucr(name, tmp_path)

    return write_and_load


@pytest.fixture(autouse=True)
def _no_variable(monkeypatch):
    monkeypatch.delenv("SKPROG_DATA", raising=False)


# Formats


def test_fields_of_a_set_of_one_channel(write):
    data = write(f"{ONE}1,2,3:Left\n4,5,6:Right\n", f"{ONE}7.5,8,-9e-1:Right\n")
    np.testing.assert_array_equal(data.X_train, [[[1, 2, 3]], [[4, 5, 6]]])
    np.testing.assert_array_equal(data.X_test, [[[7.5, 8, -0.9]]])
    assert data.X_train.dtype == data.X_test.dtype == np.float64
    assert data.y_train.tolist() == ["Left", "Right"]
    assert data.y_test.tolist() == ["Right"]
    assert data.target_names == ["Left", "Right"]


def test_description_names_source_terms_and_files(write, tmp_path):
    text = write(f"{ONE}1,2:Left\n3,4:Right\n").DESCR
    for words in ("Hands", "timeseriesclassification.com", "citation", "1 channel, 2 timepoints"):
        assert words in text
    assert f"{tmp_path / 'Hands_TEST.ts'}: 2 cases, 1 of Left, 1 of Right" in text


def test_channels_are_parted_by_colons(write):
    data = write(f"{TWO}1,2,3:4,5,6:Left\n\n7,8,9:10,11,12:Right")
    np.testing.assert_array_equal(data.X_train[1], [[7, 8, 9], [10, 11, 12]])


def test_labels_are_spelt_as_the_header_does(write):
    data = write(f"{ONE}1:LEFT\n2:Right\n", f"{ONE}1:left\n")
    assert data.y_train.tolist() == ["Left", "Right"]
    assert data.y_test.tolist() == ["Left"]


def test_a_number_is_one_label_however_it_is_written(write):
    data = write("1\t5\n1.0\t6\n-0\t7\n0\t8\n2.50\t9", suffix=".tsv")
    assert data.y_train.tolist() == ["1", "1", "0", "0", "2.5"]


def test_labels_may_be_numbers_that_the_header_spells_otherwise(write):
    header = ONE.replace("Left Right", "1.0 2.0")
    assert write(f"{header}5:1\n6:2\n").y_train.tolist() == ["1", "2"]


def test_cases_of_unequal_length_are_lists(write):
    data = write(f"{TWO}1,2:3,4:Left\n5:6:Right\n", f"{TWO}1,2:3,4:Left\n")
    assert [case.shape for case in data.X_train] == [(2, 2), (2, 1)]
    assert [case.shape for case in data.X_test] == [(2, 2)]
    assert isinstance(data.X_test, list)
    assert "2 channels, 1 to 2 timepoints" in data.DESCR


def test_missing_values_at_the_end_are_padding(write):
    data = write(f"{TWO}1,2,?:3,4,NaN:Left\n5,6,7:8,9,10:Right\n")
    np.testing.assert_array_equal(data.X_train[0], [[1, 2], [3, 4]])
    assert data.X_train[1].shape == (2, 3)


def test_padding_of_all_cases_alike_leaves_an_array(write):
    assert write(f"{ONE}1,2,?:Left\n5,6,?:Right\n").X_train.shape == (2, 1, 2)


@pytest.mark.parametrize(
    ("suffix", "text"),
    [
        (".tsv", "1\t1\t2\n-1\t3\t4\n"),
        (".txt", "  1.0000000e+00   1.0000000e+00   2.0\n -1.0000000e+00   3   4\n"),
        (".txt", "1,1,2\r\n-1,3,4\r\n"),
    ],
)
def test_tables_have_the_class_first_and_as_a_whole_number(write, suffix, text):
    data = write(text, suffix=suffix)
    np.testing.assert_array_equal(data.X_train, [[[1, 2]], [[3, 4]]])
    assert data.y_train.tolist() == ["1", "-1"]


def test_tables_pad_with_missing_values(write):
    data = write("1\t1\t2\n2\t3\tNaN\n", suffix=".tsv")
    assert [case.shape for case in data.X_train] == [(1, 2), (1, 1)]


def test_arff_of_one_channel(write):
    data = write(f"{ARFF}1,2,Left\n3,4,'Right'\n", suffix=".arff")
    np.testing.assert_array_equal(data.X_train, [[[1, 2]], [[3, 4]]])
    assert data.y_train.tolist() == ["Left", "Right"]


@pytest.mark.parametrize("quote", ["'", '"'])
def test_arff_of_several_channels(write, quote):
    rows = rf"{quote}1,2\n3,4{quote},Left", rf"{quote}5,?\n6,?{quote},Right"
    data = write(NESTED + "\n".join(rows), suffix=".arff")
    np.testing.assert_array_equal(data.X_train[0], [[1, 2], [3, 4]])
    np.testing.assert_array_equal(data.X_train[1], [[5], [6]])


@pytest.mark.parametrize("suffix", [".ts.gz", ".arff.gz", ".tsv.gz"])
def test_packed_files_are_read(write, suffix):
    text = {".ts.gz": f"{ONE}1,2:Left\n3,4:Right", ".arff.gz": f"{ARFF}1,2,Left\n3,4,Right"}
    data = write(gzip.compress(text.get(suffix, "1\t1\t2\n2\t3\t4").encode()), suffix=suffix)
    np.testing.assert_array_equal(data.X_train, [[[1, 2]], [[3, 4]]])


def test_a_byte_order_mark_and_latin_letters_in_the_description_are_read_over(write):
    assert write(f"\ufeff{ONE}1:Left\n2:Right".encode()).X_train.shape == (2, 1, 1)
    text = ONE.replace("hands", "H\xe4nde") + "1:Left\n2:Right"
    assert write(text.encode("latin-1")).X_train.shape == (2, 1, 1)


# Where files are looked for


def test_a_folder_of_the_name_comes_before_the_folder_itself(write, tmp_path):
    write(f"{ONE}1:Left\n2:Right")
    (tmp_path / "Hands").mkdir()
    for part in ("TRAIN", "TEST"):
        (tmp_path / "Hands" / f"Hands_{part}.ts").write_text(f"{ONE}8:Left\n9:Right")
    assert load_ucr("Hands", str(tmp_path)).X_test.ravel().tolist() == [8, 9]


def test_of_several_formats_ts_comes_first(write):
    write("1 5\n2 6", suffix=".txt")
    write("1\t3\n2\t4", suffix=".tsv")
    assert write(f"{ONE}1:Left\n2:Right").X_test.ravel().tolist() == [1, 2]


def test_variable_names_the_folder_above_ucr(write, tmp_path, monkeypatch):
    (tmp_path / "ucr").mkdir()
    for part in ("TRAIN", "TEST"):
        (tmp_path / "ucr" / f"Hands_{part}.ts").write_text(f"{ONE}8:Left\n9:Right")
    monkeypatch.setenv("SKPROG_DATA", str(tmp_path))
    assert load_ucr("Hands").X_train.shape == (2, 1, 1)
    assert load_ucr("GunPoint").X_train.shape == (50, 1, 150)
    with pytest.raises(FileNotFoundError, match=r"ucr/Feet and .*ucr \(from SKPROG_DATA="):
        load_ucr("Feet")


@pytest.mark.parametrize(
    ("name", "n_train", "n_test", "shape", "n_classes"),
    [
        ("ACSF1", 100, 100, (1, 1460), 10),
        ("ArrowHead", 36, 175, (1, 251), 3),
        ("BasicMotions", 40, 40, (6, 100), 4),
        ("GunPoint", 50, 150, (1, 150), 2),
        ("ItalyPowerDemand", 67, 1029, (1, 24), 2),
        ("OSULeaf", 200, 242, (1, 427), 6),
        ("JapaneseVowels", 270, 370, (12, range(7, 30)), 9),
        ("PLAID", 537, 537, (1, range(100, 1345)), 11),
    ],
)
def test_bundled_sets_need_neither_folder_nor_variable(name, n_train, n_test, shape, n_classes):
    data = load_ucr(name)
    n_channels, n_timepoints = shape
    is_list = isinstance(n_timepoints, range)
    for X, y, n in ((data.X_train, data.y_train, n_train), (data.X_test, data.y_test, n_test)):
        assert len(X) == len(y) == n
        assert isinstance(X, list if is_list else np.ndarray)
        for case in X:
            assert case.shape[0] == n_channels
            assert case.shape[1] in n_timepoints if is_list else case.shape[1] == n_timepoints
    assert len(data.target_names) == n_classes
    assert name in BUNDLED


@pytest.mark.parametrize("name", ["BasicMotions", "JapaneseVowels"])
def test_values_are_those_of_sktimes_reader_and_labels_too_but_for_case(name):
    from sktime.datasets import load_UCR_UEA_dataset

    data = load_ucr(name)
    X, y = load_UCR_UEA_dataset(name, split="test", return_X_y=True)
    assert y.tolist() == [label.lower() for label in data.y_test]
    for case, (_, row) in zip(data.X_test, X.iterrows(), strict=True):
        np.testing.assert_array_equal(case, [channel.to_numpy() for channel in row])


def test_bundled_sets_are_found_with_a_folder_that_has_others(tmp_path):
    assert load_ucr("GunPoint", tmp_path).X_train.shape == (50, 1, 150)


def test_unknown_names_are_answered_with_similar_ones(write, tmp_path):
    write(f"{ONE}1:Left\n2:Right")
    with pytest.raises(FileNotFoundError, match=r"Similar names are Hands\. Without .* ArrowHead"):
        load_ucr("Hnds", tmp_path)
    with pytest.raises(FileNotFoundError, match=r"SKPROG_DATA is not set.*GunPoint"):
        load_ucr("gunpoint")
    with pytest.raises(FileNotFoundError, match=r"Coffee_TRAIN\.ts .*come from https") as error:
        load_ucr("Coffee")
    assert "Similar" not in str(error.value)


def test_a_missing_half_is_named(write, tmp_path):
    write(f"{ONE}1:Left\n2:Right")
    (tmp_path / "Hands_TEST.ts").unlink()
    with pytest.raises(FileNotFoundError, match=r"there is no Hands_TEST\.ts \(or \.ts\.gz"):
        load_ucr("Hands", tmp_path)


@pytest.mark.parametrize(
    ("args", "error", "message"),
    [
        ((3,), TypeError, "name=3 must be the name"),
        (("../Hands",), ValueError, "name='../Hands' is no name"),
        (("",), ValueError, "name='' is no name"),
        (("Hands", 3), TypeError, "data_home=3 must be a path"),
        (("GunPoint", "no_such"), FileNotFoundError, "'no_such' is no folder. Expected are Gun"),
    ],
)
def test_wrong_arguments_are_refused(args, error, message):
    with pytest.raises(error, match=message):
        load_ucr(*args)


# Damage


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        (" \n\n", "is empty"),
        ("@problemName Hands\n@timeStamps fal", "no line @data: it is truncated"),
        (ONE, "has no cases"),
        (f"{ONE}1,2:Left\n3,4:Ri", "line 9 has the class 'Ri' where the header names Left, Right"),
        (f"{ONE}1,2:Left\n3,", "line 9 has the class '3,' where"),
        (f"{ONE}1,2:Left\n3,4:", "line 9 has no class where"),
        (f"{ONE}1,2:Left\n3,4:5,6:Left", "line 9 has 2 channels where 1 are due"),
        (
            f"{ONE}1,2:Left\n3:Left".replace("@data", "@equalLength true\n@data"),
            "line 10 has 1 values where 2 are due",
        ),
        (f"{ONE}Left", "line 8 has 0 channels where some are due"),
        (f"{ONE}1,2:Left\n3,x:Left", r"line 9 has a value that is none \(.*'x'"),
        (f"{ONE}1,,2:Left", "line 8 has a value that is none"),
        (
            f"{ONE}1,?,2:Left\n1,2,3:Left",
            r"missing or infinite values within the cases 0 \(counted",
        ),
        (f"{ONE}1,2,3:Left\n?,1,2:Left\n1,inf,2:Left", "within the cases 1, 2 "),
        (f"{TWO}1,2:3,?:Left", "within the cases 0 "),
        (f"{TWO}1,2:3:Left", "within the cases 0 "),
        (ONE + "?,1:Left\n" * 12, "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more "),
        (f"{ONE}?,?:Left", "within the cases 0 "),
        (ONE.replace("Stamps false", "Stamps true") + "(0,1):Left", "has timestamps"),
        (ONE.replace("@classLabel true Left Right", "@targetLabel true") + "1:2", "has no classes"),
        (ONE.replace("true Left Right", "false") + "1:2", "has no classes"),
    ],
)
def test_damaged_ts_files_are_refused_by_name(write, text, message):
    with pytest.raises(ValueError, match=rf"Hands_TRAIN\.ts .*{message}"):
        write(text)


@pytest.mark.parametrize(
    ("suffix", "text", "message"),
    [
        (".tsv", "1\t2\t3\n1\t2", "line 2 has 1 values where 2 are due"),
        (".tsv", "1\t2\nnan\t3", "line 2 has the class 'nan'"),
        (".tsv", "1\t2\tx", "line 1 has a value that is none"),
        (".txt", "a 2 3", "line 1 has a class that is no number"),
        (".arff", f"{ARFF}1,2,Left\n1,2,Le", "line 8 has the class 'Le' where"),
        (".arff", f"{ARFF}1,2,Left\n1,Left", "line 8 has 1 values where 2 are due"),
        (".arff", f"{ARFF}1,2,Left\n1,2,3,Left", "line 8 has 3 values where 2 are due"),
        (".arff", ARFF.replace("{Left,Right}", "NUMERIC") + "1,2,3", "has no classes"),
        (".arff", rf"{NESTED}'1,2\n3,4',Left" + "\n" + r"'1,2',Left", "line 8 has 1 channels"),
        (".ts.gz", b"no gzip", "truncated, damaged or not to be read"),
        (".ts.gz", gzip.compress(ONE.encode() * 9)[:-20], "truncated, damaged or not to be read"),
    ],
)
def test_damaged_files_of_other_formats_are_refused_by_name(write, suffix, text, message):
    with pytest.raises(ValueError, match=rf"Hands_TRAIN{suffix} .*{message}"):
        write(text, suffix=suffix)


def test_test_cases_of_another_set_are_refused(write):
    train = f"{ONE}1,2:Left\n3,4:Left"
    with pytest.raises(ValueError, match=r"TEST\.ts has the class 'Right', which .*TRAIN\.ts has"):
        write(train, f"{ONE}1,2:Right")
    with pytest.raises(ValueError, match=r"TEST\.ts has 2 channels but .*TRAIN\.ts has 1"):
        write(train, f"{TWO}1,2:1,2:Left")


def test_test_cases_may_lack_a_class(write):
    data = write(f"{ONE}1:Left\n2:Right", f"{ONE}1:Right")
    assert data.target_names == ["Left", "Right"]


# Real data


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "train", "test", "n_classes", "accuracy"),
    [
        ("ECG5000", (500, 1, 140), (4500, 1, 140), 5, 0.925),
        ("PenDigits", (7494, 2, 8), (3498, 2, 8), 10, 0.977),
        ("RacketSports", (151, 6, 30), (152, 6, 30), 4, 0.822),
    ],
)
def test_nearest_neighbours_are_as_right_as_published(
    real_data, name, train, test, n_classes, accuracy
):
    if not (real_data / "ucr").is_dir():
        pytest.skip(f"no folder ucr in {real_data}")
    data = load_ucr(name, real_data / "ucr")
    assert data.X_train.shape == train
    assert data.X_test.shape == test
    assert len(data.target_names) == n_classes
    nearest = KNeighborsClassifier(1).fit(data.X_train.reshape(len(data.y_train), -1), data.y_train)
    score = nearest.score(data.X_test.reshape(len(data.y_test), -1), data.y_test)
    assert score == pytest.approx(accuracy, abs=5e-4)


@pytest.mark.real_data
def test_real_labels_keep_their_case(real_data):
    if not (real_data / "ucr").is_dir():
        pytest.skip(f"no folder ucr in {real_data}")
    names = load_ucr("RacketSports", real_data / "ucr").target_names
    assert names == [
        "Badminton_Clear",
        "Badminton_Smash",
        "Squash_BackhandBoast",
        "Squash_ForehandBoast",
    ]
