"""`shapes`: ten classes of generated 32x32 images, the data set that needs no download.

Each image holds one near-gray figure of random place, size, contrast and sign (light on dark or dark on
light) over a faint wave and noise. The class is the kind of figure. Crops, flips, color jitter and blur keep
it, and what they change (place, size, brightness, color) says nothing about it; docs/data.md says why that
matters.
"""

import numpy as np

SIDE = 32  # pixels
SHAPE_NAMES = (
    *("disk", "ring", "square", "frame", "triangle"),
    *("plus", "cross", "rows", "columns", "checkerboard"),
)
_BLOCK = 256  # images drawn at a time: their arrays stay in the cache, and memory does not grow with n

# What makes the task hard enough, in units of the full brightness range (calibrated, see docs/data.md).
_CONTRAST = (0.25, 0.55)
_WAVE = (0.02, 0.06)
_NOISE = 0.07  # standard deviation
_RADIUS = (7, 12)  # pixels

_Array = np.ndarray


def make_shapes(n: int, seed: int = 0) -> tuple[_Array, _Array]:
    """Generate n images and their labels.

    Returns images, uint8 (n, 32, 32, 3), and labels, int64 (n,), which index `SHAPE_NAMES`. The classes are
    balanced (their counts differ by at most one) and shuffled. The result depends on n and seed alone; use
    different seeds for training and test images. n may be 0.

    Raises TypeError when n is not an integer, ValueError when it is negative.

    >>> images, labels = make_shapes(20, seed=1)
    >>> images.shape, labels.shape, np.bincount(labels).tolist()
    ((20, 32, 32, 3), (20,), [2, 2, 2, 2, 2, 2, 2, 2, 2, 2])
    """
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)):
        raise TypeError(f"n must be an integer, got {type(n).__name__}")
    if n < 0:
        raise ValueError(f"n must be at least 0, got {n}")
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n, dtype=np.int64) % len(SHAPE_NAMES))
    images = np.empty((n, SIDE, SIDE, 3), dtype=np.uint8)
    for start in range(0, n, _BLOCK):
        block = slice(start, start + _BLOCK)
        images[block] = _draw(labels[block], rng)
    return images, labels


def _draw(labels: _Array, rng: np.random.Generator) -> _Array:
    """Draw one block of images, uint8 (n, 32, 32, 3)."""
    n = len(labels)
    contrast = _uniform(rng, *_CONTRAST, n) * rng.choice(np.float32([-1, 1]), (n, 1, 1))
    gray = _figures(labels, rng) - 0.5  # (n, 32, 32), from -0.5 outside to 0.5 inside
    gray *= contrast
    gray += _wave(n, rng)
    gray += np.float32(_NOISE) * rng.standard_normal(gray.shape, dtype=np.float32)
    tint = _uniform(rng, 0.45, 0.55, n) + _uniform(
        rng, -0.03, 0.03, n, 3
    )  # brightness, and a faint color cast
    colored = gray[..., None] + tint[:, None]  # (n, 32, 32, 3)
    colored *= 255
    np.clip(colored, 0, 255, out=colored)
    return colored.astype(np.uint8)


def _uniform(rng: np.random.Generator, low: float, high: float, n: int, last: int = 1) -> _Array:
    """Uniform draws (n, 1, last), ready to be broadcast over the pixels of n images."""
    return np.float32(low) + np.float32(high - low) * rng.random((n, 1, last), dtype=np.float32)


def _wave(n: int, rng: np.random.Generator) -> _Array:
    """A faint plane wave per image, (n, 32, 32): one to three periods in a random direction."""
    angle = _uniform(rng, 0, 2 * np.pi, n)
    frequency = _uniform(rng, 1, 3, n) * np.float32(2 * np.pi / SIDE)
    pixels = np.arange(SIDE, dtype=np.float32)
    along_x = frequency * np.cos(angle) * pixels + _uniform(rng, 0, 2 * np.pi, n)  # (n, 1, 32)
    along_y = frequency * np.sin(angle) * pixels[:, None]  # (n, 32, 1)
    # sin(a + b), with 64 sines an image instead of 1,024
    wave = np.sin(along_x) * np.cos(along_y) + np.cos(along_x) * np.sin(along_y)
    return _uniform(rng, *_WAVE, n) * wave


def _figures(labels: _Array, rng: np.random.Generator) -> _Array:
    """Masks (n, 32, 32), 1 inside the figures that the labels name, at random places and sizes."""
    n = len(labels)
    radius = _uniform(rng, *_RADIUS, n)
    pixels = np.arange(SIDE, dtype=np.float32)
    x = (pixels - _uniform(rng, 11, 20, n)) / radius  # (n, 1, 32), in radii from the center
    y = (pixels[:, None] - _uniform(rng, 11, 20, n)) / radius  # (n, 32, 1)
    distance = np.empty((n, SIDE, SIDE), dtype=np.float32)
    for label, figure in enumerate(_FIGURES):
        rows = np.flatnonzero(labels == label)
        distance[rows] = figure(x[rows], y[rows])
    # Half a pixel on either side of the edge is a ramp.
    return np.clip(0.5 - distance * radius, 0, 1)


# A figure is a signed distance (approximate) in radii: negative inside, positive outside. Intersection:
# maximum.
def _disk(x: _Array, y: _Array) -> _Array:
    return np.sqrt(x * x + y * y) - 1


def _square(x: _Array, y: _Array) -> _Array:
    return np.maximum(abs(x), abs(y)) - 0.85


def _triangle(x: _Array, y: _Array) -> _Array:
    """Standing on its base (rows count downward), so that a horizontal flip changes nothing."""
    return np.maximum(0.866 * abs(x) - 0.5 * y, y) - 0.55


def _outline(distance: _Array, width: float = 0.3) -> _Array:
    """The band of that width just inside the edge."""
    return abs(distance + width / 2) - width / 2


def _plus(x: _Array, y: _Array) -> _Array:
    arms = np.minimum(abs(x), abs(y)) - 0.25
    return np.maximum(arms, np.maximum(abs(x), abs(y)) - 1)


def _cross(x: _Array, y: _Array) -> _Array:
    return _plus(0.707 * (x + y), 0.707 * (x - y))


def _bars(x: _Array) -> _Array:
    """Two parallel bars, at either side of 0, as wide as the gap between them."""
    return abs(abs(x) - 0.56) - 0.28


def _checkerboard(x: _Array, y: _Array) -> _Array:
    """Three by three cells, of which the four at the sides are filled."""
    a, b = _bars(x), _bars(y)
    return np.maximum(np.maximum(np.minimum(a, b), -np.maximum(a, b)), _square(x, y))


_FIGURES = (
    _disk,
    lambda x, y: _outline(_disk(x, y)),
    _square,
    lambda x, y: _outline(_square(x, y)),
    _triangle,
    _plus,
    _cross,
    lambda x, y: np.maximum(_bars(y), _square(x, y)),
    lambda x, y: np.maximum(_bars(x), _square(x, y)),
    _checkerboard,
)
