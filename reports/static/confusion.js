(() => {
  "use strict";
  // The confusion matrix over time: a slider, or the crosshair of the chapter, chooses the validation that it shows.
  const grouped = number => number.toLocaleString("en-US");
  const colourOf = text => [1, 3, 5].map(at => parseInt(text.slice(at, at + 2), 16));

  const start = async svg => {
    const matrix = JSON.parse(svg.dataset.matrix), {rows, iterations, names, stops} = matrix;
    const columns = rows + 1, last = iterations.length - 1;
    const {data, width} = await dtuiReport.pixelsOf(matrix.picture);
    const at = (step, place) => data[4 * (step * width + place)] * matrix.unit;
    const count = (step, row, column) => at(step, row * columns + column);
    const judged = (step, row) => at(step, rows * columns + row);
    const colours = stops.map(colourOf);
    const shade = share => {
      const place = (0.12 + 0.78 * Math.sqrt(Math.min(1, share))) * (colours.length - 1), low = Math.min(Math.floor(place), colours.length - 2);
      return `rgb(${colours[low].map((part, k) => Math.round(part + (colours[low + 1][k] - part) * (place - low))).join(",")})`;
    };
    const figure = svg.closest("figure"), chapter = figure.closest("article.run").id;
    const slider = Object.assign(document.createElement("input"), {type: "range", min: 0, max: last, value: last});
    slider.setAttribute("aria-label", "Validation that the matrix shows");
    const when = document.createElement("output"), words = document.createElement("p");
    words.className = "words";
    const controls = document.createElement("div");
    controls.className = "slider";
    controls.append(slider, when);
    figure.querySelector(".picture").before(controls);
    figure.append(words);

    const told = step => {
      const wrong = [];
      for (let row = 0; row < rows; row++) for (let column = 0; column < columns; column++) {
        if (row !== column && count(step, row, column)) wrong.push([count(step, row, column), row, column]);
      }
      wrong.sort((a, b) => b[0] - a[0]);
      const all = wrong.reduce((sum, [one]) => sum + one, 0);
      const most = wrong.slice(0, 3).map(([one, row, column]) =>
        `${names[row]} taken for ${names[column]} (${grouped(one)} ${one === 1 ? "image" : "images"}, ${(100 * one / Math.max(1, judged(step, row))).toFixed(1)} %)`);
      return all ? `${grouped(all)} images of these classes are wrong; most often ${most.join(", ")}.` : "No image of these classes is wrong.";
    };
    const cells = [...figure.querySelectorAll("[data-cell]")].map(element => [element, ...element.dataset.cell.split(" ").map(Number)]);
    const paint = step => {
      for (const [element, row, column] of cells) {
        const found = count(step, row, column), share = found / Math.max(1, judged(step, row));
        if (element.localName === "rect") {
          element.setAttribute("fill", row === column ? matrix.right : share > 0 ? shade(share) : "#ffffff");
        } else {
          const box = element.previousElementSibling, text = found ? grouped(found) : "", cell = Number(box.getAttribute("width")) + 1;
          element.textContent = 6.2 * text.length <= cell && (row !== column || cell > 30) ? text : "";
          element.setAttribute("fill", matrix.inks[row === column ? 2 : share > 0.25 ? 1 : 0]);
        }
      }
      slider.value = step;
      when.textContent = `iteration ${grouped(iterations[step])}`;
      slider.setAttribute("aria-valuetext", `iteration ${grouped(iterations[step])}: ${told(step)}`);
      words.textContent = told(step);
    };
    // The last validation at or before an iteration.
    const stepOf = iteration => {
      let low = 0, high = last;
      while (low < high) {
        const middle = Math.ceil((low + high) / 2);
        if (iterations[middle] <= iteration) low = middle; else high = middle - 1;
      }
      return low;
    };
    let chosen = last;
    slider.addEventListener("input", () => {
      chosen = Number(slider.value);
      paint(chosen);
      dtuiReport.show(chapter, iterations[chosen]);
    });
    // It stays where the slider was put when the pointer leaves another chart.
    dtuiReport.listen(chapter, iteration => paint(iteration === null ? chosen : stepOf(iteration)));
    slider.addEventListener("blur", () => dtuiReport.show(chapter, null));
    paint(last);
  };

  document.querySelectorAll("svg[data-matrix]").forEach(svg => {
    start(svg).catch(error => console.error("dtui: the matrix stays as it is drawn", error));
  });
})();
