"""What a call brought in itself."""

from __future__ import annotations

from collections.abc import Iterable

from licet.canonical import Plain
from licet.chain.encodings import forms
from licet.chain.keys import atom_of
from licet.chain.text import atoms, grouped, loose, pieces, squeezed


class Brought:
    """What a call brought in itself: a tool that hands it back, joined, cut or decoded, has not vouched for it."""

    def __init__(self, values: Iterable[Plain]) -> None:
        self._atoms: set[str] = set()
        texts: list[str] = []
        for value in values:
            self._atoms.add(atom_of(value))
            if not isinstance(value, str):
                continue
            texts.append(squeezed(loose(value)))
            words = pieces(loose(value))
            self._atoms.update(atoms(words))
            self._atoms.update(grouped(loose(value)))
            self._atoms.update(words)
        # Joined in order, so that what comes in parts is found whole.
        self._text = "".join(texts)
        if texts:
            others = [squeezed(loose(form)) for value in values if isinstance(value, str) for form, way in forms(value) if way]
            self._text = "\0".join([self._text, *others])

    def __contains__(self, value: Plain) -> bool:
        if not self._atoms:
            return False
        form = atom_of(value)
        return form in self._atoms or (len(form) >= 6 and squeezed(form) in self._text)
