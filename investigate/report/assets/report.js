// What a page of a report does besides standing there: copy buttons, code on request, folds.
"use strict";
(() => {
  const SAID_FOR = 2000; // milliseconds that a button says what it did

  // Reads to a screen reader what a button did.
  const told = document.createElement("p");
  told.className = "unseen";
  told.setAttribute("role", "status");
  document.body.append(told);

  async function write(text) {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // A browser that keeps the clipboard from files still copies what is selected.
      const field = document.createElement("textarea");
      field.value = text;
      field.className = "unseen";
      document.body.append(field);
      field.select();
      const done = document.execCommand("copy");
      field.remove();
      if (!done) throw new Error("the browser refused to copy");
    }
  }

  function button(label, name, text) {
    const made = document.createElement("button");
    made.type = "button";
    made.className = "copy";
    made.textContent = label;
    made.setAttribute("aria-label", name);
    made.addEventListener("click", async () => {
      let outcome = "copied";
      try {
        await write(text());
      } catch {
        outcome = "not copied";
      }
      made.focus();
      made.textContent = outcome;
      told.textContent = outcome;
      setTimeout(() => {
        made.textContent = label;
        told.textContent = "";
      }, SAID_FOR);
    });
    return made;
  }

  function offerCopies() {
    for (const code of document.querySelectorAll("code[data-copy]")) {
      const text = code.textContent;
      code.after(button("copy", `Copy ${text}`, () => text));
    }
    for (const list of document.querySelectorAll("[data-copy-list]")) {
      const texts = [...list.querySelectorAll("code")].map((code) => code.textContent);
      list.before(button(`copy these ${texts.length}`, `Copy these ${texts.length}, one a line`, () => texts.join("\n")));
    }
  }

  function offerCode() {
    const toggle = document.getElementById("toggle-code");
    if (!toggle) return;
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

  // On paper nothing can be unfolded: ids and the rows of findings are printed, code is not.
  function unfoldForPaper() {
    let opened = [];
    window.addEventListener("beforeprint", () => {
      opened = [...document.querySelectorAll("details.keys, details[id*='rows-']")].filter((fold) => !fold.open);
      for (const fold of opened) fold.open = true;
    });
    window.addEventListener("afterprint", () => {
      for (const fold of opened) fold.open = false;
    });
  }

  offerCopies();
  offerCode();
  unfoldForPaper();
  window.addEventListener("hashchange", unfoldTarget);
  unfoldTarget();
})();
