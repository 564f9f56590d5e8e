#!/usr/bin/env python3
"""Turn the samples of bench/run into one table and one JSON file.

usage: table.py SAMPLES.jsonl BENCH.json

A sample is one JSON object a line: round, model, way, block, median, min, max in
microseconds a row.  The table has the median over the rounds of the medians,
the smallest and largest of everything, and how many times faster that median
is than the library that the model is measured by: with one row a call than its single
rows, else than its fastest way and size of blocks.  The JSON has the bars too that
the kernels have to reach.
"""
import json
import os
import platform
import statistics
import sys

from columns import print_rows

# by what the names of its ways begin with
PEERS = {
    "m1": "xgboost", "m1_missing": "xgboost", "m2": "onnxruntime", "m3": "onnxruntime", "m4": "onnxruntime",
    "m5": "scikit-learn", "layer": "OpenBLAS",
}
HEADINGS = ("model", "way", "rows a call", "median us/row", "min", "max", "times as fast")
LEVELS = ("avx512", "avx2", "portable")

# model, level (None: the best that the processor has), rows a call, at least so many times as
# fast as the peer, or at most so many us/row
BARS = (
    ("m1", "avx512", 128, 12, None),
    ("m1", "portable", 128, 2.8, None),
    ("m1", "avx512", 1, None, 1.6),
    ("m1", "portable", 1, None, 3.3),
    ("m2", None, 128, 3.5, None),
    ("m2", None, 1, 4, None),
    ("m3", None, 128, 1.0, None),
    ("m3", None, 1, 1.0, None),
    ("m4", None, 128, 3, None),
    ("m4", None, 1, 3, None),
    ("m5", None, 128, 15, None),
)


def peer_median(results, model, block):
    return min(
        (r["median"] for (m, way, b), r in results.items()
         if m == model and way.startswith(PEERS[model]) and (b == 1) == (block == 1)),
        default=None)


def summarize(samples):
    grouped = {}
    for sample in samples:
        grouped.setdefault((sample["model"], sample["way"], sample["block"]), []).append(sample)
    results = {}
    for key, group in grouped.items():
        results[key] = {
            "median": statistics.median(sample["median"] for sample in group),
            "min": min(sample["min"] for sample in group),
            "max": max(sample["max"] for sample in group),
            "rounds": len(group),
        }
    for (model, _, block), result in results.items():
        peer = peer_median(results, model, block)
        if peer:
            result["times_as_fast"] = peer / result["median"]
    return results


def print_table(results):
    lines = [HEADINGS]
    for (model, way, block), result in results.items():
        times = result.get("times_as_fast")
        lines.append((
            model, way, str(block), f"{result['median']:.2f}", f"{result['min']:.2f}", f"{result['max']:.2f}",
            f"{times:.2f}" if times else "",
        ))
    print_rows(lines, 2)


def check_bars(results):
    """The bars of what was timed, each with what was measured and whether that reaches it."""
    checked = []
    for model, wanted, block, times, most in BARS:
        levels = [wanted] if wanted else LEVELS
        level = next((level for level in levels if (model, f"kernel {level}", block) in results), None)
        if level is None:
            continue
        result = results[(model, f"kernel {level}", block)]
        measured = result["times_as_fast"] if times else result["median"]
        checked.append({
            "what": f"{model} kernel, {level}, {block} {'row' if block == 1 else 'rows'} a call",
            "bar": f">= {times}x {PEERS[model]}" if times else f"<= {most} us/row",
            "measured": measured, "met": measured >= times if times else measured <= most,
        })
    return checked


def processor():
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor()


def main():
    with open(sys.argv[1], encoding="utf-8") as lines:
        results = summarize([json.loads(line) for line in lines])
    print_table(results)
    facts = {
        "processor": processor(),
        "load": os.getloadavg()[0],
        "unit": "microseconds a row",
        "results": [
            {"model": model, "way": way, "block": block, **result}
            for (model, way, block), result in results.items()
        ],
        "bars": check_bars(results),
    }
    with open(sys.argv[2], "w", encoding="utf-8") as out:
        json.dump(facts, out, indent=2)
        out.write("\n")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main()
