"use strict";
(() => {
  const main = () => document.querySelector("main");
  const lost = (yes) => document.body.classList.toggle("is-lost", yes);
  const swap = async () => {
    const answer = await fetch(location.href, { cache: "no-store" });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.querySelector("main");
    if (!fresh) throw new Error("no main");
    main().replaceWith(fresh);
    document.title = page.title;
  };
  const follow = (generation) => {
    lost(false);
    if (generation === main().dataset.generation) return;
    swap().catch(() => setTimeout(() => follow(generation), 2000));
  };
  const listen = () => {
    const events = new EventSource("/events");
    events.onmessage = (event) => follow(event.data);
    events.onerror = () => {
      lost(true);
      if (events.readyState === EventSource.CLOSED) setTimeout(listen, 2000);
    };
  };
  const tick = () => {
    const now = new Date();
    const zone = { timeZone: "Asia/Shanghai" };
    document.getElementById("clock").textContent = now.toLocaleTimeString("zh-CN", { ...zone, hour12: false });
    document.getElementById("date").textContent = now.toLocaleDateString("zh-CN", { ...zone, dateStyle: "full" });
  };
  listen();
  tick();
  setInterval(tick, 1000);
})();
