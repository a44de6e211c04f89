"""Every group's own random numbers, the same whatever other groups there are.

A group's 64-bit key is hashed from (seed, group key) and expanded by the counter-based generator SplitMix64
(Steele, Lea and Flood 2014): arrays of any number of groups at once, each row depending on its own key alone.
"""

import hashlib
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from app.planner.arrays import FloatArray, IntArray

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)

_KRONECKER = np.array([0.7548776662466927, 0.5698402909980532])
"""1/x and 1/x² for x³ = x + 1: the plane's golden ratio (Roberts 2018), of least discrepancy for its simplicity."""

_THIRD = 0.6180339887498949
"""The golden ratio's share: of another field than the plane's, so that all three together are even."""

_EDGE = 1e-9

_WINDOWS = 4096
"""Where the windows of `Lattice` may begin."""

_SHUFFLES = 128
"""Orders kept."""


def uniforms(seed: int, keys: tuple[str, ...], draws: int) -> FloatArray:
    """Three numbers in (0, 1) per group and draw [groups, 3, draws], evenly spread over the cube within a group.

    Row i of a group is the point (i/draws, α₁ i, α₂ i) shifted at random modulo 1: means and quantiles over the
    draws have a small Monte Carlo error. The draws are then shuffled, group by group, so that those of different
    groups are independent.
    """
    start = _hashes(seed, keys)[:, None]
    bits = _splitmix(start + _GOLDEN * np.arange(1, draws + 4, dtype=np.uint64))
    shift = (bits[:, :3] >> np.uint64(11)) * 2.0**-53
    index = np.argsort(bits[:, 3:], axis=1, kind="stable").astype(np.float64)
    steps = np.stack([index / draws, index * _KRONECKER[0], index * _KRONECKER[1]], axis=1)
    steps += shift[:, :, None]
    steps -= np.floor(steps)
    numbers: FloatArray = np.clip(steps, _EDGE, 1.0 - _EDGE)
    return numbers


def _hashes(seed: int, keys: tuple[str, ...]) -> NDArray[np.uint64]:
    """Each group's 64-bit key [groups]."""
    prefix = f"{seed}:".encode()
    digests = [hashlib.sha256(prefix + key.encode("utf-8", "surrogatepass")).digest() for key in keys]
    words = np.frombuffer(b"".join(digests), dtype=">u8")
    return words[:: hashlib.sha256().digest_size // 8].astype(np.uint64)


def _splitmix(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's output function, element by element."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@dataclass(frozen=True)
class Lattice:
    """One point in the cube per group and draw, evenly spread within a group, in random order.

    bits [groups, 7]: each group's own. The point of draw i, with j = order_i, is ((j + shift)/draws, Φ(z₁), Φ(z₂),
    Φ(z₃)), z₁ to z₃ being the j-th entries of a window on the normal quantiles of a long Kronecker sequence, any of
    which is as even as any other. Orders and windows make the draws of different groups independent.
    """

    bits: NDArray[np.uint64]
    draws: int

    def select(self, groups: IntArray) -> "Lattice":
        """That of the groups numbered in `groups`."""
        return Lattice(self.bits[groups], self.draws)

    @cached_property
    def order(self) -> IntArray:
        """A permutation of the draws of each group [groups, draws]."""
        first, second = _shuffles(self.draws)
        at = second.take(self._below(_SHUFFLES, 0)[:, 0], axis=0)
        at += self._below(self.draws, 1) + self._below(_SHUFFLES, 2) * first.shape[1]
        return np.asarray(first.take(at))

    @cached_property
    def place(self) -> IntArray:
        """Where each draw is in an array [groups, draws] in the order of j, laid flat [groups, draws]."""
        return self.order + np.arange(0, self.order.size, self.draws)[:, None]

    @property
    def shift(self) -> FloatArray:
        """In (0, 1) [groups, 1]."""
        return np.asarray(((self.bits[:, 3:4] >> np.uint64(11)) + 0.5) * 2.0**-53)

    @property
    def shifts(self) -> FloatArray:
        """Three more in (0, 1) [groups, 3]."""
        return np.asarray(((_splitmix(self.bits[:, :3] + _GOLDEN) >> np.uint64(11)) + 0.5) * 2.0**-53)

    def normals(self, which: int) -> FloatArray:
        """z₁ (0), z₂ (1) or z₃ (2) of each draw [groups, draws]."""
        return np.asarray(normal_sequence(self.draws, which).take(self.places(which)))

    def places(self, which: int) -> IntArray:
        """Where each draw's normal number is on `normal_sequence` [groups, draws]."""
        return self.order + self._below(_WINDOWS, 4 + which)

    def _below(self, limit: int, which: int) -> IntArray:
        """One of each group's whole numbers from 0 to below the limit [groups, 1]."""
        return (self.bits[:, which : which + 1] % np.uint64(limit)).astype(np.int64)


def lattice(seed: int, keys: tuple[str, ...], draws: int) -> Lattice:
    """The points of groups with these keys."""
    start = _hashes(seed, keys)[:, None]
    return Lattice(_splitmix(start + _GOLDEN * np.arange(1, 8, dtype=np.uint64)), draws)


@cache
def _shuffles(draws: int) -> tuple[IntArray, IntArray]:
    """Random orders, twice in a row [_SHUFFLES, 2 draws] and once [_SHUFFLES, draws].

    One of the first at a turn of one of the second is an order again: over a million times as many as are kept.
    """
    bits = _splitmix(_GOLDEN * np.arange(1, 2 * _SHUFFLES * draws + 1, dtype=np.uint64))
    first, second = np.argsort(bits.reshape(2, _SHUFFLES, draws), axis=2)
    return np.concatenate([first, first], axis=1), second


@cache
def normal_sequence(draws: int, which: int) -> FloatArray:
    """Normal quantiles at the points of a Kronecker sequence [_WINDOWS + draws]; 0: for z₁, 1: for z₂, 2: for z₃."""
    steps = (np.arange(_WINDOWS + draws) * (*_KRONECKER, _THIRD)[which] + 0.5) % 1.0
    return np.asarray(ndtri(np.clip(steps, _EDGE, 1.0 - _EDGE)))
