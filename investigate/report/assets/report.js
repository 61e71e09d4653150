// Draws the figures of a page from the JSON beside them, in the reader's colours. Asks no other host.
"use strict";
(() => {
  const config = { responsive: true, displaylogo: false, showSendToCloud: false, displayModeBar: "hover" };
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

  function drawFigures() {
    const narrow = window.matchMedia("(max-width: 44rem)");
    const dark = window.matchMedia("(prefers-color-scheme: dark)");
    const templates = read(document.getElementById("figure-templates"));
    const figures = [...document.querySelectorAll("figure.plot")].map((figure) => ({
      place: figure.querySelector(".drawing"),
      given: read(figure.querySelector("script")),
    }));
    const draw = (shade) => {
      for (const { place, given } of figures) {
        // A copy: plotly writes into what it is given.
        const { data, layout } = structuredClone(given);
        delete layout.width;
        if (narrow.matches) squeeze(layout);
        Plotly.react(place, data, { ...layout, autosize: true, template: templates[shade] }, config);
      }
    };
    const screen = () => draw(dark.matches ? "dark" : "light");
    screen();
    dark.addEventListener("change", screen);
    narrow.addEventListener("change", screen);
    window.addEventListener("beforeprint", () => draw("light"));
    window.addEventListener("afterprint", screen);
  }

  function offerCode() {
    const toggle = document.getElementById("toggle-code");
    toggle.hidden = false;
    toggle.addEventListener("click", () => {
      const open = toggle.getAttribute("aria-pressed") !== "true";
      toggle.setAttribute("aria-pressed", String(open));
      document.body.classList.toggle("code-shown", open);
      for (const code of document.querySelectorAll("details.code")) code.open = open;
    });
  }

  // A link to something inside a fold opens the fold.
  function unfoldTarget() {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    for (let fold = target.closest("details"); fold; fold = fold.parentElement.closest("details")) {
      fold.open = true;
    }
    target.scrollIntoView();
  }

  if (document.getElementById("figure-templates")) drawFigures();
  offerCode();
  window.addEventListener("hashchange", unfoldTarget);
  unfoldTarget();
})();
