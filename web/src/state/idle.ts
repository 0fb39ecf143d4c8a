// Whether the person is there: something was touched, typed or looked at within
// the last minutes. A page that is only behind another one is no absence.

const after = 5 * 60_000;
const signs = ['pointerdown', 'pointermove', 'keydown', 'wheel', 'focus'] as const;

export class Idle {
  readonly #changed: (active: boolean) => void;
  #active = true;
  #last = Date.now();
  readonly #timer: ReturnType<typeof setInterval>;

  constructor(changed: (active: boolean) => void) {
    this.#changed = changed;
    this.#timer = setInterval(() => this.#look(), 20_000);
    for (const sign of signs) addEventListener(sign, this.#seen, { passive: true, capture: true });
  }

  get active(): boolean {
    return this.#active;
  }

  stop(): void {
    clearInterval(this.#timer);
    for (const sign of signs) removeEventListener(sign, this.#seen, { capture: true });
  }

  #seen = (): void => {
    this.#last = Date.now();
    if (!this.#active) this.#look();
  };

  #look(): void {
    const active = Date.now() - this.#last < after;
    if (active === this.#active) return;
    this.#active = active;
    this.#changed(active);
  }
}
