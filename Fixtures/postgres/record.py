#!/usr/bin/env python3
"""Records the transcripts of this folder from real servers.

    swift build && Fixtures/postgres/record.py /usr/lib/postgresql/15/bin [another/bin …]

Each transcript is what `broadcast --trace` prints; the second line is the URL that it was given. Run as root or as
the user postgres; needs setpriv (util-linux) as root.
"""
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
BROADCAST = os.path.join(HERE, "../../.build/debug/broadcast")
AS_POSTGRES = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] \
    if os.geteuid() == 0 else []
HBA = """local all all trust
host all trusty 127.0.0.1/32 trust
host all md5er 127.0.0.1/32 md5
host all plain 127.0.0.1/32 password
host all all 127.0.0.1/32 scram-sha-256
"""
ROLES = """CREATE ROLE scram LOGIN PASSWORD 'secret'
CREATE ROLE plain LOGIN PASSWORD 'secret'
CREATE ROLE trusty LOGIN
ALTER ROLE admin PASSWORD 'secret'
SET password_encryption = 'md5'; CREATE ROLE md5er LOGIN PASSWORD 'secret'
"""


class Server:
    def __init__(self, bin, folder):
        self.bin, self.folder = bin, folder
        subprocess.run([*AS_POSTGRES, f"{bin}/initdb", "-D", f"{folder}/data", "-U", "admin", "--no-sync",
                        "-E", "UTF8", "--locale=C", "-A", "trust"], check=True, capture_output=True)
        with open(f"{folder}/data/pg_hba.conf", "w") as file:
            file.write(HBA)
        subprocess.run([*AS_POSTGRES, f"{bin}/postgres", "--single", "-D", f"{folder}/data", "postgres"],
                       input=ROLES, text=True, check=True, capture_output=True)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [*AS_POSTGRES, f"{self.bin}/postgres", "-D", f"{self.folder}/data", "-p", str(self.port),
             "-k", self.folder, "-c", "fsync=off"], stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if "ready to accept" in line:
                break
        threading.Thread(target=self.process.stderr.read, daemon=True).start()

    def sql(self, statement):
        subprocess.run([f"{self.bin}/psql", "-Xq", "-h", self.folder, "-p", str(self.port), "-U", "admin",
                        "-c", statement, "postgres"], check=True, capture_output=True)

    def rows(self, statement):
        return subprocess.run([f"{self.bin}/psql", "-XAtq", "-h", self.folder, "-p", str(self.port), "-U", "admin",
                               "-c", statement, "postgres"], check=True, capture_output=True, text=True).stdout.strip()

    def url(self, user, rest=""):
        # A transcript is of a server that is not asked for TLS: NegotiatedSessionTests are about that.
        return f"postgres://{user}:secret@127.0.0.1:{self.port}/postgres?sslmode=disable{rest}"

    def stop(self):
        self.process.terminate()
        self.process.wait()


def write(name, title, url, lines):
    kept = [line for line in lines if re.match(r"([CS]\d*:|[>!x]) ", line)]
    # The session ends with its first connection: what came on a second one is another conversation.
    for index, line in enumerate(kept):
        if index and "user\\x00" in line and line.startswith("C: "):
            kept = kept[:index]
            break
    url = re.sub(r"127\.0\.0\.1:\d+", "localhost", url)
    if "cleartext" in url:
        # The trace masks it, and the transcript must replay.
        url = url.replace("secret", "******")
    with open(os.path.join(HERE, name + ".transcript"), "w") as file:
        file.write(f"# {title}\n# {url}\n" + "".join(kept))


