// Which page is shown is in the address, after the hash: #/cdus/cdu1, #/record?tags=cdu1.power.
export const pages = ["hall", "cdus", "queue", "energy", "green", "record", "alarms", "control", "audit"];

export const here = (page, rest = [], query = {}) => {
  const asked = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== undefined && value !== "")).toString();
  return `#/${[page, ...rest.map(encodeURIComponent)].join("/")}${asked ? `?${asked}` : ""}`;
};

export function where() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  let parts = [];
  try {
    parts = path.split("/").filter(Boolean).map(decodeURIComponent);
  } catch {
    // A mangled address shows the first page.
  }
  const [page, ...rest] = pages.includes(parts[0]) ? parts : ["hall"];
  return { page, rest, query: new URLSearchParams(query) };
}

export const go = (...address) => { location.hash = here(...address); };

// Changes the address of the page that is shown, without a step in the history.
export const stay = (...address) => history.replaceState(null, "", here(...address));

export const follow = (moved) => addEventListener("hashchange", moved);
