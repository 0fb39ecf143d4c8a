// The picture in the tab, with what waits: a number on red for what is meant for
// the reader, a plain dot for the rest.

const size = 64;

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
      const base = await (this.#base ??= load(this.#plain));
      if (badge === this.#shown) this.#link.href = draw(base, badge);
    } catch {
      this.#base = undefined; // the title still tells it
    }
  }
}

async function load(src: string): Promise<HTMLImageElement> {
  const image = new Image(size, size);
  image.src = src;
  await image.decode();
  return image;
}

function draw(base: HTMLImageElement, badge: string): string {
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = size;
  const c = canvas.getContext('2d');
  if (!c) return base.src;
  c.drawImage(base, 0, 0, size, size);
  const width = badge.length > 1 ? 46 : badge ? 36 : 28;
  const height = badge ? 36 : 28;
  c.beginPath();
  c.roundRect(size - width, size - height, width, height, height / 2);
  c.fillStyle = badge ? '#c8102e' : '#e8a317';
  c.fill();
  // A rim keeps the badge apart from the picture in any theme of the browser.
  c.lineWidth = 4;
  c.strokeStyle = '#fff';
  c.globalCompositeOperation = 'destination-over';
  c.stroke();
  c.globalCompositeOperation = 'source-over';
  c.fillStyle = '#fff';
  c.font = '700 30px system-ui, sans-serif';
  c.textAlign = 'center';
  c.textBaseline = 'middle';
  c.fillText(badge, size - width / 2, size - height / 2 + 2);
  return canvas.toDataURL('image/png');
}
