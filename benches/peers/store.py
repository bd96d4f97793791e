#!/usr/bin/env python3
"""The same samples into and out of SQLite and VictoriaMetrics, beside `isotherm export` of the same record.

    isotherm demo --speed 60 --store /tmp/record        (let it run, stop it)
    isotherm export --store /tmp/record --from .. --to .. --out /tmp/record.csv
    cargo bench --bench store                           (our own figures on a stream like it)
    benches/peers/store.py /tmp/record.csv /tmp/record

Reads the exported samples, writes them in their order of time into each peer, and prints rate, bytes a sample and the
time to read one series, with the ratio to the record's own directory. Needs Python 3, and Debian's victoria-metrics on
the PATH; talks to loopback only.
"""
import csv, json, os, re, shutil, socket, sqlite3, subprocess, sys, tempfile, time, urllib.request

BATCH = 10_000


def size(path):
    return sum(os.path.getsize(os.path.join(d, f)) for d, _, files in os.walk(path) for f in files)


def load(path):
    rows, names = [], {}
    with open(path, newline="") as file:
        for row in csv.DictReader(file):
            moment = time.strptime(row["time"][:19], "%Y-%m-%dT%H:%M:%S")
            ms = int(__import__("calendar").timegm(moment)) * 1000 + int(row["time"][20:23])
            rows.append((ms, names.setdefault(row["series"], len(names)), float(row["value"])))
    rows.sort()
    return rows, list(names)


def in_sqlite(rows, names, directory):
    path = os.path.join(directory, "samples.db")
    db = sqlite3.connect(path)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=NORMAL")
    db.execute("CREATE TABLE samples (series INTEGER, ms INTEGER, value REAL, PRIMARY KEY (series, ms)) WITHOUT ROWID")
    began = time.monotonic()
    for at in range(0, len(rows), BATCH):
        with db:
            db.executemany("INSERT OR REPLACE INTO samples VALUES (?2, ?1, ?3)", rows[at : at + BATCH])
    rate = len(rows) / (time.monotonic() - began)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    reads = []
    for _ in range(5):
        began = time.monotonic()
        found = len(db.execute("SELECT ms, value FROM samples WHERE series = 7 ORDER BY ms").fetchall())
        reads.append(time.monotonic() - began)
    db.close()
    return rate, os.path.getsize(path) / len(rows), min(reads), found


def line(name):
    family, labels = re.fullmatch(r"(\w+)(?:\{(.*)\})?", name).groups()
    pairs = re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels or "")
    escape = lambda text: re.sub(r"([,= ])", r"\\\1", text)
    return "isotherm" + "".join(f",{escape(k)}={escape(v)}" for k, v in pairs if v) + f" {family}="


def in_victoria(rows, names, directory):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        ["victoria-metrics", f"-storageDataPath={directory}", f"-httpListenAddr=127.0.0.1:{port}", "-retentionPeriod=100y",
         "-search.disableCache", "-selfScrapeInterval=0"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    get = lambda path: urllib.request.urlopen(url + path, timeout=120).read()
    for _ in range(500):
        try:
            get("/health")
            break
        except OSError:
            time.sleep(0.02)
    heads = [line(name) for name in names]
    bodies = ["\n".join(f"{heads[s]}{v} {ms}" for ms, s, v in rows[at : at + BATCH]).encode() for at in range(0, len(rows), BATCH)]
    began = time.monotonic()
    for body in bodies:
        urllib.request.urlopen(url + "/write?precision=ms", data=body, timeout=120).read()
    rate = len(rows) / (time.monotonic() - began)
    get("/internal/force_flush")
    # One series by its exact labels, as a dashboard would ask for it.
    family, labels = re.fullmatch(r"(\w+)(\{.*\})?", names[7]).groups()
    match = urllib.request.quote(f"isotherm_{family}{labels or ''}")
    reads = []
    for _ in range(5):
        began = time.monotonic()
        answer = get(f"/api/v1/export?match[]={match}").decode()
        found = sum(len(json.loads(block)["values"]) for block in answer.splitlines())
        reads.append(time.monotonic() - began)
    get("/internal/force_merge")
    time.sleep(2)
    server.terminate()
    server.wait()
    return rate, size(os.path.join(directory, "data")) / len(rows), min(reads), found


def main():
    rows, names = load(sys.argv[1])
    record = sys.argv[2]
    ours = sum(size(os.path.join(record, part)) for part in ("samples",) if os.path.isdir(os.path.join(record, part)))
    ours /= len(rows)
    print(f"{len(rows)} samples of {len(names)} series")
    print(f"{'':16} {'samples/s':>12} {'bytes/sample':>13} {'ratio':>7} {'read one series':>16}")
    print(f"{'isotherm':16} {'':>12} {ours:13.2f} {1:7.2f}")
    for name, peer in (("SQLite", in_sqlite), ("VictoriaMetrics", in_victoria)):
        if peer is in_victoria and not shutil.which("victoria-metrics"):
            print(f"{name:16} not installed")
            continue
        with tempfile.TemporaryDirectory() as directory:
            rate, each, read, found = peer(rows, names, directory)
            print(f"{name:16} {rate:12.0f} {each:13.2f} {each / ours:7.2f} {read * 1000:10.2f} ms for {found}")


if __name__ == "__main__":
    main()
