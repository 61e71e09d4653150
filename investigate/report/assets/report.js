// Draws the figures of a page from the JSON beside them, in the reader's colours. Asks no other host.
"use strict";
(() => {
  const config = { responsive: true, displaylogo: false, showSendToCloud: false };
  const read = (element) => JSON.parse(element.textContent);

  function drawFigures() {
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
        Plotly.react(place, data, { ...layout, autosize: true, template: templates[shade] }, config);
      }
    };
    const screen = () => draw(dark.matches ? "dark" : "light");
    screen();
    dark.addEventListener("change", screen);
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
