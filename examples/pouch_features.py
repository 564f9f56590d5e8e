"""Turn motion recordings into one row of features per time window.

What: reads the BasicMotions recordings (smart watch, 6 axes, 10 samples per
second, 10 seconds) and cuts every recording into windows of 5 seconds that
overlap by half.  Each window becomes one row of 36 features: six numbers for
each of the six axes.

Why: this is the shape of data a sensor pouch sends to a database.  A model that
reads such a row is the running example of the documentation.

The archive's own split is kept: windows of a training recording never appear
among the held-out rows.

Run on its own to look at the rows:

    python pouch_features.py BasicMotions_TRAIN.ts > train_windows.csv
"""

import csv
import sys

import numpy as np

SAMPLES_PER_SECOND = 10.0
WINDOW_SAMPLES = 50
STEP_SAMPLES = 25

# The files hold three accelerometer and three gyroscope series, taken in that order;
# they do not name them one by one.
AXES = ["accel_x", "accel_y", "accel_z", "gyro_x", "gyro_y", "gyro_z"]
STATISTICS = ["mean", "std", "min", "max", "energy", "dominant_frequency"]
FEATURE_NAMES = [f"{axis}_{statistic}" for axis in AXES for statistic in STATISTICS]

# The order in which the data file declares its classes ("Standing" is what its note
# calls resting); the position is the integer code used by models that only know
# numbered classes.
MOTIONS = ["Standing", "Running", "Walking", "Badminton"]


def read_recordings(path):
    """Read a .ts file; return (recordings[n, axis, sample], motion names[n])."""
    recordings, motions = [], []
    in_data = False
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            line = line.strip()
            if in_data and line:
                *axes, motion = line.split(":")
                recordings.append([[float(x) for x in axis.split(",")] for axis in axes])
                motions.append(motion)
            elif line.lower() == "@data":
                in_data = True
    return np.array(recordings), np.array(motions)


def dominant_frequency(samples):
    """Frequency in Hz with the largest amplitude, the constant part left out."""
    amplitudes = np.abs(np.fft.rfft(samples - samples.mean()))
    frequencies = np.fft.rfftfreq(len(samples), d=1.0 / SAMPLES_PER_SECOND)
    return frequencies[1 + np.argmax(amplitudes[1:])]


def axis_features(samples):
    return [
        samples.mean(),
        samples.std(),
        samples.min(),
        samples.max(),
        np.mean(samples * samples),
        dominant_frequency(samples),
    ]


def window_features(recordings, motions):
    """Return (rows[n_windows, 36], motion names[n_windows])."""
    rows, row_motions = [], []
    for recording, motion in zip(recordings, motions):
        last_start = recording.shape[1] - WINDOW_SAMPLES
        for start in range(0, last_start + 1, STEP_SAMPLES):
            window = recording[:, start:start + WINDOW_SAMPLES]
            rows.append([value for axis in window for value in axis_features(axis)])
            row_motions.append(motion)
    return np.array(rows), np.array(row_motions)


def load_windows(path):
    return window_features(*read_recordings(path))


if __name__ == "__main__":
    rows, motions = load_windows(sys.argv[1])
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(FEATURE_NAMES + ["motion"])
    for row, motion in zip(rows, motions):
        out.writerow([repr(float(value)) for value in row] + [motion])
