// The picture in the tab, with what waits: a number on red for what is meant for
// the reader, a plain dot for the rest.

/** What the badge says: a number for mentions, nothing but a dot for other messages, undefined for no badge. */
export function badgeOf(unread: number, mentions: number): string | undefined {
  if (mentions > 0) return mentions > 99 ? '99' : String(mentions);
  return unread > 0 ? '' : undefined;
}

/** The title of the page: mentions in brackets, then what else is unread. */
export function titleOf(plain: string, unread: number, mentions: number): string {
  const rest = unread - mentions;
  return [mentions > 0 ? `(${mentions})` : '', rest > 0 ? `• ${rest}` : '', plain].filter(Boolean).join(' ');
}

export class Favicon {
  readonly #link = document.querySelector<HTMLLinkElement>('link[rel~="icon"]');
  readonly #plain = this.#link?.href;
  #base: Promise<HTMLImageElement> | undefined;
  #shown: string | undefined;

  /** Shows a badge, or with undefined the plain picture. */
  async show(badge: string | undefined): Promise<void> {
    if (!this.#link || !this.#plain || badge === this.#shown) return;
    this.#shown = badge;
    if (badge === undefined) {
      this.#link.href = this.#plain;
      return;
    }
    try {
      const { draw, load } = await import('./badge'); // few pages are open with something that waits at their start
      const base = await (this.#base ??= load(this.#plain));
      if (badge === this.#shown) this.#link.href = draw(base, badge);
    } catch {
      this.#base = undefined; // the title still tells it
    }
  }
}
