(() => {
  "use strict";
  // What a pointer does, by keys: the crosshair of each chart, rows of a table, cards, and places that scroll sideways.
  const grouped = number => number.toLocaleString("en-US");
  const clamp = (value, least, most) => Math.max(least, Math.min(most, value));

  // What keys chose is said once, for readers who cannot see it. A pointer says nothing.
  const spoken = document.createElement("p");
  spoken.className = "spoken";
  spoken.setAttribute("aria-live", "polite");
  document.querySelector("main").append(spoken);
  const say = words => { spoken.textContent = words; };

  // Arrows move by a column, with Shift by ten; `more` takes what is left and says whether it knew the key.
  const steer = (element, {first, stop, columns}, name, more, told) => {
    let at = null;
    element.tabIndex = 0;
    dtuiReport.listen(name, iteration => { at = iteration; });
    const span = (stop - first) / columns;
    const columnOf = iteration => clamp(Math.floor((iteration + 0.5 - first) / span), 0, columns - 1);
    const speak = () => requestAnimationFrame(() => requestAnimationFrame(() => say(told(at))));
    element.addEventListener("keydown", event => {
      if (event.target !== element) return;
      const here = at === null ? columns : columnOf(at), by = event.shiftKey ? 10 : 1;
      const wanted = {ArrowLeft: here - by, ArrowRight: here + by, Home: 0, End: columns - 1}[event.key];
      if (event.key === "Escape") dtuiReport.show(name, null);
      else if (wanted !== undefined) {
        const column = clamp(wanted, 0, columns - 1);
        at = clamp(Math.floor(first + (column + 0.5) * span), Math.ceil(first), Math.ceil(stop) - 1);
        dtuiReport.show(name, at);
        speak();
      } else if (more(event, at)) speak();
      else return;
      event.preventDefault();
    });
    element.addEventListener("blur", () => dtuiReport.show(name, null));
  };

  // The strips of a heatmap: up and down choose one, Enter goes to the nearest triangle of it.
  const rowKeys = (view, goTo) => {
    const rows = view.data("rows").flatMap(row => row.names.map((label, k) =>
      ({id: row.id, name: label, row: k, y: row.y, height: row.height})));
    let place = -1;
    return (event, at) => {
      if (event.key === "Enter" && place >= 0) {
        const mine = view.data("marks").filter(mark => mark.of === rows[place].name);
        const near = mine.sort((a, b) => Math.abs(a.iteration - at) - Math.abs(b.iteration - at))[0];
        if (near) goTo(near.target);
        return true;
      }
      const by = {ArrowDown: 1, ArrowUp: -1}[event.key];
      if (by === undefined) return false;
      place = clamp(place + by, 0, rows.length - 1);
      view.signal("over", rows[place]).runAsync();
      return true;
    };
  };

  dtuiReport.steer = (host, view, spec, goTo) => {
    const [first, stop] = view.scale("x").domain(), isHeatmap = spec.mode === "vega" || host.dataset.mode === "vega";
    const columns = spec.usermeta?.columns ?? 200;
    host.setAttribute("role", "img");
    const about = host.closest("figure").getAttribute("aria-label");
    host.setAttribute("aria-label", `${about} Arrow keys move the crosshair${isHeatmap ? " and choose a row" : ""}.`);
    const told = at => {
      if (at === null) return "";
      if (isHeatmap) {
        const over = view.signal("over"), value = view.signal("value");
        return `iteration ${grouped(at)}${over ? `, ${over.name}` : ""}${over && value !== null ? `, ${(100 * value).toFixed(1)}\u00a0%` : ""}`;
      }
      const shown = view.signal("shown"), rows = view.data("curves").filter(row => row.column === shown);
      return [`iteration ${grouped(at)}`, ...rows.map(row => `${row.curve} ${row.value === null ? row.missing ?? "none" : dtuiReport.numberText(row.value, 4)}`)].join(", ");
    };
    steer(host, {first, stop, columns}, host.dataset.chapter, isHeatmap ? rowKeys(view, goTo) : () => false, told);
    if (isHeatmap) host.addEventListener("blur", () => view.signal("over", null).runAsync());
  };

  dtuiReport.kept.splice(0).forEach(chart => dtuiReport.steer(...chart));

  document.querySelectorAll("figure[data-first]").forEach(figure => {
    const [first, stop] = [Number(figure.dataset.first), Number(figure.dataset.stop)];
    const name = figure.dataset.chapter, about = figure.getAttribute("aria-label");
    figure.setAttribute("role", "group");
    figure.setAttribute("aria-label", about ? `${about} Arrow keys move the crosshair.`
      : "Error of the whole run. Arrow keys move the crosshair, Tab goes through the incidents.");
    const columns = Math.max(1, Math.min(200, Math.round(stop - first)));
    steer(figure, {first, stop, columns}, name, () => false, at => at === null ? "" : `iteration ${grouped(at)}`);
  });

  // Of the rows of a table, and of the cards, Tab reaches one, and up and down go on from there.
  const rove = rows => rows.forEach((row, k) => {
    row.tabIndex = k ? -1 : 0;
    row.addEventListener("focus", () => dtuiReport.show(row.dataset.chapter, Number(row.dataset.iteration)));
    row.addEventListener("blur", () => dtuiReport.show(row.dataset.chapter, null));
    row.addEventListener("keydown", event => {
      const next = {ArrowDown: k + 1, ArrowUp: k - 1, Home: 0, End: rows.length - 1}[event.key];
      if (event.target !== row || next === undefined || !rows[next]) return;
      event.preventDefault();
      row.tabIndex = -1;
      rows[next].tabIndex = 0;
      rows[next].focus();
    });
  });
  document.querySelectorAll("tbody").forEach(body => rove([...body.querySelectorAll("tr[data-iteration]")]));
  document.querySelectorAll("section").forEach(section => rove([...section.querySelectorAll(".card[data-iteration]")]));

  // A place that scrolls sideways can be reached by Tab, one that does not need not be.
  const scrolls = new ResizeObserver(entries => entries.forEach(({target}) => {
    const isWide = target.scrollWidth > target.clientWidth + 1 && !target.matches(".alive");
    if (isWide) target.tabIndex = 0;
    else target.removeAttribute("tabindex");
  }));
  document.querySelectorAll(".table, .picture, .pictures, .rows").forEach(place => scrolls.observe(place));
})();
