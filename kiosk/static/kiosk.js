const one = (what) => document.querySelector(what);
const lost = (yes) => document.body.classList.toggle("is-lost", yes);
let still = 0, turn = 0;
const paint = () => requestAnimationFrame(() => requestAnimationFrame(() =>
  fetch("/painted", { method: "POST", body: new URLSearchParams(one("[data-tag]").dataset) })
    .then((it) => it.ok || swap()).catch(() => 0)));
const show = () => document.querySelectorAll("[data-turn]").forEach((it, at, list) => it.hidden = at !== turn % list.length);
const swap = async () => {
  const got = await (await fetch(location.href)).text();
  const { title, body } = new DOMParser().parseFromString(got, "text/html");
  one("main").replaceWith(body.querySelector("main"));
  document.title = title;
  show();
  paint();
};
const heed = (name) => {
  lost(false);
  if (name !== one("main").dataset.generation && (name[0] === "!" || !one("[method=post]"))) swap().catch(() => setTimeout(heed, 2e3, name));
};
const hear = () => {
  const events = new EventSource("/events");
  events.onmessage = (it) => heed(it.data);
  events.onerror = () => lost(true) && events.readyState > 1 && setTimeout(hear, 2e3);
};
const tick = () => {
  const now = new Date(), timeZone = "Asia/Shanghai", t = now / 1000 | 0;
  one("#clock").textContent = now.toLocaleTimeString("zh-CN", { timeZone });
  one("#date").textContent = now.toLocaleDateString("zh-CN", { timeZone, dateStyle: "full" });
  if (t % 15 === 0) { turn++; show(); }
  if (t % 4 === 0) paint();
  const left = +document.body.dataset.idle - still++;
  one(".idle").hidden = !(left < 1);
  one("#left").textContent = left + 20;
  if (left < -19) location.replace("/reset");
};
onpointerdown = onkeydown = (it) => {
  still = 0;
  if (it.ctrlKey || it.altKey || it.metaKey || /^(F\d|Br|Esc)/.test(it.key)) it.preventDefault();
};
oncontextmenu = () => false;
onclick = ({ target: { dataset: { key, for: id } } }) => {
  if (id) one(id).value = key ? one(id).value + key : one(id).value.slice(0, -1);
};
hear();
show();
tick();
paint();
setInterval(tick, 1e3);
