"use strict";
(() => {
  const link = document.getElementById("link");
  const clockShown = document.getElementById("clock");
  const said = document.getElementById("said");
  let clock = null;
  let heard = 0;
  let over = false;

  // The token stands in the fragment, which browsers send nowhere; it leaves the address bar at once.
  let token = null;
  const takeToken = () => {
    const given = new URLSearchParams(location.hash.slice(1)).get("token");
    try {
      if (given) sessionStorage.setItem("token", given);
      token = given || token || sessionStorage.getItem("token");
    } catch {
      token = given || token; // storage is switched off: the token lasts as long as the page
    }
    if (location.hash) history.replaceState(null, "", location.pathname);
    document.documentElement.classList.toggle("controls", Boolean(token));
  };
  takeToken();
  addEventListener("hashchange", takeToken);

  const offset = (ms) => {
    const seconds = Math.floor(Math.abs(ms) / 1000);
    const pad = (number) => String(number).padStart(2, "0");
    const hours = Math.floor(seconds / 3600);
    return `${ms < 0 && seconds ? "-" : "+"}${hours ? `${hours}:` : ""}${pad(Math.floor(seconds / 60) % 60)}:${pad(seconds % 60)}`;
  };
  const span = (ms) => {
    const seconds = Math.ceil(ms / 1000);
    if (seconds < 60) return `${seconds} s`;
    if (seconds < 3600) return `${Math.floor(seconds / 60)}m${seconds % 60}s`;
    return `${Math.floor(seconds / 3600)}h${Math.floor(seconds / 60) % 60}m`;
  };
  const present = () => clock.over ? clock.at : clock.at + (performance.now() - heard) * clock.speed;

  // Brings one element to the state of another; what is kept by itself (data-slot) and what is open stay as they are.
  const morph = (from, to) => {
    for (const name of from.getAttributeNames()) {
      if (!to.hasAttribute(name) && name !== "open") from.removeAttribute(name);
    }
    for (const name of to.getAttributeNames()) {
      if (from.getAttribute(name) !== to.getAttribute(name)) from.setAttribute(name, to.getAttribute(name));
    }
    if (!to.hasAttribute("data-slot")) morphChildren(from, to);
  };
  const alike = (one, other) => one.nodeType === other.nodeType && one.nodeName === other.nodeName
    && (one.nodeType !== Node.ELEMENT_NODE || (one.getAttribute("data-key") === other.getAttribute("data-key")
      && one.getAttribute("data-slot") === other.getAttribute("data-slot")));
  const morphChildren = (from, to) => {
    const wanted = [...to.childNodes];
    wanted.forEach((node, index) => {
      const have = from.childNodes[index];
      if (!have) from.append(node);
      else if (!alike(have, node)) have.replaceWith(node);
      else if (node.nodeType === Node.ELEMENT_NODE) morph(have, node);
      else if (have.nodeValue !== node.nodeValue) have.nodeValue = node.nodeValue;
    });
    while (from.childNodes.length > wanted.length) from.lastChild.remove();
  };
  const show = (key, html) => {
    const target = document.querySelector(`[data-slot="${CSS.escape(key)}"]`);
    if (!target) return;
    const template = document.createElement("template");
    template.innerHTML = html;
    morphChildren(target, template.content);
  };

  // Draws what moves with the time alone: the clock, countdowns, bars of alarms that are active, the present.
  const tick = () => {
    if (!clock || clock.at === null) return;
    const now = present();
    clockShown.textContent = offset(now);
    for (const time of document.querySelectorAll("time[data-due]")) {
      const left = Number(time.dataset.due) - now;
      time.textContent = left > 0 ? `in ${span(left)}` : "now";
    }
    const timeline = document.querySelector(".timeline");
    if (!timeline || clock.over) return;
    const end = Number(timeline.dataset.end);
    const share = (at) => 1.5 + 97 * Math.min(Math.max(at, 0), end) / end;
    for (const bar of timeline.querySelectorAll("rect[data-from]")) {
      bar.setAttribute("width", `${Math.max(share(now) - share(Number(bar.dataset.from)), 0.25).toFixed(3)}%`);
    }
    for (const line of timeline.querySelectorAll("line.now")) {
      line.setAttribute("x1", `${share(now).toFixed(3)}%`);
      line.setAttribute("x2", `${share(now).toFixed(3)}%`);
    }
  };

  const connection = (state, text) => {
    link.dataset.state = state;
    link.textContent = text;
  };
  const events = new EventSource("events");
  events.onopen = () => connection("open", "live");
  events.onerror = () => {
    if (!over) connection("lost", events.readyState === EventSource.CLOSED ? "not served any more" : "reconnecting…");
  };
  events.onmessage = (message) => {
    const news = JSON.parse(message.data);
    clock = news.clock;
    heard = performance.now();
    for (const [key, html] of Object.entries(news.sections)) show(key, html);
    if (news.title) document.title = news.title;
    if (news.end) {
      over = true;
      events.close();
      connection("over", "over");
      document.documentElement.classList.add("over");
    }
    tick();
  };
  setInterval(tick, 250);

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button[data-do]");
    if (!button) return;
    const what = button.dataset.do;
    button.disabled = true;
    let told = "";
    try {
      const answer = await fetch(what === "abort" ? "abort" : "answer", {
        method: "POST",
        headers: { "Authorization": `Bearer ${token}`, "Content-Type": "application/json" },
        body: JSON.stringify(what === "abort" ? {} : { step: button.dataset.step, answer: what }),
      });
      told = answer.ok ? "Sent." : answer.status === 401 ? "The token is wrong." : (await answer.json()).error;
    } catch {
      told = "The drill could not be reached: answer in the terminal.";
    }
    button.disabled = false;
    said.hidden = false;
    said.textContent = told;
    const details = button.closest("details");
    if (details) details.open = false;
    setTimeout(() => { said.hidden = true; }, 5000);
  });
})();
