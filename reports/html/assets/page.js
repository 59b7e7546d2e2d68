"use strict";
// A crosshair through all lanes of a timeline, and each lane's value under it; the page says the same without it.
const points = (path) => path._points ??= path.getAttribute("d").split("M").filter(Boolean).map((run) =>
  run.split("L").map((pair) => pair.split(/[ h]/).map(Number)));
const read = (path, x) => {
  for (const run of points(path)) {
    const i = run.findIndex((point) => point[0] >= x);
    if (i < 0 || (i === 0 && run[0][0] > x)) continue;
    const [b, a] = [run[i], run[Math.max(0, i - 1)]];
    const y = b[0] > a[0] ? a[1] + (b[1] - a[1]) * (x - a[0]) / (b[0] - a[0]) : b[1];
    const [low, high] = [Number(path.dataset.lo), Number(path.dataset.hi)];
    return (low + (1 - y / 400) * (high - low)).toPrecision(3).replace(/\.?0+$/, "");
  }
  return "no sample";
};
const clock = (s) => [[86400, "d"], [3600, "h"], [60, "m"], [1, "s"]].reduce(([left, text], [size, unit]) => {
  const count = Math.floor(left / size);
  return [left - count * size, count ? text + count + unit : text];
}, [Math.round(s), ""])[1] || "0s";
for (const timeline of document.querySelectorAll(".timeline")) {
  const read_out = [...timeline.querySelectorAll(".lane")].map((lane) => ({
    out: lane.querySelector("output:not(.now)"), path: lane.querySelector("path[data-lo]"),
  })).filter(({ out, path }) => out && path);
  const now = timeline.querySelector(".now"), cross = timeline.querySelector(".cross"), plot = timeline.querySelector(".plot");
  const show = (share) => {
    const inside = share >= 0 && share <= 1;
    for (const end of ["x1", "x2"]) cross.setAttribute(end, inside ? `${share * 100}%` : "-9");
    for (const { out, path } of read_out) out.textContent = inside ? read(path, share * 2000) : "";
    now.textContent = inside ? `at ${clock(share * timeline.dataset.end)}` : "";
  };
  timeline.addEventListener("pointermove", (event) => {
    const box = plot.getBoundingClientRect();
    show((event.clientX - box.left) / box.width);
  });
  timeline.addEventListener("pointerleave", () => show(-1));
}
