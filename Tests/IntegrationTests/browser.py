"""Two pages of one chat in a headless Chromium: one types, the other shows it; the server is stopped and
started, both say so and go on; markup that is typed shows as text.

    browser.py CHROMIUM CHROMEDRIVER BROADCAST PORT
"""
import subprocess
import sys

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

chromium, chromedriver, broadcast, port = sys.argv[1:]
address = f"http://127.0.0.1:{port}/"


def serve():
    process = subprocess.Popen([broadcast, "chat", "--port", port], stdout=subprocess.PIPE, text=True)
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


server = serve()
pages = []
try:
    pages = [page(390, 844), page(1280, 800)]
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
    for each in pages:
        width = each.execute_script("return document.documentElement.scrollWidth - innerWidth")
        assert width <= 0, f"the page is {width} px too wide"

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
    print("all seen")
finally:
    for each in pages:
        each.quit()
    server.terminate()
    server.wait()
