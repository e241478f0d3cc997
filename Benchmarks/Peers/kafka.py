"""The workloads of Kafka in Python: aiokafka. Each prints one line of key=value."""

import asyncio
import sys

from peers import Meter, expect


async def receive(server, count, size):
    from aiokafka import AIOKafkaConsumer, TopicPartition

    consumer = AIOKafkaConsumer(bootstrap_servers=server, fetch_max_wait_ms=50)
    await consumer.start()
    partition = TopicPartition("bench", 0)
    consumer.assign([partition])
    await consumer.seek_to_end(partition)
    await consumer.position(partition)
    meter = Meter()
    print("ready", flush=True)
    left = count
    while left > 0:
        for messages in (await consumer.getmany(timeout_ms=1000, max_records=1000)).values():
            for message in messages:
                expect(len(message.value) == size, "a message of another size")
                left -= 1
    meter.report(count)
    await consumer.stop()


async def publish(server, count, size, tasks):
    from aiokafka import AIOKafkaProducer

    producer = AIOKafkaProducer(bootstrap_servers=server, acks="all")
    await producer.start()
    body = b"x" * size
    await producer.send_and_wait("bench", body, partition=0)
    meter = Meter()

    async def share(number):
        for _ in range(number):
            await producer.send_and_wait("bench", body, partition=0)

    await asyncio.gather(
        *(share(count // tasks + (task < count % tasks)) for task in range(tasks)))
    meter.report(count)
    await producer.stop()


def main():
    name, server, *numbers = sys.argv[1:]
    work = {"receive": receive, "publish": publish}[name]
    asyncio.run(work(server, *map(int, numbers)))


main()
