"""Rows of texts in columns."""


def print_rows(lines, left):
    """The first columns are aligned at their left, the others at their right."""
    widths = [max(len(line[at]) for line in lines) for at in range(len(lines[0]))]
    for line in lines:
        cells = [cell.ljust(width) if at < left else cell.rjust(width)
                 for at, (cell, width) in enumerate(zip(line, widths))]
        print("  ".join(cells).rstrip())
