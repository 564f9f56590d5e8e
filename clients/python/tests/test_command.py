from __future__ import annotations

import io
import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import psycopg
import pytest

from smartpouch.command import main

Connection = psycopg.Connection[Any]
CSV = "age,weight\n20,1\n30,1e0\n,1\n"


@pytest.fixture
def files(tmp_path: Path, stump: bytes) -> Path:
    (tmp_path / "stump.json").write_bytes(stump)
    (tmp_path / "rows.csv").write_text(CSV)
    return tmp_path


@pytest.fixture
def server(conn: Connection, monkeypatch: pytest.MonkeyPatch) -> Connection:
    """Commands talk on the connection of the test, which is rolled back."""
    monkeypatch.setattr(psycopg, "connect", lambda dsn: nullcontext(conn))
    return conn


def push_stump(files: Path, *more: str) -> int:
    return main(["push", str(files / "stump.json"), "--name", "command_test", *more])


def test_push_promote_predict(server: Connection, files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert push_stump(files) == 0
    found = capsys.readouterr()
    assert found.out == "1\n"
    assert "command_test version 1: xgboost_json" in found.err
    assert main(["promote", "command_test", "1", "--note", "first"]) == 0
    assert main(["predict", "command_test", str(files / "rows.csv")]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["value"] for line in lines] == [-1, 1, -1]


def test_rows_come_from_standard_input(
    server: Connection, files: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    push_stump(files, "--quiet", "--promote-to", "production", "--feature-names", "years", "mass")
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("sys.stdin", io.StringIO("mass,years\n1,50\n"))
    assert main(["predict", "command_test", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["value"] == 1


def test_options_go_to_the_import(server: Connection, files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with server.transaction(force_rollback=True):
        assert push_stump(files, "--options", '{"iterations": 2}') == 1
    assert "the model has 1 iterations, fewer than 2" in capsys.readouterr().err


def test_errors_show_the_hint(server: Connection, files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    push_stump(files, "--quiet")
    assert main(["predict", "command_test", str(files / "rows.csv")]) == 1
    message = capsys.readouterr().err
    assert message.startswith("smartpouch: ")
    assert "promote" in message


def test_a_joblib_file_is_said_to_be_a_program(
    server: Connection, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    joblib, pandas = pytest.importorskip("joblib"), pytest.importorskip("pandas")
    pytest.importorskip("skl2onnx")
    from sklearn.tree import DecisionTreeClassifier

    frame = pandas.DataFrame({"a": [1.0, 2.0, 3.0, 4.0], "b": [0.5, 0.25, 0.5, 0.25]})
    joblib.dump(DecisionTreeClassifier().fit(frame, ["low", "low", "high", "high"]), tmp_path / "tree.joblib")
    frame.to_csv(tmp_path / "sample.csv", index=False)
    given = ["push", str(tmp_path / "tree.joblib"), "--name", "command_test", "--sample", str(tmp_path / "sample.csv")]
    assert main(given) == 0
    found = capsys.readouterr()
    assert "tree.joblib is a program: loading it runs its code here" in found.err
    assert "4 golden rows agree" in found.err
    assert main(["predict", "command_test:1", str(tmp_path / "sample.csv")]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["label"] for line in lines] == ["low", "low", "high", "high"]


def test_help_says_that_a_joblib_file_is_a_program(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["push", "--help"])
    assert "a program that runs here" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("text", "message"), [("", "no header"), ("a,b\n1\n", "line 2 has 1 cells, the header 2"), (None, "No such file")]
)
def test_rows_that_cannot_be_read(
    server: Connection, tmp_path: Path, text: str | None, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "rows.csv"
    if text is not None:
        path.write_text(text)
    assert main(["predict", "command_test", str(path)]) == 1
    assert message in capsys.readouterr().err


def test_cells(tmp_path: Path) -> None:
    from smartpouch.command import _dictionaries

    path = tmp_path / "rows.csv"
    path.write_text("a,b,c,d,e,f,g\n1,-2.5e-3,.5,NaN,1_000,infinity,red\n")
    assert list(_dictionaries(str(path))[0].values()) == [1.0, -0.0025, 0.5, None, "1_000", "infinity", "red"]


def test_no_command_is_an_error() -> None:
    with pytest.raises(SystemExit) as caught:
        main([])
    assert caught.value.code == 2
