import { reasonOf } from './failure';

const usual = 15_000;

/** Something that the server knows, asked for again while somebody looks at it. */
export class Fresh<T> {
  value: T | undefined = $state.raw();
  /** why the last answer did not come */
  failure = $state('');
  readonly #ask: () => Promise<T>;
  readonly #every: number;
  #asked = 0;

  /** every: after so many milliseconds it is asked for again */
  constructor(ask: () => Promise<T>, every = usual) {
    this.#ask = ask;
    this.#every = every;
  }

  /** Asks now. An answer that comes after that to a later question changes nothing. */
  async load(): Promise<void> {
    const turn = ++this.#asked;
    const answer = await this.#ask().then(
      (value) => ({ value, failure: '' }),
      (err: unknown) => ({ value: this.value, failure: reasonOf(err) }),
    );
    if (turn !== this.#asked) return;
    this.value = answer.value;
    this.failure = answer.failure;
  }

  /** Asks now and then again, until what it returns is called; for an effect. */
  start(): () => void {
    void this.load();
    const timer = setInterval(() => {
      if (document.visibilityState !== 'hidden') void this.load();
    }, this.#every);
    return () => clearInterval(timer);
  }
}
