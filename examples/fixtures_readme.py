"""Write test/data/README.md from the fixture.json files.

What: the table of fixtures, the format of their files, provenance and licences.
Why: the table cannot fall behind the fixtures when it is made from them.
"""

import glob
import json
import os

from fixture_files import FIXTURE_ROOT

INTRODUCTION = """# Test fixtures

Small trained models and the answers the library that trained them gives. Everything here,
this page included, is made by `examples/make_fixtures`; neither the tests nor the extension
need Python.

Each folder holds one fixture:

| File | Content |
|---|---|
| `model.json`, `model.ubj`, `model.txt` or `model.onnx` | the model file as the library or converter wrote it |
| `rows.csv` | held-out rows; the header names the features, an empty cell is a missing value |
| `expected.csv` | one line per row of `rows.csv`, in the same order: what the source library answers |
| `ort.csv` | converted models only: what onnxruntime answers for the converted file, for comparison |
| `fixture.json` | versions, task, labels, tolerance, held-out quality, provenance |

Columns of `expected.csv` (`ort.csv` has no `truth` and no `raw_`):

| Column | Content |
|---|---|
| `truth` | label or value of the row in the data set |
| `label` | predicted label (classification), one of `labels` in `fixture.json` |
| `value` | prediction (all other tasks) |
| `p_0` ... | class probabilities, in the order of `labels` |
| `raw_0` ... | scores before the link function, where the source library gives them |

Numbers are written in the shortest form that reads back to the same float32 (XGBoost, and the
rows of float32 models) or float64 (scikit-learn, LightGBM, CatBoost). A prediction agrees with the expected number
`e` if it differs by at most `tolerance * max(1, |e|)`; labels must be equal.

Rows: XGBoost, LightGBM and CatBoost models, the HistGradientBoosting models and the converted XGBoost models accept
missing values (`accepts_missing`); about 5% of the cells are blank in a third of their rows, and
one row is all blank. Expected numbers come from XGBoost, LightGBM, CatBoost or scikit-learn itself, never from
onnxruntime, except for the networks, which no library made. scikit-learn is given rows rounded to float32 (training and held-out) wherever the
ONNX input is float32.

Held-out quality is measured on `rows.csv` as written, blank cells included. It documents the
fixture; the models are kept small and are not tuned.
"""


def load_descriptions():
    paths = sorted(glob.glob(os.path.join(FIXTURE_ROOT, "*", "fixture.json")))
    descriptions = []
    for path in paths:
        with open(path, encoding="utf-8") as file:
            descriptions.append(json.load(file))
    return descriptions


def quality_text(description):
    return "; ".join(
        f"{key[len('heldout_'):]} {value}"
        for key, value in description.items() if key.startswith("heldout_")
    )


def fixture_table(descriptions):
    lines = [
        "| Fixture | Format | Trained with | Objective or estimator | Features | Rows | Missing "
        "| Held-out |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for d in descriptions:
        library = f"{d['library']} {d['library_version']}"
        lines.append(
            f"| `{d['name']}` | {d['format']} | {library} "
            f"| {d.get('objective') or d['estimator']} | {len(d['feature_names'])} | {d['rows']} "
            f"| {'yes' if d['accepts_missing'] else 'no'} | {quality_text(d)} |"
        )
    return lines


def provenance_list(descriptions):
    by_data = {d["provenance"]["dataset"]: d["provenance"] for d in descriptions}
    lines = []
    for name in sorted(by_data):
        p = by_data[name]
        lines += [
            f"### {name}", "",
            f"- Source: {p['source']}", f"- Citation: {p['citation']}",
            f"- Licence: {p['licence']}", "",
        ]
    return lines


def notes(descriptions):
    lines = [f"- `{d['name']}`: {d['note']}" for d in descriptions if "note" in d]
    for d in descriptions:
        if "dropped_rows" in d:
            dropped = d["dropped_rows"]
            lines.append(
                f"- `{d['name']}`: {len(dropped['heldout_positions'])} row(s) left out: "
                f"{dropped['reason']}"
            )
    return lines


def write_readme():
    descriptions = load_descriptions()
    lines = [INTRODUCTION, "## Fixtures", ""] + fixture_table(descriptions)
    lines += ["", "## Notes", ""] + notes(descriptions)
    lines += ["", "## Data, citations and licences", ""] + provenance_list(descriptions)
    with open(os.path.join(FIXTURE_ROOT, "README.md"), "w", encoding="utf-8") as out:
        out.write("\n".join(lines).rstrip() + "\n")
