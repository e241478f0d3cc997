"""Two pages of one chat in a headless Chromium: one types, the other shows it; the server is stopped and
started, both say so and go on; markup that is typed shows as text. With a redis-server the chat is on Redis Streams: chat
and Redis die, and the pages show each message once, and no gap.

    browser.py CHROMIUM CHROMEDRIVER BROADCAST PORT [REDIS-SERVER]
"""
import socket
import subprocess
import sys
import tempfile

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

chromium, chromedriver, broadcast, port, *redis = sys.argv[1:]
address = f"http://127.0.0.1:{port}/"


def serve(*words):
    process = subprocess.Popen([broadcast, "chat", "--port", port, *words], stdout=subprocess.PIPE, text=True)
    assert address in process.stdout.readline()
    return process


def page(width, height):
    options = Options()
    options.binary_location = chromium
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    driver = webdriver.Chrome(service=Service(chromedriver), options=options)
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
        "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500})
    driver.get(address)
    return driver


def wait(driver, condition, what):
    WebDriverWait(driver, 30, poll_frequency=0.05).until(lambda d: condition(d), what)


def log(driver):
    return driver.find_element("id", "log").text


def is_state(name):
    return lambda d: d.find_element("id", "state").get_attribute("data-state") == name


def say(driver, text):
    driver.find_element("id", "text").send_keys(text + "\n")


def is_narrow_enough(each):
    width = each.execute_script("return document.documentElement.scrollWidth - innerWidth")
    assert width <= 0, f"the page is {width} px too wide"


def talk(pages):
    server = serve()
    try:
        pages += [page(390, 844), page(1280, 800)]
        phone, desk = pages
        for each in pages:
            wait(each, is_state("ready"), "connected")
        say(phone, "hello from the phone")
        wait(desk, lambda d: "hello from the phone" in log(d), "the other page shows it")
        markup = "<script>document.title='hacked'</script><img src=x onerror=alert(1)>"
        say(desk, markup)
        for each in pages:
            wait(each, lambda d: markup in log(d), "markup is text")
            assert "hacked" not in each.title
            assert not each.find_elements("css selector", "#log img, #log script")
            is_narrow_enough(each)

        server.terminate()
        server.wait()
        for each in pages:
            wait(each, is_state("down"), "says that it is not connected")
        server = serve()
        for each in pages:
            wait(each, is_state("ready"), "comes back by itself")
            wait(each, lambda d: "messages may be missing" in log(d), "tells of the gap")
        say(desk, "and on we go")
        wait(phone, lambda d: "and on we go" in log(d), "goes on")
    finally:
        server.terminate()
        server.wait()


def start_redis(folder, number):
    process = subprocess.Popen(
        [*redis, "--port", str(number), "--bind", "127.0.0.1", "--save", "", "--dir", folder, "--appendonly", "yes",
         "--appendfsync", "always"], stdout=subprocess.PIPE, text=True)
    while "eady to accept connections" not in process.stdout.readline():
        pass
    return process


def messages(driver):
    """The messages that the page shows, without their times and names."""
    return [each.text.split(": ", 1)[1] for each in driver.find_elements("css selector", "#log p.message")]


def keep(pages, folder):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number = probe.getsockname()[1]
    url = f"redis-stream://127.0.0.1:{number}"
    store = start_redis(folder, number)
    server = serve("--url", url)
    try:
        pages += [page(390, 844), page(1280, 800)]
        phone, desk = pages
        for each in pages:
            wait(each, is_state("ready"), "connected")
        expected = [f"word {n}" for n in range(10)]
        for text in expected:
            say(phone, text)
        wait(desk, lambda d: messages(d) == expected, "the other page shows all")

        # The chat ends. What is said meanwhile is in the stream alone.
        server.kill()
        server.wait()
        for each in pages:
            wait(each, is_state("down"), "says that it is not connected")
        line = '{"type":"message","name":"another","text":"said meanwhile"}'
        subprocess.run([broadcast, "publish", "--url", url, "chatroom", line], check=True, stdout=subprocess.DEVNULL)
        server = serve("--url", url)
        expected.append("said meanwhile")
        for each in pages:
            wait(each, is_state("ready"), "comes back by itself")
            wait(each, lambda d: messages(d) == expected, "shows what was said meanwhile, once")

        # Redis ends, and the chat goes on without it.
        store.kill()
        store.wait()
        for each in pages:
            wait(each, is_state("down"), "says that the server has lost its connection")
        store = start_redis(folder, number)
        for each in pages:
            wait(each, is_state("ready"), "is connected again")
        say(desk, "and on we go")
        expected.append("and on we go")
        for each in pages:
            wait(each, lambda d: messages(d) == expected, f"goes on with {expected}, and nothing else")
            assert not each.find_elements("css selector", "#log p.gap"), log(each)
    finally:
        server.kill()
        store.kill()
        server.wait()
        store.wait()


pages = []
try:
    with tempfile.TemporaryDirectory() as folder:
        keep(pages, folder) if redis else talk(pages)
    print("all seen")
finally:
    for each in pages:
        each.quit()
