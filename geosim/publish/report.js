"use strict";
(() => {
  const stage = document.querySelector(".stage");
  const frame = document.querySelector(".frame");
  const handle = document.querySelector(".handle");
  const marker = document.querySelector(".marker");
  const tools = document.querySelector(".tools");
  let at = 50;

  const divide = (percent) => {
    at = Math.min(100, Math.max(0, percent));
    const shown = Math.round(at);
    stage.style.setProperty("--at", at + "%");
    stage.style.setProperty("--cut", at + "cqw");
    handle.setAttribute("aria-valuenow", shown);
    handle.setAttribute("aria-valuetext", shown + " % before");
  };
  const follow = (event) => {
    const box = stage.getBoundingClientRect();
    divide((100 * (event.clientX - box.left)) / box.width);
  };

  // On the whole map a drag that starts anywhere divides; zoomed in, it is left to scrolling.
  stage.addEventListener("pointerdown", (event) => {
    if (event.target.closest(".pin")) return;
    const whole = tools.zoom.value === "1" && event.pointerType === "mouse";
    const grabbed = handle.contains(event.target);
    if (tools.view.value !== "swipe" || event.button !== 0 || !(whole || grabbed)) return;
    event.preventDefault();
    handle.focus({ preventScroll: true });
    follow(event);
    stage.addEventListener("pointermove", follow);
    stage.setPointerCapture(event.pointerId);
  });
  for (const name of ["pointerup", "pointercancel"]) {
    stage.addEventListener(name, () => stage.removeEventListener("pointermove", follow));
  }
  const keys = {
    ArrowLeft: () => at - 2, ArrowDown: () => at - 2,
    ArrowRight: () => at + 2, ArrowUp: () => at + 2,
    PageDown: () => at - 20, PageUp: () => at + 20,
    Home: () => 0, End: () => 100,
  };
  handle.addEventListener("keydown", (event) => {
    if (!(event.key in keys)) return;
    event.preventDefault();
    divide(keys[event.key]());
  });

  const centre = (x, y) => {
    frame.scrollLeft = (x / 100) * stage.offsetWidth - frame.clientWidth / 2;
    frame.scrollTop = (y / 100) * stage.offsetHeight - frame.clientHeight / 2;
  };
  const apply = () => {
    stage.dataset.view = tools.view.value;
    stage.dataset.overlay = tools.overlay.value;
    stage.style.setProperty("--opacity", tools.opacity.value / 100);
    stage.classList.toggle("bare", !tools.pins.checked);
  };

  // Scale bar and north arrow stay in view; the bar's length stays round and handy.
  const bar = document.querySelector(".held .bar");
  const hold = () => {
    const right = Math.max(0, stage.offsetWidth - frame.clientWidth - frame.scrollLeft);
    const below = Math.max(0, stage.offsetHeight - frame.clientHeight - frame.scrollTop);
    stage.style.setProperty("--left", frame.scrollLeft + "px");
    stage.style.setProperty("--back", -right + "px");
    stage.style.setProperty("--up", -below + "px");
    if (!bar || !stage.offsetWidth) return;
    const whole = Number(bar.dataset.metres);
    const most = (whole * Math.min(140, 0.3 * stage.offsetWidth)) / stage.offsetWidth;
    const power = 10 ** Math.floor(Math.log10(most) + 1e-9);
    const metres = power * [5, 2, 1].find((step) => step * power <= most * (1 + 1e-9));
    bar.querySelector("i").style.width = (100 * metres) / whole + "cqw";
    const plain = (value) => String(Number(value.toPrecision(6)));
    bar.querySelector("b").textContent = metres >= 1000 ? plain(metres / 1000) + "\u00a0km"
      : metres >= 1 ? plain(metres) + "\u00a0m" : plain(100 * metres) + "\u00a0cm";
  };
  frame.addEventListener("scroll", hold);
  new ResizeObserver(hold).observe(stage);
  new ResizeObserver(hold).observe(frame);
  tools.addEventListener("submit", (event) => event.preventDefault());
  tools.addEventListener("input", apply);
  tools.zoom.addEventListener("change", () => {
    const x = 100 * (frame.scrollLeft + frame.clientWidth / 2) / stage.offsetWidth;
    const y = 100 * (frame.scrollTop + frame.clientHeight / 2) / stage.offsetHeight;
    stage.style.setProperty("--zoom", tools.zoom.value);
    stage.classList.toggle("zoomed", tools.zoom.value !== "1");
    centre(x, y);
    hold();
  });
  apply();
  // a strip is wider than its frame from the start
  if (stage.offsetWidth > frame.clientWidth) divide((50 * frame.clientWidth) / stage.offsetWidth);

  for (const button of document.querySelectorAll(".show")) {
    button.addEventListener("click", () => {
      const [left, top, width, height] = button.dataset.box.split(",").map(Number);
      const pad = 0.6;
      marker.style.left = left - pad + "%";
      marker.style.top = top - pad + "%";
      marker.style.width = width + 2 * pad + "%";
      marker.style.height = height + 2 * pad + "%";
      marker.hidden = false;
      divide(left + width / 2);
      frame.scrollIntoView({ block: "center" });
      centre(left + width / 2, top + height / 2);
      handle.focus({ preventScroll: true });
    });
  }

  // A printed page shows what is folded away too.
  window.addEventListener("beforeprint", () => {
    for (const fold of document.querySelectorAll("details")) fold.open = true;
  });
})();
