// Shows only some rows of the list of runs. Without a script all of them are there.
"use strict";
(() => {
  const rows = [...document.querySelectorAll("tbody tr")];
  const told = document.getElementById("filter-told");
  const choices = ["verdict", "incident"]
    .map((name) => ({ name, choice: document.getElementById(`filter-${name}`) }))
    .filter(({ choice }) => choice);

  function show() {
    for (const row of rows) {
      row.hidden = !choices.every(({ name, choice }) => !choice.value || row.dataset[name] === choice.value);
    }
    const shown = rows.filter((row) => !row.hidden).length;
    told.textContent = shown < rows.length ? `${shown} of the ${rows.length} runs on this page` : "";
  }

  for (const { choice } of choices) choice.addEventListener("change", show);
  document.getElementById("filter").hidden = false;
  show(); // a browser that comes back to this page keeps what was chosen
})();
