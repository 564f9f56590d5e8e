#!/usr/bin/env python3
"""Time predictions in SQL; the server is the one of the PG* environment variables.

usage: time_sql.py [--rounds N] [--core N] [--only PART] DIRECTORY

DIRECTORY has the models and rows of make_models.py, bench_kernel, and the large
model of bench/sql.  Results go there too, as sql.json.

Parts
  sums      100,000 rows through queries with and without a prediction, in turns
  client    the same rows copied out, predicted by xgboost, and copied back
  overhead  what a call costs beside its kernel, by a model that costs nothing
  keys      pgbench, 4 clients, rows by key
  auth      API keys: verify_api_key over an empty call, infer over predict_json, and both by 1 and 4 clients
  first     the first call of a new session beside its second
  memory    private memory that a model of 50 MB adds to a further session

Sums, overheads and first calls are by the time that the backend had of its core,
the rest is by the clock.  "floor" is the same query with plain arithmetic where the prediction stood; an
overhead is held against less, a query that only reads what the call reads.
"""
import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import time

import numpy as np
import psycopg
import xgboost as xgb
from table import processor

N_ROWS = 100_000
N_FEATURES = 28
KEYS_SECONDS = 1
KEYS_CLIENTS = 4
NEW_SESSIONS = 21
SIMDS = ("avx512", "portable")

COLUMNS = [f"f{i}" for i in range(1, N_FEATURES + 1)]
SHAPES = {
    "row": {"table": "t", "features": "t", "floor": "sum(" + " + ".join(COLUMNS) + ")",
            "read": f"sum({COLUMNS[-1]})", "key": COLUMNS[0]},
    "array": {"table": "ta", "features": "arr", "floor": "sum(arr[1])", "read": "count(arr)", "key": "arr[1]"},
}


def median(samples):
    return statistics.median(samples)


class Results:
    """Named samples, and bars held against them."""

    def __init__(self):
        self.samples = {}
        self.bars = []

    def add(self, what, unit, *values):
        self.samples.setdefault((what, unit), []).extend(values)

    def median(self, what):
        for (name, _), values in self.samples.items():
            if name == what:
                return median(values)
        return None

    def bar(self, what, measured, most=None, least=None, unit=""):
        if measured is None:
            return
        limit = f"<= {most:.2f}" if most is not None else f">= {least:.2f}"
        met = measured <= most if most is not None else measured >= least
        self.bars.append({"what": what, "bar": f"{limit} {unit}".strip(), "measured": measured, "met": met})

    def print(self):
        width = max(len(what) for what, _ in self.samples)
        print(f"{'what':{width}}  {'median':>9}  {'min':>9}  {'max':>9}  unit")
        for (what, unit), values in self.samples.items():
            print(f"{what:{width}}  {median(values):9.3f}  {min(values):9.3f}  {max(values):9.3f}  {unit}")
        print()
        for bar in self.bars:
            print(f"{bar['what']}: {bar['bar']}: {bar['measured']:.2f}, {'met' if bar['met'] else 'MISSED'}")

    def as_json(self):
        return {
            "processor": processor(),
            "load": os.getloadavg()[0],
            "results": [
                {"what": what, "unit": unit, "median": median(values), "min": min(values), "max": max(values),
                 "rounds": len(values)}
                for (what, unit), values in self.samples.items()
            ],
            "bars": self.bars,
        }


