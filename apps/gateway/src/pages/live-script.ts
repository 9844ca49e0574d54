/**
 * Keeps the page of a run fresh: each new event replaces the page's content by what the server now renders. It asks
 * once more after the last event, because the last spans arrive a moment after it. Opened details stay open.
 */
export const LIVE_SCRIPT = `
const live = document.getElementById('live');
let shown = Number(live.dataset.seq), waiting = false;
const refresh = async () => {
  waiting = false;
  const answer = await fetch(location.href, { headers: { accept: 'text/html' } });
  if (!answer.ok) return;
  const next = new DOMParser().parseFromString(await answer.text(), 'text/html').getElementById('live');
  if (!next) return;
  const open = new Set([...live.querySelectorAll('details[open]')].map((details) => details.id));
  live.replaceChildren(...next.childNodes);
  for (const details of live.querySelectorAll('details')) if (open.has(details.id)) details.open = true;
};
const soon = (ms) => {
  if (!waiting) setTimeout(refresh, ms);
  waiting = true;
};
if (live.dataset.ended) setTimeout(refresh, 1500);
else {
  const events = new EventSource(live.dataset.events);
  for (const type of live.dataset.types.split(' ')) {
    events.addEventListener(type, ({ lastEventId }) => {
      if (type === 'run.ended') {
        events.close();
        setTimeout(refresh, 1500);
      }
      if (Number(lastEventId) <= shown) return;
      shown = Number(lastEventId);
      soon(100);
    });
  }
}
`;
