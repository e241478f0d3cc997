"""The workloads in Python: on broadcaster 0.3.1, redis-py and asyncpg.

Each prints one line of key=value, as the peers in C and the workers in Swift do.
"""

import asyncio
import sys
import time


class Meter:
    def __init__(self):
        self.start, self.cpu = time.monotonic(), time.process_time()

    def report(self, messages, **more):
        seconds, cpu = time.monotonic() - self.start, time.process_time() - self.cpu
        with open("/proc/self/status") as status:
            peak = next(line.split()[1] for line in status if line.startswith("VmHWM"))
        figures = {"messages": messages, "seconds": seconds, "cpu_us": cpu * 1e6, "peak_kb": peak} | more
        print(*(f"{key}={value}" for key, value in figures.items()), flush=True)


def expect(is_so, complaint):
    if not is_so:
        sys.exit(complaint)


async def shared(count, tasks, publish):
    """`tasks` tasks that publish `count` messages in all."""

    async def some(number):
        for _ in range(number):
            await publish()

    shares = [count // tasks + (task < count % tasks) for task in range(tasks)]
    meter = Meter()
    await asyncio.gather(*map(some, shares))
    meter.report(count)


async def take(events, count, size):
    left = count
    async for event in events:
        expect(len(event.message) == size, "a message of another size")
        left -= 1
        if left == 0:
            return


async def receive(url, count, size):
    from broadcaster import Broadcast

    async with Broadcast(url) as broadcast, broadcast.subscribe("bench") as events:
        meter = Meter()
        print("ready", flush=True)
        await take(events, count, size)
        meter.report(count)


async def publish(url, count, size, tasks):
    from broadcaster import Broadcast

    text = "x" * size
    async with Broadcast(url) as broadcast:
        await shared(count, tasks, lambda: broadcast.publish("bench", text))


async def fan_out(url, count, size, subscribers, feed):
    from contextlib import AsyncExitStack

    from broadcaster import Broadcast

    async with Broadcast(url) as broadcast, AsyncExitStack() as stack:
        subscriptions = [
            await stack.enter_async_context(broadcast.subscribe("bench")) for _ in range(subscribers)
        ]
        tasks = [asyncio.create_task(take(events, count, size)) for events in subscriptions]
        meter = Meter()
        print("ready", flush=True)
        if feed == "self":
            for _ in range(count):
                await broadcast.publish("bench", "x" * size)
        await asyncio.gather(*tasks)
        meter.report(count * subscribers)


async def round_trip(url, count, size):
    from broadcaster import Broadcast

    times = []
    async with Broadcast(url) as broadcast, broadcast.subscribe("bench") as events:
        meter = Meter()
        for _ in range(count):
            start = time.monotonic()
            await broadcast.publish("bench", "x" * size)
            expect(len((await events.get()).message) == size, "a message of another size")
            times.append((time.monotonic() - start) * 1e6)
        times.sort()
        meter.report(count, p50_us=times[count // 2], p99_us=times[count * 99 // 100])


async def redis_receive(url, count, size):
    import redis.asyncio

    async with redis.asyncio.from_url(url) as client, client.pubsub() as pubsub:
        await pubsub.subscribe("bench")
        await pubsub.get_message(timeout=5)
        meter = Meter()
        print("ready", flush=True)
        left = count
        async for message in pubsub.listen():
            expect(len(message["data"]) == size, "a message of another size")
            left -= 1
            if left == 0:
                break
        meter.report(count)


async def redis_publish(url, count, size, tasks):
    import redis.asyncio

    text = "x" * size
    async with redis.asyncio.from_url(url) as client:
        await shared(count, tasks, lambda: client.publish("bench", text))


async def redis_stream_receive(url, count, size, channels):
    import redis.asyncio

    names = ["bench"] if channels == 1 else [f"bench-{number}" for number in range(channels)]
    async with redis.asyncio.from_url(url) as client:
        places = {}
        for name in names:
            last = await client.xrevrange(name, count=1)
            places[name.encode()] = last[0][0] if last else "0-0"
        meter = Meter()
        print("ready", flush=True)
        left = count
        while left > 0:
            for name, entries in await client.xread(places, count=1000, block=0):
                for place, fields in entries:
                    expect(len(fields[b"message"]) == size, "a message of another size")
                left -= len(entries)
                places[name] = entries[-1][0]
        meter.report(count)


async def redis_stream_publish(url, count, size, tasks):
    import redis.asyncio

    fields = {"message": "x" * size}
    async with redis.asyncio.from_url(url) as client:
        await shared(count, tasks, lambda: client.xadd("bench", fields, maxlen=10_000, approximate=True))


async def asyncpg_receive(url, count, size):
    import asyncpg

    connection = await asyncpg.connect(url)
    done, left = asyncio.Event(), count

    def heard(*arguments):
        nonlocal left
        expect(len(arguments[3]) == size, "a message of another size")
        left -= 1
        if left == 0:
            done.set()

    await connection.add_listener("bench", heard)
    meter = Meter()
    print("ready", flush=True)
    await done.wait()
    meter.report(count)


async def asyncpg_publish(url, count, size, tasks):
    import asyncpg

    # One connection, as all the others have; it takes one query at a time.
    connection, lock, text = await asyncpg.connect(url), asyncio.Lock(), "x" * size
    statement = await connection.prepare("SELECT pg_notify($1, $2)")

    async def one():
        async with lock:
            await statement.fetch("bench", text)

    await shared(count, tasks, one)


async def first_message(url):
    from broadcaster import Broadcast

    async with Broadcast(url) as broadcast, broadcast.subscribe("bench") as events:
        meter = Meter()
        await broadcast.publish("bench", "hello")
        print((await events.get()).message, flush=True)
        meter.report(1)


WORK = {
    "receive": receive,
    "publish": publish,
    "fan-out": fan_out,
    "round-trip": round_trip,
    "redis-receive": redis_receive,
    "redis-publish": redis_publish,
    "redis-stream-receive": redis_stream_receive,
    "redis-stream-publish": redis_stream_publish,
    "asyncpg-receive": asyncpg_receive,
    "asyncpg-publish": asyncpg_publish,
    "first-message": first_message,
}

if __name__ == "__main__":
    work, url, *numbers = sys.argv[1:]
    arguments = [int(word) if word.isdigit() else word for word in numbers]
    asyncio.run(WORK[work](url, *arguments))
