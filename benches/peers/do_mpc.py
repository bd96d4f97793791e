#!/usr/bin/env python3
"""The same small tower-and-pump problem, solved by do-mpc and by Isotherm in one run.

    python3 -m venv target/peers && target/peers/bin/pip install do-mpc
    target/peers/bin/python benches/peers/do_mpc.py

One CDU of four racks at full load on one pump and one tower cell (small.toml). Both sides know the same laws: counterflow
exchanger, Merkel's tower, affinity laws, the limits with the same reserves. do-mpc solves a receding-horizon problem
(twelve steps of five minutes, collocation, IPOPT) for fan speed, secondary and primary flow, until it stands still; Isotherm
chooses setpoints. Both results are then priced by the function `power` below. Printed: time of a solve, power, and the
ratios of time and cost.
"""
import json
import subprocess
import sys
import time
from pathlib import Path

import casadi as ca
import do_mpc

ROOT = Path(__file__).resolve().parents[2]
# Nameplates of small.toml.
RATED, APPROACH, SEC_LPM, SEC_KPA, PRI_LPM, PRI_KPA, CDU_KW = 420.0, 4.0, 628.0, 150.0, 600.0, 80.0, 4.0
PUMP_LPM, PUMP_KPA, PUMP_KW, HEADER_MIN, HEADER_MAX = 900.0, 250.0, 6.0, 30.0, 250.0
TOWER_KW, FAN_KW, TOWER_LPM, TOWER_APPROACH, TOWER_WET = 600.0, 12.0, 850.0, 4.0, 22.0
RACK_KW, RACK_LPM, CHIP_KW, CHIP_R, CHIP_LIMIT, LEAST_LPM_KW = 104.4, 157.0, 1.2, 28.0, 87.0, 0.9
VOLUME_L, PRESSURE = 3000.0, 101325.0
# Limits less the reserves that the strategy keeps.
MARGIN, RETURN, SUPPLY, PLANNED = 10.7, 57.3, 39.3, 0.88
# Heat per L/min and K at 35 degC, kW: water and 25 % propylene glycol.
WATER, GLYCOL = 994.03 * 4178.2 / 6e7, (1026.233 - 0.2916211 * 35 - 0.002895118 * 35**2) * (3872.653 + 2.393726 * 35) / 6e7


def saturation_pa(c):
    k = c + 273.15
    return ca.exp(-5.8002206e3 / k + 1.3914993 - 4.8640239e-2 * k + 4.1764768e-5 * k**2 - 1.4452093e-8 * k**3 + 6.5459673 * ca.log(k))


def humidity(p):
    return 0.621945 * p / (PRESSURE - p)


def enthalpy(c):
    return 1.006 * c + humidity(saturation_pa(c)) * (2501 + 1.86 * c)


def wet_bulb(dry, rh):
    target = humidity(rh * float(saturation_pa(dry)))
    low, high = dry - 25.0, dry
    for _ in range(60):
        wet = 0.5 * (low + high)
        w = ((2501 - 2.326 * wet) * humidity(float(saturation_pa(wet))) - 1.006 * (dry - wet)) / (2501 + 1.86 * dry - 4.186 * wet)
        low, high = (wet, high) if w < target else (low, wet)
    return wet


HOT, COLD = SEC_LPM * GLYCOL, PRI_LPM * WATER


def rated_ua():
    drive = APPROACH + RATED / HOT
    least, most = min(HOT, COLD), max(HOT, COLD)
    eps, ratio = RATED / (least * drive), least / most
    return least * float(ca.log((1 - ratio * eps) / (1 - eps))) / (1 - ratio)


UA = rated_ua()


def supply_c(heat, share, primary, water):
    """Coolant supply at shares of the rated flows, degC."""
    hot, cold = share * HOT, primary * COLD
    ua = UA * 2 / (share**-0.8 + primary**-0.8)
    ratio = hot / cold * 1.0000001
    decay = ca.exp(-ua / hot * (1 - ratio))
    eps = (1 - decay) / (1 - ratio * decay)
    return water + heat / (eps * hot) - heat / hot


def chip_rise(heat, share):
    return CHIP_KW * (heat / 4 / RACK_KW) * CHIP_R * share**-0.4


def drive_efficiency(load, speed):
    return 0.94187 * (1 - ca.exp(-9.04 * load)) * (0.5067 + 1.283 * speed - 1.42 * speed**2 + 0.5842 * speed**3)


def pump(flow, header):
    share = flow / PUMP_LPM
    head = (header + 0.4 * PUMP_KPA * share**2) / PUMP_KPA
    speed = ca.fmin(ca.fmax(ca.sqrt((head + 0.25 * share**2) / 1.25), 0.3), 1.0)
    off = share / speed - 1
    load = share * head / ca.fmax(1 - off**2, 0.2)
    return PUMP_KW * load * drive_efficiency(1.0, 1.0) / drive_efficiency(load, speed)


def header_kpa(primary):
    return ca.fmax(PRI_KPA * (primary / PLANNED) ** 2, HEADER_MIN)


RANGE = TOWER_KW / (TOWER_LPM * WATER)
RATED_DRIVE = float(enthalpy(TOWER_WET + TOWER_APPROACH + 0.4 * RANGE) - enthalpy(TOWER_WET))


def tower_kw(speed, water, heat, flow, wet):
    """Heat that the cell gives off at a fan speed."""
    drive = enthalpy(water + 0.4 * heat / (flow * WATER)) - enthalpy(wet)
    return TOWER_KW * drive / RATED_DRIVE * speed**0.6 * (flow / TOWER_LPM) ** 0.4


