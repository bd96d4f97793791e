"""paho on the same broker: hears RACKS racks for SECONDS, decodes each document and keeps its latest values."""
import json
import resource
import sys
import time

import paho.mqtt.client as mqtt

PORT, RACKS, POINTS, SECONDS = map(int, sys.argv[1:5])
latest, counted = {}, [0]
NAMES = [f"p{point}" for point in range(POINTS)]


def heard(_client, _data, message):
    document = json.loads(message.payload)
    now = time.monotonic()
    rack = latest.setdefault(message.topic, {})
    for name in NAMES:
        value = document[name]
        # The same work: a finite number in its range, kept with its time.
        if -1 <= value <= 100000:
            rack[name] = (value, now)
            counted[0] += 1


def cpu():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="bench-paho")
client.on_message = heard
client.connect("127.0.0.1", PORT)
client.subscribe("bench/rack/+", qos=1)
client.loop_start()
time.sleep(3)
began, used, before = time.monotonic(), cpu(), counted[0]
time.sleep(SECONDS)
wall, used, readings = time.monotonic() - began, cpu() - used, counted[0] - before
client.loop_stop()
print(f"paho cpu_percent {100 * used / wall:.1f} readings_per_s {readings / wall:.0f} cpu_us_per_reading {1e6 * used / readings:.3f}")
