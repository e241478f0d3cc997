#!/usr/bin/env python3
"""Records the transcripts of this folder from a real cluster of three masters, as ../redis/record.py does.

    swift build && Fixtures/redis-cluster/record.py redis-server

The names that begin with `moving` are not replayed: a session asks for the table of slots by its clock.
"""
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
spec = importlib.util.spec_from_file_location("redis_record", os.path.join(HERE, "../redis/record.py"))
redis = importlib.util.module_from_spec(spec)
spec.loader.exec_module(redis)


def ask(server, *words):
    done = subprocess.run(["redis-cli", "-p", str(server.port), *words], capture_output=True, text=True)
    return done.stdout.strip()


class Node(redis.Server):
    """The bus has the port 10,000 above."""

    def __init__(self, program, folder):
        while True:
            os.makedirs(folder, exist_ok=True)
            super().__init__(program, folder, "--bind", "127.0.0.1", "--cluster-enabled", "yes",
                             "--cluster-node-timeout", "1000")
            if self.process.poll() is None and self.port <= 55535:
                return
            self.process.kill()
            self.process.wait()


def record(version, name, title, url, command, *words, text=None, after=None):
    process = subprocess.Popen([redis.BROADCAST, command, "--trace", "--url", url, *words],
                               stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if text:
        process.stdin.write(text)
    process.stdin.close()
    lines = []
    while line := process.stderr.readline():
        lines.append(line)
        if line.startswith("subscribed to") and after:
            after()
            after = None
    process.wait()
    kept = [redis.shorten_info(line) for line in lines if re.match(r"([CS]\d*:|[>!x]) ", line)]
    with open(os.path.join(HERE, f"{name}-{version}.transcript"), "w") as file:
        file.write(f"# {title} redis {version}.\n# {url}\n" + "".join(kept))


def move(slot, source, target):
    a, b = ask(source, "CLUSTER", "MYID"), ask(target, "CLUSTER", "MYID")
    ask(target, "CLUSTER", "SETSLOT", slot, "IMPORTING", a)
    ask(source, "CLUSTER", "SETSLOT", slot, "MIGRATING", b)
    ask(target, "CLUSTER", "SETSLOT", slot, "NODE", b)
    ask(source, "CLUSTER", "SETSLOT", slot, "NODE", b)


def main(program):
    shown = subprocess.run([program, "--version"], capture_output=True, text=True).stdout
    version = re.search(r"v=([0-9.]+)", shown).group(1)
    with tempfile.TemporaryDirectory() as folder:
        nodes = [Node(program, os.path.join(folder, str(number))) for number in range(3)]
        subprocess.run(["redis-cli", "--cluster", "create", *[f"127.0.0.1:{node.port}" for node in nodes],
                        "--cluster-yes"], capture_output=True)
        while any("cluster_state:ok" not in ask(node, "CLUSTER", "INFO") for node in nodes):
            time.sleep(0.1)
        # `b` has a slot of the first node, `hello` too, `bar` too, `chat` of the last, `events` of the second.
        home = f"127.0.0.1:{nodes[0].port}"
        sharded = f"redis-cluster://{home}?sharded=true"
        say = {"b": nodes[0], "chat": nodes[2], "events": nodes[1]}

        def publish():
            for channel, node in say.items():
                ask(node, "SPUBLISH", channel, f"to {channel}")

        record(version, "sharded-subscribe", "A channel on each of three nodes.", sharded, "subscribe", "--count", "3",
               *say, after=publish)
        record(version, "sharded-publish", "Two messages to a channel of another node.", sharded, "publish", "chat",
               text="one\ntwo\n")
        for resp in (3, 2):
            record(version, f"classic-resp{resp}", f"RESP{resp}, classic, through one node.",
                   f"redis-cluster://{home}?protocol={resp}", "subscribe", "--count", "1", "chat",
                   after=lambda: ask(nodes[1], "PUBLISH", "chat", "hello"))
        streams = f"redis-stream+cluster://{home}"
        record(version, "stream-publish", "Two entries on another node.", streams, "publish", "chat", text="one\ntwo\n")
        record(version, "moving-stream", "An entry that comes.", streams, "subscribe", "--history", "1", "--count", "2",
               "chat", after=lambda: ask(nodes[2], "XADD", "chat", "*", "message", "three"))

        def moved():
            move("3300", nodes[0], nodes[1])
            time.sleep(0.5)
            ask(nodes[1], "SPUBLISH", "b", "there")

        record(version, "moving-slot", "A slot that moves under a subscriber.", sharded, "subscribe", "--count", "1",
               "b", after=moved)
        for node in nodes:
            node.stop()


main(sys.argv[1] if len(sys.argv) > 1 else "redis-server")
