#!/usr/bin/env python3
"""Records the transcripts of this folder from a real RabbitMQ, on the node that rabbitmqctl reaches.

    swift build && Fixtures/rabbitmq/record.py PORT [rabbitmqctl and its options …]

Each transcript is what `broadcast --trace` prints. Passwords are masked there by asterisks, so the users' password is
twelve asterisks, and the transcripts replay exactly. The default user's password is no secret. Heartbeats come by the
clock, so recordings are short.
"""
import json
import os
import re
import subprocess
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
BROADCAST = os.path.join(HERE, "../../.build/debug/broadcast")
PASSWORD = "************"
PORT = sys.argv[1]
CONTROL = sys.argv[2:] or ["rabbitmqctl"]


def control(*words):
    return subprocess.run([*CONTROL, *words], capture_output=True, text=True).stdout


def url(login="", rest=""):
    return f"amqp://{login}127.0.0.1:{PORT}{rest}"


def write(name, title, address, lines):
    kept = [line for line in lines if re.match(r"([CS]\d*:|[>!x]) ", line)]
    for place in range(len(kept) - 2):
        # The core asks again before it sends what the session said before that.
        if kept[place].startswith("! interrupted") and re.match(r"C\d:", kept[place + 2]):
            kept[place + 1], kept[place + 2] = kept[place + 2], kept[place + 1]
    with open(os.path.join(HERE, f"{name}-{VERSION}.transcript"), "w") as file:
        address = re.sub(r"127\.0\.0\.1:\d+", "localhost", address).replace("***********x", PASSWORD)
        file.write(f"# {title} RabbitMQ {VERSION}.\n# {address}\n" + "".join(kept))


def record_subscriber(name, title, address, topics, messages, options=(), count=1, action=None):
    process = subprocess.Popen(
        [BROADCAST, "subscribe", "--trace", "--url", address, "--count", str(count), *options, *topics],
        stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    lines = []
    left = len(topics)
    while (line := process.stderr.readline()):
        lines.append(line)
        if line.startswith("subscribed to"):
            left -= 1
            if left == 0:
                if action:
                    action()
                for channel, message in messages:
                    publish(address, channel, message)
                break
    lines += process.stderr.readlines()
    process.wait()
    write(name, title, address, lines)


def publish(address, channel, message):
    subprocess.run([BROADCAST, "publish", "--url", address, channel], input=message + "\n", text=True)


def record_publisher(name, title, address, *words, lines=None):
    done = subprocess.run([BROADCAST, "publish", "--trace", "--url", address, *words],
                          capture_output=True, text=True, input=lines)
    write(name, title, address, done.stderr.splitlines(True))


def record_reader(name, title, address, command, *words, later=None):
    """A history that is there before, and what is published a second later."""
    if later:
        threading.Timer(1, publish, (address, "chat", later)).start()
    done = subprocess.run([BROADCAST, command, "--trace", "--url", address, *words, "chat"],
                          capture_output=True, text=True)
    write(name, title, address, done.stderr.splitlines(True))


def positions(address):
    """The positions of what the stream of the channel has."""
    shown = subprocess.run([BROADCAST, "history", "--format", "json", "--url", address, "chat"],
                           capture_output=True, text=True).stdout
    return [json.loads(line)["position"] for line in shown.splitlines()]


def record_streams():
    streams = url(rest="?history=stream")
    control("delete_queue", "broadcaster.chat")
    record_publisher("stream-publish", "Three messages are kept.", streams, "chat", lines="m1\nm2\nm3\n")
    record_reader("stream-last", "The last two, and one that comes.", streams, "subscribe",
                  "--history", "2", "--count", "3", later="m4")
    record_reader("stream-all", "The oldest, and all that follow.", streams, "subscribe",
                  "--history", "all", "--count", "4")
    record_reader("stream-since", "The last minute.", streams, "subscribe", "--since", "60", "--count", "4")
    places = positions(streams)
    record_reader("stream-before", "A page before a message.", streams, "history",
                  "--before", places[3], "--limit", "2")
    record_reader("stream-after", "A page behind a message.", streams, "history", "--after", places[1])
    record_reader("stream-limits", "A stream with other limits is there.", url(rest="?history=stream&stream_max_age=1h"),
                  "history")
    control("delete_queue", "broadcaster.chat")
    publish(streams, "chat", "another")
    record_reader("stream-reset", "The stream was made anew.", streams, "subscribe", "--after", places[3],
                  "--count", "1")


def delete_queue():
    for line in control("list_queues", "name").splitlines():
        if line.startswith("amq.gen"):
            control("delete_queue", line)


VERSION = re.search(r"RabbitMQ version: (\S+)", control("status")).group(1)
for user in ("app", "limited"):
    control("add_user", user, PASSWORD)
control("set_permissions", "app", ".*", ".*", ".*")
control("set_permissions", "limited", "^nothing$", "^nothing$", "^nothing$")

record_subscriber("subscribe", "One subscriber.", url(), ["chat"], [("chat", "hello")])
record_subscriber("login", "A user and a password.", url(f"app:{PASSWORD}@"), ["chat"], [("chat", "hello")])
record_subscriber("amqplain", "The other login.", url(f"app:{PASSWORD}@", "?auth_mechanism=amqplain"),
                  ["chat"], [("chat", "hello")])
record_subscriber("channels", "Several channels with odd names.", url(), ["a b", "café", "*", "chat"],
                  [("a b", ""), ("café", "grüße"), ("*", "~\\"), ("chat", "last")], count=4)
record_subscriber("patterns", "Two patterns that overlap.", url(), ["news.*", "*.swift"],
                  [("news.swift", "both"), ("news", "none"), ("news.a.b", "one")], ["--pattern"], count=3)
record_subscriber("amq-topic", "The server's own exchange.", url(rest="?exchange=amq.topic"), ["chat"],
                  [("chat", "hello")])
record_subscriber("large", "A message of several frames.", url(rest="?frame_max=8192"), ["chat"],
                  [("chat", "x" * 20_000)])
record_subscriber("cancelled", "A queue that is deleted by hand.", url(), ["chat"], [("chat", "hello")],
                  action=delete_queue)
record_publisher("publish", "Three messages that nobody hears.", url(), "chat", lines="one\ntwo\n\n")
record_publisher("login-wrong", "A wrong password.", url("app:***********x@"), "chat", "x")
record_publisher("vhost-unknown", "A virtual host that is not there.", url(rest="/nope"), "chat", "x")
record_publisher("publish-refused", "A user without a right.", url(f"limited:{PASSWORD}@"), "chat", "x")
record_subscriber("subscribe-refused", "A user without a right.", url(f"limited:{PASSWORD}@"), ["chat"], [])
record_streams()