class Bench:
    def __init__(self, options):
        self.directory = pathlib.Path(options.directory)
        self.rounds = options.rounds
        self.core = options.core
        self.results = Results()
        os.sched_setaffinity(0, {(self.core - 1) % os.cpu_count()})
        self.connection = self.connect()

    def connect(self, pinned=True):
        connection = psycopg.connect(autocommit=True)
        if pinned:
            os.sched_setaffinity(connection.info.backend_pid, {self.core})
        connection.prepare_threshold = None
        return connection

    def sql(self, query, *arguments):
        cursor = self.connection.execute(query, arguments or None)
        return cursor.fetchone()[0] if cursor.description else None

    def seconds(self, query):
        began = on_core(self.connection)
        self.sql(query)
        return on_core(self.connection) - began

    # ---- what is there to time

    def import_model(self, name, path):
        bytes_ = path.read_bytes()
        with self.connection.transaction():
            upload = self.sql("SELECT smartpouch.upload_begin(%s)", name)
            for number, start in enumerate(range(0, len(bytes_), 16 << 20), 1):
                self.sql("SELECT smartpouch.upload_chunk(%s, %s, %s)", upload, number, bytes_[start:start + (16 << 20)])
            names = None if name == "large" else COLUMNS
            self.sql("SELECT smartpouch.import_upload(%s, feature_names => %s)", upload, names)

    def set_up(self):
        held_out = np.fromfile(self.directory / "m1.rows.f32", dtype=np.float32).reshape(-1, N_FEATURES)
        self.rows = np.tile(held_out, (N_ROWS // len(held_out), 1))
        assert len(self.rows) == N_ROWS
        tiny = self.directory / "tiny.json"
        if not tiny.exists():
            labels = (held_out[:, 0] > 0).astype(np.float32)
            parameters = {"objective": "binary:logistic", "max_depth": 1}
            xgb.train(parameters, xgb.DMatrix(held_out, labels), num_boost_round=1).save_model(tiny)
        self.sql("DROP EXTENSION IF EXISTS smartpouch CASCADE")
        self.sql("CREATE EXTENSION smartpouch")
        for name, file in (("m1", "m1.json"), ("tiny", "tiny.json"), ("large", "large.ubj")):
            self.import_model(name, self.directory / file)
        self.sql("DROP TABLE IF EXISTS t, ta, answer")
        self.sql(f"CREATE TABLE t (id integer, {', '.join(name + ' real' for name in COLUMNS)})")
        self.sql("CREATE TABLE answer (id integer, p double precision)")
        with self.connection.cursor() as cursor, cursor.copy("COPY t FROM STDIN (FORMAT binary)") as copy:
            copy.write(binary_rows(np.arange(1, N_ROWS + 1), self.rows))
        self.sql(f"CREATE TABLE ta AS SELECT id, ARRAY[{', '.join(COLUMNS)}] AS arr FROM t ORDER BY id")
        for table in ("t", "ta"):
            self.sql(f"ALTER TABLE {table} ADD PRIMARY KEY (id)")
            self.sql(f"VACUUM (FREEZE, ANALYZE) {table}")
        self.sql("CHECKPOINT")

    def check(self):
        """The server's probabilities are xgboost's."""
        booster = xgb.Booster(params={"nthread": 1}, model_file=str(self.directory / "m1.json"))
        expected = booster.inplace_predict(self.rows[:1000])
        for shape in SHAPES.values():
            query = f"SELECT {prediction('m1', shape)} FROM {shape['table']} WHERE id <= 1000 ORDER BY id"
            got = np.array([row[0] for row in self.connection.execute(query)])
            assert np.abs(got - expected).max() < 1e-5, query

    def modes(self):
        """Ways to run a query: instructions, and blocks if this build has them."""
        has_blocks = self.sql("SELECT current_setting('smartpouch.enable_batch', true)") is not None
        for simd in SIMDS:
            try:
                self.sql(f"SET smartpouch.simd = {simd}")
            except psycopg.Error:
                continue
            for blocks in (True, False) if has_blocks else (False,):
                yield simd, blocks
        self.reset_mode()

    def reset_mode(self):
        self.sql("RESET ALL")

    def set_mode(self, simd, blocks):
        self.sql(f"SET smartpouch.simd = {simd}")
        if self.sql("SELECT current_setting('smartpouch.enable_batch', true)") is not None:
            self.sql(f"SET smartpouch.enable_batch = {blocks}")

    # ---- parts

    def kernel(self, model, simd, block):
        """Microseconds a row of the kernel alone, on the core of the backend."""
        model_file = self.directory / f"{model}.json"
        margin = self.directory / f"{model}.expected.f32"
        if not margin.exists():
            booster = xgb.Booster(params={"nthread": 1}, model_file=str(model_file))
            rows = np.fromfile(self.directory / "m1.rows.f32", dtype=np.float32).reshape(-1, N_FEATURES)
            booster.inplace_predict(rows, predict_type="margin").astype(np.float32).tofile(margin)
        lines = subprocess.run(
            ["taskset", "-c", str(self.core), str(self.directory / "bench_kernel"), "--json", "--rounds", "7", "--simd",
             simd, "--block", str(block), str(model_file), str(self.directory / "m1.rows.f32"), str(margin)],
            check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout.splitlines()
        return next(sample["median"] for sample in map(json.loads, lines)
                    if sample["block"] == block and sample["way"] == f"kernel {simd}")

    def time_queries(self, model, base):
        """SHAPES[...][base] and predictions in turns; names are (shape, simd, blocks), or (shape,) for a base."""
        queries = {}
        for name, shape in SHAPES.items():
            queries[(name,)] = f"SELECT {shape[base]} FROM {shape['table']}"
        for simd, blocks in list(self.modes()):
            for name, shape in SHAPES.items():
                queries[(name, simd, blocks)] = f"SELECT sum({prediction(model, shape)}) FROM {shape['table']}"
        samples = {name: [] for name in queries}
        for round_number in range(self.rounds + 1):
            for name, query in queries.items():
                if len(name) == 3:
                    self.set_mode(*name[1:])
                seconds = self.seconds(query)
                if round_number > 0:  # the first warms up
                    samples[name].append(seconds / N_ROWS * 1e6)
        self.reset_mode()
        return samples

    def sums(self):
        kernels = {(simd, block): [self.kernel("m1", simd, block) for _ in range(3)]
                   for simd in {simd for simd, _ in self.modes()} for block in (1, 128)}
        for (simd, block), values in kernels.items():
            self.results.add(f"kernel alone, {simd}, {block} rows a call", "us/row", *values)
        samples = self.time_queries("m1", "floor")
        for name, values in samples.items():
            self.results.add(sum_name(name), "us/row", *values)
        has_blocks = any(name[-1] is True for name in samples)
        for name in samples:
            if len(name) == 1 or name[2] != has_blocks:
                continue
            shape, simd, _ = name
            floor = median(samples[(shape,)])
            room = 1.0 if simd == "avx512" else median(kernels[(simd, 128)]) + 0.6
            self.results.bar(f"{sum_name(name)}: over the floor", median(samples[name]) - floor, most=room, unit="us/row")

    def client(self):
        booster = xgb.Booster(params={"nthread": 1}, model_file=str(self.directory / "m1.json"))
        ways = {f"client, {name}": (lambda shape=shape: self.run_client(booster, shape)) for name, shape in SHAPES.items()}
        for name, shape in SHAPES.items():
            ways[f"INSERT of predictions, {name}"] = lambda shape=shape: self.sql(
                f"INSERT INTO answer SELECT id, {prediction('m1', shape)} FROM {shape['table']}")
            ways[f"sum of predictions, {name}"] = lambda shape=shape: self.sql(
                f"SELECT sum({prediction('m1', shape)}) FROM {shape['table']}")
        for round_number in range(self.rounds + 1):
            for what, run in ways.items():
                self.sql("TRUNCATE answer")
                began = time.perf_counter()
                run()
                if round_number > 0:
                    self.results.add(what, "us/row", (time.perf_counter() - began) / N_ROWS * 1e6)
        client = min(self.results.median(f"client, {name}") for name in SHAPES)
        for name in SHAPES:
            self.results.bar(f"sum of predictions, {name}: times as fast as the client",
                             client / self.results.median(f"sum of predictions, {name}"), least=7)

    def run_client(self, booster, shape):
        """Read, predict, write: binary COPY both ways, one numpy view on what came."""
        columns = "id, " + (", ".join(COLUMNS) if shape["table"] == "t" else "arr")
        with self.connection.cursor() as cursor:
            with cursor.copy(f"COPY (SELECT {columns} FROM {shape['table']}) TO STDOUT (FORMAT binary)") as copy:
                received = b"".join(copy)
            ids, rows = parse_rows(received, shape["table"] == "ta")
            answers = booster.inplace_predict(rows)
            with cursor.copy("COPY answer FROM STDIN (FORMAT binary)") as copy:
                copy.write(binary_answers(ids, answers))

    def overhead(self):
        """A call of a model of one split, less its kernel and less a query that reads the features and has no call."""
        samples = self.time_queries("tiny", "read")
        for name in (name for name in samples if len(name) == 3 and not name[2]):
            shape, simd, _ = name
            if simd != SIMDS[0] and (shape, SIMDS[0], False) in samples:
                continue
            kernel = self.kernel("tiny", simd, 1)
            spent = [value - floor - kernel for value, floor in zip(samples[name], samples[(shape,)])]
            what = f"overhead of a call, {shape}"
            self.results.add(what, "us", *spent)
            self.results.bar(what, median(spent), most=0.25 if shape == "array" else 0.6, unit="us")

    def keys(self):
        """With and without in turns, many times for a short while: the share is the median of their ratios."""
        for name, shape in SHAPES.items():
            scripts = {}
            for what, target in (("without", shape["key"]), ("with", prediction("m1", shape))):
                scripts[what] = self.directory / f"keys_{name}_{what}.sql"
                scripts[what].write_text(f"\\set id random(1, {N_ROWS})\n"
                                         f"SELECT {target} FROM {shape['table']} WHERE id = :id;\n")
            shares = []
            for _ in range(3 * self.rounds):
                tps = {what: pgbench(script) for what, script in scripts.items()}
                for what, value in tps.items():
                    self.results.add(f"by key, {name}, {what} prediction", "tps", value)
                shares.append(tps["with"] / tps["without"] * 100)
            self.results.add(f"by key, {name}: share of the tps", "%", *shares)
            self.results.bar(f"by key, {name}: tps with the prediction, of those without", median(shares), least=80, unit="%")

    def auth(self):
        """The same jsonb and the same key in turns; calls are in long queries, clients in short transactions."""
        self.sql("SELECT smartpouch.promote('m1', 1, 'production')")
        token = self.sql("SELECT smartpouch.create_api_key('bench', ARRAY['predict:model/m1'],"
                         " rate_limit => 1000000000, quota => 1000000000000)")
        self.sql("DROP TABLE IF EXISTS asked")
        self.sql("CREATE TABLE asked AS SELECT %s::text AS token, to_jsonb(t) - 'id' AS features FROM t LIMIT 10000", token)
        self.sql("VACUUM (FREEZE, ANALYZE) asked")
        calls = {"empty": "octet_length(token)", "verify": "smartpouch.verify_api_key(token)",
                 "predict_json": "smartpouch.predict_json('m1', features)", "infer": "smartpouch.infer(token, 'm1', features)"}
        samples = {what: [] for what in calls}
        for round_number in range(3 * self.rounds + 1):
            for what, call in calls.items():
                seconds = self.seconds(f"SELECT count({call}) FROM asked")
                if round_number > 0:
                    samples[what].append(seconds / 10000 * 1e6)
        for what, less, most in (("verify", "empty", 5), ("infer", "predict_json", 10)):
            name = f"{calls[what].split('(')[0].split('.')[1]}: more than {'an empty call' if less == 'empty' else less}"
            self.results.add(name, "us", *(a - b for a, b in zip(samples[what], samples[less])))
            self.results.bar(name, self.results.median(name), most=most, unit="us")
        self.auth_clients(token)

    def auth_clients(self, token):
        scripts = {"predict_json": "smartpouch.predict_json('m1', :features::jsonb)",
                   "infer": "smartpouch.infer(:token, 'm1', :features::jsonb)"}
        features = self.sql("SELECT features::text FROM asked LIMIT 1").replace(" ", "")
        gains = []
        for _ in range(2 * self.rounds):
            tps = {}
            for what, call in scripts.items():
                script = self.directory / f"auth_{what}.sql"
                script.write_text(f"SELECT {call};\n")
                for clients in (1, 4):
                    tps[what, clients] = pgbench(script, clients, {"token": token, "features": features})
                    self.results.add(f"{what}, {clients} clients", "tps", tps[what, clients])
            gains.append(tps["infer", 4] / tps["infer", 1] / (tps["predict_json", 4] / tps["predict_json", 1]) * 100)
        name = "infer: gain by 4 clients, of that of predict_json"
        self.results.add(name, "%", *gains)
        self.results.bar(name, median(gains), least=80, unit="%")

    def first(self):
        query = f"SELECT smartpouch.predict_proba('m1:1', array_fill(0.5::real, ARRAY[{N_FEATURES}]), '1')"
        self.sql(query)
        for _ in range(NEW_SESSIONS):
            with self.connect() as session:
                session.execute("SELECT 1")
                times = []
                for _ in range(2):
                    began = on_core(session)
                    session.execute(query).fetchone()
                    times.append((on_core(session) - began) * 1e3)
            self.results.add("first call of a session", "ms", times[0])
            self.results.add("second call", "ms", times[1])
            self.results.add("first call: more than the second", "ms", times[0] - times[1])
        self.results.bar("first call: more than the second", self.results.median("first call: more than the second"),
                         most=2, unit="ms")

    def memory(self):
        call = "SELECT smartpouch.predict('{}', array_fill(0.5::real, ARRAY[{}])) FROM generate_series(1, 3)"
        large = call.format("large:1", 20)
        self.sql(large)
        size = self.sql("SELECT bytes / 1048576.0 FROM smartpouch.model_cache WHERE versions = '{large:1}' AND shared")
        self.results.add("shared image of the large model", "MB", float(size))
        for _ in range(self.rounds):
            with self.connect() as session:
                before = while_running(session, call.format("tiny:1", N_FEATURES))
                after = while_running(session, large)
            self.results.add("private memory of a further session", "MB", (after - before) / 1024)
        self.results.bar("private memory that a model of 50 MB adds",
                         self.results.median("private memory of a further session"), most=1, unit="MB")


def on_core(connection):
    """Seconds that the backend has had of its core so far: others on the machine count less than by the clock."""
    with open(f"/proc/{connection.info.backend_pid}/schedstat", encoding="ascii") as line:
        return int(line.read().split()[0]) * 1e-9


def prediction(model, shape):
    return f"smartpouch.predict_proba('{model}:1', {shape['features']}, '1')"


def sum_name(name):
    if len(name) == 1:
        return f"floor, {name[0]}"
    return f"sum, {name[0]}, {name[1]}, {'blocks' if name[2] else 'row by row'}"


def while_running(session, query):
    """Private memory of the session's backend in kB while the query has an open cursor."""
    with session.transaction(), session.cursor() as cursor:
        cursor.execute(f"DECLARE c CURSOR FOR {query}")
        cursor.execute("FETCH 2 FROM c")
        with open(f"/proc/{session.info.backend_pid}/smaps_rollup", encoding="ascii") as lines:
            return sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))


def pgbench(script, clients=KEYS_CLIENTS, variables=None):
    defined = [f"--define={name}={value}" for name, value in (variables or {}).items()]
    out = subprocess.run(
        ["pgbench", "-n", "-M", "prepared", "-c", str(clients), "-j", str(clients), "-T", str(KEYS_SECONDS), *defined,
         "-f", str(script)],
        check=True, stdout=subprocess.PIPE, text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, range(os.cpu_count()))).stdout
    return float(re.search(r"^tps = ([0-9.]+)", out, re.MULTILINE).group(1))


