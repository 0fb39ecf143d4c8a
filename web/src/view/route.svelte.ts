import type { Message } from './types';

/** Where the client can be. Every place has an address. */
export type Route =
  | { page: 'home' }
  | {
      page: 'room';
      room: string;
      seq?: number;
      /** goes to what was said then: 2026-05-01 */
      day?: string;
      view?: 'dashboard';
      panel?: Panel;
      thread?: number;
      /** has one write there, after this text */
      write?: string;
      q?: string;
      everywhere?: boolean;
    }
  | { page: 'search'; q: string }
  | { page: 'threads' | 'mentions' | 'saved' | 'scheduled' | 'people' }
  | { page: 'devices'; id?: string; sensor?: string }
  | { page: 'firmware'; product?: string; part?: string; at?: 'crashes' }
  | { page: 'settings'; section: string }
  | { page: 'admin'; section: string; id?: string; query?: string }
  | { page: 'sign-in' | 'sign-up'; next?: string; invite?: string }
  | { page: 'forgot' | 'share' }
  | { page: 'signed-in'; query: string }
  | { page: 'verify' | 'unlock' | 'confirm-email' | 'undo-email' | 'unsubscribe' | 'reset'; token: string }
  | { page: 'setup'; token: string }
  | { page: 'join'; code: string }
  | { page: 'nothing' };

export type Panel = 'members' | 'search' | 'details' | 'files' | 'thread' | 'pins' | 'reports';

const panels: readonly string[] = ['members', 'search', 'details', 'files', 'thread', 'pins', 'reports'];
export const settingsPages = [
  'profile',
  'status',
  'notifications',
  'appearance',
  'emoji',
  'blocked',
  'reports',
  'account',
  'security',
  'devices',
  'bots',
] as const;
export const adminPages = [
  'users',
  'groups',
  'invites',
  'rooms',
  'commands',
  'reports',
  'audit',
  'server',
  'models',
  'health',
] as const;

/** Reads an address. */
export function parse(url: URL): Route {
  const [page = '', a = '', b = '', ...rest] = url.pathname.split('/').filter(Boolean);
  const hash = url.hash.slice(1);
  if (rest.length) return { page: 'nothing' };
  switch (page) {
    case '':
      return { page: 'home' };
    case 'rooms':
      return a ? room(a, b, url.searchParams, hash) : { page: 'home' };
    case 'search':
      return { page: 'search', q: url.searchParams.get('q') ?? '' };
    case 'threads':
    case 'mentions':
    case 'saved':
    case 'scheduled':
    case 'people':
      return { page };
    case 'devices': {
      const sensor = url.searchParams.get('sensor') ?? '';
      return { page: 'devices', ...(a && { id: a }), ...(sensor && { sensor }) };
    }
    case 'firmware':
      return { page, ...(a && { product: a }), ...(b && { part: b }), ...(hash === 'crashes' && { at: hash }) };
    case 'settings':
      return { page: 'settings', section: a || 'profile' };
    case 'admin':
      return {
        page: 'admin',
        section: a || 'users',
        ...(b && { id: b }),
        ...(url.search.length > 1 && { query: url.search.slice(1) }),
      };
    case 'sign-in':
    case 'sign-up': {
      const next = url.searchParams.get('next') ?? '';
      // Only a place of our own: an address that leaves the client is not followed.
      const invite = new URLSearchParams(hash).get('invite') ?? '';
      return { page, ...(/^\/(?![/\\])/.test(next) && { next }), ...(invite && { invite }) };
    }
    case 'register':
      return { page: 'sign-up', invite: new URLSearchParams(hash).get('invite') ?? '' };
    case 'forgot':
    case 'share':
      return { page };
    case 'signed-in':
      return { page: 'signed-in', query: url.search.slice(1) };
    case 'verify':
    case 'unlock':
    case 'confirm-email':
    case 'undo-email':
    case 'unsubscribe':
    case 'reset':
      return { page, token: new URLSearchParams(hash).get('token') ?? '' };
    case 'setup':
      return { page: 'setup', token: new URLSearchParams(hash).get('token') ?? '' };
    case 'join':
      return { page: 'join', code: hash };
    default:
      return { page: 'nothing' };
  }
}

function room(id: string, seq: string, q: URLSearchParams, hash: string): Route {
  const thread = q.get('thread') ?? '';
  const panel = q.get('panel') ?? (thread && 'thread');
  const write = new URLSearchParams(hash).get('write');
  return {
    page: 'room',
    room: id,
    ...(/^\d{1,15}$/.test(seq) && { seq: Number(seq) }),
    ...(/^\d{4}-\d\d-\d\d$/.test(seq) && { day: seq }),
    ...(seq === 'dashboard' && { view: 'dashboard' as const }),
    ...(panels.includes(panel) && { panel: panel as Panel }),
    ...(/^\d{1,15}$/.test(thread) && { thread: Number(thread) }),
    ...(write !== null && { write }),
    ...(q.has('q') && { q: q.get('q') ?? '' }),
    ...(q.has('all') && { everywhere: true }),
  };
}

