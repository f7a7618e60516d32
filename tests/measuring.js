// Measures a page as a reader sees it, and returns what is wrong as lists of sentences.
(() => {
  const shown = (element) => element.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  const name = (element) => `${element.tagName} "${element.textContent.trim().slice(0, 40)}"`;
  const texts = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    const parent = node.parentElement;
    if (!node.data.trim() || parent.closest("svg, script, style, title") || !shown(parent)) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const box of range.getClientRects()) {
      if (box.width > 1 && box.height > 1) texts.push({ parent, box });
    }
  }
  const wide = document.documentElement.clientWidth;
  const outside = texts.filter(({ box }) => box.left < -1 || box.right > wide + 1);
  const cut = [...document.body.querySelectorAll("*:not(svg, svg *)")].filter(
    (element) => shown(element) && element.scrollWidth > element.clientWidth + 1 && element.clientWidth > 0 &&
      getComputedStyle(element).display !== "inline" && !element.matches(".drawing, input, caption"),
  );
  const overlaps = [];
  texts.sort((a, b) => a.box.top - b.box.top);
  texts.forEach((a, k) => {
    for (let j = k + 1; j < texts.length && texts[j].box.top < a.box.bottom - 3; j++) {
      const b = texts[j].box;
      const across = Math.min(a.box.right, b.right) - Math.max(a.box.left, b.left);
      const down = Math.min(a.box.bottom, b.bottom) - Math.max(a.box.top, b.top);
      if (across > 1 && down > 4) overlaps.push(`${name(a.parent)} and ${name(texts[j].parent)}`);
    }
  });
  const drawings = [...document.querySelectorAll("figure svg")].filter((svg) => {
    const { left, right, width, height } = svg.getBoundingClientRect();
    return shown(svg) && (left < -1 || right > wide + 1 || width < 100 || height < 50);
  });
  const collisions = [...document.querySelectorAll("figure svg")].filter(shown).flatMap((svg) => {
    const boxes = [...svg.querySelectorAll("text")].map((text) => ({ text, box: text.getBoundingClientRect() }));
    const frame = svg.getBoundingClientRect();
    const scale = frame.width / svg.viewBox.baseVal.width;
    const meets = (a, b) =>
      Math.min(a.right, b.right) - Math.max(a.left, b.left) > 2 * scale &&
      Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 4 * scale;
    const cutOff = boxes.filter(({ box }) => box.left < frame.left - 1 || box.right > frame.right + 1);
    const pairs = boxes.flatMap((a, k) => boxes.slice(k + 1).filter((b) => meets(a.box, b.box)).map((b) => [a, b]));
    return [
      ...cutOff.map(({ text }) => `${text.textContent} is cut off`),
      ...pairs.map(([a, b]) => `${a.text.textContent} and ${b.text.textContent}`),
    ];
  });
  const light = (color) => {
    const [r, g, b, a = 1] = color.match(/[\d.]+/g).map(Number);
    const linear = (c) => ((c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return { luminance: 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b), opaque: a > 0 };
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const found = light(getComputedStyle(at).backgroundColor);
      if (found.opaque) return found.luminance;
    }
    return 1;
  };
  const faint = [...new Set(texts.map(({ parent }) => parent))].filter((element) => {
    const pair = [light(getComputedStyle(element).color).luminance, ground(element)].sort((a, b) => b - a);
    return (pair[0] + 0.05) / (pair[1] + 0.05) < 4.5;
  });
  const levels = [...document.querySelectorAll("h1, h2, h3, h4")].filter(shown).map((h) => Number(h.tagName[1]));
  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  const known = new Set(ids);
  const links = [...document.querySelectorAll("a[href]")].map((a) => a.getAttribute("href"));
  return {
    sideways: document.documentElement.scrollWidth > wide ? [document.documentElement.scrollWidth] : [],
    outside: outside.map(({ parent }) => name(parent)),
    cut: cut.map(name),
    overlaps,
    collisions,
    drawings: drawings.map((svg) => svg.textContent.trim().slice(0, 60)),
    faint: faint.map(name),
    headings: levels.filter((level, k) => (k ? level > levels[k - 1] + 1 || level === 1 : level !== 1)),
    twice: ids.filter((id, k) => ids.indexOf(id) !== k),
    dead: links.filter((href) => !href.startsWith("#") || !known.has(decodeURIComponent(href.slice(1)))),
    unnamed: [...document.querySelectorAll("figure svg")].filter(
      (svg) => svg.getAttribute("role") !== "img" || !document.getElementById(svg.getAttribute("aria-labelledby"))
    ).map((svg) => svg.id),
  };
})()
