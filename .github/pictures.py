#!/usr/bin/env python3
"""Makes the pictures of the README beside this file: two pages of a chat over Redis, and a gap in it.

    swift build && .github/pictures.py CHROMIUM CHROMEDRIVER .build/debug/broadcast REDIS-SERVER

Needs Python's selenium.
"""
import os
import socket
import subprocess
import sys
import time

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

chromium, chromedriver, broadcast, redis_server = sys.argv[1:]
folder = os.path.dirname(os.path.abspath(__file__))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


redis_port, port = free_port(), free_port()
url = f"redis://127.0.0.1:{redis_port}"


def start_redis():
    server = subprocess.Popen(
        [redis_server, "--port", str(redis_port), "--bind", "127.0.0.1", "--save", ""], stdout=subprocess.DEVNULL)
    while server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", redis_port)).close()
            return server
        except OSError:
            time.sleep(0.05)
    sys.exit("redis-server has ended")


def page():
    options = Options()
    options.binary_location = chromium
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"):
        options.add_argument(argument)
    driver = webdriver.Chrome(service=Service(chromedriver), options=options)
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
        "width": 560, "height": 520, "deviceScaleFactor": 1, "mobile": False})
    driver.get(f"http://127.0.0.1:{port}/")
    return driver


def wait(driver, text):
    shown = lambda d: text in d.find_element("id", "log").text
    WebDriverWait(driver, 30, poll_frequency=0.05).until(shown, text)


def say(driver, text):
    driver.find_element("id", "text").send_keys(text + "\n")


redis = start_redis()
chat = subprocess.Popen([broadcast, "chat", "--port", str(port), "--url", url], stdout=subprocess.PIPE, text=True)
assert str(port) in chat.stdout.readline()
pages = []
try:
    pages = [page(), page()]
    one, other = pages
    for each in pages:
        ready = lambda d: d.find_element("id", "state").get_attribute("data-state") == "ready"
        WebDriverWait(each, 30, poll_frequency=0.05).until(ready, "connected")
    say(one, "hello, is anybody here?")
    wait(other, "anybody here")
    say(other, "yes, in another window")
    wait(one, "another window")
    subprocess.run([broadcast, "publish", "--url", url, "chatroom", "and one from the shell"], check=True)
    wait(one, "from the shell")
    one.save_screenshot(os.path.join(folder, "chat.png"))
    redis.kill()
    redis.wait()
    time.sleep(4)
    redis = start_redis()
    for each in pages:
        wait(each, "messages may be missing")
    say(other, "and on we go")
    wait(one, "and on we go")
    one.save_screenshot(os.path.join(folder, "gap.png"))
finally:
    for each in pages:
        each.quit()
    chat.terminate()
    chat.wait()
    redis.terminate()
    redis.wait()
