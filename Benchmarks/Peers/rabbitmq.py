"""The workloads of RabbitMQ in Python: pika and aio-pika. Each prints one line of key=value."""

import asyncio
import sys

from peers import Meter, expect, shared

EXCHANGE = "broadcaster"


def pika_channel(url):
    import pika

    channel = pika.BlockingConnection(pika.URLParameters(url + "/%2F")).channel()
    channel.exchange_declare(EXCHANGE, "topic", durable=True)
    return channel


def pika_receive(url, count, size):
    channel = pika_channel(url)
    queue = channel.queue_declare("", exclusive=True).method.queue
    channel.queue_bind(queue, EXCHANGE, "bench")
    left = count

    def take(_channel, _method, _properties, body):
        nonlocal left
        expect(len(body) == size, "a message of another size")
        left -= 1
        if left == 0:
            channel.stop_consuming()

    channel.basic_consume(queue, take, auto_ack=True)
    meter = Meter()
    print("ready", flush=True)
    channel.start_consuming()
    meter.report(count)


def pika_publish(url, count, size):
    channel, body = pika_channel(url), b"x" * size
    channel.confirm_delivery()
    meter = Meter()
    for _ in range(count):
        channel.basic_publish(EXCHANGE, "bench", body)
    meter.report(count)


async def aio_pika_exchange(url):
    import aio_pika

    connection = await aio_pika.connect(url)
    channel = await connection.channel()
    return connection, channel, await channel.declare_exchange(EXCHANGE, "topic", durable=True)


async def aio_pika_receive(url, count, size):
    _, channel, exchange = await aio_pika_exchange(url)
    queue = await channel.declare_queue(exclusive=True)
    await queue.bind(exchange, "bench")
    done, left = asyncio.Event(), count

    async def take(message):
        nonlocal left
        expect(len(message.body) == size, "a message of another size")
        left -= 1
        if left == 0:
            done.set()

    await queue.consume(take, no_ack=True)
    meter = Meter()
    print("ready", flush=True)
    await done.wait()
    meter.report(count)


async def aio_pika_publish(url, count, size, tasks):
    import aio_pika

    connection, _, exchange = await aio_pika_exchange(url)
    body = b"x" * size
    await shared(count, tasks, lambda: exchange.publish(aio_pika.Message(body), "bench", mandatory=False))
    await connection.close()


WORK = {
    "pika-receive": pika_receive,
    "pika-publish": pika_publish,
    "aio-pika-receive": aio_pika_receive,
    "aio-pika-publish": aio_pika_publish,
}

if __name__ == "__main__":
    work, url, *numbers = sys.argv[1:]
    result = WORK[work](url, *map(int, numbers))
    if asyncio.iscoroutine(result):
        asyncio.run(result)
