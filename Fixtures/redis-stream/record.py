#!/usr/bin/env python3
"""Records the transcripts of this folder from a real server, as ../redis/record.py does.

    swift build && Fixtures/redis-stream/record.py redis-server
"""
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
spec = importlib.util.spec_from_file_location("redis_record", os.path.join(HERE, "../redis/record.py"))
redis = importlib.util.module_from_spec(spec)
spec.loader.exec_module(redis)


def record(server, name, title, options, command, *words, text=None):
    url = f"redis-stream://127.0.0.1:{server.port}{options}"
    process = subprocess.Popen([redis.BROADCAST, command, "--trace", "--url", url, *words],
                               stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if text:
        process.stdin.write(text)
    process.stdin.close()
    lines = [redis.shorten_info(line) for line in process.stderr if re.match(r"([CS]\d*:|[>!x]) ", line)]
    version = server.version
    with open(os.path.join(HERE, f"{name}-{version}.transcript"), "w") as file:
        file.write(f"# {title} redis {version}.\n# redis-stream://localhost{options}\n" + "".join(lines))


def fill(server):
    server.command("DEL", "chat")
    for number in range(1, 4):
        server.command("XADD", "chat", f"1795586786732-{number}", "message", f"m{number}", "other", "x")


def main(program):
    shown = subprocess.run([program, "--version"], capture_output=True, text=True).stdout
    with tempfile.TemporaryDirectory() as folder:
        server = redis.Server(program, folder)
        server.version = re.search(r"v=([0-9.]+)", shown).group(1)
        for protocol in (2, 3):
            at, options = f"resp{protocol}", f"?protocol={protocol}"
            record(server, f"publish-{at}", "Three messages are added.", options + "&max_length=100", "publish",
                   "chat", text="one\ntwo\nthree\n")
            fill(server)
            threading.Timer(1, server.command, ("XADD", "chat", "1795586786733-0", "message", "m4")).start()
            record(server, f"last-{at}", "The last two, and one that comes.", options, "subscribe",
                   "--history", "2", "--count", "3", "chat")
            record(server, f"all-{at}", "The oldest, and all that follow.", options, "subscribe",
                   "--history", "all", "--count", "4", "chat")
            record(server, f"page-{at}", "A page before an entry.", options, "history",
                   "--before", "1795586786732-3", "--limit", "1", "chat")
            server.command("XTRIM", "chat", "MAXLEN", "=", "1")
            record(server, f"trimmed-{at}", "What came behind the position was trimmed.", options, "subscribe",
                   "--after", "1795586786732-1", "--count", "1", "chat")
            server.command("DEL", "chat")
            server.command("XADD", "chat", "5-1", "message", "old")
            record(server, f"reset-{at}", "The stream was made anew, with lower ids.", options, "subscribe",
                   "--after", "1795586786732-1", "--timeout", "1", "chat")
            server.command("DEL", "chat")
            record(server, f"missing-{at}", "A stream that is not there.", options, "subscribe",
                   "--history", "5", "--timeout", "1", "chat")
            server.command("SET", "chat", "x")
            record(server, f"wrong-type-{at}", "The key is no stream.", options, "subscribe", "chat")
            server.command("DEL", "chat")
        server.stop()


main(sys.argv[1] if len(sys.argv) > 1 else "redis-server")
