"use strict";
const at = id => document.getElementById(id);
const MOST_BARS = 12, SHOT_BARS = 5, PEN = 0.075, MOST_BYTES = 8 << 20, MOST_SIDE = 2048;
const canvas = at("canvas"), brush = canvas.getContext("2d");
let strokes = [], stroke = null, classes = [], rows = [];
let image = null;             // a file that was chosen, instead of a drawing
let wanted = false, busy = false;
let canDraw = true;           // the model reads digits

function isBlank() { return !image && strokes.length === 0; }

function draw() {
  const side = canvas.width;
  brush.clearRect(0, 0, side, side);
  brush.lineCap = brush.lineJoin = "round";
  brush.lineWidth = PEN * side;
  brush.strokeStyle = "#000";
  for (const points of strokes) {
    brush.beginPath();
    brush.moveTo(points[0][0] * side - 0.1, points[0][1] * side); // a dot has a length, too
    for (const [x, y] of points) brush.lineTo(x * side, y * side);
    brush.stroke();
  }
  if (!image) at("hint").textContent = "Draw here";
  at("hint").hidden = !isBlank();
  at("undo").disabled = strokes.length === 0;
}

function place(event) {
  const box = canvas.getBoundingClientRect();
  return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
}

canvas.addEventListener("pointerdown", event => {
  if (event.button !== 0 || stroke) return;
  event.preventDefault();
  try { canvas.setPointerCapture(event.pointerId); } catch (error) { /* the pointer is gone */ }
  stroke = { id: event.pointerId, points: [place(event)] };
  strokes.push(stroke.points);
  draw();
  ask();
});
canvas.addEventListener("pointermove", event => {
  if (!stroke || event.pointerId !== stroke.id) return;
  const all = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
  for (const one of all.length ? all : [event]) stroke.points.push(place(one));
  draw();
  ask();
});
for (const kind of ["pointerup", "pointercancel"])
  canvas.addEventListener(kind, event => {
    if (stroke && event.pointerId === stroke.id) { stroke = null; ask(); }
  });

function clear() {
  strokes = []; stroke = null;
  if (image) URL.revokeObjectURL(at("picture").src);
  image = null;
  at("picture").hidden = true;
  at("file").value = "";
  at("board").classList.add("drawn");
  canvas.hidden = false;
  draw();
  ask();
}
function undo() { strokes.pop(); stroke = null; draw(); ask(); }

at("clear").addEventListener("click", clear);
at("undo").addEventListener("click", undo);
document.addEventListener("keydown", event => {
  if (event.key === "Escape") clear();
  else if (event.key === "z" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); undo(); }
});

function open(file) {
  if (!file) return;
  clear();
  image = file;
  at("picture").src = URL.createObjectURL(file);
  at("picture").hidden = false;
  at("board").classList.remove("drawn");
  canvas.hidden = true;
  at("hint").hidden = true;
  ask();
}
at("picture").addEventListener("error", () => { // browsers do not know every format
  if (!image) return;
  at("picture").hidden = true;
  at("hint").textContent = image.name;
  at("hint").hidden = false;
});
at("file").addEventListener("change", event => open(event.target.files[0]));
addEventListener("dragover", event => { event.preventDefault(); document.body.classList.add("dragging"); });
addEventListener("dragleave", () => document.body.classList.remove("dragging"));
addEventListener("drop", event => {
  event.preventDefault();
  document.body.classList.remove("dragging");
  take(event.dataTransfer.files);
});
addEventListener("paste", event => take(event.clipboardData.files));
at("files").addEventListener("change", event => { take(event.target.files); event.target.value = ""; });

// What was chosen, dropped or pasted: one image in a drawing's place, or pictures among others.
function take(files) {
  if (canDraw) open(files[0]);
  else addShots([...files]);
}

// One request is under way at a time; what changes meanwhile is asked once it is answered.
async function ask() {
  wanted = true;
  if (busy) return;
  busy = true;
  while (wanted) {
    wanted = false;
    if (isBlank()) { show(null); continue; }
    const body = image || await new Promise(done => canvas.toBlob(done, "image/png"));
    const answer = await predict(body);
    if (isBlank()) show(null);
    else if (answer.error) fail(answer.error);
    else show(answer);
  }
  busy = false;
}

async function predict(body) {
  try {
    return await (await fetch("predict?seen=1", { method: "POST", body })).json();
  } catch (error) {
    return { error: "The server does not answer." };
  }
}

