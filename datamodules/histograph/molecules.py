"""Molecules as graphs: SMILES to the nine kinds of an atom and the three of a bond that OGB's sets have. Needs RDKit, an optional extra."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from datamodules.errors import DataError, MissingDependencyError

__all__ = ["ATOM", "ATOM_CODES", "BOND", "BOND_CODES", "chemistry", "is_molecular", "molecule", "scaffold", "symbol"]

# "misc" stands for everything that is not listed. Orders are OGB's: its files hold positions in these lists.
ATOM: dict[str, list[Any]] = {
    "atomic number": [*range(1, 119), "misc"],
    "chirality": ["CHI_UNSPECIFIED", "CHI_TETRAHEDRAL_CW", "CHI_TETRAHEDRAL_CCW", "CHI_OTHER", "misc"],
    "degree": [*range(11), "misc"],
    "formal charge": [*range(-5, 6), "misc"],
    "hydrogens": [*range(9), "misc"],
    "radical electrons": [*range(5), "misc"],
    "hybridization": ["SP", "SP2", "SP3", "SP3D", "SP3D2", "misc"],
    "aromatic": [False, True],
    "in a ring": [False, True],
}
BOND: dict[str, list[Any]] = {
    "bond": ["SINGLE", "DOUBLE", "TRIPLE", "AROMATIC", "misc"],
    "stereo": ["STEREONONE", "STEREOZ", "STEREOE", "STEREOCIS", "STEREOTRANS", "STEREOANY"],
    "conjugated": [False, True],
}
ATOM_CODES = [len(values) for values in ATOM.values()]
BOND_CODES = [len(values) for values in BOND.values()]


def is_molecular(features: Sequence[str]) -> bool:
    """Whether these columns of node features are those of a molecule's atoms."""
    return list(features) == list(ATOM)


def chemistry() -> Any:
    """RDKit's Chem, or one line that says how to get it."""
    try:
        from rdkit import Chem
    except ImportError:
        raise MissingDependencyError("reading SMILES needs RDKit, which is not installed; run: pip install 'discern[graphs]'") from None
    return Chem


def molecule(smiles: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Atoms (N,9), bonds in both directions (2,E), and their kinds (E,3). Hydrogens are left implicit.

    >>> molecule("CO")[0][:, 0]  # carbon and oxygen, counted from hydrogen = 0
    array([5., 7.], dtype=float32)
    """
    from_smiles = _parsed(smiles)
    atoms = [
        [
            _place("atomic number", atom.GetAtomicNum()),
            _place("chirality", str(atom.GetChiralTag())),
            _place("degree", atom.GetTotalDegree()),
            _place("formal charge", atom.GetFormalCharge()),
            _place("hydrogens", atom.GetTotalNumHs()),
            _place("radical electrons", atom.GetNumRadicalElectrons()),
            _place("hybridization", str(atom.GetHybridization())),
            _place("aromatic", atom.GetIsAromatic()),
            _place("in a ring", atom.IsInRing()),
        ]
        for atom in from_smiles.GetAtoms()
    ]
    ends, kinds = [], []
    for bond in from_smiles.GetBonds():
        one, other = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
        kind = [
            _place("bond", str(bond.GetBondType())),
            _place("stereo", str(bond.GetStereo())),
            _place("conjugated", bond.GetIsConjugated()),
        ]
        ends += [(one, other), (other, one)]
        kinds += [kind, kind]
    return (
        np.array(atoms, np.float32),
        np.array(ends, np.int64).reshape(-1, 2).T,
        np.array(kinds, np.float32).reshape(-1, len(BOND)),
    )


def scaffold(smiles: str) -> str:
    """The ring systems and what links them (Murcko), as SMILES; empty for a molecule without rings."""
    from_smiles = _parsed(smiles)
    from rdkit.Chem.Scaffolds import MurckoScaffold

    return MurckoScaffold.MurckoScaffoldSmiles(mol=from_smiles, includeChirality=False)


def _parsed(smiles: str) -> Any:
    chem = chemistry()
    from rdkit.rdBase import BlockLogs

    with BlockLogs():  # RDKit writes pages to stderr about each SMILES that it cannot read
        found = chem.MolFromSmiles(smiles)
    if found is None or not found.GetNumAtoms():
        raise DataError(f"{smiles[:60]!r} is no SMILES that RDKit can read")
    return found


_PLACES = {name: {value: i for i, value in enumerate(values)} for name, values in (ATOM | BOND).items()}


def _place(name: str, value: Any) -> int:
    places = _PLACES[name]
    if value in places:
        return places[value]
    if "misc" not in places:
        raise DataError(f"RDKit says {name} {value}, which the lists of OGB do not have")
    return places["misc"]


_SYMBOLS = """H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr Rb Sr Y Zr Nb Mo Tc Ru Rh
Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U
Np Pu Am Cm Bk Cf Es Fm Md No Lr Rf Db Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts Og"""


def symbol(code: int) -> str:
    """The element of an atom's first code."""
    symbols = _SYMBOLS.split()
    return symbols[code] if 0 <= code < len(symbols) else "?"
