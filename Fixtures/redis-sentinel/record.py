#!/usr/bin/env python3
"""Records the transcripts of this folder from real sentinels and servers, as ../redis/record.py does.

    swift build && Fixtures/redis-sentinel/record.py redis-server

A transcript has several conversations: each ends with the line `! redirected ADDRESS`, and the next is with that server.
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


def ask(port, *words):
    return subprocess.run(["redis-cli", "-p", str(port), *words], capture_output=True, text=True).stdout


class Set:
    def __init__(self, program, folder):
        quick = ["--bind", "127.0.0.1", "--repl-diskless-sync-delay", "0"]
        self.servers = [redis.Server(program, self.folder(folder, "master"), *quick)]
        for number in range(2):
            self.servers.append(redis.Server(program, self.folder(folder, f"replica{number}"), *quick, "--replicaof",
                                             "127.0.0.1", str(self.servers[0].port)))
        self.sentinels, self.ports = [], []
        for number in range(3):
            port = self.servers[0].port + 1000 + number
            path = os.path.join(self.folder(folder, f"sentinel{number}"), "s.conf")
            with open(path, "w") as file:
                file.write(f"port {port}\nbind 127.0.0.1\ndir {os.path.dirname(path)}\n"
                           f"sentinel monitor mymaster 127.0.0.1 {self.servers[0].port} 2\n"
                           "sentinel down-after-milliseconds mymaster 1000\n"
                           "sentinel failover-timeout mymaster 3000\n")
            self.ports.append(port)
            self.sentinels.append(subprocess.Popen([program, path, "--sentinel"], stdout=subprocess.DEVNULL))
        while any(not ask(port, "SENTINEL", "CKQUORUM", "mymaster").startswith("OK 3")
                  or ask(port, "SENTINEL", "REPLICAS", "mymaster").count("runid") != 2 for port in self.ports):
            time.sleep(0.1)

    @staticmethod
    def folder(parent, name):
        path = os.path.join(parent, name)
        os.mkdir(path)
        return path

    def stop(self):
        for process in self.sentinels:
            process.kill()
            process.wait()
        for server in self.servers:
            server.stop()


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
            time.sleep(0.5)
            after()
            after = None
    process.wait()
    kept = [redis.shorten_info(line) for line in lines if re.match(r"([CS]\d*:|[>!x]) ", line)]
    with open(os.path.join(HERE, f"{name}-{version}.transcript"), "w") as file:
        file.write(f"# {title} redis {version}.\n# {url}\n" + "".join(kept))


def main(program):
    shown = subprocess.run([program, "--version"], capture_output=True, text=True).stdout
    version = re.search(r"v=([0-9.]+)", shown).group(1)
    with tempfile.TemporaryDirectory() as folder:
        servers = Set(program, folder)
        hosts = ",".join(f"127.0.0.1:{port}" for port in servers.ports)
        master = servers.servers[0]
        for resp in (3, 2):
            url = f"redis-sentinel://{hosts}?master=mymaster&protocol={resp}"
            record(version, f"subscribe-resp{resp}", f"RESP{resp}, a message at the master.", url, "subscribe",
                   "--count", "1", "chat", after=lambda: master.command("PUBLISH", "chat", "hello"))
            record(version, f"publish-resp{resp}", f"RESP{resp}, two messages.", url, "publish", "chat",
                   text="one\ntwo\n")
        record(version, "stream", "An entry at the master.",
               f"redis-stream+sentinel://{hosts}?master=mymaster", "publish", "kept", text="one\n")
        record(version, "unknown", "A name that no sentinel knows.",
               f"redis-sentinel://127.0.0.1:{servers.ports[0]}?master=other", "ping")
        servers.stop()


main(sys.argv[1] if len(sys.argv) > 1 else "redis-server")
