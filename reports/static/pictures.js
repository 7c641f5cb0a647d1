(() => {
  "use strict";
  // Pictures over time are drawn already. Each becomes as wide as its place: what lies over the time axis is moved, so
  // that an iteration stands where it stands in the charts, and words keep their size. A needle follows the crosshair.
  const TICK_GAP = 12;
  const plotOf = svg => svg.dataset.plot.split(" ").map(Number);
  const shiftOf = element => {
    let shift = 0;
    for (let one = element.parentElement; one && one.tagName !== "svg"; one = one.parentElement) {
      shift += Number(/^translate\((-?[\d.]+)/.exec(one.getAttribute("transform") ?? "")?.[1] ?? 0);
    }
    return shift;
  };

  const drawn = new Map(); // of each SVG its first width, and what of it moves with the time axis
  const partsOf = svg => {
    if (drawn.has(svg)) return drawn.get(svg);
    const parts = [...svg.querySelectorAll("rect, image, text, circle, path")].map(element => {
      const attributes = {};
      for (const name of ["x", "cx", "width", "d"]) if (element.hasAttribute(name)) attributes[name] = element.getAttribute(name);
      const ends = element.closest("[data-end]"), keeps = element.closest("a");
      return {element, attributes, shift: shiftOf(element), ends: Boolean(ends), keeps: Boolean(keeps)};
    });
    const found = {width: svg.viewBox.baseVal.width, height: svg.viewBox.baseVal.height, parts};
    drawn.set(svg, found);
    return found;
  };

  const stretch = (svg, width) => {
    const [left, right] = plotOf(svg), {width: old, height, parts} = partsOf(svg);
    const factor = (width - left - right) / (old - left - right);
    const placeOf = x => x <= left ? x : x >= old - right ? x + width - old : left + (x - left) * factor;
    for (const {element, attributes, shift, ends, keeps} of parts) {
      const moved = x => (ends ? Number(x) + width - old : placeOf(Number(x) + shift) - shift);
      const set = (name, value) => element.setAttribute(name, value.toFixed(2));
      if (attributes.cx) set("cx", moved(attributes.cx));
      if (attributes.d) {
        element.setAttribute("d", attributes.d.replace(/([ML])(-?[\d.]+),/g, (_, letter, x) => `${letter}${moved(x).toFixed(2)},`));
      }
      if (!attributes.x) continue;
      const x = Number(attributes.x), wide = Number(attributes.width ?? 0);
      if (keeps) set("x", moved(x + wide / 2) - wide / 2);
      else set("x", moved(x));
      if (attributes.width && !keeps && !ends) set("width", moved(x + wide) - moved(x));
    }
    svg.setAttribute("width", width);
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    let end = -Infinity;
    for (const tick of svg.querySelectorAll("[data-tick]")) {
      tick.removeAttribute("visibility");
      const box = tick.getBBox();
      if (box.x < end + TICK_GAP) tick.setAttribute("visibility", "hidden");
      else end = box.x + box.width;
    }
  };

  document.querySelectorAll("figure[data-first]").forEach(figure => {
    const first = Number(figure.dataset.first), stop = Number(figure.dataset.stop), chapter = figure.dataset.chapter;
    const shownOf = () => [...figure.querySelectorAll("svg[data-plot]")].find(svg => svg.getBoundingClientRect().width > 0);
    const needle = document.createElement("div");
    needle.className = "needle";
    needle.hidden = true;
    figure.append(needle);
    let shown = null;
    const place = iteration => {
      const svg = shownOf();
      shown = iteration;
      needle.hidden = iteration === null || !svg;
      if (needle.hidden) return;
      const [left, right] = plotOf(svg), box = svg.getBoundingClientRect(), host = figure.getBoundingClientRect();
      needle.style.left = `${box.left - host.left + left + (box.width - left - right) * (iteration + 0.5 - first) / (stop - first)}px`;
      needle.style.top = `${box.top - host.top}px`;
      needle.style.height = `${box.height}px`;
    };
    const fit = () => {
      const svg = shownOf(), width = Math.floor(svg?.parentElement.clientWidth ?? 0);
      if (width > 0 && Number(svg.getAttribute("width")) !== width) stretch(svg, width);
      place(shown);
    };
    dtuiReport.listen(chapter, place);
    figure.addEventListener("mousemove", event => {
      const svg = shownOf(), [left, right] = plotOf(svg), box = svg.getBoundingClientRect();
      const share = (event.clientX - box.left - left) / (box.width - left - right);
      const iteration = Math.min(Math.ceil(stop) - 1, Math.max(Math.ceil(first), Math.floor(first + share * (stop - first))));
      dtuiReport.show(chapter, share >= 0 && share < 1 ? iteration : null);
    });
    figure.addEventListener("mouseleave", () => dtuiReport.show(chapter, null));
    new ResizeObserver(fit).observe(figure);
    fit();
  });
})();
