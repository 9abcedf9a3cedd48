"use strict";
const specs = JSON.parse(document.getElementById("specs").textContent);
const tabs = [...document.querySelectorAll("nav a")];

function show(name) {
  for (const tab of tabs) {
    const isShown = tab.hash === `#${name}`;
    tab.setAttribute("aria-selected", isShown);
    document.getElementById(`page-${tab.hash.slice(1)}`).toggleAttribute("data-hidden", !isShown);
    if (isShown) document.documentElement.lang = tab.lang;
  }
}

function named() {
  const name = location.hash.slice(1);
  return tabs.some((tab) => tab.hash === `#${name}`) ? name : tabs[0].hash.slice(1);
}

if (tabs.length) {
  document.documentElement.classList.add("tabs");
  show(named());
  addEventListener("hashchange", () => { show(named()); scrollTo(0, 0); });
}

Promise.all(
  [...document.querySelectorAll(".chart")].map((place) =>
    vegaEmbed(place, specs[place.dataset.spec], { renderer: "svg", actions: false, tooltip: { disableDefaultStyle: true } }),
  ),
).then((drawn) => { document.documentElement.dataset.drawn = drawn.length; });
