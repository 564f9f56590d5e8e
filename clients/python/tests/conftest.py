"""Fixtures: a connection to a server with smartpouch, and tiny models."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

VARIABLE = "SMARTPOUCH_TEST_DSN"


@pytest.fixture
def conn() -> Iterator[psycopg.Connection[Any]]:
    """A connection in a transaction that is rolled back after the test."""
    dsn = os.environ.get(VARIABLE)
    if dsn is None:
        pytest.skip(f"needs a server: set {VARIABLE} to a connection string")
    with psycopg.connect(dsn) as opened:
        opened.execute("CREATE EXTENSION IF NOT EXISTS smartpouch")
        yield opened
        opened.rollback()


@pytest.fixture
def stump() -> bytes:
    """An XGBoost file with one split: age < 30 gives -1, else 1; a missing age gives -1."""
    return json.dumps(_STUMP).encode()


_STUMP = {
    "learner": {
        "learner_model_param": {"base_score": "0", "num_class": "0", "num_feature": "2", "num_target": "1"},
        "feature_names": ["age", "weight"],
        "objective": {"name": "reg:squarederror"},
        "gradient_booster": {
            "name": "gbtree",
            "model": {
                "gbtree_model_param": {"num_trees": "1", "num_parallel_tree": "1"},
                "tree_info": [0],
                "trees": [
                    {
                        "tree_param": {"num_nodes": "3", "num_feature": "2", "num_deleted": "0"},
                        "left_children": [1, -1, -1],
                        "right_children": [2, -1, -1],
                        "parents": [2147483647, 0, 0],
                        "split_indices": [0, 0, 0],
                        "split_conditions": [30, -1, 1],
                        "default_left": [1, 0, 0],
                    }
                ],
            },
        },
    },
    "version": [3, 1, 0],
}
