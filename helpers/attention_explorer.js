document.querySelectorAll("#attention-explorer").forEach((root) => {
  if (root.dataset.ready === "1") return;
  const { examples, start, longest, strongest } = JSON.parse(root.querySelector("script[type='application/json']").textContent);
  const table = root.querySelector("table"), scroll = root.querySelector(".scroll");
  const make = (tag, parent, props = {}) => parent.appendChild(Object.assign(document.createElement(tag), props));
  root.dataset.lmSuppressShortcuts = "true";  // else JupyterLab takes the arrow keys
  root.addEventListener("keydown", (event) => event.stopPropagation());

  const panel = make("div", root, { className: "controls" });
  root.insertBefore(panel, scroll);
  const [example, layer, head] = ["example", "layer", "head"].map((name) => {
    const choice = make("div", panel), id = `${root.id}-${name}`;
    make("label", choice, { htmlFor: id, textContent: name });
    return make("select", choice, { id });
  });
  const live = make("p", root);
  scroll.after(live);
  live.setAttribute("aria-live", "polite");

  const number = (weight) => (weight === null ? "·" : (weight / 100).toFixed(2).replace(/^0/, ""));
  const short = (token) => {
    const letters = Array.from(token);
    return letters.length > longest ? `${letters.slice(0, longest - 1).join("").trimEnd()}…` : token;
  };
  const fill = (select, names, chosen) => {
    select.replaceChildren();
    names.forEach((name, k) => make("option", select, { value: k, textContent: name }));
    select.value = Math.min(chosen, names.length - 1);
  };
  const count = (list) => list.map((_, k) => k + 1);
  const title = (token, scope, row) => make("span", make("th", row, { scope, title: token }), { textContent: short(token) });

  let shown, said;
  const say = (i) => {
    const { tokens } = examples[example.value], row = shown[i];
    const looks = [...row.keys()].filter((j) => row[j]).sort((a, b) => row[b] - row[a]);
    const at = (j) => `at ${j === i ? "itself" : `"${tokens[j]}"`} (${number(row[j])})`;
    const next = looks.length > 1 ? `, then ${at(looks[1])}` : "";
    live.textContent = `Head ${+head.value + 1} of layer ${+layer.value + 1}: "${tokens[i]}" looks most ${at(looks[0])}${next}.`;
    [...table.tBodies[0].rows].forEach((line, k) => line.classList.toggle("said", k === i));
    said = i;
  };
  const draw = () => {
    const { name, tokens, weights } = examples[example.value];
    shown = weights[layer.value][head.value];
    table.caption.querySelector("b").textContent = `${name}, layer ${+layer.value + 1}, head ${+head.value + 1}`;
    table.tHead.replaceChildren();
    table.tBodies[0].replaceChildren();
    const top = table.tHead.insertRow();
    top.insertCell();
    tokens.forEach((token) => title(token, "col", top));
    tokens.forEach((token, i) => {
      const row = table.tBodies[0].insertRow();
      title(token, "row", row).parentNode.tabIndex = 0;
      shown[i].forEach((weight) => {
        const cell = make("td", row, { textContent: number(weight) });
        cell.style.backgroundColor = `rgba(0,114,178,${(strongest * Math.sqrt((weight || 0) / 100)).toFixed(3)})`;
      });
    });
    say(Math.min(said ?? tokens.length - 1, tokens.length - 1));
  };
  const choose = (l, h) => {
    const { weights } = examples[example.value];
    fill(layer, count(weights), l);
    fill(head, count(weights[0]), h);
    draw();
  };

  const rowOf = (node) => node.closest("tr").sectionRowIndex;
  const sayRow = (event) => { if (event.target.closest("tr")) say(rowOf(event.target)); };
  table.tBodies[0].addEventListener("mouseover", sayRow);
  table.tBodies[0].addEventListener("focusin", sayRow);
  table.tBodies[0].addEventListener("keydown", (event) => {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!step) return;
    event.preventDefault();  // else the page scrolls
    table.tBodies[0].rows[rowOf(event.target) + step]?.cells[0].focus();
  });
  example.onchange = () => choose(+layer.value, +head.value);
  layer.onchange = head.onchange = draw;
  fill(example, examples.map(({ name }) => name), start[0]);
  choose(start[1], start[2]);
  root.dataset.ready = "1";
});
