"""CIFAR-10 and CIFAR-100: records of the binary version, the subset, damage, and the real one."""

import numpy as np
import pytest

from skprog.datasets import _cifar, load_cifar
from skprog.datasets._cifar import CIFAR_PAGE

TEN = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
COARSE = [f"group{i:02d}" for i in range(20)]
FINE = [f"class{i:03d}" for i in range(100)]


@pytest.fixture(autouse=True)
def _few_images(monkeypatch):
    monkeypatch.setattr(_cifar, "N_IMAGES", 2)
    monkeypatch.delenv("SKPROG_DATA", raising=False)


def pixels(n, seed):
    return np.random.default_rng(seed).integers(0, 256, (n, 3, 32, 32), dtype=np.uint8)


def records(labels, X):
    """Return the bytes of a file: the labels of each image, then its pixels."""
    labels = np.array(labels, dtype=np.uint8).reshape(len(X), -1)
    return np.concatenate([labels, X.reshape(len(X), -1)], axis=1).tobytes()


@pytest.fixture
def ten(tmp_path):
    """Folder of CIFAR-10 with two images in each file."""
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    for i in range(1, 6):
        (folder / f"data_batch_{i}.bin").write_bytes(records([i, 9], pixels(2, i)))
    (folder / "test_batch.bin").write_bytes(records([0, 3], pixels(2, 6)))
    (folder / "batches.meta.txt").write_text("\n".join(TEN) + "\n\n")
    return folder


@pytest.fixture
def hundred(tmp_path):
    """Folder of CIFAR-100 with ten training and two test images."""
    folder = tmp_path / "cifar-100-binary"
    folder.mkdir()
    labels = [[i, 10 * i + 5] for i in range(10)]
    (folder / "train.bin").write_bytes(records(labels, pixels(10, 0)))
    (folder / "test.bin").write_bytes(records([[19, 99], [0, 1]], pixels(2, 1)))
    (folder / "coarse_label_names.txt").write_text("\n".join(COARSE))
    (folder / "fine_label_names.txt").write_text("\n".join(FINE))
    return folder


@pytest.fixture
def subset(tmp_path):
    """Folder with a subset of CIFAR-10: three training images and one test image."""
    arrays = {"x_train": pixels(3, 0), "y_train": np.array([2, 0, 9], np.uint8)}
    arrays |= {"x_test": pixels(1, 1), "y_test": np.array([5], np.uint8)}
    np.savez_compressed(tmp_path / "cifar10_subset.npz", **arrays, class_names=np.array(TEN))
    return tmp_path


# What is read


def test_ten_classes_come_in_the_order_of_the_files(ten):
    data = load_cifar(ten)
    expected = np.concatenate([pixels(2, i) for i in range(1, 6)])
    np.testing.assert_array_equal(data.X_train, expected)
    np.testing.assert_array_equal(data.X_test, pixels(2, 6))
    assert data.X_train.dtype == data.X_test.dtype == np.uint8
    assert data.y_train[::2].tolist() == ["automobile", "bird", "cat", "deer", "dog"]
    assert set(data.y_train[1::2]) == {"truck"}
    assert data.y_test.tolist() == ["airplane", "cat"]
    assert data.target_names == TEN == np.unique(TEN).tolist()
    assert data.source == "binary"


def test_a_hundred_classes_come_with_their_groups(hundred):
    data = load_cifar(hundred, version=100)
    np.testing.assert_array_equal(data.X_train, pixels(10, 0))
    assert data.y_train.tolist() == [f"class{i:02d}5" for i in range(10)]
    assert data.coarse_train.tolist() == COARSE[:10]
    assert data.y_test.tolist() == ["class099", "class001"]
    assert data.coarse_test.tolist() == ["group19", "group00"]
    assert data.target_names == FINE


def test_red_comes_before_green_and_blue_row_by_row(ten):
    X = np.zeros((2, 3072), dtype=np.uint8)
    X[0, [1, 32, 1024, 2048]] = 1, 2, 3, 4
    (ten / "test_batch.bin").write_bytes(records([0, 0], X))
    image = load_cifar(ten).X_test[0]
    found = image[0, 0, 1], image[0, 1, 0], image[1, 0, 0], image[2, 0, 0]
    assert found == (1, 2, 3, 4)


@pytest.mark.parametrize(("fixture", "version"), [("ten", 10), ("hundred", 100)])
def test_the_folder_above_is_as_good_and_so_is_the_variable(fixture, version, request, monkeypatch):
    folder = request.getfixturevalue(fixture)
    above = load_cifar(folder.parent, version=version)
    named = folder.parent / "data" / f"cifar{version}"
    named.parent.mkdir()
    folder.rename(named)
    monkeypatch.setenv("SKPROG_DATA", str(named.parent))
    data = load_cifar(version=version)
    np.testing.assert_array_equal(data.X_train, above.X_train)
    assert str(named) in data.DESCR


def test_the_subset_says_that_it_is_one(subset):
    data = load_cifar(subset)
    np.testing.assert_array_equal(data.X_train, pixels(3, 0))
    assert data.y_train.tolist() == ["bird", "airplane", "truck"]
    assert data.y_test.tolist() == ["dog"]
    assert data.source == "subset"
    for words in ("3 training and 1 test images of CIFAR-10, a subset", "JPEG", "not comparable"):
        assert words in data.DESCR


def test_the_official_images_are_preferred_to_the_subset(ten, subset):
    data = load_cifar(subset)
    assert data.source == "binary"
    assert "subset" not in data.DESCR
    for words in ("CIFAR-10:", "10 training and 2 test images", "Krizhevsky", CIFAR_PAGE):
        assert words in data.DESCR


# What is refused


