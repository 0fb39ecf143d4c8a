// A small highlighter for the languages that people paste into a chat. It
// knows comments, strings, numbers, keywords and calls, which is what the eye
// looks for; it parses nothing and cannot fail on anything.

/** A stretch of text and what it is: c(omment), s(tring), n(umber), k(eyword), f(unction); '' is plain. */
export type Token = ['' | 'c' | 's' | 'n' | 'k' | 'f', string];

interface Language {
  words: Set<string>;
  line?: string;
  block?: boolean;
  quotes: string;
}

const set = (words: string) => new Set(words.split(' '));

const c: Language = {
  words: set(
    'abstract as async await auto bool boolean break byte case catch chan char class const constexpr continue crate debugger default defer delete do double else enum export extends extern false final finally float fn for from func function go goto if impl implements import in inline instanceof int interface let long loop map match mod module move mut namespace new nil null nullptr of operator override package private protected pub public range readonly ref return select self short signed sizeof static string struct super switch template this throw throws trait true try type typedef typename typeof uint8_t uint16_t uint32_t undefined union unsafe unsigned use using val var virtual void volatile where while yield',
  ),
  line: '//',
  block: true,
  quotes: '"\'`',
};
const script: Language = {
  words: set(
    'and as assert async await break case class continue def del do done elif else esac except export False fi finally for from function global if import in is lambda local None nonlocal not or pass raise return self then True try while with yield echo exit set end module require nil true false',
  ),
  line: '#',
  quotes: '"\'',
};
const sql: Language = {
  words: set(
    'add all alter and as asc begin between by case commit conflict constraint create delete desc distinct do drop else end exists foreign from group having if in index inner insert into is join key left like limit not null on or order outer primary references returning right rollback select set table then union unique update using values view when where with',
  ),
  line: '--',
  block: true,
  quotes: '\'"',
};
const data: Language = { words: set('true false null yes no on off'), line: '#', quotes: '"\'' };
const style: Language = { words: set('important media import supports layer keyframes'), block: true, quotes: '"\'' };

export const languages: Record<string, Language> = {
  bash: script,
  c,
  cpp: c,
  'c++': c,
  cs: c,
  csharp: c,
  css: style,
  go: c,
  golang: c,
  h: c,
  ini: data,
  java: c,
  javascript: c,
  js: c,
  json: data,
  jsx: c,
  kotlin: c,
  kt: c,
  makefile: script,
  php: c,
  py: script,
  python: script,
  rb: script,
  rs: c,
  ruby: script,
  rust: c,
  sh: script,
  shell: script,
  sql,
  svelte: c,
  swift: c,
  toml: data,
  ts: c,
  tsx: c,
  typescript: c,
  yaml: data,
  yml: data,
  zig: c,
};

const escape = (s: string) => s.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** The pattern of what stands out in a language. */
export function patternOf(l: Language): RegExp {
  const comments = [l.line && `${escape(l.line)}[^\\n]*`, l.block && '/\\*[\\s\\S]*?(?:\\*/|$)']
    .filter(Boolean)
    .join('|');
  const strings = [...l.quotes]
    .map((q) => (q === '`' ? '`(?:[^`\\\\]|\\\\[\\s\\S])*`?' : `${q}(?:[^${q}\\\\\\n]|\\\\.)*${q}?`))
    .join('|');
  return new RegExp(
    `(?<c>${comments})|(?<s>${strings})|(?<n>\\b(?:0[xX][\\da-fA-F_]+|\\d[\\d_]*(?:\\.\\d+)?(?:[eE][+-]?\\d+)?)\\w*)|(?<w>[A-Za-z_$][\\w$]*)(?<call>\\s*\\()?`,
    'g',
  );
}

/** Cuts code into tokens; joined, their texts are the code again. */
export function highlight(code: string, name: string): Token[] {
  const language = languages[name.toLowerCase()];
  if (!language) return [['', code]];
  const out: Token[] = [];
  let at = 0;
  const push = (kind: Token[0], text: string) => {
    const last = out.at(-1);
    if (last && last[0] === kind) last[1] += text;
    else if (text) out.push([kind, text]);
  };
  for (const m of code.matchAll(patternOf(language))) {
    const g = m.groups ?? {};
    push('', code.slice(at, m.index));
    if (g['c']) push('c', g['c']);
    else if (g['s']) push('s', g['s']);
    else if (g['n']) push('n', g['n']);
    else {
      const word = g['w'] ?? '';
      const known = language.words.has(language === sql ? word.toLowerCase() : word);
      push(known ? 'k' : g['call'] ? 'f' : '', word);
      push('', g['call'] ?? '');
    }
    at = m.index + m[0].length;
  }
  push('', code.slice(at));
  return out;
}
