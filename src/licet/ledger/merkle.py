"""The Merkle tree of RFC 6962 section 2.1 (RFC 9162 section 2.1): its hashes, its proofs, and their checks. No file is touched here.

A hash is 32 bytes of SHA-256. Leaves and inner nodes are hashed apart (0x00, 0x01), so that none can be shown as the other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence

SIZE = 32
EMPTY = hashlib.sha256(b"").digest()
"""The root of no leaves."""

Subtree = Callable[[int, int], bytes]
"""The hash over the leaves from the first number up to, but not with, the second: what proofs are made of."""


class ProofError(Exception):
    """A proof does not hold; the text says what of it is wrong."""


class ForkError(ProofError):
    """The second tree is shown to begin with other leaves than the first: both were signed, and no log has both."""


def leaf_hash(data: bytes) -> bytes:
    """The hash of one leaf."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier:
    """A tree that only grows, by the hashes of its complete subtrees from left to right: as many as its size has one-bits.

    What it takes to go on with a log of any length, and to know its root.
    """

    def __init__(self, size: int = 0, hashes: Sequence[bytes] = ()) -> None:
        if size < 0 or len(hashes) != size.bit_count() or any(len(each) != SIZE for each in hashes):
            raise ValueError(f"a tree of {size} leaves has {max(size, 0).bit_count()} complete subtrees, each with a hash of {SIZE} bytes")
        self._size, self._hashes = size, list(hashes)

    @property
    def size(self) -> int:
        """How many leaves it has."""
        return self._size

    @property
    def hashes(self) -> tuple[bytes, ...]:
        """The hashes of the complete subtrees, the largest first."""
        return tuple(self._hashes)

    def append(self, leaf: bytes) -> None:
        """Add one leaf, by its hash."""
        size = self._size
        while size & 1:
            leaf = node_hash(self._hashes.pop(), leaf)
            size >>= 1
        self._hashes.append(leaf)
        self._size += 1

    def root(self) -> bytes:
        """The root hash."""
        if not self._hashes:
            return EMPTY
        found = self._hashes[-1]
        for left in reversed(self._hashes[:-1]):
            found = node_hash(left, found)
        return found


def root_of(leaves: Iterable[bytes]) -> bytes:
    """The root over leaf hashes."""
    tree = Frontier()
    for leaf in leaves:
        tree.append(leaf)
    return tree.root()


def inclusion_proof(index: int, size: int, subtree: Subtree) -> list[bytes]:
    """PATH(index, D[size]) of RFC 6962 section 2.1.1, the sibling of the leaf first.

    Raises:
        ValueError: there is no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError(f"there is no leaf {index} in a tree of {size}")
    low, high, path = 0, size, []
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            path.append(subtree(middle, high))
            high = middle
        else:
            path.append(subtree(low, middle))
            low = middle
    return path[::-1]


def consistency_proof(first: int, second: int, subtree: Subtree) -> list[bytes]:
    """PROOF(first, D[second]) of RFC 6962 section 2.1.2; empty where both are the same.

    Raises:
        ValueError: the first tree is empty, or the larger one.
    """
    if not 0 < first <= second:
        raise ValueError(f"a tree of {first} leaves is no beginning of one of {second}")
    if first == second:
        return []
    low, high, path, whole = 0, second, [], True
    while first != high:
        middle = low + _split(high - low)
        if first <= middle:
            path.append(subtree(middle, high))
            high = middle
        else:
            path.append(subtree(low, middle))
            low, whole = middle, False
    if not whole:
        path.append(subtree(low, high))
    return path[::-1]


def check_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """RFC 9162 section 2.1.3.2.

    Raises:
        ProofError: the leaf (its hash) is not at this place of the tree with this size and root, or the proof does not show it.
    """
    _check_hashes([leaf, *proof])
    if not 0 <= index < size:
        raise ProofError(f"there is no leaf {index} in a tree of {size}")
    found = leaf
    for sibling, on_the_left in _upwards(index, size - 1, proof):
        found = node_hash(sibling, found) if on_the_left else node_hash(found, sibling)
    if found != root:
        raise ProofError("the proof leads to another root")


def check_consistency(first: int, second: int, proof: Sequence[bytes], first_root: bytes, second_root: bytes) -> None:
    """RFC 9162 section 2.1.4.2: the second tree begins with all leaves of the first, in their order.

    Raises:
        ProofError: it does not, or the proof does not show it.
    """
    _check_hashes(proof)
    if not 0 < first <= second:
        raise ProofError(f"of a tree of {first} leaves nothing is shown by one of {second}")
    if first == second:
        if proof:
            raise ProofError("the proof is longer than it can be")
        if first_root != second_root:
            raise ForkError("two trees of the same size have different roots")
        return
    path = list(proof)
    if not first & (first - 1):  # a complete tree is its own first node
        path.insert(0, first_root)
    if not path:
        raise ProofError("the proof is empty")
    at, last = first - 1, second - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    before = after = path[0]
    for sibling, on_the_left in _upwards(at, last, path[1:]):
        if on_the_left:
            before, after = node_hash(sibling, before), node_hash(sibling, after)
        else:
            after = node_hash(after, sibling)
    if after != second_root:
        raise ProofError("the proof leads to another second root")
    if before != first_root:  # whoever made this proof knows the second tree: all of it is hashed into the root
        raise ForkError("the proof leads to another first root")


def _upwards(at: int, last: int, proof: Sequence[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Each sibling on the way from a node to the root, and whether it stands on the left. `last`: the last node of the same level."""
    for sibling in proof:
        if last == 0:
            raise ProofError("the proof is longer than the tree is high")
        on_the_left = bool(at & 1) or at == last
        yield sibling, on_the_left
        while on_the_left and at and not at & 1:  # a node without a sibling goes up as it is
            at, last = at >> 1, last >> 1
        at, last = at >> 1, last >> 1
    if last:
        raise ProofError("the proof is shorter than the tree is high")


def _check_hashes(hashes: Sequence[bytes]) -> None:
    if any(len(each) != SIZE for each in hashes):
        raise ProofError(f"a hash has {SIZE} bytes")


def _split(size: int) -> int:
    """The largest power of two that is smaller than `size`."""
    return 1 << (size - 1).bit_length() - 1
