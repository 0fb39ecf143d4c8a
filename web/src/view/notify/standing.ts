// What this browser can do, and what its user may do about it.

/** What is known of the browser. */
export interface Browser {
  permission: 'on' | 'off' | 'default' | 'denied' | 'unsupported';
  /** the server tells it also while no page is open */
  pushes: boolean;
  /** the page came by https, or from this machine */
  secure: boolean;
  /** iPhone or iPad */
  apple: boolean;
  /** the page was opened as an app */
  installed: boolean;
}

/**
 * always, open: told, even while no page is open, or only then; off: can be turned on; denied: the user blocked it;
 * install, insecure: would work as an app, or by https; unsupported: never.
 */
export type Standing = 'always' | 'open' | 'off' | 'denied' | 'install' | 'insecure' | 'unsupported';

/** How it stands with notifications in a browser. */
export function standingOf(b: Browser): Standing {
  if (b.permission === 'on') return b.pushes ? 'always' : 'open';
  if (b.permission === 'off' || b.permission === 'default') return 'off';
  if (!b.secure) return 'insecure'; // browsers say that it is denied or not there
  if (b.permission === 'denied') return 'denied';
  return b.apple && !b.installed ? 'install' : 'unsupported';
}

/** What the browser says of itself. An iPad says that it is a Mac, but can be touched. */
export function thisBrowser(n: Pick<Navigator, 'platform' | 'maxTouchPoints'>): Pick<
  Browser,
  'secure' | 'apple' | 'installed'
> {
  return {
    secure: isSecureContext,
    apple: /^iP/.test(n.platform) || (n.platform === 'MacIntel' && n.maxTouchPoints > 1),
    installed: matchMedia('(display-mode: standalone)').matches,
  };
}
