#!/usr/bin/env python3
"""Print every bar that benchmarks have held something against, in one table.

usage: bars.py BENCH.json...

The files are those that bench/run, bench/sql and bench/parallel write.  Their bars have
"what", "bar", "measured" and "met".
"""
import json
import sys

from columns import print_rows


def main():
    lines = [("what", "bar", "measured", "")]
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as file:
            for bar in json.load(file)["bars"]:
                lines.append((bar["what"], bar["bar"], f"{bar['measured']:.2f}", "met" if bar["met"] else "MISSED"))
    print_rows(lines, 2)
    missed = sum(line[-1] == "MISSED" for line in lines)
    print(f"\n{len(lines) - 1} bars, {missed} missed")


if __name__ == "__main__":
    if len(sys.argv) == 1:
        sys.exit(__doc__)
    main()
