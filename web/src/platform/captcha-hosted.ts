// CAPTCHAs of providers, where the operator chose one. Their scripts come from
// them: nothing is loaded before a form needs it.

export interface Hosted {
  kind: string;
  site_key: string;
  action: string;
  script: string;
}

/** What the providers' scripts have in common. */
interface Widget {
  render(box: HTMLElement, o: Record<string, unknown>): string | number;
  reset(id: string | number): void;
}

/** What reCAPTCHA v3 has instead: nothing to see. */
interface Silent {
  ready(then: () => void): void;
  execute(siteKey: string, o: { action: string }): Promise<string>;
}

const names: Record<string, string> = {
  turnstile: 'turnstile',
  hcaptcha: 'hcaptcha',
  recaptcha: 'grecaptcha',
  recaptcha3: 'grecaptcha',
};

/** Shows a provider's CAPTCHA in box, and takes what it says once somebody solved it. */
export class HostedAnswers {
  readonly #config: Hosted;
  readonly #ready: Promise<unknown>;
  #id: string | number | undefined;
  #answer = waiting();
  #solved = false;

  constructor(config: Hosted, box: HTMLElement, load: (url: string) => Promise<unknown> = loadScript) {
    this.#config = config;
    this.#ready = load(config.script).then(() => this.#show(box));
    this.#ready.catch((err: unknown) => this.#answer.reject(err));
  }

  async #show(box: HTMLElement): Promise<void> {
    const c = this.#config;
    if (c.kind === 'recaptcha3') {
      await new Promise<void>((done) => this.#provider<Silent>().ready(done));
      return;
    }
    // reCAPTCHA's script goes on loading after it has loaded.
    if (c.kind === 'recaptcha') await new Promise<void>((done) => this.#provider<Silent>().ready(done));
    this.#id = this.#provider<Widget>().render(box, {
      sitekey: c.site_key,
      action: c.action,
      callback: (answer: string) => {
        this.#solved = true;
        this.#answer.resolve(answer);
      },
      'expired-callback': () => {
        if (this.#solved) this.#again(); // else somebody may be waiting for it
      },
    });
  }

  #provider<T>(): T {
    const found = (globalThis as Record<string, unknown>)[names[this.#config.kind] ?? ''];
    if (!found) throw new Error(`the script of ${this.#config.kind} did not start`);
    return found as T;
  }

  #again(): void {
    this.#solved = false;
    this.#answer = waiting();
  }

  /** An answer to send, used up with it; waits until somebody has solved it. */
  async take(): Promise<string> {
    if (this.#config.kind === 'recaptcha3') {
      await this.#ready;
      return this.#provider<Silent>().execute(this.#config.site_key, { action: this.#config.action });
    }
    const answer = await this.#answer.promise;
    this.#again();
    if (this.#id !== undefined) this.#provider<Widget>().reset(this.#id); // for the next time
    return answer;
  }
}

interface Waiting {
  promise: Promise<string>;
  resolve: (answer: string) => void;
  reject: (err: unknown) => void;
}

function waiting(): Waiting {
  const w = {} as Waiting;
  w.promise = new Promise((resolve, reject) => Object.assign(w, { resolve, reject }));
  w.promise.catch(() => {}); // whoever takes the answer is told
  return w;
}

function loadScript(url: string): Promise<unknown> {
  return new Promise((loaded, failed) => {
    const s = document.createElement('script');
    s.src = url;
    s.async = true;
    s.onload = loaded;
    s.onerror = () =>
      failed(new Error(`could not load ${new URL(url).host}, which tells people from programs; something blocks it`));
    document.head.append(s);
  });
}
