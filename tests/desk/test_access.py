"""What people with weak eyes, or without a mouse, need: contrast, names of controls, a focus that can be seen."""

import pytest

from . import browsing, scenes

CONTRAST = """() => {
  const lit = (colour) => {
    const [r, g, b] = colour.slice(0, 3).map((v) => v / 255)
      .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const parse = (text) => (text.match(/[\\d.]+/g) ?? []).map(Number);
  const over = (top, below) => {
    const alpha = top[3] ?? 1;
    return [0, 1, 2].map((k) => alpha * top[k] + (1 - alpha) * below[k]);
  };
  const ground = (element) => {
    const layers = [];
    for (let one = element; one; one = one.parentElement) {
      const style = getComputedStyle(one);
      const colour = parse(style.backgroundColor);
      if ((colour[3] ?? 1) > 0) layers.push(colour);
      if ((colour[3] ?? 1) === 1) break;
    }
    return layers.reduceRight((below, layer) => over(layer, below), [255, 255, 255]);
  };
  const poor = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const text = walk.currentNode.textContent.trim(), element = walk.currentNode.parentElement;
    const box = element.getBoundingClientRect(), style = getComputedStyle(element);
    const told = element.closest("svg, canvas, [disabled], [aria-disabled=true], script, style, option");
    if (!text || told || !box.width || !box.height || style.visibility === "hidden" || style.opacity === "0") continue;
    const below = ground(element), above = over(parse(style.color), below);
    const [a, b] = [lit(above), lit(below)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05), size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5)) poor.push(`${text.slice(0, 40)}: ${ratio.toFixed(2)}`);
  }
  return poor;
}"""
"""Texts whose contrast is below that of WCAG 2.2, success criterion 1.4.3 (level AA)."""
NAMELESS = """() => [...document.querySelectorAll("button, a[href], input, select, textarea, [role]")]
  .filter((one) => one.matches(":not([role]), [role=button], [role=application]"))
  .filter((one) => one.getClientRects().length)
  .filter((one) => !(one.textContent.trim() || one.ariaLabel || one.title || one.labels?.length
    || one.getAttribute("aria-labelledby") || one.querySelector("img[alt]:not([alt=''])")))
  .map((one) => one.outerHTML.slice(0, 120))"""
"""Controls that a screen reader could not call by a name."""


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    browsing.need_a_browser()
    with browsing.served(scenes.project(tmp_path_factory.mktemp("access") / "beetles")) as served:
        yield served


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_can_be_read_and_every_control_has_a_name(desk, scheme):
    with browsing.chromium() as browser:
        page = browser.new_context(viewport={"width": 1280, "height": 720}, color_scheme=scheme).new_page()
        page.goto(desk.url)
        found = {}
        for scene, arrange in scenes.SCENES.items():
            arrange(page, desk)
            page.wait_for_timeout(300)
            assert len(page.inner_text("body")) > 100
            found[scene] = page.evaluate(CONTRAST) + page.evaluate(NAMELESS)
        assert {scene: poor for scene, poor in found.items() if poor} == {}


def test_what_is_measured_is_measured(desk):
    """Grey on white fails, black passes, a button without words is seen."""
    with browsing.chromium() as browser:
        page = browser.new_page()
        page.set_content(
            "<p style='color:#999;background:#fff'>pale</p><p style='color:#000;background:#fff'>dark</p>"
            "<div style='background:#000'><p style='color:rgba(255,255,255,.4)'>veiled</p></div>"
            "<button style='width:9px;height:9px'></button><button>words</button>"
        )
        assert [one.split(":")[0] for one in page.evaluate(CONTRAST)] == ["pale", "veiled"]
        assert len(page.evaluate(NAMELESS)) == 1