# ---- COPY's binary format: a header of 19 bytes, rows of (count, then length and value of each field), a trailer

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
VALUES = [("size", ">i4"), ("value", ">f4")]
ROW_TYPE = np.dtype([("count", ">i2"), ("id_size", ">i4"), ("id", ">i4"), ("values", VALUES, N_FEATURES)])
ARRAY_TYPE = np.dtype([("count", ">i2"), ("id_size", ">i4"), ("id", ">i4"), ("size", ">i4"), ("header", ">i4", 5),
                       ("values", VALUES, N_FEATURES)])
ANSWER_TYPE = np.dtype([("count", ">i2"), ("id_size", ">i4"), ("id", ">i4"), ("size", ">i4"), ("value", ">f8")])


def binary_rows(ids, rows):
    records = np.zeros(len(ids), dtype=ROW_TYPE)
    records["count"] = 1 + rows.shape[1]
    records["id_size"] = 4
    records["id"] = ids
    records["values"]["size"] = 4
    records["values"]["value"] = rows
    return HEADER + records.tobytes() + TRAILER


def parse_rows(received, is_array):
    records = np.frombuffer(received, ARRAY_TYPE if is_array else ROW_TYPE, N_ROWS, len(HEADER))
    return records["id"], records["values"]["value"].astype(np.float32)


def binary_answers(ids, answers):
    records = np.zeros(len(ids), dtype=ANSWER_TYPE)
    records["count"] = 2
    records["id_size"] = 4
    records["id"] = ids
    records["size"] = 8
    records["value"] = answers
    return HEADER + records.tobytes() + TRAILER


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parts = ("sums", "client", "overhead", "keys", "auth", "first", "memory")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--core", type=int, default=os.cpu_count() - 1)
    parser.add_argument("--only", choices=parts, action="append")
    parser.add_argument("directory")
    bench = Bench(parser.parse_args())
    bench.set_up()
    bench.check()
    for part in parser.parse_args().only or parts:
        getattr(bench, part)()
    print()
    bench.results.print()
    with open(bench.directory / "sql.json", "w", encoding="utf-8") as out:
        json.dump(bench.results.as_json(), out, indent=2)
        out.write("\n")


if __name__ == "__main__":
    main()
