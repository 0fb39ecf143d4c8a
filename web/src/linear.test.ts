// Time that grows with the square of a text is time that somebody else can
// take from a reader. Steps are counted, not seconds.
import { Session } from 'node:inspector';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Steps } from './testing/regexp';
import { expressions, scripts, sources } from './testing/sources';
import { highlight, languages, patternOf } from './view/room/highlight';
import { onlyEmoji, parse, plain } from './view/room/markdown';
import corpus from './view/room/testdata/markdown.json';

const session = new Session();
beforeAll(() => {
  session.connect();
  session.post('Profiler.enable');
  session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
});
afterAll(() => session.disconnect());

const builtins = [
  'slice',
  'indexOf',
  'includes',
  'startsWith',
  'endsWith',
  'split',
  'trim',
  'trimStart',
  'trimEnd',
  'replace',
  'replaceAll',
  'toLowerCase',
  'repeat',
];

/** What a built-in function of strings went through, at most. */
function cost(name: string, text: string, args: unknown[], result: unknown): number {
  if (name === 'indexOf') return (Number(result) < 0 ? text.length : Number(result)) - Number(args[1] ?? 0);
  return typeof result === 'string' ? result.length : text.length;
}

/** Steps of fn: blocks of the client's code that ran, and characters that built-in functions went through. */
function stepsOf(fn: () => void): number {
  let steps = 0;
  const proto = String.prototype as unknown as Record<string, (...args: unknown[]) => unknown>;
  const kept = builtins.map((name) => proto[name]!);
  builtins.forEach((name, i) => {
    proto[name] = function (this: unknown, ...args: unknown[]) {
      const result = kept[i]!.apply(this, args);
      steps += cost(name, String(this), args, result);
      return result;
    };
  });
  session.post('Profiler.takePreciseCoverage'); // counts begin at zero
  try {
    fn();
  } finally {
    builtins.forEach((name, i) => (proto[name] = kept[i]!));
  }
  session.post('Profiler.takePreciseCoverage', (_err, { result }) => {
    for (const script of result.filter((r) => r.url.includes('/view/room/')))
      for (const f of script.functions) for (const range of f.ranges) steps += range.count;
  });
  return steps;
}

const grows = (small: number, large: number): boolean => large > 2.6 * small + 500;

const marks = [
  '*',
  '**',
  '_',
  '`',
  '``',
  '```',
  '~~',
  '[',
  ']',
  '(',
  ')',
  '](',
  '](https://a',
  '[a](https://b)',
  '<',
  '<https://a',
  '>',
  '> ',
  '- ',
  '1. ',
  '\n',
  '\\',
  '@',
  '@a',
  ' ',
  'a',
  'é',
  '字',
  '.',
  'x',
  'https://',
  'https://a',
  'www.',
  'www.a_',
  'a@',
  'a@b.',
  'mailto:',
  ':',
  '…',
  "'",
  '"',
  '/*',
  '*/',
  '//',
  '#',
  '0x1',
  '1e',
  'if (',
  '${',
  'C:\\',
  '¯\\_',
  '|',
  '||',
  '||a',
  '|a',
  '|-|\n',
  '|a|\n|-|\n',
  '- [ ] ',
  '- [x] a\n',
];

/** Texts that are long by repeating pieces: a beginning, what is repeated, and an end. */
function attacks(): [string, string, string][] {
  // Each mark meets five others, another five in each run.
  const shift = Date.now() % marks.length;
  const pairs = marks.flatMap((a, i) =>
    [1, 2, 3, 4, 5].map((k) => a + (marks[(i * k + shift + k) % marks.length] ?? '')),
  );
  const known: [string, string, string][] = [
    ['https://a', '.', `x${')'.repeat(150)}`],
    ['https://a', '.', 'x'],
    ['```', ' ', '`'],
    ['https://a', '(', ''],
    ['', '[', '](https://a)'],
    ['*', '_*', '*'],
    ['', 'www.a', '_'],
    ['', 'www.a_b:', '_'],
    ['', 'a.', '@b.c'],
    ['a@', 'b.', '_'],
    ['a', '+', 'b@c.d'],
    ['', '<a@b.c', ''],
  ];
  return [...known, ...[...marks, ...pairs, ...corpus].map((p): [string, string, string] => ['', p, ''])];
}

const sized = ([before, piece, after]: [string, string, string], size: number) =>
  before + piece.repeat(Math.ceil(size / piece.length)) + after;

describe('steps grow with the length of a text alone', () => {
  it('of a message', () => {
    for (const attack of attacks()) {
      const [small, large] = [150, 300].map((size) =>
        stepsOf(() => {
          const text = sized(attack, size);
          parse(text);
          plain(text);
          onlyEmoji(text);
        }),
      );
      if (grows(small!, large!)) throw new Error(`${JSON.stringify(attack)}: ${small} and then ${large} steps`);
    }
  }, 120_000);

  it('of code', () => {
    for (const name of new Set(Object.values(languages))) {
      const steps = new Steps(patternOf(name));
      for (const attack of attacks()) expectLinear(steps, attack, false, 100);
    }
    const code = 'a("b") // c';
    expect(
      highlight(code, 'go')
        .map(([, text]) => text)
        .join(''),
    ).toBe(code);
  }, 120_000);

  const all = sources().flatMap((source) =>
    scripts(source)
      .flatMap(expressions)
      .map((re) => [source.name, re] as const),
  );
  it.each(all)('of %s: %s', (_name, re) => {
    const steps = new Steps(re);
    const own = [...re.source].filter((c) => !'\\^$'.includes(c));
    for (const piece of new Set([...own, 'a', '1', ' ', 'a ', '1.', '-a'])) {
      for (const before of ['', own[0] ?? ''])
        for (const after of ['', '\u0000', '!']) expectLinear(steps, [before, piece, after], re.sticky, 200);
    }
  });

  it('knows a slow regular expression from a fast one', () => {
    expect(() => expectLinear(new Steps(/[.,]+$/), ['', '.', 'x'], false, 200)).toThrow();
    expect(() => expectLinear(new Steps(/^(a|a)*$/), ['', 'a', 'x'], false, 8)).toThrow();
    expect(() => new Steps(/(?<=a)b/)).toThrow('cannot read');
    expect(() => expectLinear(new Steps(/a*b/y), ['', 'a', 'x'], true, 200)).not.toThrow();
    expect(all.length).toBeGreaterThan(20);
  });
});

function expectLinear(steps: Steps, attack: [string, string, string], sticky: boolean, size: number): void {
  const [small, large] = [size, 2 * size].map((n) => {
    steps.count = 0;
    steps.search(sized(attack, n), sticky);
    return steps.count;
  });
  if (grows(small!, large!)) throw new Error(`${JSON.stringify(attack)}: ${small} and then ${large} steps`);
}
