#!/usr/bin/env python3
"""The forecast beside LightGBM and persistence, on the same data, features and folds, in one run.

    python3 -m venv target/peers-venv
    target/peers-venv/bin/pip install numpy pandas lightgbm scikit-learn
    cargo build --release
    target/peers-venv/bin/python benches/peers/forecast.py

Jobs: `isotherm forecast evaluate --export` writes one row a job with its features, its fold and what our chosen learner
says. LightGBM is fitted on the rows of the fold `train` and judged on those of `test`, as ours is, for squares and for
absolute errors.

Heat: LightGBM sees the heat of a CDU at present and over the last hour, the hour of the day, and what the queue states, and
learns the change to each horizon from the part of the trace before `--from`; all are judged after it.
"""

import argparse
import json
import pathlib
import subprocess
import time
import warnings

import lightgbm
import numpy as np
import pandas as pd
from sklearn.linear_model import Ridge

warnings.filterwarnings("ignore")
HORIZONS_S = [60, 300, 900, 1800, 3600]
LAGS_MIN = [1, 2, 3, 5, 10, 15, 20, 30, 45, 60]


def run(binary, trace, share, folder, data, extra):
    command = [binary, "forecast", "evaluate", "--trace", trace, "--from", str(share), "--export", str(folder), "--json"]
    command += extra + (["--data", data] if data else [])
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def score(predicted, truth):
    error = np.abs(predicted - truth)
    return error.mean(), 100 * (error / np.maximum(truth, 1.0)).mean()


def learner(objective):
    return lightgbm.LGBMRegressor(objective=objective, verbose=-1, n_jobs=1, random_state=1)


def jobs(name, folder, ours):
    table = pd.read_csv(folder / "jobs.csv")
    features = list(table.columns[5:])
    train, test = table[table.fold == "train"], table[table.fold == "test"]
    x, y = train[features].to_numpy(), train.mean_w.to_numpy()
    x_test, truth = test[features].to_numpy(), test.mean_w.to_numpy()
    rows = [
        ("training mean", np.full(len(test), y.mean()), None, None),
        ("last finished job", test.last_w.to_numpy(), None, None),
    ]
    spread = np.where(x.std(axis=0) > 1e-12, x.std(axis=0), 1.0)
    ridge = Ridge(alpha=1.0).fit((x - x.mean(axis=0)) / spread, y)
    rows.append(("ridge", ridge.predict((x_test - x.mean(axis=0)) / spread), None, None))
    for objective in ["regression", "regression_l1"]:
        began = time.perf_counter()
        model = learner(objective).fit(x, y)
        fitted = time.perf_counter()
        predicted = model.predict(x_test)
        each = 1e6 * (time.perf_counter() - fitted) / len(test)
        rows.append((f"LightGBM, {objective}", predicted, fitted - began, each))
    rows.append((f"ours ({ours['learner']})", test.ours_w.to_numpy(), ours["train_s"], ours["predict_us"]))
    print(f"\n## Mean power of a job: {name}\n\nlearned from {len(train)} jobs, judged on {len(test)} later ones\n")
    print("| predictor | MAE, W per GPU | MAPE | fit, s | a prediction, us |\n|---|---:|---:|---:|---:|")
    for label, predicted, fit_s, each_us in rows:
        mae, mape = score(predicted, truth)
        fit = "" if fit_s is None else f"{fit_s:.2f}"
        each = "" if each_us is None else f"{each_us:.1f}"
        print(f"| {label} | {mae:.1f} | {mape:.1f} % | {fit} | {each} |")


def heat(name, folder, ours, share):
    table = pd.read_csv(folder / "heat.csv")
    step_s = table.time_s.drop_duplicates().diff().dropna().mode()[0]
    known = {row["minutes"]: row for row in ours["horizons"] if row["knowledge"] == "queue"}
    blind = {row["minutes"]: row for row in ours["horizons"] if row["knowledge"] == "blind"}
    print(f"\n## Heat of a CDU: {name}\n\nMAE, with the 95th percentile of the error in brackets, kW\n")
    print("| min | persistence | LightGBM, history | LightGBM, history and queue | ours, blind | ours, queue | known future |")
    print("|---:|---:|---:|---:|---:|---:|---:|")
    for horizon_s in HORIZONS_S:
        ahead = max(1, round(horizon_s / step_s))
        errors = {"still": [], "history": [], "queue": []}
        frames = []
        for _, cdu in table.groupby("cdu"):
            cdu = cdu.reset_index(drop=True)
            frame = pd.DataFrame({"now": cdu.heat_kw, "then": cdu.heat_kw.shift(-ahead)})
            for lag in LAGS_MIN:
                frame[f"lag{lag}"] = cdu.heat_kw - cdu.heat_kw.shift(max(1, round(60 * lag / step_s)))
            day = 2 * np.pi * (cdu.time_s % 86400) / 86400
            frame["sin"], frame["cos"] = np.sin(day), np.cos(day)
            for column in cdu.columns[4:]:
                frame[column] = cdu[column]
            frame["train"] = (cdu.index + ahead) < share * len(cdu)
            frame["test"] = cdu.index >= share * len(cdu)
            frames.append(frame.dropna(subset=["then"]))
        rows = pd.concat(frames, ignore_index=True)
        train, test = rows[rows.train], rows[rows.test]
        history = ["now"] + [f"lag{lag}" for lag in LAGS_MIN] + ["sin", "cos"]
        queue = history + list(table.columns[4:])
        change = (train.then - train.now).to_numpy()
        errors["still"] = np.abs(test.then - test.now)
        for label, columns in [("history", history), ("queue", queue)]:
            model = learner("regression").fit(train[columns].to_numpy(), change)
            errors[label] = np.abs(test.now + model.predict(test[columns].to_numpy()) - test.then)
        cell = lambda error: f"{np.mean(error):.2f} ({np.quantile(error, 0.95):.2f})"
        minutes = horizon_s / 60
        mine = lambda row, kind="": "-" if not row or row[f"mae{kind}"] is None else f"{row[f'mae{kind}']:.2f} ({row[f'p95{kind}']:.2f})"
        print(
            f"| {minutes:.0f} | {cell(errors['still'])} | {cell(errors['history'])} | {cell(errors['queue'])} "
            f"| {mine(blind.get(minutes))} | {mine(known.get(minutes))} | {mine(known.get(minutes), '_bound')} |"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--binary", default="target/release/isotherm")
    parser.add_argument("--data", default=None, help="directory of the public traces")
    parser.add_argument("--out", default="target/peers", help="where the tables go")
    parser.add_argument("--from", dest="share", type=float, default=0.7, help="share of a trace that is learned from")
    parser.add_argument("--traces", nargs="*", default=["surf_lisa", "zeus_dnn_power", "synthetic", "frontier_cdu_heat"])
    options = parser.parse_args()
    for trace in options.traces:
        folder = pathlib.Path(options.out) / trace
        ours = run(options.binary, trace, options.share, folder, options.data, [])
        if ours["jobs"]:
            jobs(trace, folder, ours["jobs"])
        if ours["horizons"]:
            heat(trace, folder, ours, options.share)


if __name__ == "__main__":
    main()
