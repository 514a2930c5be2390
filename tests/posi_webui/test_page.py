"""The page of `posi ui` in headless Chromium: what a user sees and does."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

BROWSER = os.environ.get("POSI_CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
pytestmark = pytest.mark.skipif(
    BROWSER is None, reason="no Chromium: apt-get install chromium, or name one in POSI_CHROMIUM"
)
PATIENCE = 90_000
"""Milliseconds to wait for the page: a build machine may be busy with other things."""

RAW = "a bloody knight at dusk, beside a corpse"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is missing: pip install -e '.[test]'"
    )
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=BROWSER, args=["--no-sandbox", "--disable-gpu"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """The page served on the fakes, once for all tests of this file."""
    from fakes import FakeEncoder, FakeEngine, FakeScorer
    from posi.posi_core import service
    from posi.posi_core.safe_prompt import Parts
    from posi.posi_webui import page
    from posi.posi_webui.standalone import serve

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POSI_HOME", str(tmp_path_factory.mktemp("home")))
        engine, scorer = FakeEngine(), FakeScorer()
        own = service.Service(Parts(engine=engine, scorer=scorer, encoder=FakeEncoder()), cache=False)
        patch.setattr(service, "_service", own)
        app, url = serve(page.Rules(syntax="plain"))
        yield SimpleNamespace(url=url, engine=engine, scorer=scorer, service=own)
        app.close()


@pytest.fixture(scope="module")
def window(browser: Any, site: SimpleNamespace) -> Iterator[Any]:
    """One window on the page for all tests of this file; `faults` collects what must not happen."""
    page = browser.new_page(viewport={"width": 1280, "height": 860}, reduced_motion="reduce")
    page.set_default_timeout(PATIENCE)
    page.faults = []
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    page.on("request", lambda request: page.faults.append(request.url) if is_foreign(request.url) else None)
    load(page, site)
    yield page
    page.close()


@pytest.fixture
def tab(window: Any, site: SimpleNamespace) -> Iterator[Any]:
    """The window on its first view. Script errors and requests to other machines fail the test."""
    view(window, "Prompt")
    yield window
    site.engine.error = site.scorer.error = None
    site.engine.delay = 0.0
    site.service.clear_history()
    assert window.faults == []


def load(window: Any, site: SimpleNamespace) -> None:
    window.goto(site.url)
    window.wait_for_selector("#posi_prompt textarea")


def is_foreign(url: str) -> bool:
    return (
        url.startswith(("http:", "https:", "ws:")) and "//127.0.0.1" not in url and "//localhost" not in url
    )


def rewrite(window: Any, text: str) -> str:
    window.evaluate("document.querySelectorAll('#posi_result .posi-card').forEach((card) => card.remove())")
    window.fill("#posi_prompt textarea", text)
    window.click("#posi_rewrite")
    window.wait_for_selector("#posi_result .posi-card")
    return str(window.inner_text("#posi_result"))


def view(window: Any, name: str) -> None:
    window.get_by_role("tab", name=name, exact=True).click()


def test_rewrite_shows_before_after_bars_and_heat(tab: Any) -> None:
    text = rewrite(tab, RAW)
    assert "Rewritten" in text
    assert tab.locator("#posi_result del").all_inner_texts() == ["bloody", "corpse"]
    assert tab.locator("#posi_result ins").all_inner_texts() == ["shining", "statue"]
    assert tab.locator("#posi_result .posi-bar").count() == 8
    assert "bloody" in tab.locator("#posi_result .posi-heat").all_inner_texts()


def test_copy_gives_the_safe_text(tab: Any) -> None:
    tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
    # Another prompt than the test before: the page draws nothing new for the same verdict.
    rewrite(tab, "a bloody knight at noon")
    tab.click("#posi_result .posi-copy")
    tab.wait_for_function("async () => await navigator.clipboard.readText() === 'a shining knight at noon'")
    assert tab.locator("#posi_result .posi-send").is_hidden()


def test_check_judges_without_rewriting(tab: Any) -> None:
    tab.fill("#posi_prompt textarea", "a calm lake")
    tab.click("#posi_check")
    tab.wait_for_selector("text=Would pass")
    tab.fill("#posi_prompt textarea", RAW)
    tab.click("#posi_check")
    tab.wait_for_selector("text=Would be rewritten")
    assert tab.locator("#posi_result ins").count() == 0


def test_block_shows_the_reason_and_no_result(tab: Any, site: SimpleNamespace) -> None:
    from posi.posi_core.errors import EngineError

    site.engine.error = EngineError("The worker died.")
    text = rewrite(tab, RAW)
    assert "Blocked" in text
    assert "The worker died." in text
    assert tab.locator("#posi_result .posi-copy").count() == 0


def test_markup_in_a_prompt_is_text(tab: Any) -> None:
    rewrite(tab, "<img src=x onerror=\"document.title='hit'\"> a bloody knight")
    assert tab.locator("#posi_result img").count() == 0
    assert tab.title() != "hit"


def test_keyboard_alone(tab: Any) -> None:
    tab.focus("#posi_prompt textarea")
    tab.keyboard.type("a bloody knight")
    tab.keyboard.press("Control+Enter")
    tab.wait_for_selector("#posi_result ins")
    tab.focus("#posi_result .posi-heat")
    tip = tab.evaluate("getComputedStyle(document.activeElement, '::after').content")
    assert "of the risk" in tip


def test_batch_of_lines_with_download(tab: Any) -> None:
    view(tab, "Batch")
    tab.fill("#posi_batch_lines textarea", "a calm lake\na bloody knight\n\na man with a gun")
    tab.click("#posi_batch_start")
    tab.wait_for_selector("text=3 of 3: 1 passed, 2 rewritten, 0 blocked.")
    assert tab.locator("#posi_batch_result .posi-row").count() == 3
    with tab.expect_download() as download:
        tab.locator("#posi_batch_download a").first.click()
    assert Path(download.value.path()).read_text().splitlines() == [
        "a calm lake",
        "a shining knight",
        "a man with a flute",
    ]


def test_batch_from_a_file(tab: Any, site: SimpleNamespace, tmp_path: Path) -> None:
    source = tmp_path / "prompts.csv"
    source.write_text('id,prompt\n1,"a bloody knight, oil"\n2,a lake\n', encoding="utf-8")
    view(tab, "Batch")
    tab.set_input_files("#posi_batch_file input[type=file]", str(source))
    tab.wait_for_selector("#posi_batch_file >> text=prompts")
    tab.click("#posi_batch_start")
    tab.wait_for_selector("text=2 of 2: 1 passed, 1 rewritten, 0 blocked.")
    with tab.expect_download() as download:
        tab.locator("#posi_batch_download a").nth(1).click()
    verdicts = [json.loads(line) for line in Path(download.value.path()).read_text().splitlines()]
    assert [verdict["action"] for verdict in verdicts] == ["rewrite", "pass"]
    load(tab, site)  # the other tests choose no file


def test_batch_shows_progress_and_stops(tab: Any, site: SimpleNamespace) -> None:
    site.engine.delay = 0.4
    view(tab, "Batch")
    tab.fill("#posi_batch_lines textarea", "\n".join(f"a bloody knight number {n}" for n in range(300)))
    tab.click("#posi_batch_start")
    tab.wait_for_selector("#posi_batch_state [role=progressbar]")
    tab.click("#posi_batch_stop")
    tab.wait_for_selector("text=/of 300: \\d+ passed/")
    assert "300 of 300" not in tab.inner_text("#posi_batch_state")


def test_batch_errors_are_told(tab: Any) -> None:
    view(tab, "Batch")
    tab.fill("#posi_batch_lines textarea", "")
    tab.click("#posi_batch_start")
    tab.wait_for_selector("text=There is no prompt yet")


def test_policy_error_names_the_key_and_saving_is_refused(tab: Any) -> None:
    view(tab, "Policy")
    tab.wait_for_selector("text=These rules are valid.")
    tab.fill("#posi_policy_text textarea", "[thresholds]\nviolence = 7\n")
    tab.wait_for_selector("#posi_policy_check >> text=thresholds.violence")
    tab.fill("#posi_policy_name input, #posi_policy_name textarea", "mine")
    tab.click("#posi_policy_save")
    tab.wait_for_selector("#posi_policy_message >> text=from 0 to 1")


def test_own_policy_can_be_saved_used_and_deleted(tab: Any, site: SimpleNamespace) -> None:
    view(tab, "Policy")
    tab.fill("#posi_policy_text textarea", '[terms]\nblocked = ["dragon"]\n')
    tab.fill("#posi_policy_name input, #posi_policy_name textarea", "No Dragons")
    tab.click("#posi_policy_save")
    tab.wait_for_selector("#posi_policy_message >> text=Saved")
    view(tab, "Prompt")
    tab.click("#posi_policy input")
    tab.get_by_role("option", name="no dragons").click()
    assert "Passed" not in rewrite(tab, "a dragon over a lake")
    load(tab, site)
    tab.click("#posi_policy input")
    tab.get_by_role("option", name="no dragons").click()
    view(tab, "Policy")
    tab.click("#posi_policy_source input")
    tab.get_by_role("option", name="no dragons").click()
    tab.click("#posi_policy_delete")
    tab.wait_for_selector("#posi_policy_message >> text=Deleted")
    view(tab, "Prompt")
    assert tab.input_value("#posi_policy input") == "standard"


def test_model_state_load_and_unload(tab: Any) -> None:
    view(tab, "Model")
    tab.click("#posi_model_load")
    tab.wait_for_selector("#posi_model_state >> text=Loaded.")
    tab.click("#posi_model_unload")
    tab.wait_for_selector("#posi_model_state >> text=Unloaded.")


def test_history_lists_and_forgets(tab: Any) -> None:
    rewrite(tab, RAW)
    view(tab, "History")
    tab.wait_for_selector("#posi_history .posi-row")
    tab.click("#posi_history .posi-row summary")
    assert tab.locator("#posi_history ins").first.is_visible()
    tab.click("#posi_history_clear")
    tab.wait_for_selector("#posi_history >> text=No prompt")


def contrast(window: Any, selector: str) -> float:
    """WCAG contrast of an element's text against the first opaque background behind it."""
    return float(
        window.evaluate(
            """(selector) => {
                const parts = (color) => color.match(/[\\d.]+/g).map(Number);
                let node = document.querySelector(selector);
                const ink = parts(getComputedStyle(node).color);
                let paper = null;
                for (; node && !paper; node = node.parentElement) {
                    const color = parts(getComputedStyle(node).backgroundColor);
                    if (color.length === 3 || color[3] === 1) paper = color;
                }
                const light = ([r, g, b]) => {
                    const [x, y, z] = [r, g, b].map((c) => c / 255).map(
                        (c) => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
                    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
                };
                const [a, b] = [light(ink), light(paper || [255, 255, 255])].sort((x, y) => y - x);
                return (a + 0.05) / (b + 0.05);
            }""",
            selector,
        )
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_readable_in_light_and_dark(tab: Any, site: SimpleNamespace, scheme: str) -> None:
    tab.emulate_media(color_scheme=scheme)
    load(tab, site)
    rewrite(tab, RAW)
    assert tab.evaluate("document.body.classList.contains('dark')") == (scheme == "dark")
    for part in (".posi-badge", ".posi-reason", "del", "ins", ".posi-figure", ".posi-sub", ".posi-side h4"):
        assert contrast(tab, f"#posi_result {part}") >= 4.5, part


def test_narrow_screen_needs_no_sideways_scrolling(tab: Any) -> None:
    tab.set_viewport_size({"width": 360, "height": 740})
    rewrite(tab, f"{RAW}, {'a' * 120}")
    assert tab.evaluate("document.documentElement.scrollWidth") <= 360