/** Writes an address. */
export function href(r: Route): string {
  switch (r.page) {
    case 'room': {
      const q = new URLSearchParams();
      if (r.panel === 'thread') q.set('thread', String(r.thread ?? 0));
      else if (r.panel) q.set('panel', r.panel);
      if (r.q) q.set('q', r.q);
      if (r.everywhere) q.set('all', '');
      const query = q.toString();
      const within = r.view || r.seq || r.day;
      return `/rooms/${r.room}${within ? `/${within}` : ''}${query && `?${query}`}`;
    }
    case 'search':
      return `/search${r.q ? `?q=${encodeURIComponent(r.q)}` : ''}`;
    case 'devices':
      return `/devices${r.id ? `/${r.id}` : ''}${r.sensor ? `?sensor=${encodeURIComponent(r.sensor)}` : ''}`;
    case 'firmware':
      return `/firmware${r.product ? `/${r.product}${r.part ? `/${r.part}` : ''}` : ''}${r.at ? `#${r.at}` : ''}`;
    case 'settings':
      return `/settings/${r.section}`;
    case 'admin':
      return `/admin/${r.section}${r.id ? `/${r.id}` : ''}${r.query ? `?${r.query}` : ''}`;
    case 'sign-in':
    case 'sign-up':
      return `/${r.page}${r.next ? `?next=${encodeURIComponent(r.next)}` : ''}${r.invite ? `#invite=${r.invite}` : ''}`;
    case 'forgot':
    case 'share':
    case 'threads':
    case 'mentions':
    case 'saved':
    case 'scheduled':
    case 'people':
      return `/${r.page}`;
    case 'signed-in':
      return '/signed-in';
    case 'verify':
    case 'unlock':
    case 'confirm-email':
    case 'undo-email':
    case 'unsubscribe':
    case 'reset':
      return `/${r.page}`; // without the secret: it has been read
    case 'join':
      return `/join#${r.code}`;
    case 'setup':
      return `/setup#token=${r.token}`;
    default:
      return '/';
  }
}

/** Where a message is shown: a reply in its thread, unless it was sent to the room as well. */
export const placeOf = (
  m: Pick<Message, 'room' | 'seq' | 'thread' | 'broadcast'>,
): Extract<Route, { page: 'room' }> => ({
  page: 'room',
  room: m.room,
  seq: m.seq,
  ...(m.thread && !m.broadcast && { panel: 'thread', thread: m.thread }),
});

/** What an entry of the browser's history says besides its address. */
interface Entry {
  /** the place before is in the client */
  inside?: boolean;
  /** it lies over the place before, which has the same page: a panel */
  over?: boolean;
  /** how many dialogs lie over the place */
  covers?: number;
}

const entry = (): Entry => (history.state as Entry | null) ?? {};

/** The address of the page, followed and changed. */
export class Router {
  #route: Route = $state.raw(parse(new URL(location.href)));
  #covers: (() => void)[] = [];
  /** on the way back from a dialog that was closed */
  #leaving = false;

  get current(): Route {
    return this.#route;
  }

  /** Follows Back, Forward and links; returns how to stop. */
  start(): () => void {
    const moved = () => {
      const covers = entry().covers ?? 0;
      if (!this.#leaving) for (const close of this.#covers.slice(covers).reverse()) close();
      else if (this.#covers.length > covers) this.#push(); // a dialog that came meanwhile stays
      this.#leaving = false;
      this.#route = parse(new URL(location.href));
    };
    const clicked = (e: MouseEvent) => {
      const a = (e.target as Element | null)?.closest?.('a');
      if (!a || e.defaultPrevented || e.button !== 0 || e.ctrlKey || e.metaKey || e.shiftKey || e.altKey) return;
      if (a.target || a.origin !== location.origin || a.hasAttribute('download')) return;
      if (/^\/(api|docs|openapi)/.test(a.pathname)) return;
      e.preventDefault();
      this.go(parse(new URL(a.href)));
    };
    addEventListener('popstate', moved);
    addEventListener('hashchange', moved);
    document.addEventListener('click', clicked);
    return () => {
      removeEventListener('popstate', moved);
      removeEventListener('hashchange', moved);
      document.removeEventListener('click', clicked);
    };
  }

  go(to: Route, replace = false): void {
    const url = href(to);
    const { covers, over } = entry();
    // A dialog that leads elsewhere is no place to come back to.
    if (covers || url === location.pathname + location.search + location.hash) replace = true;
    this.#write({ inside: true, ...(replace && over && { over }) }, url, replace);
    this.#route = to;
  }

  /** Opens something over the current page, which Back and close take away. */
  open(to: Route): void {
    this.#write({ inside: true, over: true }, href(to), false);
    this.#route = to;
  }

  /** Takes away what open opened; bare: the page without it. */
  close(bare: Route): void {
    if (entry().over) history.back();
    else this.go(bare, true);
  }

  /** Back if the place before was in the client; else to the given place. */
  back(otherwise: Route): void {
    if (entry().inside) history.back();
    else this.go(otherwise, true);
  }

  /** Lets Back close a dialog; returns what to do once it is closed. */
  cover(close: () => void): () => void {
    this.#covers.push(close);
    if ((entry().covers ?? 0) < this.#covers.length) this.#push();
    return () => {
      this.#covers = this.#covers.filter((other) => other !== close);
      // Whatever comes instead, a place or another dialog, takes the entry over first.
      setTimeout(() => {
        if ((entry().covers ?? 0) <= this.#covers.length) return;
        this.#leaving = true;
        history.back();
      });
    };
  }

  /** Makes an entry for the dialogs that lie over the place. */
  #push(): void {
    this.#write({ ...entry(), inside: true, covers: this.#covers.length }, location.href, false);
  }

  #write(state: Entry, url: string, replace: boolean): void {
    history[replace ? 'replaceState' : 'pushState'](state, '', url);
  }
}

export const router = new Router();
