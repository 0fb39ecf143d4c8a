// Counts the steps that a backtracking engine needs for a regular expression,
// so that a test can tell a slow one from a fast one on any machine. It knows
// the syntax that the client uses, and says so when it meets another.

type Next = (i: number) => boolean;
type Matcher = (i: number, next: Next) => boolean;

export class Steps {
  count = 0;
  #at = 0;
  #text = '';
  readonly #source: string;
  readonly #flags: string;
  readonly #match: Matcher;

  constructor(re: RegExp) {
    this.#source = re.source;
    this.#flags = re.flags.replace('y', '').replace('g', '');
    this.#match = this.#alternatives();
    if (this.#at < this.#source.length) throw new Error(`${re.source}: cannot read ${this.#source.slice(this.#at)}`);
  }

  /** Looks for all matches in text, as replace with the flag g would. */
  search(text: string, sticky: boolean): void {
    this.#text = text;
    for (let i = 0; i <= text.length; ) {
      let end = -1;
      this.#match(i, (j) => ((end = j), true));
      if (sticky) return;
      i = end > i ? end : i + 1;
    }
  }

  #peek(s: string): boolean {
    return this.#source.startsWith(s, this.#at);
  }

  #eat(s: string): boolean {
    if (!this.#peek(s)) return false;
    this.#at += s.length;
    return true;
  }

  #alternatives(): Matcher {
    const all = [this.#sequence()];
    while (this.#eat('|')) all.push(this.#sequence());
    return (i, next) => all.some((m) => m(i, next));
  }

  #sequence(): Matcher {
    const parts: Matcher[] = [];
    while (this.#at < this.#source.length && !this.#peek('|') && !this.#peek(')')) parts.push(this.#quantified());
    return parts.reduceRight<Matcher>((rest, part) => (i, next) => part(i, (j) => rest(j, next)), (i, next) => next(i));
  }

  #quantified(): Matcher {
    const atom = this.#atom();
    const m = /^(?:([*+?])|\{(\d+)(,?)(\d*)\})(\??)/.exec(this.#source.slice(this.#at));
    if (!m) return atom;
    this.#at += m[0].length;
    const min = m[1] ? (m[1] === '+' ? 1 : 0) : Number(m[2]);
    const max = m[1] ? (m[1] === '?' ? 1 : Infinity) : m[4] ? Number(m[4]) : m[3] ? Infinity : min;
    const lazy = m[5] === '?';
    const repeat = (i: number, n: number, next: Next): boolean => {
      const more = () => n < max && atom(i, (j) => (j > i || n < min) && repeat(j, n + 1, next));
      if (n < min) return more();
      return lazy ? next(i) || more() : more() || next(i);
    };
    return (i, next) => repeat(i, 0, next);
  }

  #atom(): Matcher {
    if (this.#eat('(')) return this.#group();
    if (this.#eat('^')) return (i, next) => i === 0 && next(i);
    if (this.#eat('$')) return (i, next) => i === this.#text.length && next(i);
    const m = /^(?:\[(?:\\.|[^\\\]])*\]|\\[pP]\{[^}]*\}|\\u[\da-fA-F]{4}|\\.|.)/.exec(this.#source.slice(this.#at));
    if (!m) throw new Error(`${this.#source}: cannot read ${this.#source.slice(this.#at)}`);
    this.#at += m[0].length;
    const [word, one] = [/\w/, new RegExp(`^(?:${m[0]})$`, this.#flags)];
    const isWord = (i: number) => word.test(this.#text.charAt(i));
    if (m[0] === '\\b') return (i, next) => (this.count++, isWord(i - 1) !== isWord(i) && next(i));
    return (i, next) => {
      this.count++;
      const c = String.fromCodePoint(this.#text.codePointAt(i) ?? 0);
      return i < this.#text.length && one.test(c) && next(i + c.length);
    };
  }

  #group(): Matcher {
    const look = this.#eat('?=') ? '=' : this.#eat('?!') ? '!' : '';
    if (!look && !this.#eat('?:') && this.#eat('?<')) {
      const end = this.#source.indexOf('>', this.#at);
      const behind = end < 0 || this.#peek('=') || this.#peek('!');
      if (behind) throw new Error(`${this.#source}: cannot read what looks behind`);
      this.#at = end + 1;
    }
    const inner = this.#alternatives();
    if (!this.#eat(')')) throw new Error(`${this.#source}: cannot read ${this.#source.slice(this.#at)}`);
    if (!look) return inner;
    return (i, next) => inner(i, () => true) === (look === '=') && next(i);
  }
}