def test_without_folder_and_variable_there_is_nothing_to_read():
    with pytest.raises(FileNotFoundError, match=r"data_home is None .* SKPROG_DATA .*'cifar100'"):
        load_cifar(version=100)


def test_a_folder_without_images_names_what_is_expected(tmp_path, monkeypatch):
    message = r"No images of CIFAR-10 in .*data_batch_1\.bin .*cifar-10-batches-bin.*kriz"
    with pytest.raises(FileNotFoundError, match=message):
        load_cifar(tmp_path)
    monkeypatch.setenv("SKPROG_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"cifar10 \(from SKPROG_DATA="):
        load_cifar()


def test_there_is_no_subset_of_a_hundred_classes(subset):
    with pytest.raises(FileNotFoundError, match="No images of CIFAR-100"):
        load_cifar(subset, version=100)


@pytest.mark.parametrize(
    ("version", "name"), [(10, "cifar-10-batches-py/data_batch_1"), (100, "train")]
)
def test_pickles_are_refused(version, name, tmp_path):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"\x80")
    with pytest.raises(ValueError, match=r"holds the Python version, pickles.*fetch the binary"):
        load_cifar(tmp_path, version=version)


@pytest.mark.parametrize("name", ["data_batch_4.bin", "test_batch.bin", "batches.meta.txt"])
def test_a_missing_file_is_named(name, ten):
    (ten / name).unlink()
    with pytest.raises(FileNotFoundError, match=rf"{name} not in .*The data come from"):
        load_cifar(ten)


@pytest.mark.parametrize("n_lost", [1, 3073])
def test_truncated_files_are_refused(n_lost, ten):
    path = ten / "data_batch_2.bin"
    path.write_bytes(path.read_bytes()[:-n_lost])
    with pytest.raises(ValueError, match=f"data_batch_2.*{6146 - n_lost} bytes where 6146 are due"):
        load_cifar(ten)


def test_unknown_labels_are_refused(ten, hundred):
    (ten / "test_batch.bin").write_bytes(records([0, 10], pixels(2, 0)))
    with pytest.raises(ValueError, match=r"test_batch.*a label 10 where 0 to 9 are known"):
        load_cifar(ten)
    (hundred / "test.bin").write_bytes(records([[20, 0], [0, 0]], pixels(2, 0)))
    with pytest.raises(ValueError, match=r"test\.bin.*a label 20 where 0 to 19 are known"):
        load_cifar(hundred, version=100)


def test_too_few_names_are_refused(ten):
    (ten / "batches.meta.txt").write_text("airplane\ncat\n")
    with pytest.raises(ValueError, match=r"batches\.meta\.txt.*2 names where 10 are due"):
        load_cifar(ten)


@pytest.mark.parametrize(
    ("names", "message"),
    [(b"cat\n" * 10, "1 names where 10 are due"), (b"\xff\xfe" * 10, "'utf-8' codec can't decode")],
)
def test_names_that_are_not_those_of_ten_classes_are_refused(names, message, ten):
    next(ten.rglob("batches.meta.txt")).write_bytes(names)
    with pytest.raises(ValueError, match=rf"batches\.meta\.txt is truncated or dam.*{message}"):
        load_cifar(ten)


def test_a_byte_order_mark_is_no_part_of_a_name(ten):
    path = next(ten.rglob("batches.meta.txt"))
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert load_cifar(ten, version=10.0).target_names == sorted(TEN)


def damage_subset(folder, **changed):
    path = folder / "cifar10_subset.npz"
    with np.load(path) as file:
        arrays = dict(file)
    np.savez(path, **{**arrays, **changed})


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"x_train": pixels(2, 0)}, r"images of uint8 and shape \(2, 3, 32, 32\)"),
        ({"x_test": np.zeros((1, 3, 32, 32))}, "images of float64"),
        ({"y_test": np.array([10], np.uint8)}, "a label 10 where 0 to 9 are known"),
        ({"y_test": np.array([-1])}, "a label -1 where 0 to 9 are known"),
        ({"y_test": np.array([1.0])}, r"labels of float64 and shape \(1,\)"),
        ({"y_test": np.array(3)}, r"labels of int64 and shape \(\)"),
        ({"class_names": np.arange(10)}, r"names of int64 and shape \(10,\)"),
        ({"class_names": np.array(TEN, dtype=object)}, "ValueError: Object arrays cannot be"),
    ],
)
def test_a_damaged_subset_is_refused(changed, message, subset):
    damage_subset(subset, **changed)
    with pytest.raises(ValueError, match=rf"cifar10_subset\.npz is truncated or dam.*{message}"):
        load_cifar(subset)


def test_a_truncated_subset_is_refused(subset):
    path = subset / "cifar10_subset.npz"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"cifar10_subset\.npz is truncated or damaged \(BadZip"):
        load_cifar(subset)


def test_other_versions_and_paths_are_refused(tmp_path):
    with pytest.raises(ValueError, match="version=20 is not one of 10, 100"):
        load_cifar(tmp_path, version=20)
    with pytest.raises(TypeError, match="data_home=3 must be a path"):
        load_cifar(3)


# The real one


@pytest.mark.real_data
def test_the_stored_subset_has_as_many_images_of_each_class(real_data):
    if not (real_data / "cifar10").is_dir():
        pytest.skip(f"no cifar10 in {real_data}")
    data = load_cifar(real_data / "cifar10")
    if data.source != "subset":
        pytest.skip("the official images are there")
    assert data.X_train.shape == (5000, 3, 32, 32)
    assert data.X_test.shape == (1000, 3, 32, 32)
    assert np.unique(data.y_train, return_counts=True)[1].tolist() == [500] * 10
    assert np.unique(data.y_test, return_counts=True)[1].tolist() == [100] * 10
    assert data.target_names == TEN
