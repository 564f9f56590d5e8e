"""The data sets behind the fixtures, each split into a training and a held-out part.

What: one loader per data set; all return a DataSet.  The scikit-learn sets ship
inside scikit-learn, the motion set ships inside the aeon wheel (see make_fixtures),
so nothing here reaches the network.

Why: every fixture of one data set shares one split, and its provenance is written
down once.
"""

import os
from dataclasses import dataclass

import numpy as np
from sklearn import datasets as bundled
from sklearn.model_selection import train_test_split

import pouch_features

SPLIT_SEED = 20261123
UCI_LICENCE = (
    "The note shipped with scikit-learn (DESCR) names no licence; it says the set is a copy "
    "of the one in the UCI Machine Learning Repository. UCI is understood to distribute it under "
    "CC BY 4.0; its catalogue page was not consulted here."
)


@dataclass
class DataSet:
    name: str
    feature_names: list
    label_names: list  # None for a number to predict
    train_rows: np.ndarray
    train_truth: np.ndarray
    heldout_rows: np.ndarray
    heldout_truth: np.ndarray
    provenance: dict


def split(name, rows, truth, feature_names, label_names, heldout, provenance):
    stratify = truth if label_names else None
    parts = train_test_split(
        rows, truth, test_size=heldout, random_state=SPLIT_SEED, stratify=stratify
    )
    return DataSet(
        name, [str(f) for f in feature_names], label_names,
        parts[0], parts[2], parts[1], parts[3], provenance,
    )


def cancer():
    data = bundled.load_breast_cancer()
    provenance = {
        "dataset": "Breast Cancer Wisconsin (Diagnostic)",
        "source": "scikit-learn load_breast_cancer",
        "citation": "W. Wolberg, O. Mangasarian, N. Street, W. Street (1995). Breast Cancer "
        "Wisconsin (Diagnostic). UCI Machine Learning Repository.",
        "licence": UCI_LICENCE,
    }
    labels = [str(n) for n in data.target_names]
    return split("cancer", data.data, data.target, data.feature_names, labels, 0.3, provenance)


def wine():
    data = bundled.load_wine()
    provenance = {
        "dataset": "Wine recognition",
        "source": "scikit-learn load_wine",
        "citation": "M. Forina et al., PARVUS (1988/1991); Lichman, M. (2013). UCI Machine "
        "Learning Repository. Irvine, CA: University of California, School of Information "
        "and Computer Science.",
        "licence": UCI_LICENCE,
    }
    labels = [str(n) for n in data.target_names]
    return split("wine", data.data, data.target, data.feature_names, labels, 60, provenance)


def digits():
    data = bundled.load_digits()
    provenance = {
        "dataset": "Optical recognition of handwritten digits (test part)",
        "source": "scikit-learn load_digits",
        "citation": "E. Alpaydin, C. Kaynak (1998). Optical Recognition of Handwritten Digits. "
        "UCI Machine Learning Repository.",
        "licence": UCI_LICENCE,
    }
    labels = [str(n) for n in data.target_names]
    return split("digits", data.data, data.target, data.feature_names, labels, 150, provenance)


def diabetes():
    """Measured values, not the standardised ones; the target is disease progression."""
    data = bundled.load_diabetes(scaled=False)
    provenance = {
        "dataset": "Diabetes (disease progression after one year, 442 patients)",
        "source": "scikit-learn load_diabetes(scaled=False)",
        "citation": "B. Efron, T. Hastie, I. Johnstone, R. Tibshirani (2004). Least Angle "
        "Regression. Annals of Statistics 32(2), 407-499. "
        "https://www4.stat.ncsu.edu/~boos/var.select/diabetes.html",
        "licence": "The note shipped with scikit-learn (DESCR) names no licence; it gives the "
        "source page and the paper above.",
    }
    return split("diabetes", data.data, data.target, data.feature_names, None, 0.3, provenance)


def pouch():
    """Windowed motion features; POUCH_MOTIONS names the folder of the .ts files."""
    folder = os.environ["POUCH_MOTIONS"]
    parts = []
    for part in ("TRAIN", "TEST"):
        rows, motions = pouch_features.load_windows(
            os.path.join(folder, f"BasicMotions_{part}.ts")
        )
        parts += [rows, np.array([pouch_features.MOTIONS.index(m) for m in motions])]
    provenance = {
        "dataset": "BasicMotions (features of 5-second windows)",
        "source": "BasicMotions_TRAIN.ts and BasicMotions_TEST.ts inside the aeon wheel",
        "citation": "BasicMotions, J. Clements (2016), UEA & UCR Time Series Classification "
        "Archive, https://www.timeseriesclassification.com; A. Bagnall et al. (2018). The UEA "
        "multivariate time series classification archive, 2018. arXiv:1811.00075.",
        "licence": "No licence is stated for the data: the note at the head of the files says "
        "only that it comes from a student project with four students wearing a smart watch. "
        "The package that ships it (aeon) is BSD-3-Clause. The fixtures hold features "
        "computed from the recordings, not the recordings.",
    }
    return DataSet(
        "pouch", pouch_features.FEATURE_NAMES, pouch_features.MOTIONS,
        parts[0], parts[1], parts[2], parts[3], provenance,
    )


def blank_some_cells(rows, seed, one_row_all_missing=True):
    """Blank about 5% of the cells in a third of the rows, and all of one row."""
    generator = np.random.RandomState(seed)
    rows = np.array(rows, dtype=float)
    count, width = rows.shape
    for row in generator.permutation(count)[: count // 3]:
        blank = generator.random_sample(width) < 0.05
        blank[generator.randint(width)] = True
        rows[row, blank] = np.nan
    if one_row_all_missing:
        rows[generator.randint(count)] = np.nan
    return rows
