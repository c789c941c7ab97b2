"""The Merkle tree: transparency-dev's vectors, every proof of every small tree against the definition, and what a wrong proof does."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from licet.ledger.merkle import (
    EMPTY,
    Frontier,
    ProofError,
    check_consistency,
    check_inclusion,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root_of,
)  # fmt: skip

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

VECTORS = Path(__file__).parents[1] / "vectors" / "merkle"
LARGEST = 40


def _vectors(kind: str) -> list[str]:
    return sorted(str(file.relative_to(VECTORS)) for file in (VECTORS / kind).rglob("*.json"))


def _hash(text: str | None) -> bytes:
    return base64.b64decode(text or "")


def _raises(check: Any) -> bool:
    try:
        check()
    except ProofError:
        return True
    return False


@pytest.mark.parametrize("name", _vectors("inclusion"))
def test_inclusion_vectors(name: str) -> None:
    told = json.loads((VECTORS / name).read_text(encoding="utf-8"))
    proof = [_hash(each) for each in told["proof"] or []]
    wrong = _raises(lambda: check_inclusion(_hash(told["leafHash"]), told["leafIdx"], told["treeSize"], proof, _hash(told["root"])))
    assert wrong == told["wantErr"]


@pytest.mark.parametrize("name", _vectors("consistency"))
def test_consistency_vectors(name: str) -> None:
    told = json.loads((VECTORS / name).read_text(encoding="utf-8"))
    proof = [_hash(each) for each in told["proof"] or []]
    wrong = _raises(lambda: check_consistency(told["size1"], told["size2"], proof, _hash(told["root1"]), _hash(told["root2"])))
    # From nothing, and between two trees of nothing, nothing is shown: ours refuses to call that consistent.
    assert wrong == (told["wantErr"] or told["size1"] == 0)


def test_there_are_vectors_of_both_kinds_and_of_both_answers() -> None:
    for kind, least in (("inclusion", 80), ("consistency", 80)):
        wanted = [json.loads((VECTORS / name).read_text(encoding="utf-8"))["wantErr"] for name in _vectors(kind)]
        assert len(wanted) > least
        assert {True, False} == set(wanted)


# The definition of RFC 6962 section 2.1, word by word --------------------------------------------------------------------------------


def mth(leaves: list[bytes]) -> bytes:
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + mth(leaves[:k]) + mth(leaves[k:])).digest()


DATA = [bytes([number]) * number for number in range(LARGEST)]


def subtree(low: int, high: int) -> bytes:
    return mth(DATA[low:high])


@pytest.mark.parametrize("size", range(LARGEST + 1))
def test_the_root_is_that_of_the_definition(size: int) -> None:
    tree = Frontier()
    for data in DATA[:size]:
        tree.append(leaf_hash(data))
    assert tree.root() == mth(DATA[:size]) == root_of(map(leaf_hash, DATA[:size]))
    assert Frontier(size, tree.hashes).root() == tree.root()
    assert (size or tree.root()) in {size or EMPTY}


@pytest.mark.parametrize("size", range(1, LARGEST + 1))
def test_every_leaf_of_every_small_tree_is_shown_to_be_in_it_and_no_other(size: int) -> None:
    root = subtree(0, size)
    for index in range(size):
        proof = inclusion_proof(index, size, subtree)
        leaf = leaf_hash(DATA[index])
        check_inclusion(leaf, index, size, proof, root)
        for bad in _bent(proof):
            with pytest.raises(ProofError):
                check_inclusion(leaf, index, size, bad, root)
        for other in {0, size - 1, (index + 1) % size} - {index}:
            with pytest.raises(ProofError):
                check_inclusion(leaf_hash(DATA[other]), index, size, proof, root)
            with pytest.raises(ProofError):
                check_inclusion(leaf, other, size, proof, root)


@pytest.mark.parametrize("second", range(1, LARGEST + 1))
def test_every_small_tree_is_shown_to_continue_every_smaller_one(second: int) -> None:
    root = subtree(0, second)
    for first in range(1, second + 1):
        proof = consistency_proof(first, second, subtree)
        before = subtree(0, first)
        check_consistency(first, second, proof, before, root)
        for bad in _bent(proof):
            with pytest.raises(ProofError):
                check_consistency(first, second, bad, before, root)
        for roots in ((root, before), (before, leaf_hash(b"other")), (leaf_hash(b"other"), root)):
            if roots != (before, root):
                with pytest.raises(ProofError):
                    check_consistency(first, second, proof, *roots)


def _bent(proof: list[bytes]) -> list[list[bytes]]:
    bent = [[*proof, EMPTY], [EMPTY, *proof], [*proof, b"short"]]
    for at in range(len(proof)):
        bent += [proof[:at] + proof[at + 1 :], [*proof[:at], bytes([proof[at][0] ^ 1]) + proof[at][1:], *proof[at + 1 :]]]
    return bent


@pytest.mark.parametrize("index,size", [(0, 0), (1, 1), (-1, 3), (3, 3)])
def test_of_no_leaf_there_is_no_proof(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="no leaf"):
        inclusion_proof(index, size, subtree)
    with pytest.raises(ProofError):
        check_inclusion(EMPTY, index, size, [], EMPTY)


@pytest.mark.parametrize("first,second", [(0, 0), (0, 5), (6, 5), (-1, 5)])
def test_nothing_and_the_larger_one_are_no_beginning(first: int, second: int) -> None:
    with pytest.raises(ValueError, match="no beginning"):
        consistency_proof(first, second, subtree)
    with pytest.raises(ProofError):
        check_consistency(first, second, [], EMPTY, EMPTY)


def test_a_leaf_cannot_be_shown_as_a_node() -> None:
    left, right = leaf_hash(b"a"), leaf_hash(b"b")
    assert leaf_hash(left + right) != node_hash(left, right)


@given(size=st.integers(1, 5_000), seed=st.integers(0, 2**32))
def test_proofs_hold_in_trees_of_any_size(size: int, seed: int) -> None:
    leaves = [hashlib.sha256(f"{seed} {number}".encode()).digest() for number in range(size)]
    index, first = seed % size, seed % size + 1

    def over(low: int, high: int) -> bytes:
        return root_of(leaves[low:high])

    root = over(0, size)
    check_inclusion(leaves[index], index, size, inclusion_proof(index, size, over), root)
    check_consistency(first, size, consistency_proof(first, size, over), over(0, first), root)


@given(
    index=st.integers(-3, 2**65),
    size=st.integers(-3, 2**65),
    proof=st.lists(st.binary(max_size=40), max_size=70),
    root=st.binary(max_size=40),
)
def test_a_proof_of_anything_is_refused_and_never_crashes(index: int, size: int, proof: list[bytes], root: bytes) -> None:
    with pytest.raises(ProofError):
        check_inclusion(hashlib.sha256(b"no leaf").digest(), index, size, proof, root)
    if index != size or proof:
        with pytest.raises(ProofError):
            check_consistency(index, size, proof, root, hashlib.sha256(root).digest())
