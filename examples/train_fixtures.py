"""Make the fixtures under test/data/ that belong to the libraries of this environment.

    python train_fixtures.py xgboost newest|1.0|1.3|1.6|1.7|2.0|2.1|3.0
    python train_fixtures.py lightgbm newest|3.3
    python train_fixtures.py catboost
    python train_fixtures.py onnx
    python train_fixtures.py network
    python train_fixtures.py readme

make_fixtures calls this once per environment; see README.md.
"""

import sys


def main(what, version=None):
    if what == "xgboost":
        import xgboost_fixtures
        xgboost_fixtures.make_fixtures(version)
    elif what == "lightgbm":
        import lightgbm_fixtures
        lightgbm_fixtures.make_fixtures(version)
    elif what == "catboost":
        import catboost_fixtures
        catboost_fixtures.make_fixtures()
    elif what == "onnx":
        import onnx_fixtures
        onnx_fixtures.make_fixtures()
    elif what == "network":
        import network_fixtures
        network_fixtures.make_fixtures()
    elif what == "readme":
        import fixtures_readme
        fixtures_readme.write_readme()
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(*sys.argv[1:])