def subscriber(name, title, url, channels, act, count=1, options=()):
    process = subprocess.Popen(
        [BROADCAST, "subscribe", "--trace", "--url", url, "--count", str(count), "--timeout", "3", *options, *channels],
        stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    lines = []
    while (line := process.stderr.readline()):
        lines.append(line)
        if line.startswith("subscribed to " + channels[-1]):
            act()
            break
    lines += process.stderr.readlines()
    process.wait()
    write(name, title, url, lines)


def pages(name, title, url, *words):
    done = subprocess.run([BROADCAST, "history", "--trace", "--url", url, *words], capture_output=True, text=True)
    write(name, title, url, done.stderr.splitlines(True))


def record_history(server, version):
    """The tables are made by the command itself; psql changes them, for what may happen to a history."""
    say = f"postgres {version}."
    url = server.url("admin", "&history=messages&max_length=1000")
    publish = "SELECT messages_publish('chat', ARRAY['{}'::bytea])"
    subprocess.run([BROADCAST, "migrate", "--apply", "--url", url], check=True, capture_output=True)
    subscriber(f"history-empty-{version}", f"A channel that has no message yet. {say}", url, ["chat"],
               lambda: server.sql(publish.format("first")))
    publisher(f"history-publish-{version}", f"Four messages in a row. {say}", url, "chat",
              lines="one\ntwo\nsame\nsame\n")
    subscriber(f"history-last-{version}", f"The last two, and one that comes. {say}", url, ["chat"],
               lambda: server.sql(publish.format("new")), count=3, options=["--history", "2"])
    pages(f"history-page-{version}", f"The newest page. {say}", url, "--limit", "3", "chat")
    place = server.rows("SELECT to_hex(c.epoch) || ':' || m.\"offset\" || '-' ||"
                        " (extract(epoch FROM created) * 1000000)::bigint FROM messages m"
                        " JOIN messages_channels c USING (channel) WHERE m.\"offset\" = 2")
    after = ["--after", place]
    subscriber(f"history-after-{version}", f"What came behind a position. {say}", url, ["chat"],
               lambda: None, count=4, options=after)
    server.sql("DELETE FROM messages WHERE \"offset\" < 5; UPDATE messages_channels SET floor = 4")
    subscriber(f"history-trimmed-{version}", f"What came behind the position was trimmed. {say}", url, ["chat"],
               lambda: None, options=after)
    server.sql("UPDATE messages_channels SET epoch = 1")
    subscriber(f"history-reset-{version}", f"The history is another one. {say}", url, ["chat"],
               lambda: None, options=after)
    subscriber(f"history-missing-{version}", f"Nobody has made the tables. {say}",
               url.replace("messages", "nowhere"), ["chat"], lambda: None)


def publisher(name, title, url, *words, lines=None):
    done = subprocess.run([BROADCAST, "publish", "--trace", "--url", url, *words],
                          capture_output=True, text=True, input=lines)
    write(name, title, url, done.stderr.splitlines(True))


def record(bin, folder):
    version = re.search(r"\d+\.\d+", subprocess.run(
        [f"{bin}/postgres", "--version"], capture_output=True, text=True).stdout).group(0)
    server = Server(bin, folder)
    say = f"postgres {version}."
    for user, query in [("scram", ""), ("md5er", ""), ("trusty", ""), ("plain", "&allow_cleartext=true")]:
        publisher(f"login-{user}-{version}", f"A login by {user}, one message. {say}",
                  server.url(user, query), "chat", "hello")
    publisher(f"login-plain-refused-{version}", f"A server that wants the password in the clear. {say}",
              server.url("plain"), "chat", "x")
    publisher(f"login-unknown-{version}", f"A user that does not exist. {say}",
              server.url("nobody"), "chat", "x")
    publisher(f"database-unknown-{version}", f"A database that does not exist. {say}",
              server.url("scram").replace("/postgres?", "/nodb?"), "chat", "x")
    subscriber(f"listen-{version}", f"Two channels, notifications by psql. {say}", server.url("scram"),
               ["chat", 'Two "words"'],
               lambda: server.sql("NOTIFY chat, 'hello'; NOTIFY \"Two \"\"words\"\"\", ''"), count=2)
    publisher(f"publish-{version}", f"Four messages in a row, two of them equal. {say}",
              server.url("scram"), "chat", lines="one\nsame\nsame\ntwo\n")
    publisher(f"publish-large-{version}", f"A message that is sent in three parts. {say}",
              server.url("scram"), "chat", "x" * 20_000)
    subscriber(f"terminated-{version}", f"pg_terminate_backend. {say}", server.url("scram"), ["chat"],
               lambda: server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                                  " WHERE application_name = 'broadcaster'"))
    record_history(server, version)
    server.stop()


if __name__ == "__main__":
    for bin in sys.argv[1:] or ["/usr/lib/postgresql/15/bin"]:
        with tempfile.TemporaryDirectory() as folder:
            if AS_POSTGRES:
                subprocess.run(["chown", "postgres", folder], check=True)
            record(bin, folder)
