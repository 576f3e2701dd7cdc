const one = (what) => document.querySelector(what), all = (what) => document.querySelectorAll(what);
const lost = (yes) => document.body.classList.toggle("is-lost", yes);
let still = 0, turn = 0;
const painted = () => requestAnimationFrame(() => requestAnimationFrame(() => {
  const { tag } = one("[data-tag]").dataset;
  fetch("/painted", { method: "POST", body: new URLSearchParams({ tag }) })
    .then((it) => it.status === 409 && swap()).catch(() => 0);
}));
const show = () => all("[data-turn]").forEach((it, at, list) => { it.hidden = at !== turn % list.length; });
const swap = async () => {
  const got = await (await fetch(location.href)).text();
  const page = new DOMParser().parseFromString(got, "text/html");
  one("main").replaceWith(page.querySelector("main"));
  document.title = page.title;
  show();
  painted();
};
const follow = (name) => {
  lost(false);
  if (name !== one("main").dataset.generation && !one("[method=post]")) swap().catch(() => setTimeout(follow, 2e3, name));
};
const listen = () => {
  const events = new EventSource("/events");
  events.onmessage = (it) => follow(it.data);
  events.onerror = () => {
    lost(true);
    if (events.readyState === 2) setTimeout(listen, 2e3);
  };
};
const tick = () => {
  const now = new Date(), timeZone = "Asia/Shanghai", t = now / 1000 | 0;
  one("#clock").textContent = now.toLocaleTimeString("zh-CN", { timeZone });
  one("#date").textContent = now.toLocaleDateString("zh-CN", { timeZone, dateStyle: "full" });
  if (t % 15 === 0) { turn++; show(); }
  if (t % 4 === 0) painted();
  const left = +document.body.dataset.idle - still++;
  one(".idle").hidden = !(left <= 0);
  one("#left").textContent = left + 20;
  if (left < -19) location.replace("/reset");
};
for (const kind of ["pointerdown", "keydown"]) addEventListener(kind, () => still = 0);
onclick = ({ target: { dataset: { key, for: id } } }) => {
  if (id) one(id).value = key ? one(id).value + key : one(id).value.slice(0, -1);
};
listen();
show();
tick();
painted();
setInterval(tick, 1e3);
