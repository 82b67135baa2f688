"""Grey images in the files of cameras and microscopes."""

import numpy as np

FORMATS = ("PNG", "TIFF", "JPEG", "BMP", "GIF", "WEBP")
MAX_GREY = (1 << 16) - 1
# Tags of a TIFF file: bits of a value, and what the value 0 stands for.
BITS, PHOTOMETRIC, WHITE_IS_ZERO = 258, 262, 0


def import_pillow():
    """Return PIL.Image, or say which extra brings it."""
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError('load_sem needs Pillow; pip install "skprog[image]".') from error
    return Image


def read_image(image_module, path, border):
    """Return an image without its border, (height, width), uint8 or uint16."""
    try:
        with image_module.open(path, formats=FORMATS) as file:
            sizes = _seek_largest(file)
            tags = getattr(file, "tag_v2", {})
            mode = file.mode
            if not mode.startswith(("I", "F")):
                file = file.convert("L")
            image = np.array(file)
    except Exception as error:  # Pillow raises about ten kinds
        raise ValueError(
            f"{path} cannot be read as {', '.join(FORMATS[:-1])} or {FORMATS[-1]} "
            f"({type(error).__name__}: {error}); save it anew or leave it out."
        ) from error
    is_white_zero = tags.get(PHOTOMETRIC) == WHITE_IS_ZERO
    if is_white_zero and image.dtype != np.uint8 and image.dtype.kind in "iu":
        # Pillow turns images of 8 bits alone.
        image = (1 << tags.get(BITS, (16,))[0]) - 1 - image.astype(np.int64)
    if image.dtype != np.uint8:
        # Some versions of Pillow read 16 bits into 32.
        if image.dtype.kind == "f" or image.min() < 0 or image.max() > MAX_GREY:
            raise ValueError(
                f"{path} has values of {image.dtype} (mode {mode}) from {image.min()} to "
                f"{image.max()}; save it with 8 or 16 bits per pixel."
            )
        image = image.astype(np.uint16)
    if sizes.count(max(sizes)) > 1:
        raise ValueError(
            f"{path} holds {sizes.count(max(sizes))} images of one size; save each as a file."
        )
    top, bottom, left, right = border
    height, width = image.shape
    if top + bottom >= height or left + right >= width:
        raise ValueError(
            f"{path} is too small: nothing of its {height} x {width} pixels is left when {top} are "
            f"cut off at the top, {bottom} at the bottom, {left} at the left and {right} at the "
            "right; cut off less or leave it out."
        )
    image = image[top : height - bottom, left : width - right].copy()
    if image.min() == image.max():
        raise ValueError(f"{path} has the value {image.min()} throughout; leave blank images out.")
    return image


def _seek_largest(file):
    """Turn to the largest page of an open file, and return how many px each page has."""
    sizes = []
    for page in range(getattr(file, "n_frames", 1)):
        file.seek(page)
        sizes.append(file.width * file.height)
    file.seek(sizes.index(max(sizes)))
    return sizes
