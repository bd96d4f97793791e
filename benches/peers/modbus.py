"""pymodbus's asynchronous client on the same servers: COUNT devices of REGISTERS registers at 1 Hz for SECONDS.

Prints CPU and the 99th percentile of the jitter of each device's interval, as `peers poll` does.
"""
import asyncio
import resource
import sys
import time

from pymodbus.client import AsyncModbusTcpClient

PORT, COUNT, REGISTERS, SECONDS = map(int, sys.argv[1:5])


async def device(number, jitter, counted):
    client = AsyncModbusTcpClient("127.0.0.1", port=PORT + number)
    await client.connect()
    due = time.monotonic() + number / COUNT
    last = None
    while True:
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        due += 1.0
        asked = time.monotonic()
        answer = await client.read_holding_registers(0, count=REGISTERS, device_id=1)
        if answer.isError():
            continue
        # The same work: raw to value, with a check of its range.
        values = [(word - 65536 if word > 32767 else word) * 0.01 for word in answer.registers]
        if all(-100 <= value <= 300 for value in values):
            counted[0] += 1
        if last is not None and counted[1]:
            jitter.append(abs(asked - last - 1.0) * 1000)
        last = asked


def cpu():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


async def main():
    jitter, counted = [], [0, False]
    tasks = [asyncio.create_task(device(number, jitter, counted)) for number in range(COUNT)]
    await asyncio.sleep(5)
    counted[0], counted[1] = 0, True
    began, used = time.monotonic(), cpu()
    await asyncio.sleep(SECONDS)
    wall, used = time.monotonic() - began, cpu() - used
    jitter.sort()
    p99 = jitter[len(jitter) * 99 // 100]
    print(f"pymodbus cpu_percent {100 * used / wall:.2f} p99_jitter_ms {p99:.0f} requests_per_s {counted[0] / wall:.1f}")
    for task in tasks:
        task.cancel()


asyncio.run(main())
