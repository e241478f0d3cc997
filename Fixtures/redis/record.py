#!/usr/bin/env python3
"""Records the transcripts of this folder from real servers.

    swift build && Fixtures/redis/record.py redis-server [another/redis-server …]

Each transcript is what `broadcast --trace` prints. Passwords are masked there by asterisks, so
the servers' password is six asterisks, and the transcripts replay exactly. What INFO says of the
machine is left out.
"""
import os
import re
import socket
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
BROADCAST = os.path.join(HERE, "../../.build/debug/broadcast")
PASSWORD = "******"


def shorten_info(line):
    """INFO names the machine: only the version and the role are kept."""
    found = re.search(r"\\r\\n(redis_version:[0-9.]+|role:[a-z]+)\\r\\n", line)
    if not re.match(r"S: \$\d+\\r\\n# (Server|Replication)", line) or not found:
        return line
    text = "# Part\\r\\n" + found.group(1) + "\\r\\n"
    return "S: $%d\\r\\n%s\\r\\n\n" % (len(text.replace("\\r", "r").replace("\\n", "n")), text)


def write(name, title, url, lines):
    kept = [shorten_info(line) for line in lines if re.match(r"([CS]\d*:|[>!x]) ", line)]
    with open(os.path.join(HERE, name + ".transcript"), "w") as file:
        url = re.sub(r"127\.0\.0\.1:\d+", "localhost", url).replace("*****x", PASSWORD)
        file.write(f"# {title}\n# {url}\n" + "".join(kept))


class Server:
    def __init__(self, program, folder, *arguments):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.process = subprocess.Popen(
            [program, "--port", str(self.port), "--save", "", "--dir", folder, *arguments],
            stdout=subprocess.PIPE, text=True)
        for line in self.process.stdout:
            if "eady to accept" in line:
                break

    def command(self, *words):
        environment = dict(os.environ, REDISCLI_AUTH=PASSWORD)
        subprocess.run(["redis-cli", "-p", str(self.port), *words], env=environment,
                       capture_output=True)

    def url(self, login="", rest=""):
        return f"redis://{login}127.0.0.1:{self.port}{rest}"

    def stop(self):
        self.process.terminate()
        self.process.wait()


def record_subscriber(server, name, title, url, topics, messages, options=(), count=1):
    process = subprocess.Popen(
        [BROADCAST, "subscribe", "--trace", "--url", url, "--count", str(count), *options, *topics],
        stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    lines = []
    while (line := process.stderr.readline()):
        lines.append(line)
        if line.startswith("subscribed to"):
            for channel, message in messages:
                server.command("PUBLISH", channel, message)
            break
        # Where one channel is refused the command ends, with the others' traffic on the way.
    lines += process.stderr.readlines()
    process.wait()
    write(name, title, url, lines)


def record_publisher(name, title, url, *words, lines=None):
    done = subprocess.run([BROADCAST, "publish", "--trace", "--url", url, *words],
                          capture_output=True, text=True, input=lines)
    write(name, title, url, done.stderr.splitlines(True))


def record(program, folder):
    version = re.search(r"v=(\S+)", subprocess.run(
        [program, "--version"], capture_output=True, text=True).stdout).group(1)
    server = Server(program, folder)
    for resp in (3, 2):
        url, kind = server.url(rest=f"?protocol={resp}"), f"resp{resp}-{version}"
        record_subscriber(server, f"subscribe-{kind}",
                          f"RESP{resp}, no password, one subscriber. redis {version}.",
                          url, ["chat"], [("chat", "hello")])
        record_subscriber(server, f"channels-{kind}",
                          f"RESP{resp}, several channels with odd names. redis {version}.",
                          url, ["a b", "café", 'x"y', "chat"],
                          [("a b", ""), ("café", "\r\n$-1"), ('x"y', "~\\"), ("chat", "last")],
                          count=4)
        record_subscriber(server, f"patterns-{kind}",
                          f"RESP{resp}, two patterns that overlap. redis {version}.",
                          url, ["news.*", "*.swift"],
                          [("news.swift", "both"), ("news.art", "one")], ["--pattern"], count=3)
        record_publisher(f"publish-{kind}", f"RESP{resp}, three messages. redis {version}.",
                         url, "chat", lines="one\ntwo\n\n")
        record_publisher(f"select-{kind}",
                         f"RESP{resp}, a client's name and a database. redis {version}.",
                         url + "&client_name=tester&database=3", "chat", "x")
    record_publisher(f"select-refused-{version}", f"A database out of range. redis {version}.",
                     server.url(rest="/99"), "chat", "x")
    record_publisher(f"password-unneeded-{version}",
                     f"A password where none is set. redis {version}.",
                     server.url(f":{PASSWORD}@"), "chat", "x")
    server.stop()

    server = Server(program, folder, "--requirepass", PASSWORD)
    for resp in (3, 2):
        kind, rest = f"resp{resp}-{version}", f"?protocol={resp}"
        record_subscriber(server, f"password-{kind}",
                          f"RESP{resp}, password, one subscriber. redis {version}.",
                          server.url(f":{PASSWORD}@", rest), ["chat"], [("chat", "hello")])
        record_publisher(f"password-wrong-{kind}",
                         f"RESP{resp}, a wrong password. redis {version}.",
                         server.url(":*****x@", rest), "chat", "x")
        record_publisher(f"password-missing-{kind}",
                         f"RESP{resp}, no password where one is needed. redis {version}.",
                         server.url("", rest), "chat", "x")
    server.command("ACL", "SETUSER", "limited", "on", ">" + PASSWORD, "+@pubsub", "+hello", "+quit",
                   "+select", "resetchannels", "&chat")
    login = f"limited:{PASSWORD}@"
    record_subscriber(server, f"acl-{version}", "A user who may use one channel of two."
                      f" redis {version}.", server.url(login), ["chat", "secret"], [])
    record_publisher(f"acl-publish-{version}", "A user who may not publish to this channel."
                     f" redis {version}.", server.url(login), "secret", "x")
    server.stop()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        for program in sys.argv[1:] or ["redis-server"]:
            record(program, folder)