// The server takes no more than MOST_BYTES: what is larger is scaled down here, where the browser knows it.
async function shrink(file) {
  if (file.size <= MOST_BYTES) return file;
  try {
    const bitmap = await createImageBitmap(file);
    const factor = Math.min(1, MOST_SIDE / Math.max(bitmap.width, bitmap.height));
    const small = document.createElement("canvas");
    small.width = Math.round(bitmap.width * factor);
    small.height = Math.round(bitmap.height * factor);
    const target = small.getContext("2d");
    target.imageSmoothingQuality = "high";
    target.drawImage(bitmap, 0, 0, small.width, small.height);
    return await new Promise(done => small.toBlob(done, "image/png"));
  } catch (error) {
    return file;
  }
}

let queue = [];
function addShots(files) {
  const shots = files.map(file => {
    const shot = at("shot").content.firstElementChild.cloneNode(true), picture = shot.querySelector("img");
    picture.addEventListener("load", () => URL.revokeObjectURL(picture.src));
    picture.addEventListener("error", () => { picture.hidden = true; }); // browsers do not know every format
    picture.src = URL.createObjectURL(file);
    picture.alt = shot.querySelector(".file-name").textContent = file.name;
    return { file, shot };
  });
  at("shots").prepend(...shots.map(one => one.shot));
  queue.push(...shots);
  askShots();
}

async function askShots() {
  if (busy) return;
  busy = true;
  while (queue.length) {
    const { file, shot } = queue.shift();
    showShot(shot, await predict(await shrink(file)));
  }
  busy = false;
}

function showShot(shot, answer) {
  const verdict = shot.querySelector(".verdict"), list = shot.querySelector("ol");
  verdict.textContent = "";
  shot.querySelector(".problem").textContent = answer.error || answer.warning || "";
  shot.querySelector("canvas").parentElement.hidden = Boolean(answer.error);
  if (answer.error) return;
  const name = document.createElement("b");
  name.textContent = answer.name;
  verdict.append(name, " " + judge(answer));
  paint(shot.querySelector("canvas"), answer.seen);
  for (const label of ranked(answer.probabilities).slice(0, SHOT_BARS))
    fill(addRow(list), label, answer.probabilities[label], answer);
}

function fail(text) {
  show(null);
  at("problem").textContent = text;
}

function percent(part) { return part >= 0.9995 ? "100 %" : (100 * part).toFixed(1) + " %"; }

function show(answer) {
  at("problem").textContent = "";
  at("sight").hidden = !answer;
  at("label").textContent = answer ? answer.name : "\u2013";
  at("label").classList.toggle("long", Boolean(answer) && answer.name.length > 2);
  const parts = answer ? answer.probabilities : classes.map(() => 0);
  at("sure").textContent = answer ? judge(answer) : "Nothing to see yet.";
  const order = classes.length > MOST_BARS ? ranked(parts) : [...parts.keys()];
  rows.forEach((row, index) => fill(row, order[index], parts[order[index]], answer));
  if (answer) paint(at("seen"), answer.seen);
}

function judge({ probability }) {
  return (probability > 0.9 ? "Sure of it: " : probability > 0.6 ? "Probably: " : "Not sure: ") + percent(probability);
}

// The labels, most probable first.
function ranked(parts) { return [...parts.keys()].sort((a, b) => parts[b] - parts[a]); }

function fill(row, label, part, answer) {
  row.name.textContent = classes[label];
  row.bar.style.setProperty("--part", part);
  row.part.textContent = answer ? percent(part) : "";
  row.item.classList.toggle("best", Boolean(answer) && label === answer.label);
}

function paint(seen, { shape: [channels, height, width], pixels }) {
  const plane = height * width;
  seen.width = width;
  seen.height = height;
  const brush = seen.getContext("2d"), data = brush.createImageData(width, height);
  for (let i = 0; i < plane; i++) {
    for (let c = 0; c < 3; c++) data.data[4 * i + c] = pixels[(channels === 3 ? c * plane : 0) + i];
    data.data[4 * i + 3] = 255;
  }
  brush.putImageData(data, 0, 0);
}

function addRow(list) {
  const item = document.createElement("li"), name = document.createElement("b");
  const bar = document.createElement("i"), part = document.createElement("span");
  item.append(name, bar, part);
  list.append(item);
  return { item, name, bar, part };
}

async function start() {
  try {
    const model = await (await fetch("model")).json();
    classes = model.classes;
    canDraw = model.digits;
    if (!canDraw) {
      at("intro").textContent = `${model.name} says which of ${classes.length} classes a picture is of.`;
      document.querySelector(".cards").hidden = true;
      at("album").hidden = false;
    } else {
      rows = classes.slice(0, MOST_BARS).map(() => addRow(at("bars")));
      draw();
      ask();
    }
    document.body.dataset.ready = "yes";
  } catch (error) {
    at("problem").textContent = "The server does not answer.";
  }
}
start();
