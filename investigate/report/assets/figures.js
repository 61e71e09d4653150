// Draws the figures of a page from the JSON beside them, in the reader's colours, when they come
// near the screen. Asks no other host.
"use strict";
(() => {
  const config = { responsive: true, displaylogo: false, showSendToCloud: false, displayModeBar: "hover" };
  const PAPER = 680; // pixels: what fits between the margins of A4 and of Letter
  const NEAR = "600px";
  const read = (element) => JSON.parse(element.textContent);

  // Names beside a narrow plot are cut in their middle; the hover text has them whole.
  const letters = (text) => text.match(/&#?\w+;|./gsu) ?? [];
  const short = (text) => {
    const all = letters(text);
    return all.length > 17 ? [...all.slice(0, 9), "…", ...all.slice(-7)].join("") : text;
  };
  function squeeze(layout) {
    for (const [name, axis] of Object.entries(layout)) {
      if (!name.startsWith("yaxis") || !axis.ticktext) continue;
      axis.ticktext = axis.ticktext.map(short);
      axis.title = { text: "" };
    }
    layout.margin = { ...layout.margin, l: 10, r: 10 };
  }

  const narrow = window.matchMedia("(max-width: 44rem)");
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const templates = read(document.getElementById("figure-templates"));
  const figures = [...document.querySelectorAll("figure.plot")];
  const drawn = new Set();

  function draw(figure, shade, width) {
    const place = figure.querySelector(".drawing");
    // Read anew each time: plotly writes into what it is given.
    const { data, layout } = read(figure.querySelector("script"));
    delete layout.width;
    if (narrow.matches || width) squeeze(layout);
    const size = width ? { width, autosize: false } : { autosize: true };
    Plotly.react(place, data, { ...layout, ...size, template: templates[shade] }, config);
    // A screen reader has the figure's sentence and the table of its numbers instead of its lines.
    for (const layer of place.querySelectorAll("svg.main-svg")) layer.setAttribute("aria-hidden", "true");
    drawn.add(figure);
  }

  const shade = () => (dark.matches ? "dark" : "light");
  const again = () => drawn.forEach((figure) => draw(figure, shade()));
  const watcher = new IntersectionObserver((seen) => {
    for (const { isIntersecting, target } of seen) {
      if (!isIntersecting) continue;
      watcher.unobserve(target);
      draw(target, shade());
    }
  }, { rootMargin: NEAR });

  figures.forEach((figure) => watcher.observe(figure));
  dark.addEventListener("change", again);
  narrow.addEventListener("change", again);
  window.addEventListener("beforeprint", () => figures.forEach((figure) => draw(figure, "light", PAPER)));
  window.addEventListener("afterprint", again);
})();
