// Makes the pages live. All of them work without it: it fetches the same pages again and takes over what is new.
'use strict';
(() => {
  const page = document.body;
  const find = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const made = (tag, name, text = '') => Object.assign(document.createElement(tag), { className: name, textContent: text });
  const counted = (count, one) => `${count} ${one}${count === 1 ? '' : 's'}`;

  // A store that may be switched off.
  const store = (key, value) => {
    try {
      if (value === undefined) return localStorage.getItem(key);
      return value === null ? localStorage.removeItem(key) : localStorage.setItem(key, value);
    } catch { return null; }
  };
  const stored = () => { try { return Object.keys(localStorage); } catch { return []; } };

  // What changes by itself is said here; how the connection stands is seen as well.
  const said = page.appendChild(made('p', 'unseen'));
  const state = page.appendChild(made('p', 'state'));
  said.setAttribute('aria-live', 'polite');
  state.setAttribute('role', 'status');
  const tell = (text, link, address) => {
    state.textContent = text;
    if (link) state.append(' ', Object.assign(made('a', '', link), { href: address }));
  };

  // Times are the server's, in the words of the server (words.rs).
  let ahead = 0;
  const set = (now) => { ahead = Date.parse(now) - Date.now(); };
  const span = (ms) => {
    const minutes = Math.floor(ms / 60000), hours = Math.floor(minutes / 60), days = Math.floor(hours / 24);
    if (!hours) return counted(Math.max(minutes, 1), 'minute');
    if (!days) return counted(hours, 'hour');
    return counted(days, 'day') + (days < 4 && hours % 24 ? ` ${counted(hours % 24, 'hour')}` : '');
  };
  // Whatever comes or goes above, what one is looking at stays where it is.
  const steadily = (change) => {
    const anchor = scrollY > 0 && all('.card').find((card) => card.getBoundingClientRect().bottom > 0);
    const top = anchor && anchor.getBoundingClientRect().top;
    change();
    if (anchor?.isConnected) scrollBy(0, anchor.getBoundingClientRect().top - top);
  };
  const refresh = () => steadily(() => {
    const now = Date.now() + ahead;
    for (const time of all('time')) {
      const left = Date.parse(time.dateTime) - now;
      if ('left' in time.dataset) time.textContent = span(left);
      else if (/^(just now|in \d.*|\d.* ago)$/.test(time.textContent)) {
        time.textContent = left <= -60000 ? `${span(-left)} ago` : left >= 60000 ? `in ${span(left)}` : 'just now';
      }
    }
  });

  // A decision is sent once, also when the button is pressed twice.
  let sent = 0, slow;
  addEventListener('submit', (event) => {
    if (event.target.method !== 'post') return;
    if (Date.now() - sent < 10000) return event.preventDefault();
    sent = Date.now();
    event.submitter?.setAttribute('aria-busy', 'true');
    slow = setTimeout(tell, 600, 'Sending …');
    if (event.target.dataset.capability === 'session.sign_out') {
      stored().filter((key) => key.startsWith('note ')).forEach((key) => store(key, null));
    }
  });

  // A note outlives the session in which it was typed, on this device and as long as the request waits.
  const draft = `note ${location.pathname}`;
  const keepNote = () => {
    const note = find('#note');
    if (!note) return find('[data-request]') && store(draft, null);
    note.value ||= store(draft) || '';
    note.addEventListener('input', () => store(draft, note.value || null));
  };

  // Takes over what differs and leaves the rest as it stands, with focus, scroll and what is open or typed.
  const merge = (from, to) => {
    if (from.nodeType === Node.TEXT_NODE) { if (from.data !== to.data) from.data = to.data; return; }
    for (const { name, value } of to.attributes) if (from.getAttribute(name) !== value) from.setAttribute(name, value);
    for (const { name } of [...from.attributes]) if (!to.hasAttribute(name) && name !== 'open') from.removeAttribute(name);
    if (/^(INPUT|TEXTAREA|SELECT)$/.test(from.nodeName)) return;
    const key = (node) => node.dataset?.key;
    const keep = new Set([...to.children].map(key));
    [...from.children].filter((child) => key(child) && !keep.has(key(child))).forEach((child) => child.remove());
    let here = from.firstChild;
    for (const wanted of [...to.childNodes]) {
      const known = key(wanted) && [...from.children].find((child) => key(child) === key(wanted));
      while (known && here && here !== known && !key(here)) { const next = here.nextSibling; here.remove(); here = next; }
      const alike = here && here.nodeName === wanted.nodeName && key(here) === key(wanted);
      if (alike || known) {
        const old = alike ? here : known;
        if (alike) here = here.nextSibling; else from.insertBefore(old, here);
        merge(old, wanted);
      } else from.insertBefore(document.importNode(wanted, true), here);
    }
    while (here) { const next = here.nextSibling; here.remove(); here = next; }
  };

  const cards = (within) => new Map(all('[data-key]', within).map((card) => [card.dataset.key, card]));
  const takeOver = (old, fresh) => {
    const before = cards(old), links = all('h2 a', old), focused = links.indexOf(document.activeElement);
    steadily(() => merge(old, fresh));
    if (focused >= 0 && document.activeElement === page) {
      const left = all('h2 a', old), heading = find('h1');
      heading.tabIndex = -1;
      (left[Math.min(focused, left.length - 1)] || heading).focus();
    }
    const after = cards(old);
    const come = [...after].filter(([key]) => !before.has(key)).map(([, card]) => find('h2', card).textContent);
    const gone = [...before.keys()].filter((key) => !after.has(key)).length;
    said.textContent = [...come.map((what) => `New: ${what}.`), gone ? `${counted(gone, 'request')} no longer waiting.` : ''].join(' ');
  };

  // The page of a request: decided elsewhere it says so. A fresh preview is never put under the button that was meant for
  // the old one.
  const settle = (old, fresh) => {
    if (old.dataset.status === fresh.dataset.status) {
      if (old.dataset.plan !== fresh.dataset.plan) tell('What this would do has changed.', 'Look again', `?seen=${old.dataset.plan}`);
      return;
    }
    const typed = find('#note')?.value;
    old.replaceWith(fresh);
    if (typed) {
      const kept = made('details', 'box');
      kept.append(made('summary', '', 'What you had typed'), made('p', 'text', typed));
      fresh.append(kept);
    }
    tell('');
    const notice = find('.notice', fresh);
    if (notice) { notice.tabIndex = -1; notice.focus(); }
    keepNote();
  };

  let looking = false, again = false, later;
  const look = async () => {
    clearTimeout(later);
    if (sent) return;
    if (looking) { again = true; return; }
    looking = true;
    try {
      const request = find('[data-request]');
      const query = request ? `?told=meanwhile&seen=${request.dataset.plan}` : location.search;
      const answer = await fetch(location.pathname + query, { headers: { accept: 'text/html' }, cache: 'no-store' });
      if (answer.redirected && new URL(answer.url).pathname === '/sign-in') return signedOut();
      if ([403, 404].includes(answer.status)) return location.reload();
      const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html');
      if (!answer.ok || !fresh.body.dataset.mark) throw new Error('no page');
      if (sent) return;
      page.dataset.mark = fresh.body.dataset.mark;
      set(fresh.body.dataset.now);
      document.title = fresh.title;
      count(find('[data-counts] .count', fresh)?.textContent ?? '');
      const live = find('[data-live]'), freshLive = find('[data-live]', fresh), freshRequest = find('[data-request]', fresh);
      found();
      if (live && freshLive) takeOver(live, freshLive);
      if (request?.dataset.status === 'pending' && freshRequest) settle(request, document.importNode(freshRequest, true));
      refresh();
    } catch {
      lose();
      later = setTimeout(look, 5000);
    } finally {
      looking = false;
      if (again) { again = false; look(); }
    }
  };
  const count = (text) => {
    const place = find('[data-counts] .count');
    if (place) place.textContent = text;
    document.title = (text ? `(${text}) ` : '') + document.title.replace(/^\(\d+\+?\) /, '');
  };

  let source, retry, lost, warned = false;
  const lose = () => {
    lost ||= setTimeout(() => {
      warned = true;
      tell(navigator.onLine ? 'Connecting again … What you see may be out of date.' : 'You are offline. What you see may be out of date.');
    }, 4000);
  };
  const found = () => {
    if (!navigator.onLine) return;
    clearTimeout(lost);
    lost = 0;
    if (warned) tell('');
    warned = false;
  };
  const signedOut = () => {
    source.close();
    clearTimeout(lost);
    warned = true;
    tell('You are no longer signed in.', 'Sign in again', `/sign-in?next=${location.pathname}`);
  };
  const connect = () => {
    clearTimeout(retry);
    source?.close();
    source = new EventSource(page.dataset.events);
    source.addEventListener('queue', (event) => {
      const { mark, waiting, now } = JSON.parse(event.data);
      found();
      set(now);
      count(waiting);
      refresh();
      if (mark === page.dataset.mark) return;
      if (find('[data-live], [data-request]')) look(); else page.dataset.mark = mark;
    });
    source.onerror = () => {
      lose();
      if (source.readyState !== EventSource.CLOSED) return;
      // Too many pages are open, the session has ended, or the server is away: the page itself tells.
      look();
      retry = setTimeout(connect, 15000);
    };
  };

  // Keys move and open. None decides: a and d only go to a button.
  const KEYS = [['j', 'next request'], ['k', 'request before'], ['o', 'open it'], ['a', 'go to Allow once'], ['d', 'go to Deny'], ['?', 'these keys']];
  const showKeys = () => {
    const dialog = find('dialog') || page.appendChild(made('dialog', ''));
    dialog.innerHTML = '<h2 id="keys">Keys</h2><dl class="facts"></dl><label class="choice"><input type="checkbox"> <span>Use these keys</span></label><form method="dialog"><button class="quiet">Close</button></form>';
    dialog.setAttribute('aria-labelledby', 'keys');
    for (const [key, does] of KEYS) {
      const row = find('dl', dialog).appendChild(made('div', ''));
      row.append(made('dt', '').appendChild(made('kbd', '', key)).parentNode, made('dd', '', does));
    }
    const used = find('input', dialog);
    used.checked = store('keys') !== 'off';
    used.onchange = () => store('keys', used.checked ? null : 'off');
    dialog.showModal();
  };
  const press = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || find('dialog[open]') || store('keys') === 'off') return;
    if (event.target.closest('input, textarea, select')) return;
    const links = all('.card h2 a'), at = links.indexOf(document.activeElement);
    const button = (action) => find(`form[data-capability="authorization.${action}"] button`)?.focus();
    const does = {
      j: () => links[Math.min(at + 1, links.length - 1)]?.focus(),
      k: () => links[Math.max(at - 1, 0)]?.focus(),
      o: () => (links[at] ? links[at].click() : links[0]?.focus()),
      a: () => button('allow_once'),
      d: () => button('deny'),
      '?': showKeys,
    }[event.key];
    if (does) { event.preventDefault(); does(); }
  };

  addEventListener('pageshow', (event) => {
    sent = 0;
    clearTimeout(slow);
    all('[aria-busy]').forEach((button) => button.removeAttribute('aria-busy'));
    if (event.persisted && page.dataset.mark) { tell(''); connect(); look(); }
  });
  keepNote();
  if (!page.dataset.mark) return;
  set(page.dataset.now);
  setInterval(refresh, 20000);
  connect();
  addEventListener('online', connect);
  addEventListener('offline', lose);
  addEventListener('pagehide', () => source.close());
  addEventListener('visibilitychange', () => { if (!document.hidden) { refresh(); if (source.readyState) connect(); } });
  addEventListener('keydown', press);
  const help = find('nav').appendChild(made('button', 'quiet keys', 'Keys'));
  help.type = 'button';
  help.onclick = showKeys;
})();
