"""POSI in ComfyUI's page, in a headless Chromium: node, panel, strictness, sidebar, themes, settings.

Needs Playwright and Chromium (POSI_CHROMIUM, or `chromium` on the PATH). With POSI_SCREENSHOTS naming a folder, the
pictures that a person should look at are kept there.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hosts.comfyui.running import Comfy

playwright = pytest.importorskip(
    "playwright.sync_api", reason="Playwright is not installed: no page was opened."
)
CHROMIUM = os.environ.get("POSI_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="No Chromium was found: no page was opened.")

RISKY = "portrait of a murderer with a bloody knife, oil painting"
SECONDS = 300_000
"""Milliseconds that a step may take: the page is 15 MB of scripts, and a busy machine takes minutes over it."""

ADD = """([type, text]) => {
  app.graph.clear();
  const node = LiteGraph.createNode(type);
  node.pos = [120, 120];
  app.graph.add(node);
  node.widgets.find((widget) => widget.name === "text").value = text;
  app.canvas.ds.scale = 1;
  app.canvas.ds.offset = [0, 0];
  return node.id;
}"""
QUEUE_EMPTY = """async () => {
  const queue = await (await fetch("/queue")).json();
  return queue.queue_running.length + queue.queue_pending.length === 0;
}"""


@pytest.fixture(scope="module")
def page(comfy: Comfy) -> Iterator[Any]:
    """The page, loaded once, with the first-run dialogs out of the way."""
    comfy.post("/settings", {"Comfy.TutorialCompleted": True, "Comfy.Locale": "en"})
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        opened = browser.new_page(viewport={"width": 1300, "height": 800})
        opened.set_default_timeout(SECONDS)
        opened.faults = []
        opened.on("pageerror", lambda error: opened.faults.append(str(error)))
        _open(opened, comfy)
        yield opened
        browser.close()


def _open(page: Any, comfy: Comfy) -> None:
    page.goto(comfy.url, wait_until="domcontentloaded", timeout=SECONDS)
    page.wait_for_function("window.app?.extensionManager && document.querySelector('.posi-tab-button')")
    page.wait_for_timeout(1500)
    page.keyboard.press("Escape")


def _picture(page: Any, name: str) -> None:
    folder = os.environ.get("POSI_SCREENSHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=str(Path(folder) / f"{name}.png"))


def _run(page: Any) -> None:
    page.evaluate("app.queuePrompt(0)")
    page.wait_for_timeout(500)
    page.wait_for_function(QUEUE_EMPTY)
    page.wait_for_timeout(500)


def _theme(page: Any, name: str) -> None:
    page.evaluate("(name) => app.extensionManager.setting.set('Comfy.ColorPalette', name)", name)
    page.wait_for_timeout(1000)


def test_the_panel_waits_then_shows_the_verdict(page: Any) -> None:
    page.evaluate(ADD, ["POSI_SafePrompt", RISKY])
    panel = page.locator(".posi-panel")
    panel.wait_for()
    assert "Run the workflow" in panel.inner_text()
    _run(page)
    assert panel.locator(".posi-badge-rewrite").inner_text() == "Made safe"
    assert "bloody" in panel.locator("del").all_inner_texts()[-1] or panel.locator("del").count() > 0
    assert panel.locator(".posi-bar").count() == 4
    _picture(page, "panel-dark")


def test_a_changed_strictness_marks_the_panel_until_the_next_run(page: Any) -> None:
    panel = page.locator(".posi-panel")
    page.evaluate(
        """() => {
          const widget = app.graph.nodes[0].widgets.find((w) => w.name === "strictness");
          widget.value = "strict";
          widget.callback?.("strict");
        }"""
    )
    assert panel.locator(".posi-stale").count() == 1
    _run(page)
    panel.locator(".posi-stale").wait_for(state="detached")
    assert page.evaluate(
        "fetch('/posi/v1/history').then((r) => r.json()).then((h) => h.verdicts[0].policy)"
    ).startswith("strict")


def test_the_panel_stays_out_of_the_saved_workflow(page: Any) -> None:
    values = page.evaluate("app.graph.serialize().nodes[0].widgets_values")
    assert values == [RISKY, "strict", "stop"]
    inputs = page.evaluate("app.graphToPrompt().then((p) => Object.values(p.output)[0].inputs)")
    assert set(inputs) == {"text", "strictness", "on_block"}


def test_the_heat_map_of_the_risk_node(page: Any) -> None:
    page.evaluate(ADD, ["POSI_PromptRisk", RISKY])
    page.locator(".posi-panel").wait_for()
    _run(page)
    panel = page.locator(".posi-panel")
    panel.locator("mark").first.wait_for()
    assert "Risk" in panel.inner_text()
    assert panel.locator(".posi-bar").count() == 8
    _picture(page, "risk-dark")


def test_the_sidebar_scores_while_typing_and_rewrites_on_a_key(page: Any) -> None:
    page.locator(".posi-tab-button").click()
    text = page.locator(".posi-sidebar textarea")
    text.fill(RISKY)
    page.locator(".posi-sidebar .posi-heat").first.wait_for()
    _picture(page, "sidebar-typing-dark")
    text.press("Control+Enter")
    page.locator(".posi-sidebar .posi-section:first-child .posi-badge-rewrite").wait_for()
    page.locator(".posi-sidebar .posi-entry").first.wait_for()
    _picture(page, "sidebar-rewritten-dark")


def test_the_sidebar_loads_and_unloads_the_model(page: Any) -> None:
    sidebar = page.locator(".posi-sidebar")
    sidebar.locator(".posi-dot-loaded").wait_for()
    sidebar.get_by_role("button", name="Unload").click()
    sidebar.locator(".posi-dot-unloaded").wait_for()
    sidebar.get_by_role("button", name="Load", exact=True).click()
    sidebar.locator(".posi-dot-loaded").wait_for()


def test_the_light_theme(page: Any) -> None:
    _theme(page, "light")
    good = page.evaluate(
        "getComputedStyle(document.querySelector('.posi-sidebar')).getPropertyValue('--posi-good')"
    )
    assert good.strip() == "#1b7f3b"
    _picture(page, "light")
    _theme(page, "dark")


def test_the_settings_stand_under_posi(page: Any) -> None:
    found = page.evaluate("app.extensionManager.setting.get('POSI.Enforcement.Mode')")
    assert found == "off"


def test_another_language(page: Any, comfy: Comfy) -> None:
    comfy.post("/settings", {"Comfy.Locale": "ja"})
    _open(page, comfy)
    page.evaluate(ADD, ["POSI_SafePrompt", RISKY])
    panel = page.locator(".posi-panel")
    panel.wait_for()
    assert "ワークフロー" in panel.inner_text()
    _picture(page, "panel-ja")
    comfy.post("/settings", {"Comfy.Locale": "en"})


def test_no_script_of_posi_failed(page: Any) -> None:
    assert [fault for fault in page.faults if "posi" in fault.lower()] == []
