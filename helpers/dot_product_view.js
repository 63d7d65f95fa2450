(() => {
  const root = document.getElementById("dot-product-view");
  if (!root || root.dataset.ready === "1") return;
  const { U, V, ratings } = JSON.parse(root.querySelector("script[type='application/json']").textContent);
  const LOW = -2, HIGH = 10;
  const make = (tag, parent, props = {}) => parent.appendChild(Object.assign(document.createElement(tag), props));
  const panel = make("div", root);
  panel.addEventListener("keydown", (event) => event.stopPropagation());  // else JupyterLab takes the arrow keys
  panel.style.cssText = "max-width:42rem;margin-top:1rem;font-size:.95rem";
  make("p", panel, { textContent: "Take one cell apart: choose it, then move its four numbers." }).style.margin = "0 0 .4rem";

  const sliders = {};
  const slider = (name, min, max, step, value) => {
    const row = make("label", panel);
    row.style.cssText = "display:grid;grid-template-columns:11rem 1fr 3.5rem;gap:.6rem;align-items:center";
    make("span", row, { textContent: name });
    const input = make("input", row, { type: "range", min, max, step, value });
    const shown = make("output", row);
    sliders[name] = { input, shown };
    return input;
  };
  const user = slider("user", 1, U.length, 1, 1);
  const film = slider("film", 1, V[0].length, 1, 1);
  const numbers = ["user factor 1", "film factor 1", "user factor 2", "film factor 2"].map((n) => slider(n, -2, 2, 0.1, 0));

  const line = make("div", panel, { ariaHidden: "true" });
  line.style.cssText = "position:relative;height:4.4rem;margin:1rem .5rem .2rem";
  make("span", line).style.cssText = "position:absolute;top:50%;left:0;right:0;border-top:2px solid currentColor";
  [LOW, HIGH].forEach((end) => {
    const side = end === LOW ? "left:0" : "right:0";
    make("span", line, { textContent: end }).style.cssText = `position:absolute;top:calc(50% + .3rem);${side};font-size:.8rem`;
  });
  const marks = { sum: ["U @ V", "top:.4rem;bottom:50%", "#0072B2"], rating: ["rating", "top:50%;bottom:.4rem", "#D55E00"] };
  for (const key in marks) {
    const mark = make("span", line);
    mark.style.cssText = `position:absolute;${marks[key][1]};border-left:4px solid ${marks[key][2]};padding:0 .4rem;` +
      `display:flex;align-items:${key === "sum" ? "start" : "end"};line-height:1;white-space:nowrap`;
    marks[key].push(mark);
  }
  const live = make("p", panel);
  live.setAttribute("aria-live", "polite");

  const place = (key, value) => {
    const mark = marks[key][3];
    mark.textContent = `${marks[key][0]} ${value.toFixed(2)}`;
    mark.style.left = `${(100 * (Math.min(HIGH, Math.max(LOW, value)) - LOW)) / (HIGH - LOW)}%`;
  };
  const draw = () => {
    for (const key in sliders) sliders[key].shown.textContent = sliders[key].input.value;
    const [u1, v1, u2, v2] = numbers.map((n) => +n.value);
    const i = user.value - 1, j = film.value - 1, sum = u1 * v1 + u2 * v2;
    place("sum", sum);
    marks.rating[3].style.visibility = ratings[i][j] ? "visible" : "hidden";
    place("rating", ratings[i][j]);
    const rating = ratings[i][j] ? `the rating is ${ratings[i][j]}` : "there is no rating here";
    live.textContent = `User ${i + 1}, film ${j + 1}: ${u1}·${v1} + ${u2}·${v2} = ${sum.toFixed(2)}; ${rating}.`;
  };
  const choose = () => {
    const i = user.value - 1, j = film.value - 1;
    [U[i][0], V[0][j], U[i][1], V[1][j]].forEach((value, k) => { numbers[k].value = value; });
    draw();
  };
  [user, film].forEach((s) => { s.oninput = choose; });
  numbers.forEach((s) => { s.oninput = draw; });
  choose();
  root.dataset.ready = "1";
})();
