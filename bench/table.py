#!/usr/bin/env python3
"""Turn the samples of bench/run into one table and one JSON file.

usage: table.py SAMPLES.jsonl BENCH.json

A sample is one JSON object a line: round, model, way, block, median, min, max in
microseconds a row.  The table has the median over the rounds of the medians,
the smallest and largest of everything, and how many times faster that median
is than xgboost's inplace_predict with at least as many rows a call.  Then come
the bars that the kernels have to reach; xgboost's best batch is the fastest of
its ways.
"""
import json
import os
import platform
import statistics
import sys

REFERENCE = "xgboost inplace_predict"
HEADINGS = ("model", "way", "rows a call", "median us/row", "min", "max", "x xgboost")

# model, way, rows a call, at least so many times as fast as xgboost's best batch, or at most so many us/row
BARS = (
    ("m1", "kernel avx512", 128, 12, None),
    ("m1", "kernel portable", 128, 2.8, None),
    ("m1", "kernel avx512", 1, None, 1.6),
    ("m1", "kernel portable", 1, None, 3.3),
)


def reference_median(results, model, block):
    """xgboost's median with the next larger block that was timed, which is to its advantage."""
    medians = {b: r["median"] for (m, way, b), r in results.items() if m == model and way == REFERENCE}
    larger = [b for b in medians if b >= block]
    return medians[min(larger)] if larger else None


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
    for (model, way, block), result in results.items():
        reference = reference_median(results, model, block)
        if reference:
            result["times_xgboost"] = reference / result["median"]
    return results


def print_table(results):
    lines = [HEADINGS]
    for (model, way, block), result in results.items():
        times = result.get("times_xgboost")
        lines.append((
            model, way, str(block), f"{result['median']:.2f}", f"{result['min']:.2f}", f"{result['max']:.2f}",
            f"{times:.1f}" if times else "",
        ))
    widths = [max(len(line[at]) for line in lines) for at in range(len(HEADINGS))]
    for line in lines:
        cells = [cell.ljust(width) if at < 2 else cell.rjust(width) for at, (cell, width) in enumerate(zip(line, widths))]
        print("  ".join(cells).rstrip())


def check_bars(results):
    """The bars of what was timed, each with what was measured and whether that reaches it."""
    checked = []
    for model, way, block, times, most in BARS:
        if (model, way, block) not in results:
            continue
        median = results[(model, way, block)]["median"]
        batch = min(r["median"] for (m, w, _), r in results.items() if m == model and w.startswith("xgboost"))
        measured = median if times is None else batch / median
        checked.append({
            "model": model, "way": way, "block": block,
            "bar": f">= {times}x xgboost's best batch" if times else f"<= {most} us/row",
            "measured": measured, "met": measured <= most if times is None else measured >= times,
        })
    return checked


def print_bars(bars):
    for bar in bars:
        verdict = "met" if bar["met"] else "MISSED"
        print(f"{bar['model']}, {bar['way']}, {bar['block']} rows a call: {bar['bar']}: "
              f"{bar['measured']:.2f}, {verdict}")


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
    bars = check_bars(results)
    print()
    print_bars(bars)
    facts = {
        "processor": processor(),
        "load": os.getloadavg()[0],
        "unit": "microseconds a row",
        "results": [
            {"model": model, "way": way, "block": block, **result}
            for (model, way, block), result in results.items()
        ],
        "bars": bars,
    }
    with open(sys.argv[2], "w", encoding="utf-8") as out:
        json.dump(facts, out, indent=2)
        out.write("\n")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main()