def fan_kw(speed):
    # Below its slowest speed, 0.2, the fan runs part of the time.
    return FAN_KW * ca.if_else(speed >= 0.2, speed**2.7, 0.2**2.7 * speed / 0.2)


def cdu_kw(share):
    return CDU_KW * (0.12 + 0.88 * share**3)


def power(heat, share, primary, header, water, wet):
    """Power of everything at a steady state, kW, and the fan speed that it takes."""
    flow = primary * PRI_LPM
    cdu, pumps = float(cdu_kw(share)), float(pump(flow, header))
    all_kw = heat + cdu + pumps
    full = float(tower_kw(1.0, water, all_kw, flow, wet))
    speed = (all_kw / full) ** (1 / 0.6)
    return cdu + pumps + float(fan_kw(speed)), speed


def primary_for(heat, share, supply, water):
    low, high = 0.02, 2.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if float(supply_c(heat, share, middle, water)) > supply else (low, middle)
    return high


def controller(heat, wet):
    model = do_mpc.model.Model("continuous")
    water = model.set_variable("_x", "water")
    share = model.set_variable("_u", "share")
    primary = model.set_variable("_u", "primary")
    fan = model.set_variable("_u", "fan")
    flow = primary * PRI_LPM
    header = header_kpa(primary)
    total = heat + cdu_kw(share) + pump(flow, header)
    kw = cdu_kw(share) + pump(flow, header) + fan_kw(fan)
    model.set_expression("kw", kw)
    model.set_expression("supply", supply_c(heat, share, primary, water))
    model.set_rhs("water", (total - tower_kw(fan, water, total, flow, wet)) / (VOLUME_L * 4.18) * 60)
    model.setup()
    mpc = do_mpc.controller.MPC(model)
    mpc.settings.n_horizon = 12
    mpc.settings.t_step = 5.0
    mpc.settings.supress_ipopt_output()
    mpc.set_objective(mterm=0.01 * (model.x["water"] - 20) ** 2 * 0, lterm=model.aux["kw"])
    mpc.set_rterm(share=1e-3, primary=1e-3, fan=1e-3)
    low, high = (20 / SEC_KPA) ** 0.5, (220 / SEC_KPA) ** 0.5
    for name, bounds in {"share": (max(low, LEAST_LPM_KW * heat / SEC_LPM), high), "primary": (0.1, 1.5), "fan": (0.02, 1.0)}.items():
        mpc.bounds["lower", "_u", name], mpc.bounds["upper", "_u", name] = bounds
    mpc.bounds["lower", "_x", "water"], mpc.bounds["upper", "_x", "water"] = max(wet + 1.5, 12.0), 36.0
    mpc.set_nl_cons("supply", model.aux["supply"], ub=SUPPLY)
    mpc.set_nl_cons("chip", model.aux["supply"] + chip_rise(heat, share) - CHIP_LIMIT + MARGIN, ub=0)
    mpc.set_nl_cons("return", model.aux["supply"] + heat / (share * HOT), ub=RETURN)
    mpc.set_nl_cons("header", header, ub=HEADER_MAX)
    mpc.setup()
    return mpc


def by_do_mpc(heat, wet):
    mpc = controller(heat, wet)
    water, taken = max(wet + 6.0, 20.0), []
    mpc.x0 = [water]
    mpc.u0["share"], mpc.u0["primary"], mpc.u0["fan"] = 0.8, 0.8, 0.6
    mpc.set_initial_guess()
    for _ in range(24):
        began = time.perf_counter()
        u = mpc.make_step(ca.DM([water]).full())
        taken.append(time.perf_counter() - began)
        share, primary, fan = (float(value) for value in u.flatten())
        flow = primary * PRI_LPM
        for _ in range(30):
            total = heat + float(cdu_kw(share)) + float(pump(flow, header_kpa(primary)))
            water += (total - float(tower_kw(fan, water, total, flow, wet))) / (VOLUME_L * 4.18) * 10
    kw, speed = power(heat, share, primary, float(header_kpa(primary)), water, wet)
    return sorted(taken)[len(taken) // 2], kw, speed, water, share, primary


def main():
    run = ["cargo", "bench", "--quiet", "--bench", "peer_problem"]
    ours = json.loads(subprocess.run(run, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip().splitlines()[-1])
    print(f"{'weather':>14} {'ours kW':>9} {'do-mpc kW':>10} {'cost':>7} {'ours ms':>9} {'do-mpc ms':>10} {'time':>8}")
    costs, times = [], []
    for result in ours["results"]:
        dry, rh, heat = result["dry_bulb_c"], result["relative_humidity"], result["heat_kw"]
        wet = wet_bulb(dry, rh)
        share = (result["secondary_kpa"] / SEC_KPA) ** 0.5
        primary = primary_for(heat, share, result["supply_c"], result["water_c"])
        kw, _ = power(heat, share, primary, result["header_kpa"], result["water_c"], wet)
        seconds, peer_kw, *_ = by_do_mpc(heat, wet)
        costs.append(kw / peer_kw)
        times.append(seconds / result["seconds"])
        print(f"{dry:6.0f} C {100 * rh:3.0f} % {kw:9.2f} {peer_kw:10.2f} {kw / peer_kw:7.3f} {1e3 * result['seconds']:9.3f} {1e3 * seconds:10.1f} {times[-1]:7.0f}x")
    print(f"mean cost ratio (ours over do-mpc) {sum(costs) / len(costs):.3f}; do-mpc takes {sum(times) / len(times):.0f} times as long")


if __name__ == "__main__":
    sys.exit(main())
