"use strict";
(() => {
  const stage = document.querySelector(".stage");
  const frame = document.querySelector(".frame");
  const marker = document.querySelector(".marker");
  const tools = document.querySelector(".time");
  const play = document.querySelector(".play");
  const dates = [...stage.querySelectorAll(".date")];
  const overlays = [...stage.querySelectorAll(".overlay")];
  let timer = 0;

  const apply = () => {
    const at = Number(tools.date.value);
    dates.forEach((figure, number) => figure.classList.toggle("on", number === at));
    for (const figure of overlays) {
      const number = Number(figure.dataset.date);
      const chosen = { so_far: number <= at, now: number === at, none: false };
      figure.classList.toggle("on", chosen[tools.overlay.value]);
    }
    const text = dates[at].dataset.date;
    tools.shown.value = text;
    tools.date.setAttribute("aria-valuetext", text);
  };
  const stop = () => {
    clearInterval(timer);
    timer = 0;
    play.textContent = "Play";
    play.setAttribute("aria-pressed", "false");
  };
  play.addEventListener("click", () => {
    if (timer) {
      stop();
      return;
    }
    play.textContent = "Stop";
    play.setAttribute("aria-pressed", "true");
    timer = setInterval(() => {
      tools.date.value = (Number(tools.date.value) + 1) % dates.length;
      apply();
    }, 900);
  });
  tools.addEventListener("submit", (event) => event.preventDefault());
  tools.addEventListener("input", apply);
  tools.date.addEventListener("pointerdown", stop);
  apply();

  for (const button of document.querySelectorAll("button[data-box]")) {
    button.addEventListener("click", () => {
      const [left, top, width, height] = button.dataset.box.split(",").map(Number);
      const pad = 0.6;
      marker.style.left = left - pad + "%";
      marker.style.top = top - pad + "%";
      marker.style.width = width + 2 * pad + "%";
      marker.style.height = height + 2 * pad + "%";
      marker.hidden = false;
      stop();
      tools.date.value = button.dataset.date;
      apply();
      frame.scrollIntoView({ block: "center" });
    });
  }

  // A printed page shows what is folded away too.
  window.addEventListener("beforeprint", () => {
    tools.date.value = dates.length - 1;
    apply();
    for (const fold of document.querySelectorAll("details")) fold.open = true;
  });
})();
