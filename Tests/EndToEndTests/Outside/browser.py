#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The browser example in headless Chromium: the inbox is listed, a message opened, a flag set; a page of another origin is refused.

usage: browser.py SERVER ACCOUNT TOKEN PAGES-PORT FOLDER [SCREENSHOT.png]
  SERVER      http://127.0.0.1:PORT, which lists the origin http://127.0.0.1:PAGES-PORT and no other
  TOKEN       may read and write, bound to that origin
  FOLDER      of the page
"""
import functools, http.server, sys, threading

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

server, account, token, port, folder = sys.argv[1:6]


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


def serve(port):
    pages = http.server.ThreadingHTTPServer(("127.0.0.1", port), functools.partial(Quiet, directory=folder))
    threading.Thread(target=pages.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{pages.server_address[1]}"


listed, other = serve(int(port)), serve(0)
options = Options()
for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1100,700"):
    options.add_argument(argument)
browser = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)
wait = WebDriverWait(browser, 20)


def open_page(origin):
    browser.get(origin + "/index.html")
    for name, value in (("server", server), ("account", account), ("token", token)):
        field = browser.find_element(By.ID, name)
        field.clear()
        field.send_keys(value)
    browser.find_element(By.ID, "open").click()


try:
    open_page(listed)
    wait.until(lambda b: b.find_elements(By.CSS_SELECTOR, "#list li"))
    rows = browser.find_elements(By.CSS_SELECTOR, "#list li")
    print("messages shown:", len(rows))
    subject = rows[0].find_elements(By.TAG_NAME, "small")[0].text
    rows[0].find_element(By.TAG_NAME, "button").click()
    wait.until(lambda b: b.find_elements(By.CSS_SELECTOR, "#reader h1"))
    assert browser.find_element(By.CSS_SELECTOR, "#reader h1").text == subject
    # Opening it marks it as seen, over PATCH and its preflight.
    wait.until(lambda b: not b.find_elements(By.CSS_SELECTOR, "#list li:first-child[data-unread]"))
    button = browser.find_element(By.XPATH, "//main//button[contains(., 'flagged')]")
    assert button.text == "Mark flagged", button.text
    button.click()
    wait.until(lambda b: button.text == "Not flagged")
    print("opened and flagged:", subject)
    if len(sys.argv) > 6:
        browser.save_screenshot(sys.argv[6])
    open_page(other)
    wait.until(lambda b: b.find_element(By.ID, "state").text)
    assert not browser.find_elements(By.CSS_SELECTOR, "#list li")
    print("another origin is told:", browser.find_element(By.ID, "state").text)
finally:
    browser.quit()
